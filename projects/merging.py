"""Two accounts of one person become one: their projects and their places in teams."""

import sqlalchemy as sa

from core.db import db
from people.models import Person

_STATEMENTS = [sa.text(statement) for statement in (
    "UPDATE project SET creator_id = :into WHERE creator_id = :gone",
    # In a team with both: once, with the rights of the one who had more.
    """UPDATE project_member m SET role = 'organiser' FROM project_member o
        WHERE m.person_id = :into AND o.person_id = :gone AND o.project_id = m.project_id AND o.role = 'organiser'""",
    """DELETE FROM project_member m WHERE m.person_id = :gone AND EXISTS (
              SELECT FROM project_member o WHERE o.project_id = m.project_id AND o.person_id = :into)""",
    "UPDATE project_member SET person_id = :into WHERE person_id = :gone",
    # Whoever runs a project needs no place in its team.
    """DELETE FROM project_member m USING project p
        WHERE p.id = m.project_id AND p.creator_id = :into AND m.person_id = :into""")]


def move_projects(into: Person, gone: Person) -> None:
    """Hooked to people.people_merged. What was written in a name stays as it was written."""
    for statement in _STATEMENTS:
        db.session.execute(statement, {"into": into.id, "gone": gone.id})
