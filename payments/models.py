"""Money and nothing else: cards saved, payments, accounts paid out to, news from Stripe."""

from datetime import datetime
from typing import Any, ClassVar
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import mapped_column

from core.db import Base, Born, Id, Mapped, Serial, unchecked
from core.states import Stateful
from payments.states import CardSetupState, DisputeStatus, PaymentState, RefundState, TransferState

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
        sa.Index("ix_card_setup_payment_method_id", "payment_method_id"),
        sa.Index("ix_card_setup_card_fingerprint", "card_fingerprint"),
        sa.Index("ix_card_setup_address_digest", "address_digest", "completed_at",
                 postgresql_where=sa.text("address_digest IS NOT NULL")),
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
    address_digest: Mapped[bytes | None]  # of the bill's address, scrambled under a key of ours (payments/addresses.py)
    dead_at: Mapped[datetime | None]  # the bank said never again, or Stripe no longer has it (S-35, S-26)
    dead_why: Mapped[str | None]
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
                      sa.CheckConstraint("refunded BETWEEN 0 AND amount", name="refunded_within_amount"),
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
    processing_fee: Mapped[int | None]  # what Stripe kept of it
    refunded: Mapped[int] = mapped_column(server_default="0")  # kept by a trigger on refund; never above the amount
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
    __table_args__ = (sa.UniqueConstraint("payment_id", "number"),
                      sa.Index("ix_payment_attempt_payment_method_id", "payment_method_id", "sent_at"))

    id: Mapped[Id]
    payment_id: Mapped[UUID] = mapped_column(sa.ForeignKey("payment.id"))
    project_id: Mapped[UUID]
    number: Mapped[int] = mapped_column(sa.Integer)
    payment_method_id: Mapped[str]
    is_on_session: Mapped[bool] = mapped_column(server_default=sa.false())
    is_automatic: Mapped[bool] = mapped_column(server_default=sa.true())  # ours, not the backer's own press (S-36)
    sent_at: Mapped[Born]
    answered_at: Mapped[datetime | None]
    outcome: Mapped[str | None]
    code: Mapped[str | None]
    decline_code: Mapped[str | None]
    advice_code: Mapped[str | None]
    network_decline_code: Mapped[str | None]
    charge_id: Mapped[str | None]  # what the try made at Stripe, paid or not


R = RefundState


class Refund(Stateful, Base):
    """Money that goes back to a backer. The sum of a payment's refunds is guarded by `payment.refunded` (S-66, S-67)."""

    MOVES: ClassVar[dict[Any, set[Any]]] = {
        R.CREATED: {R.UNKNOWN, R.PENDING, R.REQUIRES_ACTION, R.SUCCEEDED, R.FAILED, R.CANCELED},
        R.UNKNOWN: {R.PENDING, R.REQUIRES_ACTION, R.SUCCEEDED, R.FAILED, R.CANCELED},
        R.PENDING: {R.REQUIRES_ACTION, R.SUCCEEDED, R.FAILED, R.CANCELED},
        R.REQUIRES_ACTION: {R.PENDING, R.SUCCEEDED, R.FAILED, R.CANCELED},
        R.SUCCEEDED: {R.FAILED},  # a bank may send it back days later
        R.FAILED: set(),
        R.CANCELED: set(),
    }
    __tablename__ = "refund"
    __table_args__ = (sa.CheckConstraint("amount > 0", name="amount_positive"),
                      sa.Index("ix_refund_open", "changed_at", postgresql_where=sa.text(
                          "state IN ('created', 'unknown', 'pending', 'requires_action')")),
                      sa.Index("uq_refund_duplicate", "duplicate_charge_id", unique=True,
                               postgresql_where=sa.text("state NOT IN ('failed', 'canceled')")))

    id: Mapped[Id]
    payment_id: Mapped[UUID] = mapped_column(sa.ForeignKey("payment.id"), index=True)
    project_id: Mapped[UUID] = mapped_column(sa.ForeignKey("project.id"), index=True)
    amount: Mapped[int]
    fee_back: Mapped[int] = mapped_column(server_default="0")  # the part of the platform's share that it gives up
    currency: Mapped[str]
    reason: Mapped[str]  # one of refunds.REASONS
    lines: Mapped[list[Any]] = mapped_column(JSONB, server_default="[]")  # [title, amount] when it was by line
    note: Mapped[str] = mapped_column(server_default="")  # to the backer, in the creator's words
    # A charge that should never have been: a second one for the same pledge. Refunding it leaves the pledge alone.
    duplicate_charge_id: Mapped[str | None]
    state: Mapped[RefundState] = mapped_column(default=R.CREATED, server_default="created")
    stripe_id: Mapped[str | None] = mapped_column(unique=True)  # re_…
    failure: Mapped[str | None]  # Stripe's failure_reason or pending_reason
    by_id: Mapped[UUID | None]
    created_at: Mapped[Born]
    changed_at: Mapped[Born]

    def history_row(self, **columns: Any) -> "RefundMove":
        return RefundMove(refund_id=self.id, project_id=self.project_id, **columns)


