"""Money and nothing else: cards saved, payments, accounts paid out to, news from Stripe."""

import enum
from datetime import datetime
from typing import Any, ClassVar
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import mapped_column

from core.db import Base, Born, Id, Mapped, Serial, unchecked
from core.states import Stateful


class PaymentState(enum.StrEnum):
    CREATED = "created"  # our row; perhaps an unconfirmed intent at Stripe
    CONFIRMING = "confirming"  # a confirm is under way
    PROCESSING = "processing"  # Stripe works on it (delayed methods)
    REQUIRES_ACTION = "requires_action"  # the backer's bank wants to see the backer
    SUCCEEDED = "succeeded"
    FAILED = "failed"  # refused; another attempt may follow on the same intent
    UNKNOWN = "unknown"  # no answer came: neither yes nor no (S-09)


class CardSetupState(enum.StrEnum):
    OPEN = "open"
    COMPLETE = "complete"
    EXPIRED = "expired"


S = PaymentState


class StripeCustomer(Base):
    """A person as Stripe knows them."""

    __tablename__ = "stripe_customer"

    person_id: Mapped[UUID] = mapped_column(sa.ForeignKey("person.id"), primary_key=True)
    stripe_id: Mapped[str] = mapped_column(unique=True)
    created_at: Mapped[Born]


class CardSetup(Base):
    """One visit to Stripe's form to save a card for one subject (a pledge); nothing is charged by it."""

    __tablename__ = "card_setup"
    __table_args__ = (
        sa.Index("ix_card_setup_open", "created_at", postgresql_where=sa.text("state = 'open'")),
    )

    id: Mapped[Id]
    project_id: Mapped[UUID] = mapped_column(sa.ForeignKey("project.id"))
    subject_id: Mapped[UUID] = mapped_column(index=True)  # the pledge; money knows no pledges
    person_id: Mapped[UUID] = mapped_column(sa.ForeignKey("person.id"), index=True)
    state: Mapped[CardSetupState] = mapped_column(default=CardSetupState.OPEN, server_default="open")
    currency: Mapped[str]
    session_id: Mapped[str | None] = mapped_column(unique=True)
    url: Mapped[str | None]  # Stripe's page
    payment_method_id: Mapped[str | None]
    card_brand: Mapped[str | None]
    card_last4: Mapped[str | None]
    card_exp: Mapped[str | None]  # 2027-04
    card_fingerprint: Mapped[str | None]
    created_at: Mapped[Born]
    completed_at: Mapped[datetime | None]


class Payment(Stateful, Base):
    """The one payment of a subject, for life: one PaymentIntent, at most one success (S-30)."""

    MOVES: ClassVar[dict[Any, set[Any]]] = {
        S.CREATED: {S.CONFIRMING, S.SUCCEEDED, S.FAILED, S.REQUIRES_ACTION, S.PROCESSING, S.UNKNOWN},
        S.CONFIRMING: {S.SUCCEEDED, S.FAILED, S.REQUIRES_ACTION, S.PROCESSING, S.UNKNOWN},
        S.PROCESSING: {S.SUCCEEDED, S.FAILED, S.REQUIRES_ACTION},
        S.REQUIRES_ACTION: {S.CONFIRMING, S.SUCCEEDED, S.FAILED, S.PROCESSING, S.UNKNOWN},
        S.FAILED: {S.CONFIRMING, S.SUCCEEDED, S.REQUIRES_ACTION, S.PROCESSING, S.UNKNOWN},
        S.UNKNOWN: {S.CONFIRMING, S.SUCCEEDED, S.FAILED, S.REQUIRES_ACTION, S.PROCESSING},
        S.SUCCEEDED: set(),
    }
    __tablename__ = "payment"
    __table_args__ = (sa.CheckConstraint("amount > 0", name="amount_positive"),
                      sa.Index("ix_payment_unsettled", "project_id",
                               postgresql_where=sa.text("state IN ('confirming', 'unknown', 'processing')")))

    id: Mapped[Id]
    project_id: Mapped[UUID] = mapped_column(sa.ForeignKey("project.id"), index=True)
    subject_id: Mapped[UUID] = mapped_column(unique=True)  # the pledge
    person_id: Mapped[UUID] = mapped_column(sa.ForeignKey("person.id"))
    amount: Mapped[int]
    currency: Mapped[str]
    fee_bp: Mapped[int] = mapped_column(sa.Integer)  # the platform's share, as frozen at launch
    state: Mapped[PaymentState] = mapped_column(default=S.CREATED, server_default="created")
    stripe_id: Mapped[str | None] = mapped_column(unique=True)  # pi_…
    charge_id: Mapped[str | None] = mapped_column(unique=True)  # ch_…, once it succeeded
    attempts: Mapped[int] = mapped_column(sa.Integer, server_default="0")
    decline_class: Mapped[str | None]  # what the backer can do about the last refusal
    created_at: Mapped[Born]
    changed_at: Mapped[Born]

    def history_row(self, **columns: Any) -> "PaymentMove":
        return PaymentMove(payment_id=self.id, project_id=self.project_id, **columns)


class PaymentMove(Base):
    """One change of a payment's state. Only ever added."""

    __tablename__ = "payment_move"

    id: Mapped[Serial]
    payment_id: Mapped[UUID] = mapped_column(sa.ForeignKey("payment.id"), index=True)
    project_id: Mapped[UUID]
    from_state: Mapped[PaymentState] = mapped_column(unchecked(PaymentState))
    to_state: Mapped[PaymentState]
    at: Mapped[Born]
    by_id: Mapped[UUID | None]
    why: Mapped[str] = mapped_column(server_default="")


class PaymentAttempt(Base):
    """One confirm of a payment: written before it is sent, completed by what came back."""

    __tablename__ = "payment_attempt"
    __table_args__ = (sa.UniqueConstraint("payment_id", "number"),)

    id: Mapped[Id]
    payment_id: Mapped[UUID] = mapped_column(sa.ForeignKey("payment.id"))
    project_id: Mapped[UUID]
    number: Mapped[int] = mapped_column(sa.Integer)
    payment_method_id: Mapped[str]
    is_on_session: Mapped[bool] = mapped_column(server_default=sa.false())
    sent_at: Mapped[Born]
    answered_at: Mapped[datetime | None]
    outcome: Mapped[str | None]
    code: Mapped[str | None]
    decline_code: Mapped[str | None]
    advice_code: Mapped[str | None]
    network_decline_code: Mapped[str | None]


class PayoutAccount(Base):
    """Where a creator is paid: a connected account (Accounts v2) with the transfers capability."""

    __tablename__ = "payout_account"

    person_id: Mapped[UUID] = mapped_column(sa.ForeignKey("person.id"), primary_key=True)
    stripe_id: Mapped[str | None] = mapped_column(unique=True)
    country: Mapped[str]
    is_active: Mapped[bool] = mapped_column(server_default=sa.false())
    wanted: Mapped[list[str]] = mapped_column(JSONB, server_default="[]")  # what Stripe still asks for
    checked_at: Mapped[datetime | None]
    created_at: Mapped[Born]


class StripeEvent(Base):
    """News from Stripe as it came: stored first, handled after (S-40)."""

    __tablename__ = "stripe_event"

    event_id: Mapped[str] = mapped_column(primary_key=True)
    type: Mapped[str]
    account: Mapped[str | None]
    api_version: Mapped[str | None]
    payload: Mapped[dict[str, Any]] = mapped_column(JSONB)
    received_at: Mapped[Born] = mapped_column(index=True)
    handled_at: Mapped[datetime | None]
