"""Two accounts of one person become one: links, touches, credits, and their place in every tree."""

import sqlalchemy as sa

from core.db import db
from people.models import Person
from sharing import attribution, granting, recommendations, tallies

_PROJECTS = sa.text("""
    SELECT project_id FROM share_link WHERE person_id = :gone UNION SELECT project_id FROM recruit WHERE backer_id = :gone
     UNION SELECT project_id FROM share_touch WHERE person_id = :gone ORDER BY 1""")
# In each project where both have a link, the older one stays; the other one's code leads there from now on.
_PAIRS = sa.text("""
    CREATE TEMPORARY TABLE merged_link ON COMMIT DROP AS
    SELECT project_id, (array_agg(id ORDER BY created_at, n))[1] AS stays, (array_agg(id ORDER BY created_at, n))[2] AS goes,
           (array_agg(n ORDER BY created_at, n))[1] AS stays_n, (array_agg(n ORDER BY created_at, n))[2] AS goes_n,
           bool_and(is_named) AS is_named
      FROM share_link WHERE person_id IN (:into, :gone) GROUP BY project_id""")
_LINKS = (
    """UPDATE share_link l SET person_id = NULL, alias_of_id = m.stays FROM merged_link m
        WHERE l.id = m.goes OR l.alias_of_id = m.goes""",
    """UPDATE share_link l SET person_id = :into, is_named = m.is_named FROM merged_link m WHERE l.id = m.stays""",
    # Visits that were counted for the one count for the other.
    """INSERT INTO link_tally (link_id, project_id, n, is_person) SELECT stays, project_id, stays_n, true FROM merged_link
        WHERE goes IS NOT NULL ON CONFLICT DO NOTHING""",
    """UPDATE link_tally t SET visits = t.visits + g.visits FROM merged_link m, link_tally g
        WHERE t.link_id = m.stays AND g.link_id = m.goes""",
    "UPDATE link_tally t SET visits = 0, is_person = false FROM merged_link m WHERE t.link_id = m.goes",
    # Both touches of every pledge, in words of links that stay.
    "UPDATE attribution a SET first_link_id = m.stays FROM merged_link m WHERE a.first_link_id = m.goes",
    "UPDATE attribution a SET last_link_id = m.stays FROM merged_link m WHERE a.last_link_id = m.goes")
# Nobody brings herself: not directly, and not by those whom she brought. Whose path held either of the two holds the one
# that stays; the recruits of each may now stand below another of the two, until they are planted anew.
_RECRUITS = (
    """UPDATE recruit r SET path = array_replace(r.path, m.goes_n, m.stays_n),
              link_id = CASE WHEN r.link_id = m.goes THEN m.stays ELSE r.link_id END
         FROM merged_link m WHERE m.goes IS NOT NULL AND r.path @> ARRAY[m.goes_n] AND r.project_id = m.project_id""",
    "UPDATE recruit SET recruiter_id = :into WHERE recruiter_id = :gone",
    "UPDATE recruit SET backer_id = :into WHERE backer_id = :gone",
    """UPDATE recruit SET struck_at = clock_now(), struck_why = 'account'
        WHERE recruiter_id = :into AND backer_id = :into AND struck_at IS NULL""",
    """UPDATE recruit r SET struck_at = clock_now(), struck_why = 'loop' FROM merged_link m
        WHERE r.backer_id = :into AND r.project_id = m.project_id AND m.stays_n = ANY (r.path) AND r.struck_at IS NULL""",
    "SELECT replant(project_id, stays, stays_n, path_of(project_id, :into)) FROM merged_link")
_TOUCHES = (
    "UPDATE share_touch t SET link_id = m.stays FROM merged_link m WHERE t.link_id = m.goes",
    "UPDATE share_touch t SET first_link_id = m.stays FROM merged_link m WHERE t.first_link_id = m.goes",
    """INSERT INTO share_touch AS t (person_id, project_id, link_id, at, first_link_id, first_at, utm)
       SELECT :into, project_id, link_id, at, first_link_id, first_at, utm FROM share_touch WHERE person_id = :gone
       ON CONFLICT (person_id, project_id) DO UPDATE SET
          (link_id, utm, at) = (SELECT v.* FROM (VALUES (t.link_id, t.utm, t.at), (excluded.link_id, excluded.utm, excluded.at))
                                  AS v (link_id, utm, at) ORDER BY at DESC LIMIT 1),
          (first_link_id, first_at) = (SELECT v.* FROM (VALUES (t.first_link_id, t.first_at),
                                         (excluded.first_link_id, excluded.first_at)) AS v (link, at) ORDER BY at LIMIT 1)""",
    "DELETE FROM share_touch WHERE person_id = :gone",
    """DELETE FROM share_touch t USING share_link l
        WHERE t.person_id = :into AND l.person_id = :into AND l.id IN (t.link_id, t.first_link_id)""")


def move_sharing(into: Person, gone: Person) -> None:
    """Hooked to people.people_merged, after the pledges have moved."""
    session, ids = db.session, {"into": into.id, "gone": gone.id}
    tallies.wait_turn()  # nobody rolls up while links change places
    for project_id in session.scalars(_PROJECTS, ids).all():
        attribution.lock_tree(project_id)
    session.execute(_PAIRS, ids)
    for statement in _LINKS + _RECRUITS + _TOUCHES:
        session.execute(sa.text(statement), ids)
    granting.settle_merged()
    session.execute(sa.text("DROP TABLE merged_link"))
    recommendations.settle_merged(into.id, gone.id, session)
