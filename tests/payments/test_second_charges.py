"""S-67: a charge that should never have been goes back beside the payment, and leaves the pledge alone."""

from datetime import timedelta

import pytest

from core import clock
from core.db import db
from core.errors import BadInput, Refusal
from payments import gateway, ledger, reconciling, worklist
from payments.ledger import Account, balance
from payments.refunds import ask_refund, hear_of_refund, refund_duplicate
from tests.factories import check_money, scalar
from tests.payments.test_refunds import paid, settle, states, stripe_in_our_books, stripes_own


def second_charge(payment):
    """What must never be: another charge for the same pledge, made past our code."""
    customer = scalar("SELECT stripe_id FROM stripe_customer")
    method = scalar("SELECT payment_method_id FROM card_setup WHERE payment_method_id IS NOT NULL")
    db.session.rollback()
    intent = gateway.create_payment(key="twice", amount=payment.amount, currency="EUR", customer_id=customer,
                                    subject_id=str(payment.subject_id), project_id=str(payment.project_id),
                                    description="twice")
    return gateway.confirm_payment(intent, key="twice-cf", payment_method_id=method).charge_id


def test_a_second_charge_is_refunded_beside_the_payment(app, stripe):
    """S-67: the pledge stays collected, and all of the payment can still be refunded."""
    payment = paid(app, stripe)
    charge = second_charge(payment)
    owed = ledger.payable(payment.subject_id)
    made = refund_duplicate(payment.id, charge, payment.amount)
    assert refund_duplicate(payment.id, charge, payment.amount).id == made.id
    settle(app)
    assert states() == ["succeeded"] and scalar("SELECT refunded FROM payment") == 0
    assert scalar("SELECT state FROM pledge") == "collected" and ledger.payable(payment.subject_id) == owed
    assert stripe.get("state/refund")[0]["charge"] == charge
    assert balance(Account.BACKER_RECEIVABLE, "EUR") == 0 and balance(Account.STRIPE_FEES, "EUR") > 0
    assert stripe_in_our_books() == stripes_own(stripe)
    check_money()
    assert ask_refund(payment.id, None, "asked").amount == payment.amount


def test_only_a_second_charge_of_the_same_backer_is_a_duplicate(app, stripe):
    payment = paid(app, stripe)
    charge = second_charge(payment)
    with pytest.raises(Refusal):
        refund_duplicate(payment.id, payment.charge_id, 100)
    with pytest.raises(Refusal, match="does not know"):
        refund_duplicate(payment.id, "ch_nobody", 100)
    with pytest.raises(BadInput) as refused:
        refund_duplicate(payment.id, charge, payment.amount + 1)
    assert refused.value.field == "amount" and scalar("SELECT count(*) FROM refund") == 0


def test_a_second_charge_whose_refund_did_not_arrive_can_be_sent_back_again_by_staff(app, stripe):
    """S-66, S-67: from the line of the worklist that says so; and the books know the charge once."""
    payment = paid(app, stripe)
    charge = second_charge(payment)
    first = refund_duplicate(payment.id, charge, payment.amount)
    settle(app)
    _fail(stripe)
    assert states() == ["failed"] and balance(Account.BACKER_RECEIVABLE, "EUR") == -payment.amount
    check_money()
    [line] = worklist.open_items()
    assert (line.kind, line.action) == ("refund_failed", "refund")
    assert worklist.act(line.id, "refund") == "refunded"
    settle(app)
    assert states() == ["failed", "succeeded"] and worklist.count_open() == 0
    again = refund_duplicate(payment.id, charge, payment.amount)
    assert again.id != first.id and len(states()) == 2
    db.session.rollback()
    assert [one["status"] for one in stripe.get("state/refund")].count("succeeded") == 1
    assert balance(Account.BACKER_RECEIVABLE, "EUR") == 0 and scalar("SELECT state FROM pledge") == "collected"
    check_money()
    clock.move_clock(timedelta(days=8))
    stripe.post("clock", offset=clock.shift().total_seconds())
    assert reconciling.reconcile(full=True).left == 0
    assert balance(Account.STRIPE_PENDING, "EUR") == 0
    check_money()


def test_a_payments_own_refund_that_failed_is_sent_anew_from_its_pledge_only(app, stripe):
    payment = paid(app, stripe)
    ask_refund(payment.id, None, "asked")
    settle(app)
    _fail(stripe)
    [line] = worklist.open_items()
    assert (line.kind, line.action) == ("refund_failed", "")
    with pytest.raises(Refusal):
        worklist.act(line.id, "refund")
    ask_refund(payment.id, payment.amount - 100, "asked")
    settle(app)
    assert worklist.count_open() == 1  # not all of it went back
    ask_refund(payment.id, 100, "asked")
    settle(app)
    assert worklist.count_open() == 0 and worklist.settled_items()[0].how == "refunded"
    check_money()


def _fail(stripe):
    """The bank of the backer would not have it, after some days."""
    stripe_id = scalar("SELECT stripe_id FROM refund")
    db.session.rollback()
    stripe.post(f"refunds/{stripe_id}/fail")
    hear_of_refund(stripe_id)
    db.session.expire_all()
