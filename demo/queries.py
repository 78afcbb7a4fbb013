"""What the page of tools needs to know."""

from collections.abc import Iterable

import sqlalchemy as sa

from core.db import db
from people.models import Person
from projects.models import Project, ProjectState


def next_to_end() -> Project | None:
    """The live project whose deadline comes first."""
    return db.session.scalar(sa.select(Project).where(
        Project.state == ProjectState.LIVE, Project.deadline > sa.func.clock_now()).order_by(Project.deadline).limit(1))


def known(emails: Iterable[str]) -> set[str]:
    """Which of these addresses have an account: none before the demo was filled."""
    return set(db.session.scalars(sa.select(Person.email).where(Person.email.in_(list(emails)))))
