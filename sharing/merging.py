"""Two accounts of one person become one: links, touches, credits, and their place in every tree."""

import sqlalchemy as sa
from flask_babel import gettext as _

from core.db import db
from core.errors import Refusal
from people.models import Person
from sharing import attribution, flags, granting, recommendations, tallies
from sharing.models_rounds import Application, ApplicationState

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
# What judges and reviewers hold while they wait for a tree is waited for before the trees: the links to look at, doubts, bans.
_HELD = (
    """INSERT INTO share_watch (link_id) SELECT stays FROM merged_link WHERE goes IS NOT NULL ORDER BY 1 ON CONFLICT DO NOTHING""",
    "DELETE FROM share_watch w USING merged_link m WHERE w.link_id = m.goes",
    """SELECT 1 FROM share_flag f JOIN merged_link m ON f.link_id IN (m.stays, m.goes) ORDER BY f.id FOR UPDATE OF f""",
    "SELECT 1 FROM share_ban WHERE person_id IN (:into, :gone) ORDER BY id FOR UPDATE")
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
# What fairness knows of the one holds for both. Of two bans for one place the longer one stays. Two open doubts of one
# rule become one, the graver: a doubt about a link that became another name would be seen by nobody.
_FAIRNESS = (
    """INSERT INTO person_device AS d (person_id, device, first_day, last_day)
       SELECT :into, device, first_day, last_day FROM person_device WHERE person_id = :gone
       ON CONFLICT (person_id, device) DO UPDATE SET first_day = least(d.first_day, excluded.first_day),
          last_day = greatest(d.last_day, excluded.last_day)""",
    "DELETE FROM person_device WHERE person_id = :gone",
    """INSERT INTO person_network (person_id, day, network) SELECT :into, day, network FROM person_network WHERE person_id = :gone
       ON CONFLICT DO NOTHING""",
    "DELETE FROM person_network WHERE person_id = :gone",
    """UPDATE share_ban x SET has_struck = true FROM share_ban y
        WHERE x.person_id IN (:into, :gone) AND y.person_id IN (:into, :gone) AND x.lifted_at IS NULL AND y.lifted_at IS NULL
          AND y.has_struck AND x.project_id IS NOT DISTINCT FROM y.project_id""",
    """UPDATE share_ban x SET lifted_at = clock_now() FROM share_ban y
        WHERE x.person_id IN (:into, :gone) AND y.person_id IN (:into, :gone) AND x.lifted_at IS NULL AND y.lifted_at IS NULL
          AND x.project_id IS NOT DISTINCT FROM y.project_id
          AND (coalesce(y.until, 'infinity'), y.id) > (coalesce(x.until, 'infinity'), x.id)""",
    "UPDATE share_ban SET person_id = :into WHERE person_id = :gone",
    """CREATE TEMPORARY TABLE merged_flag ON COMMIT DROP AS
       SELECT f.id AS stays, o.id AS goes FROM merged_link m JOIN share_flag o ON o.link_id = m.goes AND o.decision IS NULL
         JOIN share_flag f ON f.link_id = m.stays AND f.decision IS NULL AND (f.rule, f.subject) = (o.rule, o.subject)""",
    """UPDATE share_flag f SET severity = g.severity, facts = g.facts FROM merged_flag m JOIN share_flag g ON g.id = m.goes
        WHERE f.id = m.stays AND array_position(ARRAY['low', 'medium', 'high'], g.severity)
                               > array_position(ARRAY['low', 'medium', 'high'], f.severity)""",
    """UPDATE share_flag f SET appealed_at = g.appealed_at, appeal = g.appeal, answered_at = g.answered_at
         FROM merged_flag m JOIN share_flag g ON g.id = m.goes
        WHERE f.id = m.stays AND f.appealed_at IS NULL AND g.appealed_at IS NOT NULL""",
    """INSERT INTO flagged_pledge (flag_id, pledge_id, project_id) SELECT m.stays, x.pledge_id, x.project_id
         FROM merged_flag m JOIN flagged_pledge x ON x.flag_id = m.goes ON CONFLICT DO NOTHING""",
    "DELETE FROM flagged_pledge x USING merged_flag m WHERE x.flag_id = m.goes",
    "DELETE FROM share_flag f USING merged_flag m WHERE f.id = m.goes",
    "DROP TABLE merged_flag",
    "UPDATE share_flag f SET link_id = m.stays FROM merged_link m WHERE f.link_id = m.goes")
