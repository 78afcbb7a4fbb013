"""What came of the links: counted from the pledges that stand, never from clicks."""

import re
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from backing.models import ACTIVE, STANDING, Pledge
from core.db import db, fetch_all, fetch_one
from projects.models import PUBLIC
from sharing.models import ShareLink
from sharing.states import BACK, LEFT, STANDS, back_of_all

STANDING_SQL = ", ".join(f"'{state}'" for state in STANDING)
ACTIVE_SQL = ", ".join(f"'{state}'" for state in ACTIVE)
_PUBLIC = ", ".join(f"'{state}'" for state in PUBLIC)
# A pledge is "pledged" until its money is there; then, and only then, it is "collected", as long as it is there.
_SUMS = f"""
    count(*) FILTER (WHERE {STANDS}) AS recruits,
    coalesce(sum(p.amount) FILTER (WHERE p.state IN ('pledged', 'collecting', 'errored')), 0)::bigint AS pledged,
    coalesce(sum({LEFT}) FILTER (WHERE p.state = 'collected'), 0)::bigint AS collected"""

KEPT_SECONDS, KEPT_MOST = 60.0, 10_000


@dataclass(frozen=True)
class Found:
    """Where a code leads, and whose it is."""

    code: str
    link_id: UUID
    project_id: UUID
    person_id: UUID | None  # None: a tag of the organisers
    slug: str
    utm: dict[str, str] = field(default_factory=dict)  # a tag's marks


@dataclass(frozen=True)
class Results:
    """What one link brought; `recruits` are the pledges that stand."""

    visits: int = 0
    recruits: int = 0
    pledged: int = 0
    collected: int = 0

    @property
    def amount(self) -> int:
        return self.pledged + self.collected


@dataclass(frozen=True, kw_only=True)
class Recruiter(Results):
    """One row of the organiser's table."""

    person_id: UUID
    name: str
    number: int | None  # as a backer; None for somebody who only shared
    code: str


@dataclass(frozen=True)
class Brought:
    """One pledge that stands and whose link brought it."""

    person_id: UUID
    recruiter_id: UUID
    name: str
    is_named: bool  # the name may be shown to others than the one who brought them
    number: int
    amount: int
    at: datetime


@dataclass(frozen=True)
class Source:
    """Where standing pledges came from: `share`, `discover`, `search`, a referrer's domain, `direct`."""

    source: str
    pledges: int
    amount: int


ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"  # of codes: base32 without I, L, O, U
LENGTH = 13
_ALIKE = str.maketrans({"I": "1", "L": "1", "O": "0", "-": None})
_WORD = re.compile(r"[a-z0-9](-?[a-z0-9]){2,29}")


def read_code(text: str) -> str | None:
    """A code as somebody typed it, in its one true form; None for anything that cannot be one."""
    if len(text) > 2 * LENGTH or not text.isascii():
        return None
    code = text.upper().translate(_ALIKE)
    return code if len(code) == LENGTH and all(sign in ALPHABET for sign in code) else None


def read_word(text: str) -> str | None:
    """A word as somebody typed it; None for anything that cannot be one."""
    word = text.strip().lower() if len(text) <= 40 else ""
    return word if _WORD.fullmatch(word) else None


_kept: dict[str, tuple[float, Found]] = {}
_FIND = sa.text(f"""
    SELECT l.code, l.id AS link_id, l.project_id, l.person_id, p.slug, coalesce(t.utm, '{{}}') AS utm
      FROM share_link l JOIN project p ON p.id = l.project_id LEFT JOIN share_tag t ON t.link_id = l.id
     WHERE p.state IN ({_PUBLIC}) AND (p.state <> 'cancelled' OR p.launched_at IS NOT NULL)
       AND l.id = (SELECT coalesce(k.alias_of_id, k.id) FROM share_link k
                    WHERE k.id = coalesce((SELECT id FROM share_link WHERE code = :code),
                                          (SELECT link_id FROM share_word WHERE word = :word)))""")  # noqa: S608 -- states of our own


def find_link(text: str) -> Found | None:
    """Where this code or word leads, if its project is public; kept for a minute, since little of it changes."""
    until, found = _kept.get(text, (0.0, None))
    if found and until > time.monotonic():
        return found
    code, word = read_code(text), read_word(text)
    row = fetch_one(_FIND, code=code, word=word) if code or word else None
    if row is None:
        return None
    found = Found(**row._mapping)
    if len(_kept) >= KEPT_MOST:
        _kept.clear()
    _kept[text] = (time.monotonic() + KEPT_SECONDS, found)
    return found


def link_between(person_id: UUID, project_id: UUID) -> ShareLink | None:
    """This person's link for this project, if it was made."""
    return db.session.scalar(sa.select(ShareLink).filter_by(project_id=project_id, person_id=person_id))


def standing_pledge(person_id: UUID, project_id: UUID) -> Pledge | None:
    """The pledge by which this person stands behind the project."""
    return db.session.scalar(sa.select(Pledge).where(
        Pledge.project_id == project_id, Pledge.backer_id == person_id, Pledge.state.in_(STANDING)))


_RESULTS = sa.text(f"""
    SELECT l.id, coalesce(t.visits, 0) AS visits, s.*
      FROM share_link l LEFT JOIN link_tally t ON t.link_id = l.id, LATERAL (
           SELECT {_SUMS} FROM recruit r JOIN pledge p ON p.id = r.pledge_id, {BACK}
            WHERE r.link_id = l.id AND r.struck_at IS NULL) s
     WHERE l.id = ANY(:links)""")  # noqa: S608


