"""C-19 to C-23, S-09: kill -9 anywhere, and every pledge is charged once and booked once.

`make test` runs each crash point once with a mix of cards; FAULTS=all runs every point with every card and seed.
"""

import itertools
import os
import signal
import subprocess
import sys
import threading
import time
from datetime import timedelta

import pytest
import sqlalchemy as sa

from backing.collecting import run_collection
from core import clock, jobs
from core.db import db, transaction
from core.jobs import drain
from payments import charging
from projects import closing
from tests.conftest import ROOT
from tests.factories import back, check_money, make_project, scalar
from tests.races import age_leases, crashed

POINTS = ("after-lease", "before-create", "after-create", "before-confirm", "after-confirm", "after-outcome")
FINE, FAILS, ASKS = "4242424242424242", "4000000000000341", "4000002760003184"
ALL = os.environ.get("FAULTS") == "all"
MATRIX = [(point, cards, seed) for (point, cards), seed in itertools.product(itertools.product(
    POINTS, ((FINE,) * 4, (FAILS,) * 4, (ASKS,) * 4, (FINE, FAILS, ASKS, FINE))), range(1, 6))] if ALL else [
    (point, (FINE, FAILS, ASKS, FINE), n % 3 + 1) for n, point in enumerate(POINTS)]


def _closed(stripe, cards):
    """A successful project whose collection has not begun."""
    project = make_project(goal=1_000)
    for number in cards:
        back(stripe, project, bonus=2_000, number=number)
    clock.move_clock(project.deadline - clock.now() + timedelta(seconds=1))
    assert closing.close(project.id)
    with transaction() as session:
        session.execute(sa.text("DELETE FROM procrastinate_jobs"))
    return project.id


def _settle(app, project_id):
    """What any later worker does, with the dead one's leases over."""
    for _ in range(3):
        age_leases()
        run_collection(project_id)
    clock.move_clock(timedelta(minutes=2))
    charging.resolve_unknown()
    drain(app)
    db.session.expire_all()


def _judge(stripe, cards):
    states = dict(db.session.execute(sa.text("SELECT state, count(*) FROM pledge GROUP BY 1")).all())
    expected = {"collected": cards.count(FINE), "errored": len(cards) - cards.count(FINE)}
    assert states == {state: n for state, n in expected.items() if n}
    counts = stripe.get("counts")
    assert counts["charges_succeeded"] == cards.count(FINE)
    assert counts["payment_intent"] == len(cards) and counts["intents_charged_twice"] == 0
    assert scalar("SELECT max(number) FROM payment_attempt") == 1  # what was begun is gone on with, not begun again
    assert scalar("SELECT count(*) FROM ledger_transaction") == cards.count(FINE)
    assert scalar("SELECT count(*) FROM mail WHERE name = 'backing/collected'") == cards.count(FINE)
    assert scalar("SELECT count(*) FROM mail WHERE name = 'backing/card_problem'") == len(cards) - cards.count(FINE)
    assert scalar("SELECT state FROM collection_run") == "done"
    check_money()


@pytest.mark.parametrize(("point", "cards", "count"), MATRIX)
def test_a_worker_killed_at_any_point_of_a_charge_loses_and_doubles_nothing(app, stripe, point, cards, count):
    project_id = _closed(stripe, cards)
    count = 1 if point == "after-lease" else count
    assert crashed(app, lambda: run_collection(project_id), point, count) == -signal.SIGKILL
    _settle(app, project_id)
    _judge(stripe, cards)


def test_a_worker_killed_again_and_again_comes_through_in_the_end(app, stripe):
    cards = (FINE, ASKS, FINE)
    project_id = _closed(stripe, cards)
    died = []
    for point in ("before-create", "after-create", "before-confirm", "after-confirm", "after-outcome", "after-outcome"):
        died.append(crashed(app, lambda: run_collection(project_id), point))
        age_leases()
    assert died.count(-signal.SIGKILL) >= 4, died
    _settle(app, project_id)
    _judge(stripe, cards)


