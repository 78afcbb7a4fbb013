"""Reading collections: one statement, one snapshot, so that the parts are the whole at every instant (O-20)."""

from dataclasses import dataclass, fields
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from flask import current_app

from core.db import ask, fetch_all, fetch_one

PER_PAGE = 50
STEPS = 60  # points of the line, at most


@dataclass(frozen=True)
class Counts:
    """Where the pledges of a run are: every one of them is in exactly one part."""

    to_charge: int = 0
    sending: int = 0
    unknown: int = 0
    succeeded: int = 0
    needs_action: int = 0
    waiting: int = 0  # for a retry of ours
    dropped: int = 0
    refunded: int = 0
    whole: int = 0

    @property
    def parts(self) -> int:
        return sum(getattr(self, field.name) for field in fields(self)) - self.whole

    @property
    def left(self) -> int:
        """What the run itself still has to do."""
        return self.to_charge + self.sending + self.unknown

    @property
    def percent(self) -> float:
        """How far the run came: what has had its first answer."""
        return 100 * (self.whole - self.left) / self.whole if self.whole else 0.0


# A pledge's part. What stood at the deadline is the run; who left before it is not.
_PART = """
    CASE g.state
      WHEN 'pledged' THEN 'to_charge'
      WHEN 'collecting' THEN
        CASE WHEN y.state = 'unknown' THEN 'unknown'
             WHEN g.leased_until > clock_timestamp() OR y.state IN ('confirming', 'processing') THEN 'sending'
             ELSE 'to_charge' END
      WHEN 'collected' THEN 'succeeded'
      WHEN 'errored' THEN CASE WHEN g.retry_at IS NOT NULL THEN 'waiting' ELSE 'needs_action' END
      WHEN 'dropped' THEN 'dropped'
      WHEN 'refunded' THEN 'refunded'
    END"""
_COUNTS = f"""
    SELECT g.project_id, count(*) AS whole, {', '.join(
        f"count(*) FILTER (WHERE part = '{field.name}') AS {field.name}" for field in fields(Counts) if field.name != 'whole')}
      FROM (SELECT g.project_id, {_PART} AS part FROM pledge g LEFT JOIN payment y ON y.id = g.payment_id
             WHERE g.state IN ('pledged', 'collecting', 'collected', 'errored', 'dropped', 'refunded')
               AND EXISTS (SELECT 1 FROM collection_run r WHERE r.project_id = g.project_id)
               AND (CAST(:project AS uuid) IS NULL OR g.project_id = CAST(:project AS uuid))) g
     GROUP BY g.project_id"""  # noqa: S608 -- names of ours
_COUNT = sa.text(_COUNTS)


def _counts(row: Any) -> Counts:
    return Counts(**{field.name: int(getattr(row, field.name)) for field in fields(Counts)})


def counts(project_id: UUID) -> Counts:
    rows = ask(_COUNT, project=project_id)
    return _counts(rows[0]) if rows else Counts()


@dataclass(frozen=True)
class Run:
    """One collection as its page shows it."""

    project_id: UUID
    slug: str
    title: str
    zone: str
    currency: str
    state: str
    why: str
    started_at: datetime
    finished_at: datetime | None
    paused_at: datetime | None
    counts: Counts

    @property
    def is_paused(self) -> bool:
        return self.state == "paused"

    @property
    def is_moving(self) -> bool:
        return self.state == "running"


_RUNS = sa.text(f"""
    SELECT p.slug, p.title, p.zone, p.currency, r.state, r.why, r.started_at, r.finished_at, r.paused_at,
           r.project_id AS run_id, c.*
      FROM collection_run r JOIN project p ON p.id = r.project_id LEFT JOIN ({_COUNTS}) c ON c.project_id = r.project_id
     WHERE CAST(:project AS uuid) IS NULL OR r.project_id = CAST(:project AS uuid)
     ORDER BY CASE r.state WHEN 'paused' THEN 0 WHEN 'running' THEN 1 ELSE 2 END, r.started_at DESC
     LIMIT :limit OFFSET :skip""")  # noqa: S608 -- names of ours


