"""Scenes of banks: a charge, what a bank does about it at Stripe, and whether our books and Stripe's are one."""

from core.db import db
from payments import disputes
from payments.models import Dispute, Payment
from tests.factories import back, check_money, end_project, make_project


def paid(app, stripe, number="4242424242424242", amount=10_000, **columns):
    """A collected payment on this card; whatever the card brings has happened at Stripe and was not heard of."""
    project = make_project(goal=1_000, **columns)
    pledge = back(stripe, project, bonus=amount, number=number)
    end_project(app, project)
    return db.session.get_one(Payment, pledge.payment_id)


def dispute_at(stripe, payment, status="needs_response", **more):
    """Open a dispute at Stripe, or move it; its id."""
    return stripe.post("disputes", charge=payment.charge_id, status=status, **more)["id"]


def heard(stripe, dispute_id):
    assert disputes.hear_of_dispute(dispute_id)
    return db.session.scalar(db.select(Dispute).filter_by(stripe_id=dispute_id).execution_options(populate_existing=True))


def sums():
    rows = db.session.execute(db.text("SELECT account, sum(amount) FROM ledger_entry GROUP BY account"))
    return {account: int(amount) for account, amount in rows if amount}


def at_stripe(stripe, currency="eur"):
    """What Stripe says the platform has."""
    return stripe.get("books")["accounts"].get("platform", {}).get(currency, 0)


def agree(stripe):
    """Our books and Stripe's are one, and every invariant holds."""
    ours = sums()
    assert ours.get("stripe_pending", 0) + ours.get("stripe_available", 0) == at_stripe(stripe)
    check_money()


def payable():
    return -sums().get("creator_payable", 0)


FEE, SHARE, COST = 2_000, 500, 175  # of a dispute; the platform's of 100 euros; Stripe's of the charge
