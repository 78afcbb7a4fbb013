"""S-50: where Stripe's side and ours differ, thing by thing, and what is left alone."""


import pytest
import sqlalchemy as sa

from core.db import db, transaction
from core.jobs import drain
from payments import (
    charging,
    disputes,
    gateway,
    gateway_refunds,
    reconciling,
)
from payments.models import Payment
from payments.refunds import ask_refund
from payments.theirs import Theirs
from tests.backing.runs import call
from tests.factories import check_money, scalar
from tests.payments.test_reconciling import (
    collected,
    confirmed,
    found,
    full,
    leased,
    made_past_us,
    open_lines,
    paid_out,
    second_charge,
)


@pytest.fixture(autouse=True)
def open_again(app):
    app.extensions.pop("money_mode", None)
    yield
    app.extensions.pop("money_mode", None)


@pytest.mark.parametrize(("ours", "theirs", "end"), [
    ("unknown", "requires_action", "requires_action"), ("unknown", "processing", "processing"),
    ("requires_action", "canceled", "failed"), ("requires_action", "requires_payment_method", "failed"),
    ("processing", "requires_payment_method", "failed")])
def test_a_payment_that_stands_elsewhere_at_stripe_follows(app, stripe, ours, theirs, end):
    """S-50: no event told of it."""
    _pledge, one = leased(stripe)
    [step] = charging.look_up([one])
    charging.create(step)
    with transaction():
        charging.begin([step])
    with transaction() as session:
        session.execute(sa.text("UPDATE payment SET state = :state"), {"state": ours})
    stripe.post("tamper", kind="payment_intent", id=step.stripe_id, set={"status": theirs})
    report = full()
    assert found(report) == {"payments": (1, 1, 0)} and open_lines() == []
    assert scalar("SELECT state FROM payment") == end
    assert found(full()) == {}


def test_another_sum_than_was_asked_for_is_told_and_never_booked(app, stripe):
    """S-50: we know no end of it, and Stripe says paid, but not what we asked."""
    _pledge, one = leased(stripe)
    stripe.post("faults", match="POST */confirm", kind="drop_after", times=3)
    with pytest.raises(gateway.Silence):
        charging.charge(one.payment_id, one.payment_method_id, "x")
    intent = scalar("SELECT stripe_id FROM payment")
    db.session.rollback()
    stripe.post("tamper", kind="payment_intent", id=intent, set={"amount_received": 1})
    full()
    assert ("amount", intent) in open_lines()
    assert scalar("SELECT state FROM payment") == "unknown" and scalar("SELECT count(*) FROM ledger_transaction") == 0


@pytest.mark.parametrize("paid", [False, True])
def test_an_intent_of_another_sum_is_never_adopted(app, stripe, paid):
    _pledge, one = leased(stripe)
    payment = db.session.get(Payment, one.payment_id)
    stray = made_past_us(payment, "another", payment.amount - 1)
    if paid:
        stray_charge = confirmed(payment, stray).charge_id
    full()
    assert scalar("SELECT stripe_id FROM payment") is None and scalar("SELECT state FROM payment") == "created"
    if paid:
        assert ("unknown_charge", stray_charge) in open_lines()
    else:
        assert stripe.get(f"state/payment_intent/{stray}")["status"] == "canceled"
    assert scalar("SELECT count(*) FROM ledger_transaction") == 0


def test_of_two_paid_intents_of_one_payment_one_is_taken_and_the_other_is_one_too_many(app, stripe):
    _pledge, one = leased(stripe)
    payment = db.session.get(Payment, one.payment_id)
    charges = {(intent := made_past_us(payment, key)): confirmed(payment, intent).charge_id for key in ("first", "second")}
    full()
    taken = db.session.execute(sa.text("SELECT state, stripe_id, charge_id FROM payment")).one()
    assert taken.state == "succeeded" and charges.pop(taken.stripe_id) == taken.charge_id
    assert ("duplicate_charge", *charges.values()) in open_lines()
    assert scalar("SELECT count(*) FROM ledger_transaction WHERE kind = 'charge'") == 1
    check_money()


def test_a_second_charge_whose_intent_nobody_shows_is_found_by_itself(app, stripe):
    [payment] = collected(app, stripe)
    second = second_charge(payment)
    stripe.post("tamper", kind="payment_intent", id=second.stripe_id, hide=True)
    full()
    assert ("duplicate_charge", second.charge_id) in open_lines()
    gateway_refunds.create_refund(key="dashboard", refund_id="by hand", amount=payment.amount, charge_id=second.charge_id,
                                  payment_stripe_id=None, reason=None)
    full()
    assert "duplicate_charge" not in {kind for kind, _ in open_lines()}  # somebody sent it back at Stripe


