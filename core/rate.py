"""One token bucket for all workers, kept in PostgreSQL (S-12, W-23).

The generic cell rate algorithm: a row holds the moment the next call may go; taking `n` moves it on by n intervals and
tells the taker when to start, so the pace is exact however many workers ask, and nobody polls. Whoever may not wait is
told no instead (`allows`).
"""

import time
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import mapped_column

from core.db import Base, Mapped, db


class RateBucket(Base):
    """When the next call of this name may go, by the real clock."""

    __tablename__ = "rate_bucket"

    name: Mapped[str] = mapped_column(primary_key=True)
    free_at: Mapped[datetime]


_TAKE = sa.text("""
    INSERT INTO rate_bucket AS b (name, free_at)
    VALUES (:name, clock_timestamp() + :n * make_interval(secs => 1.0 / :rate))
    ON CONFLICT (name) DO UPDATE
       SET free_at = greatest(b.free_at, clock_timestamp()) + :n * make_interval(secs => 1.0 / :rate)
    RETURNING extract(epoch FROM free_at - clock_timestamp()) - :n / CAST(:rate AS float8)""")


def reserve(name: str, rate: float, n: int = 1) -> float:
    """Reserve `n` calls at `rate` a second; returns the seconds to wait before the first of them."""
    with db.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        return max(0.0, float(connection.scalar(_TAKE, {"name": name, "n": n, "rate": rate}) or 0))


def pace(name: str, rate: float) -> None:
    """Wait for our turn; a rate of 0 means no limit."""
    if rate > 0 and (wait := reserve(name, rate)) > 0:
        time.sleep(wait)


# No later than one whole span ahead of now: so `most` at once, and then one per interval.
_TRY = sa.text("""
    INSERT INTO rate_bucket AS b (name, free_at)
    VALUES (:name, clock_timestamp() + make_interval(secs => :span / :most))
    ON CONFLICT (name) DO UPDATE
       SET free_at = greatest(b.free_at, clock_timestamp()) + make_interval(secs => :span / :most)
     WHERE greatest(b.free_at, clock_timestamp()) + make_interval(secs => :span / :most)
           <= clock_timestamp() + make_interval(secs => :span)
    RETURNING true""")
LIMIT = "limit:"


def allows(name: str, most: int, seconds: float) -> bool:
    """May this be done once more, `most` times in so many seconds? Counted at once, whatever becomes of it."""
    with db.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        return bool(connection.scalar(_TRY, {"name": LIMIT + name, "most": float(most), "span": float(seconds)}))


def forget_limits() -> int:
    """Drop the limits that hold nobody back any more; returns how many."""
    with db.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        return connection.execute(sa.text(
            "DELETE FROM rate_bucket WHERE name LIKE 'limit:%' AND free_at < clock_timestamp() - interval '1 hour'"
        )).rowcount
