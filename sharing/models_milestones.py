"""Steps that friends unlock: so many friends, this reward; and who was granted it."""

import enum
from datetime import datetime
from typing import Any, ClassVar
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import mapped_column, relationship

from core.db import Base, Born, Id, Mapped, Serial, unchecked
from core.states import Stateful
from rewards.models import Reward
from sharing.models import ShareLink

MOST_FRIENDS = 10_000


class Milestone(Base):
    """A step of a project: whoever brings so many friends gets this reward, while there are any."""

    __tablename__ = "milestone"
    __table_args__ = (
        sa.UniqueConstraint("project_id", "friends"),
        sa.CheckConstraint(f"friends BETWEEN 1 AND {MOST_FRIENDS}", name="friends"),
    )

    id: Mapped[Id]
    project_id: Mapped[UUID] = mapped_column(sa.ForeignKey("project.id"))
    reward_id: Mapped[UUID] = mapped_column(sa.ForeignKey("reward.id"), unique=True)
    friends: Mapped[int] = mapped_column(sa.Integer)
    closed_at: Mapped[datetime | None]  # nobody new can reach it; who did keeps it
    created_at: Mapped[Born]

    reward: Mapped[Reward] = relationship()


class GrantState(enum.StrEnum):
    WAITING = "waiting"  # reached; none is kept, since all are given away or the person is no backer yet
    PENDING = "pending"  # one is kept until the money of the friends is there and stays there
    EARNED = "earned"  # theirs
    LOST = "lost"  # friends dropped out before it was earned
    TAKEN_BACK = "taken_back"  # it was earned, and then money went back or a friend was struck


S = GrantState
KEPT = (S.PENDING, S.EARNED)  # one of the stock is behind each


class Grant(Stateful, Base):
    """What one link holds of one step; the link says whose it is. Derived from pledges, so it can be derived again."""

    MOVES: ClassVar[dict[Any, set[Any]]] = {
        S.WAITING: {S.PENDING, S.LOST},
        S.PENDING: {S.EARNED, S.WAITING, S.LOST},
        S.EARNED: {S.TAKEN_BACK},
        S.LOST: {S.WAITING},
        S.TAKEN_BACK: {S.WAITING},
    }
    __tablename__ = "milestone_grant"
    __table_args__ = (
        sa.UniqueConstraint("milestone_id", "link_id"),
        sa.CheckConstraint("why IN ('own', 'dispute', 'refund', 'struck', 'left', 'project')", name="why"),
        sa.Index("ix_milestone_grant_project_id_state", "project_id", "state"),
        sa.Index("ix_milestone_grant_line", "milestone_id", "reached_at", postgresql_where=sa.text("state = 'waiting'")),
        sa.Index("ix_milestone_grant_ripe", "complete_at",
                 postgresql_where=sa.text("state = 'pending' AND complete_at IS NOT NULL")),
    )

    id: Mapped[Id]
    milestone_id: Mapped[UUID] = mapped_column(sa.ForeignKey("milestone.id"))
    link_id: Mapped[UUID] = mapped_column(sa.ForeignKey("share_link.id"), index=True)
    project_id: Mapped[UUID]
    state: Mapped[GrantState] = mapped_column(server_default="waiting")
    reached_at: Mapped[datetime]  # when the friend pledged who made the number full: the order of the line
    complete_at: Mapped[datetime | None]  # when the last of so many friends paid
    why: Mapped[str | None]  # it was let go
    created_at: Mapped[Born]

    milestone: Mapped[Milestone] = relationship()
    link: Mapped[ShareLink] = relationship()

    def history_row(self, **columns: Any) -> "GrantMove":
        return GrantMove(grant_id=self.id, project_id=self.project_id, **columns)


class GrantMove(Base):
    """One change of a grant's state. Only ever added."""

    __tablename__ = "milestone_grant_move"

    id: Mapped[Serial]
    grant_id: Mapped[UUID] = mapped_column(sa.ForeignKey("milestone_grant.id"), index=True)
    project_id: Mapped[UUID]
    from_state: Mapped[GrantState | None] = mapped_column(unchecked(GrantState))
    to_state: Mapped[GrantState]
    at: Mapped[Born]
    by_id: Mapped[UUID | None]
    why: Mapped[str] = mapped_column(server_default="")


class MilestoneDue(Base):
    """A link whose steps want looking at again, for another reason than a change of what it brought."""

    __tablename__ = "milestone_due"

    id: Mapped[Serial]
    link_id: Mapped[UUID]
