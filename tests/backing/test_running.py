"""Steering a collection: the brake, pause and resume, counts that add up, graceful stop (S-12, S-38, O-11, O-20)."""

import time
from datetime import timedelta
from itertools import pairwise

import pytest
import sqlalchemy as sa

from backing import run_queries, running
from backing.collecting import collect_one, lease, run_collection, run_collection_job
from backing.fixing import tend_errored
from core import audit, clock, jobs
from core.db import db, transaction
from core.errors import Refusal
from core.jobs import drain
from payments import safety
from tests.backing.runs import make_run, states
from tests.factories import check_money, csrf_token, make_person, scalar, sign_in
from tests.races import age_leases, forked, threads


def _staff():
    return make_person(is_staff=True)


def test_a_mass_of_refusals_pauses_the_run_and_keeps_every_pledge(app, stripe):
    """S-38: half of all charges fail; staff find out, and all are collected in the end."""
    _staff()
    project = make_run(stripe, 260)
    stripe.post("faults", match="POST */confirm", kind="decline", code="insufficient_funds", share=0.5, times=None)
    run_collection(project.id)
    assert scalar("SELECT state || ' ' || why FROM collection_run") == "paused declines"
    before = states()
    assert before.get("pledged", 0) + before.get("collecting", 0) > 0, "the brake came too late to keep anybody"
    assert before["errored"] >= 25
    drain(app)
    assert "more than 15% of its charges" in scalar("SELECT text FROM mail WHERE name = 'payments/alert'")
    for _ in range(9):  # days
        clock.move_clock(timedelta(days=1))
        tend_errored()
        run_collection(project.id)
    assert states() == before, "while it stands, nobody is charged and nobody is dropped"
    stripe.call("DELETE", "faults")
    until = scalar("SELECT min(fix_until) FROM pledge WHERE state = 'errored'")
    assert running.resume_run(project.id)
    db.session.rollback()
    later = scalar("SELECT min(fix_until) FROM pledge WHERE state = 'errored'")
    assert timedelta(days=9) <= later - until < timedelta(days=9, hours=1)
    assert running.watch_declines() == 0, "what failed before the pause does not pull the brake again"
    run_collection(project.id)
    clock.move_clock(timedelta(hours=1, minutes=1))
    while tend_errored():
        pass
    assert states() == {"collected": 260}
    assert stripe.get("counts")["charges_succeeded"] == 260 and stripe.get("counts")["intents_charged_twice"] == 0
    check_money()


@pytest.mark.parametrize(("n", "refused", "stands"), [(49, 49, False), (50, 7, False), (50, 8, True), (60, 9, False)])
def test_the_brake_knows_its_figures(app, stripe, n, refused, stands):
    project = make_run(stripe, 1)
    _attempts(project, n, refused)
    assert (running.watch_declines() == 1) is stands
    assert (scalar("SELECT why FROM collection_run") == "declines") is stands


def test_refusals_of_ten_minutes_ago_and_second_tries_do_not_count(app, stripe):
    project = make_run(stripe, 1)
    _attempts(project, 60, 60)
    clock.move_clock(timedelta(minutes=11))
    assert running.watch_declines() == 0
    _attempts(project, 60, 60, number=2)
    assert running.watch_declines() == 0


def test_what_fails_everywhere_pauses_every_run(app, stripe):
    """No project has fifty tries of its own; together they have."""
    first, second = make_run(stripe, 1), make_run(stripe, 1)
    _attempts(first, 30, 10)
    _attempts(second, 30, 2)
    assert running.watch_declines() == 2
    assert scalar("SELECT count(*) FROM collection_run WHERE state = 'paused'") == 2


