"""The invariants of money in SQL: each query must return no row (C-29). Run after tests, nightly, on demand."""

from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from core.db import db


@dataclass(frozen=True)
class Check:
    name: str
    sql: str


CHECKS: list[Check] = [
    Check("every ledger transaction sums to zero",
          "SELECT transaction_id FROM ledger_entry GROUP BY transaction_id, currency HAVING sum(amount) <> 0"),
    Check("every succeeded payment is in the ledger once",
          """SELECT p.id FROM payment p LEFT JOIN ledger_transaction t ON t.kind = 'charge' AND t.subject_id = p.subject_id
              WHERE p.state = 'succeeded' GROUP BY p.id HAVING count(t.id) <> 1"""),
    Check("the ledger knows no charge without a succeeded payment",
          """SELECT t.id FROM ledger_transaction t LEFT JOIN payment p ON p.subject_id = t.subject_id
              WHERE t.kind = 'charge' AND (p.id IS NULL OR p.state <> 'succeeded' OR p.charge_id <> t.external_id)"""),
    Check("what was booked is what was charged",
          """SELECT p.id FROM payment p JOIN ledger_transaction t ON t.kind = 'charge' AND t.subject_id = p.subject_id
               JOIN ledger_entry e ON e.transaction_id = t.id AND e.what = 'charge' AND e.account = 'stripe_pending'
              WHERE e.amount <> p.amount OR e.currency <> p.currency"""),
    Check("no attempt succeeded twice for one payment",
          "SELECT payment_id FROM payment_attempt WHERE outcome = 'succeeded' GROUP BY 1 HAVING count(*) > 1"),
]


def register(name: str, sql: str) -> None:
    """Rooms above add what must hold of their own tables."""
    check = Check(name, sql)
    if check not in CHECKS:
        CHECKS.append(check)


def run_checks() -> list[tuple[str, list[Any]]]:
    """Each check with the first ten rows that break it."""
    return [(check.name, list(db.session.execute(sa.text(check.sql + " LIMIT 10")))) for check in CHECKS]
