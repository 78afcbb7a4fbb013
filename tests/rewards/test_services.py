"""What a creator may do with a reward, and what somebody's choice forbids."""

import io
import threading
from datetime import date, timedelta

import pytest
import sqlalchemy as sa
from PIL import Image

from core import clock
from core.db import db, transaction
from core.errors import BadInput, NotFound, Refusal
from projects.models import ProjectState
from rewards import services
from rewards.models import RewardTotal
from rewards.queries import rewards_of
from tests.factories import make_project, make_reward, scalar

S = ProjectState


@pytest.fixture(autouse=True)
def in_request(app):
    with app.test_request_context():
        yield


def a_picture():
    out = io.BytesIO()
    Image.new("RGB", (60, 45), "orange").save(out, "PNG")
    out.seek(0)
    return out


def as_it_is(reward, **changes):
    return {"title": reward.title, "price": reward.price, "description": reward.description,
            "quantity": reward.quantity, "delivery_on": reward.delivery_on} | changes


def choose(reward):
    """Somebody holds one."""
    with transaction() as session:
        session.execute(sa.text("UPDATE reward SET claimed = claimed + 1 WHERE id = :r"), {"r": reward.id})


def back(reward):
    """Somebody's pledge stands on a reward without a limit."""
    with transaction() as session:
        session.execute(sa.text("UPDATE reward_total SET backers = 1 WHERE reward_id = :r"), {"r": reward.id})


def test_a_reward_comes_last_and_with_its_total(app):
    project = make_project()
    first = services.add_reward(project, "  Signed   CD ", 2_500, description="The album\n\n  signed ", quantity=5,
                                delivery_on=date(2047, 3, 1))
    second = services.add_reward(project, "Shirt", 3_000)
    assert (first.title, first.description, first.position, second.position) == ("Signed CD", "The album\nsigned", 1, 2)
    assert db.session.get(RewardTotal, first.id).backers == 0


@pytest.mark.parametrize(("wrong", "field"), [
    ({"title": "  "}, "title"), ({"title": "x" * 61}, "title"), ({"price": 49}, "price"), ({"price": 0}, "price"),
    ({"price": 100_000_000}, "price"), ({"quantity": 0}, "quantity"), ({"quantity": -1}, "quantity"),
    ({"description": "\n".join("x" * 13)}, "description"), ({"description": "x" * 201}, "description"),
    ({"delivery_on": date(2020, 3, 1)}, "delivery_on")])
def test_a_wrong_reward_gets_a_sentence(app, wrong, field):
    with pytest.raises(BadInput) as refused:
        services.add_reward(make_project(), **({"title": "CD", "price": 2_500} | wrong))
    assert refused.value.field == field
    assert scalar("SELECT count(*) FROM reward") == 0


def test_the_least_price_follows_the_currency(app):
    project = make_project(currency="JPY")
    assert services.add_reward(project, "Card", 50).price == 50
    with pytest.raises(BadInput, match="least"):
        services.add_reward(project, "Card", 49)


def test_before_anyone_chose_it_all_of_it_may_change(app):
    project = make_project()
    reward = make_reward(project, quantity=5)
    services.edit_reward(project, reward.id, title="Other", price=9_900, description="New", quantity=6,
                         delivery_on=date(2047, 5, 1))
    offer = rewards_of(project)[0]
    assert (offer.title, offer.price, offer.lines, offer.quantity, offer.delivery) == (
        "Other", 9_900, ["New"], 6, "May 2047")


def test_a_month_that_passed_since_stays_until_it_is_changed(app):
    project, this_month = make_project(), clock.now().date().replace(day=1)
    reward = services.add_reward(project, "CD", 2_500, delivery_on=this_month)
    clock.move_clock(timedelta(days=70))
    services.edit_reward(project, reward.id, **as_it_is(reward, title="Signed CD"))
    with pytest.raises(BadInput, match="This month has passed") as refused:
        services.edit_reward(project, reward.id, **as_it_is(reward, delivery_on=this_month + timedelta(days=31)))
    assert refused.value.field == "delivery_on" and rewards_of(project)[0].title == "Signed CD"


@pytest.mark.parametrize("changed", [{"title": "Other"}, {"price": 1_000}, {"description": "Less"},
                                     {"delivery_on": date(2051, 1, 1)}])
