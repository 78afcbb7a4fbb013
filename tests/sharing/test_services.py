import threading
from datetime import timedelta

import pytest
import sqlalchemy as sa

from backing.models import PledgeState
from core import clock
from core.db import db, transaction
from sharing import queries, services
from sharing.cookie import Via
from sharing.models import Recruit, Touch
from tests.factories import make_person, make_project
from tests.sharing.scenes import count, make_pledge


def test_a_person_has_one_link_per_project_even_when_twenty_ask_at_once(app):
    person, project = make_person(), make_project()
    ids = person.id, project.id
    db.session.rollback()
    codes, gate = [], threading.Barrier(20)

    def ask():
        with app.app_context():
            gate.wait()
            codes.append(services.link_of(*ids).code)
            db.session.remove()

    threads = [threading.Thread(target=ask) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(codes) == 20 and len(set(codes)) == 1 and count("share_link") == 1


def test_links_differ_by_person_and_by_project(app):
    noor, mo, one, two = make_person(), make_person(), make_project(), make_project()
    assert len({services.link_of(person, project).code for person in (noor, mo) for project in (one, two)}) == 4


def test_a_pledge_by_a_link_makes_a_recruit_and_a_link_of_its_own(app):
    project, noor = make_project(), make_person("Noor Bakker")
    link = services.link_of(noor, project)
    pledge = make_pledge(project, amount=4_500, ref=link.code)
    recruit = db.session.get(Recruit, pledge.id)
    assert (recruit.recruiter_id, recruit.link_id, recruit.backer_id) == (noor.id, link.id, pledge.backer_id)
    assert queries.link_between(pledge.backer_id, project.id)
    services.credit_pledge(pledge)
    assert count("recruit") == 1


@pytest.mark.parametrize("ref", [None, "K7QX4M2PBTRHA", "", "'"])
def test_a_pledge_without_a_known_code_is_nobodys_recruit(app, ref):
    make_pledge(make_project(), ref=ref)
    assert count("recruit") == 0 and count("share_link") == 1


def test_a_code_of_another_project_brings_nobody(app):
    link = services.link_of(make_person(), make_project())
    make_pledge(make_project(), ref=link.code)
    assert count("recruit") == 0


@pytest.mark.parametrize(("mine", "other"), [
    ("noor@example.org", "Noor+band@Example.org"), ("noor.bakker@gmail.com", "noorbakker+x@googlemail.com")])
def test_self_referral_by_account_or_mailbox_does_not_count(app, mine, other):
    project, noor = make_project(), make_person(email=mine)
    link = services.link_of(noor, project)
    make_pledge(project, noor, ref=link.code)
    make_pledge(project, make_person(email=other), ref=link.code)
    assert count("recruit") == 0
    make_pledge(project, make_person(email="n.oor@example.org"), ref=link.code)
    assert count("recruit") == 1


def test_nobody_is_brought_by_somebody_whom_they_brought(app):
    project, noor = make_project(), make_person()
    mo = make_pledge(project, ref=services.link_of(noor, project).code)
    ravi = make_pledge(project, ref=services.link_of(mo.backer_id, project).code)
    make_pledge(project, noor, ref=services.link_of(ravi.backer_id, project).code)
    assert count("recruit") == 2


def test_only_pledges_that_stand_count_and_pledged_becomes_collected(app):
    project, noor = make_project(), make_person()
    link = services.link_of(noor, project)
    S = PledgeState
    for state in S:
        if state not in (S.HELD, S.EXPIRED):
            make_pledge(project, ref=link.code, state=state, amount=1_000)
    assert queries.link_results(link.id) == queries.Results(visits=0, recruits=4, pledged=3_000, collected=1_000)
    with transaction() as session:
        session.execute(sa.text("UPDATE pledge SET state = 'collected' WHERE state IN ('collecting', 'errored')"))
    assert queries.link_results(link.id) == queries.Results(0, 4, 1_000, 3_000)


def test_a_changed_or_cancelled_pledge_moves_the_sums_at_once(app):
    project = make_project()
    link = services.link_of(make_person(), project)
    pledge = make_pledge(project, ref=link.code, amount=2_500)
    with transaction():
        pledge.amount = 6_000
    assert queries.link_results(link.id).amount == 6_000
    with transaction():
        pledge.state = PledgeState.CANCELLED
    assert queries.link_results(link.id) == queries.Results()


def test_the_account_keeps_the_last_touch_in_whatever_order_they_come(app):
    project, fan = make_project(), make_person()
    first, last = (services.link_of(make_person(), project) for _ in range(2))
    early, late = clock.now() - timedelta(days=2), clock.now() - timedelta(days=1)
    for code, at in ((first.code, early), (last.code, late), (first.code, early)):
        services.carry(fan.id, {project.id: Via(code, at)})
    assert db.session.scalars(sa.select(Touch.link_id)).all() == [last.id]
    services.carry(fan.id, {project.id: Via("", early)})
    assert count("share_touch") == 1
    services.carry(fan.id, {project.id: Via("", clock.now())})
    assert count("share_touch") == 0


def test_foreign_and_own_codes_do_not_enter_the_account(app):
    project, other, fan = make_project(), make_project(), make_person()
    mine, elsewhere = services.link_of(fan, project), services.link_of(make_person(), other)
    for code in (mine.code, elsewhere.code, "K7QX4M2PBTRHA"):
        services.carry(fan.id, {project.id: Via(code, clock.now())})
    assert count("share_touch") == 0