def test_what_others_do_with_the_same_account_is_none_of_our_business(app, stripe):
    """A charge that carries no name of ours; only the balance tells of it."""
    collected(app, stripe)
    made = call(stripe, "payment_intents", amount="700", currency="eur", payment_method="pm_card_visa", confirm="true",
                return_url="http://localhost/")
    stray = call(stripe, "payment_intents", amount="700", currency="eur")
    assert made["status"] == "succeeded"
    full()
    assert open_lines() == [("balance", "balance:EUR")]
    assert stripe.get(f"state/payment_intent/{stray['id']}")["status"] == "requires_payment_method"


def test_an_intent_that_is_being_paid_is_not_called_off(app, stripe):
    [payment] = collected(app, stripe)
    stray = second_charge(payment, paid=False)
    stripe.post("tamper", kind="payment_intent", id=stray, set={"status": "processing"})
    full()
    assert ("stray_intent", stray) in open_lines()
    assert [e for e in stripe.get("log") if e["path"].endswith("/cancel")] == []


@pytest.mark.parametrize(("change", "expected"), [
    ({"amount": 1}, "amount"), ({"destination": "acct_other"}, "amount"), ({"amount_reversed": 5}, "reversed"),
    (None, "missing_there")])
def test_every_silent_change_of_a_transfer_is_found(app, stripe, change, expected):
    paid_out(app, stripe)
    transfer = scalar("SELECT stripe_id FROM transfer")
    assert full().left == 0
    stripe.post("tamper", kind="transfer", id=transfer, **({"hide": True} if change is None else {"set": change}))
    full()
    assert open_lines() == [(expected, transfer)]
    stripe.post("tamper", kind="transfer", id=transfer, restore=True)
    assert full().left == 0 and open_lines() == []
    check_money()


def test_a_transfer_and_a_reversal_whose_replies_were_lost_are_taken_in(app, stripe):
    stripe.post("faults", match="POST /v1/transfers", kind="drop_after", times=3)
    paid_out(app, stripe, state="unknown")
    assert found(full())["transfers"] == (1, 1, 0)
    assert scalar("SELECT state FROM transfer") == "succeeded"
    db.session.rollback()
    stripe.post("faults", match="POST /v1/transfers/*/reversals", kind="drop_after", times=3)
    ask_refund(scalar("SELECT id FROM payment"), 500, "asked")
    drain(app, ticking=False)
    assert scalar("SELECT state FROM transfer_reversal") == "unknown"
    assert found(full())["transfers"] == (1, 1, 0)
    assert scalar("SELECT state FROM transfer_reversal") == "succeeded"
    assert full().left == 0
    check_money()


def test_a_dispute_that_moved_in_silence_is_followed(app, stripe):
    [payment] = collected(app, stripe)
    charge = payment.charge_id
    db.session.rollback()
    dispute = stripe.post("disputes", charge=charge)["id"]
    full()
    assert scalar("SELECT status FROM dispute") == "needs_response"
    db.session.rollback()
    stripe.post("webhooks", mode="lose")
    stripe.post("disputes", dispute=dispute, status="lost")
    assert found(full())["disputes"] == (1, 1, 0)
    assert scalar("SELECT status FROM dispute") == "lost"
    db.session.rollback()
    stripe.post("tamper", kind="dispute", id=dispute, set={"amount": 1_999})
    assert found(full())["disputes"] == (1, 1, 0)
    assert scalar("SELECT amount FROM dispute") == 1_999


def test_one_that_cannot_be_healed_keeps_no_other_from_it(app, stripe, monkeypatch):
    payments = collected(app, stripe, 2)
    stripe.post("webhooks", mode="lose")
    stripe.post("disputes", charge=payments[0].charge_id)
    stripe.post("fraud_warnings", charge=payments[1].charge_id)

    def bug(_stripe_id):
        raise RuntimeError("a bug")

    monkeypatch.setattr(disputes, "hear_of_dispute", bug)
    full()
    assert "unknown_dispute" in {kind for kind, _ in open_lines()}
    assert scalar("SELECT count(*) FROM fraud_warning") == 1
    monkeypatch.undo()
    assert full().left == 0 and open_lines() == []


def test_what_happened_after_the_lists_were_read_is_no_difference(app, stripe, monkeypatch):
    """Lists are a little old when they are compared: what differs is looked at again, what is missing is asked for."""
    _pledge, one = leased(stripe)
    load = Theirs.load

    def late(self, since):
        load(self, since)
        charging.charge(one.payment_id, one.payment_method_id, "x")

    [step] = charging.look_up([one])
    charging.create(step)
    with transaction():
        charging.begin([step])
    monkeypatch.setattr(Theirs, "load", late)
    report = reconciling.reconcile(full=True)
    assert scalar("SELECT state FROM payment") == "succeeded"
    assert (report.left, open_lines()) == (0, [])
    check_money()