def test_a_run_that_goes_on_at_once_is_judged_by_what_comes_afterwards(app, stripe):
    """Mended within the ten minutes: what pulled the brake does not pull it twice."""
    project = make_run(stripe, 1)
    _attempts(project, 60, 60)
    assert running.watch_declines() == 1
    assert running.resume_run(project.id)
    db.session.rollback()
    assert running.watch_declines() == 0
    assert scalar("SELECT state FROM collection_run") == "running"
    _attempts(project, 60, 60)
    assert running.watch_declines() == 1


def _attempts(project, n, refused, number=1):
    with transaction() as session:
        session.execute(sa.text("""
            WITH person AS (
                INSERT INTO person (name, email, handle, fs_uniquifier, password)
                SELECT 'x', id || '@x', id, id, '*' FROM (SELECT gen_random_uuid()::text AS id FROM generate_series(1, :n)) i
                RETURNING id),
            paid AS (
                INSERT INTO payment (project_id, subject_id, person_id, amount, currency, fee_bp, state, attempts)
                SELECT :project, gen_random_uuid(), id, 100, 'EUR', 500, 'failed', 1 FROM person RETURNING id)
            INSERT INTO payment_attempt (payment_id, project_id, number, payment_method_id, sent_at, answered_at, outcome)
            SELECT id, :project, :number, 'pm_' || id, clock_timestamp(), clock_now(),
                   CASE WHEN row_number() OVER () <= :refused THEN 'requires_payment_method' ELSE 'succeeded' END
              FROM paid"""), {"project": project.id, "n": n, "refused": refused, "number": number})


def test_pause_resume_and_retry_are_written_down_with_who_did_it(app, stripe):
    """O-20."""
    staff = _staff()
    project = make_run(stripe, 2, "pm_card_chargeCustomerFail")
    assert running.pause_run(project.id, "the creator asked", staff.id)
    assert not running.pause_run(project.id)
    assert lease(project.id) == []
    assert running.resume_run(project.id, staff.id) and not running.resume_run(project.id)
    run_collection(project.id)
    pledge_id = scalar("SELECT id FROM pledge WHERE number = 1")
    running.retry_pledge(pledge_id, staff.id)
    db.session.rollback()
    drain(app, ticking=False)
    assert scalar("SELECT attempts FROM payment p JOIN pledge g ON g.payment_id = p.id WHERE g.id = :p", p=pledge_id) == 2
    acts = audit.entries("project", project.id)
    assert [(act.action, act.by_id) for act in acts] == [("backing:resume_run", staff.id), ("backing:pause_run", staff.id)]
    assert acts[1].facts["said"] == "the creator asked"
    assert [act.by_id for act in audit.entries("pledge", pledge_id)] == [staff.id]
    assert scalar("SELECT count(*) FROM mail WHERE name = 'payments/alert'") == 0, "who did it need not be told"
    check_money()


def test_while_a_run_stands_nothing_is_tried_by_itself_but_its_backers_may_mend(app, stripe):
    project = make_run(stripe, 1, "pm_card_chargeCustomerFail")
    run_collection(project.id)
    pledge_id = scalar("SELECT id FROM pledge")
    running.pause_run(project.id)
    with pytest.raises(Refusal, match="paused"):
        running.retry_pledge(pledge_id)
    db.session.rollback()
    assert not collect_one(pledge_id)
    assert collect_one(pledge_id, automatic=False)
    assert scalar("SELECT count(*) FROM payment_attempt WHERE NOT is_automatic") == 1
    assert states() == {"errored": 1}
    check_money()


