"""Where every cent of a project is, and of the whole platform: read from the ledger, down to Stripe's objects (part 4).

A statement is arithmetic on the ledger alone: what came in, less what left, is what is still owed. So the page cannot
say anything that the books do not.
"""

from collections.abc import Generator
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from typing import Any
from uuid import UUID

import psycopg
import sqlalchemy as sa
from flask import current_app
from psycopg import sql

from core import money
from core.db import db
from payments.models import PayoutRun
from projects.models import Project

PER_PAGE = 50
BATCH = 256  # rows that leave in one piece


@dataclass(frozen=True)
class Statement:
    """The money of one project, in minor units; all figures are positive but `owed`, which may be below zero."""

    currency: str
    payments: int
    came_in: int
    platform_fee: int  # kept of it, less what was given back with refunds
    processing_fee: int
    refunded: int  # gone back to backers or on its way there, the platform's part included
    disputed: int  # lost to banks
    dispute_fees: int
    transferred: int  # arrived at the creator's account, less what was taken back
    on_its_way: int
    debt: int
    owed: int  # still to be transferred
    reserve: int  # of that: kept back until its day
    held: int  # of that: a bank decides
    refunding: int  # of what was refunded: not confirmed yet
    taken_back: int
    next_at: datetime | None  # when the next transfers leave; None while something without a day is in their way
    reserve_at: datetime | None
    why: str  # what the payout waits for, in a word
    is_settled: bool  # nothing is to come

    @property
    def free(self) -> int:
        """What the next transfers bring, as things stand."""
        return max(0, self.owed - self.reserve - self.held)

    @property
    def fees(self) -> int:
        return self.processing_fee + self.dispute_fees


_SUMS = sa.text("""
    SELECT count(*) FILTER (WHERE t.kind = 'charge' AND e.account = 'creator_payable' AND e.what = 'charge') AS payments,
           coalesce(-sum(e.amount) FILTER (WHERE t.kind = 'charge' AND e.account = 'creator_payable' AND e.what = 'charge'), 0) AS came_in,
           coalesce(-sum(e.amount) FILTER (WHERE e.account = 'platform_fee'), 0) AS platform_fee,
           coalesce(sum(e.amount) FILTER (WHERE t.kind IN ('charge', 'fee') AND e.account = 'creator_payable' AND e.what = 'processing fee'), 0) AS processing_fee,
           coalesce(sum(e.amount) FILTER (WHERE t.kind = 'refund' AND e.account IN ('creator_payable', 'platform_fee')), 0) AS refunded,
           coalesce(-sum(e.amount) FILTER (WHERE t.kind = 'refund' AND e.account = 'refunds_payable'
                                             AND t.subject_id IS NOT NULL), 0) AS refunding,
           coalesce(sum(e.amount) FILTER (WHERE t.kind = 'dispute' AND e.what <> 'dispute fee' AND e.account IN ('creator_payable', 'platform_fee')), 0) AS disputed,
           coalesce(sum(e.amount) FILTER (WHERE t.kind = 'dispute' AND e.account = 'creator_payable' AND e.what = 'dispute fee'), 0) AS dispute_fees,
           coalesce(sum(e.amount) FILTER (WHERE t.kind = 'transfer' AND e.account = 'creator_payable'
                                            OR t.kind = 'adjustment' AND e.account IN ('creator_payable', 'creator_debt')), 0) AS transferred,
           coalesce(-sum(e.amount) FILTER (WHERE e.account = 'transfers_payable'), 0) AS on_its_way,
           coalesce(sum(e.amount) FILTER (WHERE t.kind = 'reversal' AND e.account = 'stripe_available'), 0) AS taken_back,
           coalesce(sum(e.amount) FILTER (WHERE e.account = 'creator_debt'), 0) AS debt,
           coalesce(-sum(e.amount) FILTER (WHERE e.account = 'creator_payable'), 0) AS owed
      FROM ledger_transaction t JOIN ledger_entry e ON e.transaction_id = t.id
     WHERE t.project_id = :project AND e.currency = :currency""")
