"""Sharing: who told whom, and what came of it."""

from datetime import date, datetime
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.orm import mapped_column, relationship

from core.db import Base, Born, Id, Mapped, Serial
from people.models import Person
from projects.models import Project


class ShareLink(Base):
    """A link to a project: the one of a person, or a tag of its organisers. The code has 64 bits; `n` is its name in
    the paths of the tree."""

    __tablename__ = "share_link"
    __table_args__ = (
        sa.UniqueConstraint("project_id", "person_id"), sa.Index("uq_share_link_n", "n", unique=True),
        sa.CheckConstraint("alias_of_id IS NULL OR person_id IS NULL", name="alias"))

    id: Mapped[Id]
    n: Mapped[int] = mapped_column(sa.Integer, sa.Sequence("share_link_n"),
                                   server_default=sa.text("nextval('share_link_n'::regclass)"))
    code: Mapped[str] = mapped_column(unique=True)
    project_id: Mapped[UUID] = mapped_column(sa.ForeignKey("project.id"))
    person_id: Mapped[UUID | None] = mapped_column(sa.ForeignKey("person.id"), index=True)  # None: a tag
    is_named: Mapped[bool] = mapped_column(server_default=sa.false())  # this person's first name may be shown
    created_at: Mapped[Born]
    alias_of_id: Mapped[UUID | None] = mapped_column(sa.ForeignKey("share_link.id"))  # of an account that was merged

    person: Mapped[Person | None] = relationship()
    project: Mapped[Project] = relationship()


class ShareTag(Base):
    """A link of the organisers with a name: the poster in the hall, the newsletter. `channel` is its folder."""

    __tablename__ = "share_tag"
    __table_args__ = (
        sa.Index("uq_share_tag_name", "project_id", sa.text("lower(channel)"), sa.text("lower(name)"), unique=True),
        sa.CheckConstraint("char_length(name) BETWEEN 1 AND 60 AND char_length(channel) <= 40", name="name_length"),
    )

    link_id: Mapped[UUID] = mapped_column(sa.ForeignKey("share_link.id"), primary_key=True)
    project_id: Mapped[UUID] = mapped_column(sa.ForeignKey("project.id"))
    name: Mapped[str]
    channel: Mapped[str] = mapped_column(server_default="")
    utm: Mapped[dict[str, str]] = mapped_column(JSONB, server_default="{}")
    made_by_id: Mapped[UUID | None] = mapped_column(sa.ForeignKey("person.id"))
    created_at: Mapped[Born]
    archived_at: Mapped[datetime | None]

    link: Mapped[ShareLink] = relationship()


class ShareWord(Base):
    """A word that stands for a link's code, in this whole house: /s/night-train."""

    __tablename__ = "share_word"
    __table_args__ = (sa.CheckConstraint("word ~ '^[a-z0-9](-?[a-z0-9]){2,29}$'", name="shape"),)

    word: Mapped[str] = mapped_column(primary_key=True)
    link_id: Mapped[UUID] = mapped_column(sa.ForeignKey("share_link.id"), unique=True)
    project_id: Mapped[UUID]
    created_at: Mapped[Born]


class ShareSettings(Base):
    """What a project decided about sharing; without a row, the defaults hold."""

    __tablename__ = "share_settings"
    __table_args__ = (sa.CheckConstraint("counts IN ('first', 'last')", name="counts"),)

    project_id: Mapped[UUID] = mapped_column(sa.ForeignKey("project.id"), primary_key=True)
    counts: Mapped[str] = mapped_column(server_default="last")  # the touch that is credited
    has_ranking: Mapped[bool] = mapped_column(server_default=sa.true())


class ShareVisit(Base):
    """Somebody came by a link: once per visitor and half hour (W-26). No address, only a hash with the day's salt."""

    __tablename__ = "share_visit"
    __table_args__ = (
        sa.UniqueConstraint("link_id", "visitor", "half_hour"),
        sa.Index("ix_share_visit_due", "id", postgresql_where=sa.text("NOT is_tallied")),
    )

    id: Mapped[Serial]
    link_id: Mapped[UUID] = mapped_column(sa.ForeignKey("share_link.id"))
    project_id: Mapped[UUID] = mapped_column(index=True)
    visitor: Mapped[bytes] = mapped_column(sa.LargeBinary)
    half_hour: Mapped[datetime]
    is_tallied: Mapped[bool] = mapped_column(server_default=sa.false())
    at: Mapped[Born]


class VisitSalt(Base):
    """The salt of one day's visitor hashes; thrown away afterwards, so that nobody can be recognised."""

    __tablename__ = "visit_salt"

    day: Mapped[date] = mapped_column(primary_key=True)
    salt: Mapped[bytes] = mapped_column(sa.LargeBinary)


