"""The ledger: append-only double entry in signed minor units; what comes in is positive on assets (C-25 to C-29).

A transaction is a set of entries that sum to zero per currency, which a deferred constraint trigger proves at COMMIT.
Each outside object gives at most one transaction: UNIQUE(kind, external_id, part). What takes time has two phases: it is
pended when we mean it and settled or voided, once, when it is known. Corrections are reversals.
"""

import enum
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import mapped_column

from core.db import Base, Born, Id, Mapped, Serial, db, run


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
    BANK = "bank"  # asset: paid out to the operator's own bank


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


@dataclass(frozen=True)
class Posting:
    """One transaction to be posted."""

    kind: str
    external_id: str
    currency: str
    lines: Sequence[Line]
    project_id: UUID | None = None
    subject_id: UUID | None = None
    part: str = ""


_LINES = """
    INSERT INTO ledger_entry (transaction_id, project_id, account, amount, currency, what)
    SELECT posted.id, posted.project_id, line.account, line.amount, {currency}, line.what
      FROM posted, unnest(CAST(:accounts AS text[]), CAST(:amounts AS bigint[]), CAST(:whats AS text[]))
           AS line(account, amount, what)
    RETURNING transaction_id"""
_POST = sa.text("""
    WITH posted AS (
        INSERT INTO ledger_transaction (kind, external_id, part, project_id, subject_id, is_pending)
        VALUES (:kind, :external, :part, :project, :subject, :pending)
        ON CONFLICT (kind, external_id, part) DO NOTHING RETURNING id, project_id)""" + _LINES.format(currency=":currency"))  # noqa: S608 -- pieces of ours
# The pending one is read with its currency; what resolves it goes in unless another has: UNIQUE(resolves_id) decides.
_PENDING = """
    WITH pending AS (
        SELECT t.id, t.kind, t.external_id, t.project_id, t.subject_id,
               (SELECT currency FROM ledger_entry WHERE transaction_id = t.id LIMIT 1) AS currency
          FROM ledger_transaction t
         WHERE t.kind = :kind AND t.external_id = :external AND t.part = 'pending' AND t.is_pending),
    posted AS (
        INSERT INTO ledger_transaction (kind, external_id, part, project_id, subject_id, resolves_id)
        SELECT kind, external_id, '{part}', project_id, subject_id, id FROM pending
        ON CONFLICT DO NOTHING RETURNING id, project_id, resolves_id)"""
_SETTLE = sa.text(_PENDING.format(part="posted") + _LINES.format(currency="(SELECT currency FROM pending)"))
_VOID = sa.text(_PENDING.format(part="void") + """
    INSERT INTO ledger_entry (transaction_id, project_id, account, amount, currency, what)
    SELECT posted.id, e.project_id, e.account, -e.amount, e.currency, e.what
      FROM posted JOIN ledger_entry e ON e.transaction_id = posted.resolves_id ORDER BY e.id
    RETURNING transaction_id""")  # noqa: S608 -- the same
_REVERSE = sa.text("""
    WITH posted AS (
        INSERT INTO ledger_transaction (kind, external_id, part, project_id, subject_id, reverses_id)
        SELECT kind, external_id, part || ' reversed', project_id, subject_id, id FROM ledger_transaction
         WHERE kind = :kind AND external_id = :external AND part = :part
        ON CONFLICT DO NOTHING RETURNING id, reverses_id)
    INSERT INTO ledger_entry (transaction_id, project_id, account, amount, currency, what)
    SELECT posted.id, e.project_id, e.account, -e.amount, e.currency, :why
      FROM posted JOIN ledger_entry e ON e.transaction_id = posted.reverses_id ORDER BY e.id
    RETURNING transaction_id""")
_KNOWN = sa.text("SELECT 1 FROM ledger_transaction WHERE kind = :kind AND external_id = :external AND part = :part")
_PAYABLE = sa.text("""
    SELECT coalesce(-sum(e.amount), 0)::bigint FROM ledger_transaction t
      JOIN ledger_entry e ON e.transaction_id = t.id AND e.account = 'creator_payable' WHERE t.subject_id = :subject""")
_PAYABLE_OF_PROJECT = sa.text("""
    SELECT coalesce(-sum(e.amount), 0)::bigint FROM ledger_transaction t
      JOIN ledger_entry e ON e.transaction_id = t.id AND e.account = 'creator_payable' AND e.currency = :currency
     WHERE t.project_id = :project""")
_POST_ALL = sa.text("""
    WITH wanted AS (
        SELECT * FROM unnest(CAST(:kinds AS text[]), CAST(:externals AS text[]), CAST(:parts AS text[]),
                             CAST(:projects AS uuid[]), CAST(:subjects AS uuid[]), CAST(:currencies AS text[]))
                 WITH ORDINALITY AS w(kind, external_id, part, project_id, subject_id, currency, n)),
    posted AS (
        INSERT INTO ledger_transaction (kind, external_id, part, project_id, subject_id)
        SELECT kind, external_id, part, project_id, subject_id FROM wanted ORDER BY kind, external_id, part
        ON CONFLICT (kind, external_id, part) DO NOTHING RETURNING id, kind, external_id, part),
    entered AS (
        INSERT INTO ledger_entry (transaction_id, project_id, account, amount, currency, what)
        SELECT posted.id, wanted.project_id, line.account, line.amount, wanted.currency, line.what
          FROM posted JOIN wanted USING (kind, external_id, part)
          JOIN unnest(CAST(:ns AS bigint[]), CAST(:accounts AS text[]), CAST(:amounts AS bigint[]), CAST(:whats AS text[]))
               WITH ORDINALITY AS line(n, account, amount, what, place) USING (n)
         ORDER BY n, place)
    SELECT count(*) FROM posted""")


