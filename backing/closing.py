"""What a deadline does to pledges: the sum that decides, and what follows from it (C-15, C-18, S-31)."""

import sqlalchemy as sa

from backing.totals import SUMS
from core.db import db
from core.jobs import defer
from projects.models import Project


def tell_sum(project: Project, answer: dict[str, int]) -> None:
    """Hooked to projects.sum_asked, under the project's exclusive lock: the sum over the pledge rows themselves."""
    row = db.session.execute(SUMS, {"project": project.id}).one()
    answer["raised"], answer["backers"] = int(row.raised), int(row.backers)


_END_HOLDS = sa.text("""
    WITH ended AS (
        UPDATE pledge SET state = 'expired' WHERE project_id = :project AND state = 'held'
        RETURNING id, reward_id),
    moved AS (
        INSERT INTO pledge_move (pledge_id, project_id, from_state, to_state, why)
        SELECT id, :project, 'held', 'expired', 'the deadline passed' FROM ended),
    freed AS (SELECT reward_id, count(*) AS n FROM ended WHERE reward_id IS NOT NULL GROUP BY 1)
    UPDATE reward r SET claimed = r.claimed - freed.n FROM freed WHERE r.id = freed.reward_id AND r.quantity IS NOT NULL""")
_LAPSE = sa.text("""
    WITH lapsed AS (
        UPDATE pledge SET state = 'lapsed' WHERE project_id = :project AND state = 'pledged' RETURNING id),
    moved AS (
        INSERT INTO pledge_move (pledge_id, project_id, from_state, to_state, why)
        SELECT id, :project, 'pledged', 'lapsed', :why FROM lapsed)
    INSERT INTO mail (name, about, dedupe)
    SELECT 'backing/lapsed', jsonb_build_object('pledge_id', id), 'backing/lapsed:' || id FROM lapsed
    ON CONFLICT (dedupe) DO NOTHING""")
_RUN = sa.text("INSERT INTO collection_run (project_id) VALUES (:project) ON CONFLICT DO NOTHING")


def follow_close(project: Project, funded: bool) -> None:
    """Hooked to projects.project_closed, in its transaction: a run that collects, or pledges that lapse uncharged."""
    db.session.execute(_END_HOLDS, {"project": project.id})
    if funded:
        db.session.execute(_RUN, {"project": project.id})
        defer("backing:run_collection", project_id=str(project.id))
    else:
        db.session.execute(_LAPSE, {"project": project.id, "why": "the goal was not met"})


MAY_BE_CHARGED = sa.text("""
    SELECT EXISTS (SELECT 1 FROM pledge WHERE project_id = :project AND state IN ('pledged', 'collecting', 'errored'))""")


def hold_payout(project: Project, reasons: list[str]) -> None:
    """Hooked to payments.payout_asked: not while pledges are being charged, or mended by their backers (S-64)."""
    if db.session.scalar(MAY_BE_CHARGED, {"project": project.id}):
        reasons.append("collecting")


def follow_cancel(project: Project) -> None:
    """Hooked to projects.project_cancelled, in its transaction: everybody is let go and told."""
    db.session.execute(_END_HOLDS, {"project": project.id})
    db.session.execute(_LAPSE, {"project": project.id, "why": "the project was stopped"})