# What is held of each payment, by the same rules as the payout's (owing.py), without making anything.
_HELD = sa.text("""
    WITH owed AS (
        SELECT t.subject_id, -sum(e.amount) AS owed FROM ledger_transaction t
          JOIN ledger_entry e ON e.transaction_id = t.id AND e.account = 'creator_payable'
         WHERE t.project_id = :project GROUP BY 1 HAVING sum(e.amount) < 0),
    bank AS (
        SELECT payment_id, sum(CASE WHEN held > 0 THEN held ELSE amount END) AS amount FROM dispute
         WHERE project_id = :project AND (held > 0 OR status IN ('needs_response', 'under_review',
               'appeal_needs_response', 'appeal_under_review')) AND status NOT IN ('lost', 'prevented') GROUP BY 1)
    SELECT coalesce(sum(least(o.owed, coalesce(b.amount, 0))), 0)::bigint AS held,
           coalesce(sum(least(o.owed - least(o.owed, coalesce(b.amount, 0)), CASE WHEN :is_free THEN 0
                    ELSE (p.amount * :reserve_bp + 5000) / 10000 END)), 0)::bigint AS reserve
      FROM owed o JOIN payment p ON p.subject_id = o.subject_id LEFT JOIN bank b ON b.payment_id = p.id""")
_DAYS = sa.text("""
    SELECT deadline + make_interval(days => :days) AS payout_at, deadline + make_interval(days => :reserve_days) AS reserve_at,
           deadline + make_interval(days => :reserve_days) <= clock_now() AS is_free, clock_now() AS now
      FROM project WHERE id = :project""")


def statement(project: Project) -> Statement:
    """The whole money of a project: three statements, whatever its size."""
    sums = db.session.execute(_SUMS, {"project": project.id, "currency": project.currency}).one()
    days = db.session.execute(_DAYS, {"project": project.id, "days": current_app.config["PAYOUT_DAYS"],
                                      "reserve_days": current_app.config["RESERVE_DAYS"]}).one()
    kept = db.session.execute(_HELD, {"project": project.id, "is_free": bool(days.is_free),
                                      "reserve_bp": project.reserve_bp}).one()
    run = db.session.get(PayoutRun, project.id)
    facts = {key: int(value) for key, value in sums._mapping.items()}
    facts["transferred"] -= facts["on_its_way"] + facts["taken_back"]
    facts["held"] = min(int(kept.held), max(0, facts["owed"]))
    facts["reserve"] = min(int(kept.reserve), max(0, facts["owed"] - facts["held"]))
    free = max(0, facts["owed"] - facts["reserve"] - facts["held"])
    next_at = None
    waits = run is not None and run.why not in ("", "day")  # the run looks again soon: that is no day to promise
    if free and days.payout_at and not waits:
        next_at = max(days.payout_at, run.next_at) if run else max(days.payout_at, days.now)
    elif facts["reserve"] and not free:
        next_at = days.reserve_at
    return Statement(
        currency=project.currency, next_at=next_at, reserve_at=days.reserve_at if facts["reserve"] else None,
        why=run.why if run else "", is_settled=not (facts["owed"] or facts["on_its_way"] or facts["debt"]), **facts)


# -- every line -----------------------------------------------------------------------------------------------------

# A line is a transaction of the ledger with the object of Stripe's that it is about; the ids are in the order of time.
_LINES = """
    SELECT t.id, t.posted_at, t.kind, t.part,
           CASE t.kind WHEN 'refund' THEN coalesce(re.stripe_id, t.external_id)
                       WHEN 'transfer' THEN coalesce(tr.stripe_id, t.external_id)
                       WHEN 'reversal' THEN coalesce(rv.stripe_id, t.external_id)
                       WHEN 'dispute' THEN coalesce(du.stripe_id, t.external_id)
                       WHEN 'debt' THEN coalesce(rt.stripe_id, t.external_id)
                       WHEN 'shortfall' THEN coalesce(pt.charge_id, t.external_id)
                       WHEN 'set off' THEN coalesce(pt.charge_id, t.external_id)
                       ELSE t.external_id END AS object,
           coalesce(re.state, tr.state, rv.state, '') AS state, p.stripe_id AS intent, p.charge_id AS charge, l.*
      FROM ({page}) t
      CROSS JOIN LATERAL (
        SELECT min(e.currency) AS currency,
               coalesce(-sum(e.amount) FILTER (WHERE e.account = 'creator_payable' AND e.what = 'charge'), 0)::bigint AS gross,
               coalesce(-sum(e.amount) FILTER (WHERE e.account = 'creator_payable'), 0)::bigint AS creator,
               coalesce(-sum(e.amount) FILTER (WHERE e.account = 'platform_fee'), 0)::bigint AS platform,
               coalesce(sum(e.amount) FILTER (WHERE e.account IN ('stripe_pending', 'stripe_available')), 0)::bigint AS stripe,
               coalesce(sum(e.amount) FILTER (WHERE e.amount > 0), 0)::bigint AS size
          FROM ledger_entry e WHERE e.transaction_id = t.id) l
      LEFT JOIN payment p ON p.subject_id = t.subject_id
      LEFT JOIN refund re ON t.kind = 'refund' AND re.id::text = t.external_id
      LEFT JOIN transfer tr ON t.kind = 'transfer' AND tr.id::text = t.external_id
      LEFT JOIN transfer_reversal rv ON t.kind IN ('reversal', 'debt') AND rv.id::text = t.external_id
      LEFT JOIN transfer rt ON rt.id = rv.transfer_id
      LEFT JOIN LATERAL (SELECT min(stripe_id) AS stripe_id FROM dispute d
                          WHERE t.kind = 'dispute' AND d.payment_id = p.id HAVING count(*) = 1) du ON true
      LEFT JOIN payment pt ON t.kind IN ('shortfall', 'set off') AND pt.id::text = t.external_id"""
