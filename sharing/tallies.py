"""Tallies: what the links brought, as counters that are the truth plus at most a second.

Whatever moves a credited pledge leaves a row in `share_due` (triggers of 0032_tallies). The roll-up takes these rows,
and for each pledge subtracts what was added before (`tallied_*`, in the recruit's row) and adds what is true now; so it
may run as often as it likes, and a crash in between has changed nothing. Only the roll-up writes tallies, one at a time
and link by link in order; it waits for nobody's recruit, what is locked comes with the next round.
"""

import time
from collections.abc import Callable
from functools import cache
from uuid import UUID

import sqlalchemy as sa
import structlog

from core.db import db, transaction
from core.jobs import defer
from sharing import checks, visits
from sharing.states import AMOUNT, BACK, COUNTS_AS, DAY, REFUNDED

log = structlog.get_logger()

# Called in the roll-up's transaction with the links whose own recruits or sums changed. Keep them short: all of a
# batch waits for them. One that fails undoes its own part only and hears of these links again by a job.
FOLLOWERS: list[Callable[[set[UUID]], object]] = []
BATCH, FEW = 20_000, 500
LOCK = "sharing:tallies"
PATIENCE = 20.0  # seconds of one tick; what is left comes with the next

# From small to large the same plan: by index, pledge after pledge. What the planner believes of `share_due`, which is
# empty or has just been filled, is never true.
_TAKE_TURNS = sa.text("""
    SELECT set_config('enable_seqscan', 'off', true) || set_config('jit', 'off', true),
           pg_try_advisory_xact_lock(hashtextextended(:lock, 0)) AS is_ours""")
_WAIT_TURN = sa.text("""
    SELECT set_config('enable_seqscan', 'off', true), pg_advisory_xact_lock(hashtextextended(:lock, 0))""")
# Of rows (sign, state, amount): the columns of a tally.
_SUMS = """
    sum(sign) FILTER (WHERE state IN ('pledged', 'collected')) AS recruits,
    sum(amount) FILTER (WHERE state = 'pledged') AS pledged, sum(amount) FILTER (WHERE state = 'collected') AS collected,
    sum(amount) FILTER (WHERE state = 'dropped') AS dropped, sum(amount) FILTER (WHERE state = 'refunded') AS refunded"""


def _plus(*columns: str) -> str:
    return ", ".join(f"{column} = t.{column} + coalesce(s.{column}, 0)" for column in columns)


def _or_none(*columns: str) -> str:
    return ", ".join(f"coalesce(s.{column}, 0)" for column in columns)