def runs(page: int = 1) -> list[Run]:
    """All collections: what stands first, then what runs, then what is done."""
    return [_run(row) for row in fetch_all(_RUNS, project=None, limit=PER_PAGE, skip=(page - 1) * PER_PAGE)]


def run_of(project_id: UUID) -> Run | None:
    row = fetch_one(_RUNS, project=project_id, limit=1, skip=0)
    return _run(row) if row else None


def _run(row: Any) -> Run:
    return Run(row.run_id, row.slug, row.title, row.zone, row.currency, row.state, row.why, row.started_at, row.finished_at,
               row.paused_at, _counts(row) if row.whole is not None else Counts())


def totals() -> dict[str, int]:
    """How many runs are in which state."""
    rows = fetch_all(sa.text("SELECT state, count(*) AS n FROM collection_run GROUP BY state"))
    return {row.state: int(row.n) for row in rows}


def expected_end(run: Run, now: datetime) -> datetime | None:
    """When the first answers will be complete at the allowed rate, shared with the other runs; None when unknown."""
    per_second = current_app.config["STRIPE_RATE"]
    if not run.is_moving or not run.counts.left or not per_second:
        return None
    together = max(1, totals().get("running", 1))
    return now + timedelta(seconds=run.counts.left * together / per_second)


@dataclass(frozen=True)
class Point:
    at: datetime
    collected: int


_LINE = sa.text("""
    WITH span AS (
        SELECT r.started_at AS first, greatest(coalesce(r.finished_at, r.paused_at, clock_now()),
               (SELECT max(collected_at) FROM pledge WHERE project_id = :project), r.started_at + interval '1 second') AS last
          FROM collection_run r WHERE r.project_id = :project),
    got AS (
        SELECT width_bucket(extract(epoch FROM greatest(g.collected_at, s.first)), extract(epoch FROM s.first),
                            extract(epoch FROM s.last) + 0.001, :steps) AS step, count(*) AS n
          FROM pledge g, span s WHERE g.project_id = :project AND g.collected_at IS NOT NULL GROUP BY 1)
    SELECT s.first + (s.last - s.first) * g.step / :steps AS at, g.n, s.first, s.last
      FROM span s LEFT JOIN got g ON true ORDER BY g.step""")


def line(project_id: UUID) -> list[Point]:
    """How many were paid by when, from the start of the run on; empty before the first."""
    points, sum_ = [], 0
    rows = fetch_all(_LINE, project=project_id, steps=STEPS)
    for row in rows:
        if row.n:
            sum_ += int(row.n)
            points.append(Point(row.at, sum_))
    if not points:
        return []
    points.insert(0, Point(rows[0].first, 0))
    if points[-1].at < rows[0].last:
        points.append(Point(rows[0].last, sum_))
    return points


@dataclass(frozen=True)
class Errored:
    """One pledge that waits for its backer or for another try."""

    id: UUID
    number: int
    amount: int
    kind: str | None  # what its backer can do; never a code
    retry_at: datetime | None
    fix_until: datetime
    may_retry: bool


_ERRORED = sa.text("""
    SELECT g.id, g.number, g.amount, y.decline_class, g.retry_at, g.fix_until,
           c.dead_at IS NULL AND r.state <> 'paused' AND y.decline_class IS DISTINCT FROM 'authenticate' AS may_retry,
           count(*) OVER () AS found
      FROM pledge g JOIN collection_run r ON r.project_id = g.project_id
      LEFT JOIN payment y ON y.id = g.payment_id LEFT JOIN card_setup c ON c.id = g.card_id
     WHERE g.project_id = :project AND g.state = 'errored'
     ORDER BY g.fix_until, g.number LIMIT :limit OFFSET :skip""")


def errored(project_id: UUID, page: int = 1) -> tuple[list[Errored], int]:
    """A page of them by the end of their time, and how many there are."""
    rows = fetch_all(_ERRORED, project=project_id, limit=PER_PAGE, skip=(page - 1) * PER_PAGE)
    found = int(rows[0].found) if rows else 0
    return [Errored(row.id, row.number, row.amount, row.decline_class, row.retry_at, row.fix_until, row.may_retry)
            for row in rows], found
