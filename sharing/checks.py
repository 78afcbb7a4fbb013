"""What must always hold of the tree and its tallies; each statement gives the rows that break it, project first."""

import sqlalchemy as sa

from core.db import db
from payments.checks import Check, counted, register
from sharing import milestones
from sharing.states import AMOUNT, BACK, COUNTS_AS, DAY, REFUNDED

_NOW = f"""
    SELECT r.*, CASE WHEN r.struck_at IS NULL THEN {COUNTS_AS} END AS state, {AMOUNT} AS amount, {REFUNDED} AS refunded
      FROM recruit r JOIN pledge p ON p.id = r.pledge_id, {BACK}"""  # noqa: S608 -- constants of ours
_SUMS = """
    count(*) FILTER (WHERE state IN ('pledged', 'collected')) AS recruits,
    coalesce(sum(amount) FILTER (WHERE state = 'pledged'), 0) AS pledged,
    coalesce(sum(amount) FILTER (WHERE state = 'collected'), 0) AS collected,
    coalesce(sum(amount) FILTER (WHERE state = 'dropped'), 0) AS dropped,
    coalesce(sum(amount) FILTER (WHERE state = 'refunded'), 0) AS refunded"""
_TALLIED = f"""
    tallied AS (SELECT r.project_id, r.link_id, r.tallied_path AS path, x.state, x.amount, {DAY} AS day
                  FROM recruit r JOIN pledge p ON p.id = r.pledge_id,
                       LATERAL (VALUES (r.tallied_state, r.tallied_amount), ('refunded', r.tallied_refunded)) x (state, amount)
                 WHERE r.tallied_state IS NOT NULL AND (x.state = r.tallied_state OR x.amount <> 0)),
    steps AS (SELECT t.*, l.id AS of_link, coalesce(l.person_id, l.alias_of_id) IS NOT NULL AS is_person, u.step, u.step = cardinality(path) AS is_direct
                FROM tallied t, unnest(path) WITH ORDINALITY AS u (n, step) JOIN share_link l ON l.n = u.n),
    seen AS (SELECT v.project_id, coalesce(l.alias_of_id, l.id) AS link_id, CAST(v.at AT TIME ZONE 'UTC' AS date) AS day,
                    m.person_id IS NOT NULL AS is_person
               FROM share_visit v JOIN share_link l ON l.id = v.link_id
               JOIN share_link m ON m.id = coalesce(l.alias_of_id, l.id) WHERE v.is_tallied)"""  # noqa: S608

