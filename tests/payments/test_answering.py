"""Answers to a bank: once a round, one key each, and what becomes of them without an answer of Stripe (S-69, S-09)."""

import threading
from datetime import timedelta

import pytest

from core import clock
from core.db import db
from core.errors import BadInput, Refusal
from core.jobs import drain
from payments import answering, disputes, safety
from payments.models import DisputeAnswer
from tests.factories import check_money, make_person, scalar
from tests.payments.bank import agree, dispute_at, heard, paid

TEXTS = {"product_description": "A signed CD, on its way in March.", "uncategorized_text": "They pledged themselves."}


def disputed(app, stripe, status="needs_response"):
    payment = paid(app, stripe)
    return payment, heard(stripe, dispute_at(stripe, payment, status))


def sent(stripe, dispute):
    return [entry for entry in stripe.get(f"log?method=POST&id={dispute.stripe_id}") if entry["status"] == 200]


def state(dispute):
    db.session.expire_all()
    return dispute.status.value


@pytest.mark.parametrize(("before", "after"), [
    ("needs_response", "under_review"), ("warning_needs_response", "warning_under_review")])
def test_evidence_reaches_the_bank_once(app, stripe, before, after):
    _payment, dispute = disputed(app, stripe, before)
    answering.submit_evidence(dispute.id, TEXTS, make_person(is_staff=True).id)
    with pytest.raises(Refusal, match="on its way"):
        answering.submit_evidence(dispute.id, TEXTS, make_person().id)
    drain(app)
    assert state(dispute) == after and dispute.evidence_sent_at
    there = stripe.get(f"state/dispute/{dispute.stripe_id}")
    assert there["evidence"]["product_description"] == TEXTS["product_description"]
    assert there["evidence_details"]["submission_count"] == 1
    [request] = sent(stripe, dispute)
    assert request["idempotency_key"] == f"ev:{dispute.id}:1"
    with pytest.raises(Refusal, match="has your answer"):
        answering.submit_evidence(dispute.id, TEXTS, make_person().id)
    drain(app)
    assert len(sent(stripe, dispute)) == 1
    assert scalar("SELECT count(*) FROM audit_entry WHERE action = 'payments:submit_evidence'") == 1
    agree(stripe)


def test_a_second_answer_is_refused_also_while_stripe_still_says_that_it_waits(app, stripe):
    _payment, dispute = disputed(app, stripe)
    answering.submit_evidence(dispute.id, TEXTS, make_person().id)
    drain(app)
    stripe.call("PATCH", f"state/dispute/{dispute.stripe_id}", {"status": "needs_response"})
    with db.engine.begin() as connection:  # as if the answer had changed nothing
        connection.execute(db.text("UPDATE dispute SET status = 'needs_response'"))
    db.session.expire_all()
    with pytest.raises(Refusal, match="has your answer"):
        answering.submit_evidence(dispute.id, TEXTS, make_person().id)


def test_an_inquiry_that_became_a_dispute_may_be_answered_again(app, stripe):
    payment, dispute = disputed(app, stripe, "warning_needs_response")
    answering.submit_evidence(dispute.id, TEXTS, make_person().id)
    drain(app)
    clock.move_clock(timedelta(seconds=2))
    heard(stripe, dispute_at(stripe, payment, "needs_response"))
    clock.move_clock(timedelta(seconds=2))
    answering.submit_evidence(dispute.id, TEXTS, make_person().id)
    drain(app)
    assert state(dispute) == "under_review"
    assert {entry["idempotency_key"][-2:] for entry in sent(stripe, dispute)} == {":1", ":2"}
    agree(stripe)


def test_two_who_send_at_once_send_one_answer(app, stripe):
    _payment, dispute = disputed(app, stripe)
    people, outcomes, gate = [make_person().id for _ in range(4)], [], threading.Barrier(4)
    dispute_id = dispute.id
    db.session.rollback()

    def press(person_id):
        with app.app_context():
            gate.wait()
            try:
                answering.submit_evidence(dispute_id, TEXTS, person_id)
                outcomes.append("sent")
            except Refusal:
                outcomes.append("refused")
            finally:
                db.session.remove()

    threads = [threading.Thread(target=press, args=(one,)) for one in people]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert sorted(outcomes) == ["refused"] * 3 + ["sent"]
    assert scalar("SELECT count(*) FROM dispute_answer") == 1


def test_a_reply_that_got_lost_is_asked_for_with_the_same_key(app, stripe):
    _payment, dispute = disputed(app, stripe)
    answering.submit_evidence(dispute.id, TEXTS, make_person().id)
    stripe.post("faults", match=f"POST /v1/disputes/{dispute.stripe_id}", kind="drop_after", times=9)
    answer_id = str(scalar("SELECT id FROM dispute_answer"))
    db.session.rollback()
    with pytest.raises(answering.Silence):
        answering.send_answer(answer_id)
    assert scalar("SELECT count(*) FROM dispute_answer WHERE sent_at IS NULL AND refused_at IS NULL") == 1
    stripe.call("DELETE", "faults")
    db.session.rollback()
    answering.send_answer(answer_id)
    assert state(dispute) == "under_review"
    assert stripe.get(f"state/dispute/{dispute.stripe_id}")["evidence_details"]["submission_count"] == 1
    assert scalar("SELECT sent_at IS NOT NULL AND refused_at IS NULL FROM dispute_answer")
    asked = stripe.get(f"log?method=POST&id={dispute.stripe_id}")
    assert len(asked) > 1 and {entry["idempotency_key"] for entry in asked} == {f"ev:{dispute.id}:1"}
    agree(stripe)


