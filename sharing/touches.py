"""By whose links somebody came: what the account remembers, what the browser remembers, and which of them counts."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from core import clock
from core.db import ask, fetch_all
from sharing.cookie import Via


@dataclass(frozen=True)
class Touched:
    """A link that may have brought somebody: a person's, or a tag of the organisers, which has no person."""

    link_id: UUID
    code: str
    person_id: UUID | None
    name: str | None
    number: int | None  # as a backer of the project
    recruits: int
    counts: str  # what the project decided: first | last
    codes: list[str] = field(default_factory=list)  # the asked ones that lead here
    last_at: datetime | None = None  # by the account; None when only the browser knows
    first_at: datetime | None = None


@dataclass(frozen=True)
class Known:
    """The two touches that are kept, and the one of them that is credited."""

    first: Touched
    last: Touched

    @property
    def counting(self) -> Touched:
        return self.first if self.last.counts == "first" else self.last


# The account's own two touches and the browser's codes, resolved to links of others in one statement.
TOUCHED = sa.text("""
    WITH kept AS (SELECT link_id, at, first_link_id, first_at FROM share_touch
                   WHERE person_id = :me AND project_id = :project),
         came AS (SELECT link_of_code(code, :project) AS link_id, code FROM unnest(CAST(:codes AS text[])) AS c (code)
                  UNION ALL SELECT link_id, NULL FROM kept UNION ALL SELECT first_link_id, NULL FROM kept)
    SELECT l.id AS link_id, l.code, l.person_id, n.name, b.number, coalesce(t.recruits, 0) AS recruits,
           coalesce(s.counts, 'last') AS counts, c.codes, k.at AS last_at, f.first_at
      FROM (SELECT link_id, coalesce(array_agg(code) FILTER (WHERE code IS NOT NULL), '{}') AS codes
              FROM came WHERE link_id IS NOT NULL GROUP BY 1) c
      JOIN share_link l ON l.id = c.link_id
      LEFT JOIN person n ON n.id = l.person_id
      LEFT JOIN share_settings s ON s.project_id = l.project_id
      LEFT JOIN link_tally t ON t.link_id = l.id
      LEFT JOIN kept k ON k.link_id = l.id
      LEFT JOIN kept f ON f.first_link_id = l.id
      LEFT JOIN pledge b ON b.project_id = l.project_id AND b.backer_id = l.person_id
                        AND b.state IN ('held', 'pledged', 'collecting', 'collected', 'errored')
     WHERE l.project_id = :project AND (l.person_id IS NULL OR l.person_id IS DISTINCT FROM :me)""")


def known_touches(project_id: UUID, me: UUID | None, via: Via | None, days: int) -> Known | None:
    """First and last among what the browser and the account remember, none older than `days`; nobody's own link."""
    codes = list({touch.code for touch in (via.first, via.last) if touch}) if via else []
    if me is None and not codes:
        return None
    found = [Touched(**row._mapping) for row in fetch_all(TOUCHED, project=project_id, me=me, codes=codes)]
    oldest = clock.now() - timedelta(days=days)
    if via and via.left_at:  # “I came by myself” ends whatever was before it
        oldest = max(oldest, via.left_at)
    dated = [(at, role, place, touch) for place, touch in enumerate(found) for at, role in _moments(touch, via) if at > oldest]
    return Known(min(dated)[-1], max(dated)[-1]) if dated else None


def _moments(touch: Touched, via: Via | None) -> Iterator[tuple[datetime, int]]:
    """When this link was opened; and of two that were within one second, which is all that a cookie keeps, which came first."""
    yield from ((at, role) for role, at in ((0, touch.first_at), (1, touch.last_at)) if at)
    if via:
        yield from ((seen.at, role) for role, seen in enumerate((via.first, via.last)) if seen and seen.code in touch.codes)


# First what somebody left, then what came since: the account takes a touch over only if it is newer than its last one,
# or older than its first one, in whatever order they arrive. Marks of a touch go with it.
_CARRY = sa.text("SELECT carry_touches(:person, CAST(:memory AS jsonb), :days)")
_FORGET = sa.text("DELETE FROM share_touch WHERE person_id = :person AND project_id = :project")


def carry(person_id: UUID, memory: dict[UUID, Via], days: int) -> None:
    """Copy what the browser remembers into the account, so that it holds on another device too: one statement."""
    if not memory:
        return
    ask(_CARRY, person=person_id, days=days, memory=json.dumps([_row(project, via) for project, via in sorted(
        memory.items())]))


def _row(project_id: UUID, via: Via) -> dict[str, Any]:
    return {"project": str(project_id), "left_at": _text(via.left_at), "utm": via.utm,
            "last": via.last.code if via.last else None, "at": _text(via.last.at if via.last else via.utm_at),
            "first": via.first.code if via.first else None, "first_at": _text(via.first.at if via.first else None)}


def _text(at: datetime | None) -> str | None:
    return at.isoformat() if at else None


def forget(person_id: UUID, project_id: UUID) -> None:
    """This account came by nobody's link: its browser asked not to be followed."""
    ask(_FORGET, person=person_id, project=project_id)
