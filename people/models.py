"""People: one account each, whatever they do here."""

from datetime import datetime
from uuid import UUID

import sqlalchemy as sa
from flask_security.core import RoleMixin, UserMixin
from sqlalchemy.orm import mapped_column

from core.db import Base, Born, Id, Mapped


class Role(RoleMixin):
    """A right as the login library names it; no table stands behind it."""

    def __init__(self, name: str):
        self.name = name


class Person(UserMixin, Base):
    """Somebody with an account; creator, backer or organiser by what they do, staff by appointment."""

    __tablename__ = "person"
    __table_args__ = (
        sa.Index("uq_person_email", sa.text("lower(email)"), unique=True),
        sa.Index("uq_person_handle", sa.text("lower(handle)"), unique=True),
        sa.Index("ix_person_search", sa.text("to_tsvector('simple'::regconfig, name)"), postgresql_using="gin"),
        sa.CheckConstraint("char_length(name) BETWEEN 1 AND 80", name="name_length"),
    )

    id: Mapped[Id]  # type: ignore[assignment]  # the library thinks of numbers
    email: Mapped[str]
    name: Mapped[str]
    handle: Mapped[str]
    bio: Mapped[str] = mapped_column(server_default="")
    locale: Mapped[str] = mapped_column(server_default="en")
    picture_key: Mapped[str | None]
    password: Mapped[str | None]
    fs_uniquifier: Mapped[str] = mapped_column(unique=True)
    active: Mapped[bool] = mapped_column(server_default=sa.true())
    is_staff: Mapped[bool] = mapped_column(server_default=sa.false())
    confirmed_at: Mapped[datetime | None]
    created_at: Mapped[Born]
    merged_into_id: Mapped[UUID | None] = mapped_column(sa.ForeignKey("person.id"))  # this account is closed: use that one

    @property
    def first_name(self) -> str:
        return self.name.split()[0] if self.name else ""

    @property
    def roles(self) -> list[Role]:  # type: ignore[override]
        """For the login library; our own rights are predicates on what a person works on."""
        return [Role("staff")] if self.is_staff else []

    @property
    def is_confirmed(self) -> bool:
        """The address is proven: a mail sent there was answered."""
        return self.confirmed_at is not None

    def get_id(self) -> str:
        return str(self.fs_uniquifier)


