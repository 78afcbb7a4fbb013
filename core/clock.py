"""The one clock. The database's `clock_now()` decides; this is its shadow for texts and mails.

`clock_now()` is `clock_timestamp()` plus the shift in table `clock`, which only development and tests may move.
"""

import threading
import time
from datetime import UTC, datetime, timedelta

import sqlalchemy as sa
from flask import current_app

from core.db import db, transaction
from core.hooks import Hook

clock_moved: Hook[[timedelta]] = Hook("The demo's clock was moved; the shift against real time follows.")

_lock = threading.Lock()
_shift = timedelta(0)
_read_at = 0.0
_STALE = 0.25  # seconds; only outside production, where the shift is always zero


def now() -> datetime:
    """The time as the database sees it, to within a quarter of a second; aware, UTC."""
    return datetime.now(UTC) + shift()


def shift() -> timedelta:
    """How far the clock has been moved; zero in production, without asking."""
    global _shift, _read_at
    if current_app.config["ENV_NAME"] == "production":
        return timedelta(0)
    if time.monotonic() - _read_at > _STALE:
        with _lock, db.engine.connect() as connection:
            _shift = connection.scalar(sa.text("SELECT shift FROM clock")) or timedelta(0)
            _read_at = time.monotonic()
    return _shift


def move_clock(by: timedelta) -> timedelta:
    """Move the clock by this much and tell whoever keeps time as well; refused in production."""
    global _read_at
    if current_app.config["ENV_NAME"] == "production":
        raise RuntimeError("The clock cannot be moved in production.")
    with transaction() as session:
        total: timedelta = session.scalar(
            sa.text("UPDATE clock SET shift = shift + :by RETURNING shift"), {"by": by}) or timedelta(0)
    _read_at = 0.0
    clock_moved.send(total)
    return total
