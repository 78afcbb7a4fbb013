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
from sharing import attribution, bans, flags, judging, services, tallies
from sharing.models import ShareLink
from tests.factories import make_person, make_project, scalar
from tests.sharing.scenes import count, make_pledge, strike, unstrike
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


@pytest.mark.parametrize("how", ["strike", "unstrike"])
def test_a_credit_is_struck_while_its_recruiter_pledges_by_another_link(app, database_url, how):
    project, noor, otto = make_project(), make_person(), make_person()
    mine, his = services.link_of(noor, project), services.link_of(otto, project)
    friend = make_pledge(project, ref=mine.code).id
    if how == "unstrike":
        strike(friend)
    at = [project.id, mine.id, mine.n, [his.n]]
    acts = {"strike": lambda: strike(friend), "unstrike": lambda: unstrike(friend)}
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


def test_links_are_judged_while_their_credits_are_rolled_up(app, database_url):
    project, noor = make_project(), make_person()
    link = services.link_of(noor, project)
    for n in (1, 2):  # one mailbox: a grave doubt, whose credits count no more until somebody has looked
        make_pledge(project, make_person(email=f"mo.one+{n}@example.net"), ref=link.code)
    tallies.roll_up()
    assert count("share_watch") == 1
    # As the roll-up does it: its turn, the credits, and then the links to look at.
    with beside(app, database_url, """
            WITH turn AS MATERIALIZED (SELECT pg_advisory_xact_lock(hashtextextended(%s, 0)))
            SELECT pledge_id FROM recruit, turn FOR NO KEY UPDATE OF recruit""", [tallies.LOCK], judging.judge_due) as (
            other, answers):
        other.execute("INSERT INTO share_watch (link_id) VALUES (%s) ON CONFLICT (link_id) DO UPDATE SET has_money_back = true",
                      [link.id])
    assert answers == [0]
    assert judging.judge_due() == 1 and count("recruit WHERE struck_why = 'mailboxes'") == 2


@pytest.mark.parametrize("everywhere", [False, True])
def test_a_pledge_that_is_being_credited_does_not_slip_past_a_ban(app, database_url, everywhere):
    project, noor = make_project(), make_person()
    link = services.link_of(noor, project)
    pledge = make_pledge(project, ref=link.code)
    with transaction() as session:
        session.execute(sa.text("DELETE FROM share_due"))
        session.execute(sa.text("DELETE FROM recruit"))
    values = {"tree": str(project.id), "pledge": pledge.id, "project": project.id, "link": link.id, "noor": noor.id,
              "backer": pledge.backer_id, "n": link.n}

    def ban():
        bans.ban(values["noor"], project_id=None if everywhere else values["project"], reason="Sells credits",
                 has_struck=True, by_id=None)
        return "banned"

    # As a pledge does it, which was not banned when it asked: the tree first, then its credit.
    with beside(app, database_url, """
            WITH tree AS MATERIALIZED (SELECT pg_advisory_xact_lock(hashtextextended(%(tree)s, 4)))
            INSERT INTO recruit (pledge_id, project_id, link_id, recruiter_id, backer_id, path)
            SELECT %(pledge)s, %(project)s, %(link)s, %(noor)s, %(backer)s, ARRAY[%(n)s]::integer[] FROM tree""", values, ban) as (
            _other, answers):
        assert answers == []
    assert answers == ["banned"]
    assert scalar("SELECT struck_why FROM recruit") == "banned"
