"""Money-safe mode: after a restore nothing leaves until Stripe and our books are one again (O-03).

A restored database has forgotten charges that Stripe remembers, and would take them a second time. It is known by its
identity, which a restore changes and a restart does not; a snapshot of the whole disk is known by its log, which went
back behind the mark that lies beside it. Whoever moves money asks `require_open` first.
"""

import json
import time
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from uuid import UUID

import sqlalchemy as sa
import structlog
from flask import Flask, current_app
from flask_babel import gettext as _

from core.audit import note
from core.db import ask, transaction
from core.errors import Refusal
from core.jobs import every
from payments.alerts import alert, alert_kind
from payments.gateway import GatewayError

log = structlog.get_logger()
LOOKS_LAST = 1.0  # seconds that one look at the database is good for


class MoneySafe(GatewayError):
    """Money-safe mode is on: nothing was sent to Stripe, and nothing may be until staff release it."""

    def __init__(self, why: str = ""):
        super().__init__(why or "money-safe mode is on", code="money_safe")


@dataclass(frozen=True)
class Mode:
    """May money move, since when it is so, and what was looked at since."""

    is_safe_mode: bool
    why: str
    since: datetime
    by_id: UUID | None
    look_from: datetime | None  # a reconciliation must reach back to here before the release
    is_clean: bool  # one did since, and left nothing


# A base backup that is rolled forward gets a new timeline, a new server a new identifier; a dump or a copy that is loaded
# beside the old one has other numbers of database and table.
_LOOK = sa.text("""
    SELECT m.is_safe_mode, m.why, m.since, m.by_id, m.system_id, m.timeline, r.at AS look_from,
           coalesce(c.run_at >= m.since AND c.at <= r.at, false) AS is_clean,
           s.system_identifier || '/' || d.oid || '/' || CAST('money_mode'::regclass AS oid) AS system_now,
           CAST(CAST('x' || left(pg_walfile_name(pg_current_wal_flush_lsn()), 8) AS bit(32)) AS int) AS timeline_now,
           CAST(pg_current_wal_flush_lsn() - '0/0' AS bigint) AS place
      FROM pg_control_system() s JOIN pg_database d ON d.datname = current_database()
      LEFT JOIN money_mode m ON m.id = 1
      LEFT JOIN stripe_cursor r ON r.name = 'restore' LEFT JOIN stripe_cursor c ON c.name = 'clean'""")
_MAY_WRITE = sa.text("SELECT current_setting('transaction_read_only') = 'off'")
_FIRST = sa.text("""
    INSERT INTO money_mode (id, system_id, timeline) VALUES (1, :system, :timeline)
    ON CONFLICT (id) DO UPDATE SET system_id = excluded.system_id, timeline = excluded.timeline
     WHERE money_mode.system_id IS NULL""")
# How far back a restored database may have forgotten: until its sweeps last ran, and a day for keys and clocks.
_ENTER = sa.text("""
    WITH entered AS (
        UPDATE money_mode SET is_safe_mode = true, why = :why, since = clock_now(), by_id = :by,
               system_id = coalesce(:system, system_id), timeline = coalesce(:timeline, timeline)
         WHERE id = 1 AND (NOT is_safe_mode OR system_id IS DISTINCT FROM coalesce(:system, system_id)
                           OR timeline IS DISTINCT FROM coalesce(:timeline, timeline))
        RETURNING since)
    INSERT INTO stripe_cursor AS known (name, at, run_at)
    SELECT 'restore', coalesce((SELECT max(run_at) FROM stripe_cursor WHERE name IN ('events', 'reconcile', 'full')),
                               to_timestamp(86400)) - interval '24 hours', since FROM entered
    ON CONFLICT (name) DO UPDATE SET at = excluded.at, run_at = excluded.run_at
    RETURNING run_at""")
RESTORED = "The database is not the one it was: it was restored."
FORGOTTEN = "Stripe has charges that this database has forgotten."
BEHIND = "The database went back in time: its disk was restored."


def words_of(why: str) -> str:
    """The reason in the reader's language; what staff typed stays as it is."""
    return {RESTORED: _("The database is not the one it was: it was restored."),
            FORGOTTEN: _("Stripe has charges that this database has forgotten."),
            BEHIND: _("The database went back in time: its disk was restored.")}.get(why, why)


