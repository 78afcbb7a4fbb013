"""Disputes, over the sandbox's own books: who has the money at each step, and who bears the loss (S-68)."""

import random
from datetime import timedelta

import pytest

from core.db import db
from core.errors import Refusal
from core.jobs import drain
from payments import disputes
from payments.gateway_disputes import read_dispute
from payments.models import DisputeStatus, Payment
from tests.factories import back, check_money, end_project, make_project, scalar
from tests.payments.bank import COST, FEE, SHARE, agree, dispute_at, heard, paid, payable, sums

D = DisputeStatus


def test_a_dispute_takes_the_money_and_charges_its_fee_to_the_creator(app, stripe):
    payment = paid(app, stripe, "4000000000000259")
    assert payable() == 10_000 - SHARE - COST
    [there] = stripe.get("state/dispute")
    dispute = heard(stripe, there["id"])
    assert (dispute.status, dispute.reason, dispute.held, dispute.fee) == (D.NEEDS_RESPONSE, "fraudulent", 10_000, FEE)
    assert sums()["disputes_held"] == 10_000
    assert payable() == 10_000 - SHARE - COST - FEE
    assert disputes.is_open(payment.id) and disputes.open_amount(payment.id) == 10_000
    agree(stripe)


@pytest.mark.parametrize(("number", "reason", "status", "held"), [
    ("4000000000000259", "fraudulent", "needs_response", 10_000),
    ("4000000000002685", "product_not_received", "needs_response", 10_000),
    ("4000000000001976", "fraudulent", "warning_needs_response", 0)])
def test_the_cards_that_bring_disputes(app, stripe, number, reason, status, held):
    payment = paid(app, stripe, number)
    dispute = heard(stripe, stripe.get("state/dispute")[0]["id"])
    assert (dispute.status.value, dispute.reason, dispute.held) == (status, reason, held)
    assert disputes.open_amount(payment.id) == held
    assert disputes.is_open(payment.id) is bool(held)
    agree(stripe)


WALKS = {
    "inquiry closed": ["warning_needs_response", "warning_under_review", "warning_closed"],
    "inquiry becomes a dispute, won": ["warning_needs_response", "needs_response", "under_review", "won"],
    "inquiry answered, then a dispute, lost": ["warning_needs_response", "warning_under_review", "needs_response", "lost"],
    "won": ["needs_response", "under_review", "won"],
    "lost": ["needs_response", "lost"],
    "asked again": ["needs_response", "under_review", "needs_response", "under_review", "lost"],
    "prevented": ["needs_response", "prevented"],
    "lost after won": ["needs_response", "won", "lost"],
    "won after lost": ["needs_response", "lost", "appeal_needs_response", "appeal_under_review", "won"],
    "appeal lost": ["needs_response", "lost", "appeal_needs_response", "lost"],
    "won, appealed, lost, appealed, won": ["needs_response", "won", "appeal_needs_response", "appeal_under_review", "lost",
                                           "appeal_needs_response", "appeal_under_review", "won"],
}
AWAY = {"needs_response", "under_review", "lost", "appeal_after_lost"}


def test_the_walks_pass_every_state():
    assert {status for walk in WALKS.values() for status in walk} == {status.value for status in D}