_DIRECT = ("recruits", "pledged", "collected", "dropped", "refunded")
_FURTHER = ("further_recruits", "further_pledged", "further_collected")
_ROLL = sa.text(f"""
    WITH due AS MATERIALIZED (SELECT id, pledge_id FROM share_due ORDER BY id LIMIT :most),
    locked AS MATERIALIZED (
        SELECT r.pledge_id, r.project_id, r.tallied_path, r.tallied_state, r.tallied_amount, r.tallied_refunded, r.path,
               {AMOUNT} AS amount, {REFUNDED} AS refunded,
               CASE WHEN r.struck_at IS NULL THEN {COUNTS_AS} END AS state, {DAY} AS day
          FROM (SELECT DISTINCT pledge_id FROM due) d JOIN recruit r USING (pledge_id) JOIN pledge p ON p.id = r.pledge_id,
               {BACK}
           FOR NO KEY UPDATE OF r SKIP LOCKED),
    gone AS (DELETE FROM share_due s USING due, locked WHERE s.id = due.id AND locked.pledge_id = due.pledge_id RETURNING 1),
    truth AS MATERIALIZED (
        SELECT pledge_id, project_id, day, tallied_path, tallied_state, tallied_amount, tallied_refunded, state,
               CASE WHEN state IS NULL THEN '{{}}' ELSE path END AS path, CASE WHEN state IS NULL THEN 0 ELSE amount END AS amount,
               CASE WHEN state IS NULL THEN 0 ELSE refunded END AS refunded
          FROM locked
         WHERE (tallied_state, CASE WHEN tallied_state IS NOT NULL THEN (tallied_path, tallied_amount, tallied_refunded) END)
               IS DISTINCT FROM (state, CASE WHEN state IS NOT NULL THEN (path, amount, refunded) END)),
    written AS (
        UPDATE recruit r SET tallied_path = t.path, tallied_state = t.state, tallied_amount = t.amount,
               tallied_refunded = t.refunded
          FROM truth t WHERE r.pledge_id = t.pledge_id RETURNING 1),
    moved AS MATERIALIZED (
        SELECT project_id, day, path, state, sum(sign) AS sign, sum(sign * amount) AS amount FROM (
               SELECT project_id, day, tallied_path AS path, tallied_state AS state, tallied_amount AS amount, -1 AS sign
                 FROM truth WHERE tallied_state IS NOT NULL
                UNION ALL
               SELECT project_id, day, path, state, amount, 1 FROM truth WHERE state IS NOT NULL
                UNION ALL
               SELECT project_id, day, tallied_path, 'refunded', tallied_refunded, -1 FROM truth WHERE tallied_refunded > 0
                UNION ALL
               SELECT project_id, day, path, 'refunded', refunded, 1 FROM truth WHERE refunded > 0) m
         GROUP BY 1, 2, 3, 4 HAVING sum(sign) <> 0 OR sum(sign * amount) <> 0),
    steps AS MATERIALIZED (
        SELECT m.*, l.id AS link_id, l.n, coalesce(l.person_id, l.alias_of_id) IS NOT NULL AS is_person, u.step = cardinality(m.path) AS is_direct,
               u.step = 1 AS is_root
          FROM moved m, unnest(m.path) WITH ORDINALITY AS u (n, step) JOIN share_link l ON l.n = u.n),
    direct AS (SELECT link_id, {_SUMS} FROM steps WHERE is_direct GROUP BY 1),
    further AS (SELECT link_id, recruits AS further_recruits, pledged AS further_pledged, collected AS further_collected
                  FROM (SELECT link_id, {_SUMS} FROM steps WHERE NOT is_direct GROUP BY 1) f),
    links AS (SELECT DISTINCT link_id, project_id, n, is_person FROM steps),
    by_link AS (
        MERGE INTO link_tally t
        USING (SELECT * FROM links LEFT JOIN direct USING (link_id) LEFT JOIN further USING (link_id) ORDER BY link_id) s
           ON t.link_id = s.link_id
         WHEN MATCHED THEN UPDATE SET {_plus(*_DIRECT, *_FURTHER)},
              reached_at = CASE WHEN coalesce(s.recruits, 0) <> 0 OR coalesce(s.pledged, 0) + coalesce(s.collected, 0) <> 0
                                THEN clock_now() ELSE t.reached_at END
         WHEN NOT MATCHED THEN INSERT (link_id, project_id, n, is_person, {", ".join(_DIRECT + _FURTHER)})
              VALUES (s.link_id, s.project_id, s.n, s.is_person, {_or_none(*_DIRECT, *_FURTHER)})
        RETURNING 1),
    by_week AS (
        MERGE INTO week_tally t
        USING (SELECT project_id, CAST(date_trunc('week', day) AS date) AS week, link_id, sum(sign) AS recruits,
                      sum(amount) AS amount FROM steps WHERE is_direct AND state IN ('pledged', 'collected')
                GROUP BY 1, 2, 3 HAVING sum(sign) <> 0 OR sum(amount) <> 0 ORDER BY 1, 2, 3) s
           ON (t.project_id, t.week, t.link_id) = (s.project_id, s.week, s.link_id)
         WHEN MATCHED THEN UPDATE SET {_plus("recruits", "amount")}, reached_at = clock_now()
         WHEN NOT MATCHED THEN INSERT (project_id, week, link_id, recruits, amount)
              VALUES (s.project_id, s.week, s.link_id, s.recruits, s.amount)
        RETURNING 1),
    by_day AS (
        MERGE INTO day_tally t
        USING (SELECT project_id, day, generation, {_SUMS} FROM (
                      SELECT project_id, day, cardinality(path) - CASE WHEN is_person THEN 0 ELSE 1 END AS generation,
                             state, sign, amount FROM steps WHERE is_root) g
                GROUP BY 1, 2, 3 ORDER BY 1, 2, 3) s
           ON (t.project_id, t.day, t.generation) = (s.project_id, s.day, s.generation)
         WHEN MATCHED THEN UPDATE SET {_plus(*_DIRECT)}
         WHEN NOT MATCHED THEN INSERT (project_id, day, generation, {", ".join(_DIRECT)})
              VALUES (s.project_id, s.day, s.generation, {_or_none(*_DIRECT)})
        RETURNING 1)
    SELECT (SELECT count(*) FROM gone) AS taken, (SELECT array_agg(link_id) FROM direct) AS links""")  # noqa: S608

