"""What a creator is owed now, payment by payment, and what they owe: read from the ledger (S-63, S-64, S-71)."""

from collections.abc import Iterator
from dataclasses import dataclass
from uuid import UUID

import sqlalchemy as sa
from flask import current_app

from core import money
from core.db import db
from payments import ledger
from payments.disputes import open_amount
from payments.ledger import Account


@dataclass(frozen=True)
class Due:
    """One transfer to be made."""

    payment_id: UUID
    subject_id: UUID
    charge_id: str
    part: str
    amount: int
    currency: str
    title: str


# What is owed already leaves out what was transferred or is on its way. A dispute holds its amount back until it is
# decided, the reserve its share until its day. A payment with a transfer that is not done waits for that one.
_DUE = sa.text("""
    SELECT p.id, p.subject_id, p.charge_id, p.amount, p.currency, j.title, j.reserve_bp,
           j.deadline + make_interval(days => :reserve_days) <= clock_now() AS is_free,
           coalesce((SELECT -sum(e.amount) FROM ledger_transaction t JOIN ledger_entry e ON e.transaction_id = t.id
              WHERE t.subject_id = p.subject_id AND e.account = 'creator_payable'), 0)::bigint AS owed,
           EXISTS (SELECT 1 FROM dispute d WHERE d.payment_id = p.id) AS is_disputed,
           (SELECT count(*) FROM transfer t WHERE t.payment_id = p.id) AS made,
           (SELECT count(*) FROM transfer t WHERE t.payment_id = p.id AND t.part = 'reserve') AS reserves
      FROM payment p JOIN project j ON j.id = p.project_id
     WHERE p.id = ANY(:ids) AND p.state = 'succeeded' AND p.charge_id IS NOT NULL
       AND NOT EXISTS (SELECT 1 FROM transfer t WHERE t.payment_id = p.id AND t.next_at IS NOT NULL)
     ORDER BY p.id""")


def due_of(project_id: UUID, ids: list[UUID]) -> Iterator[Due]:
    """What may be transferred of these payments now; what the creator owes for others is set off first.

    Lock the payments before, so that nothing changes while the rows are made.
    """
    rows = db.session.execute(_DUE, {"ids": ids, "reserve_days": current_app.config["RESERVE_DAYS"]}).all()
    debts: dict[str, int] = {}
    for row in rows:
        if row.currency not in debts:
            debts[row.currency] = _shortfall(project_id, row.currency)
        held = open_amount(row.id) if row.is_disputed else 0
        free = row.owed - _take_debts(row.id, row.owed) - held - (0 if row.is_free else money.share(row.amount, row.reserve_bp))
        if free <= 0:
            continue
        if (back := min(debts[row.currency], free)) and in_unit():
            _set_off(project_id, row, back)
            debts[row.currency] -= back
            free -= back
        if free <= 0:
            continue
        part = "share" if not row.made else "reserve" if row.reserve_bp and row.is_free and not row.reserves \
            else f"rest-{row.made + 1}"
        yield Due(row.id, row.subject_id, row.charge_id, part, free, row.currency, row.title)


# Reversals that were refused and are not under way now.
_REFUSED = sa.text("""
    SELECT r.id, r.amount FROM transfer_reversal r JOIN transfer t ON t.id = r.transfer_id
     WHERE t.payment_id = :payment AND r.state = 'failed' AND r.next_at IS NOT NULL ORDER BY r.id""")
_REFUSED_HELD = sa.text(_REFUSED.text + " FOR UPDATE OF r")
_LET_GO = sa.text("UPDATE transfer_reversal SET failure = 'set off', next_at = NULL, changed_at = clock_now() WHERE id = :id")


