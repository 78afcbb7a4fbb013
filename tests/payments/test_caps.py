"""How often a card is tried (S-36), and what dies for good (S-35, S-26)."""

import uuid
from datetime import timedelta

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from backing import running
from backing.collecting import collect_one, run_collection
from core import clock
from core.db import db, transaction
from core.errors import Refusal
from core.jobs import drain
from payments import caps, charging
from payments.charging import Step
from payments.gateway import Outcome
from payments.methods import hear_of_method
from payments.recording import News, record
from tests.backing.runs import call, make_run, states
from tests.factories import check_money, csrf_token, save_card, scalar, sign_in


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(st.sampled_from(["we", "they", "both"]), st.integers(0, 12)), min_size=8, max_size=40))
def test_no_card_is_tried_more_than_four_times_by_us_and_six_by_its_owner_in_30_days(app, stripe, presses):
    """Whoever presses whenever, in whatever turn; days pass in between."""
    payment_id, method = _payment(), f"pm_{uuid.uuid4().hex}"
    tries = []
    day = 0
    for who, days in presses:
        if days:
            with transaction() as session:
                session.execute(sa.text("UPDATE payment_attempt SET sent_at = sent_at - make_interval(days => :d)"), {"d": days})
            day += days
        for automatic in {"we": [True], "they": [False], "both": [True, False]}[who]:
            allowed = caps.may_try(method, automatic=automatic)
            db.session.rollback()
            step = Step(payment_id, method, "x", stripe_id=f"pi_{method}", attempts=len(tries), is_automatic=automatic)
            with transaction():
                charging.begin([step])
            assert (step.number is not None) is allowed
            if step.number:
                tries.append((day, automatic))
                record([News(payment_id, Outcome(f"pi_{method}", "requires_payment_method", code="card_declined"), step.number)])
    for start in {at for at, _ in tries}:
        within = [automatic for at, automatic in tries if start <= at < start + 30]
        assert within.count(True) <= 4 and within.count(False) <= 6


def _payment():
    from tests.factories import make_person, make_project

    project = make_project()
    with transaction() as session:
        return session.scalar(sa.text("""
            INSERT INTO payment (project_id, subject_id, person_id, amount, currency, fee_bp)
            VALUES (:project, gen_random_uuid(), :person, 2500, 'EUR', 500) RETURNING id"""),
            {"project": project.id, "person": make_person().id})


def test_a_fifth_try_of_ours_never_leaves_and_the_pledge_waits_for_its_backer(app, stripe):
    project = make_run(stripe, 1, "pm_card_chargeCustomerFail")
    run_collection(project.id)
    pledge_id = scalar("SELECT id FROM pledge")
    for _ in range(6):
        collect_one(pledge_id)
    assert scalar("SELECT count(*) FROM payment_attempt WHERE is_automatic") == 4
    assert len([e for e in stripe.get("log") if e["path"].endswith("/confirm")]) == 4
    assert states() == {"errored": 1}
    with pytest.raises(Refusal, match="as often as card networks allow"):
        running.retry_pledge(pledge_id)
    db.session.rollback()
    check_money()


def test_the_backer_may_press_six_times_and_is_then_asked_for_another_card(app, stripe):
    project = make_run(stripe, 1, "pm_card_chargeCustomerFail")
    run_collection(project.id)
    from backing.models import Pledge

    pledge = db.session.scalar(sa.select(Pledge))
    browser, path = sign_in(app.test_client(), pledge.backer), f"/pledges/{pledge.id}"
    assert "Try this card now" in browser.get(path).get_data(as_text=True)
    token = csrf_token(browser, path)
    for _ in range(8):
        browser.post(f"{path}/payment", data={"csrf_token": token})
    assert scalar("SELECT count(*) FROM payment_attempt WHERE NOT is_automatic") == 6
    page = browser.get(path).get_data(as_text=True)
    assert "tried as often as it may be" in page and "Try this card now" not in page
    save_card(stripe, pledge.id)
    drain(app)
    assert states() == {"collected": 1}
    assert scalar("SELECT is_automatic FROM payment_attempt WHERE outcome = 'succeeded'") is False
    check_money()


def test_a_stolen_card_is_dead_at_once_and_no_press_revives_it(app, stripe):
    """S-35, first row."""
    project = make_run(stripe, 1)
    stripe.post("faults", match="POST */confirm", kind="decline", code="stolen_card", times=1)
    run_collection(project.id)
    pledge_id = scalar("SELECT id FROM pledge")
    assert scalar("SELECT dead_why FROM card_setup") == "stolen_card"
    assert scalar("SELECT retry_at FROM pledge") is None
    db.session.rollback()
    assert not collect_one(pledge_id) and not collect_one(pledge_id, automatic=False)
    for _ in range(7):
        clock.move_clock(timedelta(days=1))
        drain(app)
        drain(app)
    assert len([e for e in stripe.get("log") if e["path"].endswith("/confirm")]) == 1, "not even on the last day"
    assert states() == {"dropped": 1}
    check_money()


@pytest.mark.parametrize(("code", "hours"), [("insufficient_funds", [1]), ("processing_error", [1, 6])])
def test_a_busy_bank_is_asked_again_by_the_hour(app, stripe, code, hours):
    """The sandbox's bank advises to try again later, which goes before its code."""
    project = make_run(stripe, 1)
    stripe.post("faults", match="POST */confirm", kind="decline", code=code, times=len(hours))
    run_collection(project.id)
    for hour in hours:
        assert abs((scalar("SELECT retry_at FROM pledge") - clock.now()).total_seconds() - hour * 3600) < 30
        db.session.rollback()
        clock.move_clock(timedelta(hours=hour, seconds=-60))
        drain(app)
        assert states() == {"errored": 1}, "not before its hour"
        clock.move_clock(timedelta(seconds=90))
        drain(app)
    assert states() == {"collected": 1}
    assert scalar("SELECT count(*) FROM mail WHERE name = 'backing/card_problem'") == 1, "our own tries are no news"
    assert scalar("SELECT bool_and(is_automatic) FROM payment_attempt")
    check_money()


