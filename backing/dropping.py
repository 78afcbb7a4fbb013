"""Letting pledges go that were not charged: not mended in time, or everybody's money goes back."""

from uuid import UUID

import sqlalchemy as sa

from backing.placing import add_move, release
from backing.totals import add_delta
from core.db import db, transaction
from core.mail import post
from payments import charging

REFUNDED = "refunded"  # the `cancel_reason` of who was let go because everybody's money goes back
BATCH = 200


def drop(pledge_id: UUID, why: str, reason: str | None = None) -> bool:
    """errored or pledged → dropped: nobody charges it any more; its stock goes back and its sum no longer counts.

    The intent is called off at Stripe first, so that a late yes of the bank cannot charge somebody who was let go.
    """
    payment_id = db.session.scalar(sa.text("SELECT payment_id FROM pledge WHERE id = :id AND state = 'errored'"),
                                   {"id": pledge_id})
    db.session.rollback()
    if payment_id and not charging.call_off(payment_id):
        return False
    with transaction() as session:
        row = session.execute(sa.text("""
            UPDATE pledge SET state = 'dropped', cancel_reason = :reason
             WHERE id = :id AND (state = 'errored' OR state = 'pledged' AND CAST(:reason AS text) IS NOT NULL)
            RETURNING id, project_id, reward_id, amount, old.state AS was"""), {"id": pledge_id, "reason": reason}).first()
        if row is None:
            return False
        add_move(row.id, row.project_id, row.was, "dropped", None, why)
        add_delta(row.project_id, row.reward_id, backers=-1, raised=-row.amount)
        post("backing/dropped", pledge_id=row.id)
        session.flush()
        release(row.reward_id)
    return True


_UNCHARGED = sa.text("SELECT id FROM pledge WHERE project_id = :project AND state IN ('pledged', 'errored') AND id > :after "
                     "ORDER BY id LIMIT :n")


def let_everyone_go(project_id: UUID) -> None:
    """Drop who was not charged of a project that gives everybody's money back. Whose charge is in the air, or whom Stripe
    does not let us call off now, is left for the next time."""
    after = UUID(int=0)
    while ids := list(db.session.scalars(_UNCHARGED, {"project": project_id, "after": after, "n": BATCH})):
        for pledge_id in ids:
            drop(pledge_id, "everybody's money goes back", REFUNDED)
        after = ids[-1]
    db.session.rollback()
