"""Reconciliation: all that Stripe has beside all that we say, both ways (S-50, S-10, S-11).

Stripe's lists are laid beside our tables and compared by SQL. What differs goes through the one door of its kind; what
that does not heal is a line of the worklist. It may run at any time and any number of times, and moves no money.
"""

import json
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import sqlalchemy as sa
import structlog
from flask_babel import gettext as _
from flask_babel import ngettext

from core import clock
from core.db import db, transaction
from core.jobs import every
from payments import comparing, gateway_lists, ledger, safety
from payments.alerts import alert, alert_kind
from payments.healing import Difference, heal
from payments.ledger import Account, Posting
from payments.theirs import TABLES, Theirs, their_side

log = structlog.get_logger()
BATCH = 500  # differences that are healed, and charges that are booked, together
LOCK = 5_000_050  # one comparison at a time: a second one would find what the first is mending
OVERLAP = timedelta(hours=1)  # how far a run looks back behind the last one


@dataclass
class Line:
    """One row of the report."""

    name: str
    compared: int
    found: int = 0
    left: int = 0

    @property
    def healed(self) -> int:
        return self.found - self.left


@dataclass
class Report:
    """What a reconciliation compared, healed and left."""

    since: datetime | None
    started_at: datetime
    lines: list[Line] = field(default_factory=list)
    new: list[str] = field(default_factory=list)  # kinds of lines that were not on the worklist before
    told: set[tuple[str, str]] = field(default_factory=set)  # what is left; two comparisons may find the same

    @property
    def left(self) -> int:
        return sum(line.left for line in self.lines)


def reconcile(since: datetime | None = None, full: bool = False, *, wait: bool = True) -> Report | None:
    """Compare what Stripe has created since then, or everything; None when another one runs and we do not wait.

    Silence passes: a comparison that was not read to the end says nothing.
    """
    safety.look()
    with their_side() as theirs:
        lock = "SELECT pg_advisory_lock(%(n)s) IS NOT NULL" if wait else "SELECT pg_try_advisory_lock(%(n)s)"
        if not theirs.ask(lock, n=LOCK)[0][0]:
            return None
        report = Report(None if full else since, theirs.ask("SELECT clock_now()")[0][0])
        theirs.load(report.since)
        for topic in comparing.TOPICS:
            _compare(theirs, topic, report)
        for name in comparing.MISSING:
            _missing(theirs, name, report)
        _ripen(theirs, report)
        _balances(report)
        _finish(theirs, report)
    return report


def differences(rows: Sequence[Any]) -> list[Difference]:
    return [Difference(*row) for row in rows]


def _compare(theirs: Theirs, topic: comparing.Topic, report: Report) -> None:
    """Find what differs, let the door try, look again at what still differs, and write down the rest."""
    line = Line(topic.name, theirs.counts[topic.table])
    report.lines.append(line)
    left: list[str] = []
    for rows in theirs.batches(topic.sql, BATCH, ids=None):
        found = differences(rows)
        line.found += len(found)
        heal(theirs, found)
        left += _ids(topic, differences(theirs.ask(topic.sql, ids=_ids(topic, found))))
    for n in range(0, len(left), BATCH):
        ids = left[n:n + BATCH]
        theirs.refresh(topic.table, ids)
        line.left += _write_down(differences(theirs.ask(topic.sql, ids=ids)), report)


def _ids(topic: comparing.Topic, found: Sequence[Difference]) -> list[str]:
    """Of the rows that the comparison starts from; a stray intent goes by its charge on the worklist."""
    return [str(one.theirs["intent"]) if topic is comparing.STRAYS else one.stripe_id for one in found]


def _missing(theirs: Theirs, name: str, report: Report) -> None:
    """What we say Stripe has: asked for, one by one, where its list does not show it."""
    line = Line(f"our {name}", theirs.ask(comparing.OURS[name], since=report.since)[0][0])
    report.lines.append(line)
    for rows in theirs.batches(comparing.MISSING[name], BATCH, since=report.since):
        gone = [one for one in differences(rows) if gateway_lists.one(TABLES[name][0], one.stripe_id) is None]
        line.found += len(gone)
        line.left += _write_down(gone, report)