@pytest.mark.parametrize(("why", "again"), [(running.DECLINES, [1]), (running.STAFF, [])])
def test_what_is_tried_again_after_a_pause_is_what_the_mass_took_along(app, stripe, why, again):
    """S-38: refused within the bad minutes, by a card that lives, of a bank that did not ask for its owner."""
    project = make_run(stripe, 4, "pm_card_chargeCustomerFail")
    run_collection(project.id)
    with transaction() as session:
        session.execute(sa.text("UPDATE pledge SET retry_at = NULL, last_try_at = clock_now()"))
        for number, sql in ((2, "UPDATE card_setup SET dead_at = clock_now() WHERE id = :card"),
                            (3, "UPDATE payment SET decline_class = 'authenticate' WHERE id = :payment"),
                            (4, "UPDATE payment SET changed_at = clock_now() - interval '11 minutes' WHERE id = :payment")):
            row = session.execute(sa.text("SELECT card_id AS card, payment_id AS payment FROM pledge WHERE number = :n"),
                                  {"n": number}).one()
            session.execute(sa.text(sql), dict(row._mapping))
        session.execute(sa.text("UPDATE collection_run SET state = 'running'"))
        running.pull_brake(project.id, why)
    clock.move_clock(timedelta(hours=2))
    running.resume_run(project.id)
    for column, value in (("retry_at", "IS NOT NULL"), ("last_try_at", "IS NULL")):
        db.session.rollback()
        assert db.session.scalars(sa.text(f"SELECT number FROM pledge WHERE {column} {value} ORDER BY 1")).all() == again
    hour = scalar("SELECT max(retry_at) - clock_now() FROM pledge")
    assert hour is None or timedelta(minutes=59) < hour <= timedelta(hours=1), "first it is seen how the others fare"


def test_a_run_that_is_paused_in_the_middle_stops_within_a_second(app, stripe):
    """O-20: what is in the air ends, and nothing more begins."""
    project = make_run(stripe, 40)
    stripe.post("faults", match="POST */confirm", kind="delay", seconds=0.2, times=None)
    app.config["STRIPE_RATE"] = 10

    def pause():
        while not stripe.get("counts").get("charges_succeeded", 0):
            time.sleep(0.02)
        running.pause_run(project_id)

    project_id = project.id
    try:
        assert threads(app, lambda: run_collection(project_id) and None, pause) == [None, None]
    finally:
        app.config["STRIPE_RATE"] = 0
        stripe.call("DELETE", "faults")
    assert 0 < states()["collected"] < 35 and set(states()) == {"collected", "collecting", "pledged"} & set(states())
    assert scalar("SELECT count(*) FROM payment WHERE state IN ('unknown')") == 0
    assert scalar("SELECT state FROM collection_run") == "paused"
    check_money()


def test_what_is_not_errored_cannot_be_tried_again(app, stripe):
    project = make_run(stripe, 1)
    run_collection(project.id)
    with pytest.raises(Refusal, match="nothing to try"):
        running.retry_pledge(scalar("SELECT id FROM pledge"))
    db.session.rollback()
    assert scalar("SELECT count(*) FROM audit_entry WHERE action = 'backing:retry_pledge'") == 0


def test_the_parts_are_the_whole_at_every_instant_of_a_run(app, stripe):
    """O-20: one statement, one snapshot, while two processes work and cards fail, hang and come through."""
    project = make_run(stripe, 60)
    stripe.post("faults", match="POST */confirm", kind="decline", code="do_not_honor", share=0.1, times=None)
    stripe.post("faults", match="POST */confirm", kind="500_after", times=3)

    def work(i):
        if i:
            return run_collection(project.id)
        seen, end = [], time.monotonic() + 60
        while (not seen or seen[-1].to_charge + seen[-1].sending) and time.monotonic() < end:
            seen.append(run_queries.counts(project.id))
        return seen

    seen, *done = forked(app, 3, work)
    assert sum(done) == 60
    assert len(seen) > 20
    assert {(one.whole, one.parts) for one in seen} == {(60, 60)}
    assert len(set(seen)) > 3, "nothing moved while we looked"
    last = run_queries.counts(project.id)
    assert last.succeeded + last.waiting + last.needs_action + last.unknown + last.to_charge + last.sending == 60
    stripe.call("DELETE", "faults")
    check_money()


