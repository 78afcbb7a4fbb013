"""Many charges at once: what holds for one holds for each of them (S-30, S-35, C-21)."""

import multiprocessing
import os
import signal
import time
import urllib.parse
import urllib.request
import uuid
from datetime import timedelta

import sqlalchemy as sa

import config
from backing.collecting import lease, pause_for, run_collection
from backing.running import resume_run
from core import clock
from core.db import db, transaction
from payments import charging, gateway
from payments.charging import Step
from payments.recording import News
from payments.stream import TOO_BUSY, Stream
from projects import closing
from tests.factories import back, check_money, make_person, make_project, scalar
from tests.races import age_leases, forked


def _closed(stripe, n, **kwargs):
    project = make_project(goal=1_000)
    pledges = [back(stripe, project, bonus=2_000, **kwargs) for _ in range(n)]
    clock.move_clock(project.deadline - clock.now() + timedelta(seconds=1))
    assert closing.close(project.id)
    return project.id, [pledge.id for pledge in pledges]


def _states():
    return dict(db.session.execute(sa.text("SELECT state, count(*) FROM pledge GROUP BY 1")).all())


def test_our_own_mistake_pauses_the_run_and_is_nobodys_card(app, stripe):
    """S-35, last row: here a key that was used for another amount."""
    staff = make_person()
    with transaction():
        staff.is_staff = True
    project_id, _ = _closed(stripe, 3)
    step = charging.look_up([lease(project_id, 1)[0]])[0]
    db.session.rollback()
    gateway.create_payment(key=f"pi:{step.payment_id}", amount=step.amount + 1, currency="EUR", customer_id=step.customer,
                           subject_id="x", project_id="x", description="x")
    age_leases()
    run_collection(project_id)
    assert scalar("SELECT state || ' ' || why FROM collection_run") == "paused requests"
    assert scalar("SELECT count(*) FROM mail WHERE name = 'backing/card_problem'") == 0
    assert scalar("SELECT about ->> 'code' FROM mail WHERE name = 'payments/alert'") == "idempotency_error"  # once
    assert scalar("SELECT count(*) FROM payment WHERE decline_class IS NOT NULL") == 0
    asked = len(stripe.get("log"))
    age_leases()
    run_collection(project_id)
    assert len(stripe.get("log")) == asked  # nothing is asked while it is paused
    check_money()


def test_what_was_paused_goes_on_after_it_was_mended(app, stripe, flask):
    project_id, _ = _closed(stripe, 3)
    steps = lease(project_id)
    pause_for(steps[0], gateway.GatewayError("no", "amount_too_small", 400))
    age_leases()
    slug = scalar("SELECT slug FROM project")
    db.session.rollback()
    refused = flask("backing", "collect", slug, check=False)
    assert refused.returncode == 1 and "paused (requests)" in refused.stderr
    assert "3 collected" in flask("backing", "collect", slug, "--resume").stdout
    assert not resume_run(project_id)
    assert scalar("SELECT state FROM collection_run") == "done"
    check_money()


def test_a_card_that_is_gone_is_asked_for_again_and_the_others_are_collected(app, stripe):
    project_id, (first, *_) = _closed(stripe, 3)
    method = scalar("SELECT payment_method_id FROM card_setup WHERE subject_id = :p", p=first)
    urllib.request.urlopen(urllib.request.Request(
        f"{stripe.url}/v1/payment_methods/{method}/detach", urllib.parse.urlencode({}).encode(), method="POST", headers={
            "Authorization": "Bearer sk_test_x", "Stripe-Version": config.STRIPE_VERSION, "Idempotency-Key": "detach:1"}))
    run_collection(project_id)
    assert _states() == {"collected": 2, "errored": 1}
    assert scalar("SELECT decline_class FROM payment WHERE subject_id = :p", p=first) == "new_card"
    assert scalar("SELECT state FROM collection_run") == "done"
    check_money()


def test_of_two_workers_that_looked_at_the_same_moment_the_late_one_begins_nothing(app, stripe):
    project_id, _ = _closed(stripe, 1)
    one = lease(project_id)[0]
    first, second = (charging.look_up([Step(one.payment_id, one.payment_method_id, "x")])[0] for _ in range(2))
    first.stripe_id = second.stripe_id = "pi_x"
    for step in (first, second):
        with transaction():
            charging.begin([step])
    assert (first.number, second.number) == (1, None)
    assert scalar("SELECT count(*) FROM payment_attempt") == 1


