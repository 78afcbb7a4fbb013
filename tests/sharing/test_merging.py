"""Two accounts of one person become one, with all that they shared."""

import threading
import time

import psycopg
import pytest
import sqlalchemy as sa

from backing.models import PledgeState
from core import later
from core.db import db, transaction
from core.errors import Refusal
from people import services as people
from sharing import bans, devices, flags, queries, services, tallies, voting
from sharing.models import LinkTally, Recruit, ShareLink
from sharing.models_rounds import RoundState
from tests.factories import make_person, make_project, scalar
from tests.sharing.round_scenes import make_application, make_round, until, vote
from tests.sharing.scenes import count, make_pledge, open_link


def merged(into, gone):
    people.merge(into, gone)
    db.session.expire_all()
    tallies.roll_up()
    assert tallies.check() == []


def path(pledge):
    return scalar("SELECT path FROM recruit WHERE pledge_id = :p", p=pledge.id)


def test_the_older_link_stays_and_the_other_ones_code_leads_there_and_is_credited(app, client):
    project, noor, twin = make_project(), make_person(), make_person()
    older, newer = services.link_of(twin, project), services.link_of(noor, project)
    for link in (older, newer):
        open_link(client, link.code)
    tallies.roll_up()
    by_newer = make_pledge(project, ref=newer.code, amount=1_000)
    merged(noor, twin)
    queries._kept.clear()
    found = queries.find_link(newer.code)
    assert (found.link_id, found.code, found.person_id) == (older.id, older.code, noor.id)
    make_pledge(project, ref=newer.code, amount=2_000)
    tallies.roll_up()
    tally = db.session.get(LinkTally, older.id)
    assert (tally.recruits, tally.pledged, tally.visits) == (2, 3_000, 2)
    assert path(by_newer) == [older.n] and tallies.check() == []
    answer = open_link(client, newer.code)
    assert answer.location == f"/projects/{project.slug}" and "via=" in answer.headers["Set-Cookie"]


def test_whoever_brought_herself_by_the_other_account_is_credited_no_more(app):
    project, noor, twin = make_project(), make_person(), make_person()
    own = make_pledge(project, twin, ref=services.link_of(noor, project).code)
    friend = make_pledge(project, ref=services.link_of(twin, project).code)
    tallies.roll_up()
    merged(noor, twin)
    assert scalar("SELECT struck_why FROM recruit WHERE pledge_id = :p", p=own.id) == "account"
    assert path(friend) == [queries.link_between(noor.id, project.id).n]
    tally = db.session.scalars(sa.select(LinkTally).where(LinkTally.recruits > 0)).all()
    assert [(one.recruits, one.further_recruits) for one in tally] == [(1, 0)]


def test_a_loop_over_a_third_person_is_struck(app):
    project, noor, twin = make_project(), make_person(), make_person()
    mo = make_pledge(project, ref=services.link_of(noor, project).code)
    own = make_pledge(project, twin, ref=services.link_of(mo.backer_id, project).code)
    below = make_pledge(project, ref=services.link_of(twin, project).code)
    merged(noor, twin)
    n = queries.link_between(noor.id, project.id).n
    assert scalar("SELECT struck_why FROM recruit WHERE pledge_id = :p", p=own.id) == "loop"
    assert path(mo) == [n] and path(below) == [n]


def test_all_below_the_closed_account_stand_below_who_brought_the_one_that_stays(app):
    project, els, noor, twin = make_project(), *(make_person() for _ in range(3))
    make_pledge(project, noor, ref=services.link_of(els, project).code)
    below = make_pledge(project, ref=services.link_of(twin, project).code)
    deeper = make_pledge(project, ref=services.link_of(below.backer_id, project).code)
    merged(noor, twin)
    n = [queries.link_between(person, project.id).n for person in (els.id, noor.id, below.backer_id)]
    assert path(below) == n[:2] and path(deeper) == n


def test_pledges_and_links_to_other_projects_move_and_touches_are_joined(app):
    one, two = make_project(), make_project()
    noor, twin, els = make_person(), make_person(), make_person()
    pledge = make_pledge(one, twin, ref=services.link_of(els, one).code)
    for person in (noor, twin):
        with transaction() as session:
            session.execute(sa.text("""INSERT INTO share_touch (person_id, project_id, link_id, first_link_id, first_at)
                VALUES (:p, :j, :l, :l, clock_now())"""), {
                "p": person.id, "j": two.id, "l": services.link_of(els if person is noor else noor, two).id})
    merged(noor, twin)
    assert db.session.get(Recruit, pledge.id).backer_id == noor.id == pledge.backer_id
    assert queries.link_between(noor.id, one.id) and count("share_link") == 4
    assert scalar("SELECT count(*) FROM share_touch WHERE person_id = :p", p=twin.id) == 0


def test_both_behind_one_project_is_refused_and_nothing_has_changed(app):
    project, noor, twin = make_project(title="Night train"), make_person(), make_person()
    first = make_pledge(project, noor)
    make_pledge(project, twin)
    with pytest.raises(Refusal, match="Both accounts stand behind “Night train”"):
        people.merge(noor, twin)
    db.session.expire_all()
    assert twin.active and twin.merged_into_id is None and len(set(db.session.scalars(sa.select(ShareLink.person_id)))) == 2
    with transaction():
        first.state = PledgeState.CANCELLED
    merged(noor, twin)
    assert not twin.active and twin.merged_into_id == noor.id


# What fairness and ambassador rounds know of both -------------------------------------------------------