_PAGE = """SELECT * FROM ledger_transaction WHERE project_id = :project AND (CAST(:before AS uuid) IS NULL OR id < :before)
            AND (:kind = '' OR kind = :kind) ORDER BY id DESC LIMIT :n"""
_MOVEMENTS = sa.text(_LINES.format(page=_PAGE) + " ORDER BY t.id DESC")


@dataclass(frozen=True)
class Line:
    """One movement of a project's money."""

    id: UUID
    at: datetime
    kind: str
    part: str
    object: str  # ch_ re_ tr_ trr_ du_, or our row where Stripe has none yet
    state: str
    intent: str | None
    charge: str | None
    currency: str
    gross: int  # of a charge: what the backer paid
    creator: int  # what it changed in what the creator is owed
    platform: int
    stripe: int  # what it changed at Stripe
    size: int


def movements(project_id: UUID, before: UUID | None = None, kind: str = "") -> tuple[list[Line], bool]:
    """A page of a project's movements, newest first, and whether there are older ones."""
    rows = db.session.execute(_MOVEMENTS, {"project": project_id, "before": before, "kind": kind, "n": PER_PAGE + 1}).all()
    return [Line(*row) for row in rows[:PER_PAGE]], len(rows) > PER_PAGE


# -- files ----------------------------------------------------------------------------------------------------------

# A cell never becomes a formula (W-15); what is ours or Stripe's cannot begin like one, and is guarded all the same.
RISKY = "^[-=+@＝＋－＠\t\r\n]"


def _text(expression: str) -> str:
    return f"CASE WHEN {expression} ~ {{risky}} THEN '''' || {expression} ELSE {expression} END"


def _amount(expression: str, currency: str = "e.currency") -> str:
    """A decimal number in the currency's own digits."""
    cases = " ".join(f"WHEN '{code}' THEN to_char({expression} * {format(10 ** -digits, f'.{digits}f')}, "
                     f"'FM999999999999990{'.' + '0' * digits if digits else ''}')"
                     for code, digits in money.EXPONENTS.items())
    return f"CASE {currency} {cases} ELSE ({expression})::text END"


_WHEN = "to_char(t.posted_at AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"')"
_PROJECT_FILE = (
    f"""SELECT {_WHEN} AS "Time (UTC)", t.kind AS "What", t.part AS "Part", {_text('l2.object')} AS "Stripe object",
        coalesce(l2.charge, '') AS "Charge", l2.currency AS "Currency", {_amount('l2.gross', 'l2.currency')} AS "Paid by backer",
        {_amount('l2.platform', 'l2.currency')} AS "To the platform", {_amount('l2.creator', 'l2.currency')} AS "To the creator",
        {_amount('l2.stripe', 'l2.currency')} AS "At Stripe"
        FROM (""" + _LINES.format(page="SELECT * FROM ledger_transaction WHERE project_id = {project}")  # noqa: S608
    + ") l2 JOIN ledger_transaction t ON t.id = l2.id ORDER BY t.id")
_BOOKS_FILE = f"""
    SELECT {_WHEN} AS "Time (UTC)", t.id AS "Transaction", t.kind AS "What", t.part AS "Part",
           {_text('t.external_id')} AS "Object", coalesce(p.slug, '') AS "Project", e.account AS "Account",
           {_text('e.what')} AS "Why", e.currency AS "Currency", {_amount('e.amount')} AS "Amount"
      FROM ledger_transaction t JOIN ledger_entry e ON e.transaction_id = t.id LEFT JOIN project p ON p.id = t.project_id
     ORDER BY t.id, e.id"""  # noqa: S608 -- pieces of ours