def test_the_crash_point_of_the_command_line_kills_and_the_next_run_of_the_command_finishes(app, stripe, flask):
    cards = (FINE, FINE)
    project_id = _closed(stripe, cards)
    slug = scalar("SELECT slug FROM project")
    db.session.rollback()
    first = flask("backing", "collect", slug, check=False, env={"CRASHPOINT": "after-confirm:2"})
    assert first.returncode == -signal.SIGKILL
    age_leases()
    second = flask("backing", "collect", slug)
    assert "2 collected" in second.stdout
    _settle(app, project_id)
    _judge(stripe, cards)


def test_a_crash_point_is_nothing_outside_of_tests():
    done = subprocess.run([sys.executable, "-c", "from core.crash import crashpoint; crashpoint('x'); print('alive')"],
                          cwd=ROOT, text=True, capture_output=True,
                          env={**os.environ, "CRASHPOINT": "x", "ACHTERBAN_ENV": "production"})
    assert done.stdout == "alive\n"


def test_a_sandbox_killed_in_the_middle_comes_back_from_its_journal_and_no_charge_is_lost_or_doubled(app, tmp_path):
    """As if Stripe itself went away: our side only sees silence."""
    from sandbox import testing

    own = testing.start(state=tmp_path)
    was = app.config["STRIPE_API_BASE"]
    try:
        app.config["STRIPE_API_BASE"] = own.url
        app.extensions.pop("stripe_clients", None)
        cards = (FINE,) * 6
        project_id = _closed(own, cards)
        own.post("faults", match="POST */confirm", kind="delay", seconds=0.4, times=None)

        def kill():
            while not any(f["hits"] for f in own.get("faults")):
                time.sleep(0.02)
            own.kill()

        killer = threading.Thread(target=kill)
        killer.start()
        db.session.rollback()
        run_collection(project_id)
        killer.join()
        assert scalar("SELECT count(*) FROM pledge WHERE state = 'collected'") < 6
        assert scalar("SELECT count(*) FROM payment WHERE state = 'failed'") == 0
        port = int(own.url.rsplit(":", 1)[1])
        own = testing.start(port=port, state=tmp_path)
        _settle(app, project_id)
        _judge(own, cards)
    finally:
        app.config["STRIPE_API_BASE"] = was
        app.extensions.pop("stripe_clients", None)
        own.stop()


def test_a_job_whose_worker_was_killed_is_taken_over(app, stripe, base_env):
    """C-23: SIGKILL while `flask jobs work` holds the job."""
    project_id = _closed(stripe, (FINE, FINE))
    stripe.post("faults", match="POST */confirm", kind="delay", seconds=4, times=2)
    with transaction():
        jobs.defer("backing:run_collection", project_id=str(project_id))
    worker = subprocess.Popen([sys.executable, "-m", "flask", "--app", "app", "jobs", "work"], cwd=ROOT,
                              env={**os.environ, **base_env, "STRIPE_API_BASE": stripe.url},
                              stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        end = time.monotonic() + 60
        while not any(f["hits"] == 2 for f in stripe.get("faults")):
            assert time.monotonic() < end and worker.poll() is None
            time.sleep(0.05)
    finally:
        worker.kill()
        worker.wait(10)
    doing = "SELECT count(*) FROM procrastinate_jobs WHERE status = 'doing'"
    assert scalar(doing) == 1
    assert jobs.rescue_stalled() == 0  # its last heartbeat is young
    with transaction() as session:
        session.execute(sa.text("UPDATE procrastinate_workers SET last_heartbeat = now() - interval '31 seconds'"))
    assert jobs.rescue_stalled() == 1
    assert scalar(doing) == 0
    stripe.call("DELETE", "faults")
    while stripe.get("counts")["charges_succeeded"] != 2:  # Stripe is still at what the dead worker asked for
        time.sleep(0.1)
    _settle(app, project_id)
    _judge(stripe, (FINE, FINE))


def test_a_job_whose_workers_row_was_pruned_is_taken_over_too(app):
    with transaction() as session:
        jobs.defer("backing:run_collection", project_id="00000000-0000-0000-0000-000000000000")
        session.execute(sa.text("UPDATE procrastinate_jobs SET status = 'doing', worker_id = NULL"))
    assert jobs.rescue_stalled() == 1
