"""S-10, S-11: a key that Stripe has forgotten is replaced by a look at its list."""

from datetime import timedelta

import pytest

from core import clock
from core.db import db
from payments import (
    charging,
    gateway,
)
from payments.models import Payment
from tests.factories import check_money, scalar
from tests.payments.test_reconciling import (
    leased,
)


@pytest.fixture(autouse=True)
def open_again(app):
    app.extensions.pop("money_mode", None)
    yield
    app.extensions.pop("money_mode", None)


def test_no_money_code_ever_searches(app):
    """S-11: Stripe's search lags; only lists are asked."""
    from pathlib import Path

    for path in (Path(__file__).parents[2] / "payments").glob("*.py"):
        assert ".search(" not in path.read_text().replace("re.search(", ""), path


def test_the_look_up_before_a_second_create_is_by_list(app, stripe):
    """S-10: the reply to the create was lost, and the key is forgotten after a day."""
    _pledge, one = leased(stripe)
    stripe.post("faults", match="POST /v1/payment_intents", kind="drop_after", times=3)
    with pytest.raises(gateway.Silence):
        charging.charge(one.payment_id, one.payment_method_id, "x")
    assert stripe.get("counts")["payment_intent"] == 1 and scalar("SELECT stripe_id FROM payment") is None
    db.session.rollback()
    stripe.call("DELETE", "faults")
    clock.move_clock(timedelta(hours=25))
    charging.charge(one.payment_id, one.payment_method_id, "x")
    counts = stripe.get("counts")
    assert (counts["payment_intent"], counts["charges_succeeded"]) == (1, 1)
    assert scalar("SELECT state FROM pledge") == "collected"
    check_money()


@pytest.mark.parametrize("wrong", ["of another pledge", "called off", "of another sum"])
def test_the_look_up_takes_no_intent_that_is_not_this_payments_own(app, stripe, wrong):
    """S-10: the key is forgotten, and this backer has another intent at Stripe that looks like it."""
    _pledge, one = leased(stripe)
    payment = db.session.get(Payment, one.payment_id)
    customer = scalar("SELECT stripe_id FROM stripe_customer")
    db.session.rollback()
    stray = gateway.create_payment(
        key="stray", amount=payment.amount - (wrong == "of another sum"), currency="EUR", customer_id=customer, description="x",
        subject_id="another" if wrong == "of another pledge" else str(payment.subject_id), project_id=str(payment.project_id))
    if wrong == "called off":
        gateway.cancel_payment(stray, key="x")
    clock.move_clock(timedelta(hours=25))
    charging.charge(one.payment_id, one.payment_method_id, "x")
    assert scalar("SELECT state FROM payment") == "succeeded" and scalar("SELECT stripe_id FROM payment") != stray
    assert stripe.get(f"state/payment_intent/{stray}")["status"] != "succeeded"
    check_money()