def test_an_answer_that_stripe_refuses_because_it_is_there_is_there(app, stripe):
    """The key was forgotten early: the refusal says only that nothing more can be added."""
    _payment, dispute = disputed(app, stripe)
    answering.submit_evidence(dispute.id, TEXTS, make_person().id)
    stripe.call("PATCH", f"state/dispute/{dispute.stripe_id}", {"status": "under_review", "evidence_details": {
        **stripe.get(f"state/dispute/{dispute.stripe_id}")["evidence_details"], "submission_count": 1}})
    drain(app)
    assert scalar("SELECT sent_at IS NOT NULL AND refused_at IS NULL FROM dispute_answer")
    assert state(dispute) == "under_review"


def test_after_a_day_it_looks_before_it_sends(app, stripe):
    """The key may be forgotten: evidence that is there already is not sent a second time (S-10)."""
    _payment, dispute = disputed(app, stripe)
    answering.submit_evidence(dispute.id, TEXTS, make_person().id)
    answer_id = str(scalar("SELECT id FROM dispute_answer"))
    stripe.post("faults", match=f"POST /v1/disputes/{dispute.stripe_id}", kind="drop_after", times=9)
    db.session.rollback()
    with pytest.raises(answering.Silence):
        answering.send_answer(answer_id)
    stripe.call("DELETE", "faults")
    stripe.post("disputes", dispute=dispute.stripe_id, status="needs_response")  # the bank asks for more, with our answer there
    clock.move_clock(timedelta(hours=25))
    stripe.post("clock", advance=25 * 3600)
    before = len(sent(stripe, dispute))
    db.session.rollback()
    answering.send_answer(answer_id)
    assert len(sent(stripe, dispute)) == before
    assert scalar("SELECT sent_at IS NOT NULL FROM dispute_answer")
    assert stripe.get(f"state/dispute/{dispute.stripe_id}")["evidence_details"]["submission_count"] == 1
    check_money()


def test_what_stripe_refuses_can_be_sent_again_under_the_next_number(app, stripe):
    _payment, dispute = disputed(app, stripe)
    answering.submit_evidence(dispute.id, TEXTS, make_person().id)
    stripe.call("PATCH", f"state/dispute/{dispute.stripe_id}", {"status": "under_review"})
    drain(app)
    answer = db.session.scalar(db.select(DisputeAnswer))
    assert answer.refused_at and answer.sent_at is None and answer.failure
    assert state(dispute) == "under_review"
    stripe.call("PATCH", f"state/dispute/{dispute.stripe_id}", {"status": "needs_response"})
    disputes.hear_of_dispute(dispute.stripe_id)
    answering.submit_evidence(dispute.id, TEXTS, make_person().id)
    drain(app)
    assert [entry["idempotency_key"][-2:] for entry in sent(stripe, dispute)] == [":2"]


def test_a_loss_that_is_accepted_closes_the_dispute(app, stripe):
    payment, dispute = disputed(app, stripe)
    answering.accept_dispute(dispute.id, make_person(is_staff=True).id)
    drain(app)
    assert state(dispute) == "lost" and disputes.open_amount(payment.id) == 0
    with pytest.raises(Refusal):
        answering.accept_dispute(dispute.id)
    assert scalar("SELECT by_id FROM dispute_move WHERE to_status = 'lost'") is not None
    agree(stripe)


def test_in_money_safe_mode_evidence_leaves_and_no_loss_is_accepted(app, stripe):
    """O-03: evidence has a deadline of the bank's; giving money up can wait."""
    _payment, given_up = disputed(app, stripe)
    _payment, fought = disputed(app, stripe)
    safety.enter("a drill")
    answering.accept_dispute(given_up.id, make_person().id)
    answering.submit_evidence(fought.id, TEXTS, make_person().id)
    drain(app)
    assert (state(given_up), state(fought)) == ("needs_response", "under_review")
    assert sent(stripe, given_up) == []


def test_no_answer_after_the_deadline(app, stripe):
    _payment, dispute = disputed(app, stripe)
    clock.move_clock(timedelta(days=15))
    with pytest.raises(Refusal, match="time to answer is over"):
        answering.submit_evidence(dispute.id, TEXTS, make_person().id)


@pytest.mark.parametrize(("texts", "field"), [
    ({}, "uncategorized_text"), ({"uncategorized_text": "  \n"}, "uncategorized_text"), ({"nonsense": "x"}, "uncategorized_text"),
    ({"product_description": "x" * 20_001}, "product_description"),
    (dict.fromkeys(answering.FIELDS, "x" * 19999), "uncategorized_text")])
def test_what_the_bank_would_not_take_is_refused_beside_its_field(app, stripe, texts, field):
    _payment, dispute = disputed(app, stripe)
    with pytest.raises(BadInput) as refusal:
        answering.submit_evidence(dispute.id, texts, make_person().id)
    assert refusal.value.field == field
    assert scalar("SELECT count(*) FROM dispute_answer") == 0


def test_staff_are_told_when_it_opens_and_three_days_before_it_is_due(app, stripe):
    make_person(is_staff=True)
    _payment, dispute = disputed(app, stripe)
    clock.move_clock(dispute.evidence_due_at - clock.now() - timedelta(days=3, minutes=5))
    drain(app)
    alerts = "SELECT count(*) FROM mail WHERE name = 'payments/alert' AND about->>'kind' = :kind"
    assert scalar(alerts, kind="dispute_opened") == 1 and scalar(alerts, kind="evidence_due") == 0
    clock.move_clock(timedelta(minutes=6))
    drain(app)
    assert scalar(alerts, kind="evidence_due") == 1
    drain(app)
    assert scalar(alerts, kind="evidence_due") == 1
    assert scalar("SELECT count(*) FROM mail WHERE state = 'failed'") == 0
    drain(app)
    assert "100" in scalar("SELECT text FROM mail WHERE name = 'payments/alert' AND about->>'kind' = 'evidence_due'")
