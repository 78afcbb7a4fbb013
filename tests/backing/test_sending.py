"""The pledge form as it is sent: what it costs the database, and what it finds changed."""

import uuid

import psycopg
import pytest
import sqlalchemy as sa

from backing.models import PledgeState
from backing.placing import Choice, SoldOut, place_pledge
from backing.queries import offering_of
from core.db import db, transaction
from core.errors import BadInput, Refusal
from tests.factories import check_money, csrf_token, hold, make_person, make_project, make_reward, scalar, sign_in

S = PledgeState


def _look(project, reward, fan):
    offering = offering_of(project.slug, fan.id)
    chosen = next(offer for offer in offering.offers if offer.id == reward.id)
    choice = Choice(project.id, fan.id, reward.id, 0, uuid.uuid4(), seen_price=chosen.price)
    return choice, offering.seen(chosen)


def test_a_pledge_takes_five_statements_and_two_of_them_write(app, stripe):
    """One for session and person, one for project and rewards, one for the sender's link, one that places it and
    keeps the consent to a later charge (S-23), and one for the address that Stripe gave."""
    project = make_project()
    reward = make_reward(project, quantity=9)
    said = []

    def send():
        browser = sign_in(app.test_client(), make_person())
        path = f"/projects/{project.slug}/pledge"
        form = {"csrf_token": csrf_token(browser, path), "token": str(uuid.uuid4()), "reward": f"{reward.id}:2500"}
        said.clear()
        return browser.post(path, data=form)

    listen = lambda *args: said.append(args[2])  # noqa: E731
    sa.event.listen(db.engine, "before_cursor_execute", listen)
    try:
        send()
        assert send().status_code == 303
    finally:
        sa.event.remove(db.engine, "before_cursor_execute", listen)
    # Once per person; a moment later, with others; and outside production every quarter of a second.
    once = ("INTO stripe_customer", "INTO person_device", "FROM clock")
    of_pledge = [statement for statement in said if not any(mark in statement for mark in once)]
    assert len(of_pledge) == 5, said
    assert "place_pledge(" in of_pledge[3] and "INTO consent" in of_pledge[3] and of_pledge[4].startswith("UPDATE card_setup")
    assert scalar("SELECT count(*) FROM consent c JOIN pledge p ON p.id = c.pledge_id AND p.amount = c.amount") == 2
    check_money()


def test_a_reward_that_went_meanwhile_is_neither_chosen_nor_added_up(app, client):
    project = make_project()
    reward = make_reward(project, 2_500, quantity=1)
    sign_in(client, make_person())
    form = {"csrf_token": csrf_token(client, f"/projects/{project.slug}/pledge"), "token": str(uuid.uuid4()),
            "reward": f"{reward.id}:2500", "bonus": "", "other": "7"}
    hold(project, make_person(), reward)
    answer = client.post(f"/projects/{project.slug}/pledge", data=form)
    assert answer.status_code == 409 and "has just gone to somebody else" in answer.text
    assert 'value="7"' in answer.text and "€7.00" in answer.text and "€32.00" not in answer.text


def test_the_pledge_and_the_row_of_its_card_form_are_there_together_or_not_at_all(app):
    project = make_project()
    placed = hold(project, make_person())
    assert scalar("SELECT id FROM card_setup WHERE subject_id = :p AND url IS NULL", p=placed.pledge_id) == placed.form.id
    with pytest.raises(ZeroDivisionError), transaction():
        hold(project, make_person())
        raise ZeroDivisionError
    assert scalar("SELECT count(*) FROM pledge") == scalar("SELECT count(*) FROM card_setup") == 1


@pytest.mark.parametrize(("change", "error", "said"), [
    ("UPDATE reward SET price = 2600", BadInput, "price of this reward has changed"),
    ("UPDATE project SET state = 'suspended'", Refusal, "does not take pledges now"),
    ("UPDATE project SET deadline = clock_now()", Refusal, "deadline has passed"),
    ("UPDATE project SET currency = 'JPY'", None, ""),
    ("UPDATE reward SET claimed = 1", SoldOut, "just gone"),
])
def test_what_changed_since_the_form_was_read_is_seen_under_the_lock(app, change, error, said):
    project, fan = make_project(), make_person()
    reward = make_reward(project, quantity=1)
    choice, seen = _look(project, reward, fan)
    with transaction() as session:
        session.execute(sa.text(change))
    if error is None:
        place_pledge(choice, seen)
        assert scalar("SELECT currency FROM pledge") == "JPY"
        return
    with pytest.raises(error, match=said):
        place_pledge(choice, seen)
    assert scalar("SELECT count(*) FROM pledge") == scalar("SELECT count(*) FROM card_setup") == 0
    assert scalar("SELECT claimed FROM reward") == (error is SoldOut)


def test_a_reward_taken_away_since_is_refused_beside_its_field(app):
    project, fan = make_project(), make_person()
    choice, seen = _look(project, make_reward(project), fan)
    with transaction() as session:
        session.execute(sa.text("DELETE FROM reward_total"))
        session.execute(sa.text("DELETE FROM reward"))
    with pytest.raises(BadInput, match="no longer offered") as refused:
        place_pledge(choice, seen)
    assert refused.value.field == "reward"


def test_the_same_form_beside_another_choice_cancels_nothing(app, database_url):
    """The function is all or nothing also where two tabs of one person meet."""
    project, fan = make_project(), make_person()
    placed = hold(project, fan, token=(token := uuid.uuid4()))
    with psycopg.connect(database_url) as connection, pytest.raises(psycopg.errors.UniqueViolation, match="uq_pledge_active"):
        connection.execute("SELECT place_pledge(%s, %s, NULL, 0, 1000, 'EUR', %s, NULL, 'direct', 'en', 15, 3, true)",
                           [project.id, fan.id, token])
    assert scalar("SELECT state FROM pledge WHERE id = :p", p=placed.pledge_id) == S.HELD
