"""Sharing: who told whom, and what came of it."""

from datetime import date, datetime
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import mapped_column, relationship

from core.db import Base, Born, Id, Mapped, Serial
from people.models import Person
from projects.models import Project


class ShareLink(Base):
    """The one link of a person for a project; the code has 64 bits."""

    __tablename__ = "share_link"
    __table_args__ = (sa.UniqueConstraint("project_id", "person_id"),)

    id: Mapped[Id]
    code: Mapped[str] = mapped_column(unique=True)
    project_id: Mapped[UUID] = mapped_column(sa.ForeignKey("project.id"))
    person_id: Mapped[UUID] = mapped_column(sa.ForeignKey("person.id"), index=True)
    created_at: Mapped[Born]

    person: Mapped[Person] = relationship()
    project: Mapped[Project] = relationship()


class ShareVisit(Base):
    """Somebody came by a link: once per visitor and half hour (W-26). No address, only a hash with the day's salt."""

    __tablename__ = "share_visit"
    __table_args__ = (sa.UniqueConstraint("link_id", "visitor", "half_hour"),)

    id: Mapped[Serial]
    link_id: Mapped[UUID] = mapped_column(sa.ForeignKey("share_link.id"))
    project_id: Mapped[UUID] = mapped_column(index=True)
    visitor: Mapped[bytes] = mapped_column(sa.LargeBinary)
    half_hour: Mapped[datetime]
    at: Mapped[Born]


class VisitSalt(Base):
    """The salt of one day's visitor hashes; thrown away afterwards, so that nobody can be recognised."""

    __tablename__ = "visit_salt"

    day: Mapped[date] = mapped_column(primary_key=True)
    salt: Mapped[bytes] = mapped_column(sa.LargeBinary)


class Touch(Base):
    """Whose link a signed-in person came by last, per project: the cookie's memory carried into the account."""

    __tablename__ = "share_touch"

    person_id: Mapped[UUID] = mapped_column(sa.ForeignKey("person.id"), primary_key=True)
    project_id: Mapped[UUID] = mapped_column(sa.ForeignKey("project.id"), primary_key=True)
    link_id: Mapped[UUID] = mapped_column(sa.ForeignKey("share_link.id"))
    at: Mapped[Born]


class Recruit(Base):
    """A pledge that came by somebody's link."""

    __tablename__ = "recruit"

    pledge_id: Mapped[UUID] = mapped_column(sa.ForeignKey("pledge.id"), primary_key=True)
    project_id: Mapped[UUID] = mapped_column(sa.ForeignKey("project.id"), index=True)
    link_id: Mapped[UUID] = mapped_column(sa.ForeignKey("share_link.id"), index=True)
    recruiter_id: Mapped[UUID] = mapped_column(sa.ForeignKey("person.id"), index=True)
    backer_id: Mapped[UUID] = mapped_column(sa.ForeignKey("person.id"))
    at: Mapped[Born]
