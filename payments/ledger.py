"""The ledger: append-only double entry in signed minor units; what comes in is positive on assets (C-25 to C-29).

A transaction is a set of entries that sum to zero per currency, which a deferred constraint trigger proves at COMMIT.
Each outside object gives at most one transaction: UNIQUE(kind, external_id, part). Corrections are reversals.
"""

import enum
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import mapped_column

from core.db import Base, Born, Id, Mapped, Serial, db


class Account(enum.StrEnum):
    """Whose money it is, or where it lies (C-28)."""

    STRIPE_PENDING = "stripe_pending"  # asset: charged, not available yet
    STRIPE_AVAILABLE = "stripe_available"
    STRIPE_FEES = "stripe_fees"
    BACKER_RECEIVABLE = "backer_receivable"
    CREATOR_PAYABLE = "creator_payable"  # debt: what the creator is owed
    PLATFORM_FEE = "platform_fee"  # income of the operator
    REFUNDS_PAYABLE = "refunds_payable"  # clearing: refunds under way
    TRANSFERS_PAYABLE = "transfers_payable"  # clearing: transfers under way
    DISPUTES_HELD = "disputes_held"
    CREATOR_DEBT = "creator_debt"
    FX = "fx"


class LedgerTransaction(Base):
    """One event of money."""

    __tablename__ = "ledger_transaction"
    __table_args__ = (sa.UniqueConstraint("kind", "external_id", "part"),
                      sa.Index("uq_ledger_transaction_resolves_id", "resolves_id", unique=True))

    id: Mapped[Id]
    kind: Mapped[str]
    external_id: Mapped[str]
    part: Mapped[str] = mapped_column(server_default="")
    project_id: Mapped[UUID | None] = mapped_column(sa.ForeignKey("project.id"), index=True)
    subject_id: Mapped[UUID | None] = mapped_column(index=True)
    reverses_id: Mapped[UUID | None] = mapped_column(sa.ForeignKey("ledger_transaction.id"), unique=True)
    # The pending transaction that this one posts or voids; a pending one is resolved at most once (C-27).
    resolves_id: Mapped[UUID | None] = mapped_column(sa.ForeignKey("ledger_transaction.id"))
    is_pending: Mapped[bool] = mapped_column(server_default=sa.false())
    posted_at: Mapped[Born]


class LedgerEntry(Base):
    """One line of a transaction."""

    __tablename__ = "ledger_entry"
    __table_args__ = (sa.CheckConstraint("amount <> 0", name="not_zero"),)

    id: Mapped[Serial]
    transaction_id: Mapped[UUID] = mapped_column(sa.ForeignKey("ledger_transaction.id"), index=True)
    project_id: Mapped[UUID | None]
    account: Mapped[Account] = mapped_column(index=True)
    amount: Mapped[int]
    currency: Mapped[str]
    what: Mapped[str] = mapped_column(server_default="")


Line = tuple[Account, int, str]
_POST = sa.text("""
    WITH posted AS (
        INSERT INTO ledger_transaction (kind, external_id, part, project_id, subject_id)
        VALUES (:kind, :external, :part, :project, :subject)
        ON CONFLICT (kind, external_id, part) DO NOTHING RETURNING id)
    INSERT INTO ledger_entry (transaction_id, project_id, account, amount, currency, what)
    SELECT posted.id, :project, line.account, line.amount, :currency, line.what
      FROM posted, unnest(CAST(:accounts AS text[]), CAST(:amounts AS bigint[]), CAST(:whats AS text[]))
           AS line(account, amount, what)
    RETURNING transaction_id""")


def post(kind: str, external_id: str, currency: str, lines: list[Line], *, project_id: UUID | None = None,
         subject_id: UUID | None = None, part: str = "") -> bool:
    """Post one transaction; False when this outside object was posted before. ValueError if it does not balance."""
    lines = [line for line in lines if line[1]]
    if sum(amount for _account, amount, _what in lines):
        raise ValueError(f"{kind} {external_id} does not balance")
    return db.session.execute(_POST, {
        "kind": kind, "external": external_id, "part": part, "project": project_id, "subject": subject_id,
        "currency": currency, "accounts": [a.value for a, _, _ in lines], "amounts": [n for _, n, _ in lines],
        "whats": [w for _, _, w in lines]}).first() is not None


def balance(account: Account, currency: str, project_id: UUID | None = None) -> int:
    """The sum of an account, of one project or of all."""
    query = sa.select(sa.func.coalesce(sa.func.sum(LedgerEntry.amount), 0)).where(
        LedgerEntry.account == account, LedgerEntry.currency == currency)
    if project_id:
        query = query.where(LedgerEntry.project_id == project_id)
    return int(db.session.scalar(query) or 0)
