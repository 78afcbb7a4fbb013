"""C-21, C-23, C-24, O-11: workers that hang, freeze, are stopped or killed; every pledge is charged once all the same."""

import os
import signal
import subprocess
import sys
import time
from datetime import timedelta

import pytest
import sqlalchemy as sa

from core import clock, jobs
from core.db import db, transaction
from core.jobs import drain
from payments import charging
from projects import closing
from tests.backing.runs import make_run
from tests.conftest import ROOT
from tests.factories import back, check_money, make_person, make_project, scalar
from tests.races import age_leases, crashed


@pytest.fixture
def worker(stripe, base_env):
    """`worker()` starts `flask jobs work` in a process of its own, and waits until it is at work."""
    started = []

    def start(*options, **more):
        db.session.rollback()
        process = subprocess.Popen(
            [sys.executable, "-m", "flask", "--app", "app", "jobs", "work", *options], cwd=ROOT,
            env={**os.environ, **base_env, "STRIPE_API_BASE": stripe.url, "COLLECT_CONCURRENCY": "2", **more},
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        started.append(process)
        assert b"ready" in process.stdout.readline()
        return process

    yield start
    for process in started:
        if process.poll() is None:
            process.send_signal(signal.SIGCONT)
            process.kill()
        process.wait(20)
        process.stdout.close()


def eventually(holds, seconds=150, what=""):
    end = time.monotonic() + seconds
    db.session.rollback()
    while not holds():
        db.session.rollback()
        assert time.monotonic() < end, what or "it never came"
        time.sleep(0.05)
    db.session.rollback()


def closed(stripe, n):
    project = make_project(goal=1_000)
    for _ in range(n):
        back(stripe, project, bonus=2_000)
    clock.move_clock(project.deadline - clock.now() + timedelta(seconds=1))
    assert closing.close(project.id)
    return project.id


def finish(app):
    """What any later worker does."""
    for _ in range(3):
        age_leases()
        drain(app)
    clock.move_clock(timedelta(minutes=2))
    charging.resolve_unknown()
    drain(app)
    db.session.expire_all()


def judge(stripe, n):
    counts = stripe.get("counts")
    assert (counts["charges_succeeded"], counts["payment_intent"], counts["intents_charged_twice"]) == (n, n, 0)
    assert scalar("SELECT count(*) FROM pledge WHERE state = 'collected'") == n
    assert scalar("SELECT count(*) FROM ledger_transaction WHERE kind = 'charge'") == n
    assert scalar("SELECT count(*) FROM mail WHERE name = 'backing/collected'") == n
    check_money()


def test_whatever_hangs_at_stripe_keeps_no_deadline_and_no_mail_waiting(app, stripe, worker):
    placed = make_project(goal=1_000)
    pledge = back(stripe, placed, bonus=2_000)  # its form is asked about by a tick, and that hangs
    with transaction() as session:
        session.execute(sa.text("UPDATE card_setup SET state = 'open'"))
    clock.move_clock(timedelta(seconds=30))
    stripe.post("faults", match="* /v1/*", kind="hang", seconds=30, times=None)
    worker()
    eventually(lambda: any(f["hits"] for f in stripe.get("faults")), what="nothing asked Stripe")
    due = make_project(goal=1_000, days=0.00001)
    before = time.monotonic()
    eventually(lambda: scalar("SELECT state FROM project WHERE id = :id", id=due.id) == "unsuccessful", 25)
    eventually(lambda: scalar("SELECT count(*) FROM mail WHERE state IN ('queued', 'sending')") == 0, 10)
    assert time.monotonic() - before < 25
    assert scalar("SELECT state FROM card_setup WHERE subject_id = :p", p=pledge.id) == "open"  # it hung all the while


def test_every_tick_that_talks_to_stripe_has_a_lane_of_its_own():
    lanes = {tick.name: tick.lane for tick in jobs.ticks()}
    assert lanes["projects:close_due"] == lanes["core:send_mail"] == lanes["backing:roll_up"] == "house"
    for name in ("payments:settle_open_cards", "payments:resolve_unknown", "payments:refresh_accounts", "backing:end_holds",
                 "backing:tend_errored", "payments:reconcile", "payments:sweep_events"):
        assert lanes[name] != "house", name


def test_a_worker_that_froze_and_comes_back_charges_nobody_again(app, stripe, worker):
    """C-21: SIGSTOP for ten seconds, declared dead, its work taken over, SIGCONT."""
    project_id = closed(stripe, 3)
    stripe.post("faults", match="POST */confirm", kind="delay", seconds=0.7, times=None)
    frozen = worker("--heartbeat", "0.5", "--stalled-after", "3", "--concurrency", "1")
    eventually(lambda: any(f["hits"] for f in stripe.get("faults")))
    frozen.send_signal(signal.SIGSTOP)
    stopped_at = time.monotonic()
    time.sleep(3.5)
    age_leases()
    other = worker("--heartbeat", "0.5", "--stalled-after", "3", "--concurrency", "1")  # rescues as it starts
    eventually(lambda: scalar("SELECT count(*) FROM pledge WHERE state = 'collected'") >= 1)
    db.session.rollback()
    time.sleep(max(0.0, 10 - (time.monotonic() - stopped_at)))
    frozen.send_signal(signal.SIGCONT)
    eventually(lambda: scalar("SELECT count(*) FROM pledge WHERE state = 'collected'") == 3)
    for process in (frozen, other):
        process.terminate()
        process.wait(40)
    stripe.call("DELETE", "faults")
    finish(app)
    assert scalar("SELECT state FROM collection_run WHERE project_id = :p", p=project_id) == "done"
    judge(stripe, 3)


def test_a_worker_that_is_told_to_stop_ends_between_two_pledges_and_the_next_goes_on(app, stripe, worker):
    """O-11."""
    closed(stripe, 30)
    stripe.post("faults", match="POST */confirm", kind="delay", seconds=0.3, times=None)
    first = worker()
    eventually(lambda: stripe.get("counts").get("charges_succeeded", 0) >= 2)
    db.session.rollback()
    first.terminate()
    began = time.monotonic()
    assert first.wait(40) == 0 and time.monotonic() - began < 20
    charged = stripe.get("counts")["charges_succeeded"]
    assert 2 <= charged < 30
    assert scalar("SELECT count(*) FROM pledge WHERE state = 'collected'") == charged  # nothing was left in the air
    assert scalar("SELECT count(*) FROM payment WHERE state IN ('unknown', 'confirming')") == 0
    assert scalar("SELECT count(*) FROM procrastinate_jobs WHERE status = 'doing'") == 0
    stripe.call("DELETE", "faults")
    finish(app)
    judge(stripe, 30)


def doing(n=1):
    with transaction() as session:
        for _ in range(n):
            jobs.defer("backing:run_collection", project_id="00000000-0000-0000-0000-000000000000")
        session.execute(sa.text("UPDATE procrastinate_jobs SET status = 'doing'"))


def test_who_is_killed_while_rescuing_has_rescued_nothing_and_keeps_nobody_from_it(app):
    """C-23."""
    doing(3)
    assert crashed(app, jobs.rescue_stalled, "rescue") == -signal.SIGKILL
    assert scalar("SELECT count(*) FROM procrastinate_jobs WHERE status = 'doing'") == 3
    db.session.rollback()
    assert jobs.rescue_stalled() == 3


def test_a_process_beside_the_workers_can_rescue(app, flask):
    doing(2)
    assert "2 jobs rescued" in flask("jobs", "rescue").stdout
    assert scalar("SELECT count(*) FROM procrastinate_jobs WHERE status = 'todo'") == 2


def test_nothing_rests_on_the_queue_each_job_may_be_there_ten_times(app, stripe):
    """C-24: no lock of the queue, every job ten times over, in any order, some of them at once."""
    make_person(is_staff=True)
    project_id = closed(stripe, 4)
    for _ in range(4):
        with transaction() as session:
            session.execute(sa.text("""
                INSERT INTO procrastinate_jobs (queue_name, task_name, args)
                SELECT queue_name, task_name, args FROM procrastinate_jobs, generate_series(1, 9) WHERE status = 'todo'"""))
            assert session.scalar(sa.text("SELECT count(*) FROM procrastinate_jobs WHERE lock IS NOT NULL "
                                          "OR queueing_lock IS NOT NULL")) == 0
        import asyncio

        asyncio.run(jobs._work(app, wait=False, concurrency=4))
        with transaction() as session:
            session.execute(sa.text("DELETE FROM procrastinate_jobs WHERE status = 'failed'"))
            jobs.defer("backing:run_collection", project_id=str(project_id))
    finish(app)
    judge(stripe, 4)


if os.environ.get("FAULTS") == "all":
    def test_two_thousand_charges_by_four_workers_keep_to_the_rate_they_share(app, stripe, worker):
        """S-12: 15 a second in each of two endpoints, of the 25 that Stripe's test mode allows."""
        n, rate = 2_000, 15
        project = make_run(stripe, n)
        stripe.post("rate", per_endpoint=25)
        with transaction():
            for _ in range(4):  # one for each worker; doubles do no harm
                jobs.defer("backing:run_collection", project_id=str(project.id))
        db.session.rollback()
        began = time.monotonic()
        for _ in range(4):
            worker(STRIPE_RATE=str(rate))
        eventually(lambda: scalar("SELECT count(*) FROM pledge WHERE state = 'collected'") == n, 600)
        took, refused = time.monotonic() - began, stripe.get("counts")["rate_limited"]
        print(f"{n} charges in {took:.0f} s; {refused} of {2 * n} requests were refused")
        assert refused <= 2 * n / 1_000 and took > 0.95 * n / rate
        assert stripe.get("counts")["max_in_flight_per_object"] == 1  # S-13
        finish(app)
        judge(stripe, n)
