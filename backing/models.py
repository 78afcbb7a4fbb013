"""The pledge: a backer's promise to pay a project if it is funded."""

import enum
from datetime import datetime
from typing import Any, ClassVar
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import mapped_column, relationship

from core.db import Base, Born, Id, Mapped, Serial, unchecked
from core.states import Stateful
from payments.models import CardSetup, Payment
from people.models import Person
from projects.models import Project
from rewards.models import Reward


class PledgeState(enum.StrEnum):
    HELD = "held"  # chosen, reward kept, card not saved yet
    PLEDGED = "pledged"  # counts; nothing charged
    COLLECTING = "collecting"  # the project made it; the charge is under way
    COLLECTED = "collected"  # paid
    ERRORED = "errored"  # the charge failed; the backer can mend it
    DROPPED = "dropped"  # not mended in time
    EXPIRED = "expired"  # the hold ran out
    CANCELLED = "cancelled"  # the backer withdrew
    LAPSED = "lapsed"  # the project did not make it
    REFUNDED = "refunded"  # the money went back


S = PledgeState
STANDING = (S.PLEDGED, S.COLLECTING, S.COLLECTED, S.ERRORED)  # what counts towards totals
ACTIVE = (S.HELD, *STANDING)  # one of these per backer and project


class Pledge(Stateful, Base):
    """One promise. Amounts are frozen in its lines per version; `amount` is their sum (C-13)."""

    MOVES: ClassVar[dict[Any, set[Any]]] = {
        S.HELD: {S.PLEDGED, S.EXPIRED, S.CANCELLED},
        S.EXPIRED: {S.PLEDGED},  # the card was saved in the same moment and the reward was still there
        S.PLEDGED: {S.COLLECTING, S.CANCELLED, S.LAPSED, S.DROPPED},
        S.COLLECTING: {S.COLLECTED, S.ERRORED},
        S.ERRORED: {S.COLLECTING, S.COLLECTED, S.DROPPED},
        S.COLLECTED: {S.REFUNDED},
        S.CANCELLED: set(),
        S.LAPSED: set(),
        S.DROPPED: set(),
        S.REFUNDED: {S.COLLECTED},  # a bank sent the refund back: what was paid is here again (S-66)
    }
    __tablename__ = "pledge"
    __table_args__ = (
        sa.CheckConstraint("amount > 0 AND bonus >= 0", name="amounts"),
        sa.CheckConstraint("held_until IS NOT NULL OR state <> 'held'", name="held_has_end"),
        sa.CheckConstraint("number IS NOT NULL OR state IN ('held', 'expired', 'cancelled')", name="standing_has_number"),
        # C-14: one form gives one pledge, and a backer has one active pledge in a project.
        sa.UniqueConstraint("backer_id", "token"),
        sa.Index("uq_pledge_active", "project_id", "backer_id", unique=True,
                 postgresql_where=sa.text("state IN ('held', 'pledged', 'collecting', 'collected', 'errored')")),
        sa.Index("uq_pledge_number", "project_id", "number", unique=True),
        sa.Index("ix_pledge_held", "held_until", postgresql_where=sa.text("state = 'held'")),
        sa.Index("ix_pledge_work", "project_id", "id", postgresql_where=sa.text("state IN ('pledged', 'collecting')")),
        sa.Index("ix_pledge_errored", "fix_until", postgresql_where=sa.text("state = 'errored'")),
        sa.Index("ix_pledge_retry", "retry_at", postgresql_where=sa.text("state = 'errored' AND retry_at IS NOT NULL")),
    )

    id: Mapped[Id]
    project_id: Mapped[UUID] = mapped_column(sa.ForeignKey("project.id"))
    backer_id: Mapped[UUID] = mapped_column(sa.ForeignKey("person.id"))
    reward_id: Mapped[UUID | None] = mapped_column(sa.ForeignKey("reward.id"), index=True)
    state: Mapped[PledgeState] = mapped_column(server_default="held")
    number: Mapped[int | None] = mapped_column(sa.Integer)  # the backer number: rising, never reused
    amount: Mapped[int]  # minor units; what will be charged
    bonus: Mapped[int] = mapped_column(server_default="0")
    currency: Mapped[str]
    version: Mapped[int] = mapped_column(sa.Integer, server_default="1")
    token: Mapped[UUID]  # from the form: the same form twice is one pledge
    ref: Mapped[str | None]  # the share code it came by, as it came
    source: Mapped[str] = mapped_column(server_default="direct")  # share | discover | search | referrer's domain | direct
    locale: Mapped[str] = mapped_column(server_default="en")
    placed_at: Mapped[Born]
    held_until: Mapped[datetime | None]
    pledged_at: Mapped[datetime | None]
    collected_at: Mapped[datetime | None]
    cancel_reason: Mapped[str | None]
    card_id: Mapped[UUID | None] = mapped_column(sa.ForeignKey("card_setup.id"))
    payment_id: Mapped[UUID | None] = mapped_column(sa.ForeignKey("payment.id"), unique=True)
    fix_from: Mapped[datetime | None]  # the time to mend, whatever the setting says later; a pause moves both
    fix_until: Mapped[datetime | None]
    reminders: Mapped[int] = mapped_column(sa.Integer, server_default="0")
    last_try_at: Mapped[datetime | None]  # the one automatic retry on the last day
    retry_at: Mapped[datetime | None]  # when an errored charge is tried again by itself (S-35)
    # Until when a worker holds it; `fence` counts the leases. A late worker loses by the payment's attempts (C-21).
    leased_until: Mapped[datetime | None]
    fence: Mapped[int] = mapped_column(sa.Integer, server_default="0")

    backer: Mapped[Person] = relationship()
    project: Mapped[Project] = relationship()
    reward: Mapped[Reward | None] = relationship()
    card: Mapped[CardSetup | None] = relationship()
    payment: Mapped[Payment | None] = relationship()

    def history_row(self, **columns: Any) -> "PledgeMove":
        return PledgeMove(pledge_id=self.id, project_id=self.project_id, **columns)

    @property
    def stands(self) -> bool:
        return self.state in STANDING


