"""S-50: the acts of the worklist, each once and whole."""


import pytest

from core.db import db, transaction
from core.errors import Refusal, Unavailable
from payments import (
    gateway_refunds,
    ledger,
    refund_news,
    worklist,
)
from payments.ledger import Account
from tests.factories import check_money, scalar
from tests.payments.test_reconciling import collected, full, open_lines


@pytest.fixture(autouse=True)
def open_again(app):
    app.extensions.pop("money_mode", None)
    yield
    app.extensions.pop("money_mode", None)


def test_of_two_who_settle_one_line_the_second_is_told(app, stripe):
    [payment] = collected(app, stripe)
    charge = payment.charge_id
    db.session.rollback()
    stripe.post("tamper", kind="charge", id=charge, set={"amount": 1})
    full()
    [line] = worklist.open_items()
    worklist.explain(line.id, "known to us")
    with pytest.raises(Refusal, match="settled this already"):
        worklist.explain(line.id, "not at all known to us")
    assert scalar("SELECT how FROM mismatch") == "explained: known to us"
    assert scalar("SELECT count(*) FROM audit_entry WHERE action = 'payments:explain_mismatch'") == 1


def test_while_stripe_is_silent_nothing_is_settled(app, stripe):
    [payment] = collected(app, stripe)
    charge = payment.charge_id
    db.session.rollback()
    stripe.post("tamper", kind="charge", id=charge, set={"amount": 1})
    full()
    [line] = worklist.open_items()
    stripe.post("faults", match="GET /v1/charges*", kind="500_before", times=None)
    with pytest.raises(Unavailable):
        worklist.act(line.id, "again")
    assert open_lines() == [("amount", charge)]


@pytest.mark.parametrize("broken", ["failed at Stripe", "half way"])
def test_a_refund_is_taken_in_whole_or_not_at_all(app, stripe, monkeypatch, broken):
    [payment] = collected(app, stripe)
    made = gateway_refunds.create_refund(key="dashboard", refund_id="by hand", amount=700, charge_id=payment.charge_id,
                                         payment_stripe_id=None, reason=None)
    full()
    line = next(item for item in worklist.open_items() if item.kind == "unknown_refund")
    if broken == "half way":
        def bug(*_):
            raise RuntimeError("a bug")

        monkeypatch.setattr(refund_news, "record_refund", bug)
        with pytest.raises(RuntimeError):
            worklist.act(line.id, "adopt")
    else:
        stripe.post("tamper", kind="refund", id=made.stripe_id, set={"status": "failed"})
        with pytest.raises(Refusal):
            worklist.act(line.id, "adopt")
    assert scalar("SELECT count(*) FROM refund") == 0 == scalar("SELECT refunded FROM payment")
    assert ("unknown_refund", made.stripe_id) in open_lines()
    check_money()


@pytest.mark.parametrize("kind", ["missing_there", "balance"])
def test_asking_again_settles_what_is_there_again_and_nothing_else(app, stripe, kind):
    [payment] = collected(app, stripe)
    charge = payment.charge_id
    db.session.rollback()
    if kind == "balance":
        with transaction():
            ledger.post("adjustment", "txn_made_up", "EUR", [(Account.STRIPE_AVAILABLE, 5, ""), (Account.STRIPE_FEES, -5, "")])
    else:
        stripe.post("tamper", kind="charge", id=charge, hide=True)
    full()
    line = next(item for item in worklist.open_items() if item.kind == kind)
    assert worklist.act(line.id, "again") == "" and kind in {one for one, _ in open_lines()}
    if kind == "balance":
        with transaction():
            ledger.reverse("adjustment", "txn_made_up", "", "was made up")
    else:
        stripe.post("tamper", kind="charge", id=charge, restore=True)
    assert worklist.act(line.id, "again") == "healed" and kind not in {one for one, _ in open_lines()}
