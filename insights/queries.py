"""What the dashboard reads: four statements, however many backers there are."""

from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from backing.models import PledgeState
from core import clock
from core.db import db, fetch_all
from projects.models import Project

S = PledgeState
STOOD = tuple(state for state in S if state not in (S.HELD, S.EXPIRED, S.CANCELLED))  # counted when it mattered
SPARK_DAYS = 14
SHARE = "share"


@dataclass(frozen=True)
class Sum:
    """So many backers, so much money."""

    backers: int = 0
    amount: int = 0

    def __add__(self, other: "Sum") -> "Sum":
        return Sum(self.backers + other.backers, self.amount + other.amount)


@dataclass
class Grid:
    """All pledges of a project that ever counted, summed in every way the dashboard shows."""

    days: dict[date, Sum] = field(default_factory=dict)  # by the day of the pledge, in the project's zone
    states: dict[str, Sum] = field(default_factory=dict)
    sources: dict[str, Sum] = field(default_factory=dict)
    rewards: dict[UUID | None, Sum] = field(default_factory=dict)
    reward_days: dict[tuple[UUID | None, date], int] = field(default_factory=dict)
    fresh: int = 0  # backers of the last 24 hours

    @property
    def total(self) -> Sum:
        """Everything that stands, or stood at the end."""
        return sum((self.states.get(state, Sum()) for state in STOOD), Sum())


# One pass over the pledges; what follows divides a few hundred cells.
_GRID = sa.text("""
    WITH cell AS MATERIALIZED (
        SELECT CAST(p.pledged_at AT TIME ZONE :zone AS date) AS day, p.reward_id, p.state, p.source,
               count(*) AS n, CAST(sum(p.amount) AS bigint) AS amount,
               count(*) FILTER (WHERE p.pledged_at > :yesterday) AS fresh
          FROM pledge p
         WHERE p.project_id = :project AND p.number IS NOT NULL
         GROUP BY 1, 2, 3, 4),
    stood AS (SELECT * FROM cell WHERE state = ANY(:stood))
    SELECT 'day' AS kind, day, NULL AS word, CAST(NULL AS uuid) AS reward_id, CAST(sum(n) AS bigint) AS n,
           CAST(sum(amount) AS bigint) AS amount, CAST(sum(fresh) AS bigint) AS fresh FROM stood GROUP BY day
    UNION ALL SELECT 'source', NULL, source, NULL, sum(n), sum(amount), 0 FROM stood GROUP BY source
    UNION ALL SELECT 'reward', NULL, NULL, reward_id, sum(n), sum(amount), 0 FROM stood GROUP BY reward_id
    UNION ALL SELECT 'reward day', day, NULL, reward_id, sum(n), sum(amount), 0 FROM stood
               WHERE day > :since GROUP BY reward_id, day
    UNION ALL SELECT 'state', NULL, state, NULL, sum(n), sum(amount), 0 FROM cell GROUP BY state""")


_ROOM = sa.text("SET LOCAL work_mem = '64MB'")


def grid(project: Project, last_day: date) -> Grid:
    """Every sum of the dashboard in one statement; sparks end at `last_day`."""
    made = Grid()
    # The planner takes every moment for a day of its own; with room enough it hashes all the same, and need not sort.
    db.session.execute(_ROOM)
    for row in fetch_all(_GRID, project=project.id, zone=project.zone, stood=[str(state) for state in STOOD],
                         yesterday=clock.now() - timedelta(days=1), since=last_day - timedelta(days=SPARK_DAYS)):
        found = Sum(int(row.n), int(row.amount))
        if row.kind == "day":
            made.days[row.day] = found
            made.fresh += int(row.fresh)
        elif row.kind == "source":
            made.sources[row.word] = found
        elif row.kind == "reward":
            made.rewards[row.reward_id] = found
        elif row.kind == "reward day":
            made.reward_days[row.reward_id, row.day] = found.backers
        else:
            made.states[row.word] = found
    return made


@dataclass(frozen=True)
class Recruiters:
    """Who brought the most, how many brought anybody, and what else is known of where the recruits came from."""

    best: list[Any]
    of_all: int
    sources: dict[str, Sum]  # the recruits by the source that their pledge names


_RECRUITERS = sa.text("""
    WITH came AS MATERIALIZED (
        SELECT r.recruiter_id, p.source, count(*) AS n, sum(p.amount) AS amount
          FROM recruit r JOIN pledge p ON p.id = r.pledge_id
         WHERE r.project_id = :project AND r.struck_at IS NULL AND p.state = ANY(:stood) GROUP BY 1, 2),
    best AS (
        SELECT recruiter_id, sum(n) AS n, sum(amount) AS amount, count(*) OVER () AS of_all FROM came
         WHERE recruiter_id IS NOT NULL GROUP BY 1 ORDER BY n DESC, amount DESC, recruiter_id LIMIT 5)
    SELECT person.id, person.name, NULL AS source, CAST(best.n AS bigint) AS backers,
           CAST(best.amount AS bigint) AS amount, best.of_all
      FROM best JOIN person ON person.id = best.recruiter_id
    UNION ALL
    SELECT NULL, NULL, source, CAST(sum(n) AS bigint), CAST(sum(amount) AS bigint), 0 FROM came GROUP BY source
     ORDER BY backers DESC, amount DESC, id""")


def recruiters(project: Project) -> Recruiters:
    """The best five, and the recruits by source, in one statement."""
    rows = fetch_all(_RECRUITERS, project=project.id, stood=[str(state) for state in STOOD])
    best = [row for row in rows if row.id]
    return Recruiters(best, best[0].of_all if best else 0,
                      {row.source: Sum(row.backers, row.amount) for row in rows if not row.id})


def sources(grid: Grid, brought: Recruiters) -> dict[str, Sum]:
    """Where backers come from: a recruit counts for the sharing links, whatever else its pledge says."""
    found: dict[str, Sum] = {}
    for word, one in grid.sources.items():
        moved = brought.sources.get(word, Sum())
        for name, part in ((SHARE, moved), (word, Sum(one.backers - moved.backers, one.amount - moved.amount))):
            if part.backers:
                # A link that brought no recruit (one's own, an unknown code) is no sharing link of a backer.
                name = "direct" if name == SHARE and part is not moved else name
                found[name] = found.get(name, Sum()) + part
    return found


_REWARDS = sa.text("""
    SELECT r.id, r.title, r.quantity, greatest(0, r.quantity - r.claimed) AS left_over, picture.key AS picture_key
      FROM reward r LEFT JOIN picture ON picture.id = r.picture_id
     WHERE r.project_id = :project AND r.kind = 'pledge' ORDER BY r.position, r.price""")


def rewards(project: Project) -> list[Any]:
    return fetch_all(_REWARDS, project=project.id)


@dataclass(frozen=True)
class News:
    number: int
    published_at: datetime


def updates(project: Project) -> list[News]:
    """When the creator wrote, oldest first."""
    return [News(row.number, row.published_at) for row in fetch_all(_UPDATES, project=project.id)]


_UPDATES = sa.text("SELECT number, published_at FROM project_update WHERE project_id = :project ORDER BY number")
