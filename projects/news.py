"""Updates: what a creator tells after the page was written, before the end and after it."""

import sqlalchemy as sa
from flask_babel import gettext as _

from core.db import transaction
from core.errors import BadInput, Refusal
from core.pages import touch
from people.models import Person
from projects.hooks import update_published
from projects.models import Project, ProjectState, Update

S = ProjectState
TELLING = (S.LIVE, S.SUCCESSFUL, S.UNSUCCESSFUL, S.CANCELLED)


def publish_update(project: Project, by: Person, title: str, body: str) -> Update:
    """News for everyone, numbered in the order of this project; it stays as it was published."""
    title, body = " ".join(title.split()), body.replace("\r\n", "\n").strip()
    if not title:
        raise BadInput(_("Give your update a title."), "title")
    if len(title) > 100:
        raise BadInput(_("A title has at most 100 characters. Yours has %(n)s.", n=len(title)), "title")
    if not body:
        raise BadInput(_("Write what you have to tell."), "body")
    if len(body) > 40_000:
        raise BadInput(_("This update is too long. %(most)s characters is the most.", most="40,000"), "body")
    with transaction() as session:
        project = session.get_one(Project, project.id, with_for_update=True, populate_existing=True)
        if project.state not in TELLING:
            raise Refusal(_("Updates begin with the launch: until then nobody can read them."))
        number = session.scalar(sa.select(sa.func.coalesce(sa.func.max(Update.number), 0) + 1).where(
            Update.project_id == project.id))
        update = Update(project_id=project.id, number=number, title=title, body=body, author_id=by.id)
        session.add(update)
        session.flush()
        update_published.send(project, update)
        touch(project.topic)
    return update