def _ripen(theirs: Theirs, report: Report) -> None:
    """Charges whose money has become available are booked so, many at a time."""
    line = Line("money that became available", 0)
    report.lines.append(line)
    for rows in theirs.batches(comparing.RIPE, BATCH):
        with transaction():
            line.compared += ledger.post_all([Posting("available", id, currency, [
                (Account.STRIPE_AVAILABLE, net, "available"), (Account.STRIPE_PENDING, -net, "available")],
                project_id, subject_id) for id, net, currency, project_id, subject_id in rows])


# What Stripe has already taken from the balance for refunds that are under way, ours books when they have succeeded.
_BOOKS = sa.text("""
    SELECT currency, sum(amount)::bigint AS amount FROM (
        SELECT currency, amount FROM ledger_entry WHERE account IN ('stripe_pending', 'stripe_available')
        UNION ALL SELECT currency, -amount FROM refund WHERE state IN ('pending', 'requires_action') AND stripe_id IS NOT NULL
    ) books GROUP BY currency""")


def _balances(report: Report) -> None:
    """Our books' sum of what lies at Stripe is Stripe's balance. While money moves the two are never read at one instant,
    so they get three chances to agree."""
    for chance in range(3):
        wrong, compared = unequal()
        if not wrong:
            break
        if chance < 2:
            time.sleep(0.2 + chance)
    report.lines.append(Line("balances", compared, len(wrong), _write_down(wrong, report)))
    with transaction() as session:
        session.execute(_SETTLE_GONE, {"kinds": ["balance"], "before": report.started_at})


def unequal() -> tuple[list[Difference], int]:
    ours = {row.currency: int(row.amount) for row in db.session.execute(_BOOKS)}
    db.session.rollback()
    theirs = {balance.currency: balance for balance in gateway_lists.balances()}
    wrong = []
    for currency in sorted({*ours, *theirs}):
        known = theirs.get(currency) or gateway_lists.Balance(currency, 0, 0)
        if ours.get(currency, 0) != known.pending + known.available:
            wrong.append(Difference("", "balance", f"balance:{currency}", None, None,
                                    {"amount": ours.get(currency, 0), "currency": currency},
                                    {"amount": known.pending + known.available, "currency": currency}))
    return wrong, len({*ours, *theirs})


# What a person has explained or booked stays settled, for as long as both sides say the same.
_WRITE_DOWN = sa.text("""
    WITH found AS (
        SELECT * FROM unnest(CAST(:kinds AS text[]), CAST(:ids AS text[]), CAST(:payments AS uuid[]),
                             CAST(:projects AS uuid[]), CAST(:ours AS jsonb[]), CAST(:theirs AS jsonb[]))
                      AS f(kind, stripe_id, payment_id, project_id, ours, theirs)),
    open AS (
        SELECT DISTINCT ON (kind, stripe_id) * FROM found f WHERE NOT EXISTS (
               SELECT 1 FROM mismatch m WHERE m.kind = f.kind AND m.stripe_id = f.stripe_id AND m.ours = f.ours
                  AND m.theirs = f.theirs AND m.settled_at IS NOT NULL AND m.how LIKE ANY(ARRAY['explained%', 'booked%'])))
    INSERT INTO mismatch AS m (kind, stripe_id, payment_id, project_id, ours, theirs)
    SELECT kind, stripe_id, payment_id, project_id, ours, theirs FROM open
    ON CONFLICT (kind, stripe_id) WHERE settled_at IS NULL
       DO UPDATE SET seen_at = clock_now(), ours = excluded.ours, theirs = excluded.theirs
    RETURNING kind, stripe_id, xmax = 0 AS is_new""")
_SETTLE_GONE = sa.text("""
    UPDATE mismatch SET settled_at = clock_now(), how = 'gone'
     WHERE settled_at IS NULL AND kind = ANY(:kinds) AND seen_at < :before RETURNING id""")


def _write_down(found: Sequence[Difference], report: Report) -> int:
    """Lines of the worklist, no doubles; returns how many of these are open and were not told before."""
    if not found:
        return 0
    with transaction() as session:
        rows = session.execute(_WRITE_DOWN, {
            "kinds": [one.kind for one in found], "ids": [one.stripe_id for one in found],
            "payments": [one.payment_id for one in found], "projects": [one.project_id for one in found],
            "ours": [json.dumps(one.ours) for one in found], "theirs": [json.dumps(one.theirs) for one in found]}).all()
    report.new += [row.kind for row in rows if row.is_new]
    known = len(report.told)
    report.told |= {(row.kind, row.stripe_id) for row in rows}
    return len(report.told) - known