def require_open() -> None:
    """Raise MoneySafe unless money may move. Cheap: the database is asked at most once a second per process."""
    known: tuple[float, Mode] | None = current_app.extensions.get("money_mode")
    mode = known[1] if known and time.monotonic() - known[0] < LOOKS_LAST else look()
    if mode.is_safe_mode:
        raise MoneySafe(mode.why)


def look() -> Mode:
    """The mode as it is now. A database that is not the one we knew enters safe mode here."""
    [row] = ask(_LOOK)
    why = ""
    if row.system_id is None:
        if ask(_MAY_WRITE)[0][0]:  # a page that looks at a replica writes nothing (W-06)
            ask(_FIRST, system=row.system_now, timeline=row.timeline_now)
    elif (row.system_id, row.timeline) != (row.system_now, row.timeline_now):
        why = RESTORED
    elif _marked_place(row.system_now, row.timeline_now) > row.place:
        why = BEHIND
    if why:
        enter(why, system_id=row.system_now, timeline=row.timeline_now)
        _mark(row.system_now, row.timeline_now, row.place)
    if why or row.system_id is None:
        [row] = ask(_LOOK)
    mode = Mode(row.is_safe_mode, row.why, row.since, row.by_id, row.look_from, row.is_clean)
    current_app.extensions["money_mode"] = (time.monotonic(), mode)
    return mode


def enter(why: str, by_id: UUID | None = None, system_id: str | None = None, timeline: int | None = None) -> bool:
    """Stop all money, tell staff; False when it stood still already."""
    current_app.extensions.pop("money_mode", None)
    with transaction() as session:
        since = session.scalar(_ENTER, {"why": why, "by": by_id, "system": system_id, "timeline": timeline})
        if since is None:
            return False
        note("payments:enter_safe_mode", "money_mode", 1, by_id=by_id, why=why)
        alert("money_safe", dedupe=since.isoformat(), why=why)
    log.error("money-safe mode entered", why=why)
    return True


def release(why: str, by_id: UUID | None = None) -> None:
    """Let money move again; Refusal unless Stripe and our books were found to be one since it stopped."""
    mode = look()
    if not mode.is_safe_mode:
        raise Refusal(_("Money-safe mode is off already."))
    if not mode.is_clean:
        raise Refusal(_("Stripe and our books were not yet found equal since money-safe mode began. Reconcile from "
                        "%(moment)s on and settle what is left; then release.",
                        moment=f"{mode.look_from:%Y-%m-%d %H:%M} UTC" if mode.look_from else "…"))
    current_app.extensions.pop("money_mode", None)
    with transaction() as session:
        session.execute(sa.text("UPDATE money_mode SET is_safe_mode = false, why = :why, since = clock_now(), by_id = :by "
                                "WHERE id = 1"), {"why": why, "by": by_id})
        note("payments:release_safe_mode", "money_mode", 1, by_id=by_id, why=why)
    log.warning("money-safe mode released", why=why)


def look_at_start(_app: Flask) -> None:
    """Hooked to the start of a worker: before its first tick and job."""
    look()


@every(5, "payments:watch_mode")
def watch_mode() -> None:
    """See whose database this is also while nobody moves money, and mark how far its log has come."""
    look()
    [row] = ask(_LOOK)
    _mark(row.system_now, row.timeline_now, row.place)


def _mark_file() -> Path:
    return Path(current_app.config["INSTANCE"]) / "money-mark.json"


def _marked_place(system_id: str, timeline: int) -> int:
    """How far the log of this very database had come at the last mark; 0 when there is none."""
    try:
        known = json.loads(_mark_file().read_text())
        return int(known["place"]) if (known["system_id"], known["timeline"]) == (system_id, timeline) else 0
    except (OSError, ValueError, KeyError, TypeError):
        return 0


def _mark(system_id: str, timeline: int, place: int) -> None:
    path = _mark_file()
    fresh = path.with_suffix(".new")
    try:
        fresh.write_text(json.dumps({"system_id": system_id, "timeline": timeline, "place": place}))
        fresh.replace(path)
    except OSError:
        log.warning("money mark not written")


def tell_ready(wrong: list[str]) -> None:
    """Hooked to /readyz: a site whose money stands still is not ready (O-08)."""
    if look().is_safe_mode:
        wrong.append("money-safe mode is on")


@alert_kind("money_safe")
def _money_safe(facts: dict[str, str]) -> tuple[str, str]:
    return _("Money-safe mode is on: no charge, refund or transfer leaves until you release it. Why: %(why)s",
             why=words_of(facts.get("why", ""))), "/platform/worklist"