def _take_debts(payment_id: UUID, owed: int) -> int:
    """What of this sum is not to be paid out: the creator's debt for the same payment, because a reversal was refused.

    Its reason went away, a refund that did not arrive or a dispute that was won; so the reversal is let go with its debt.
    """
    if owed <= 0:
        return 0
    taken = 0
    for one in db.session.execute(_REFUSED_HELD if in_unit() else _REFUSED, {"payment": payment_id}).all():
        if taken + one.amount > owed:
            return owed  # more is owed to us than by us: it waits
        taken += int(one.amount)
        if in_unit():
            db.session.execute(_LET_GO, {"id": one.id})
            ledger.reverse("debt", str(one.id), "", "set off")
    return taken


def in_unit() -> bool:
    """Are we inside transaction()? A page that only looks sets nothing off."""
    return bool(db.session().info.get("unit"))


# A refund does not bring Stripe's fee back, and a dispute costs one: what is missing for one payment is booked as the
# creator's debt and taken from what is paid out next of the same project.
_SHORT = sa.text("""
    WITH owed AS (
        SELECT t.subject_id, e.currency, sum(e.amount)::bigint AS amount FROM ledger_transaction t
          JOIN ledger_entry e ON e.transaction_id = t.id AND e.account = 'creator_payable'
         WHERE t.project_id = :project AND t.subject_id IS NOT NULL GROUP BY 1, 2 HAVING sum(e.amount) > 0)
    SELECT p.id FROM owed JOIN payment p ON p.subject_id = owed.subject_id ORDER BY p.id""")
_SHORT_NOW = sa.text("""
    SELECT p.subject_id, p.currency,
           coalesce((SELECT sum(e.amount) FROM ledger_transaction t JOIN ledger_entry e ON e.transaction_id = t.id
              WHERE t.subject_id = p.subject_id AND e.account = 'creator_payable'), 0)::bigint
         - coalesce((SELECT sum(r.amount) FROM transfer_reversal r JOIN transfer f ON f.id = r.transfer_id
              WHERE f.payment_id = p.id AND r.state IN ('created', 'unknown') AND NOT EXISTS (
                    SELECT 1 FROM ledger_transaction d WHERE d.kind = 'debt' AND d.external_id = r.id::text)), 0) AS amount,
           (SELECT count(*) FROM ledger_transaction t WHERE t.kind = 'shortfall' AND t.external_id = p.id::text) AS n
      FROM payment p WHERE p.id = :id""")


def gather_shortfalls(project_id: UUID) -> int:
    """Book as debt what is missing for single payments of a project, inside the caller's transaction; their sum."""
    total = 0
    db.session.execute(_PATIENTLY)
    for payment_id in db.session.scalars(_SHORT, {"project": project_id}).all():
        db.session.execute(sa.text("SELECT 1 FROM payment WHERE id = :id FOR NO KEY UPDATE"), {"id": payment_id})
        row = db.session.execute(_SHORT_NOW, {"id": payment_id}).one()
        if row.amount > 0:
            ledger.post("shortfall", str(payment_id), row.currency, [
                (Account.CREATOR_DEBT, int(row.amount), "fees not given back"),
                (Account.CREATOR_PAYABLE, -int(row.amount), "fees not given back")],
                project_id=project_id, subject_id=row.subject_id, part=str(row.n + 1))
            total += int(row.amount)
    return total


_SHORTFALL = sa.text("""
    SELECT coalesce(sum(e.amount), 0)::bigint FROM ledger_transaction t
      JOIN ledger_entry e ON e.transaction_id = t.id AND e.account = 'creator_debt' AND e.currency = :currency
     WHERE t.project_id = :project AND t.kind IN ('shortfall', 'set off', 'adjustment')""")


def _shortfall(project_id: UUID, currency: str) -> int:
    """What of it has not been set off; only one at a time may take of it."""
    if in_unit():
        db.session.execute(sa.text("SELECT pg_advisory_xact_lock(hashtextextended(:key, 0))"),
                           {"key": f"shortfall:{project_id}"})
    return int(db.session.scalar(_SHORTFALL, {"project": project_id, "currency": currency}) or 0)