def test_a_ban_of_either_holds_for_the_one_that_stays_and_the_longer_of_two_stays(app):
    project, other = make_project(), make_project()
    noor, twin = make_person(), make_person()
    staff = make_person(is_staff=True).id
    bans.ban(noor.id, project_id=project.id, reason="pays friends", days=5, by_id=staff)
    bans.ban(twin.id, project_id=project.id, reason="pays friends", days=50, by_id=staff)
    bans.ban(twin.id, project_id=other.id, reason="pays friends", days=None, by_id=staff)
    people.merge(noor, twin)
    rows = db.session.execute(sa.text("""
        SELECT project_id, until - clock_now() > interval '40 days' AS is_long FROM share_ban
         WHERE person_id = :p AND lifted_at IS NULL"""), {"p": noor.id}).all()
    assert {(row.project_id, row.is_long) for row in rows} == {(project.id, True), (other.id, None)}
    assert scalar("SELECT count(*) FROM share_ban WHERE person_id = :p", p=twin.id) == 0
    pledge = make_pledge(other, ref=services.link_of(noor, other).code)
    assert scalar("SELECT refused FROM attribution WHERE pledge_id = :p", p=pledge.id) == "banned"


def test_browsers_and_flags_of_the_closed_account_are_known_of_the_one_that_stays(app):
    project, noor, twin = make_project(), make_person(), make_person()
    links = [services.link_of(person, project).id for person in (noor, twin)]
    text = devices.note(None, twin.id, "192.0.2.1")
    devices.note(text, noor.id, "192.0.2.1")
    later.flush_all()
    with transaction() as session:
        for link in links:
            flags.open_flag(project_id=project.id, link_id=link, rule="burst", severity="low", pledges=[], subject=str(link))
        assert session.scalar(sa.text("SELECT count(*) FROM share_flag")) == 2
    people.merge(noor, twin)
    assert scalar("SELECT count(DISTINCT link_id) FROM share_flag") == 1
    assert scalar("SELECT link_id FROM share_flag LIMIT 1") == queries.link_between(noor.id, project.id).id
    assert scalar("SELECT count(*) FROM person_device WHERE person_id = :p", p=noor.id) == 1
    assert scalar("SELECT count(*) FROM person_device WHERE person_id = :p", p=twin.id) == 0
    assert scalar("SELECT count(*) FROM person_network WHERE person_id = :p", p=twin.id) == 0


def test_a_browser_that_is_noted_while_the_accounts_are_merged_is_known_of_the_one_that_stays(app, database_url):
    noor, twin = make_person(), make_person()
    with psycopg.connect(database_url) as other:
        other.execute("SELECT FROM person WHERE id = %s FOR UPDATE", [twin.id])
        devices.note(None, twin.id, "192.0.2.1")  # now, since it is written within a moment
        db.session.rollback()

        def write():
            with app.app_context():
                later.flush_all()

        writing = threading.Thread(target=write)
        writing.start()
        for _ in range(500):
            if other.execute("SELECT 1 FROM pg_locks WHERE NOT granted").fetchone():
                break
            time.sleep(0.01)
        other.execute("UPDATE person SET merged_into_id = %s WHERE id = %s", [noor.id, twin.id])
    writing.join(30)
    assert db.session.scalars(sa.text("SELECT person_id FROM person_device UNION ALL SELECT person_id FROM person_network")
                              ).all() == [noor.id] * 2


def test_one_person_has_one_application_one_vote_and_one_mark(app):
    project, noor, twin, juror = make_project(), make_person(), make_person(), make_person()
    made = make_round(project, places=1)
    voting.add_juror(made.id, juror.email, project.creator)
    voting.add_juror(made.id, twin.email, project.creator)
    mine, theirs = make_application(made, noor), make_application(made, twin)
    third = make_application(made)
    until(made, RoundState.VOTING)
    vote(made, third, mine, voter=twin)
    vote(made, third, voter=noor)
    voting.give_mark(made.id, third.id, twin, 5, "yes")
    voting.give_mark(made.id, mine.id, twin, 5, "she is good")
    people.merge(noor, twin)
    db.session.expire_all()
    assert (mine.person_id, theirs.person_id, str(theirs.state)) == (noor.id, twin.id, "withdrawn")
    votes = db.session.execute(sa.text("SELECT voter_id, application_id FROM application_vote")).all()
    assert votes == [(noor.id, third.id)]
    assert db.session.execute(sa.text("SELECT juror_id, application_id FROM jury_mark")).all() == [(noor.id, third.id)]
    assert scalar("SELECT count(*) FROM jury_member WHERE person_id = :p", p=noor.id) == 1


def test_a_place_that_was_given_is_not_lost(app):
    project, noor, twin = make_project(), make_person(), make_person()
    made = make_round(project, places=1)
    theirs = make_application(made, twin)
    until(made, RoundState.CHOOSING)
    until(made, RoundState.RUNNING)
    people.merge(noor, twin)
    db.session.expire_all()
    assert (theirs.person_id, str(theirs.state)) == (noor.id, "accepted")


def test_an_ambassador_is_not_merged_into_somebody_who_was_not_chosen(app):
    project, noor, twin = make_project(), make_person(), make_person()
    made = make_round(project, places=1)
    make_application(made, noor)
    theirs = make_application(made, twin)
    until(made, RoundState.VOTING)
    vote(made, theirs)
    until(made, RoundState.RUNNING)
    db.session.expire_all()
    assert str(theirs.state) == "accepted"
    with pytest.raises(Refusal, match="the other way round"):
        people.merge(noor, twin)
    people.merge(twin, noor)
    db.session.expire_all()
    assert (theirs.person_id, str(theirs.state)) == (twin.id, "accepted")