class RefundMove(Base):
    """One change of a refund's state. Only ever added."""

    __tablename__ = "refund_move"

    id: Mapped[Serial]
    refund_id: Mapped[UUID] = mapped_column(sa.ForeignKey("refund.id"), index=True)
    project_id: Mapped[UUID]
    from_state: Mapped[RefundState] = mapped_column(unchecked(RefundState))
    to_state: Mapped[RefundState]
    at: Mapped[Born]
    by_id: Mapped[UUID | None]
    why: Mapped[str] = mapped_column(server_default="")


T = TransferState


class Transfer(Stateful, Base):
    """A payment's share on its way to the creator's account, tied to its own charge (S-62, S-63)."""

    MOVES: ClassVar[dict[Any, set[Any]]] = {
        T.CREATED: {T.UNKNOWN, T.SUCCEEDED, T.FAILED},
        T.UNKNOWN: {T.SUCCEEDED, T.FAILED},
        T.FAILED: {T.CREATED},  # another try
        T.SUCCEEDED: set(),
    }
    __tablename__ = "transfer"
    __table_args__ = (sa.CheckConstraint("amount > 0", name="amount_positive"),
                      sa.UniqueConstraint("payment_id", "part"),
                      sa.Index("ix_transfer_due", "project_id", "next_at", postgresql_where=sa.text(
                          "state IN ('created', 'unknown', 'failed')")),
                      sa.Index("ix_transfer_open", "changed_at", postgresql_where=sa.text(
                          "state IN ('created', 'unknown', 'failed')")))

    id: Mapped[Id]
    payment_id: Mapped[UUID] = mapped_column(sa.ForeignKey("payment.id"))
    project_id: Mapped[UUID] = mapped_column(sa.ForeignKey("project.id"), index=True)
    part: Mapped[str] = mapped_column(server_default="share")  # share | reserve | rest-2, rest-3 … what came free later
    amount: Mapped[int]
    currency: Mapped[str]
    destination: Mapped[str]  # acct_…
    state: Mapped[TransferState] = mapped_column(default=T.CREATED, server_default="created")
    tries: Mapped[int] = mapped_column(sa.Integer, server_default="1")  # part of the key: a refusal is stored at Stripe
    stripe_id: Mapped[str | None] = mapped_column(unique=True)  # tr_…
    failure: Mapped[str | None]  # Stripe's code, or `called off`: this row is never sent again
    sent_at: Mapped[datetime | None]  # when this try was first sent (S-10)
    next_at: Mapped[datetime | None]  # a worker holds it, or it waits, until then
    created_at: Mapped[Born]
    changed_at: Mapped[Born]

    def history_row(self, **columns: Any) -> "TransferMove":
        return TransferMove(transfer_id=self.id, project_id=self.project_id, **columns)


class TransferMove(Base):
    """One change of a transfer's state. Only ever added."""

    __tablename__ = "transfer_move"

    id: Mapped[Serial]
    transfer_id: Mapped[UUID] = mapped_column(sa.ForeignKey("transfer.id"), index=True)
    project_id: Mapped[UUID]
    from_state: Mapped[TransferState] = mapped_column(unchecked(TransferState))
    to_state: Mapped[TransferState]
    at: Mapped[Born]
    by_id: Mapped[UUID | None]
    why: Mapped[str] = mapped_column(server_default="")


