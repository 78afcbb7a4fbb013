"""The deadline: a scan finds what has ended, one transaction per project decides it, once and for ever (C-15 to C-18)."""

from uuid import UUID

import sqlalchemy as sa
import structlog

from core import mail
from core.db import db, transaction
from core.pages import touch
from projects.hooks import project_closed, sum_asked
from projects.models import Project, ProjectState

log = structlog.get_logger()
S = ProjectState
# Pledging takes the shared variant of this lock in its own transaction, so that no pledge is under way when the sum is
# read; the key is the project's id as text.
CLOSING_LOCK = sa.text("SELECT pg_advisory_xact_lock(hashtextextended(CAST(:project AS text), 0))")
PLEDGING_LOCK = sa.text("SELECT pg_advisory_xact_lock_shared(hashtextextended(CAST(:project AS text), 0))")
_DUE = sa.text("SELECT id FROM project WHERE state = 'live' AND deadline <= clock_now() ORDER BY deadline LIMIT 200")


def close_due() -> int:
    """Close every live project whose deadline has passed; safe in any number of workers. Returns how many."""
    with transaction() as session:
        due = list(session.scalars(_DUE))
    closed = 0
    for project_id in due:
        try:
            closed += close(project_id)
        except Exception:
            log.exception("project not closed, will be tried again", project=str(project_id))
            db.session.rollback()
    return closed


def close(project_id: UUID) -> bool:
    """Decide one project if it is live and its time is up; False when there is nothing to do."""
    with transaction() as session:
        session.execute(CLOSING_LOCK, {"project": str(project_id)})
        project = session.scalar(
            sa.select(Project).where(Project.id == project_id, Project.state == S.LIVE,
                                     Project.deadline <= sa.func.clock_now())
            .with_for_update(skip_locked=True, of=Project).execution_options(populate_existing=True))
        if project is None:
            return False
        counts = {"raised": 0, "backers": 0}
        sum_asked.send(project, counts)
        project.raised_at_close, project.backers_at_close = counts["raised"], counts["backers"]
        project.closed_at = session.execute(sa.text("SELECT clock_now()")).scalar_one()
        funded = counts["raised"] >= (project.goal or 0)
        project.move(S.SUCCESSFUL if funded else S.UNSUCCESSFUL, why="the deadline passed")
        session.flush()
        project_closed.send(project, funded)
        mail.post("projects/closed", project_id=project.id)
        touch(project.topic, "front")
    log.info("project closed", project=str(project_id), funded=funded)
    return True
