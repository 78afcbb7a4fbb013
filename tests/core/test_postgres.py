"""The embedded server: started once, stopped by the last, never left behind by the dead."""

import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psycopg
import pytest

from core import postgres
from tests.conftest import ROOT

USER = """
import sys, time
from pathlib import Path
from core import postgres
print(postgres.ensure_running(Path(sys.argv[1])), flush=True)
time.sleep(float(sys.argv[2]))
"""


@pytest.fixture(scope="module")
def folder():
    """Not among pytest's own folders: those are closed to the account that PostgreSQL runs under."""
    with tempfile.TemporaryDirectory(prefix="achterban-server-") as path:
        yield Path(path)


pytestmark = pytest.mark.xdist_group("postgres")  # they share one server and follow each other


def _user(folder, seconds):
    return subprocess.Popen([sys.executable, "-c", USER, str(folder), str(seconds)], cwd=ROOT, text=True,
                            stdout=subprocess.PIPE)


def _runs(folder):
    return postgres._answers(folder.resolve())


def test_many_who_start_it_at_once_share_one_and_the_last_one_out_stops_it(folder):
    """One of them is killed: that does not keep the server alive."""
    users = [_user(folder, seconds) for seconds in (1, 1, 60)]
    urls = {user.stdout.readline().strip() for user in users}
    assert urls == {postgres.address(folder)}
    with psycopg.connect(urls.pop()) as connection:
        assert connection.execute("SHOW fsync").fetchone() == ("on",)
        assert connection.execute("SHOW synchronous_commit").fetchone() == ("on",)
        assert connection.execute("SHOW listen_addresses").fetchone() == ("",)
        assert connection.info.server_version >= 180000
        connection.execute("CREATE TABLE kept (n int)")
        connection.execute("INSERT INTO kept VALUES (1)")
    assert [user.wait(60) for user in users[:2]] == [0, 0]
    assert _runs(folder)
    users[2].kill()
    users[2].wait(10)
    last = _user(folder, 0)
    assert last.wait(60) == 0
    assert not _runs(folder) and not postgres._socket_folder(folder.resolve()).exists()


def test_it_comes_back_after_its_own_death_with_everything_that_was_committed(folder):
    user = _user(folder, 60)
    user.stdout.readline()
    try:
        with psycopg.connect(postgres.address(folder)) as connection:
            connection.execute("INSERT INTO kept VALUES (2)")
        os.kill(int((folder / "data" / "postmaster.pid").read_text().splitlines()[0]), signal.SIGKILL)
        end = time.monotonic() + 30
        while True:
            try:
                postgres.ensure_running(folder)
                break
            except SystemExit:
                assert time.monotonic() < end
                time.sleep(0.2)
        with psycopg.connect(postgres.address(folder)) as connection:
            assert connection.execute("SELECT array_agg(n ORDER BY n) FROM kept").fetchone() == ([1, 2],)
    finally:
        user.kill()
        user.wait(10)
        postgres.leave(folder.resolve())
    assert not _runs(folder)


def test_only_the_socket_lets_anyone_in(folder):
    assert "host=" in postgres.address(folder) and "@/" in postgres.address(folder)
    assert len(str(postgres._socket_folder(folder.resolve()))) < 90