# Whose credits count otherwise now that bans and doubts of both hold for one.
_DOUBTED = sa.text("""
    SELECT pledge_id FROM recruit WHERE recruiter_id = :into AND EXISTS (
           SELECT FROM share_ban WHERE person_id = :into AND lifted_at IS NULL AND has_struck)
     UNION
    SELECT x.pledge_id FROM merged_link m JOIN share_flag f ON f.link_id = m.stays JOIN flagged_pledge x ON x.flag_id = f.id
     WHERE m.goes IS NOT NULL""")
# One person, one say: where both voted or judged, what the account that stays said counts; nobody judges herself.
_ROUNDS = (
    """INSERT INTO jury_member (round_id, person_id, project_id, added_at)
       SELECT round_id, :into, project_id, added_at FROM jury_member WHERE person_id = :gone ON CONFLICT DO NOTHING""",
    "DELETE FROM jury_member WHERE person_id = :gone",
    """DELETE FROM jury_mark g USING jury_mark i
        WHERE g.juror_id = :gone AND i.juror_id = :into AND i.application_id = g.application_id""",
    "UPDATE jury_mark SET juror_id = :into WHERE juror_id = :gone",
    """DELETE FROM application_vote g USING ambassador_round r
        WHERE g.voter_id = :gone AND r.id = g.round_id AND r.state = 'voting'
          AND EXISTS (SELECT FROM application_vote i WHERE i.round_id = g.round_id AND i.voter_id = :into)""",
    "UPDATE application_vote SET voter_id = :into WHERE voter_id = :gone",
    """UPDATE application g SET person_id = :into WHERE g.person_id = :gone
        AND NOT EXISTS (SELECT FROM application i WHERE i.round_id = g.round_id AND i.person_id = :into)""",
    """DELETE FROM jury_mark k USING application a
        WHERE k.juror_id = :into AND a.id = k.application_id AND a.person_id = :into""",
    """DELETE FROM application_vote v USING application a, ambassador_round r
        WHERE v.voter_id = :into AND a.id = v.application_id AND a.person_id = :into AND r.id = v.round_id AND r.state = 'voting'""")


def look_at_rounds(into: Person, gone: Person) -> None:
    """Hooked to people.merge_asked: a place that was given is not lost to an application that was not chosen."""
    if any(one.state is ApplicationState.ACCEPTED for one in _second_applications(into, gone)):
        raise Refusal(_("The account that goes is an ambassador in a round for which the other one applied as well. Merge "
                        "them the other way round; if both are ambassadors, one of them steps back first."))


def _second_applications(into: Person, gone: Person) -> list[Application]:
    """Of the account that goes, in rounds for which the other one applied too: they stay where they are."""
    first = sa.select(Application.round_id).where(Application.person_id == into.id)
    return list(db.session.scalars(sa.select(Application).where(
        Application.person_id == gone.id, Application.round_id.in_(first)).with_for_update()))


def move_sharing(into: Person, gone: Person) -> None:
    """Hooked to people.people_merged, after the pledges have moved."""
    session, ids = db.session, {"into": into.id, "gone": gone.id}
    tallies.wait_turn()  # nobody rolls up while links change places
    session.execute(_PAIRS, ids)
    for statement in _HELD:
        session.execute(sa.text(statement), ids)
    for project_id in session.scalars(_PROJECTS, ids).all():
        attribution.lock_tree(project_id)
    granting.wait_turns()
    for one in _second_applications(into, gone):
        if one.state in (ApplicationState.SENT, ApplicationState.WAITING):
            one.move(ApplicationState.WITHDRAWN, by_id=None, why="two accounts of one person")
    session.flush()
    for statement in _LINKS + _RECRUITS + _TOUCHES + _FAIRNESS + _ROUNDS:
        session.execute(sa.text(statement), ids)
    flags.settle(session.scalars(_DOUBTED, ids))
    granting.settle_merged()
    session.execute(sa.text("DROP TABLE merged_link"))
    recommendations.settle_merged(into.id, gone.id, session)