class Touch(Base):
    """By whose links a signed-in person came first and last, per project: the cookie's memory carried into the account."""

    __tablename__ = "share_touch"

    person_id: Mapped[UUID] = mapped_column(sa.ForeignKey("person.id"), primary_key=True)
    project_id: Mapped[UUID] = mapped_column(sa.ForeignKey("project.id"), primary_key=True)
    link_id: Mapped[UUID | None] = mapped_column(sa.ForeignKey("share_link.id"))  # None: came with marks, by no link
    at: Mapped[Born]
    first_link_id: Mapped[UUID | None] = mapped_column(sa.ForeignKey("share_link.id"))
    first_at: Mapped[datetime | None]
    utm: Mapped[dict[str, str]] = mapped_column(JSONB, server_default="{}")


class Attribution(Base):
    """By which links a pledge came: the first and the last touch, kept whichever of them counts."""

    __tablename__ = "attribution"
    __table_args__ = (sa.Index("ix_attribution_marks", "project_id", postgresql_where=sa.text(
        "first_link_id IS NULL AND last_link_id IS NULL AND utm <> '{}'")),)

    pledge_id: Mapped[UUID] = mapped_column(sa.ForeignKey("pledge.id"), primary_key=True)
    project_id: Mapped[UUID] = mapped_column(sa.ForeignKey("project.id"), index=True)
    first_link_id: Mapped[UUID | None] = mapped_column(sa.ForeignKey("share_link.id"))
    first_at: Mapped[datetime | None]
    last_link_id: Mapped[UUID | None] = mapped_column(sa.ForeignKey("share_link.id"))
    last_at: Mapped[datetime | None]
    utm: Mapped[dict[str, str]] = mapped_column(JSONB, server_default="{}")
    refused: Mapped[str | None]  # why nobody is credited: account | mailbox | device | card | address | loop | banned
    at: Mapped[Born]


class Recruit(Base):
    """A pledge that is credited to a link. `path` are the links above it, from the root to the one that brought it.

    What was last added to the tallies stands beside what is true, so that a change of any kind is added as a difference.
    """

    __tablename__ = "recruit"
    __table_args__ = (sa.Index("ix_recruit_path", "path", postgresql_using="gin"),
                      sa.Index("ix_recruit_backer_id", "backer_id", "project_id"),
                      sa.Index("ix_recruit_link_id_at", "link_id", "at"))

    pledge_id: Mapped[UUID] = mapped_column(sa.ForeignKey("pledge.id"), primary_key=True)
    project_id: Mapped[UUID] = mapped_column(sa.ForeignKey("project.id"), index=True)
    link_id: Mapped[UUID] = mapped_column(sa.ForeignKey("share_link.id"), index=True)
    recruiter_id: Mapped[UUID | None] = mapped_column(sa.ForeignKey("person.id"), index=True)  # None: came by a tag
    backer_id: Mapped[UUID] = mapped_column(sa.ForeignKey("person.id"))
    at: Mapped[Born]
    path: Mapped[list[int]] = mapped_column(ARRAY(sa.Integer), server_default="{}")
    struck_at: Mapped[datetime | None]  # found unfair: it counts for nobody
    struck_why: Mapped[str | None]
    tallied_path: Mapped[list[int]] = mapped_column(ARRAY(sa.Integer), server_default="{}")
    tallied_state: Mapped[str | None] = mapped_column(sa.String(32))
    tallied_amount: Mapped[int] = mapped_column(server_default="0")
    tallied_refunded: Mapped[int] = mapped_column(server_default="0")  # beside it, of a collected one


class ShareDue(Base):
    """A credited pledge that changed, waiting for the roll-up: added by triggers, so that no code can forget it."""

    __tablename__ = "share_due"

    id: Mapped[Serial]
    pledge_id: Mapped[UUID]
    project_id: Mapped[UUID]


class LinkTally(Base):
    """What one link brought: directly, and further along (`further_`) by those whom it brought. Minor units."""

    __tablename__ = "link_tally"
    __table_args__ = (
        sa.CheckConstraint(
            "visits >= 0 AND recruits >= 0 AND pledged >= 0 AND collected >= 0 AND dropped >= 0 AND refunded >= 0 "
            "AND further_recruits >= 0 AND further_pledged >= 0 AND further_collected >= 0", name="not_negative"),
        sa.Index("ix_link_tally_ranking", "project_id", "is_person", sa.text("recruits DESC"),
                 sa.text("(pledged + collected) DESC"), "reached_at", "link_id"),
    )

    link_id: Mapped[UUID] = mapped_column(sa.ForeignKey("share_link.id"), primary_key=True)
    project_id: Mapped[UUID] = mapped_column(sa.ForeignKey("project.id"))
    n: Mapped[int] = mapped_column(sa.Integer, unique=True)
    is_person: Mapped[bool]
    visits: Mapped[int] = mapped_column(server_default="0")
    recruits: Mapped[int] = mapped_column(server_default="0")  # pledges that stand
    pledged: Mapped[int] = mapped_column(server_default="0")
    collected: Mapped[int] = mapped_column(server_default="0")
    dropped: Mapped[int] = mapped_column(server_default="0")
    refunded: Mapped[int] = mapped_column(server_default="0")
    further_recruits: Mapped[int] = mapped_column(server_default="0")
    further_pledged: Mapped[int] = mapped_column(server_default="0")
    further_collected: Mapped[int] = mapped_column(server_default="0")
    reached_at: Mapped[Born]  # when the present count was reached: who was there first stands first among equals


