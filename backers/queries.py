"""The list as an organiser sees it: everybody who ever counted, fifty at a time."""

import re
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from backing.models import STANDING, PledgeState
from core.db import fetch_all
from projects.models import Project
from sharing.milestones import titles_of
from sharing.states import back_of, back_of_all, stands

PER_PAGE = 50
S = PledgeState
STATES = (S.PLEDGED, S.COLLECTING, S.COLLECTED, S.ERRORED, S.DROPPED, S.CANCELLED, S.LAPSED, S.REFUNDED)
GONE = (S.CANCELLED, S.DROPPED, S.REFUNDED)  # listed, but no backers of the project any more
SORTS = {
    "-number": "p.number DESC", "number": "p.number",
    "-amount": "p.amount DESC, p.number DESC", "amount": "p.amount, p.number",
    "-pledged": "p.pledged_at DESC, p.number DESC", "pledged": "p.pledged_at, p.number",
}
# A recruiter who came back after cancelling shows the recruits at the latest number only.
_LATEST = """NOT EXISTS (SELECT FROM pledge later WHERE later.project_id = :project
                           AND later.backer_id = p.backer_id AND later.number > p.number)"""
_BROUGHT = f"""p.backer_id IN (
        SELECT r.recruiter_id FROM recruit r JOIN pledge q ON q.id = r.pledge_id {back_of_all(":project", "q")}
         WHERE r.project_id = :project AND r.struck_at IS NULL AND {stands("q")}) AND {_LATEST}"""  # noqa: S608


@dataclass(frozen=True)
class Wanted:
    """One question to the list."""

    q: str = ""
    status: str = ""
    reward: str = ""
    brought: bool = False
    sort: str = "-number"
    page: int = 1

    def args(self, **changed: Any) -> dict[str, Any]:
        """The address of this question, with something changed; what is default stays out of it."""
        values = {"q": self.q, "status": self.status, "reward": self.reward, "brought": "1" if self.brought else "",
                  "sort": "" if self.sort == "-number" else self.sort, "page": "" if self.page == 1 else self.page}
        return {key: value for key, value in (values | changed).items() if value not in ("", None)}


@dataclass(frozen=True)
class Line:
    """One backer of the list."""

    number: int
    state: str
    amount: int
    currency: str
    pledged_at: datetime | None
    name: str
    email: str
    reward: str | None
    brought: int
    pledge_id: UUID
    unlocked: list[tuple[str, bool]]  # by sharing: title, and whether it is earned already


@dataclass(frozen=True)
class Summary:
    """How the list divides, for the head and the segments."""

    by_state: dict[str, int]
    by_reward: dict[UUID | None, int]
    rewards: dict[UUID, str]  # all titles, in the order of the page
    limited: set[UUID]
    brought: int

    @property
    def everyone(self) -> int:
        return sum(self.by_state.values())

    @property
    def gone(self) -> int:
        return sum(self.by_state.get(state, 0) for state in GONE)

    @property
    def backers(self) -> int:
        return self.everyone - self.gone


def summary(project: Project) -> Summary:
    """Counts per state, reward and recruiting in two statements."""
    by_state: dict[str, int] = {}
    by_reward: dict[UUID | None, int] = {}
    for row in fetch_all(_DIVIDED, project=project.id):
        by_state[row.state] = by_state.get(row.state, 0) + row.n
        by_reward[row.reward_id] = by_reward.get(row.reward_id, 0) + row.n
    rewards = fetch_all(_REWARDS, project=project.id)
    return Summary(by_state, by_reward, {row.id: row.title for row in rewards if row.id},
                   {row.id for row in rewards if row.quantity}, next(row.brought for row in rewards))


