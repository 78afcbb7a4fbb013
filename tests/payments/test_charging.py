"""S-30 to S-33: one intent per pledge for life, no charge too early, and the bank's question answered by its owner."""

import re
import time
import urllib.parse
import urllib.request
from datetime import timedelta
from urllib.parse import urlsplit

import pytest
import sqlalchemy as sa

from backing import collecting, dropping, fixing
from backing.collecting import collect_one, lease
from backing.models import PledgeState
from core import clock
from core.db import db, transaction
from core.jobs import drain, run_due_ticks
from payments import charging, gateway
from projects import closing
from tests.factories import (
    back,
    check_money,
    csrf_token,
    end_project,
    make_person,
    make_project,
    make_reward,
    save_card,
    scalar,
    sign_in,
)
from tests.races import age_leases, threads

S = PledgeState
ASKS = "4000002760003184"  # 3-D Secure every time
FAILS = "4000000000000341"


def _again(pledge):
    db.session.expire_all()
    return pledge


def test_a_pledge_has_one_intent_for_life_whatever_happens_to_it(app, stripe):
    project = make_project(goal=1_000)
    pledge = back(stripe, project, number=FAILS)
    end_project(app, project)
    for number in (FAILS, ASKS, "4242424242424242"):
        save_card(stripe, pledge.id, number)
        drain(app)
    assert _again(pledge).state is S.COLLECTED and pledge.payment.attempts == 4
    counts = stripe.get("counts")
    assert (counts["payment_intent"], counts["charges_succeeded"], counts["intents_charged_twice"]) == (1, 1, 0)
    assert scalar("SELECT count(*) FROM payment_attempt") == 4
    with pytest.raises(sa.exc.IntegrityError), transaction() as session:
        session.execute(sa.text("INSERT INTO payment (project_id, subject_id, person_id, amount, currency, fee_bp) "
                                "SELECT project_id, subject_id, person_id, 1, 'EUR', 0 FROM payment"))
    check_money()


def test_no_charge_is_asked_for_before_the_project_is_successful(app, stripe):
    """S-31, by the sandbox's own log."""
    project = make_project(goal=5_000)
    for _ in range(3):
        back(stripe, project, bonus=2_000)
    drain(app)
    assert lease(project.id) == []
    clock.move_clock(project.deadline - clock.now() - timedelta(seconds=30))
    drain(app)
    assert [e for e in stripe.get("log") if "payment_intents" in e["path"]] == []
    end_project(app, project)
    first = min(e["time"] for e in stripe.get("log") if "payment_intents" in e["path"])
    assert first >= project.closed_at.timestamp() - 0.3  # two shifted clocks agree to within the moment of the shift
    assert scalar("SELECT min(sent_at) FROM payment_attempt") is not None
    check_money()


def test_nothing_can_be_leased_from_a_project_that_is_not_successful_or_whose_run_is_paused(app, stripe):
    project = make_project(goal=1_000)
    back(stripe, project)
    clock.move_clock(project.deadline - clock.now() + timedelta(seconds=1))
    closing.close_due()
    with transaction() as session:
        session.execute(sa.text("UPDATE collection_run SET state = 'paused'"))
    assert lease(project.id) == []
    with transaction() as session:
        session.execute(sa.text("UPDATE collection_run SET state = 'running'"))
    assert len(lease(project.id)) == 1
    assert lease(project.id) == []


def test_the_banks_question_is_answered_on_its_page_without_any_script(app, stripe):
    """S-32: same intent, same card, on-session, plain forms."""
    project = make_project(goal=1_000)
    pledge = back(stripe, project, number=ASKS)
    end_project(app, project)
    assert (_again(pledge).state, pledge.payment.decline_class) == (S.ERRORED, "authenticate")
    browser = sign_in(app.test_client(), pledge.backer)
    path = f"/pledges/{pledge.id}"
    for answer, state in (("fail", S.ERRORED), ("complete", S.COLLECTED)):
        sent = browser.post(f"{path}/payment", data={"csrf_token": csrf_token(browser, path)})
        assert sent.status_code == 303 and sent.location.startswith(f"{stripe.url}/3d-secure/pi_")
        assert b"<script" not in urllib.request.urlopen(sent.location).read()
        back_ = _post(sent.location, answer=answer)
        assert urlsplit(back_).path == f"{path}/payment/return"
        returned = browser.get(urlsplit(back_).path + "?" + urlsplit(back_).query)
        assert returned.status_code == 303 and returned.location == path
        assert _again(pledge).state is state
    assert browser.get(f"{path}/payment/return").status_code == 303  # loading it again does nothing
    drain(app)
    counts = stripe.get("counts")
    assert (counts["payment_intent"], counts["charges_succeeded"]) == (1, 1)
    assert scalar("SELECT count(*) FROM mail WHERE name = 'backing/collected'") == 1
    check_money()