def post(kind: str, external_id: str, currency: str, lines: list[Line], *, project_id: UUID | None = None,
         subject_id: UUID | None = None, part: str = "") -> bool:
    """Post one transaction; False when this outside object was posted before. ValueError if it does not balance."""
    return _write(_POST, kind, external_id, lines, part=part, project=project_id, subject=subject_id,
                  currency=currency, pending=False)


def post_all(postings: Sequence[Posting]) -> int:
    """Post several in one statement; how many were not there before. ValueError, and none, if one does not balance."""
    if len({(p.kind, p.external_id, p.part) for p in postings}) < len(postings):
        raise ValueError("one outside object twice")
    lines = []
    for n, posting in enumerate(postings, 1):
        mine = [(n, account.value, amount, what) for account, amount, what in posting.lines if amount]
        if sum(amount for _n, _account, amount, _what in mine):
            raise ValueError(f"{posting.kind} {posting.external_id} does not balance")
        lines += mine
    return int(db.session.execute(_POST_ALL, {
        "kinds": [p.kind for p in postings], "externals": [p.external_id for p in postings],
        "parts": [p.part for p in postings], "projects": [p.project_id for p in postings],
        "subjects": [p.subject_id for p in postings], "currencies": [p.currency for p in postings],
        "ns": [line[0] for line in lines], "accounts": [line[1] for line in lines],
        "amounts": [line[2] for line in lines], "whats": [line[3] for line in lines]}).scalar_one())


def pend(kind: str, external_id: str, currency: str, lines: list[Line], *, project_id: UUID | None = None,
         subject_id: UUID | None = None) -> bool:
    """The first of two phases: what is meant to happen. False when it was pended before (C-27)."""
    return _write(_POST, kind, external_id, lines, part="pending", project=project_id, subject=subject_id,
                  currency=currency, pending=True)


def settle(kind: str, external_id: str, lines: list[Line]) -> bool:
    """It happened: the second phase, on top of the first. False when that was resolved before, either way."""
    return _write(_SETTLE, kind, external_id, lines) or _was_there(kind, external_id, "pending")


def void(kind: str, external_id: str) -> bool:
    """It did not happen: the opposite of the first phase. False when that was resolved before, either way."""
    done = db.session.execute(_VOID, {"kind": kind, "external": external_id}).first()
    return done is not None or _was_there(kind, external_id, "pending")


def reverse(kind: str, external_id: str, part: str, why: str) -> bool:
    """A correction: the exact opposite of a transaction, once. False when it was reversed before."""
    done = db.session.execute(_REVERSE, {"kind": kind, "external": external_id, "part": part, "why": why}).first()
    return done is not None or _was_there(kind, external_id, part)


def _write(statement: sa.TextClause, kind: str, external_id: str, lines: list[Line], **values: Any) -> bool:
    lines = [line for line in lines if line[1]]
    if sum(amount for _account, amount, _what in lines):
        raise ValueError(f"{kind} {external_id} does not balance")
    return bool(run(statement, kind=kind, external=external_id, accounts=_array([a.value for a, _, _ in lines]),
                    amounts=_array([str(int(n)) for _, n, _ in lines]), whats=_array([w for _, _, w in lines]), **values))


def _array(texts: Sequence[str]) -> str:
    """An array as PostgreSQL writes it: what the driver makes of three lists costs as much as sending the statement."""
    quoted = (text.replace("\\", r"\\").replace('"', r'\"') for text in texts)
    return "{" + ",".join(f'"{text}"' for text in quoted) + "}"


def _was_there(kind: str, external_id: str, part: str) -> bool:
    """False: nothing was written because it had been written. LookupError: there is nothing to build on."""
    if db.session.scalar(_KNOWN, {"kind": kind, "external": external_id, "part": part}) is None:
        raise LookupError(f"the ledger has no {kind} {external_id} {part}")
    return False


def payable(subject_id: UUID) -> int:
    """What the creator is still owed for one payment; below zero, what the creator owes."""
    return int(db.session.scalar(_PAYABLE, {"subject": subject_id}) or 0)


def payable_of_project(project_id: UUID, currency: str) -> int:
    """The same for all payments of a project."""
    return int(db.session.scalar(_PAYABLE_OF_PROJECT, {"project": project_id, "currency": currency}) or 0)


def balance(account: Account, currency: str, project_id: UUID | None = None) -> int:
    """The sum of an account, of one project or of all."""
    query = sa.select(sa.func.coalesce(sa.func.sum(LedgerEntry.amount), 0)).where(
        LedgerEntry.account == account, LedgerEntry.currency == currency)
    if project_id:
        query = query.where(LedgerEntry.project_id == project_id)
    return int(db.session.scalar(query) or 0)
