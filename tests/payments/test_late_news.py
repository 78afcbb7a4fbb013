"""S-44 after the charge: news of refunds, disputes, transfers and reversals, lost, doubled and in any order."""

import os
import random

import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from core.db import db
from core.jobs import drain
from payments import inbox, payouts, refunds
from payments.models import Payment
from tests.factories import back, end_project, make_project, scalar
from tests.payments.bank import agree, dispute_at
from tests.payments.payouts import go, make_account, ripen

FINE, SLOW = "4242424242424242", "4000000000007726"
WAYS = (("won",), ("lost",), ("under_review", "won"), ("under_review", "lost"), ("won", "lost"),
        ("lost", "appeal_needs_response", "appeal_under_review", "won"))


@settings(max_examples=100 if os.environ.get("FAULTS") == "all" else 4, deadline=None, database=None, derandomize=True,
          suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(st.integers(0, 2 ** 32), st.sampled_from(WAYS))
def test_in_whatever_order_and_however_often_the_news_after_the_charge_comes_it_ends_the_same(app, stripe, seed, way):
    chance = random.Random(seed)
    project = make_project(goal=1_000, days=0.05)
    project_id = project.id
    make_account(stripe, project.creator)
    before = len(stripe.get("state/event"))
    pledges = [back(stripe, project, bonus=bonus, number=card).id
               for bonus, card in ((5_000, FINE), (6_000, SLOW), (7_000, FINE))]
    end_project(app, project)
    go(stripe)
    ids = db.session.scalars(sa.select(Payment.id).where(Payment.project_id == project_id).order_by(Payment.amount)).all()

    def news(share=0.5):
        """Some of what Stripe has to tell, any of it up to three times, in any order, each through the front door."""
        some = [one for one in stripe.get("state/event")[before:] if chance.random() < share]
        some = [one for one in some for _ in range(chance.randint(1, 3))]
        chance.shuffle(some)
        db.session.rollback()
        for event in some:
            inbox.receive(event)
            try:
                inbox.handle_event(event["id"])
            except inbox.NotYet:
                db.session.rollback()

    def work():
        ripen()
        drain(app, ticking=False)
        db.session.rollback()

    dispute_id = dispute_at(stripe, db.session.get_one(Payment, ids[2]))
    db.session.rollback()
    for payment_id, amount in ((ids[0], 2_000), (ids[1], None)):
        refunds.ask_refund(payment_id, amount, "asked")
    news()
    work()
    for status in way:
        stripe.post("disputes", dispute=dispute_id, status=status)
        news()
    go(stripe, 15)  # the slow refund has arrived at Stripe
    payouts.pay_out(project_id)
    refunds.ask_refund(ids[0], 1_000, "asked")
    news()
    work()
    with db.engine.begin() as connection:  # as if each had been stored and never handled
        connection.execute(sa.text("UPDATE stripe_event SET handled_at = NULL"))
    news(1)
    payouts.pay_out(project_id)
    work()
    mine = {"p": project_id}
    assert scalar("SELECT array_agg(state ORDER BY amount) FROM refund WHERE project_id = :p", **mine) == ["succeeded"] * 3
    assert scalar("SELECT status FROM dispute WHERE project_id = :p", **mine) == way[-1]
    parts = db.session.execute(sa.text("""
        SELECT count(*) FILTER (WHERE part LIKE 'lost:%' AND reverses_id IS NULL) AS lost,
               count(*) FILTER (WHERE part = 'withdrawn') AS withdrawn, count(*) FILTER (WHERE part = 'reinstated') AS back
          FROM ledger_transaction WHERE kind = 'dispute' AND project_id = :p"""), mine).one()
    assert parts.withdrawn - parts.back == (way[-1] == "lost") and parts.lost <= 2
    left = -scalar("SELECT coalesce(sum(amount), 0) FROM ledger_entry WHERE project_id = :p AND account = 'creator_payable'",
                   **mine)
    arrived = scalar("SELECT coalesce(sum(amount), 0) FROM transfer WHERE project_id = :p AND state = 'succeeded'", **mine)
    back_again = scalar("SELECT coalesce(sum(amount), 0) FROM transfer_reversal WHERE project_id = :p", **mine)
    # What a lost dispute costs is set off first, and may be more than all that the others bring.
    assert (arrived > 0 or way[-1] == "lost") and scalar("SELECT count(*) FROM transfer WHERE project_id = :p AND state <> 'succeeded'", **mine) == 0
    told = dict(db.session.execute(sa.text("""
        SELECT m.name, count(*) FROM mail m JOIN refund r ON r.id::text = m.about->>'refund_id'
         WHERE r.project_id = :p GROUP BY 1"""), mine).tuples().all())
    assert told == {"backing/refund_asked": 3, "backing/refund_done": 3}
    assert len(pledges) == 3 and left <= 0 <= back_again
    agree(stripe)