def project_file(conninfo: str, project_id: UUID) -> Generator[bytes, None, int]:
    """Every movement of a project as CSV."""
    return _copied(conninfo, sql.SQL(_PROJECT_FILE).format(project=sql.Literal(project_id), risky=sql.Literal(RISKY)))


def books_file(conninfo: str) -> Generator[bytes, None, int]:
    """Every entry of the ledger as CSV."""
    return _copied(conninfo, sql.SQL(_BOOKS_FILE).format(risky=sql.Literal(RISKY)))


def _copied(conninfo: str, query: sql.Composed) -> Generator[bytes, None, int]:
    """Written by PostgreSQL itself and passed on: the same memory for ten lines and for a million.

    A connection of its own: a long file must not occupy the site's, nor end at their statement timeout.
    """
    with psycopg.connect(conninfo, autocommit=True, application_name="books-export") as connection:
        connection.execute("SET statement_timeout = '15min'; SET work_mem = '64MB'; SET jit = off; SET timezone = 'UTC'; "
                           "SET default_transaction_read_only = on")
        count = -1  # the head is no line
        with connection.cursor() as cursor, cursor.copy(
                sql.SQL("COPY ({}) TO STDOUT WITH (FORMAT csv, HEADER)").format(query)) as copy:
            rows = iter(copy)  # one piece per line
            while batch := list(islice(rows, BATCH)):
                count += len(batch)
                yield b"".join(bytes(piece) for piece in batch)
        return count


# -- the platform's books -------------------------------------------------------------------------------------------

_TRIAL = sa.text("""
    SELECT account, currency, coalesce(sum(amount) FILTER (WHERE amount > 0), 0)::bigint AS debit,
           coalesce(-sum(amount) FILTER (WHERE amount < 0), 0)::bigint AS credit, sum(amount)::bigint AS balance, count(*) AS n
      FROM ledger_entry GROUP BY 1, 2 ORDER BY 2, 1""")
_BY_PROJECT = sa.text("""
    SELECT p.slug, p.title, e.currency,
           coalesce(-sum(e.amount) FILTER (WHERE t.kind = 'charge' AND e.account = 'creator_payable' AND e.what = 'charge'), 0)::bigint AS came_in,
           coalesce(-sum(e.amount) FILTER (WHERE e.account = 'platform_fee'), 0)::bigint AS fee,
           coalesce(sum(e.amount) FILTER (WHERE t.kind = 'transfer' AND e.account = 'creator_payable'
                                            OR t.kind = 'adjustment' AND e.account IN ('creator_payable', 'creator_debt')), 0)::bigint AS paid_out,
           coalesce(-sum(e.amount) FILTER (WHERE e.account = 'creator_payable'), 0)::bigint AS owed,
           coalesce(sum(e.amount) FILTER (WHERE e.account = 'creator_debt'), 0)::bigint AS debt,
           max(t.id::text) AS last
      FROM ledger_transaction t JOIN ledger_entry e ON e.transaction_id = t.id JOIN project p ON p.id = t.project_id
     GROUP BY p.id, p.slug, p.title, e.currency ORDER BY last DESC LIMIT :n""")
_RECENT = sa.text("""
    SELECT t.id, t.posted_at, t.kind, t.part, t.external_id, t.is_pending, p.slug,
           (SELECT json_agg(json_build_array(e.account, e.amount, e.currency, e.what) ORDER BY e.id)
              FROM ledger_entry e WHERE e.transaction_id = t.id) AS entries
      FROM (SELECT * FROM ledger_transaction WHERE CAST(:before AS uuid) IS NULL OR id < :before ORDER BY id DESC LIMIT :n) t
      LEFT JOIN project p ON p.id = t.project_id ORDER BY t.id DESC""")


def trial_balance() -> list[sa.Row[Any]]:
    """Every account and currency: what was added, what was taken, what is left. All of it sums to zero."""
    return list(db.session.execute(_TRIAL))


def by_project(n: int = 50) -> list[sa.Row[Any]]:
    """The projects whose money moved last."""
    return list(db.session.execute(_BY_PROJECT, {"n": n}))


def recent(before: UUID | None = None, n: int = 25) -> tuple[list[sa.Row[Any]], bool]:
    """A page of transactions with their entries, newest first, and whether there are older ones."""
    rows = list(db.session.execute(_RECENT, {"before": before, "n": n + 1}))
    return rows[:n], len(rows) > n
