"""Cards that run out before they are needed (S-26)."""

from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa

from backing.expiring import ends_too_soon, last_moment, warn_of_expiring_cards
from backing.models import Pledge
from core import clock
from core.db import db, transaction
from core.jobs import drain
from tests.factories import back, make_person, make_project, make_reward, sign_in


def mails(pledge):
    db.session.rollback()
    return [row.dedupe.rsplit(":", 1)[1] for row in db.session.execute(sa.text(
        "SELECT dedupe FROM mail WHERE name = 'backing/card_expires' AND about->>'pledge_id' = :id ORDER BY created_at"),
        {"id": str(pledge)})]


@pytest.fixture
def pledge(app, stripe):
    project = make_project(make_person(), days=20)
    reward = make_reward(project)
    return back(stripe, project, reward=reward).id


def set_exp(pledge_id, exp):
    with transaction() as session:
        session.execute(sa.text("UPDATE card_setup SET card_exp = :exp WHERE id = (SELECT card_id FROM pledge WHERE id = :id)"),
                        {"exp": exp, "id": pledge_id})


def month_after_deadline(pledge_id, days):
    deadline = db.session.get_one(Pledge, pledge_id).project.deadline
    return (deadline + timedelta(days=days)).strftime("%Y-%m")


def test_a_card_works_to_the_end_of_its_month():
    assert last_moment("2027-02") == datetime(2027, 2, 28, 23, 59, 59, tzinfo=UTC)
    assert last_moment(None) is last_moment("") is None


def test_a_card_that_ends_within_a_fortnight_of_the_deadline_is_flagged_at_once(app, client, pledge):
    set_exp(pledge, "2020-01")
    found = db.session.get_one(Pledge, pledge, populate_existing=True)
    assert ends_too_soon(found)
    page = sign_in(client, found.backer).get(f"/pledges/{pledge}").text
    assert "Your card runs out too soon" in page
    set_exp(pledge, month_after_deadline(pledge, 60))
    assert not ends_too_soon(db.session.get_one(Pledge, pledge, populate_existing=True))


def test_two_mails_leave_seven_days_and_one_day_before_and_each_once(app, pledge):
    set_exp(pledge, "2020-01")
    assert warn_of_expiring_cards() == 0, "too early"
    clock.move_clock(timedelta(days=13, hours=1))
    assert warn_of_expiring_cards() == 1
    assert warn_of_expiring_cards() == 0
    clock.move_clock(timedelta(days=6))
    assert warn_of_expiring_cards() == 1
    assert mails(pledge) == ["7", "1"]


def test_a_new_card_ends_the_warnings(app, pledge):
    set_exp(pledge, "2020-01")
    clock.move_clock(timedelta(days=13, hours=1))
    assert warn_of_expiring_cards() == 1
    set_exp(pledge, month_after_deadline(pledge, 90))
    drain(app)
    db.session.rollback()
    assert db.session.scalar(sa.text("SELECT state FROM mail WHERE name = 'backing/card_expires'")) == "dropped"
    clock.move_clock(timedelta(days=6))
    assert warn_of_expiring_cards() == 0