class Reversal(Base):
    """Money taken back from the creator's account, because of a refund or a lost dispute; a row and a key of its own.

    `failed` means that the account had too little: the creator owes it (S-65, S-71).
    """

    __tablename__ = "transfer_reversal"
    __table_args__ = (sa.CheckConstraint("amount > 0", name="amount_positive"),
                      sa.UniqueConstraint("transfer_id", "cause_id"),
                      sa.Index("ix_transfer_reversal_open", "changed_at", postgresql_where=sa.text(
                          "state IN ('created', 'unknown', 'failed')")))

    id: Mapped[Id]
    transfer_id: Mapped[UUID] = mapped_column(sa.ForeignKey("transfer.id"))
    project_id: Mapped[UUID] = mapped_column(sa.ForeignKey("project.id"), index=True)
    cause_id: Mapped[UUID]  # the refund's or the dispute's id
    amount: Mapped[int]
    currency: Mapped[str]
    state: Mapped[TransferState] = mapped_column(default=T.CREATED, server_default="created")
    tries: Mapped[int] = mapped_column(sa.Integer, server_default="1")
    stripe_id: Mapped[str | None] = mapped_column(unique=True)  # trr_…
    failure: Mapped[str | None]
    sent_at: Mapped[datetime | None]
    next_at: Mapped[datetime | None]
    created_at: Mapped[Born]
    changed_at: Mapped[Born]


class PayoutRun(Base):
    """The payout of one project: when to look again, and what it waits for."""

    __tablename__ = "payout_run"

    project_id: Mapped[UUID] = mapped_column(sa.ForeignKey("project.id"), primary_key=True)
    next_at: Mapped[Born]
    run_at: Mapped[datetime | None]
    why: Mapped[str] = mapped_column(server_default="")  # account | books | collecting | safe | empty: nothing in its way


class Dispute(Base):
    """A backer asked their bank for the money back; the platform is debited until it wins (S-68)."""

    __tablename__ = "dispute"
    __table_args__ = (sa.CheckConstraint("amount > 0", name="amount_positive"),)

    id: Mapped[Id]
    stripe_id: Mapped[str] = mapped_column(unique=True)  # du_…
    payment_id: Mapped[UUID] = mapped_column(sa.ForeignKey("payment.id"), index=True)
    project_id: Mapped[UUID] = mapped_column(sa.ForeignKey("project.id"), index=True)
    amount: Mapped[int]  # may be a part of the charge
    currency: Mapped[str]
    fee: Mapped[int] = mapped_column(server_default="0")  # what Stripe takes for it, not given back
    status: Mapped[DisputeStatus]
    reason: Mapped[str] = mapped_column(server_default="")
    is_withdrawn: Mapped[bool] = mapped_column(server_default=sa.false())  # Stripe holds money of it now
    held: Mapped[int] = mapped_column(server_default="0")  # how much: what was withdrawn less what was reinstated
    evidence_due_at: Mapped[datetime | None]
    evidence_sent_at: Mapped[datetime | None]
    opened_at: Mapped[Born]
    closed_at: Mapped[datetime | None]
    changed_at: Mapped[Born]
    read_at: Mapped[datetime | None]  # when we began to ask Stripe for what stands here; older answers are stale


class DisputeMove(Base):
    """One change of a dispute's status as we heard of it. Only ever added."""

    __tablename__ = "dispute_move"

    id: Mapped[Serial]
    dispute_id: Mapped[UUID] = mapped_column(sa.ForeignKey("dispute.id"), index=True)
    project_id: Mapped[UUID]
    from_status: Mapped[str | None]
    to_status: Mapped[str]
    at: Mapped[Born]
    by_id: Mapped[UUID | None]
    why: Mapped[str] = mapped_column(server_default="")


class DisputeAnswer(Base):
    """What staff answer: evidence, or that the loss is accepted. Written before it is sent; its number is in the key."""

    __tablename__ = "dispute_answer"
    __table_args__ = (sa.UniqueConstraint("dispute_id", "number"),
                      sa.Index("uq_dispute_answer_open", "dispute_id", unique=True,
                               postgresql_where=sa.text("sent_at IS NULL AND refused_at IS NULL")))

    id: Mapped[Id]
    dispute_id: Mapped[UUID] = mapped_column(sa.ForeignKey("dispute.id"))
    project_id: Mapped[UUID]
    number: Mapped[int] = mapped_column(sa.Integer)
    kind: Mapped[str]  # evidence | acceptance
    texts: Mapped[dict[str, str]] = mapped_column(JSONB, server_default="{}")
    submissions: Mapped[int] = mapped_column(sa.Integer, server_default="0")  # that Stripe had counted before this one
    by_id: Mapped[UUID | None]
    asked_at: Mapped[Born]
    sent_at: Mapped[datetime | None]  # Stripe has it
    refused_at: Mapped[datetime | None]
    failure: Mapped[str | None]


