"""What came of sharing, in sums: for a backer and for the organisers.

The figures and their laws:

* Visits are those by links, counted once per visitor and half hour (W-26). Recruits are the pledges that stand and are
  credited to a link; their money is pledged or collected, never both.
* K = (visits by personal links ÷ backers) × (recruits by personal links ÷ visits by personal links) = recruits by
  personal links ÷ backers: how many backers each backer brings. Both sides are those who stand now. Tags are the
  organisers' own work and are left out.
* Share of money = (pledged + collected by recruits of any link) ÷ everything pledged and collected for the project. What
  went back, to backers or to their banks, is on neither side.
* Onward of a generation = recruits of the next ÷ recruits of this one: how many each of them brought. A campaign grows
  by itself where it is above one.

All of it is read from `day_tally` (days × generations), which the roll-up keeps, so its cost does not grow with the
campaign; tags are read one by one, people only best first. Minor units; days are UTC, as in the tallies.
"""

from dataclasses import dataclass, fields
from datetime import date, timedelta
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from core import clock, pages
from core.db import fetch_all, fetch_one
from projects.models import Project
from sharing import ranking, tree
from sharing.ranking import PER_PAGE
from sharing.states import LEFT, STANDS, back_of_all

DAYS = 30  # of a small chart
BEST_TAGS = 10  # and as many lines of marks


@dataclass(frozen=True)
class Came:
    """What came of some links: the columns of every breakdown, which all add up to the same."""

    visits: int = 0
    recruits: int = 0
    pledged: int = 0
    collected: int = 0
    dropped: int = 0
    refunded: int = 0

    @property
    def amount(self) -> int:
        return self.pledged + self.collected

    def __add__(self, other: "Came") -> "Came":
        return Came(*(getattr(self, f.name) + getattr(other, f.name) for f in fields(Came)))


def came(row: Any) -> Came:
    return Came(row.visits, row.recruits, row.pledged, row.collected, row.dropped, row.refunded)


def total(parts: Any) -> Came:
    return sum(parts, Came())


@dataclass(frozen=True)
class Report:
    """One reading of a project's days; tags have generation 0."""

    cells: dict[tuple[date, int], Came]

    @property
    def all(self) -> Came:
        return total(self.cells.values())

    @property
    def people(self) -> Came:
        """By personal links."""
        return total(c for (_day, generation), c in self.cells.items() if generation)

    @property
    def tags(self) -> Came:
        return total(c for (_day, generation), c in self.cells.items() if not generation)

    @property
    def by_day(self) -> dict[date, Came]:
        found: dict[date, Came] = {}
        for (day, _generation), one in sorted(self.cells.items()):
            found[day] = found.get(day, Came()) + one
        return found

    @property
    def run(self) -> list[tuple[date, Came]]:
        """From the first day with anything to the last, none left out: what a chart shows."""
        found = self.by_day
        first, last = min(found, default=date.max), max(found, default=date.min)
        return [(day, found.get(day, Came())) for day in (first + timedelta(days=n) for n in range((last - first).days + 1))] \
            if found else []

    @property
    def by_generation(self) -> dict[int, Came]:
        found: dict[int, Came] = {}
        for (_day, generation), one in sorted(self.cells.items(), key=lambda cell: cell[0][1]):
            found[generation] = found.get(generation, Came()) + one
        return found

    def onward(self, generation: int) -> float | None:
        """How many each of this generation brought; None where it cannot be said (0: theirs count as generation 1)."""
        mine = self.by_generation.get(generation, Came()).recruits
        return self.by_generation.get(generation + 1, Came()).recruits / mine if mine and generation else None


_CELLS = sa.text("""
    SELECT day, generation, visits, recruits, pledged, collected, dropped, refunded
      FROM day_tally WHERE project_id = :project""")


def read(project_id: UUID) -> Report:
    """The whole report but for names, in one statement."""
    return Report({(row.day, row.generation): came(row) for row in fetch_all(_CELLS, project=project_id)})


