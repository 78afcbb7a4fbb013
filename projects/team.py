"""Who works on a project besides its creator."""

from uuid import UUID

import sqlalchemy as sa
from flask_babel import gettext as _

from core.db import transaction
from core.errors import BadInput, NotFound
from core.pages import touch
from people.models import Person
from projects.models import MemberRole, Project, ProjectMember


def add_member(project: Project, email: str, role: MemberRole) -> ProjectMember:
    """Let somebody with an account work on this project; the same person again only changes the role."""
    with transaction() as session:
        person = session.scalar(sa.select(Person).where(
            sa.func.lower(Person.email) == email.strip().lower(), Person.active, Person.confirmed_at.is_not(None)))
        if person is None:
            raise BadInput(_("Nobody has an account with this address. Ask them to make one first, then add them here."),
                           "email")
        if person.id == project.creator_id:
            raise BadInput(_("You are the creator: you can do everything already."), "email")
        member: ProjectMember | None = session.get(ProjectMember, (project.id, person.id), with_for_update=True)
        if member is None:
            member = ProjectMember(project_id=project.id, person_id=person.id, role=role)
            session.add(member)
        member.role = role
        session.flush()
        touch(project.topic)
    return member


def remove_member(project: Project, person_id: UUID) -> None:
    """End somebody's work on this project."""
    with transaction() as session:
        member = session.get(ProjectMember, (project.id, person_id), with_for_update=True)
        if member is None:
            raise NotFound(_("This person does not work on the project."))
        session.delete(member)
        touch(project.topic)
