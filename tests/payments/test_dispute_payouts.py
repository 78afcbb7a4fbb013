"""A dispute and the creator's payout: held back before it, taken back after a loss, paid again after a win (S-65, S-68)."""

from core.db import db
from payments import disputes, owing
from payments.models import Payment
from tests.factories import check_money, scalar
from tests.payments.payouts import books, collected, empty_account, go, work

FEE, SHARE, COST = 2_000, 500, 175
NET = 10_000 - SHARE - COST


def bank(app, stripe, status, **more):
    """The bank opens or moves the dispute of the first payment, we hear of it, and the worker works."""
    charge = db.session.scalar(db.select(Payment.charge_id).order_by(Payment.id))
    known = stripe.post("disputes", charge=charge, status=status, **more)
    assert disputes.hear_of_dispute(known["id"])
    work(app)
    check_money()


def agree(stripe):
    rows = dict(db.session.execute(db.text("SELECT account, sum(amount)::bigint FROM ledger_entry GROUP BY account")).all())
    assert rows.get("stripe_pending", 0) + rows.get("stripe_available", 0) == books(stripe, "platform")
    check_money()
    return rows


def test_a_disputed_payment_is_not_paid_out_and_the_others_are(app, stripe):
    collected(app, stripe, 10_000, 10_000, days=13)
    bank(app, stripe, "needs_response")
    go(stripe, 2)
    work(app)
    assert scalar("SELECT count(*) FROM transfer") == 1
    assert scalar("SELECT p.id FROM transfer t JOIN payment p ON p.id = t.payment_id") != scalar(
        "SELECT payment_id FROM dispute")
    agree(stripe)
    bank(app, stripe, "won")
    work(app)
    assert scalar("SELECT count(*) FROM transfer WHERE state = 'succeeded'") == 2
    assert books(stripe, scalar("SELECT stripe_id FROM payout_account")) == 2 * NET - FEE  # the fee stays the creator's
    agree(stripe)


def test_a_part_that_is_disputed_holds_back_that_part_only(app, stripe):
    collected(app, stripe, 10_000, days=13)
    bank(app, stripe, "needs_response", amount=3_000)
    go(stripe, 2)
    work(app)
    assert scalar("SELECT amount FROM transfer") == NET - FEE - 3_000
    agree(stripe)
    bank(app, stripe, "lost")
    assert scalar("SELECT count(*) FROM transfer_reversal") == 0  # what was held back covers it
    work(app)
    go(stripe, 1)
    work(app)
    assert scalar("SELECT sum(amount) FROM transfer WHERE state = 'succeeded'") == NET - FEE - 3_000 + 150
    agree(stripe)


def test_a_loss_after_the_payout_is_taken_back_and_a_win_after_it_is_paid_again(app, stripe):
    collected(app, stripe, 10_000, days=14)
    work(app)
    account = scalar("SELECT stripe_id FROM payout_account")
    assert books(stripe, account) == NET
    bank(app, stripe, "needs_response")
    assert books(stripe, account) == NET - FEE  # the fee at once, the sum only when it is lost
    bank(app, stripe, "lost")
    assert books(stripe, account) == 0  # the creator's part was more than is there: Stripe's own fee is missing
    assert scalar("SELECT sum(amount) FROM transfer_reversal WHERE state = 'succeeded'") == NET
    agree(stripe)
    bank(app, stripe, "appeal_needs_response")
    bank(app, stripe, "appeal_under_review")
    go(stripe, 1)
    work(app)
    assert books(stripe, account) == 0  # still with the bank: nothing is paid out
    bank(app, stripe, "won")
    go(stripe, 1)
    work(app)
    assert books(stripe, account) == NET - FEE
    assert agree(stripe).get("disputes_held", 0) == 0
    bank(app, stripe, "lost")  # and once more: another cause, another reversal
    go(stripe, 1)
    work(app)
    assert books(stripe, account) == 0
    agree(stripe)


def test_a_loss_that_the_account_cannot_bear_is_the_creators_debt(app, stripe):
    project = collected(app, stripe, 10_000, days=14)
    work(app)
    account = scalar("SELECT stripe_id FROM payout_account")
    empty_account(stripe, account)
    bank(app, stripe, "needs_response")
    bank(app, stripe, "lost")
    owed = agree(stripe)["creator_debt"]
    assert owed >= NET
    assert owing.debts_of(project.creator_id) == {"EUR": owed}