def test_one_answer_that_cannot_be_booked_does_not_keep_the_others_out_of_the_books(app, stripe):
    project_id, _ = _closed(stripe, 2)
    good, bad = charging.look_up(lease(project_id))
    stream = Stream(app, list, pause_for)
    stream._await_confirm([], [
        News(good.payment_id, gateway.Outcome("pi_a", "succeeded", good.amount, "ch_a", 55)),
        News(bad.payment_id, gateway.Outcome("pi_b", "succeeded", bad.amount - 1, "ch_b", 55))])
    assert _states() == {"collected": 1, "collecting": 1}
    assert scalar("SELECT external_id FROM ledger_transaction") == "ch_a"
    check_money()


def test_what_was_leased_too_long_ago_is_left_to_the_next_lease(app, stripe):
    project_id, _ = _closed(stripe, 2)
    handed = []

    def late():
        steps = [] if handed else lease(project_id)
        handed.extend(steps)
        for step in steps:
            step.until = time.monotonic() + 1
        return steps

    assert Stream(app, late, pause_for).run() == 2
    assert [e for e in stripe.get("log") if "payment_intents" in e["path"]] == []
    age_leases()
    run_collection(project_id)
    assert _states() == {"collected": 2}
    check_money()


def test_each_rest_is_longer_than_the_last_up_to_half_a_minute(app):
    """S-12: and not all workers rest equally long."""
    stream, busy = Stream(app, list, pause_for), gateway.Silence("busy", None, 429)
    rests = []
    for _ in range(8):
        for _ in range(TOO_BUSY):
            stream._put_back(charging.confirm, Step(uuid.uuid4(), "pm_x", "x"), busy)
        rests.append(stream.rest_until - time.monotonic())
        stream.rest_until = 0.0
    for n, rest in enumerate(rests):
        whole = min(30, 2 ** n)
        assert whole / 2 - 0.1 < rest <= whole, rests
    assert len({round(rest / min(30, 2 ** n), 2) for n, rest in enumerate(rests)}) > 1


def test_two_processes_keep_one_pace_and_lose_little_of_it(app, stripe):
    """S-12: never a 429, and the whole allowance is used."""
    project_id, _ = _closed(stripe, 30)
    stripe.post("rate", per_endpoint=15)
    app.config["STRIPE_RATE"] = 12
    start = time.monotonic()
    try:
        assert sum(forked(app, 2, lambda _: run_collection(project_id))) == 30
    finally:
        app.config["STRIPE_RATE"] = 0
        stripe.post("rate", per_endpoint=0)
    took = time.monotonic() - start
    assert [e for e in stripe.get("log") if e["status"] == 429] == []
    for part in ("/v1/payment_intents", "/confirm"):
        times = sorted(e["time"] for e in stripe.get("log") if e["path"].endswith(part))
        assert len(times) == 30
        assert times[-1] - times[0] >= 29 / 12 - 0.1, (part, took)
    assert took < 30 / 12 + 4
    assert _states() == {"collected": 30}
    check_money()


def test_a_worker_that_was_kept_waiting_does_not_send_at_once_what_it_missed(app, stripe):
    """S-12, also on a machine that is too busy to keep the moments of its turns."""
    project_id, _ = _closed(stripe, 20)
    stripe.post("rate", per_endpoint=13)
    app.config["STRIPE_RATE"] = 12
    pid = multiprocessing.get_context("fork").Value("i", 0)

    def work(n):
        if n == 0:
            pid.value = os.getpid()
            return run_collection(project_id)
        for _ in range(3):
            time.sleep(0.5)
            os.kill(pid.value, signal.SIGSTOP)
            time.sleep(0.4)
            os.kill(pid.value, signal.SIGCONT)
        return 0

    try:
        assert sum(forked(app, 2, work)) == 20
    finally:
        app.config["STRIPE_RATE"] = 0
        stripe.post("rate", per_endpoint=0)
    assert [e["path"] for e in stripe.get("log") if e["status"] == 429] == []
    assert _states() == {"collected": 20}
    check_money()