_STANDING = sa.text("""
    SELECT t.backers - count(p.id) FILTER (WHERE b.back >= p.amount) AS backers,
           t.raised - coalesce(sum(least(b.back, p.amount)) FILTER (WHERE p.id IS NOT NULL), 0)::bigint AS raised
      FROM project_total t
      LEFT JOIN (SELECT payment_id, sum(amount) AS back FROM money_back WHERE project_id = :project GROUP BY 1) b ON true
      LEFT JOIN pledge p ON p.payment_id = b.payment_id AND p.state = 'collected'
     WHERE t.project_id = :project GROUP BY t.project_id""")


def standing(project_id: UUID) -> tuple[int, int]:
    """Backers of the project, and what they pledged and paid, less what went back: the other side of both shares."""
    row: Any = fetch_one(_STANDING, project=project_id)
    return (row.backers, row.raised) if row else (0, 0)


def k_factor(recruits: int, backers: int) -> float | None:
    return recruits / backers if backers else None


def share(part: int, whole: int) -> float | None:
    return part / whole if whole else None


_SUMS = ", ".join(f"coalesce(t.{f.name}, 0) AS {f.name}" for f in fields(Came))
_ADDED = ", ".join(f"coalesce(sum(t.{f.name}), 0)::bigint AS {f.name}" for f in fields(Came))


@dataclass(frozen=True)
class Line:
    """A named row of a breakdown."""

    label: str
    came: Came
    channel: str = ""
    code: str = ""
    n: int | None = None
    tags: int = 0


_BY_CHANNEL = sa.text(f"""
    SELECT g.channel, count(*) AS tags, {_ADDED}
      FROM share_tag g LEFT JOIN link_tally t ON t.link_id = g.link_id WHERE g.project_id = :project
     GROUP BY 1 ORDER BY sum(t.recruits) DESC NULLS LAST, sum(t.visits) DESC NULLS LAST, 1""")  # noqa: S608


def by_channel(project_id: UUID) -> list[Line]:
    """Folders of tags, best first; with the links of people they are everything."""
    return [Line(row.channel, came(row), tags=row.tags) for row in fetch_all(_BY_CHANNEL, project=project_id)]


_BY_TAG = sa.text(f"""
    SELECT g.name, g.channel, l.code, l.n, {_SUMS}
      FROM link_tally t JOIN share_tag g ON g.link_id = t.link_id JOIN share_link l ON l.id = t.link_id
     WHERE t.project_id = :project AND NOT t.is_person
     ORDER BY t.recruits DESC, (t.pledged + t.collected) DESC, t.reached_at, t.link_id LIMIT :most""")  # noqa: S608


def by_tag(project_id: UUID, most: int | None = None) -> list[Line]:
    """Tags that somebody followed, best first."""
    return [Line(row.name, came(row), row.channel, row.code, row.n)
            for row in fetch_all(_BY_TAG, project=project_id, most=most)]


@dataclass(frozen=True)
class Marks:
    """Pledges that came by nobody's link, by the UTM words that their address had."""

    campaign: str
    source: str
    medium: str
    came: Came

    @property
    def words(self) -> str:
        return ", ".join(word for word in (self.campaign, self.source, self.medium) if word) or "(other words)"


_BY_MARKS = sa.text(f"""
    SELECT coalesce(a.utm ->> 'utm_campaign', '') AS campaign, coalesce(a.utm ->> 'utm_source', '') AS source,
           coalesce(a.utm ->> 'utm_medium', '') AS medium, 0 AS visits, count(*) FILTER (WHERE {STANDS}) AS recruits,
           coalesce(sum(p.amount) FILTER (WHERE p.state IN ('pledged', 'collecting', 'errored')), 0)::bigint AS pledged,
           coalesce(sum({LEFT}) FILTER (WHERE p.state = 'collected'), 0)::bigint AS collected,
           coalesce(sum(p.amount) FILTER (WHERE p.state = 'dropped'), 0)::bigint AS dropped,
           coalesce(sum(CASE p.state WHEN 'refunded' THEN p.amount ELSE b.back END), 0)::bigint AS refunded
      FROM attribution a JOIN pledge p ON p.id = a.pledge_id {back_of_all(":project")}
     WHERE a.project_id = :project AND a.first_link_id IS NULL AND a.last_link_id IS NULL AND a.utm <> '{{}}'
     GROUP BY 1, 2, 3 ORDER BY recruits DESC, 6 DESC, 7 DESC, 1, 2, 3 LIMIT :most""")  # noqa: S608


