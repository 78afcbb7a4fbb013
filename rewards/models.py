"""The catalogue: what a backer may choose, at what price, how many there are."""

import enum
from datetime import date
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import mapped_column, relationship

from core.db import Base, Born, Id, Mapped
from core.media import Picture


class RewardKind(enum.StrEnum):
    PLEDGE = "pledge"  # chosen with a pledge, for its price
    MILESTONE = "milestone"  # unlocked by bringing friends; nobody can choose or buy it


class Reward(Base):
    """A reward of a project. `claimed` counts what is held or promised; the database refuses one too many (C-02)."""

    __tablename__ = "reward"
    __table_args__ = (
        sa.CheckConstraint("price > 0 AND kind = 'pledge' OR price = 0 AND kind = 'milestone'", name="price_of_kind"),
        sa.CheckConstraint("quantity IS NULL OR quantity > 0", name="quantity_positive"),
        sa.CheckConstraint("claimed >= 0 AND (quantity IS NULL OR claimed <= quantity)", name="not_oversold"),
        sa.CheckConstraint("char_length(title) BETWEEN 1 AND 60", name="title_length"),
    )

    id: Mapped[Id]
    project_id: Mapped[UUID] = mapped_column(sa.ForeignKey("project.id"), index=True)
    kind: Mapped[RewardKind] = mapped_column(server_default="pledge")
    position: Mapped[int] = mapped_column(sa.Integer, server_default="0")
    title: Mapped[str]
    description: Mapped[str] = mapped_column(server_default="")  # one line per thing that is in it
    price: Mapped[int]  # minor units of the project's currency; a milestone's reward costs nothing
    quantity: Mapped[int | None] = mapped_column(sa.Integer)  # None: as many as are wanted
    claimed: Mapped[int] = mapped_column(sa.Integer, server_default="0")  # limited rewards; milestones' always
    delivery_on: Mapped[date | None]  # the first day of the month in which it should arrive
    picture_id: Mapped[UUID | None] = mapped_column(sa.ForeignKey("picture.id"))
    picture_alt: Mapped[str] = mapped_column(server_default="")
    created_at: Mapped[Born]

    picture: Mapped[Picture | None] = relationship()
    total: Mapped["RewardTotal"] = relationship(uselist=False)

    @property
    def lines(self) -> list[str]:
        return [line.strip() for line in self.description.splitlines() if line.strip()]

    @property
    def left(self) -> int | None:
        return None if self.quantity is None else max(0, self.quantity - self.claimed)

    @property
    def is_gone(self) -> bool:
        return self.left == 0


class RewardTotal(Base):
    """Standing pledges on a reward, rolled up with the project's totals."""

    __tablename__ = "reward_total"
    __table_args__ = (sa.CheckConstraint("backers >= 0 AND raised >= 0", name="not_negative"),)

    reward_id: Mapped[UUID] = mapped_column(sa.ForeignKey("reward.id"), primary_key=True)
    project_id: Mapped[UUID] = mapped_column(sa.ForeignKey("project.id"), index=True)
    backers: Mapped[int] = mapped_column(server_default="0")
    raised: Mapped[int] = mapped_column(server_default="0")
