"""Finding people."""

import sqlalchemy as sa

from core.db import db
from people.models import Person


def person_by_handle(handle: str) -> Person | None:
    return db.session.scalar(sa.select(Person).where(sa.func.lower(Person.handle) == handle.lower(), Person.active))


def person_by_email(email: str) -> Person | None:
    return db.session.scalar(sa.select(Person).where(sa.func.lower(Person.email) == email.strip().lower()))


def taken_handles(handles: list[str]) -> set[str]:
    """Those of these handles that somebody has."""
    return set(db.session.scalars(sa.select(sa.func.lower(Person.handle)).where(
        sa.func.lower(Person.handle).in_(handles))))
