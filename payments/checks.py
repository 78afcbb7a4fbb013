"""The invariants of money in SQL: each query must return no row (C-29). Run after tests, nightly, on demand."""

from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from babel.numbers import format_decimal
from flask_babel import gettext as _

from core import money
from core.db import db


@dataclass(frozen=True)
class Check:
    """`sql` gives the rows that break it; `figure` rows of what was looked at: a word or a currency, and how many (minor
    units of it)."""

    name: str
    sql: str
    figure: str


@dataclass(frozen=True)
class Result:
    name: str
    rows: list[Any]  # the first ten that break it
    looked_at: list[tuple[str, int]]  # as `Check.figure` says

    def figure(self, locale: str = "en") -> str:
        """`transactions: 12, entries: 48`; sums of money as money."""
        return ", ".join(money.show(n, what, locale) if what.isupper() else f"{_(what)}: {format_decimal(n, locale=locale)}"
                         for what, n in self.looked_at) or _("nothing")


def counted(what: str, rows: str) -> str:
    """For a `figure`: how many of these there are; `rows` as after FROM."""
    return f"SELECT '{what}', count(*) FROM {rows}"  # noqa: S608 -- words of ours


def total(amount: str, rows: str) -> str:
    """For a `figure`: the sum by currency."""
    return f"SELECT currency, CAST(sum({amount}) AS bigint) FROM {rows} GROUP BY currency ORDER BY currency"  # noqa: S608


CHECKS: list[Check] = [
    Check("every ledger transaction sums to zero",
          "SELECT transaction_id FROM ledger_entry GROUP BY transaction_id, currency HAVING sum(amount) <> 0",
          counted("transactions", "ledger_transaction") + " UNION ALL " + counted("entries", "ledger_entry")),
    Check("each currency of the whole ledger sums to zero",
          "SELECT currency FROM ledger_entry GROUP BY currency HAVING sum(amount) <> 0",
          total("amount", "ledger_entry")),
    Check("every succeeded payment is in the ledger once",
          """SELECT p.id FROM payment p LEFT JOIN ledger_transaction t ON t.kind = 'charge' AND t.subject_id = p.subject_id
              WHERE p.state = 'succeeded' GROUP BY p.id HAVING count(t.id) <> 1""",
          counted("payments", "payment WHERE state = 'succeeded'")),
    Check("the ledger knows no charge without a succeeded payment",
          """SELECT t.id FROM ledger_transaction t LEFT JOIN payment p ON p.subject_id = t.subject_id
              WHERE t.kind = 'charge' AND (p.id IS NULL OR p.state <> 'succeeded' OR p.charge_id <> t.external_id)""",
          counted("charges", "ledger_transaction WHERE kind = 'charge'")),
    Check("what was booked is what was charged",
          """SELECT p.id FROM payment p JOIN ledger_transaction t ON t.kind = 'charge' AND t.subject_id = p.subject_id
               JOIN ledger_entry e ON e.transaction_id = t.id AND e.what = 'charge' AND e.account = 'stripe_pending'
              WHERE e.amount <> p.amount OR e.currency <> p.currency""",
          total("amount", "payment WHERE state = 'succeeded'")),
    Check("no attempt succeeded twice for one payment",
          "SELECT payment_id FROM payment_attempt WHERE outcome = 'succeeded' GROUP BY 1 HAVING count(*) > 1",
          counted("attempts", "payment_attempt")),
    Check("what disputes hold in the ledger is what the disputes say",
          """SELECT p.id FROM payment p
               LEFT JOIN (SELECT payment_id, sum(held) FILTER (WHERE status NOT IN ('lost', 'prevented')) AS amount
                            FROM dispute GROUP BY 1) d ON d.payment_id = p.id
               LEFT JOIN (SELECT t.subject_id, sum(e.amount) AS amount FROM ledger_transaction t
                            JOIN ledger_entry e ON e.transaction_id = t.id AND e.account = 'disputes_held'
                           GROUP BY 1) l ON l.subject_id = p.subject_id
              WHERE coalesce(d.amount, 0) <> coalesce(l.amount, 0)""",
          counted("disputes", "dispute") + f" UNION ALL ({total('held', 'dispute WHERE held > 0')})"),
    Check("a lost dispute is booked as a loss once, and no other is",
          """SELECT d.id FROM dispute d LEFT JOIN (
                    SELECT t.external_id, -sum(e.amount) AS amount FROM ledger_transaction t
                      JOIN ledger_entry e ON e.transaction_id = t.id AND e.account = 'disputes_held'
                     WHERE t.kind = 'dispute' AND t.part LIKE 'lost:%' GROUP BY 1) l ON l.external_id = d.stripe_id
              WHERE coalesce(l.amount, 0) <> CASE WHEN d.status IN ('lost', 'prevented') THEN d.held ELSE 0 END""",
          counted("lost disputes", "dispute WHERE status IN ('lost', 'prevented')")),
    Check("what was refunded and what banks took is at most what was charged",
          # What is only asked for does not count: when the bank was quicker, Stripe refuses it.
          """SELECT p.id FROM payment p JOIN dispute d ON d.payment_id = p.id
              GROUP BY p.id HAVING sum(d.held) + (
                     SELECT coalesce(sum(r.amount), 0) FROM refund r WHERE r.payment_id = p.id
                        AND r.state IN ('pending', 'requires_action', 'succeeded') AND r.duplicate_charge_id IS NULL) > p.amount""",
          counted("disputed payments", "(SELECT DISTINCT payment_id FROM dispute) d")),
    Check("every dispute's state is where its history ends, and says whether money is away",
          """SELECT d.id FROM dispute d LEFT JOIN LATERAL (SELECT to_status FROM dispute_move m WHERE m.dispute_id = d.id
                                                           ORDER BY m.id DESC LIMIT 1) last ON true
              WHERE last.to_status IS DISTINCT FROM CAST(d.status AS text) OR d.is_withdrawn <> (d.held > 0) OR d.held < 0""",
          counted("disputes", "dispute")),
    Check("no fraud warning is decided without a moment, or undecided with one",
          "SELECT id FROM fraud_warning WHERE (decision IS NULL) <> (decided_at IS NULL)",
          counted("fraud warnings", "fraud_warning")),
]


def register(name: str, sql: str, figure: str) -> None:
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
                   [(what, n) for what, n in db.session.execute(sa.text(check.figure))]) for check in CHECKS]