_VISITS = sa.text("""
    WITH seen AS MATERIALIZED (
        UPDATE share_visit SET is_tallied = true
         WHERE id IN (SELECT id FROM share_visit WHERE NOT is_tallied ORDER BY id LIMIT :most FOR UPDATE SKIP LOCKED)
        RETURNING link_id, project_id, CAST(at AT TIME ZONE 'UTC' AS date) AS day),
    came AS MATERIALIZED (
        SELECT coalesce(l.alias_of_id, l.id) AS link_id, s.project_id, s.day, count(*) AS visits
          FROM seen s JOIN share_link l ON l.id = s.link_id GROUP BY 1, 2, 3),
    known AS MATERIALIZED (SELECT c.*, l.n, l.person_id IS NOT NULL AS is_person FROM came c JOIN share_link l ON l.id = c.link_id),
    by_link AS (
        MERGE INTO link_tally t
        USING (SELECT link_id, project_id, n, is_person, sum(visits) AS visits FROM known GROUP BY 1, 2, 3, 4 ORDER BY 1) s
           ON t.link_id = s.link_id
         WHEN MATCHED THEN UPDATE SET visits = t.visits + s.visits
         WHEN NOT MATCHED THEN INSERT (link_id, project_id, n, is_person, visits)
              VALUES (s.link_id, s.project_id, s.n, s.is_person, s.visits)
        RETURNING 1),
    by_day AS (
        MERGE INTO day_tally t
        USING (SELECT project_id, day, CASE WHEN is_person THEN 1 ELSE 0 END AS generation, sum(visits) AS visits
                 FROM known GROUP BY 1, 2, 3 ORDER BY 1, 2, 3) s
           ON (t.project_id, t.day, t.generation) = (s.project_id, s.day, s.generation)
         WHEN MATCHED THEN UPDATE SET visits = t.visits + s.visits
         WHEN NOT MATCHED THEN INSERT (project_id, day, generation, visits)
              VALUES (s.project_id, s.day, s.generation, s.visits)
        RETURNING 1)
    SELECT count(*) FROM seen""")
_IS_DUE = sa.text("""
    SELECT (SELECT count(*) FROM (SELECT FROM share_due LIMIT 501) d) AS pledges, EXISTS (SELECT FROM share_visit WHERE NOT is_tallied) AS visits""")


@cache
def _sized(sql: str, most: int) -> sa.TextClause:
    """With the number in the words: for few the planner looks up each by index, for many it joins whole tables."""
    return sa.text(sql.replace(":most", str(most)))


def roll_up() -> int:
    """Bring the tallies up to date; returns how many changes were taken in. Two at once take turns."""
    visits.flush()
    taken, begun = 0, time.monotonic()
    while time.monotonic() - begun < PATIENCE:
        now = _roll_batch(_TAKE_TURNS)
        taken += now
        if now < BATCH // 2:
            break
    return taken


def _roll_batch(turn: sa.TextClause) -> int:
    with transaction() as session:
        due = session.execute(_IS_DUE).one()
        if not (due.pledges or due.visits):
            return 0
        if session.execute(turn, {"lock": LOCK}).one()[1] is False:
            return 0  # another worker is at it
        taken = session.scalar(_VISITS, {"most": BATCH}) if due.visits else 0
        links: set[UUID] = set()
        if due.pledges:
            rolled = session.execute(_sized(_ROLL.text, FEW if due.pledges <= FEW else BATCH)).one()
            taken, links = max(taken, rolled.taken), set(rolled.links or ())
        session.execute(sa.text("SET LOCAL enable_seqscan TO DEFAULT"))
        if links:
            for follow in FOLLOWERS:
                _tell(follow, links)
    return int(taken)


