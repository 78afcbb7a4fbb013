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
from core.db import ask, transaction
from sharing.visits import day_hash

KEPT_DAYS = 365  # of the cookie, and of a person's device after its last use
MOST = 8  # people that one cookie remembers to have noted today: a household, or a library's desk

# One statement a day for a person and browser; nobody waits for a disk, since a lost note is made again the next day.
_NOTE = sa.text("""
    WITH fast AS (SELECT set_config('synchronous_commit', 'off', true)),
         net AS (INSERT INTO person_network (person_id, day, network)
                 SELECT :person, CAST(clock_now() AS date), :network FROM fast ON CONFLICT DO NOTHING)
    INSERT INTO person_device AS d (person_id, device, first_day, last_day)
    SELECT :person, :device, CAST(clock_now() AS date), CAST(clock_now() AS date) FROM fast
    ON CONFLICT (person_id, device) DO UPDATE SET last_day = excluded.last_day WHERE d.last_day < excluded.last_day""")


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
    """Remember that this person uses this browser today; returns the cookie to set, None if it stands as it is."""
    today, known = clock.now().date(), read(text)
    browser = known or Browser(secrets.token_bytes(16))
    tag = hashlib.sha256(browser.name + person_id.bytes).hexdigest()[:8]
    noted = browser.noted if browser.day == today else ()
    if tag in noted:
        return None
    ask(_NOTE, person=person_id, device=browser.device, network=day_hash(b"network", network.encode()))
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
