"""What was in doubt about either of two accounts is in doubt about the one that stays, seen and decided there."""

from core import later
from core.db import db, transaction
from people import services as people
from sharing import bans, flags, queries, review_queries, reviewing, services, tallies
from tests.factories import make_person, make_project, scalar
from tests.sharing.scenes import make_pledge, open_link


def struck(pledge):
    return scalar("SELECT struck_why FROM recruit WHERE pledge_id = :p", p=pledge.id)


def doubt(link, pledge, severity, **facts):
    with transaction():
        flag = flags.open_flag(project_id=link.project_id, link_id=link.id, rule="mailboxes", severity=severity,
                               pledges=[pledge.id], **facts)
        flags.settle([pledge.id])
    return flag


def test_two_open_doubts_of_one_rule_become_one_the_graver(app):
    project, noor, twin, otto = make_project(), make_person(), make_person(), make_person()
    older, newer = services.link_of(noor, project), services.link_of(twin, project)
    a, b = make_pledge(project, ref=older.code), make_pledge(project, ref=newer.code)
    kept = doubt(older, a, "medium", count=2)
    doubt(newer, b, "high", count=3)
    people.merge(noor, twin)
    db.session.expire_all()
    [item] = review_queries.open_items(project.id)
    assert (item.id, item.severity, item.facts["count"], item.count) == (kept, "high", 3, 2)
    assert (struck(a), struck(b)) == ("mailboxes", "mailboxes") and review_queries.looked_at(project.id, noor.id) == (2, 0)
    reviewing.decide(item.id, "strike", "one mailbox", by_id=otto.id)
    assert (struck(a), struck(b)) == ("mailboxes", "mailboxes")  # what is decided about both holds for both
    reviewing.decide(item.id, "credit", "", by_id=otto.id, is_staff=True)
    tallies.roll_up()
    assert (struck(a), struck(b)) == (None, None) and tallies.check() == []
    assert scalar("SELECT recruits FROM link_tally WHERE link_id = :l", l=older.id) == 2


def test_a_ban_that_took_what_came_before_takes_it_from_both_and_gives_it_back_to_both(app):
    project, noor, twin = make_project(), make_person(), make_person()
    a = make_pledge(project, ref=services.link_of(noor, project).code)
    b = make_pledge(project, ref=services.link_of(twin, project).code)
    ban = bans.ban(twin.id, project_id=project.id, reason="bought accounts", has_struck=True, by_id=None)
    people.merge(noor, twin)
    assert (struck(a), struck(b)) == ("banned", "banned")
    bans.lift(ban.id, by_id=None)
    assert (struck(a), struck(b)) == (None, None)


def test_the_code_of_the_account_that_is_no_more_names_the_person_to_ban(app):
    project, noor, twin = make_project(), make_person(), make_person()
    services.link_of(twin, project)
    newer = services.link_of(noor, project)
    people.merge(noor, twin)
    assert bans.person_of_link(newer.code, project.id) == noor.id


def test_visits_by_both_links_are_counted_on_every_page(app, client):
    project, noor, twin = make_project(), make_person(), make_person()
    older, newer = services.link_of(twin, project), services.link_of(noor, project)
    for link in (older, newer):
        open_link(client, link.code)
    later.flush_all()
    tallies.roll_up()
    people.merge(noor, twin)
    tallies.roll_up()
    assert scalar("SELECT visits FROM link_tally WHERE link_id = :l", l=older.id) == 2
    assert [one.visits for one in queries.recruits_by_person(project.id)[0]] == [2]
    assert queries.link_results(older.id).visits == 2