@pytest.mark.parametrize(("pledge", "payment", "part"), [
    ("pledged", None, "to_charge"), ("collecting", None, "sending"), ("collecting", "unknown", "unknown"),
    ("collected", "succeeded", "succeeded"), ("errored", "failed", "needs_action"), ("errored", "retry", "waiting"),
    ("dropped", "failed", "dropped"), ("refunded", "succeeded", "refunded")])
def test_every_state_has_its_part(app, stripe, pledge, payment, part):
    project = make_run(stripe, 1)
    with transaction() as session:
        if payment:
            session.execute(sa.text("""
                WITH y AS (INSERT INTO payment (project_id, subject_id, person_id, amount, currency, fee_bp, state)
                           SELECT project_id, id, backer_id, amount, currency, 500, :state FROM pledge RETURNING id)
                UPDATE pledge SET payment_id = y.id FROM y"""), {"state": "failed" if payment == "retry" else payment})
        session.execute(sa.text("UPDATE pledge SET state = :state, leased_until = clock_timestamp() + interval '1 minute', "
                                "retry_at = CASE WHEN :retry THEN clock_now() END"),
                        {"state": pledge, "retry": payment == "retry"})
    assert getattr(run_queries.counts(project.id), part) == 1
    assert run_queries.counts(project.id).parts == run_queries.counts(project.id).whole == 1


def test_too_many_requests_make_the_run_rest_and_lose_nothing(app, stripe):
    """S-12: whatever the limiter refuses goes again with the same key; after five in a row all of us rest."""
    project = make_run(stripe, 12)
    stripe.post("faults", match="POST */confirm", kind="429", times=40, should_retry=False)
    stripe.post("faults", match="POST */confirm", kind="lock_timeout", times=5, should_retry=False)
    start = time.monotonic()
    assert run_collection(project.id) == 12
    assert states() == {"collected": 12}
    refused = [entry["time"] for entry in stripe.get("log") if entry["status"] == 429]
    assert 45 <= len(refused) < 60
    assert time.monotonic() - start > 2, "it did not rest"
    assert max(b - a for a, b in pairwise(refused)) > 0.45
    assert stripe.get("counts")["max_in_flight_per_object"] == 1  # S-13
    assert scalar("SELECT count(*) FROM payment_attempt") == 12
    check_money()


def test_a_worker_that_is_told_to_stop_ends_between_pledges_and_the_next_goes_on_at_once(app, stripe):
    """O-11: five reloads in the middle, nothing lost, nothing twice, no lease to wait for."""
    project = make_run(stripe, 80)
    app.config["STRIPE_RATE"] = 20
    try:
        for _ in range(5):
            end = time.monotonic() + 0.25
            run_collection(project.id, lambda end=end: time.monotonic() > end)
            assert scalar("SELECT count(*) FROM pledge WHERE leased_until > clock_timestamp()") == 0
            db.session.rollback()
        assert 0 < states().get("collected", 0) < 80
    finally:
        app.config["STRIPE_RATE"] = 0
    run_collection(project.id)
    assert states() == {"collected": 80}
    assert stripe.get("counts")["charges_succeeded"] == 80 and stripe.get("counts")["intents_charged_twice"] == 0
    check_money()


def test_a_worker_that_ends_begins_no_charge(app, stripe, monkeypatch):
    """O-11: the job looks at the same flag as its worker."""
    project = make_run(stripe, 3)
    monkeypatch.setattr(jobs._stopping, "is_set", lambda: True)
    run_collection_job.func(str(project.id))
    assert states() == {"pledged": 3}
    monkeypatch.undo()
    run_collection_job.func(str(project.id))
    assert states() == {"collected": 3}