@pytest.mark.parametrize(("days", "is_promised"), [(3, False), (7, True)])
def test_no_try_is_promised_for_after_the_end_of_the_time_to_mend(app, stripe, monkeypatch, days, is_promised):
    """Refused at once, and again an hour before the third day ends: a busy bank is asked six hours later, or never."""
    monkeypatch.setitem(app.config, "FIX_DAYS", days)
    project = make_run(stripe, 1)
    stripe.post("faults", match="POST */confirm", kind="decline", code="processing_error", times=2)
    run_collection(project.id)
    clock.move_clock(timedelta(hours=71))
    drain(app)
    assert scalar("SELECT attempts FROM payment") == 2 and states() == {"errored": 1}
    assert scalar("SELECT retry_at IS NOT NULL FROM pledge") is is_promised


def test_all_that_the_bank_said_is_kept_with_the_attempt(app, stripe):
    project = make_run(stripe, 1, "pm_card_chargeCustomerFail")
    run_collection(project.id)
    assert db.session.execute(sa.text("SELECT code, decline_code, advice_code, network_decline_code FROM payment_attempt")
                              ).one() == ("card_declined", "generic_decline", "try_again_later", "05")


def test_what_the_bank_said_is_kept_when_only_the_intent_tells_it(app, stripe):
    """The reply was lost; news comes by reading."""
    project = make_run(stripe, 1, "pm_card_chargeCustomerFail")
    stripe.post("faults", match="POST */confirm", kind="drop_after", times=3)
    run_collection(project.id)
    assert scalar("SELECT state FROM payment") == "unknown"
    charging.hear_of_payment(scalar("SELECT stripe_id FROM payment"))
    assert scalar("SELECT decline_code FROM payment_attempt") == "generic_decline"
    assert states() == {"errored": 1}
    assert scalar("SELECT retry_at IS NOT NULL FROM pledge")
    check_money()


def test_an_answer_that_blames_us_pauses_and_is_nobodys_card(app, stripe):
    project = make_run(stripe, 1)
    from backing.collecting import lease

    step = lease(project.id)[0]
    record([News(step.payment_id, Outcome("pi_x", "requires_payment_method", code="capability_not_active"), 1)])
    assert scalar("SELECT state || ' ' || why FROM collection_run") == "paused requests"
    assert states() == {"collecting": 1}
    assert scalar("SELECT decline_class FROM payment") is None
    assert scalar("SELECT count(*) FROM mail WHERE name = 'backing/card_problem'") == 0


def test_a_retry_that_was_our_mistake_goes_back_to_wait_for_its_backer(app, stripe):
    project = make_run(stripe, 1, "pm_card_chargeCustomerFail")
    run_collection(project.id)
    pledge_id, until = db.session.execute(sa.text("SELECT id, fix_until FROM pledge")).one()
    mails = scalar("SELECT count(*) FROM mail")
    db.session.rollback()
    with transaction() as session:  # a key that was used for something else
        session.execute(sa.text("UPDATE payment SET stripe_id = 'pi_nothing'"))
    assert collect_one(pledge_id)
    assert states() == {"errored": 1}
    assert scalar("SELECT fix_until FROM pledge") == until and scalar("SELECT count(*) FROM mail") == mails
    assert scalar("SELECT why FROM collection_run") == "requests"


def test_a_card_that_left_stripe_is_dead_and_a_new_date_is_read(app, stripe):
    """S-26: the events lead here; the object decides."""
    project = make_run(stripe, 2)
    first, second = db.session.scalars(sa.text("SELECT payment_method_id FROM card_setup ORDER BY id")).all()
    db.session.rollback()
    call(stripe, f"payment_methods/{first}", **{"card[exp_month]": "7", "card[exp_year]": "2039"})
    call(stripe, f"payment_methods/{second}/detach")
    assert hear_of_method(first) and hear_of_method(second) and hear_of_method("pm_of_nobody")
    rows = dict(db.session.execute(sa.text("SELECT payment_method_id, card_exp || ' ' || coalesce(dead_why, '') FROM card_setup")
                                   ).all())
    assert rows[first] == "2039-07 " and rows[second].endswith(" detached")
    db.session.rollback()
    run_collection(project.id)
    assert states() == {"collected": 1, "errored": 1}
    assert len([e for e in stripe.get("log") if e["path"].endswith("/confirm")]) == 1, "a dead card is not asked for money"
    assert scalar("SELECT decline_class FROM payment WHERE state = 'failed'") == "new_card"
    assert scalar("SELECT count(*) FROM mail WHERE name = 'backing/card_problem'") == 1
    assert scalar("SELECT state FROM collection_run") == "done"
    check_money()


def test_a_bank_that_wants_to_see_its_owner_is_not_asked_again_without_them(app, stripe):
    """S-32: not by the hour, not on the last day."""
    make_run(stripe, 1, "pm_card_authenticationRequired")
    run_collection(scalar("SELECT id FROM project"))
    assert scalar("SELECT decline_class FROM payment") == "authenticate" and scalar("SELECT retry_at FROM pledge") is None
    for _ in range(7):
        clock.move_clock(timedelta(days=1))
        drain(app)
    assert scalar("SELECT count(*) FROM payment_attempt") == 1
    assert states() == {"dropped": 1}
    check_money()
