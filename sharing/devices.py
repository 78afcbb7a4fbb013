"""Browsers that people used, so that nobody recruits themselves by a second account (W-27).

A browser is known by a random name in a signed cookie of its own, nothing else about it is looked at. Kept is a hash of
that name per person, a year from the last use, and a hash of the network with the day's salt, two days. A browser that
says Do Not Track or Global Privacy Control is given no name and nothing is kept.
"""

import hashlib
import secrets
from dataclasses import dataclass
from datetime import date
from uuid import UUID

import sqlalchemy as sa
from flask import current_app
from itsdangerous import BadData, URLSafeSerializer

from core import clock
from core.db import transaction
from core.later import Later
from sharing.visits import day_hash

KEPT_DAYS = 365  # of the cookie, and of a person's device after its last use
MOST = 8  # people that one cookie remembers to have noted today: a household, or a library's desk

# Nobody waits for a disk. An account may be merged into another by then, or just now: the lock waits for that.
_NOTE = sa.text("""
    WITH fast AS (SELECT set_config('synchronous_commit', 'off', true)),
         here AS (SELECT id, coalesce(merged_into_id, id) AS person_id FROM person, fast
                   WHERE id = ANY(CAST(:people AS uuid[])) ORDER BY id FOR KEY SHARE OF person),
         used AS (SELECT DISTINCT h.person_id, u.device, u.network, u.day
                    FROM unnest(CAST(:people AS uuid[]), CAST(:devices AS bytea[]), CAST(:networks AS bytea[]),
                                CAST(:days AS date[])) AS u(id, device, network, day) JOIN here h USING (id)),
         net AS (INSERT INTO person_network (person_id, day, network)
                 SELECT DISTINCT person_id, day, network FROM used ON CONFLICT DO NOTHING)
    INSERT INTO person_device AS d (person_id, device, first_day, last_day)
    SELECT person_id, device, min(day), max(day) FROM used GROUP BY person_id, device
    ON CONFLICT (person_id, device) DO UPDATE SET last_day = excluded.last_day WHERE d.last_day < excluded.last_day
    RETURNING 1""")


@dataclass(frozen=True)
class Use:
    """Somebody used a browser on a day; waits to be written."""

    person_id: UUID
    device: bytes
    network: bytes
    day: date


def _write(connection: sa.Connection, uses: list[Use]) -> int:
    return len(connection.execute(_NOTE, {
        "people": [u.person_id for u in uses], "devices": [u.device for u in uses],
        "networks": [u.network for u in uses], "days": [u.day for u in uses]}).all())


_later = Later("devices", _write)


@dataclass(frozen=True)
class Browser:
    """What the cookie says: the browser's random name, and for whom it was noted on which day."""

    name: bytes
    day: date | None = None
    noted: tuple[str, ...] = ()

    @property
    def device(self) -> bytes:
        return hashlib.sha256(b"device:" + self.name).digest()[:16]


def read(text: str | None) -> Browser | None:
    """The browser of this cookie; None if there is none or anybody else wrote it."""
    if not text or len(text) > 1_000:
        return None
    try:
        name, day, noted = _signer().loads(text)
        made = Browser(bytes.fromhex(name), date.fromordinal(day), tuple(str(tag) for tag in noted))
    except (BadData, ValueError, TypeError, AttributeError, OverflowError):
        return None
    return made if len(made.name) == 16 else None


def write(browser: Browser) -> str:
    day = browser.day or clock.now().date()
    text = _signer().dumps([browser.name.hex(), day.toordinal(), list(browser.noted[-MOST:])])
    return text if isinstance(text, str) else text.decode()


def note(text: str | None, person_id: UUID, network: str) -> str | None:
    """Remember that this person uses this browser today; returns the cookie to set, None if it stands as it is.

    It is written once a day for a person and browser, a moment later and with others: nobody waits for it.
    """
    today, known = clock.now().date(), read(text)
    browser = known or Browser(secrets.token_bytes(16))
    tag = hashlib.sha256(browser.name + person_id.bytes).hexdigest()[:8]
    noted = browser.noted if browser.day == today else ()
    if tag in noted:
        return None
    _later.add(Use(person_id, browser.device, day_hash(b"network", network.encode()), today))
    return write(Browser(browser.name, today, (*noted, tag)))


def forget_old() -> int:
    """Throw away networks of past days and browsers not used for a year; returns how many."""
    with transaction() as session:
        nets = session.execute(sa.text(
            "DELETE FROM person_network WHERE day < CAST(clock_now() AS date) - 1 RETURNING 1")).all()
        gone = session.execute(sa.text("""
            DELETE FROM person_device WHERE last_day < CAST(clock_now() AS date) - CAST(:days AS integer) RETURNING 1"""),
            {"days": KEPT_DAYS}).all()
    return len(nets) + len(gone)


def _signer() -> URLSafeSerializer:
    made: URLSafeSerializer | None = current_app.extensions.get("sharing.device_signer")
    if made is None:
        keys = [*reversed(current_app.config["SECRET_KEY_FALLBACKS"]), current_app.config["SECRET_KEY"]]
        made = current_app.extensions["sharing.device_signer"] = URLSafeSerializer(keys, salt="sharing.device")
    return made