class WeekTally(Base):
    """What one link brought directly in a week, which begins on Monday (UTC): by the day of the pledge."""

    __tablename__ = "week_tally"
    __table_args__ = (
        sa.CheckConstraint("recruits >= 0 AND amount >= 0", name="not_negative"),
        sa.Index("ix_week_tally_ranking", "project_id", "week", sa.text("recruits DESC"), sa.text("amount DESC"),
                 "reached_at", "link_id"),
    )

    project_id: Mapped[UUID] = mapped_column(primary_key=True)
    week: Mapped[date] = mapped_column(primary_key=True)
    link_id: Mapped[UUID] = mapped_column(sa.ForeignKey("share_link.id"), primary_key=True)
    recruits: Mapped[int] = mapped_column(server_default="0")
    amount: Mapped[int] = mapped_column(server_default="0")
    reached_at: Mapped[Born]


class DayTally(Base):
    """What links brought on a day (UTC), by generation: 0 by a tag, 1 by somebody nobody brought, 2 by whom she brought…

    Visits are counted under 0 for tags and 1 for persons.
    """

    __tablename__ = "day_tally"
    __table_args__ = (
        sa.CheckConstraint("visits >= 0 AND recruits >= 0 AND pledged >= 0 AND collected >= 0 AND dropped >= 0 "
                           "AND refunded >= 0", name="not_negative"),
    )

    project_id: Mapped[UUID] = mapped_column(sa.ForeignKey("project.id"), primary_key=True)
    day: Mapped[date] = mapped_column(primary_key=True)
    generation: Mapped[int] = mapped_column(sa.Integer, primary_key=True, autoincrement=False)
    visits: Mapped[int] = mapped_column(server_default="0")
    recruits: Mapped[int] = mapped_column(server_default="0")
    pledged: Mapped[int] = mapped_column(server_default="0")
    collected: Mapped[int] = mapped_column(server_default="0")
    dropped: Mapped[int] = mapped_column(server_default="0")
    refunded: Mapped[int] = mapped_column(server_default="0")


class Recommendation(Base):
    """Why a backer stands behind a project: one text per person and project, bound to the pledge that stands.

    `is_shown` is the consent to show this text with a first name. Withdrawn, the text goes at once and the row stays
    empty, so that what the organisers hid cannot come back by writing it anew.
    """

    __tablename__ = "recommendation"
    __table_args__ = (
        sa.UniqueConstraint("project_id", "person_id"),
        sa.CheckConstraint("char_length(text) BETWEEN 10 AND 280 OR (text = '' AND NOT is_shown)", name="length"),
        sa.CheckConstraint("(hidden_at IS NULL) = (hidden_why IS NULL)", name="has_reason"),
        sa.Index("ix_recommendation_shown", "project_id", sa.text("created_at DESC"),
                 postgresql_where=sa.text("is_shown AND hidden_at IS NULL")),
    )

    id: Mapped[Id]
    project_id: Mapped[UUID] = mapped_column(sa.ForeignKey("project.id"))
    person_id: Mapped[UUID] = mapped_column(sa.ForeignKey("person.id"), index=True)
    pledge_id: Mapped[UUID] = mapped_column(sa.ForeignKey("pledge.id"), index=True)
    text: Mapped[str]
    is_shown: Mapped[bool] = mapped_column(server_default=sa.false())
    created_at: Mapped[Born]
    changed_at: Mapped[Born]
    changes: Mapped[int] = mapped_column(sa.Integer, server_default="1")  # since `counted_from`: an hour's count
    counted_from: Mapped[Born]
    hidden_at: Mapped[datetime | None]  # by the organisers or staff
    hidden_by_id: Mapped[UUID | None] = mapped_column(sa.ForeignKey("person.id"))
    hidden_why: Mapped[str | None]
    hidden_note: Mapped[str] = mapped_column(server_default="")

    person: Mapped[Person] = relationship(foreign_keys=[person_id])