@pytest.mark.parametrize("chosen_by", [choose, back])
def test_what_somebody_chose_is_a_promise(app, changed, chosen_by):
    project = make_project()
    reward = make_reward(project, quantity=5)
    chosen_by(reward)
    with pytest.raises(BadInput, match="promise") as refused:
        services.edit_reward(project, reward.id, **as_it_is(reward, **changed))
    assert refused.value.field == next(iter(changed))
    with pytest.raises(Refusal, match="stays"):
        services.remove_reward(project, reward.id)


def test_a_chosen_reward_may_get_a_new_picture_and_a_higher_quantity(app):
    project = make_project()
    reward = make_reward(project, quantity=5)
    choose(reward)
    services.edit_reward(project, reward.id, **as_it_is(reward, quantity=9), picture=a_picture(), picture_alt="A CD")
    offer = rewards_of(project)[0]
    assert (offer.quantity, offer.left, offer.picture_alt) == (9, 8, "A CD")


@pytest.mark.parametrize(("now", "then", "fine"), [(5, 4, False), (5, 5, True), (5, 6, True), (5, None, True),
                                                   (None, 5, False), (None, None, True)])
def test_since_the_launch_a_quantity_only_goes_up(app, now, then, fine):
    project = make_project()
    reward = make_reward(project, quantity=now)
    if fine:
        assert services.edit_reward(project, reward.id, **as_it_is(reward, quantity=then)).quantity == then
        return
    with pytest.raises(BadInput, match="only go up") as refused:
        services.edit_reward(project, reward.id, **as_it_is(reward, quantity=then))
    assert refused.value.field == "quantity"


def test_in_a_draft_a_quantity_may_go_down(app):
    project = make_project(state=S.DRAFT)
    reward = make_reward(project, quantity=5)
    assert services.edit_reward(project, reward.id, **as_it_is(reward, quantity=2)).quantity == 2


def test_a_reward_that_nobody_chose_can_be_taken_out(app):
    project = make_project()
    reward = make_reward(project)
    services.remove_reward(project, reward.id)
    assert rewards_of(project) == []
    with pytest.raises(NotFound):
        services.remove_reward(project, reward.id)


def test_the_reward_of_another_project_is_not_there(app):
    mine, theirs = make_project(), make_project()
    reward = make_reward(theirs)
    for act in (lambda: services.remove_reward(mine, reward.id), lambda: services.move_reward(mine, reward.id, True),
                lambda: services.edit_reward(mine, reward.id, **as_it_is(reward))):
        with pytest.raises(NotFound):
            act()


@pytest.mark.parametrize("state", [S.SUCCESSFUL, S.UNSUCCESSFUL, S.CANCELLED])
def test_after_the_end_the_rewards_stay(app, state):
    project = make_project(state=state)
    reward = make_reward(project)
    for act in (lambda: services.add_reward(project, "CD", 2_500), lambda: services.remove_reward(project, reward.id),
                lambda: services.edit_reward(project, reward.id, **as_it_is(reward, price=9_000))):
        with pytest.raises(Refusal, match="ended"):
            act()


def test_rewards_are_put_in_order(app):
    project = make_project()
    a, b, c = (services.add_reward(project, name, 2_500) for name in "abc")
    a_id, c_id = a.id, c.id
    services.move_reward(project, c_id, up=True)
    assert [offer.title for offer in rewards_of(project)] == ["a", "c", "b"]
    services.move_reward(project, a_id, up=True)
    services.move_reward(project, a_id, up=False)
    assert [offer.title for offer in rewards_of(project)] == ["c", "a", "b"]
    assert b.id


def test_a_picture_needs_words(app):
    with pytest.raises(BadInput, match="Describe") as refused:
        services.add_reward(make_project(), "CD", 2_500, picture=a_picture())
    assert refused.value.field == "picture_alt"
    assert scalar("SELECT count(*) FROM picture") == 0


def test_an_edit_and_a_claim_do_not_pass_each_other(app):
    """The price is read under the lock that a claim takes: whoever chose first keeps it."""
    project = make_project()
    reward = make_reward(project, quantity=5)
    reward_id, words = reward.id, as_it_is(reward, price=9_000)
    db.session.rollback()
    said = []

    def edit():
        with app.app_context(), app.test_request_context():
            try:
                services.edit_reward(project, reward_id, **words)
                said.append("edited")
            except BadInput:
                said.append("promise")

    with db.engine.connect() as other:
        other.execute(sa.text("UPDATE reward SET claimed = claimed + 1 WHERE id = :r"), {"r": reward_id})
        thread = threading.Thread(target=edit)
        thread.start()
        thread.join(0.4)
        assert said == []
        other.commit()
    thread.join(5)
    assert said == ["promise"]