def _set_off(project_id: UUID, row: sa.Row[tuple[object, ...]], amount: int) -> None:
    number = db.session.scalar(sa.text("SELECT count(*) FROM ledger_transaction WHERE kind = 'set off' "
                                       "AND external_id = :id"), {"id": str(row.id)}) or 0
    ledger.post("set off", str(row.id), row.currency, [
        (Account.CREATOR_PAYABLE, amount, "set off"), (Account.CREATOR_DEBT, -amount, "set off")],
        project_id=project_id, subject_id=row.subject_id, part=str(number + 1))


_DEBTS = sa.text("""
    SELECT currency, sum(owes)::bigint AS amount FROM (
        SELECT p.id, e.currency, greatest(0, coalesce(sum(e.amount) FILTER (WHERE e.account = 'creator_debt'), 0))
             + greatest(0, coalesce(sum(e.amount) FILTER (WHERE e.account = 'creator_payable'), 0)) AS owes
          FROM project p JOIN ledger_entry e ON e.project_id = p.id
         WHERE p.creator_id = :person AND e.account IN ('creator_debt', 'creator_payable') GROUP BY 1, 2) one
     GROUP BY 1 HAVING sum(owes) > 0 ORDER BY 1""")


def debts_of(person_id: UUID) -> dict[str, int]:
    """What a creator owes the platform, by currency: refused reversals, and projects that cost more than they brought."""
    return {row.currency: int(row.amount) for row in db.session.execute(_DEBTS, {"person": person_id})}


_PATIENTLY = sa.text("SET LOCAL statement_timeout = '5min'")  # a project may have hundreds of thousands of payments
# What must hold of one project before a cent of it leaves.
_BOOKS = {
    "every transaction sums to zero": """
        SELECT 1 FROM ledger_entry WHERE project_id = :project GROUP BY transaction_id, currency HAVING sum(amount) <> 0""",
    "every succeeded payment is booked once, at its amount": """
        SELECT 1 FROM payment p LEFT JOIN (
               SELECT t.subject_id, count(*) AS n, sum(e.amount) AS amount, min(e.currency) AS currency
                 FROM ledger_transaction t
                 JOIN ledger_entry e ON e.transaction_id = t.id AND e.what = 'charge' AND e.account = 'stripe_pending'
                WHERE t.project_id = :project AND t.kind = 'charge' GROUP BY 1) b ON b.subject_id = p.subject_id
         WHERE p.project_id = :project AND p.state = 'succeeded'
           AND (b.n IS DISTINCT FROM 1 OR b.amount <> p.amount OR b.currency <> p.currency)""",
    "no charge is booked without its payment": """
        SELECT 1 FROM ledger_transaction t LEFT JOIN payment p ON p.subject_id = t.subject_id
         WHERE t.project_id = :project AND t.kind = 'charge'
           AND (p.id IS NULL OR p.state <> 'succeeded' OR p.charge_id <> t.external_id)""",
    "refunds on their way are the open refunds": """
        SELECT 1 FROM (SELECT coalesce(-sum(amount), 0) AS booked FROM ledger_entry
                        WHERE project_id = :project AND account = 'refunds_payable') b,
                      (SELECT coalesce(sum(amount), 0) AS open FROM refund WHERE project_id = :project
                          AND state IN ('created', 'unknown', 'pending', 'requires_action')) r WHERE booked <> open""",
    "transfers on their way are the open transfers": """
        SELECT 1 FROM (SELECT coalesce(-sum(amount), 0) AS booked FROM ledger_entry
                        WHERE project_id = :project AND account = 'transfers_payable') b,
                      (SELECT coalesce(sum(amount), 0) AS open FROM transfer WHERE project_id = :project
                          AND state <> 'succeeded' AND next_at IS NOT NULL) t WHERE booked <> open""",
}


def broken_books(project_id: UUID) -> list[str]:
    """Which of these do not hold; run before each payout."""
    db.session.execute(_PATIENTLY)
    return [name for name, query in _BOOKS.items()
            if db.session.execute(sa.text(query + " LIMIT 1"), {"project": project_id}).first()]