def _tell(follow: Callable[[set[UUID]], object], links: set[UUID]) -> None:
    """What is wrong with one follower keeps no tally waiting, of this project or of another."""
    try:
        with transaction():  # within the roll-up's: a savepoint
            follow(links)
    except Exception:
        log.exception("follower of tallies failed", follower=_called(follow))
        defer("sharing:follow_again", follower=_called(follow), links=sorted(map(str, links)))


def _called(follow: Callable[[set[UUID]], object]) -> str:
    return f"{follow.__module__}.{follow.__qualname__}"


def follow_again(follower: str, links: list[str]) -> None:
    """What a follower did not hear, once more; nothing, if there is no such follower any more."""
    for follow in FOLLOWERS:
        if _called(follow) == follower:
            with transaction():
                follow({UUID(link) for link in links})


def wait_turn() -> None:
    """Nobody rolls up until the end of this transaction."""
    db.session.execute(sa.text("SELECT pg_advisory_xact_lock(hashtextextended(:lock, 0))"), {"lock": LOCK})


def take_turn() -> bool:
    """The same, unless somebody is at it: then False, and nothing is held."""
    return bool(db.session.scalar(sa.text("SELECT pg_try_advisory_xact_lock(hashtextextended(:lock, 0))"), {"lock": LOCK}))


_EMPTY = (
    sa.text("DELETE FROM week_tally WHERE project_id = :project"),
    sa.text("DELETE FROM day_tally WHERE project_id = :project"),
    sa.text("DELETE FROM link_tally WHERE project_id = :project"),
    sa.text("UPDATE share_visit SET is_tallied = false WHERE project_id = :project AND is_tallied"),
    sa.text("""UPDATE recruit r SET path = t.path, tallied_path = '{}', tallied_state = NULL, tallied_amount = 0, tallied_refunded = 0
                 FROM true_paths(:project) t WHERE r.pledge_id = t.pledge_id"""),
    sa.text("INSERT INTO share_due (pledge_id, project_id) SELECT pledge_id, project_id FROM recruit WHERE project_id = :project"),
)
# Equals stand in the order in which they got there; after a rebuild, as far as their pledges tell it.
_REACHED = sa.text("""
    UPDATE link_tally t SET reached_at = s.at FROM (
           SELECT link_id, max(at) AS at FROM recruit WHERE project_id = :project AND tallied_state IN ('pledged', 'collected')
            GROUP BY 1) s
     WHERE t.link_id = s.link_id""")
_REACHED_IN_WEEK = sa.text(f"""
    UPDATE week_tally t SET reached_at = s.at FROM (
           SELECT r.link_id, CAST(date_trunc('week', {DAY}) AS date) AS week, max(r.at) AS at
             FROM recruit r JOIN pledge p ON p.id = r.pledge_id
            WHERE r.project_id = :project AND tallied_state IN ('pledged', 'collected') GROUP BY 1, 2) s
     WHERE t.project_id = :project AND t.link_id = s.link_id AND t.week = s.week""")  # noqa: S608


def rebuild(project_id: UUID) -> None:
    """Make a project's paths and tallies anew from who brought whom, in one transaction; nobody sees it half done."""
    with transaction() as session:
        session.execute(sa.text("SET LOCAL statement_timeout = 0"))
        session.execute(_WAIT_TURN, {"lock": LOCK})
        session.execute(sa.text("SET LOCAL enable_seqscan TO DEFAULT"))
        for statement in _EMPTY:
            session.execute(statement, {"project": project_id})
        while _roll_batch(_WAIT_TURN):
            pass
        for statement in (_REACHED, _REACHED_IN_WEEK):
            session.execute(statement, {"project": project_id})


def check(project_id: UUID | None = None) -> list[str]:
    """What does not hold of the tree and its tallies, of one project or of all; nothing, if all is well."""
    return [f"{name}: {rows} do not" for name, rows in checks.broken(project_id).items() if rows]
