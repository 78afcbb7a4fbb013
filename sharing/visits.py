"""Visits: each visitor of a link once per half hour, and nobody can be recognised afterwards (W-26).

A visitor is a hash of link, network and browser under the day's random salt. The salt goes after two days, and with it
the last way back from a hash to an address; no address is ever stored.
"""

import hashlib
import hmac
import re
import secrets
import threading
from collections import OrderedDict
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import lru_cache
from uuid import UUID

import sqlalchemy as sa
import structlog
from sqlalchemy.exc import SQLAlchemyError

from core import clock
from core.db import db, transaction
from core.later import Later
from sharing.cookie import Headings
from sharing.queries import Found

log = structlog.get_logger()

# Who names itself a robot or a program's library, or fetches previews for a chat. Not Cubot, which is a telephone.
ROBOT = re.compile(
    r"(?<!cu)bot(?![a-z])|crawl|spider|slurp|preview|facebookexternalhit|facebookcatalog|meta-external|cardyb|embedly|"
    r"^whatsapp/|^mastodon/|http\.rb/|pleroma|misskey|skypeuripreview|vkshare|quora link|pinterest/|feedfetcher|"
    r"mediapartners|lighthouse|pingdom|uptime|monitoring|go-http-client|^java/|^curl/|^wget/|"
    r"python-requests/|python-urllib/|python-httpx/|aiohttp/|libwww-perl/|node-fetch|^axios/|^okhttp/|ia_archiver|bingpreview|yandex\.com/bots",
    re.I)
BURST = 30  # new visits from one network in a minute; what comes faster is a machine
REMEMBERED = 20_000  # visits this process knows to be counted, so that a replay costs no statement

# Many at once, after the answers have gone. synchronous_commit is off: a crash may lose a count, and nobody waits for a disk.
_COUNT = sa.text("""
    WITH fast AS (SELECT set_config('synchronous_commit', 'off', true))
    INSERT INTO share_visit (link_id, project_id, visitor, half_hour, at)
    SELECT v.* FROM fast, unnest(CAST(:links AS uuid[]), CAST(:projects AS uuid[]), CAST(:visitors AS bytea[]),
                                 CAST(:half_hours AS timestamptz[]), CAST(:times AS timestamptz[])) AS v
    ON CONFLICT DO NOTHING RETURNING id""")
_SALT = sa.text("INSERT INTO visit_salt (day, salt) VALUES (:day, :salt) ON CONFLICT DO NOTHING")
_READ_SALT = sa.text("SELECT salt FROM visit_salt WHERE day = :day")

_lock = threading.Lock()
_seen: OrderedDict[tuple[UUID, bytes, int], None] = OrderedDict()
_salt: tuple[date, bytes] | None = None
_bursts: dict[str, int] = {}
_burst_minute = 0


@lru_cache(5_000)  # browsers name themselves in a few thousand ways
def _is_robot(user_agent: str) -> bool:
    return ROBOT.search(user_agent) is not None


def is_person(user_agent: str, headers: Headings) -> bool:
    """Does a person see the page now? Not for robots, prefetched pages, and pictures or frames in other pages."""
    if not user_agent or _is_robot(user_agent[:500]):
        return False
    for name in ("Sec-Purpose", "Purpose", "X-Moz"):
        if (purpose := headers.get(name)) and any(w in purpose.lower() for w in ("prefetch", "preview", "prerender")):
            return False
    return (headers.get("Sec-Fetch-Dest") or "document") == "document"


def note_visit(link: Found, address: str, user_agent: str, headers: Headings) -> bool:
    """Count this visit if it is a person's first in the half hour; True if it may be, as far as this process knows.

    It is written a moment later with others, and nothing depends on that: a page that only shows must also work on a
    database that cannot be written to, and then only the count is lost (W-06).
    """
    if not is_person(user_agent, headers):
        return False
    try:
        at = clock.now()
        half_hour = int(at.timestamp()) // 1800
        visit = (link.link_id, _visitor(link.link_id, address, user_agent), half_hour)
        if visit in _seen or _too_fast(address):
            return False
    except SQLAlchemyError as error:
        log.info("visit not counted", reason=type(error).__name__)
        return False
    with _lock:
        _seen[visit] = None
        while len(_seen) > REMEMBERED:
            _seen.popitem(last=False)
    _later.add(Visit(link.link_id, link.project_id, visit[1], datetime.fromtimestamp(half_hour * 1800, UTC), at))
    return True


@dataclass(frozen=True)
class Visit:
    """One that waits to be written."""

    link_id: UUID
    project_id: UUID
    visitor: bytes
    half_hour: datetime
    at: datetime


def _write(connection: sa.Connection, batch: list[Visit]) -> int:
    return len(connection.execute(_COUNT, {
        "links": [v.link_id for v in batch], "projects": [v.project_id for v in batch],
        "visitors": [v.visitor for v in batch], "half_hours": [v.half_hour for v in batch],
        "times": [v.at for v in batch]}).all())


_later = Later("visits", _write)
flush = _later.flush


def _visitor(link_id: UUID, address: str, user_agent: str) -> bytes:
    # With the link in the hash, nobody can follow a visitor from one link to another either.
    return day_hash(link_id.bytes, address.encode(), user_agent[:500].encode())


def day_hash(*told: bytes) -> bytes:
    """What nobody can lead back to what was told once the day's salt is gone, two days later at the latest."""
    return hmac.new(_salt_of_today(), b"\0".join(told), hashlib.sha256).digest()[:16]


def _salt_of_today() -> bytes:
    global _salt
    today = clock.now().date()
    if _salt is None or _salt[0] != today:
        with db.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            salt = connection.scalar(_READ_SALT, {"day": today})
            if salt is None:
                connection.execute(_SALT, {"day": today, "salt": secrets.token_bytes(32)})
                salt = connection.scalar(_READ_SALT, {"day": today})
        _salt = (today, bytes(salt))
    return _salt[1]


def _too_fast(address: str) -> bool:
    """More than thirty new visitors a minute from one network, as this process sees it."""
    global _burst_minute
    minute = int(clock.now().timestamp()) // 60
    with _lock:
        if minute != _burst_minute:
            _bursts.clear()
            _burst_minute = minute
        _bursts[address] = _bursts.get(address, 0) + 1
        return _bursts[address] > BURST


def forget_here() -> None:
    """Drop what this process remembers."""
    global _salt
    _later.forget()
    with _lock:
        _salt = None
        _seen.clear()
        _bursts.clear()


def forget_salts() -> int:
    """Throw the salts of past days away, two days at the latest; returns how many."""
    with transaction() as session:
        gone = session.execute(sa.text(
            "DELETE FROM visit_salt WHERE day < CAST(clock_now() AS date) - 1 RETURNING day")).all()
    return len(gone)