class PledgeMove(Base):
    """One change of a pledge's state. Only ever added."""

    __tablename__ = "pledge_move"

    id: Mapped[Serial]
    pledge_id: Mapped[UUID] = mapped_column(sa.ForeignKey("pledge.id"), index=True)
    project_id: Mapped[UUID]
    from_state: Mapped[PledgeState | None] = mapped_column(unchecked(PledgeState))
    to_state: Mapped[PledgeState]
    at: Mapped[Born]
    by_id: Mapped[UUID | None]
    why: Mapped[str] = mapped_column(server_default="")


class LineKind(enum.StrEnum):
    REWARD = "reward"
    ADD_ON = "add_on"
    SHIPPING = "shipping"
    BONUS = "bonus"


class PledgeLine(Base):
    """What one version of a pledge is made of, at the prices of its moment. Only ever added."""

    __tablename__ = "pledge_line"
    __table_args__ = (sa.CheckConstraint("amount > 0 AND quantity > 0", name="positive"),)

    id: Mapped[Serial]
    pledge_id: Mapped[UUID] = mapped_column(sa.ForeignKey("pledge.id"), index=True)
    project_id: Mapped[UUID]
    version: Mapped[int] = mapped_column(sa.Integer, server_default="1")
    kind: Mapped[LineKind]
    reward_id: Mapped[UUID | None] = mapped_column(sa.ForeignKey("reward.id"))
    title: Mapped[str]
    quantity: Mapped[int] = mapped_column(sa.Integer, server_default="1")
    amount: Mapped[int]  # for the whole quantity


class Consent(Base):
    """What a backer agreed to when they went to save a card: so much, for this, not before then (S-23). Only ever added.

    The network is truncated and the browser hashed: enough to show a bank that it was the same person, no more.
    """

    __tablename__ = "consent"

    id: Mapped[Serial]
    pledge_id: Mapped[UUID] = mapped_column(sa.ForeignKey("pledge.id"), index=True)
    project_id: Mapped[UUID]
    text_version: Mapped[str]  # of consenting.TEXTS
    locale: Mapped[str]
    project: Mapped[str]  # its title then
    amount: Mapped[int]  # the most that may be charged
    currency: Mapped[str]
    charge_from: Mapped[datetime]  # on or after
    network: Mapped[str]  # 203.0.113.0/24
    browser: Mapped[str]  # SHA-256 of what it called itself
    given_at: Mapped[Born]


class PledgeDelta(Base):
    """What a pledge changed in the totals, waiting to be rolled up: added by the pledge, removed by the roll-up."""

    __tablename__ = "pledge_delta"

    id: Mapped[Serial]
    project_id: Mapped[UUID]
    reward_id: Mapped[UUID | None]
    backers: Mapped[int] = mapped_column(sa.Integer)
    raised: Mapped[int]
    collected: Mapped[int] = mapped_column(server_default="0")


class BackerCounter(Base):
    """The last backer number given in a project."""

    __tablename__ = "backer_counter"

    project_id: Mapped[UUID] = mapped_column(sa.ForeignKey("project.id"), primary_key=True)
    last: Mapped[int] = mapped_column(sa.Integer, server_default="0")


class RunState(enum.StrEnum):
    RUNNING = "running"
    PAUSED = "paused"
    DONE = "done"


class CollectionRun(Base):
    """The collection of a successful project's pledges."""

    __tablename__ = "collection_run"

    project_id: Mapped[UUID] = mapped_column(sa.ForeignKey("project.id"), primary_key=True)
    state: Mapped[RunState] = mapped_column(server_default="running")
    started_at: Mapped[Born]
    finished_at: Mapped[datetime | None]
    why: Mapped[str] = mapped_column(server_default="")  # it is paused, in a word: staff | declines | requests
    paused_at: Mapped[datetime | None]
    resumed_at: Mapped[datetime | None]  # what failed before then no longer counts against it (S-38)


class RefundRun(Base):
    """Refunding everybody of a project: payment after payment, resumable anywhere."""

    __tablename__ = "refund_run"
    __table_args__ = (sa.Index("uq_refund_run_open", "project_id", unique=True,
                               postgresql_where=sa.text("finished_at IS NULL")),)

    id: Mapped[Id]
    project_id: Mapped[UUID] = mapped_column(sa.ForeignKey("project.id"), index=True)
    reason: Mapped[str]
    note: Mapped[str] = mapped_column(server_default="")
    by_id: Mapped[UUID | None]
    last_payment_id: Mapped[UUID | None]  # everything up to here was looked at, in the order of ids
    asked: Mapped[int] = mapped_column(sa.Integer, server_default="0")
    skipped: Mapped[int] = mapped_column(sa.Integer, server_default="0")  # disputed: their banks decide
    started_at: Mapped[Born]
    finished_at: Mapped[datetime | None]
