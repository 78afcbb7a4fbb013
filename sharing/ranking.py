"""Who brought the most, of all time and by week: one walk along an index, however large the campaign is.

The law: first by pledges that stand, then by their money. Equals share a place, and stand in the order in which they
reached it; the next place counts all before it (1, 2, 2, 4). Only people are ranked, never tags; only with a pledge.
"""

import re
from collections import OrderedDict
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from core import clock
from core.db import db, fetch_all, fetch_one
from projects.models import Project

PER_PAGE = 50
MOST_PAGES = 2_000
DAYS = 7
KEPT = 500  # totals this process remembers


@dataclass(frozen=True)
class Row:
    """One of a page. Money in minor units; `name` is None for those who did not consent."""

    place: int
    n: int
    person_id: UUID
    name: str | None
    recruits: int
    amount: int


@dataclass(frozen=True)
class Place:
    """Where one stands: `equals` others share the place; the place is None without a recruit."""

    place: int | None
    of_all: int
    equals: int = 0
    recruits: int = 0
    amount: int = 0


@dataclass(frozen=True, order=True)
class Week:
    """A week from Monday, by UTC: the day of the pledge decides."""

    monday: date

    @property
    def key(self) -> str:
        """`2026-W47`, as ISO 8601 writes it."""
        year, week, _day = self.monday.isocalendar()
        return f"{year}-W{week:02}"

    @property
    def sunday(self) -> date:
        return self.monday + timedelta(days=DAYS - 1)

    def step(self, weeks: int) -> "Week":
        return Week(self.monday + timedelta(days=DAYS * weeks))


def topic(slug: str) -> str:
    """What the ranking's kept pages hang on (core/pages.py); the roll-up touches it."""
    return f"ranking:{slug}"


def week_of(moment: datetime) -> Week:
    day = moment.astimezone(UTC).date()
    return Week(day - timedelta(days=day.weekday()))


def read_week(text: str) -> Week | None:
    """A week as the address writes it; None for anything that is none."""
    found = re.fullmatch(r"(\d{4})-W(\d{2})", text, re.ASCII)
    try:
        return Week(date.fromisocalendar(int(found[1]), int(found[2]), 1)) if found else None
    except ValueError:
        return None


def weeks_of(project: Project) -> tuple[Week, Week]:
    """The first and the last week of a run; the last is this one while it goes on."""
    now = clock.now()
    first = week_of(project.launched_at or now)
    return first, max(first, week_of(min(now, project.closed_at or now)))


def _page_of(table: str, which: str, amount: str) -> sa.TextClause:
    """rank() reads the index as it stands and stops with the page: the keys are written as the index has them."""
    return sa.text(f"""
    SELECT r.place, l.n, l.person_id, CASE WHEN l.is_named THEN p.name END AS name, r.recruits, r.amount
      FROM (SELECT rank() OVER (ORDER BY t.recruits DESC, {amount} DESC) AS place, t.link_id, t.recruits,
                   {amount} AS amount, t.reached_at
              FROM {table} WHERE t.project_id = :project AND {which} AND t.recruits > 0
             ORDER BY t.recruits DESC, {amount} DESC, t.reached_at, t.link_id LIMIT :most OFFSET :skip) r
      JOIN share_link l ON l.id = r.link_id JOIN person p ON p.id = l.person_id
     ORDER BY r.recruits DESC, r.amount DESC, r.reached_at, r.link_id""")  # noqa: S608 -- words of ours


_PAGE = _page_of("link_tally t", "t.is_person", "(t.pledged + t.collected)")
_PAGE_OF_WEEK = _page_of("week_tally t JOIN share_link k ON k.id = t.link_id",
                         "t.week = :week AND k.person_id IS NOT NULL", "t.amount")
_COUNT = sa.text("SELECT count(*) AS n FROM link_tally WHERE project_id = :project AND is_person AND recruits > 0")
# A week's tally does not say whose it is. A project has few tags: they are taken off, instead of everybody looked up.
_TAGS_OF_WEEK = """
    FROM link_tally g JOIN week_tally w ON (w.project_id, w.week, w.link_id) = (g.project_id, :week, g.link_id)
     WHERE g.project_id = :project AND NOT g.is_person"""
_COUNT_OF_WEEK = sa.text(f"""
    SELECT count(*) - (SELECT count(*) {_TAGS_OF_WEEK} AND w.recruits > 0) AS n
      FROM week_tally WHERE project_id = :project AND week = :week AND recruits > 0""")  # noqa: S608
