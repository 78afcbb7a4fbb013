"""The pitch and its life: what a creator wants to make, by when, for how much."""

import enum
from datetime import datetime
from typing import Any, ClassVar
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import TSVECTOR
from sqlalchemy.orm import mapped_column, relationship

from core.db import Base, Born, Id, Mapped, Serial, unchecked
from core.media import Picture
from core.states import Stateful
from people.models import Person


class ProjectState(enum.StrEnum):
    DRAFT = "draft"
    SUBMITTED = "submitted"
    APPROVED = "approved"
    LIVE = "live"
    SUSPENDED = "suspended"
    SUCCESSFUL = "successful"
    UNSUCCESSFUL = "unsuccessful"
    CANCELLED = "cancelled"


class Category(enum.StrEnum):
    MUSIC = "music"
    SPORT = "sport"
    JOURNALISM = "journalism"
    CITY = "city"
    THEATRE = "theatre"
    GAMES = "games"
    TECHNOLOGY = "technology"
    FOOD = "food"


class MemberRole(enum.StrEnum):
    ORGANISER = "organiser"  # sees and exports the backer list
    COLLABORATOR = "collaborator"  # edits the pitch, writes updates


S = ProjectState
PUBLIC = (S.LIVE, S.SUSPENDED, S.SUCCESSFUL, S.UNSUCCESSFUL, S.CANCELLED)


class Project(Stateful, Base):
    """One pitch with one goal and one deadline; all or nothing."""

    MOVES: ClassVar[dict[Any, set[Any]]] = {
        S.DRAFT: {S.SUBMITTED, S.CANCELLED},
        S.SUBMITTED: {S.DRAFT, S.APPROVED, S.CANCELLED},
        S.APPROVED: {S.LIVE, S.CANCELLED},
        S.LIVE: {S.SUCCESSFUL, S.UNSUCCESSFUL, S.SUSPENDED, S.CANCELLED},
        S.SUSPENDED: {S.LIVE, S.CANCELLED},
        S.SUCCESSFUL: set(),
        S.UNSUCCESSFUL: set(),
        S.CANCELLED: set(),
    }
    __tablename__ = "project"
    __table_args__ = (
        sa.CheckConstraint("goal > 0", name="goal_positive"),
        sa.CheckConstraint("char_length(title) <= 60", name="title_length"),
        sa.CheckConstraint("char_length(blurb) <= 135", name="blurb_length"),
        sa.CheckConstraint(
            "state NOT IN ('live', 'successful', 'unsuccessful') OR "
            "(goal IS NOT NULL AND deadline IS NOT NULL AND launched_at IS NOT NULL AND fee_bp IS NOT NULL)",
            name="complete_when_live"),
        sa.Index("ix_project_due", "deadline", postgresql_where=sa.text("state = 'live'")),
        sa.Index("ix_project_search", "search", postgresql_using="gin"),
    )

    id: Mapped[Id]
    slug: Mapped[str] = mapped_column(unique=True)
    creator_id: Mapped[UUID] = mapped_column(sa.ForeignKey("person.id"), index=True)
    state: Mapped[ProjectState] = mapped_column(default=S.DRAFT, server_default="draft")
    title: Mapped[str]
    blurb: Mapped[str] = mapped_column(server_default="")
    story: Mapped[str] = mapped_column(server_default="")  # Markdown as it was typed
    category: Mapped[Category | None]
    place: Mapped[str] = mapped_column(server_default="")
    country: Mapped[str] = mapped_column(server_default="NL")
    picture_id: Mapped[UUID | None] = mapped_column(sa.ForeignKey("picture.id"), index=True)
    picture_alt: Mapped[str] = mapped_column(server_default="")
    goal: Mapped[int | None]  # minor units
    currency: Mapped[str] = mapped_column(server_default="EUR")
    deadline: Mapped[datetime | None]
    zone: Mapped[str] = mapped_column(server_default="Europe/Amsterdam")  # IANA name the deadline was chosen in
    fee_bp: Mapped[int | None] = mapped_column(sa.Integer)  # the platform's share in basis points, frozen at launch
    reserve_bp: Mapped[int] = mapped_column(sa.Integer, server_default="0")  # kept back at payout, frozen at launch (S-64)
    launched_at: Mapped[datetime | None]
    closed_at: Mapped[datetime | None]
    raised_at_close: Mapped[int | None]  # the sum that decided; never changes again (C-18)
    backers_at_close: Mapped[int | None]
    created_at: Mapped[Born]
    edited_at: Mapped[Born]
    edition: Mapped[int] = mapped_column(sa.Integer, server_default="1")  # tells two tabs apart
    search: Mapped[Any] = mapped_column(
        TSVECTOR,
        sa.Computed("setweight(to_tsvector('simple'::regconfig, title), 'A') || setweight(to_tsvector('simple'::regconfig, blurb), 'B') || "
                    "setweight(to_tsvector('simple'::regconfig, place), 'C') || setweight(to_tsvector('simple'::regconfig, story), 'D')",
                    persisted=True), deferred=True)

    creator: Mapped[Person] = relationship()
    picture: Mapped[Picture | None] = relationship()
    total: Mapped["ProjectTotal"] = relationship(back_populates="project", uselist=False)

    def history_row(self, **columns: Any) -> "ProjectMove":
        return ProjectMove(project_id=self.id, **columns)

    @property
    def is_public(self) -> bool:
        """Launched, whatever came of it; a draft that was thrown away never was."""
        return self.state in PUBLIC and (self.state is not S.CANCELLED or self.launched_at is not None)

    @property
    def is_live(self) -> bool:
        return self.state is S.LIVE

    @property
    def topic(self) -> str:
        """Under which the page cache keeps this project's pages."""
        return f"project:{self.slug}"


