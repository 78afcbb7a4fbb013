"""Two at once always take their locks in one order, so that they wait for each other and none is thrown out: tallies, links
to look at, doubts, bans, trees, milestones, and then the rows of links and credits."""

import threading
import time
from contextlib import contextmanager

import psycopg
import pytest
import sqlalchemy as sa

from core.db import db, transaction
from people import services as people
from people.models import Person
from sharing import attribution, flags, services, tallies
from sharing.models import ShareLink
from tests.factories import make_person, make_project, scalar
from tests.sharing.scenes import make_pledge
from tests.sharing.steps import make_step

TREE = "SELECT pg_advisory_xact_lock(hashtextextended(%s, 4))"
MILESTONES = "SELECT pg_advisory_xact_lock(hashtextextended('milestones:' || %s, 0))"


@contextmanager
def beside(app, database_url, first, values, work):
    """Somebody else does `first` in a transaction; then `work` is begun here and waits for them; then they go on. What
    `work` answered stands in the list, an error included."""
    answers = []

    def run():
        with app.app_context():
            try:
                answers.append(work())
            except Exception as error:
                answers.append(error)
            finally:
                db.session.remove()

    db.session.rollback()
    with psycopg.connect(database_url) as other:
        other.execute(first, values)
        here = threading.Thread(target=run, daemon=True)
        here.start()
        for _ in range(1_000):
            if answers or other.execute("SELECT 1 FROM pg_locks WHERE NOT granted").fetchone():
                break
            time.sleep(0.01)
        yield other, answers
    here.join(30)
    db.session.expire_all()


@pytest.fixture
def twins(app):
    """One person's two accounts, each with a link to one project."""
    project, noor, twin = make_project(), make_person(), make_person()
    return project, noor, twin, services.link_of(twin, project), services.link_of(noor, project)


def merge(noor, twin):
    ids = noor.id, twin.id

    def run():
        people.merge(*(db.session.get(Person, one) for one in ids))
        return "merged"
    return run


@pytest.mark.parametrize("how", ["settle", "strike", "unstrike"])
def test_a_credit_is_struck_while_its_recruiter_pledges_by_another_link(app, database_url, how):
    project, noor, otto = make_project(), make_person(), make_person()
    mine, his = services.link_of(noor, project), services.link_of(otto, project)
    friend = make_pledge(project, ref=mine.code).id
    if how == "unstrike":
        attribution.strike([friend], "card")
    at = [project.id, mine.id, mine.n, [his.n]]

    def settle():
        with transaction():
            flags.open_flag(project_id=at[0], link_id=at[1], rule="cards", severity="high", pledges=[friend])
            return flags.settle([friend])

    acts = {"settle": settle, "strike": lambda: attribution.strike([friend], "card"),
            "unstrike": lambda: attribution.unstrike([friend])}
    # As `credit_pledge` does it, or `finish_credit` after it.
    with beside(app, database_url, TREE, [str(project.id)], acts[how]) as (other, answers):
        other.execute("SELECT replant(%s, %s, %s, %s)", at)
    assert answers == [1]
    assert scalar("SELECT struck_at IS NULL FROM recruit WHERE pledge_id = :p", p=friend) is (how == "unstrike")


def test_a_refused_credit_is_given_while_accounts_are_merged(app, database_url):
    project, noor = make_project(), make_person()
    link = services.link_of(noor, project)
    own = make_pledge(project, ref=link.code).id
    with transaction() as session:
        session.execute(sa.text("DELETE FROM share_due"))
        session.execute(sa.text("DELETE FROM recruit"))
        session.execute(sa.text("UPDATE attribution SET refused = 'device'"))
    with beside(app, database_url, TREE, [str(project.id)], lambda: attribution.credit_after_all(own)) as (other, answers):
        other.execute("UPDATE attribution SET last_link_id = last_link_id WHERE pledge_id = %s", [own])
    assert answers == [True]


def test_a_step_is_given_while_accounts_are_merged(app, database_url, twins):
    project, noor, twin, _older, newer = twins
    step = make_step(project, 1)
    make_pledge(project, noor)
    make_pledge(project, ref=newer.code)
    tallies.roll_up()
    grant = [step.id, newer.id, project.id]
    with beside(app, database_url, MILESTONES, [str(project.id)], merge(noor, twin)) as (other, answers):
        other.execute("INSERT INTO milestone_grant (milestone_id, link_id, project_id, state, reached_at) "
                      "VALUES (%s, %s, %s, 'waiting', clock_now())", grant)
    assert answers == ["merged"]


@pytest.mark.parametrize("held", [
    "SELECT 1 FROM share_flag FOR UPDATE", "DELETE FROM share_watch WHERE link_id = %(link)s",
    "SELECT 1 FROM share_ban WHERE person_id = %(person)s FOR UPDATE"])
def test_doubts_and_bans_are_settled_while_accounts_are_merged(app, database_url, twins, held):
    project, noor, twin, older, newer = twins
    with transaction() as session:
        flags.open_flag(project_id=project.id, link_id=newer.id, rule="burst", severity="low", pledges=[])
        session.execute(sa.text("DELETE FROM share_watch"))
        session.execute(sa.text("INSERT INTO share_watch (link_id) SELECT id FROM share_link"))
        session.execute(sa.text("INSERT INTO share_ban (person_id, project_id, reason) VALUES (:p, :j, 'x')"),
                        {"p": twin.id, "j": project.id})
    tree = str(project.id)
    with beside(app, database_url, held, {"link": older.id, "person": twin.id}, merge(noor, twin)) as (other, answers):
        other.execute(TREE, [tree])
    assert answers == ["merged"]
    assert db.session.scalars(sa.select(ShareLink.person_id).where(ShareLink.alias_of_id.is_(None))).all() == [noor.id]