@pytest.mark.parametrize("walk", WALKS.values(), ids=WALKS.keys())
def test_every_walk_of_a_dispute_ends_in_the_right_books(app, stripe, walk):
    payment = paid(app, stripe)
    before, fees, away = payable(), 0, 0
    for status in walk:
        dispute = heard(stripe, dispute_at(stripe, payment, status))
        assert dispute.status.value == status
        takes = status in ("needs_response", "lost")
        fees += FEE * (takes and not away)
        away = 10_000 if takes else 0 if status in ("won", "prevented") else away
        lost = away if status == "lost" else 0
        ours = sums()
        assert dispute.held == away and ours.get("disputes_held", 0) == away - lost
        assert ours.get("platform_fee", 0) == (0 if lost else -SHARE)
        assert payable() == before - fees - (lost - SHARE if lost else 0)
        assert disputes.open_amount(payment.id) == (0 if lost else away or 10_000 * status.startswith("appeal"))
        agree(stripe)
    assert dispute.fee == fees
    assert bool(dispute.closed_at) == (walk[-1] in ("won", "lost", "prevented", "warning_closed"))
    assert scalar("SELECT count(*) FROM dispute_move") == len(walk)
    assert scalar("SELECT count(*) FROM mail WHERE name LIKE 'payments/dispute%'") == scalar(
        "SELECT count(*) FROM ledger_transaction WHERE kind = 'dispute' AND reverses_id IS NULL")


def test_a_part_of_a_charge_is_disputed_twice_and_lost_once(app, stripe):
    payment = paid(app, stripe)
    first, second = (dispute_at(stripe, payment, amount=amount) if not n else
                     stripe.post("disputes", charge=payment.charge_id, amount=amount)["id"]
                     for n, amount in enumerate((3_333, 6_667)))
    for one in (first, second):
        heard(stripe, one)
    assert disputes.open_amount(payment.id) == 10_000
    assert disputes.open_amounts(payment.project_id) == {payment.id: 10_000}
    stripe.post("disputes", dispute=first, status="lost")
    heard(stripe, first)
    assert disputes.open_amount(payment.id) == 6_667 and disputes.is_open(payment.id)
    assert sums()["platform_fee"] == -SHARE + 167  # 5 % of 33.33, half up
    agree(stripe)
    stripe.post("disputes", dispute=second, status="lost")
    heard(stripe, second)
    assert sums().get("platform_fee", 0) == 0  # wholly lost: the last cent of the share went with it
    assert sums().get("disputes_held", 0) == 0
    agree(stripe)


def events_of(stripe):
    return [event for event in stripe.get("state/event") if event["type"].startswith("charge.dispute.")]


@pytest.mark.parametrize("seed", range(3))
def test_doubled_and_shuffled_events_end_in_the_same_books_and_the_same_mails(app, stripe, seed):
    from payments import inbox

    project = make_project(goal=1_000)
    pledges = [back(stripe, project, bonus=10_000) for _ in range(3)]
    end_project(app, project)
    for pledge, walk in zip(pledges, ("won after lost", "lost", "inquiry becomes a dispute, won"), strict=True):
        for status in WALKS[walk]:
            dispute_at(stripe, db.session.get_one(Payment, pledge.payment_id), status)
    events = events_of(stripe) * 3
    random.Random(seed).shuffle(events)
    for n, event in enumerate(events):
        inbox.receive({**event, "id": f"{event['id']}_{n}"})
    drain(app)
    assert scalar("SELECT count(*) FROM stripe_event WHERE handled_at IS NULL") == 0
    states = db.session.execute(db.text("SELECT status, held FROM dispute ORDER BY id")).all()
    assert sorted(map(tuple, states)) == [("lost", 10_000), ("won", 0), ("won", 0)]
    assert sums().get("disputes_held", 0) == 0
    assert scalar("SELECT count(*) FROM ledger_transaction WHERE kind = 'dispute'") == 2 + 2 + 2  # three taken, two back, one lost
    assert scalar("SELECT count(*) FROM mail WHERE name LIKE 'payments/dispute%'") == 6
    agree(stripe)


def test_an_answer_that_was_overtaken_on_its_way_changes_nothing(app, stripe):
    payment = paid(app, stripe)
    old = read_dispute(dispute_at(stripe, payment))
    dispute_at(stripe, payment, "lost")
    assert disputes.record_dispute(read_dispute(old.stripe_id))
    assert disputes.record_dispute(old)  # asked before
    assert scalar("SELECT status FROM dispute") == "lost"
    assert scalar("SELECT count(*) FROM ledger_transaction WHERE kind = 'dispute'") == 2
    agree(stripe)