class _Stay(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_):
        return None


def _post(url, **form):
    try:
        urllib.request.build_opener(_Stay).open(url, urllib.parse.urlencode(form).encode())
    except urllib.error.HTTPError as answer:
        assert answer.code == 303
        return answer.headers["Location"]
    raise AssertionError("no redirect")


def test_who_authenticates_and_never_comes_back_is_collected_all_the_same(app, stripe):
    project = make_project(goal=1_000)
    pledge = back(stripe, project, number=ASKS)
    end_project(app, project)
    browser = sign_in(app.test_client(), pledge.backer)
    path = f"/pledges/{pledge.id}"
    sent = browser.post(f"{path}/payment", data={"csrf_token": csrf_token(browser, path)})
    _post(sent.location, answer="complete")
    intent = re.search(r"pi_\w+", sent.location)[0]
    event = next(e for e in stripe.get("state/event") if e["type"] == "payment_intent.succeeded")
    assert event["data"]["object"]["id"] == intent
    from payments import inbox

    inbox.receive(event)
    drain(app)
    assert _again(pledge).state is S.COLLECTED
    check_money()


def test_a_stranger_cannot_answer_for_the_backer_nor_a_return_address_pay_for_them(app, stripe):
    project = make_project(goal=1_000)
    pledge = back(stripe, project, number=ASKS)
    end_project(app, project)
    stranger = sign_in(app.test_client(), make_person())
    token = csrf_token(stranger, f"/projects/{make_project().slug}/pledge")
    assert stranger.post(f"/pledges/{pledge.id}/payment", data={"csrf_token": token}).status_code == 404
    own = sign_in(app.test_client(), pledge.backer)
    own.get(f"/pledges/{pledge.id}/payment/return?payment_intent=pi_x&redirect_status=succeeded")
    assert _again(pledge).state is S.ERRORED
    check_money()


def test_while_the_bank_is_silent_the_backer_reads_that_nothing_was_charged(app, stripe):
    project = make_project(goal=1_000)
    pledge = back(stripe, project, number=ASKS)
    end_project(app, project)
    stripe.post("faults", match="POST */confirm", kind="500_before", times=1)
    browser = sign_in(app.test_client(), pledge.backer)
    path = f"/pledges/{pledge.id}"
    sent = browser.post(f"{path}/payment", data={"csrf_token": csrf_token(browser, path)})
    assert sent.status_code == 303 and sent.location == path
    assert "does not answer" in browser.get(path).get_data(as_text=True)
    assert _again(pledge).state is S.ERRORED
    again = browser.post(f"{path}/payment", data={"csrf_token": csrf_token(browser, path)})
    assert "/3d-secure/" in again.location
    check_money()


def test_two_workers_with_one_pledge_charge_once(app, stripe):
    """C-21: the first was declared dead and comes back; row and key make it the same charge."""
    project = make_project(goal=1_000)
    pledge = back(stripe, project)
    clock.move_clock(project.deadline - clock.now() + timedelta(seconds=1))
    closing.close_due()
    first = lease(project.id)[0]
    age_leases()
    second = lease(project.id)[0]
    assert first.payment_id == second.payment_id
    assert threads(app, lambda: collecting.collect(first), lambda: collecting.collect(second)) == [None, None]
    drain(app)
    age_leases()
    drain(app)
    assert _again(pledge).state is S.COLLECTED
    assert (stripe.get("counts")["payment_intent"], stripe.get("counts")["charges_succeeded"]) == (1, 1)
    check_money()


def test_a_single_try_that_died_with_its_worker_is_taken_up_again(app, stripe):
    """Errored, new card, and the worker was killed between its first row and the confirm; the run was done long ago."""
    project = make_project(goal=1_000)
    pledge = back(stripe, project, number=FAILS)
    end_project(app, project)
    save_card(stripe, pledge.id)
    with transaction() as session:
        session.execute(sa.text("DELETE FROM procrastinate_jobs"))
        session.execute(sa.text("UPDATE pledge SET state = 'collecting', leased_until = clock_timestamp() - interval '1 s'"))
        session.execute(sa.text("INSERT INTO pledge_move (pledge_id, project_id, from_state, to_state) "
                                "SELECT id, project_id, 'errored', 'collecting' FROM pledge"))
    drain(app)
    assert _again(pledge).state is S.COLLECTED
    assert stripe.get("counts")["charges_succeeded"] == 1
    check_money()


def _days(app, n):
    for _ in range(n):
        clock.move_clock(timedelta(days=1))
        drain(app)
        drain(app)


