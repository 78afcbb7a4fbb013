"""Many who reach a step at once, and a process that is killed while it gives: one stock, given once."""

import signal

import pytest
import sqlalchemy as sa

from backing.queries import active_pledge
from core.db import db, transaction
from sharing import granting, milestones, tallies
from sharing.services import link_of
from tests.factories import make_pledge, make_project, scalar
from tests.races import crashed, threads
from tests.sharing.steps import become, bring, claimed, mails, make_sharer, make_step, state_of


@pytest.fixture
def project(app):
    with app.test_request_context():
        yield make_project()
    assert milestones.check() == []


def test_twenty_who_race_for_five_get_five_and_fifteen_wait(project, app):
    step = make_step(project, 1, quantity=5)
    people = [make_sharer(project) for _ in range(20)]
    links = []
    for person in people:
        bring(project, person, 1)
        links.append(link_of(person, project).id)

    def race(link_id):
        def run():
            with transaction():
                granting.follow([link_id])
        return run

    answers = threads(app, *(race(link_id) for link_id in links))
    assert answers == [None] * 20
    counts = dict(db.session.execute(sa.text("SELECT state, count(*) FROM milestone_grant GROUP BY 1")).all())
    assert counts == {"pending": 5, "waiting": 15} and claimed(step) == 5
    assert sorted(mails()) == ["pending"] * 5 + ["waiting"] * 15
    places = sorted(milestones.way_of(project.id, p.id).stages[0].place for p in people)
    assert places == [0] * 5 + list(range(1, 16))


def test_twenty_who_race_without_the_lock_are_still_only_given_what_there_is(project, app, monkeypatch):
    """The stock's UPDATE holds by itself: nothing rests on the lock alone."""
    monkeypatch.setattr(granting, "_LOCK", sa.text("SELECT :project"))
    step = make_step(project, 1, quantity=5)
    people = [make_sharer(project) for _ in range(20)]
    for person in people:
        bring(project, person, 1)
    links = [link_of(person, project).id for person in people]

    def race(four):
        def run():
            with transaction():
                granting.follow(four)
        return run

    assert threads(app, *(race(links[n:n + 4]) for n in range(0, 20, 4))) == [None] * 5
    with transaction():
        granting.follow(links)
    counts = dict(db.session.execute(sa.text("SELECT state, count(*) FROM milestone_grant GROUP BY 1")).all())
    assert counts == {"pending": 5, "waiting": 15} and claimed(step) == 5


def test_killed_in_the_middle_it_loses_and_doubles_nothing(project, app):
    step, noor, mo = make_step(project, 1, quantity=1), make_sharer(project), make_sharer(project)
    friends = bring(project, noor, 1) + bring(project, mo, 1)
    links = [link_of(noor, project).id, link_of(mo, project).id]

    def work():
        with transaction():
            granting.follow(links)

    assert crashed(app, work, "grants") == -signal.SIGKILL
    assert scalar("SELECT count(*) FROM milestone_grant") == 0 and claimed(step) == 0 and mails() == []
    work()
    assert [state_of(project, p, 1) for p in (noor, mo)] == ["pending", "waiting"] and claimed(step) == 1
    become(friends[:1], "cancelled")
    with transaction() as session:
        session.execute(sa.text("INSERT INTO milestone_due (link_id) VALUES (:l)"), {"l": links[0]})
    assert crashed(app, granting.settle, "grants") == -signal.SIGKILL
    assert scalar("SELECT count(*) FROM milestone_due") == 1  # what was to be done is still to be done
    granting.settle()
    assert [state_of(project, p, 1) for p in (noor, mo)] == ["lost", "pending"] and claimed(step) == 1
    assert mails() == ["pending", "waiting", "taken_back", "pending"]


@pytest.mark.parametrize("what", ["a pledge confirmed unnoticed", "a pledge withdrawn unnoticed", "a step added unnoticed"])
def test_two_that_looked_past_each_other_are_found_by_the_sweep(project, what):
    step, noor = make_step(project, 1, quantity=1), make_sharer(project, pledged=what != "a pledge confirmed unnoticed")
    bring(project, noor, 1)
    tallies.rebuild(project.id)
    if what != "a step added unnoticed":
        granting.settle()
        before, after = ("waiting", "pledged") if "confirmed" in what else ("pending", "cancelled")
        assert state_of(project, noor, 1) == before
        pledge = make_pledge(project, noor, state="held") if "confirmed" in what else active_pledge(project.id, noor.id)
        with transaction() as session:
            session.execute(sa.text("UPDATE pledge SET state = :s, number = 90 WHERE id = :id"), {"s": after, "id": pledge.id})
    with transaction() as session:
        session.execute(sa.text("DELETE FROM milestone_due"))
    assert granting.sweep() == 1
    granting.settle()
    assert state_of(project, noor, 1) == ("waiting" if "withdrawn" in what else "pending")
    assert claimed(step) == (0 if "withdrawn" in what else 1) and granting.sweep() == 0
