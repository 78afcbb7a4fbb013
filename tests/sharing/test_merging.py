"""Two accounts of one person become one, with all that they shared."""

import pytest
import sqlalchemy as sa

from backing.models import PledgeState
from core.db import db, transaction
from core.errors import Refusal
from people import services as people
from sharing import queries, services, tallies
from sharing.models import LinkTally, Recruit, ShareLink
from tests.factories import make_person, make_project, scalar
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
    queries.forget_links()
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
