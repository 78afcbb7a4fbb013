"""Totals: pledges write what they changed, and a roll-up adds it to the counters about once a second (C-12).

So no pledge waits for another one's project row, and the counters are never more than a second old. What is in
`pledge_delta` plus what is in the counters is always the sum over the standing pledges.
"""

from uuid import UUID

import sqlalchemy as sa

from core.db import db, transaction
from core.jobs import every
from core.pages import touch

_ADD = sa.text("""
    INSERT INTO pledge_delta (project_id, reward_id, backers, raised, collected)
    VALUES (:project, :reward, :backers, :raised, :collected)""")


def add_delta(project_id: UUID, reward_id: UUID | None, *, backers: int = 0, raised: int = 0, collected: int = 0) -> None:
    """Say what this transaction changes in the totals."""
    db.session.execute(_ADD, {"project": project_id, "reward": reward_id, "backers": backers, "raised": raised,
                              "collected": collected})


_ROLL = sa.text("""
    WITH gone AS (
        DELETE FROM pledge_delta WHERE id IN (SELECT id FROM pledge_delta ORDER BY id LIMIT 20000)
        RETURNING project_id, reward_id, backers, raised, collected),
    by_project AS (
        SELECT project_id, sum(backers) AS backers, sum(raised) AS raised, sum(collected) AS collected
          FROM gone GROUP BY 1),
    by_reward AS (
        SELECT reward_id, sum(backers) AS backers, sum(raised) AS raised FROM gone
         WHERE reward_id IS NOT NULL GROUP BY 1),
    projects AS (
        UPDATE project_total t SET backers = t.backers + s.backers, raised = t.raised + s.raised,
                                   collected = t.collected + s.collected
          FROM by_project s WHERE t.project_id = s.project_id RETURNING t.project_id),
    rewards AS (
        UPDATE reward_total t SET backers = t.backers + s.backers, raised = t.raised + s.raised
          FROM by_reward s WHERE t.reward_id = s.reward_id)
    SELECT p.slug FROM projects JOIN project p ON p.id = projects.project_id""")


@every(0.5, "backing:roll_up")
def roll_up() -> int:
    """Add the waiting deltas to the counters; returns how many projects changed. Two at once take turns."""
    with transaction() as session:
        if not session.scalar(sa.text("SELECT EXISTS (SELECT 1 FROM pledge_delta)")):
            return 0
        if not session.scalar(sa.text("SELECT pg_try_advisory_xact_lock(7309944072)")):
            return 0
        slugs = session.scalars(_ROLL).all()
        if slugs:
            touch("front", *(f"project:{slug}" for slug in slugs))
    return len(slugs)


SUMS = sa.text("""
    SELECT coalesce(sum(amount), 0)::bigint AS raised, count(*) AS backers FROM pledge
     WHERE project_id = :project AND state IN ('pledged', 'collecting', 'collected', 'errored')""")
