"""Letting a pledge go whose charge was not mended in time."""

from uuid import UUID

import sqlalchemy as sa

from backing.placing import add_move, release
from backing.totals import add_delta
from core.db import db, transaction
from core.mail import post
from payments import charging


def drop(pledge_id: UUID, why: str) -> bool:
    """errored → dropped: the time to mend it is over; its stock goes back and its sum no longer counts.

    The intent is called off at Stripe first, so that a late yes of the bank cannot charge somebody who was let go.
    """
    payment_id = db.session.scalar(sa.text("SELECT payment_id FROM pledge WHERE id = :id AND state = 'errored'"),
                                   {"id": pledge_id})
    db.session.rollback()
    if payment_id and not charging.call_off(payment_id):
        return False
    with transaction() as session:
        row = session.execute(sa.text("""
            UPDATE pledge SET state = 'dropped' WHERE id = :id AND state = 'errored'
            RETURNING id, project_id, reward_id, amount"""), {"id": pledge_id}).first()
        if row is None:
            return False
        add_move(row.id, row.project_id, "errored", "dropped", None, why)
        add_delta(row.project_id, row.reward_id, backers=-1, raised=-row.amount)
        post("backing/dropped", pledge_id=row.id)
        session.flush()
        release(row.reward_id)
    return True
