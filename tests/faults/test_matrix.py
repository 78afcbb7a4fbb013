"""C-19: every operation killed with SIGKILL at every place where it can die, and in the end each was done exactly once.

`make test` kills each operation once at each place; `make faults` (FAULTS=all) does it with twenty seeds, which shuffle
the places, the passing that kills and the amounts, and also kills the worker that an operator starts, Stripe and the
database.
"""

import os
import random
import signal
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import pytest

from backing import refunding
from core import migrate, postgres
from core.db import db, transaction
from core.jobs import defer
from projects.models import Project
from tests.conftest import ROOT
from tests.faults.operations import LABELS, OPERATIONS, judge, settle
from tests.races import bury_the_dead, crashed

ALL = os.environ.get("FAULTS") == "all"
SEEDS = range(20 if ALL else 1)
CALLS = {"confirm": "POST */confirm", "refund": "POST /v1/refunds", "transfer": "POST /v1/transfers"}
whole = pytest.mark.whole  # played by `make faults` only


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("name", OPERATIONS)
def test_whoever_dies_wherever_each_thing_is_done_once(app, stripe, name, seed):
    operation, chance = OPERATIONS[name], random.Random(f"{name}:{seed}")
    plan = list(zip(LABELS, operation.points, strict=True))
    if seed:
        chance.shuffle(plan)
    units = operation.prepare(app, stripe, len(plan), chance)
    for unit, (label, point) in zip(units, plan, strict=True):
        code = crashed(app, lambda unit=unit: operation.work(app, unit), point)
        assert code == -signal.SIGKILL, f"{name} did not come to where it dies: {label} ({point}), {code}"
    settle(app, stripe, operation, units)
    judge(stripe, operation, units)


def _ask(name, unit):
    """What the web does; the rest is the worker's."""
    if name == "refund":
        project = db.session.get_one(Project, unit)
        refunding.refund_everyone(project, "change", "", project.creator_id)
    else:
        with transaction():
            defer({"transfer": "payments:send_transfers"}.get(name, "backing:run_collection"), project_id=str(unit))
    db.session.rollback()


@whole
@pytest.mark.parametrize("name", ("create", "confirm", "refund", "transfer"))
def test_the_worker_that_an_operator_starts_dies_as_well(app, stripe, flask, name):
    operation = OPERATIONS[name]
    points = [point for point in operation.points[1:5] if not point.startswith("sent ")]
    units = operation.prepare(app, stripe, len(points), random.Random(name))
    for unit, point in zip(units, points, strict=True):
        _ask(name, unit)
        assert flask("jobs", "work", "--once", check=False, env={"CRASHPOINT": point}).returncode in (-signal.SIGKILL, 0)
        bury_the_dead()
    settle(app, stripe, operation, units)
    judge(stripe, operation, units)


@whole
@pytest.mark.parametrize("name", ("refund", "transfer"))
def test_a_sandbox_killed_and_restarted_loses_and_doubles_nothing(app, tmp_path, name):
    """As if Stripe itself went away in the middle."""
    from sandbox import testing

    own, operation, was = testing.start(state=tmp_path), OPERATIONS[name], app.config["STRIPE_API_BASE"]
    try:
        app.config["STRIPE_API_BASE"] = own.url
        app.extensions.pop("stripe_clients", None)
        units = operation.prepare(app, own, 3, random.Random(name))
        own.post("faults", match=CALLS[name], kind="delay", seconds=0.5, times=None)

        def kill():
            while not any(fault["hits"] for fault in own.get("faults")):
                time.sleep(0.02)
            own.kill()

        killer = threading.Thread(target=kill)
        killer.start()
        for unit in units:
            operation.work(app, unit)
        killer.join()
        own = testing.start(port=int(own.url.rsplit(":", 1)[1]), state=tmp_path)
        app.extensions.pop("stripe_breaker", None)
        settle(app, own, operation, units)
        judge(own, operation, units)
    finally:
        app.config["STRIPE_API_BASE"] = was
        for name in ("stripe_clients", "stripe_breaker"):
            app.extensions.pop(name, None)
        own.stop()


@whole
@pytest.mark.parametrize("name", ("confirm", "refund", "transfer"))
def test_a_database_killed_in_the_middle_loses_and_doubles_nothing(sandbox, base_env, name):
    sandbox.post("reset")
    with tempfile.TemporaryDirectory(prefix="achterban-durable-", ignore_cleanup_errors=True) as path:
        folder = Path(path)
        url = postgres.ensure_running(folder)
        try:
            migrate.upgrade(url)
            env = {**os.environ, **base_env, "DATABASE_URL": url, "STRIPE_API_BASE": sandbox.url}

            def step(*args):
                done = subprocess.run([sys.executable, "-m", "tests.faults.operations", *args], cwd=ROOT, env=env, text=True,
                                      capture_output=True, timeout=300)
                assert done.returncode == 0, done.stderr[-3000:]
                return done.stdout

            units = step("prepare", name).splitlines()[-1]
            sandbox.post("faults", match=CALLS[name], kind="delay", seconds=0.3, times=None)
            work = subprocess.Popen([sys.executable, "-m", "tests.faults.operations", "work", name, units], cwd=ROOT, env=env,
                                    stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            end = time.monotonic() + 120
            while not any(fault["hits"] for fault in sandbox.get("faults")):
                assert time.monotonic() < end and work.poll() is None
                time.sleep(0.02)
            os.kill(int((folder / "data" / "postmaster.pid").read_text().splitlines()[0]), signal.SIGKILL)
            work.kill()
            work.wait(60)
            sandbox.call("DELETE", "faults")
            for _ in range(100):  # the children of the dead server take a moment to notice
                try:
                    postgres.ensure_running(folder)
                    break
                except SystemExit:
                    time.sleep(0.2)
            step("settle", name, units)
        finally:
            postgres.leave(folder.resolve())