def _reminders():
    return scalar("SELECT count(*) FROM mail WHERE name = 'backing/card_problem'")


def test_an_errored_pledge_is_reminded_every_48_hours_tried_once_more_and_dropped_at_the_end(app, stripe):
    """S-33: mails at 0, 2, 4, 6 days; two timed tries and one on the last day; dropped at seven; its stock back."""
    project = make_project(goal=1_000)
    reward = make_reward(project, 2_500, quantity=1)
    pledge = back(stripe, project, reward=reward, number=FAILS)
    back(stripe, project, bonus=2_000)
    end_project(app, project)
    assert abs((_again(pledge).fix_until - project.closed_at).total_seconds() - 7 * 86400) < 60
    mails, tries = [_reminders()], [1]
    for _ in range(6):
        _days(app, 1)
        mails.append(_reminders())
        tries.append(len([e for e in stripe.get("log") if e["path"].endswith("/confirm") and e["status"] == 402]))
    assert mails == [1, 1, 2, 2, 3, 3, 4], mails
    assert tries == [1, 2, 3, 3, 3, 3, 4], tries  # never more than four by ourselves (S-36)
    assert _again(pledge).state is S.ERRORED and scalar("SELECT claimed FROM reward") == 1
    _days(app, 1)
    assert _again(pledge).state is S.DROPPED
    assert scalar("SELECT claimed FROM reward") == 0
    assert scalar("SELECT raised FROM project_total WHERE project_id = :p", p=project.id) == 2_000
    assert scalar("SELECT count(*) FROM mail WHERE name = 'backing/dropped'") == 1
    before = len(stripe.get("log"))
    _days(app, 3)
    assert len(stripe.get("log")) == before  # nobody asks for this money any more
    check_money()


@pytest.mark.parametrize(("days", "reminders", "last"), [(3, 1, 2), (14, 6, 13)])
def test_an_instance_may_give_three_to_fourteen_days_to_mend(app, stripe, monkeypatch, days, reminders, last):
    """S-33: the same rhythm, one try on the last day, and dropped at the end of it."""
    monkeypatch.setitem(app.config, "FIX_DAYS", days)
    project = make_project(goal=1_000)
    pledge = back(stripe, project, bonus=2_000)
    stripe.post("faults", match="POST */confirm", kind="decline", code="expired_card", times=None)
    end_project(app, project)
    assert abs((_again(pledge).fix_until - project.closed_at).total_seconds() - days * 86400) < 60
    tries = []
    for day in range(1, days):
        _days(app, 1)
        if scalar("SELECT attempts FROM payment") > 1 + len(tries):
            tries.append(day)
        assert _again(pledge).state is S.ERRORED, day
    assert (_reminders() - 1, tries) == (reminders, [last])
    _days(app, 1)
    assert _again(pledge).state is S.DROPPED
    check_money()


def test_another_number_of_days_to_mend_sends_no_reminder_before_its_time(app, stripe, monkeypatch):
    """S-33: the setting is raised while somebody mends; their 48 hours are counted from the refusal all the same."""
    project = make_project(goal=1_000)
    pledge = back(stripe, project, bonus=2_000)
    stripe.post("faults", match="POST */confirm", kind="decline", code="expired_card", times=None)
    end_project(app, project)
    assert _reminders() == 1
    monkeypatch.setitem(app.config, "FIX_DAYS", 14)
    mails = []
    for _ in range(6):
        _days(app, 1)
        mails.append(_reminders())
    assert mails == [1, 2, 2, 3, 3, 4], mails
    _days(app, 1)
    assert _again(pledge).state is S.DROPPED  # what was promised first stays promised


def test_after_a_pledge_was_dropped_no_late_yes_can_charge_it(app, stripe):
    project = make_project(goal=1_000)
    pledge = back(stripe, project, number=ASKS)
    end_project(app, project)
    browser = sign_in(app.test_client(), pledge.backer)
    path = f"/pledges/{pledge.id}"
    sent = browser.post(f"{path}/payment", data={"csrf_token": csrf_token(browser, path)})
    clock.move_clock(timedelta(days=8))
    for _ in range(3):
        drain(app)
    assert _again(pledge).state is S.DROPPED
    intent = re.search(r"pi_\w+", sent.location)[0]
    assert stripe.get(f"state/payment_intent/{intent}")["status"] == "canceled"
    urllib.request.urlopen(sent.location, b"answer=complete")
    later = sign_in(app.test_client(), pledge.backer)
    token = csrf_token(later, f"/projects/{make_project().slug}/pledge")
    assert later.post(f"{path}/payment", data={"csrf_token": token}).location == path
    assert stripe.get("counts")["charges_succeeded"] == 0
    assert not collect_one(pledge.id)
    check_money()


