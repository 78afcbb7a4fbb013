"""What the dashboard says equals what the pledges say."""

import random
from datetime import timedelta

import sqlalchemy as sa

from core import clock
from core.db import transaction
from insights import queries
from tests.factories import make_person, make_pledge, make_project, make_reward, scalar

STATES = ["pledged", "pledged", "pledged", "collecting", "collected", "errored", "dropped", "refunded", "cancelled", "held"]


def crowd(n=60):
    pick = random.Random(7)
    project = make_project(days=1)
    rewards = [make_reward(project, 2_500), make_reward(project, 6_000, 100), None]
    fans = [make_person() for _ in range(4)]
    for _ in range(n):
        make_pledge(project, None, pick.choice(rewards), state=pick.choice(STATES), bonus=pick.choice((0, 100, 1_250)),
                    source=pick.choice(("direct", "discover", "nos.nl", "share")),
                    at=clock.now() - timedelta(hours=pick.randrange(0, 460)), recruiter=pick.choice((None, None, *fans)))
    make_pledge(make_project(), amount=999_999)
    return project


def test_every_sum_equals_its_own_statement(app):
    project = crowd()
    today = clock.now().date()
    grid, brought = queries.grid(project, today), queries.recruiters(project)
    stood = "project_id = :p AND state NOT IN ('held', 'expired', 'cancelled')"
    total = scalar(f"SELECT sum(amount) FROM pledge WHERE {stood}", p=project.id)
    assert grid.total.amount == total
    assert grid.total.backers == scalar(f"SELECT count(*) FROM pledge WHERE {stood}", p=project.id)
    for divided in (grid.days, grid.rewards, grid.sources, queries.sources(grid, brought)):
        assert sum(one.amount for one in divided.values()) == total
        assert sum(one.backers for one in divided.values()) == grid.total.backers
    for state, one in grid.states.items():
        assert one.amount == scalar("SELECT sum(amount) FROM pledge WHERE project_id = :p AND state = :s",
                                    p=project.id, s=state)
    assert grid.fresh == scalar(
        f"SELECT count(*) FROM pledge WHERE {stood} AND pledged_at > clock_now() - interval '24 hours'", p=project.id)
    by_link = scalar(f"SELECT sum(amount) FROM pledge WHERE {stood} AND id IN (SELECT pledge_id FROM recruit)", p=project.id)
    assert queries.sources(grid, brought)["share"].amount == by_link


def test_days_are_counted_in_the_zone_of_the_project(app):
    for zone, day in (("Asia/Tokyo", "2026-11-22"), ("America/New_York", "2026-11-21")):
        project = make_project(zone=zone)
        make_pledge(project, at=clock.now().replace(year=2026, month=11, day=21, hour=20, minute=0))
        assert [str(day_) for day_ in queries.grid(project, clock.now().date()).days] == [day]


def test_the_best_recruiters_come_first_and_cancelled_recruits_do_not_count(app):
    project = make_project()
    noor, mo, els = make_person("Noor"), make_person("Mo"), make_person("Els")
    for _ in range(3):
        make_pledge(project, recruiter=noor)
    make_pledge(project, amount=9_000, recruiter=mo)
    make_pledge(project, amount=4_000, recruiter=els)
    make_pledge(project, recruiter=mo, state="cancelled")
    found = queries.recruiters(project)
    assert [(one.name, one.backers, one.amount) for one in found.best] == [
        ("Noor", 3, 7_500), ("Mo", 1, 9_000), ("Els", 1, 4_000)]
    assert found.of_all == 3


def test_what_was_struck_or_came_by_a_tag_is_nobodys_doing(app):
    project, noor, mo = make_project(), make_person("Noor"), make_person("Mo")
    kept, struck, tagged = (make_pledge(project, recruiter=who) for who in (noor, mo, noor))
    with transaction() as session:
        session.execute(sa.text("UPDATE recruit SET struck_at = clock_now(), struck_why = 'card' WHERE pledge_id = :p"), {"p": struck.id})
        session.execute(sa.text("UPDATE recruit SET recruiter_id = NULL WHERE pledge_id = :p"), {"p": tagged.id})
    found = queries.recruiters(project)
    assert [(one.name, one.backers) for one in found.best] == [("Noor", 1)] and found.of_all == 1
    shares = queries.sources(queries.grid(project, clock.now().date()), found)
    assert shares["share"].amount == kept.amount + tagged.amount


def test_a_link_that_brought_no_recruit_is_no_sharing_link(app):
    project = make_project()
    make_pledge(project, source="share")
    grid, brought = queries.grid(project, clock.now().date()), queries.recruiters(project)
    assert {word: one.backers for word, one in queries.sources(grid, brought).items()} == {"direct": 1}


def test_the_parts_of_the_collection_add_up(app):
    from insights.charts import collection

    project = crowd()
    grid = queries.grid(project, clock.now().date())
    with app.test_request_context():
        parts = collection(grid)
    assert sum(one.amount for _state, _word, one in parts) == grid.total.amount
    assert sum(one.backers for _state, _word, one in parts) == grid.total.backers