CHECKS = (
    Check("tree: every path leads from the root to who brought the pledge", """
        SELECT r.project_id, r.pledge_id FROM (SELECT DISTINCT project_id FROM recruit) p, true_paths(p.project_id) t
          JOIN recruit r USING (pledge_id) WHERE r.path <> t.path""",
          counted("recruits", "recruit")),
    Check("tree: nobody stands above herself", """
        SELECT r.project_id, r.pledge_id FROM recruit r
          JOIN share_link l ON l.project_id = r.project_id AND l.person_id = r.backer_id
         WHERE r.struck_at IS NULL AND l.n = ANY (r.path)""",
          counted("recruits", "recruit")),
    Check("tree: a recruit is of the person whose link it came by, and of the pledge's backer", """
        SELECT r.project_id, r.pledge_id FROM recruit r JOIN share_link l ON l.id = r.link_id
          JOIN pledge p ON p.id = r.pledge_id
         WHERE r.recruiter_id IS DISTINCT FROM l.person_id OR r.project_id <> l.project_id OR l.alias_of_id IS NOT NULL
            OR (r.backer_id, r.project_id) <> (p.backer_id, p.project_id)
            OR (r.recruiter_id = r.backer_id AND r.struck_at IS NULL)""",
          counted("recruits", "recruit")),
    Check("tallies: what was added is what is true, but for what waits", f"""
        SELECT n.project_id, n.pledge_id FROM ({_NOW}) n
         WHERE (n.tallied_state, CASE WHEN n.tallied_state IS NOT NULL THEN (n.tallied_path, n.tallied_amount, n.tallied_refunded) END)
               IS DISTINCT FROM (n.state, CASE WHEN n.state IS NOT NULL THEN (n.path, n.amount, n.refunded) END)
           AND NOT EXISTS (SELECT FROM share_due d WHERE d.pledge_id = n.pledge_id)""",  # noqa: S608 -- constants of ours
          counted("recruits", "recruit")),
    Check("tallies: every link's counters are the sum of what was added", f"""
        WITH {_TALLIED},
        direct AS (SELECT of_link AS link_id, {_SUMS} FROM steps WHERE is_direct GROUP BY 1),
        further AS (SELECT of_link AS link_id, {_SUMS} FROM steps WHERE NOT is_direct GROUP BY 1),
        visited AS (SELECT link_id, count(*) AS visits FROM seen GROUP BY 1)
        SELECT l.project_id, l.id FROM share_link l LEFT JOIN link_tally t ON t.link_id = l.id
          LEFT JOIN direct d ON d.link_id = l.id LEFT JOIN further f ON f.link_id = l.id LEFT JOIN visited v ON v.link_id = l.id
         WHERE (coalesce(t.recruits, 0), coalesce(t.pledged, 0), coalesce(t.collected, 0), coalesce(t.dropped, 0),
                coalesce(t.refunded, 0), coalesce(t.further_recruits, 0), coalesce(t.further_pledged, 0),
                coalesce(t.further_collected, 0), coalesce(t.visits, 0))
            <> (coalesce(d.recruits, 0), coalesce(d.pledged, 0), coalesce(d.collected, 0), coalesce(d.dropped, 0),
                coalesce(d.refunded, 0), coalesce(f.recruits, 0), coalesce(f.pledged, 0), coalesce(f.collected, 0),
                coalesce(v.visits, 0))
            OR (t.n, t.is_person, t.project_id) <> (l.n, l.person_id IS NOT NULL, l.project_id)""",  # noqa: S608 -- constants of ours
          counted("links", "link_tally")),
    Check("tallies: every week is the sum of what was added", f"""
        WITH {_TALLIED},
        weeks AS (SELECT project_id, CAST(date_trunc('week', day) AS date) AS week, of_link AS link_id, count(*) AS recruits,
                         sum(amount) AS amount FROM steps WHERE is_direct AND state IN ('pledged', 'collected') GROUP BY 1, 2, 3)
        SELECT project_id, week, link_id FROM week_tally t FULL JOIN weeks w USING (project_id, week, link_id)
         WHERE (coalesce(t.recruits, 0), coalesce(t.amount, 0)) <> (coalesce(w.recruits, 0), coalesce(w.amount, 0))""",  # noqa: S608 -- constants of ours
          counted("weeks of links", "week_tally")),
    Check("tallies: every day and generation is the sum of what was added", f"""
        WITH {_TALLIED},
        days AS (SELECT project_id, day, cardinality(path) - CASE WHEN is_person THEN 0 ELSE 1 END AS generation, {_SUMS}
                   FROM steps WHERE step = 1 GROUP BY 1, 2, 3),
        visited AS (SELECT project_id, day, CASE WHEN is_person THEN 1 ELSE 0 END AS generation, count(*) AS visits
                      FROM seen GROUP BY 1, 2, 3)
        SELECT project_id, day, generation FROM day_tally t FULL JOIN days d USING (project_id, day, generation)
          FULL JOIN visited v USING (project_id, day, generation)
         WHERE (coalesce(t.recruits, 0), coalesce(t.pledged, 0), coalesce(t.collected, 0), coalesce(t.dropped, 0),
                coalesce(t.refunded, 0), coalesce(t.visits, 0))
            <> (coalesce(d.recruits, 0), coalesce(d.pledged, 0), coalesce(d.collected, 0), coalesce(d.dropped, 0),
                coalesce(d.refunded, 0), coalesce(v.visits, 0))""",  # noqa: S608 -- constants of ours
          counted("days of generations", "day_tally")),
    *milestones.CHECKS,
)


def register_checks() -> None:
    """To `flask payments check` and the nightly run, beside those of money: milestones are given by these counters."""
    for law in CHECKS:
        register(law.name, law.sql, law.figure)


def broken(project: object = None) -> dict[str, int]:
    """How many rows break each check, of one project or of all; in one snapshot."""
    found = {}
    with db.engine.connect().execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True) as connection:
        for law in CHECKS:
            found[law.name] = connection.scalar(sa.text(
                f"SELECT count(*) FROM ({law.sql}) b WHERE CAST(:project AS uuid) IS NULL OR project_id = :project"),  # noqa: S608
                {"project": project})
    return found