def backers(project: Project, wanted: Wanted) -> list[Line]:
    """One page of the list."""
    where, values = _where(project, wanted)
    page = sa.text(f"""
        SELECT p.id, p.backer_id, p.number, p.state, p.amount, p.currency, p.pledged_at, b.name, b.email, w.title AS reward,
               CASE WHEN {_LATEST} THEN (
                 SELECT count(*) FROM recruit r JOIN pledge q ON q.id = r.pledge_id CROSS JOIN {back_of("q")}
                  WHERE r.project_id = :project AND r.recruiter_id = p.backer_id AND r.struck_at IS NULL
                    AND {stands("q")})
               ELSE 0 END AS brought
          FROM (SELECT p.* FROM pledge p {_WITH_BACKER if wanted.q else ''} WHERE {where}
                 ORDER BY {SORTS[wanted.sort]} LIMIT {PER_PAGE} OFFSET :offset) p
          JOIN person b ON b.id = p.backer_id LEFT JOIN reward w ON w.id = p.reward_id
         ORDER BY {SORTS[wanted.sort]}""")  # noqa: S608 -- pieces of ours only
    rows = fetch_all(page, **values, offset=(wanted.page - 1) * PER_PAGE)
    unlocked = titles_of(project.id, [row.backer_id for row in rows if row.state in STANDING])
    return [Line(row.number, row.state, row.amount, row.currency, row.pledged_at, row.name, row.email, row.reward,
                 row.brought, row.id, unlocked.get(row.backer_id, []) if row.state in STANDING else []) for row in rows]


def count(project: Project, wanted: Wanted, known: Summary) -> int:
    """How many the question finds; without a statement where the summary knows."""
    asked = [bool(wanted.q), bool(wanted.status), bool(wanted.reward), wanted.brought]
    if not any(asked):
        return known.everyone
    if asked == [False, True, False, False]:
        return known.by_state.get(wanted.status, 0)
    if asked == [False, False, True, False]:
        return known.by_reward.get(None if wanted.reward == "none" else UUID(wanted.reward), 0)
    where, values = _where(project, wanted)
    found = fetch_all(sa.text(
        f"SELECT count(*) AS n FROM pledge p {_WITH_BACKER if wanted.q else ''} WHERE {where}"), **values)  # noqa: S608
    return int(found[0].n)


def _where(project: Project, wanted: Wanted) -> tuple[str, dict[str, Any]]:
    parts = ["p.project_id = :project AND p.number IS NOT NULL"]
    values: dict[str, Any] = {"project": project.id}
    if wanted.status:
        parts.append("p.state = :status")
        values["status"] = wanted.status
    if wanted.reward == "none":
        parts.append("p.reward_id IS NULL")
    elif wanted.reward:
        parts.append("p.reward_id = CAST(:reward AS uuid)")
        values["reward"] = wanted.reward
    if wanted.brought:
        parts.append(_BROUGHT)
    if wanted.q:
        either = ["backer.name ILIKE :like", "backer.email ILIKE :like"]
        values["like"] = "%" + re.sub(r"([\\%_])", r"\\\1", wanted.q) + "%"
        if (number := re.fullmatch(r"#?\s*([0-9]{1,9})", wanted.q)) is not None:
            either.append("p.number = :number")
            values["number"] = int(number[1])
        parts.append(f"({' OR '.join(either)})")
    return " AND ".join(parts), values


_WITH_BACKER = "JOIN person backer ON backer.id = p.backer_id"
_DIVIDED = sa.text("""
    SELECT state, reward_id, count(*) AS n FROM pledge WHERE project_id = :project AND number IS NOT NULL
     GROUP BY state, reward_id""")
# One row more than there are rewards, so that the number of recruiters comes along.
_REWARDS = sa.text(f"""
    SELECT id, title, quantity, position, 0 AS brought FROM reward
     WHERE project_id = :project AND kind = 'pledge'
    UNION ALL
    SELECT NULL, NULL, NULL, NULL, (
        SELECT count(*) FROM pledge p WHERE p.project_id = :project AND p.number IS NOT NULL AND {_BROUGHT})
     ORDER BY position NULLS FIRST, title""")  # noqa: S608
