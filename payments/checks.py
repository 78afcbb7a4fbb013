"""The invariants of money in SQL: each query must return no row (C-29). Run after tests, nightly, on demand."""

from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from core.db import db


@dataclass(frozen=True)
class Check:
    """`sql` gives the rows that break it; `figure` is a statement whose one value says how much was looked at."""

    name: str
    sql: str
    figure: str = ""


@dataclass(frozen=True)
class Result:
    name: str
    rows: list[Any]  # the first ten that break it
    figure: str  # what the check looked at, as text; empty when it does not say


CHECKS: list[Check] = [
    Check("every ledger transaction sums to zero",
          "SELECT transaction_id FROM ledger_entry GROUP BY transaction_id, currency HAVING sum(amount) <> 0",
          "SELECT (SELECT count(*) FROM ledger_transaction) || ' transactions, ' || count(*) || ' entries' FROM ledger_entry"),
    Check("each currency of the whole ledger sums to zero",
          "SELECT currency FROM ledger_entry GROUP BY currency HAVING sum(amount) <> 0",
          "SELECT coalesce(string_agg(currency || ' ' || sum, ', '), 'no entries') FROM ("
          "SELECT currency, sum(amount) FROM ledger_entry GROUP BY 1 ORDER BY 1) sums"),
    Check("every succeeded payment is in the ledger once",
          """SELECT p.id FROM payment p LEFT JOIN ledger_transaction t ON t.kind = 'charge' AND t.subject_id = p.subject_id
              WHERE p.state = 'succeeded' GROUP BY p.id HAVING count(t.id) <> 1""",
          "SELECT count(*) || ' payments' FROM payment WHERE state = 'succeeded'"),
    Check("the ledger knows no charge without a succeeded payment",
          """SELECT t.id FROM ledger_transaction t LEFT JOIN payment p ON p.subject_id = t.subject_id
              WHERE t.kind = 'charge' AND (p.id IS NULL OR p.state <> 'succeeded' OR p.charge_id <> t.external_id)""",
          "SELECT count(*) || ' charges' FROM ledger_transaction WHERE kind = 'charge'"),
    Check("what was booked is what was charged",
          """SELECT p.id FROM payment p JOIN ledger_transaction t ON t.kind = 'charge' AND t.subject_id = p.subject_id
               JOIN ledger_entry e ON e.transaction_id = t.id AND e.what = 'charge' AND e.account = 'stripe_pending'
              WHERE e.amount <> p.amount OR e.currency <> p.currency""",
          "SELECT coalesce(string_agg(currency || ' ' || sum, ', '), 'nothing') FROM ("
          "SELECT currency, sum(amount) FROM payment WHERE state = 'succeeded' GROUP BY 1 ORDER BY 1) sums"),
    Check("no attempt succeeded twice for one payment",
          "SELECT payment_id FROM payment_attempt WHERE outcome = 'succeeded' GROUP BY 1 HAVING count(*) > 1",
          "SELECT count(*) || ' attempts' FROM payment_attempt"),
    Check("what disputes hold in the ledger is what the disputes say",
          """SELECT p.id FROM payment p
               LEFT JOIN (SELECT payment_id, sum(held) FILTER (WHERE status NOT IN ('lost', 'prevented')) AS amount
                            FROM dispute GROUP BY 1) d ON d.payment_id = p.id
               LEFT JOIN (SELECT t.subject_id, sum(e.amount) AS amount FROM ledger_transaction t
                            JOIN ledger_entry e ON e.transaction_id = t.id AND e.account = 'disputes_held'
                           GROUP BY 1) l ON l.subject_id = p.subject_id
              WHERE coalesce(d.amount, 0) <> coalesce(l.amount, 0)""",
          "SELECT count(*) || ' disputes, ' || coalesce(sum(held), 0) || ' held or lost' FROM dispute"),
    Check("a lost dispute is booked as a loss once, and no other is",
          """SELECT d.id FROM dispute d LEFT JOIN (
                    SELECT t.external_id, -sum(e.amount) AS amount FROM ledger_transaction t
                      JOIN ledger_entry e ON e.transaction_id = t.id AND e.account = 'disputes_held'
                     WHERE t.kind = 'dispute' AND t.part LIKE 'lost:%' GROUP BY 1) l ON l.external_id = d.stripe_id
              WHERE coalesce(l.amount, 0) <> CASE WHEN d.status IN ('lost', 'prevented') THEN d.held ELSE 0 END""",
          "SELECT count(*) || ' lost' FROM dispute WHERE status = 'lost'"),
    Check("what was refunded and what banks took is at most what was charged",
          # What is only asked for does not count: when the bank was quicker, Stripe refuses it.
          """SELECT p.id FROM payment p JOIN dispute d ON d.payment_id = p.id
              GROUP BY p.id HAVING sum(d.held) + (
                     SELECT coalesce(sum(r.amount), 0) FROM refund r WHERE r.payment_id = p.id
                        AND r.state IN ('pending', 'requires_action', 'succeeded') AND r.duplicate_charge_id IS NULL) > p.amount""",
          "SELECT count(DISTINCT payment_id) || ' disputed payments' FROM dispute"),
    Check("every dispute's state is where its history ends, and says whether money is away",
          """SELECT d.id FROM dispute d LEFT JOIN LATERAL (SELECT to_status FROM dispute_move m WHERE m.dispute_id = d.id
                                                           ORDER BY m.id DESC LIMIT 1) last ON true
              WHERE last.to_status IS DISTINCT FROM CAST(d.status AS text) OR d.is_withdrawn <> (d.held > 0) OR d.held < 0"""),
    Check("no fraud warning is decided without a moment, or undecided with one",
          "SELECT id FROM fraud_warning WHERE (decision IS NULL) <> (decided_at IS NULL)"),
]


def register(name: str, sql: str, figure: str = "") -> None:
    """Rooms above add what must hold of their own tables."""
    check = Check(name, sql, figure)
    if check not in CHECKS:
        CHECKS.append(check)


def run_checks() -> list[tuple[str, list[Any]]]:
    """Each check with the first ten rows that break it."""
    return [(check.name, list(db.session.execute(sa.text(check.sql + " LIMIT 10")))) for check in CHECKS]


def run_all() -> list[Result]:
    """Every check with its figure."""
    return [Result(check.name, list(db.session.execute(sa.text(check.sql + " LIMIT 10"))),
                   str(db.session.scalar(sa.text(check.figure)) or 0) if check.figure else "") for check in CHECKS]