def test_a_yes_that_came_just_before_the_drop_wins(app, stripe):
    project = make_project(goal=1_000)
    pledge = back(stripe, project, number=ASKS)
    end_project(app, project)
    browser = sign_in(app.test_client(), pledge.backer)
    path = f"/pledges/{pledge.id}"
    sent = browser.post(f"{path}/payment", data={"csrf_token": csrf_token(browser, path)})
    _post(sent.location, answer="complete")
    assert not dropping.drop(pledge.id, "not mended in time")
    assert _again(pledge).state is S.COLLECTED
    check_money()


def test_while_stripe_does_not_say_that_a_charge_is_called_off_the_pledge_is_not_dropped(app, stripe):
    project = make_project(goal=1_000)
    pledge = back(stripe, project, number=FAILS)
    end_project(app, project)
    stripe.post("faults", match="POST */cancel", kind="500_before", times=3)
    assert not dropping.drop(pledge.id, "not mended in time")
    assert _again(pledge).state is S.ERRORED
    stripe.call("DELETE", "faults")
    assert dropping.drop(pledge.id, "not mended in time")
    check_money()


def test_an_amount_that_is_not_ours_is_never_booked(app, stripe):
    project = make_project(goal=1_000)
    pledge = back(stripe, project)
    clock.move_clock(project.deadline - clock.now() + timedelta(seconds=1))
    closing.close_due()
    one = lease(project.id)[0]
    outcome = gateway.Outcome("pi_x", "succeeded", pledge.amount - 1, "ch_x")
    with pytest.raises(AssertionError, match="came, not"):
        charging.record_outcome(one.payment_id, outcome)
    assert scalar("SELECT count(*) FROM ledger_transaction") == 0


def test_a_pledge_that_is_being_charged_is_not_charged_by_another_hand(app, stripe):
    """C-21: one by one, as in a run."""
    project = make_project(goal=1_000)
    pledge = back(stripe, project)
    clock.move_clock(project.deadline - clock.now() + timedelta(seconds=1))
    closing.close_due()
    lease(project.id)
    assert not collect_one(pledge.id) and not collect_one(pledge.id, automatic=False)
    assert [e for e in stripe.get("log") if "payment_intents" in e["path"]] == []
    age_leases()
    assert collect_one(pledge.id)
    assert _again(pledge).state is S.COLLECTED
    check_money()


def test_while_the_bank_shows_its_page_nobody_else_tries(app, stripe):
    """S-32, S-33: a try of ours would take the page away from under the backer; an hour later nobody is there any more."""
    project = make_project(goal=1_000)
    back(stripe, project, number=FAILS)
    end_project(app, project)
    for field in ("retry_at", "fix_until"):
        with transaction() as session:
            session.execute(sa.text("UPDATE payment SET state = 'requires_action', changed_at = clock_now()"))
            session.execute(sa.text(f"UPDATE pledge SET {field} = clock_now() + interval '1 minute', last_try_at = NULL"))
        tries = scalar("SELECT attempts FROM payment")
        db.session.rollback()
        clock.move_clock(timedelta(seconds=50 if field == "fix_until" else 70))
        fixing.tend_errored()
        assert scalar("SELECT attempts FROM payment") == tries, field
        with transaction() as session:
            session.execute(sa.text("UPDATE payment SET changed_at = clock_now() - interval '61 minutes'"))
        fixing.tend_errored()
        assert scalar("SELECT attempts FROM payment") == tries + 1, field
    check_money()


def test_a_single_call_keeps_our_pace_too(app, stripe, monkeypatch):
    """S-12: whatever is not part of a run waits for its turn by itself."""
    monkeypatch.setitem(app.config, "STRIPE_RATE", 5)
    began = time.monotonic()
    for _ in range(4):
        with pytest.raises(gateway.GatewayError):
            gateway.read_payment("pi_nothing")
    assert time.monotonic() - began >= 0.55


def test_our_own_pace_keeps_stripes_limit_from_being_met(app, stripe):
    project = make_project(goal=1_000)
    for _ in range(8):
        back(stripe, project)
    stripe.post("rate", per_endpoint=25)
    app.config["STRIPE_RATE"] = 20
    try:
        end_project(app, project)
    finally:
        app.config["STRIPE_RATE"] = 0
        stripe.post("rate", per_endpoint=0)
    assert scalar("SELECT count(*) FROM pledge WHERE state = 'collected'") == 8
    assert [e for e in stripe.get("log") if e["status"] == 429] == []
    run_due_ticks(app, {}, 0.0)
    check_money()