class ProjectMove(Base):
    """One change of state: who, when, why. Only ever added."""

    __tablename__ = "project_move"

    id: Mapped[Serial]
    project_id: Mapped[UUID] = mapped_column(sa.ForeignKey("project.id"), index=True)
    from_state: Mapped[ProjectState] = mapped_column(unchecked(ProjectState))
    to_state: Mapped[ProjectState]
    at: Mapped[Born]
    by_id: Mapped[UUID | None] = mapped_column(sa.ForeignKey("person.id"))
    why: Mapped[str] = mapped_column(server_default="")


class ProjectTotal(Base):
    """What stands behind a project, rolled up about once a second from what the pledges wrote (C-12)."""

    __tablename__ = "project_total"
    __table_args__ = (sa.CheckConstraint("raised >= 0 AND backers >= 0 AND collected >= 0", name="not_negative"),)

    project_id: Mapped[UUID] = mapped_column(sa.ForeignKey("project.id"), primary_key=True)
    raised: Mapped[int] = mapped_column(server_default="0")
    backers: Mapped[int] = mapped_column(server_default="0")
    collected: Mapped[int] = mapped_column(server_default="0")

    project: Mapped[Project] = relationship(back_populates="total")


class ProjectMember(Base):
    """A collaborator of a project."""

    __tablename__ = "project_member"

    project_id: Mapped[UUID] = mapped_column(sa.ForeignKey("project.id"), primary_key=True)
    person_id: Mapped[UUID] = mapped_column(sa.ForeignKey("person.id"), primary_key=True, index=True)
    role: Mapped[MemberRole]
    added_at: Mapped[Born]

    person: Mapped[Person] = relationship()


class Update(Base):
    """News from the creator, numbered per project."""

    __tablename__ = "project_update"
    __table_args__ = (sa.UniqueConstraint("project_id", "number"),)

    id: Mapped[Id]
    project_id: Mapped[UUID] = mapped_column(sa.ForeignKey("project.id"))
    number: Mapped[int] = mapped_column(sa.Integer)
    title: Mapped[str]
    body: Mapped[str]
    author_id: Mapped[UUID] = mapped_column(sa.ForeignKey("person.id"))
    published_at: Mapped[Born]

    author: Mapped[Person] = relationship()


class Faq(Base):
    """A question that many ask, with its answer."""

    __tablename__ = "project_faq"

    id: Mapped[Id]
    project_id: Mapped[UUID] = mapped_column(sa.ForeignKey("project.id"), index=True)
    position: Mapped[int] = mapped_column(sa.Integer)
    question: Mapped[str]
    answer: Mapped[str]


class StoryPicture(Base):
    """A picture that stands in a project's story."""

    __tablename__ = "story_picture"

    project_id: Mapped[UUID] = mapped_column(sa.ForeignKey("project.id"), primary_key=True)
    picture_id: Mapped[UUID] = mapped_column(sa.ForeignKey("picture.id"), primary_key=True)
    added_at: Mapped[Born]

    picture: Mapped[Picture] = relationship()