# The kinds that a comparison finds, and finds gone; others are written by the doors themselves.
KINDS = ["amount", "status", "stray_intent", "duplicate_charge", "unknown_charge", "refunded", "unknown_refund",
         "stranger_refunded", "unknown_transfer", "reversed", "unknown_dispute", "unknown_warning", "unknown_movement", "fee", "missing_there"]
_SEEN = """
    UPDATE mismatch SET settled_at = clock_now(), how = 'gone'
     WHERE settled_at IS NULL AND seen_at < %(before)s AND kind = ANY(%(kinds)s) AND (%(full)s OR stripe_id IN (
           SELECT id FROM their_intents UNION ALL SELECT id FROM their_charges UNION ALL SELECT id FROM their_refunds
           UNION ALL SELECT id FROM their_transfers UNION ALL SELECT id FROM their_disputes
           UNION ALL SELECT id FROM their_warnings UNION ALL SELECT id FROM their_movements))
    RETURNING id"""
_RAN = sa.text("""
    INSERT INTO stripe_cursor (name, at, run_at) SELECT name, :at, clock_now() FROM unnest(CAST(:names AS text[])) AS n(name)
    ON CONFLICT (name) DO UPDATE SET at = excluded.at, run_at = excluded.run_at""")
# Clean from then on; a narrower run that is clean as well leaves a wider one of the same mode standing.
_CLEAN = sa.text("""
    INSERT INTO stripe_cursor AS c (name, at, run_at) VALUES ('clean', :at, :started)
    ON CONFLICT (name) DO UPDATE SET run_at = excluded.run_at,
       at = CASE WHEN c.run_at >= (SELECT since FROM money_mode WHERE id = 1) THEN least(c.at, excluded.at)
                 ELSE excluded.at END""")
BEGINNING = datetime(1970, 1, 1, tzinfo=UTC)


def _finish(theirs: Theirs, report: Report) -> None:
    """What is gone is settled, how far we came is kept, and staff are told of what is new."""
    theirs.ask(_SEEN, before=report.started_at, kinds=KINDS, full=report.since is None)
    with transaction() as session:
        names = ["reconcile", "full"] if report.since is None else ["reconcile"]
        session.execute(_RAN, {"at": report.started_at, "names": names})
        if report.left:
            session.execute(sa.text("DELETE FROM stripe_cursor WHERE name = 'clean'"))
        else:
            session.execute(_CLEAN, {"at": report.since or BEGINNING, "started": report.started_at})
        if report.new:
            alert("mismatch", dedupe=report.started_at.isoformat(), count=len(report.new),
                  kinds=", ".join(sorted(set(report.new))))
    if report.left:
        log.error("stripe and our books differ", left=report.left, new=len(report.new))


def yesterday() -> datetime:
    return clock.now() - timedelta(days=1)


@alert_kind("mismatch")
def _mismatch_words(facts: dict[str, str]) -> tuple[str, str]:
    count = int(facts["count"])
    return ngettext("Stripe and our books differ in one place.", "Stripe and our books differ in %(num)s places.",
                    count) + " " + _("Each of them stands on the worklist, with what can be done about it."), "/platform/worklist"


@every(30, "payments:reconcile", lane="books")
def watch() -> Report | None:
    """Every ten minutes what is new, every night all of it (S-50)."""
    row = db.session.execute(sa.text("""
        SELECT clock_now() - r.run_at AS age, r.at, f.run_at IS NULL OR clock_now() - f.run_at > interval '30 hours'
               OR (clock_now() - f.run_at > interval '20 hours' AND extract(hour FROM clock_now()) BETWEEN 1 AND 4) AS is_night
          FROM (VALUES (1)) one LEFT JOIN stripe_cursor r ON r.name = 'reconcile' LEFT JOIN stripe_cursor f ON f.name = 'full'
    """)).one()
    db.session.rollback()
    if row.is_night:
        return reconcile(full=True, wait=False)
    if row.age >= timedelta(minutes=10):
        return reconcile(since=row.at - OVERLAP, wait=False)
    return None
