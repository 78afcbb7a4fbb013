"""Who brought whom, to any depth: a node and what hangs on it, read by a handful of statements of the same cost.

What is shown is what the tallies counted (`tallied_*`), so that a drawing and the sums beside it agree; what was struck
is nowhere. A name is shown only if its owner said so (`share_link.is_named`), and to whoever brought them.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from core.db import fetch_all, fetch_one
from sharing.states import BACK, LEFT, STANDS

PER_PAGE = 20
ON_BRANCH = 3  # of those whom one of them brought
MOST_PAGES = 1_000
DEEPEST = 12  # generations with a row of their own; the rest together


@dataclass(frozen=True)
class Sums:
    """What one link brought: directly, and further along."""

    recruits: int = 0
    pledged: int = 0
    collected: int = 0
    further_recruits: int = 0
    further_pledged: int = 0
    further_collected: int = 0
    visits: int = 0

    @property
    def all_recruits(self) -> int:
        return self.recruits + self.further_recruits

    @property
    def all_pledged(self) -> int:
        return self.pledged + self.further_pledged

    @property
    def all_collected(self) -> int:
        return self.collected + self.further_collected


@dataclass(frozen=True)
class Generation:
    """All who came in so many steps."""

    number: int
    people: int
    pledged: int
    collected: int

    @property
    def amount(self) -> int:
        return self.pledged + self.collected


@dataclass(frozen=True)
class Node:
    """A person, or a tag of the organisers, in the tree. Minor units."""

    n: int | None  # of their own link, in the paths; it never leaves the server
    link_id: UUID | None  # the address at which they open
    seed: str
    name: str | None  # None: did not consent
    is_tag: bool = False
    amount: int = 0  # their own pledge
    is_collected: bool = False
    is_gone: bool = False  # the pledge stands no more, those whom they brought do
    recruits: int = 0
    further: int = 0
    pledged: int = 0  # by direct recruits and all further ones
    collected: int = 0
    children: list["Node"] = field(default_factory=list)
    more: int = 0  # further children, beyond those in `children`
    sums: Sums = Sums()  # the same apart; of those on the way to a link
    generations: Sequence[Generation] = ()  # who came by steps from here; of the last one on the way

    @property
    def brought(self) -> int:
        return self.recruits + self.further


_NAME = "CASE WHEN o.is_named THEN split_part(btrim(p.name), ' ', 1) END"
_OWN = """
    coalesce(t.recruits, 0) AS recruits, coalesce(t.further_recruits, 0) AS further,
    coalesce(t.pledged + t.further_pledged, 0) AS pledged, coalesce(t.collected + t.further_collected, 0) AS collected"""
# Whoever stands no more is in the tree as long as those whom they brought hang on them.
_IN_TREE = """
    (r.tallied_state IN ('pledged', 'collected') OR (r.struck_at IS NULL AND EXISTS (
        SELECT FROM share_link k JOIN link_tally y ON y.link_id = k.id AND y.recruits + y.further_recruits > 0
         WHERE k.project_id = r.project_id AND k.person_id = r.backer_id)
        AND NOT EXISTS (SELECT FROM recruit s WHERE s.backer_id = r.backer_id AND s.project_id = r.project_id
                           AND (s.at, s.pledge_id) > (r.at, r.pledge_id))))"""


def _hanging(link: str, most: str, skip: str) -> str:
    return f"""
        SELECT r.project_id, r.backer_id, r.tallied_state, r.tallied_amount, r.at, r.pledge_id
          FROM recruit r WHERE r.link_id = {link} AND {_IN_TREE} ORDER BY r.at, r.pledge_id LIMIT {most} OFFSET {skip}"""  # noqa: S608


_COLUMNS = f"""
    o.n, o.id AS link_id, c.backer_id AS person_id, {_NAME} AS name, c.tallied_amount AS amount,
    c.tallied_state AS state, {_OWN}"""
_JOINS = """
    LEFT JOIN share_link o ON o.project_id = c.project_id AND o.person_id = c.backer_id
    LEFT JOIN link_tally t ON t.link_id = o.id JOIN person p ON p.id = c.backer_id"""
_CHILDREN = sa.text(f"""
    SELECT {_COLUMNS.replace("o.is_named", "o.is_named OR :is_mine")} FROM ({_hanging(":link", ":most", ":skip")}) c {_JOINS} ORDER BY c.at, c.pledge_id""")  # noqa: S608
# Behind a SELECT nobody guesses how many links there are, so that one plan serves all: making one takes four times as long.
_BRANCHES = sa.text(f"""
    SELECT u.link AS above, {_COLUMNS}
      FROM unnest((SELECT CAST(:links AS uuid[]))) AS u (link), LATERAL ({_hanging("u.link", ":most", "0")}) c {_JOINS}
     ORDER BY c.at, c.pledge_id""")  # noqa: S608


def children(link_id: UUID, page: int = 1, *, is_mine: bool = False) -> tuple[list[Node], bool]:
    """Whom a link brought, in the order in which they came, each with the first of whom they brought; and is there a
    further page. `is_mine`: its owner is looking, to whom the form said that the first name is told. Two statements."""
    found = fetch_all(_CHILDREN, link=link_id, is_mine=is_mine, most=PER_PAGE + 1, skip=(page - 1) * PER_PAGE)
    return _with_branches([_node(row) for row in found[:PER_PAGE]]), len(found) > PER_PAGE


def _node(row: Any) -> Node:
    return Node(row.n, row.link_id, str(row.person_id), row.name or None, amount=row.amount,
                is_collected=row.state == "collected", is_gone=row.state not in ("pledged", "collected"),
                recruits=row.recruits, further=row.further, pledged=row.pledged, collected=row.collected)


def _with_branches(nodes: list[Node]) -> list[Node]:
    links = [node.link_id for node in nodes if node.brought and node.link_id]
    if not links:
        return nodes
    hanging: dict[UUID, list[Node]] = {}
    for row in fetch_all(_BRANCHES, links=links, most=ON_BRANCH):
        hanging.setdefault(row.above, []).append(_node(row))
    made = []
    for node in nodes:
        below = hanging.get(node.link_id, []) if node.link_id else []
        standing = sum(not child.is_gone for child in below)
        made.append(replace(node, children=below, more=max(0, node.recruits - standing)))
    return made


_SUMS = sa.text("""
    SELECT recruits, pledged, collected, further_recruits, further_pledged, further_collected, visits
      FROM link_tally WHERE link_id = :link""")


def sums(link_id: UUID) -> Sums:
    """What this link brought, directly and further along."""
    row = fetch_one(_SUMS, link=link_id)
    return Sums(**row._mapping) if row else Sums()


# People and money below the link `at` by steps from it: one look into the index of paths.
_STEPS = """
    SELECT cardinality(path) - array_position(path, at.n) + 1 AS number, count(*) AS people,
           coalesce(sum(tallied_amount) FILTER (WHERE tallied_state = 'pledged'), 0)::bigint AS pledged,
           coalesce(sum(tallied_amount) FILTER (WHERE tallied_state = 'collected'), 0)::bigint AS collected
      FROM recruit WHERE path @> ARRAY[at.n] AND tallied_state IN ('pledged', 'collected') GROUP BY 1"""
# The path by which somebody came, each link with its owner, and the one asked for at its end.
# Whose tree is looked at knows themselves, who sent them (the link said it) and whom they brought (the form said it).
_IS_KNOWN = "abs(u.step - array_position(at.path, CAST(:mine AS integer))) <= 1"
_TRAIL = f"""
    WITH at AS (
        SELECT l.id, l.n, l.project_id, CASE WHEN l.person_id IS NULL THEN '{{}}'
               ELSE path_of(l.project_id, l.person_id) END || l.n AS path
          FROM share_link l WHERE l.project_id = :project AND l.alias_of_id IS NULL AND %s)
    SELECT o.n, o.id AS link_id, coalesce(o.person_id, o.id) AS person_id, o.person_id IS NULL AS is_tag,
           coalesce(g.name, {_NAME.replace("o.is_named", f"(o.is_named OR {_IS_KNOWN})")}) AS name,
           t.recruits, t.pledged, t.collected, t.further_recruits, t.further_pledged, t.further_collected, t.visits,
           CASE WHEN o.n = at.n AND :is_end THEN (SELECT json_agg(s ORDER BY number) FROM ({_STEPS}) s) END AS generations
      FROM at, unnest(at.path) WITH ORDINALITY AS u (n, step)
      JOIN share_link o ON o.n = u.n LEFT JOIN share_tag g ON g.link_id = o.id
      LEFT JOIN person p ON p.id = o.person_id LEFT JOIN link_tally t ON t.link_id = o.id
     ORDER BY u.step"""  # noqa: S608
_TRAIL_TO = sa.text(_TRAIL % "l.id = :link")
_OWN_TRAIL = sa.text((_TRAIL % "l.person_id = :person").replace("CAST(:mine AS integer)", "at.n"))


def trail(project_id: UUID, link_id: UUID, below: Node | None = None) -> list[Node]:
    """From the root to this link; empty if there is none there. With `below`, who is looking at their own tree, from
    there, and empty if it is not below them."""
    found = [_on_trail(row) for row in fetch_all(_TRAIL_TO, project=project_id, link=link_id, is_end=True,
                                                mine=below and below.n)]
    if below is None:
        return found
    start = next((i for i, node in enumerate(found) if node.link_id == below.link_id), None)
    return [] if start is None else found[start:]


def own_trail(project_id: UUID, person_id: UUID, *, is_end: bool = True) -> list[Node]:
    """From the root to this person's own link, who is looking; empty if it was not made. Not `is_end`: somebody further
    on is asked for, and the steps from here are not counted."""
    return [_on_trail(row) for row in fetch_all(_OWN_TRAIL, project=project_id, person=person_id, is_end=is_end)]


def _on_trail(row: Any) -> Node:
    own = Sums(*(getattr(row, name) or 0 for name in Sums.__dataclass_fields__))
    return Node(row.n, row.link_id, str(row.person_id), row.name or None, is_tag=row.is_tag, recruits=own.recruits,
                further=own.further_recruits, pledged=own.all_pledged, collected=own.all_collected, sums=own,
                generations=_folded(row.generations or ()))


_ALL_GENERATIONS = sa.text("""
    SELECT generation AS number, sum(recruits)::bigint AS people, sum(pledged)::bigint AS pledged,
           sum(collected)::bigint AS collected
      FROM day_tally WHERE project_id = :project GROUP BY 1 HAVING sum(recruits) > 0 ORDER BY 1""")


def all_generations(project_id: UUID) -> list[Generation]:
    """People and money of a whole project by steps, from its days: 0 came by a tag alone."""
    return _folded(row._mapping for row in fetch_all(_ALL_GENERATIONS, project=project_id))


def _folded(rows: Iterable[Any]) -> list[Generation]:
    found = [Generation(**row) for row in rows]
    rest = found[DEEPEST:]
    if len(rest) < 2:
        return found
    return [*found[:DEEPEST], Generation(rest[0].number, sum(g.people for g in rest), sum(g.pledged for g in rest),
                                         sum(g.collected for g in rest))]


# Each half is read along its index, best first, until the page is full.
_HALF = """
    (SELECT t.link_id, t.n, t.is_person, t.recruits, t.further_recruits AS further, t.pledged, t.collected,
            t.further_pledged, t.further_collected, t.reached_at
       FROM link_tally t {join} WHERE t.project_id = :project AND {which} AND t.recruits > 0 {brought}
      ORDER BY t.recruits DESC, (t.pledged + t.collected) DESC, t.reached_at, t.link_id LIMIT :ahead)"""
_ROOTS = sa.text(f"""
    SELECT c.n, c.link_id, coalesce(o.person_id, o.id) AS person_id, NOT c.is_person AS is_tag,
           coalesce(g.name, {_NAME}) AS name, c.recruits, c.further, c.pledged + c.further_pledged AS pledged,
           c.collected + c.further_collected AS collected, coalesce(b.amount, 0) AS amount, b.state
      FROM (SELECT * FROM ({_HALF.format(join="", which="NOT t.is_person", brought="")} UNION ALL
                           {_HALF.format(join="JOIN share_link l ON l.id = t.link_id", which="t.is_person", brought='''
            AND NOT EXISTS (SELECT FROM recruit r WHERE r.backer_id = l.person_id AND r.project_id = t.project_id
                               AND r.struck_at IS NULL)''')}) h
             ORDER BY recruits DESC, pledged + collected DESC, reached_at, link_id LIMIT :most OFFSET :skip) c
      JOIN share_link o ON o.id = c.link_id LEFT JOIN share_tag g ON g.link_id = o.id
      LEFT JOIN person p ON p.id = o.person_id
      LEFT JOIN LATERAL (SELECT {LEFT} AS amount, p.state FROM pledge p, {BACK}
                          WHERE p.project_id = o.project_id AND p.backer_id = o.person_id AND {STANDS} LIMIT 1) b ON true
     ORDER BY c.recruits DESC, c.pledged + c.collected DESC, c.reached_at, c.link_id""")  # noqa: S608


def roots(project_id: UUID, page: int = 1) -> tuple[list[Node], bool]:
    """Tags, and people whom nobody brought, by how many they brought themselves; with the first of those."""
    skip = (page - 1) * PER_PAGE
    found = fetch_all(_ROOTS, project=project_id, most=PER_PAGE + 1, skip=skip, ahead=skip + PER_PAGE + 1)
    nodes = [Node(row.n, row.link_id, str(row.person_id), row.name or None, is_tag=row.is_tag, amount=row.amount,
                  is_collected=row.state == "collected", recruits=row.recruits, further=row.further,
                  pledged=row.pledged, collected=row.collected) for row in found[:PER_PAGE]]
    return _with_branches(nodes), len(found) > PER_PAGE
