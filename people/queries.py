"""Finding people."""

import sqlalchemy as sa

from core.db import db
from people.models import Person


def person_by_handle(handle: str) -> Person | None:
    return db.session.scalar(sa.select(Person).where(sa.func.lower(Person.handle) == handle.lower(), Person.active))


def person_by_email(email: str) -> Person | None:
    return db.session.scalar(sa.select(Person).where(sa.func.lower(Person.email) == email.strip().lower()))


def handles_like(stem: str) -> set[str]:
    """The handles that begin with this one, in small letters."""
    return set(db.session.scalars(sa.select(sa.func.lower(Person.handle)).where(
        sa.func.lower(Person.handle).startswith(stem, autoescape=True))))