def by_marks(project_id: UUID, most: int | None = None) -> list[Marks]:
    """What came by marked addresses that were no links, best first: no part of the sums above, which are of links."""
    return [Marks(row.campaign, row.source, row.medium, came(row)) for row in fetch_all(_BY_MARKS, project=project_id, most=most)]


@dataclass(frozen=True)
class Best:
    """One of the best recruiters, for those who may see backers."""

    name: str
    n: int
    number: int | None  # as a backer; None for somebody who only shared
    further: int
    came: Came


_BEST = sa.text(f"""
    SELECT p.name, l.n, b.number, t.further_recruits, {_SUMS}
      FROM (SELECT * FROM link_tally t WHERE t.project_id = :project AND t.is_person AND t.recruits > 0
             ORDER BY t.recruits DESC, (t.pledged + t.collected) DESC, t.reached_at, t.link_id
             LIMIT :most OFFSET :skip) t
      JOIN share_link l ON l.id = t.link_id JOIN person p ON p.id = l.person_id
      LEFT JOIN LATERAL (SELECT number FROM pledge q WHERE q.project_id = l.project_id AND q.backer_id = l.person_id
                            AND q.state IN ('pledged', 'collecting', 'errored', 'collected') LIMIT 1) b ON true
     ORDER BY t.recruits DESC, (t.pledged + t.collected) DESC, t.reached_at, t.link_id""")  # noqa: S608


def best(project_id: UUID, page: int = 1, most: int = PER_PAGE) -> list[Best]:
    """Who brought the most, a page at a time, along the index of the ranking."""
    return [Best(row.name, row.n, row.number, row.further_recruits, came(row))
            for row in fetch_all(_BEST, project=project_id, most=most, skip=(page - 1) * PER_PAGE)]


_MY_DAYS = sa.text("""
    SELECT CAST(coalesce(p.pledged_at, p.placed_at) AT TIME ZONE 'UTC' AS date) AS day, count(*) AS recruits
      FROM recruit r JOIN pledge p ON p.id = r.pledge_id
     WHERE r.link_id = :link AND r.at >= :since AND r.tallied_state IN ('pledged', 'collected') GROUP BY 1""")


def my_days(link_id: UUID, days: int = DAYS) -> list[tuple[date, int]]:
    """Recruits of one link on each of the last days, none left out."""
    today = clock.now().date()
    since = today - timedelta(days=days - 1)
    found = {row.day: row.recruits for row in fetch_all(_MY_DAYS, link=link_id, since=since - timedelta(days=1))}
    return [(day, found.get(day, 0)) for day in (since + timedelta(days=n) for n in range(days))]


@dataclass(frozen=True)
class Mine:
    """A backer's own report; `place` is None where the project shows no ranking."""

    sums: tree.Sums
    days: list[tuple[date, int]]
    place: ranking.Place | None

    @property
    def is_empty(self) -> bool:
        return not (self.sums.visits or self.sums.all_recruits)

    @property
    def in_days(self) -> int:
        return sum(n for _day, n in self.days)


def mine(project: Project, link_id: UUID, has_ranking: bool) -> Mine:
    """What came of one link, from the tallies; at most five statements, none of which reads a whole project."""
    sums = tree.sums(link_id)
    place = None
    if has_ranking:
        of_all = ranking.count(project.id, None, pages.version_of(ranking.topic(project.slug)))
        place = ranking.place_of(project.id, link_id, None, of_all)
    return Mine(sums, my_days(link_id), place)


_PAID = sa.text("SELECT count(*) AS n FROM recruit WHERE project_id = :project AND tallied_state = 'collected'")


@dataclass(frozen=True)
class Stage:
    """A bar of the funnel: `part` of the visits, 0 to 1; None where there were none."""

    key: str
    count: int
    amount: int
    part: float | None


def funnel(project_id: UUID, everything: Came) -> list[Stage]:
    """Visits → pledges that stand → those of them whose money is there. Counted one by one only once money is there."""
    row: Any = fetch_one(_PAID, project=project_id) if everything.collected else None
    counts = (("visits", everything.visits, 0), ("pledges", everything.recruits, everything.amount),
              ("collected", row.n if row else 0, everything.collected))
    return [Stage(key, n, amount, share(n, everything.visits)) for key, n, amount in counts]
