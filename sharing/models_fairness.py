"""What fairness remembers: browsers as hashes, doubts about credits, and who is not credited (W-27)."""

from datetime import date, datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import mapped_column, relationship

from core.db import Base, Born, Id, Mapped
from people.models import Person
from sharing.models import ShareLink


class PersonDevice(Base):
    """A person used this browser: a hash of the random name in its cookie. Thrown away after a year without use."""

    __tablename__ = "person_device"

    person_id: Mapped[UUID] = mapped_column(sa.ForeignKey("person.id"), primary_key=True)
    device: Mapped[bytes] = mapped_column(sa.LargeBinary, primary_key=True)
    first_day: Mapped[date]
    last_day: Mapped[date]


class PersonNetwork(Base):
    """Where a person acted from on a day, as a hash with the day's salt; gone after two days, like the salt."""

    __tablename__ = "person_network"

    person_id: Mapped[UUID] = mapped_column(sa.ForeignKey("person.id"), primary_key=True)
    day: Mapped[date] = mapped_column(primary_key=True)
    network: Mapped[bytes] = mapped_column(sa.LargeBinary, primary_key=True)


class ShareWatch(Base):
    """A link whose credits moved and are judged soon; `has_money_back` when a refund or a bank's doubt moved them."""

    __tablename__ = "share_watch"

    link_id: Mapped[UUID] = mapped_column(sa.ForeignKey("share_link.id"), primary_key=True)
    has_money_back: Mapped[bool] = mapped_column(server_default=sa.false())
    at: Mapped[Born]


class ShareFlag(Base):
    """A doubt about credits of one link that a person looks at. `subject` is the pledge's id where it is about one.

    Low and medium ones count until they are decided; high ones do not. Nothing of a decision is lost when it is undone:
    the audit has it.
    """

    __tablename__ = "share_flag"
    __table_args__ = (
        sa.CheckConstraint("severity IN ('low', 'medium', 'high')", name="severity"),
        sa.CheckConstraint("decision IN ('credit', 'strike')", name="decision"),
        sa.CheckConstraint("(decision IS NULL) = (decided_at IS NULL)", name="decided_whole"),
        sa.Index("uq_share_flag_open", "link_id", "rule", "subject", unique=True,
                 postgresql_where=sa.text("decision IS NULL")),
        sa.Index("ix_share_flag_project", "project_id", "opened_at"),
        sa.Index("ix_share_flag_appeal", "appealed_at",
                 postgresql_where=sa.text("appealed_at IS NOT NULL AND answered_at IS NULL")),
    )

    id: Mapped[Id]
    project_id: Mapped[UUID] = mapped_column(sa.ForeignKey("project.id"))
    link_id: Mapped[UUID] = mapped_column(sa.ForeignKey("share_link.id"))
    rule: Mapped[str]  # one of flags.RULES
    subject: Mapped[str] = mapped_column(server_default="")
    severity: Mapped[str]
    facts: Mapped[dict[str, Any]] = mapped_column(JSONB, server_default="{}")  # counts and minutes for the words
    opened_at: Mapped[Born]
    decision: Mapped[str | None]
    decided_at: Mapped[datetime | None]
    decided_by_id: Mapped[UUID | None]
    reason: Mapped[str] = mapped_column(server_default="")
    decisions: Mapped[int] = mapped_column(sa.Integer, server_default="0")  # how often it was decided: each is mailed once
    appealed_at: Mapped[datetime | None]  # once: the recruiter asked for another look
    appeal: Mapped[str] = mapped_column(server_default="")
    answered_at: Mapped[datetime | None]

    link: Mapped[ShareLink] = relationship()


class FlaggedPledge(Base):
    """A pledge that a flag is about."""

    __tablename__ = "flagged_pledge"

    flag_id: Mapped[UUID] = mapped_column(sa.ForeignKey("share_flag.id"), primary_key=True)
    pledge_id: Mapped[UUID] = mapped_column(sa.ForeignKey("pledge.id"), primary_key=True, index=True)
    project_id: Mapped[UUID]


class ShareBan(Base):
    """A person is not credited: in one project, or in the whole house (no project). The link still leads there."""

    __tablename__ = "share_ban"
    __table_args__ = (
        sa.Index("uq_share_ban_on", "person_id", sa.text("coalesce(project_id, person_id)"), unique=True,
                 postgresql_where=sa.text("lifted_at IS NULL")),
        sa.Index("ix_share_ban_project", "project_id"),
    )

    id: Mapped[Id]
    person_id: Mapped[UUID] = mapped_column(sa.ForeignKey("person.id"))
    project_id: Mapped[UUID | None] = mapped_column(sa.ForeignKey("project.id"))
    reason: Mapped[str]
    until: Mapped[datetime | None]
    has_struck: Mapped[bool] = mapped_column(server_default=sa.false())  # what was credited before counts no more either
    by_id: Mapped[UUID | None]
    created_at: Mapped[Born]
    lifted_at: Mapped[datetime | None]
    lifted_by_id: Mapped[UUID | None]

    person: Mapped[Person] = relationship()