def test_a_state_that_lies_behind_us_is_asked_for_once_more(app, stripe):
    """Both asked at nearly the same time; the one that asked later was answered before."""
    from dataclasses import replace

    payment = paid(app, stripe)
    old = read_dispute(dispute_at(stripe, payment))
    dispute_at(stripe, payment, "lost")
    disputes.record_dispute(read_dispute(old.stripe_id))
    with pytest.raises(disputes.Doubtful):
        disputes.record_dispute(replace(old, asked_at=old.asked_at + timedelta(minutes=1)))
    assert scalar("SELECT status FROM dispute") == "lost"
    agree(stripe)


def test_nothing_is_refunded_while_the_bank_has_it_or_after_it_took_it(app, stripe):
    from payments import refunds

    payment = paid(app, stripe)
    one = dispute_at(stripe, payment, amount=4_000)
    heard(stripe, one)
    for status in ("under_review", "lost"):
        with pytest.raises(Refusal, match="bank"):
            refunds.ask_refund(payment.id, 1_000, "asked")
        heard(stripe, stripe.post("disputes", dispute=one, status=status)["id"])
    with pytest.raises(Refusal, match="bank"):
        refunds.ask_refund(payment.id, 1_000, "asked")
    assert scalar("SELECT count(*) FROM refund") == 0
    agree(stripe)


def test_an_inquiry_can_be_ended_by_a_refund(app, stripe):
    from payments import refunds

    payment = paid(app, stripe, "4000000000001976")
    heard(stripe, stripe.get("state/dispute")[0]["id"])
    refunds.ask_refund(payment.id, None, "asked")
    drain(app)
    assert scalar("SELECT state FROM refund") == "succeeded"
    check_money()


def test_a_dispute_that_is_faster_than_its_charge_asks_for_the_charge_first(app, stripe):
    stripe.post("faults", match="POST /v1/payment_intents/*/confirm", kind="drop_after", times=99)
    project = make_project(goal=1_000)
    pledge = back(stripe, project, bonus=10_000, number="4000000000000259")
    end_project(app, project)
    stripe.call("DELETE", "faults")
    assert scalar("SELECT state FROM payment") != "succeeded"
    [there] = stripe.get("state/dispute")
    assert disputes.record_dispute(read_dispute(there["id"])) is False  # a dispute of what we do not know to be paid
    assert disputes.hear_of_dispute(there["id"])
    assert scalar("SELECT state FROM payment") == "succeeded"
    assert disputes.open_amount(pledge.payment_id) == 10_000
    agree(stripe)


def test_a_dispute_of_somebody_elses_charge_is_not_ours(app, stripe):
    paid(app, stripe, "4000000000000259")
    [there] = stripe.get("state/dispute")
    stripe.call("PATCH", f"state/dispute/{there['id']}", {"payment_intent": "pi_of_somebody_else", "charge": "ch_x"})
    assert disputes.hear_of_dispute(there["id"]) is False
    assert scalar("SELECT count(*) FROM dispute") == 0


def test_a_dispute_without_an_intent_is_found_by_its_charge_only(app, stripe):
    with db.engine.begin() as connection:  # one that Stripe does not know yet
        project = make_project()
        connection.execute(db.text("INSERT INTO payment (subject_id, project_id, person_id, amount, currency, fee_bp) "
                                   "VALUES (gen_random_uuid(), :p, :c, 100, 'EUR', 0)"), {"p": project.id, "c": project.creator_id})
    payment = paid(app, stripe, "4000000000000259")
    [there] = stripe.get("state/dispute")
    stripe.call("PATCH", f"state/dispute/{there['id']}", {"payment_intent": None})
    assert disputes.hear_of_dispute(there["id"])
    assert disputes.open_amount(payment.id) == 10_000