def test_in_money_safe_mode_nothing_leaves_and_the_run_goes_on_by_itself_afterwards(app, stripe):
    """O-03."""
    project = make_run(stripe, 3)
    safety.enter("a drill")
    before = len(stripe.get("log"))
    run_collection(project.id)
    assert len(stripe.get("log")) == before
    assert scalar("SELECT state FROM collection_run") == "running"
    assert scalar("SELECT count(*) FROM payment WHERE state = 'unknown'") == 0
    page = sign_in(app.test_client(), project.creator).get(f"/projects/{project.slug}/collection").get_data(as_text=True)
    assert "Money-safe mode is on" in page
    with transaction() as session:
        session.execute(sa.text("UPDATE money_mode SET is_safe_mode = false"))
    app.extensions.pop("money_mode", None)
    age_leases()
    run_collection(project.id)
    assert states() == {"collected": 3}
    check_money()


def test_the_command_line_shows_and_steers(app, stripe, flask):
    project = make_run(stripe, 1, "pm_card_chargeCustomerFail")
    slug = project.slug
    db.session.rollback()
    assert "is paused" in flask("backing", "pause", slug, "--why", "a look first").stdout
    shown = flask("backing", "runs").stdout
    assert f"{slug}: paused (staff); 1 pledges: 1 to charge" in shown
    assert "goes on" in flask("backing", "resume", slug).stdout
    assert flask("backing", "resume", slug, check=False).returncode == 1
    assert flask("backing", "pause", "nowhere", check=False).returncode == 2
    run_collection(project.id)
    pledge_id = str(scalar("SELECT id FROM pledge"))
    db.session.rollback()
    assert "tried again" in flask("backing", "retry", pledge_id).stdout
    drain(app, ticking=False)
    assert scalar("SELECT attempts FROM payment") == 2
    check_money()


def test_the_creator_looks_on_and_staff_steer(app, stripe):
    creator, staff = make_person("Wannes Lievrouw"), _staff()
    project = make_run(stripe, 3, "pm_card_chargeCustomerFail", creator=creator)
    path = f"/projects/{project.slug}/collection"
    run_collection(project.id)
    page = sign_in(app.test_client(), creator).get(path).get_data(as_text=True)
    assert "Waiting for a retry" in page and "Backer 1" in page and "Try again" not in page and "Pause" not in page
    browser = sign_in(app.test_client(), staff)
    assert "Try again" in browser.get(path).get_data(as_text=True)
    token = csrf_token(browser, path)
    pledge_id = scalar("SELECT id FROM pledge WHERE number = 2")
    assert browser.post(f"/pledges/{pledge_id}/retry", data={"csrf_token": token}).location == path
    assert browser.post(f"{path}/pause", data={"csrf_token": token, "why": "a look first"}).location == path
    seen = sign_in(app.test_client(), creator).get(path).get_data(as_text=True)
    assert "The collection is paused." in seen and "a look first" in seen and "http-equiv" not in seen
    desk = browser.get("/platform/collections").get_data(as_text=True)
    assert "1 collection stands still." in desk and "a look first" in desk
    assert browser.post(f"{path}/resume", data={"csrf_token": token}).location == path
    assert scalar("SELECT state FROM collection_run") == "running"
    own = sign_in(app.test_client(), creator)
    token = csrf_token(own, f"/projects/{project.slug}/updates/new")
    for what in ("pause", "resume"):
        assert own.post(f"{path}/{what}", data={"csrf_token": token}).status_code == 403
    assert own.post(f"/pledges/{pledge_id}/retry", data={"csrf_token": token}).status_code == 403
    assert own.get("/platform/collections").status_code == 403
    assert sign_in(app.test_client(), make_person()).get(path).status_code == 403
    drain(app, ticking=False)
    check_money()


def test_a_run_that_moves_is_looked_at_again_without_a_script(app, stripe):
    project = make_run(stripe, 2)
    app.config["STRIPE_RATE"] = 1
    try:
        page = sign_in(app.test_client(), project.creator).get(f"/projects/{project.slug}/collection").get_data(as_text=True)
    finally:
        app.config["STRIPE_RATE"] = 0
    assert '<meta http-equiv="refresh" content="5">' in page
    assert "2 pledges are still to charge." in page and "About 2 seconds to go." in page
