"""Making links."""

from uuid import UUID

import sqlalchemy as sa

from core.db import transaction
from people.models import Person
from projects.models import Project
from sharing import queries
from sharing.codes import make_code
from sharing.models import ShareLink

_MAKE = sa.text("""
    INSERT INTO share_link (code, project_id, person_id) VALUES (:code, :project, :person) ON CONFLICT DO NOTHING""")


def link_of(person: Person | UUID, project: Project | UUID) -> ShareLink:
    """The one link of this person for this project, made when first asked for."""
    person_id = person if isinstance(person, UUID) else person.id
    project_id = project if isinstance(project, UUID) else project.id
    with transaction() as session:
        link = queries.link_between(person_id, project_id)
        while link is None:  # a second round only if somebody else was given the same 64 bits
            session.execute(_MAKE, {"code": make_code(), "project": project_id, "person": person_id})
            link = queries.link_between(person_id, project_id)
    return link
