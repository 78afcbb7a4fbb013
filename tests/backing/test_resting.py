"""O-03, S-38: what people are told while no money may move, and why somebody stopped it."""

import pytest
import sqlalchemy as sa

from backing import fix_words, fixing, running
from backing.collecting import run_collection
from backing.models import Pledge
from core.db import db
from core.errors import Refusal, Unavailable
from payments import safety
from tests.backing.runs import make_run
from tests.factories import make_person, scalar, sign_in


@pytest.fixture(autouse=True)
def open_again(app):
    app.extensions.pop("money_mode", None)
    yield
    app.extensions.pop("money_mode", None)


def test_in_money_safe_mode_no_bank_is_blamed_and_no_retry_is_promised(app, stripe):
    project = make_run(stripe, 1, "pm_card_chargeCustomerFail")
    run_collection(project.id)
    pledge_id = scalar("SELECT id FROM pledge")
    safety.enter("looking")
    pledge = db.session.get_one(Pledge, pledge_id)
    with pytest.raises(Unavailable, match="All payments of this site are paused"):
        fixing.authenticate(pledge, "http://localhost/")
    db.session.rollback()
    with pytest.raises(Refusal, match="Money-safe mode is on"):
        running.retry_pledge(pledge_id)
    db.session.rollback()
    assert scalar("SELECT state FROM pledge") == "errored"
    assert scalar("SELECT count(*) FROM audit_entry WHERE action = 'backing:retry_pledge'") == 0


def test_why_a_run_was_paused_is_said_in_words(app, stripe):
    staff = make_person(is_staff=True)
    project = make_run(stripe, 1)
    slug = project.slug
    running.pause_run(project.id, "we wait for the bank", staff.id)
    running.resume_run(project.id, staff.id)
    with running.transaction():
        running.pull_brake(project.id, running.DECLINES)
    page = sign_in(app.test_client(), staff).get(f"/projects/{slug}/collection").get_data(as_text=True)
    assert "by a person of staff: we wait for the bank" in page and "too many refusals" in page
    assert ": staff" not in page and ": declines" not in page


def test_while_a_run_stands_no_try_is_promised_for_a_day(app, stripe):
    project = make_run(stripe, 1, "pm_card_chargeCustomerFail")
    run_collection(project.id)
    pledge = db.session.scalars(sa.select(Pledge)).one()
    with app.test_request_context():
        assert "by ourselves on" in fix_words.fix_words(pledge).then
        running.pause_run(project.id)
        assert "rest just now" in fix_words.fix_words(pledge).then
        running.resume_run(project.id)
        assert "rest just now" not in fix_words.fix_words(pledge).then
        safety.enter("looking")
        assert "rest just now" in fix_words.fix_words(pledge).then
