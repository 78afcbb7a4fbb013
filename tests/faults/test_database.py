"""O-12, C-19: PostgreSQL killed with SIGKILL in the middle of a collection, on durable settings."""

import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psycopg
import pytest

from core import migrate, postgres
from tests.conftest import ROOT

SCENE = """
import sys
from datetime import timedelta
sys.path[:0] = [{root!r}]
import sqlalchemy as sa
from app import create_app
from core import clock
from core.db import transaction
from sandbox.testing import Sandbox
from tests.factories import back, make_project
from projects import closing
app = create_app()
with app.app_context():
    stripe = Sandbox(app.config["STRIPE_API_BASE"], None)
    project = make_project(goal=1_000)
    for _ in range(20):
        back(stripe, project, bonus=2_000)
    clock.move_clock(project.deadline - clock.now() + timedelta(seconds=1))
    assert closing.close(project.id)
    with transaction() as session:
        session.execute(sa.text("DELETE FROM procrastinate_jobs"))
    print(project.slug)
"""


@pytest.fixture
def folder():
    """Not among pytest's own folders: those are closed to the account that PostgreSQL runs under."""
    with tempfile.TemporaryDirectory(prefix="achterban-durable-", ignore_cleanup_errors=True) as path:
        yield Path(path)


def test_a_database_killed_in_the_middle_of_a_collection_loses_nothing(folder, sandbox, base_env, flask):
    sandbox.post("reset")
    url = postgres.ensure_running(folder)
    try:
        migrate.upgrade(url)
        env = {**os.environ, **base_env, "DATABASE_URL": url, "STRIPE_API_BASE": sandbox.url, "COLLECT_CONCURRENCY": "4"}
        made = subprocess.run([sys.executable, "-c", SCENE.format(root=str(ROOT))], cwd=ROOT, env=env, text=True,
                              capture_output=True, timeout=120)
        assert made.returncode == 0, made.stderr
        collect = ("backing", "collect", made.stdout.split()[-1])
        sandbox.post("faults", match="POST */confirm", kind="delay", seconds=0.15, times=None)
        run = subprocess.Popen([sys.executable, "-m", "flask", "--app", "app", *collect], cwd=ROOT, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        end = time.monotonic() + 60
        while sandbox.get("counts").get("charges_succeeded", 0) < 6:
            assert time.monotonic() < end and run.poll() is None
            time.sleep(0.02)
        postmaster = int((folder / "data" / "postmaster.pid").read_text().splitlines()[0])
        os.kill(postmaster, signal.SIGKILL)
        run.wait(60)
        sandbox.call("DELETE", "faults")
        charged = sandbox.get("counts")["charges_succeeded"]
        assert 6 <= charged < 20
        for _ in range(100):  # the children of the dead server take a moment to notice
            try:
                postgres.ensure_running(folder)
                break
            except SystemExit:
                time.sleep(0.2)
        for _ in range(2):
            with psycopg.connect(url, autocommit=True) as connection:
                connection.execute("UPDATE pledge SET leased_until = clock_timestamp() - interval '1 s' "
                                   "WHERE state = 'collecting'")
            done = flask(*collect, env=env)
        assert "20 collected" in done.stdout
        counts = sandbox.get("counts")
        assert (counts["charges_succeeded"], counts["payment_intent"], counts["intents_charged_twice"]) == (20, 20, 0)
        with psycopg.connect(url) as connection:
            assert connection.execute("SELECT count(*) FROM ledger_transaction").fetchone() == (20,)
            assert connection.execute("SELECT sum(amount) FROM ledger_entry").fetchone() == (0,)
        check = flask("payments", "check", check=False, env=env)
        assert check.returncode == 0, check.stdout
    finally:
        postgres.leave(folder.resolve())