_PLACE = sa.text("""
    SELECT m.recruits, m.pledged + m.collected AS amount,
           (SELECT count(*) FROM link_tally t WHERE t.project_id = m.project_id AND t.is_person
               AND (t.recruits, t.pledged + t.collected) > (m.recruits, m.pledged + m.collected)) AS better,
           (SELECT count(*) - 1 FROM link_tally t WHERE t.project_id = m.project_id AND t.is_person
               AND t.recruits = m.recruits AND t.pledged + t.collected = m.pledged + m.collected) AS equals
      FROM link_tally m WHERE m.link_id = :link AND m.recruits > 0""")
_PLACE_OF_WEEK = sa.text(f"""
    SELECT m.recruits, m.amount,
           (SELECT count(*) FROM week_tally t WHERE t.project_id = m.project_id AND t.week = m.week
               AND (t.recruits, t.amount) > (m.recruits, m.amount))
           - (SELECT count(*) {_TAGS_OF_WEEK} AND (w.recruits, w.amount) > (m.recruits, m.amount)) AS better,
           (SELECT count(*) - 1 FROM week_tally t WHERE t.project_id = m.project_id AND t.week = m.week
               AND t.recruits = m.recruits AND t.amount = m.amount)
           - (SELECT count(*) {_TAGS_OF_WEEK} AND w.recruits = m.recruits AND w.amount = m.amount) AS equals
      FROM week_tally m WHERE m.project_id = :project AND m.week = :week AND m.link_id = :link AND m.recruits > 0""")  # noqa: S608


def rows(project_id: UUID, week: Week | None, page: int = 1) -> list[Row]:
    """A page of the ranking, each row with its place."""
    bounds = {"project": project_id, "most": PER_PAGE, "skip": (page - 1) * PER_PAGE}
    found = fetch_all(_PAGE_OF_WEEK, week=week.monday, **bounds) if week else fetch_all(_PAGE, **bounds)
    return [Row(r.place, r.n, r.person_id, r.name, r.recruits, r.amount) for r in found]


_totals: OrderedDict[tuple[UUID, date | None], tuple[int, int]] = OrderedDict()


def count(project_id: UUID, week: Week | None, version: int) -> int:
    """How many people are ranked: counted once for each version of the ranking, since counting reads all of them."""
    key = (project_id, week.monday if week else None)
    known = _totals.get(key)
    if version and known and known[0] == version:
        return known[1]
    row: Any = fetch_one(_COUNT_OF_WEEK, project=project_id, week=week.monday) if week \
        else fetch_one(_COUNT, project=project_id)
    _totals[key] = (version, row.n)
    _totals.move_to_end(key)
    while len(_totals) > KEPT:
        _totals.popitem(last=False)
    return int(row.n)


def place_of(project_id: UUID, link_id: UUID, week: Week | None, of_all: int) -> Place:
    """Where this link stands among all; the places of others cost nothing."""
    row = fetch_one(_PLACE_OF_WEEK, project=project_id, link=link_id, week=week.monday) if week \
        else fetch_one(_PLACE, link=link_id)
    if row is None:
        return Place(None, of_all)
    return Place(row.better + 1, max(of_all, row.better + 1 + row.equals), row.equals, row.recruits, row.amount)


_TOUCH = sa.text("""
    INSERT INTO page_version (topic) SELECT DISTINCT 'ranking:' || p.slug FROM share_link l JOIN project p ON p.id = l.project_id
     WHERE l.id = ANY(:links) ORDER BY 1
    ON CONFLICT (topic) DO UPDATE SET version = page_version.version + 1""")


def touch_pages(links: set[UUID]) -> None:
    """The roll-up's follower: the rankings in which these links stand changed."""
    db.session.execute(_TOUCH, {"links": list(links)})


_MOVED = sa.text("""
    INSERT INTO page_version (topic) SELECT 'ranking:' || slug FROM project WHERE id = :project
    ON CONFLICT (topic) DO UPDATE SET version = page_version.version + 1""")


def follow_move(_mapper: Any, connection: sa.Connection, move: Any) -> None:
    """A project was put on hold, ended, or went on: its kept ranking is gone in that very transaction."""
    connection.execute(_MOVED, {"project": move.project_id})
