"""What webhooks did not bring: events looked up in Stripe's list, stuck ones queued again, old ones let go (S-47)."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
import structlog
from flask_babel import ngettext

from core.db import ask, db, transaction
from core.jobs import defer, every
from payments import gateway_lists, inbox
from payments.alerts import alert, alert_kind

log = structlog.get_logger()
RHYTHM = timedelta(minutes=10)
OVERLAP = timedelta(hours=1)  # Stripe's list may show an event a little later than its time says
KEPT = 90  # days that the payload of a handled event is kept

_UNKNOWN = sa.text("SELECT id FROM unnest(CAST(:ids AS text[])) AS l(id) "
                   "WHERE NOT EXISTS (SELECT 1 FROM stripe_event e WHERE e.event_id = l.id)")
_SWEPT = sa.text("""
    INSERT INTO stripe_cursor AS c (name, object_id, at, run_at) VALUES ('events', :last, :at, clock_now())
    ON CONFLICT (name) DO UPDATE SET object_id = coalesce(excluded.object_id, c.object_id), at = excluded.at,
                                     run_at = excluded.run_at""")


def sweep(since: datetime | None = None) -> int:
    """Take in every event that Stripe has listed since then and that we do not have; returns how many."""
    started = db.session.scalar(sa.text("SELECT clock_now()"))
    since = since or started - timedelta(days=30)
    last, came = "", 0
    for pages in (gateway_lists.event_pages(since), gateway_lists.event_pages(undelivered=True),
                  gateway_lists.thin_event_pages(since)):
        for page in pages:
            last = last or str(page[0]["id"])
            came += _take(page)
    with transaction() as session:
        session.execute(_SWEPT, {"last": last or None, "at": started})
    if came:
        log.warning("events that no webhook brought", count=came)
    return came


def _take(page: Iterable[dict[str, Any]]) -> int:
    events = {str(event["id"]): event for event in page}
    unknown = db.session.scalars(_UNKNOWN, {"ids": list(events)}).all()
    db.session.rollback()
    return sum(inbox.receive(events[event_id]) for event_id in unknown)


# An event without a job: its worker gave up on it, or the job was lost with a restored queue.
_STUCK = sa.text("""
    SELECT e.event_id FROM stripe_event e
     WHERE e.handled_at IS NULL AND e.received_at < clock_now() - interval '2 minutes' AND NOT EXISTS (
           SELECT 1 FROM procrastinate_jobs j WHERE j.task_name = 'payments:handle_event' AND j.status IN ('todo', 'doing')
              AND j.args->>'event_id' = e.event_id)
     ORDER BY e.received_at LIMIT 500""")


def requeue_stuck() -> int:
    """Give events that nobody works on a job again; handling twice does no harm."""
    with transaction() as session:
        ids = session.scalars(_STUCK).all()
        for event_id in ids:
            defer("payments:handle_event", event_id=event_id)
    return len(ids)


@every(30, "payments:sweep_events", lane="books")
def watch() -> int:
    """Every ten minutes."""
    row = db.session.execute(sa.text("SELECT clock_now() - run_at AS age, at FROM stripe_cursor WHERE name = 'events'")).first()
    db.session.rollback()
    if row is not None and row.age is not None and row.age < RHYTHM:
        return 0
    requeue_stuck()
    return sweep(row.at - OVERLAP if row is not None and row.at else None)


@every(3600, "payments:forget_events", lane="books")
def forget_old() -> int:
    """Payloads hold names and e-mail addresses of backers: a handled event is kept for 90 days, by which time Stripe, too, has
    forgotten it."""
    forgotten = 0
    while True:
        with transaction() as session:
            gone = session.execute(sa.text("""
                DELETE FROM stripe_event WHERE event_id IN (
                       SELECT event_id FROM stripe_event WHERE received_at < clock_now() - make_interval(days => :days)
                          AND handled_at IS NOT NULL LIMIT 1000) RETURNING 1"""), {"days": KEPT}).all()
        forgotten += len(gone)
        if len(gone) < 1000:
            return forgotten


_LONG_UNKNOWN = sa.text("""
    SELECT count(*) AS n, min(changed_at) AS since FROM payment
     WHERE state = 'unknown' AND changed_at < clock_now() - interval '15 minutes'""")


@every(60, "payments:watch_unknown")
def watch_unknown() -> int:
    """Tell staff of charges whose end has not been known for a quarter of an hour (S-09); returns how many are."""
    [rows] = ask(_LONG_UNKNOWN)
    if rows.n:
        with transaction():
            alert("unknown_charges", dedupe=rows.since.isoformat(), count=rows.n)
    return int(rows.n)


@alert_kind("unknown_charges")
def _unknown_words(facts: dict[str, str]) -> tuple[str, str]:
    return ngettext("For a quarter of an hour Stripe has not said how a charge ended. It is asked on; nothing is sent twice.",
                    "For a quarter of an hour Stripe has not said how %(num)s charges ended. We keep asking; nothing is "
                    "sent twice.", int(facts["count"])), "/platform/worklist"


__all__ = ["forget_old", "requeue_stuck", "sweep", "watch", "watch_unknown"]
