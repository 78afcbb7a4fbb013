"""Early fraud warnings: told at once, decided within a day, once, by staff, and in neutral words to others (S-70)."""

from datetime import timedelta

import pytest

from core import clock
from core.db import db
from core.errors import BadInput, Refusal
from core.jobs import drain
from payments import cases, refunds, warnings
from payments.models import FraudWarning
from tests.factories import check_money, make_person, scalar
from tests.payments.bank import agree, dispute_at, heard, paid

CARD = "4000000000005423"


def warned(app, stripe, **more):
    payment = paid(app, stripe, CARD, **more)
    [there] = stripe.get("state/radar.early_fraud_warning")
    assert warnings.hear_of_warning(there["id"])
    return payment, db.session.scalar(db.select(FraudWarning))


def alerts(kind):
    return scalar("SELECT count(*) FROM mail WHERE name = 'payments/alert' AND about->>'kind' = :kind", kind=kind)


def test_staff_are_told_at_once_and_once(app, stripe):
    make_person(is_staff=True)
    payment, warning = warned(app, stripe)
    assert warnings.hear_of_warning(warning.stripe_id)
    assert alerts("fraud_warning") == 1
    assert scalar("SELECT decide_until - created_at FROM fraud_warning") <= timedelta(hours=24, seconds=1)
    drain(app)
    assert scalar("SELECT state FROM mail WHERE name = 'payments/alert' AND about->>'kind' = 'fraud_warning'") == "sent"
    assert scalar("SELECT sent_at - created_at < interval '5 minutes' FROM mail WHERE name = 'payments/alert' "
                  "AND about->>'kind' = 'fraud_warning'")
    assert warnings.is_held(payment.id)
    agree(stripe)


def test_the_event_of_a_warning_brings_it(app, stripe):
    from payments import inbox

    paid(app, stripe, CARD)
    [event] = [one for one in stripe.get("state/event") if one["type"] == "radar.early_fraud_warning.created"]
    inbox.receive(event)
    drain(app)
    assert scalar("SELECT count(*) FROM fraud_warning") == 1


def test_a_refund_is_decided_once_and_sends_everything_back(app, stripe):
    staff = make_person(is_staff=True)
    payment, warning = warned(app, stripe)
    warnings.decide(warning.id, "refund", staff.id)
    assert not warnings.is_held(payment.id)
    with pytest.raises(Refusal, match="decided already"):
        warnings.decide(warning.id, "keep", staff.id)
    drain(app)
    db.session.expire_all()
    assert payment.refunded == payment.amount and scalar("SELECT reason FROM refund") == "fraud"
    assert stripe.get("state/refund")[0]["reason"] == "fraudulent"
    assert scalar("SELECT facts->>'decision' FROM audit_entry WHERE action = 'payments:decide_warning'") == "refund"
    agree(stripe)


def test_a_charge_that_is_kept_moves_nothing_and_is_written_down(app, stripe):
    staff = make_person(is_staff=True)
    payment, warning = warned(app, stripe)
    warnings.decide(warning.id, "keep", staff.id)
    assert scalar("SELECT count(*) FROM refund") == 0 and not warnings.is_held(payment.id)
    assert scalar("SELECT by_id FROM audit_entry WHERE action = 'payments:decide_warning'") == staff.id
    agree(stripe)


def test_anything_else_is_no_decision(app, stripe):
    _payment, warning = warned(app, stripe)
    with pytest.raises(BadInput):
        warnings.decide(warning.id, "later", make_person().id)


def test_a_dispute_that_comes_first_leaves_nothing_to_decide(app, stripe):
    payment, warning = warned(app, stripe)
    heard(stripe, dispute_at(stripe, payment))
    db.session.expire_all()
    assert warning.decision == "overtaken" and not warnings.is_held(payment.id)
    with pytest.raises(Refusal):
        warnings.decide(warning.id, "refund", make_person().id)
    agree(stripe)


def test_a_refund_by_somebody_else_leaves_nothing_to_decide(app, stripe):
    payment, warning = warned(app, stripe)
    refunds.ask_refund(payment.id, None, "asked")
    db.session.expire_all()
    assert warning.decision == "overtaken"
    drain(app)
    check_money()


def test_an_undecided_one_is_marked_after_a_day_and_told_once_more(app, stripe):
    make_person(is_staff=True)
    warned(app, stripe)
    drain(app)
    assert alerts("fraud_warning_late") == 0
    clock.move_clock(timedelta(hours=24, minutes=1))
    drain(app)
    drain(app)
    assert alerts("fraud_warning_late") == 1
    [case] = cases.cases()
    assert case.is_late and case.is_waiting


def test_everybody_else_reads_neutral_words(app, stripe):
    payment, warning = warned(app, stripe)
    [line] = cases.lines_of_project(payment.project_id)
    assert cases.lines_of_subjects([payment.subject_id]) == {payment.subject_id: [line]}
    assert line.is_waiting and line.amount == 0
    text = line.text
    warnings.decide(warning.id, "keep", make_person().id)
    assert cases.lines_of_project(payment.project_id) == []
    for status in ("needs_response", "lost"):
        heard(stripe, dispute_at(stripe, payment, status))
        text += cases.lines_of_project(payment.project_id)[0].text
    for word in ("fraud", "stolen", "thief", "declin", "chargeback", "dispute", "made_with", "4837", "10.4"):
        assert word not in text.lower()
    check_money()


def test_a_warning_about_nobody_of_ours_is_not_ours(app, stripe):
    paid(app, stripe, CARD)
    [there] = stripe.get("state/radar.early_fraud_warning")
    stripe.call("PATCH", f"state/radar.early_fraud_warning/{there['id']}", {"charge": "ch_x", "payment_intent": "pi_x"})
    assert warnings.hear_of_warning(there["id"]) is False


def test_what_stripe_no_longer_waits_for_cannot_be_decided(app, stripe):
    payment, warning = warned(app, stripe)
    stripe.call("PATCH", f"state/radar.early_fraud_warning/{warning.stripe_id}", {"actionable": False})
    assert warnings.hear_of_warning(warning.stripe_id)
    assert not warnings.is_held(payment.id) and cases.counts()["waiting"] == 0
    with pytest.raises(Refusal, match="nothing left to decide"):
        warnings.decide(warning.id, "refund", make_person().id)
    assert scalar("SELECT count(*) FROM refund") == 0
    check_money()
