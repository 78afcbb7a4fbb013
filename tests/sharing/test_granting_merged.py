"""Two accounts of one person become one: what either had unlocked stays theirs, once."""

import pytest
import sqlalchemy as sa

from core.db import db
from people.services import merge
from sharing import granting, milestones, tallies
from tests.factories import make_project, scalar
from tests.sharing.steps import bring, claimed, follow, make_sharer, make_step, state_of


@pytest.fixture
def project(app):
    with app.test_request_context():
        yield make_project()
    assert milestones.check() == []


def settle(project):
    tallies.rebuild(project.id)
    granting.settle()
    db.session.expire_all()


def test_what_the_account_that_goes_had_is_kept_by_the_one_that_stays(project):
    step = make_step(project, 2, quantity=1)
    noor, other = make_sharer(project, "Noor Bakker"), make_sharer(project, "Noor B", pledged=False)
    give_pledge(project, noor, other)
    bring(project, other, 2)
    follow(other, project=project)
    assert state_of(project, other, 2) == "pending"
    tallies.rebuild(project.id)
    merge(noor, other)
    settle(project)
    assert state_of(project, noor, 2) == "pending" and claimed(step) == 1
    assert scalar("SELECT count(*) FROM milestone_grant") == 1


def give_pledge(project, giver, taker):
    """The one pledge of the two is the other account's."""
    from core.db import transaction

    with transaction() as session:
        session.execute(sa.text("UPDATE pledge SET backer_id = :t WHERE backer_id = :g"), {"t": taker.id, "g": giver.id})


def test_of_two_grants_one_is_left_and_it_stands_before_who_came_later(project):
    step = make_step(project, 1, quantity=1)
    noor, other, mo = (make_sharer(project, "Noor Bakker", pledged=False), make_sharer(project, "Noor B"),
                       make_sharer(project, "Mo El Idrissi"))
    for person in (other, mo, noor):
        bring(project, person, 1)
        follow(person, project=project)
    assert [state_of(project, p, 1) for p in (noor, other, mo)] == ["waiting", "pending", "waiting"]
    tallies.rebuild(project.id)
    merge(noor, other)
    settle(project)
    assert state_of(project, noor, 1) == "pending" and state_of(project, mo, 1) == "waiting" and claimed(step) == 1
    assert sorted(db.session.scalars(sa.text("SELECT state FROM milestone_grant"))) == ["lost", "pending", "waiting"]
