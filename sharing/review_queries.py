"""What reviewers see: reasons, first names, amounts and times; never addresses, fingerprints, browsers or networks."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from core.db import fetch_all, fetch_one

PER_PAGE = 20
SHOWN = 5  # pledges of a flag that are listed; the others are counted
DECIDED = 20


@dataclass(frozen=True)
class Looked:
    """One pledge that a flag is about."""

    name: str
    number: int | None
    amount: int
    at: datetime
    state: str


@dataclass(frozen=True)
class Item:
    """One flag as its reviewers see it."""

    id: UUID
    rule: str
    severity: str
    facts: dict[str, Any]
    opened_at: datetime
    decision: str | None
    decided_at: datetime | None
    reason: str
    by: str
    appealed_at: datetime | None
    answered_at: datetime | None
    appeal: str
    recruiter: str
    recruiter_id: UUID
    code: str
    slug: str
    title: str
    zone: str
    currency: str
    count: int
    amount: int
    pledges: tuple[Looked, ...]

    @property
    def is_appealed(self) -> bool:
        return self.appealed_at is not None and self.answered_at is None

    @property
    def more(self) -> int:
        return self.count - len(self.pledges)


_ITEMS = """
    SELECT f.id, f.rule, f.severity, f.facts, f.opened_at, f.decision, f.decided_at, f.reason, f.appealed_at,
           f.answered_at, f.appeal, split_part(n.name, ' ', 1) AS recruiter, n.id AS recruiter_id, l.code, p.slug, p.title,
           p.zone, p.currency, coalesce(split_part(d.name, ' ', 1), '') AS by, s.count, s.amount, s.pledges
      FROM share_flag f JOIN share_link l ON l.id = f.link_id JOIN person n ON n.id = l.person_id
      JOIN project p ON p.id = f.project_id LEFT JOIN person d ON d.id = f.decided_by_id,
      LATERAL (SELECT count(*) AS count, coalesce(sum(amount), 0)::bigint AS amount,
                      jsonb_agg(jsonb_build_array(name, number, amount, at, state) ORDER BY rank) FILTER (WHERE rank <= :shown)
                          AS pledges
                 FROM (SELECT split_part(b.name, ' ', 1) AS name, g.number, g.amount, g.pledged_at AS at, g.state,
                              row_number() OVER (ORDER BY g.pledged_at, g.id) AS rank
                         FROM flagged_pledge x JOIN pledge g ON g.id = x.pledge_id JOIN person b ON b.id = g.backer_id
                        WHERE x.flag_id = f.id) t) s
     WHERE (CAST(:project AS uuid) IS NULL OR f.project_id = :project)"""
_OPEN_FIRST = sa.text(_ITEMS + """
       AND (f.decision IS NULL OR (f.appealed_at IS NOT NULL AND f.answered_at IS NULL AND :staff))
     ORDER BY f.appealed_at IS NULL, f.severity = 'high' DESC, f.severity = 'medium' DESC, f.opened_at, f.id
     LIMIT :most OFFSET :skip""")
_DECIDED = sa.text(_ITEMS + " AND f.decision IS NOT NULL ORDER BY f.decided_at DESC, f.id LIMIT :most")
_ONE = sa.text(_ITEMS + " AND f.id = :flag")
_COUNT = sa.text("""
    SELECT count(*) AS open, count(*) FILTER (WHERE appealed_at IS NOT NULL AND answered_at IS NULL) AS appeals
      FROM share_flag f WHERE (CAST(:project AS uuid) IS NULL OR f.project_id = :project)
       AND (decision IS NULL OR (appealed_at IS NOT NULL AND answered_at IS NULL AND :staff))""")


def _item(row: Any) -> Item:
    values = dict(row._mapping)
    values["pledges"] = tuple(Looked(name, number, amount, datetime.fromisoformat(at), state)
                              for name, number, amount, at, state in row.pledges or ())
    return Item(**values)


def open_items(project_id: UUID | None, page: int = 1) -> list[Item]:
    """What waits for somebody: asked again first, then the gravest, then the oldest. Without a project: of the whole
    house, and with what recruiters asked staff to look at again."""
    return [_item(row) for row in fetch_all(_OPEN_FIRST, project=project_id, staff=project_id is None, shown=SHOWN,
                                            most=PER_PAGE, skip=(page - 1) * PER_PAGE)]


def decided_items(project_id: UUID | None) -> list[Item]:
    return [_item(row) for row in fetch_all(_DECIDED, project=project_id, shown=SHOWN, most=DECIDED)]


def one_item(flag_id: UUID) -> Item | None:
    row = fetch_one(_ONE, project=None, flag=flag_id, shown=SHOWN)
    return _item(row) if row else None


def count_open(project_id: UUID | None) -> tuple[int, int]:
    """(how many wait, how many of them were asked for by a recruiter)."""
    [row] = fetch_all(_COUNT, project=project_id, staff=project_id is None)
    return row.open, row.appeals


@dataclass(frozen=True)
class Ban:
    id: UUID
    name: str
    handle: str
    slug: str | None
    title: str | None
    reason: str
    until: datetime | None
    is_over: bool
    has_struck: bool
    created_at: datetime
    by: str


_BANS = sa.text("""
    SELECT b.id, n.name, n.handle, p.slug, p.title, b.reason, b.until, coalesce(b.until <= clock_now(), false) AS is_over,
           b.has_struck, b.created_at, coalesce(d.name, '') AS by
      FROM share_ban b JOIN person n ON n.id = b.person_id LEFT JOIN project p ON p.id = b.project_id
      LEFT JOIN person d ON d.id = b.by_id
     WHERE b.lifted_at IS NULL AND (CAST(:project AS uuid) IS NULL OR b.project_id = :project)
       AND (b.has_struck OR b.until IS NULL OR b.until > clock_now())
     ORDER BY b.created_at DESC, b.id LIMIT 200""")


def bans_on(project_id: UUID | None) -> list[Ban]:
    """Bans that hold or still strike something: of a project, or all of them for staff."""
    return [Ban(**{**row._mapping, "name": row.name.split()[0] if project_id and row.name.split() else row.name})
            for row in fetch_all(_BANS, project=project_id)]


@dataclass(frozen=True)
class Mine:
    """What a recruiter sees of doubts about their own link: no names and no reasons of others."""

    id: UUID
    rule: str
    decision: str | None
    decided_at: datetime | None
    appealed_at: datetime | None
    answered_at: datetime | None
    count: int
    amount: int

    @property
    def may_appeal(self) -> bool:
        return self.decision == "strike" and self.appealed_at is None


_MINE = sa.text("""
    SELECT f.id, f.rule, f.decision, f.decided_at, f.appealed_at, f.answered_at, s.count, s.amount
      FROM share_link l JOIN share_flag f ON f.link_id = l.id,
      LATERAL (SELECT count(*) AS count, coalesce(sum(g.amount), 0)::bigint AS amount
                 FROM flagged_pledge x JOIN pledge g ON g.id = x.pledge_id WHERE x.flag_id = f.id) s
     WHERE l.project_id = :project AND l.person_id = :person
       AND (f.decision IS NOT NULL OR f.severity = 'high')
     ORDER BY f.decision IS NOT NULL, f.opened_at DESC LIMIT 100""")
_LOOKED_AT = sa.text("""
    SELECT count(DISTINCT x.pledge_id) FILTER (WHERE f.decision IS NULL) AS waiting,
           count(DISTINCT x.pledge_id) FILTER (WHERE f.decision = 'strike') AS struck
      FROM share_link l JOIN share_flag f ON f.link_id = l.id JOIN flagged_pledge x ON x.flag_id = f.id
     WHERE l.project_id = :project AND l.person_id = :person
       AND (f.decision = 'strike' OR (f.decision IS NULL AND f.severity = 'high'))""")


def mine(project_id: UUID, person_id: UUID) -> list[Mine]:
    """Doubts about this person's link that took something from the count, and what was decided."""
    return [Mine(**row._mapping) for row in fetch_all(_MINE, project=project_id, person=person_id)]


def looked_at(project_id: UUID, person_id: UUID) -> tuple[int, int]:
    """(pledges by this person's link that do not count yet, those that were found not to count)."""
    [row] = fetch_all(_LOOKED_AT, project=project_id, person=person_id)
    return row.waiting, row.struck


__all__ = ["Ban", "Item", "Looked", "Mine", "bans_on", "count_open", "decided_items", "looked_at", "mine", "one_item",
           "open_items"]
