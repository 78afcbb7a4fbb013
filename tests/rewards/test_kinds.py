"""A reward for a milestone is no tier: nobody can choose it, by whatever door, and no list of tiers names it."""

import uuid

import pytest
import sqlalchemy as sa

from backers import queries as backers
from backing.changes import Change, change_pledge
from backing.placing import _PLACE, Choice, place_pledge
from backing.queries import offering_of, offers_of
from core.db import db, transaction
from core.errors import BadInput, NotFound
from insights import queries as insights
from rewards import services
from rewards.models import RewardKind
from rewards.queries import has_rewards, rewards_of
from tests.factories import back, csrf_token, make_person, make_project, make_reward, scalar, sign_in


@pytest.fixture
def project(app):
    with app.test_request_context():
        yield make_project()


@pytest.fixture
def photo(project):
    return services.add_reward(project, "Signed photo", 0, quantity=5, kind=RewardKind.MILESTONE)


def test_it_is_named_by_no_list_of_tiers(project, photo, client):
    assert rewards_of(project) == [] and not has_rewards(project) and offers_of(project) == []
    assert offering_of(project.slug, make_person().id).offers == []
    assert backers.summary(project).rewards == {} and insights.rewards(project) == []
    assert scalar("SELECT count(*) FROM reward_total") == 0
    sign_in(client, make_person())
    for path in (f"/projects/{project.slug}", f"/projects/{project.slug}/pledge"):
        assert client.get(path).status_code == 200 and "Signed photo" not in client.get(path).text
    sign_in(client, project.creator)
    for path in ("rewards", "backers", "dashboard"):
        assert "Signed photo" not in client.get(f"/projects/{project.slug}/{path}").text


def test_its_id_posted_by_hand_is_refused_with_a_sentence(project, photo, client):
    fan = make_person()
    sign_in(client, fan)
    path = f"/projects/{project.slug}/pledge"
    for price in ("0", "2500"):
        answer = client.post(path, data={"csrf_token": csrf_token(client, path), "reward": f"{photo.id}:{price}",
                                         "bonus": "10"})
        assert answer.status_code == 422 and "no longer offered" in answer.text
    with pytest.raises(BadInput, match="no longer offered"):
        place_pledge(Choice(project.id, fan.id, photo.id, 1_000, uuid.uuid4()))
    assert scalar("SELECT count(*) FROM pledge") == 0 and scalar("SELECT claimed FROM reward") == 0


def test_the_database_itself_places_no_pledge_on_it(project, photo):
    """As if a form had been judged by an old look at the catalogue."""
    placed = db.session.execute(_PLACE, {
        "project": project.id, "backer": make_person().id, "reward": photo.id, "price": 0, "bonus": 1_000, "currency": "EUR",
        "token": uuid.uuid4(), "ref": None, "source": "direct", "locale": "en", "minutes": 15, "most_holds": 3,
        "is_replacing": False, "version": None, "network": None, "browser": None}).one()
    assert placed.outcome == "changed" and placed.pledge_id is None


def test_no_pledge_is_changed_to_it(project, photo, stripe):
    pledge = back(stripe, project, make_person(), make_reward(project))
    with pytest.raises(BadInput, match="no longer offered"):
        change_pledge(pledge.id, Change(photo.id, 0, pledge.version), pledge.backer_id)
    assert scalar("SELECT claimed FROM reward WHERE id = :r", r=photo.id) == 0


def test_the_pages_of_the_tiers_do_not_open_it(project, photo, client):
    sign_in(client, project.creator)
    path = f"/projects/{project.slug}/rewards"
    assert client.get(f"{path}/{photo.id}").status_code == 404
    token = {"csrf_token": csrf_token(client, f"{path}/new")}
    for way in ("removal", "place"):
        assert client.post(f"{path}/{photo.id}/{way}", data=token).status_code == 404
    with pytest.raises(NotFound):
        services.edit_reward(project, photo.id, title="Mine", price=100)


@pytest.mark.parametrize(("kind", "price"), [("pledge", 0), ("milestone", 100)])
def test_a_tier_has_a_price_and_a_milestones_reward_has_none(project, kind, price):
    with pytest.raises(sa.exc.IntegrityError, match="price_of_kind"), transaction() as session:
        session.execute(sa.text("INSERT INTO reward (project_id, title, kind, price) VALUES (:p, 'X', :kind, :price)"),
                        {"p": project.id, "kind": kind, "price": price})