def results_of(link_ids: Iterable[UUID]) -> dict[UUID, Results]:
    """What each of these links brought, in one statement. Visits are read where they were added up: there are many, and
    some may have come by another name of the link."""
    rows = fetch_all(_RESULTS, links=list(link_ids))
    return {row.id: Results(row.visits, row.recruits, row.pledged, row.collected) for row in rows}


def link_results(link_id: UUID) -> Results:
    return results_of([link_id]).get(link_id, Results())


_LINKS_OF = sa.text(f"""
    SELECT l.id, l.code, p.slug, p.title, p.currency, p.state
      FROM share_link l JOIN project p ON p.id = l.project_id
     WHERE l.person_id = :person AND p.state IN ({_PUBLIC}) ORDER BY l.created_at DESC LIMIT :most""")  # noqa: S608


def links_of(person_id: UUID, most: int = 100) -> list[sa.Row[Any]]:
    """The links of a person to public projects, newest first."""
    return fetch_all(_LINKS_OF, person=person_id, most=most)


_RECRUITERS = f"""
    WITH visited AS (SELECT link_id, visits FROM link_tally WHERE project_id = :project AND visits > 0),
         brought AS (SELECT r.link_id, {_SUMS} FROM recruit r JOIN pledge p ON p.id = r.pledge_id
                            {back_of_all(":project")}
                      WHERE r.project_id = :project AND r.struck_at IS NULL GROUP BY 1)
    SELECT l.person_id, n.name, b.number, l.code, coalesce(visits, 0) AS visits, coalesce(recruits, 0) AS recruits,
           coalesce(pledged, 0) AS pledged, coalesce(collected, 0) AS collected, count(*) OVER () AS of_all
      FROM share_link l
      LEFT JOIN visited v ON v.link_id = l.id
      LEFT JOIN brought r ON r.link_id = l.id
      JOIN person n ON n.id = l.person_id
      LEFT JOIN pledge b ON b.project_id = l.project_id AND b.backer_id = l.person_id AND b.state IN ({ACTIVE_SQL})
     WHERE l.project_id = :project AND (v.visits > 0 OR r.recruits > 0)
     ORDER BY recruits DESC, pledged + collected DESC, visits DESC, l.id"""  # noqa: S608
_BY_PERSON = sa.text(f"{_RECRUITERS} LIMIT :most OFFSET :skip")


def recruits_by_person(project_id: UUID, most: int | None = None, skip: int = 0) -> tuple[list[Recruiter], int]:
    """Everybody whose link somebody followed, best first, and how many there are: one pass over the project."""
    rows = fetch_all(_BY_PERSON, project=project_id, most=most, skip=skip)
    found = [Recruiter(visits=row.visits, recruits=row.recruits, pledged=row.pledged, collected=row.collected,
                       person_id=row.person_id, name=row.name, number=row.number, code=row.code) for row in rows]
    return found, rows[0].of_all if rows else 0


_BROUGHT_BY = sa.text(f"""
    SELECT * FROM (
        SELECT r.backer_id AS person_id, r.recruiter_id, n.name, coalesce(o.is_named, false) AS is_named,
               p.number, {LEFT} AS amount, r.at,
               row_number() OVER (PARTITION BY r.recruiter_id ORDER BY r.at, p.id) AS rank
          FROM recruit r JOIN pledge p ON p.id = r.pledge_id JOIN person n ON n.id = r.backer_id CROSS JOIN {BACK}
          LEFT JOIN share_link o ON o.project_id = r.project_id AND o.person_id = r.backer_id
         WHERE r.project_id = :project AND r.recruiter_id = ANY(:people) AND r.struck_at IS NULL
           AND {STANDS}) b
     WHERE rank <= :each ORDER BY recruiter_id, rank""")  # noqa: S608


def brought_by(project_id: UUID, people: Iterable[UUID], each: int = 100) -> dict[UUID, list[Brought]]:
    """Whom these people brought to this project, oldest first, at most so many each."""
    found: dict[UUID, list[Brought]] = {}
    for row in fetch_all(_BROUGHT_BY, project=project_id, people=list(people), each=each):
        found.setdefault(row.recruiter_id, []).append(
            Brought(row.person_id, row.recruiter_id, row.name, row.is_named, row.number, row.amount, row.at))
    return found


_SENDER = sa.text("""
    SELECT n.id, n.name, r.recruiter_id FROM recruit r JOIN person n ON n.id = r.recruiter_id
     WHERE r.pledge_id = :pledge AND r.struck_at IS NULL""")


def recruiter_of(pledge_id: UUID) -> sa.Row[Any] | None:
    """Who brought this pledge: `id` and `name`."""
    return fetch_one(_SENDER, pledge=pledge_id)


_SOURCES = sa.text(f"""
    SELECT CASE WHEN r.pledge_id IS NOT NULL THEN 'share' WHEN p.source = 'share' THEN 'direct' ELSE p.source END
               AS source, count(*) AS pledges, sum({LEFT})::bigint AS amount
      FROM pledge p LEFT JOIN recruit r ON r.pledge_id = p.id AND r.struck_at IS NULL
           {back_of_all(":project")}
     WHERE p.project_id = :project AND {STANDS} GROUP BY 1 ORDER BY amount DESC, source""")  # noqa: S608


def sources(project_id: UUID) -> list[Source]:
    """Standing pledges by where they came from, largest amount first; `share` are exactly the recruits."""
    return [Source(row.source, row.pledges, row.amount) for row in fetch_all(_SOURCES, project=project_id)]