class FraudWarning(Base):
    """A card network fears fraud: four in five become disputes. Staff decide within a day (S-70)."""

    __tablename__ = "fraud_warning"

    id: Mapped[Id]
    stripe_id: Mapped[str] = mapped_column(unique=True)  # issfr_…
    payment_id: Mapped[UUID] = mapped_column(sa.ForeignKey("payment.id"), index=True)
    project_id: Mapped[UUID] = mapped_column(sa.ForeignKey("project.id"), index=True)
    fraud_type: Mapped[str] = mapped_column(server_default="")
    is_actionable: Mapped[bool]
    decide_until: Mapped[datetime]
    decision: Mapped[str | None]  # refund | keep
    decided_by_id: Mapped[UUID | None]
    decided_at: Mapped[datetime | None]
    created_at: Mapped[Born]


class Mismatch(Base):
    """Where Stripe and our books differ: a line of the worklist of staff, settled by one action (S-50)."""

    __tablename__ = "mismatch"
    __table_args__ = (sa.Index("uq_mismatch_open", "kind", "stripe_id", unique=True,
                               postgresql_where=sa.text("settled_at IS NULL")),)

    id: Mapped[Id]
    kind: Mapped[str]  # one of worklist.KINDS
    stripe_id: Mapped[str]  # the object, or ours when Stripe has none
    payment_id: Mapped[UUID | None] = mapped_column(sa.ForeignKey("payment.id"))
    project_id: Mapped[UUID | None] = mapped_column(sa.ForeignKey("project.id"), index=True)
    ours: Mapped[dict[str, Any]] = mapped_column(JSONB, server_default="{}")
    theirs: Mapped[dict[str, Any]] = mapped_column(JSONB, server_default="{}")
    found_at: Mapped[Born]
    seen_at: Mapped[Born]  # when it was last found again
    settled_at: Mapped[datetime | None]
    settled_by_id: Mapped[UUID | None]
    how: Mapped[str] = mapped_column(server_default="")


class StripeCursor(Base):
    """How far a sweep through Stripe's lists has come."""

    __tablename__ = "stripe_cursor"

    name: Mapped[str] = mapped_column(primary_key=True)  # events | reconcile
    object_id: Mapped[str | None]
    at: Mapped[datetime | None]  # everything created before is known
    run_at: Mapped[datetime | None]  # when the sweep last ended well


class MoneyMode(Base):
    """One row: may money move, and on which database's life that was decided (O-03)."""

    __tablename__ = "money_mode"
    __table_args__ = (sa.CheckConstraint("id = 1", name="one_row"),)

    id: Mapped[int] = mapped_column(sa.Integer, primary_key=True, autoincrement=False)
    is_safe_mode: Mapped[bool] = mapped_column(server_default=sa.false())  # no confirm, refund or transfer leaves
    why: Mapped[str] = mapped_column(server_default="")
    since: Mapped[Born]
    by_id: Mapped[UUID | None]
    # Of the server that this was written on: a restore gives another identifier or another timeline.
    system_id: Mapped[str | None]
    timeline: Mapped[int | None] = mapped_column(sa.Integer)


class PayoutAccount(Base):
    """Where a creator is paid: a connected account (Accounts v2) with the transfers capability."""

    __tablename__ = "payout_account"

    person_id: Mapped[UUID] = mapped_column(sa.ForeignKey("person.id"), primary_key=True)
    stripe_id: Mapped[str | None] = mapped_column(unique=True)
    country: Mapped[str]
    is_active: Mapped[bool] = mapped_column(server_default=sa.false())
    wanted: Mapped[list[str]] = mapped_column(JSONB, server_default="[]")  # what Stripe still asks for
    links: Mapped[int] = mapped_column(sa.Integer, server_default="0")  # how many onboarding links were asked for
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
