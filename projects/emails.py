"""Mails about a project to the people who make it."""

from uuid import UUID

from core.db import db
from core.mail import Letter, author
from projects.models import Project, ProjectState


@author("projects/closed")
def closed(project_id: str) -> Letter | None:
    """To the creator: the time is up, and what came of it."""
    project = db.session.get(Project, UUID(project_id))
    if project is None or project.state not in (ProjectState.SUCCESSFUL, ProjectState.UNSUCCESSFUL):
        return None
    creator = project.creator
    return Letter(creator.email, creator.name, creator.locale, {
        "project": project, "funded": project.state is ProjectState.SUCCESSFUL,
        # written by hand: a worker has no request to build addresses from
        "picture": f"/media/{project.picture.key}-800.webp" if project.picture else None})
