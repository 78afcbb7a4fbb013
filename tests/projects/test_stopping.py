"""A live project that its creator stops: said twice, told to everybody, nobody charged."""

import pytest
import sqlalchemy as sa

from core.db import db
from projects.models import ProjectState
from tests.factories import (
    check_money,
    csrf_token,
    make_member,
    make_person,
    make_pledge,
    make_project,
    make_reward,
    scalar,
    sign_in,
    square,
)

WHY = "Our drummer is ill, and we will not tour without her."


def stop(client, project, **fields):
    path = f"/projects/{project.slug}/ending"
    return client.post(path, data={"csrf_token": csrf_token(client, path), **fields})


def test_a_stopped_project_lapses_its_pledges_and_says_why(app):
    project = make_project()
    make_pledge(project, make_person(), make_reward(project, quantity=5))
    square()
    client = sign_in(app.test_client(), project.creator)
    assert "Stop this project" in client.get(f"/projects/{project.slug}/launch").get_data(as_text=True)
    assert "One backer has pledged" in client.get(f"/projects/{project.slug}/ending").get_data(as_text=True)
    assert stop(client, project, why=WHY, sure="y").status_code == 303
    assert scalar("SELECT state FROM project") == "cancelled" and scalar("SELECT state FROM pledge") == "lapsed"
    assert scalar("SELECT why FROM project_move WHERE to_state = 'cancelled'") == WHY
    assert WHY in app.test_client().get(f"/projects/{project.slug}").get_data(as_text=True)
    check_money()


def test_the_mail_to_backers_carries_the_reason(app):
    from backing.emails import lapsed
    from projects.services import cancel

    project = make_project()
    pledge = make_pledge(project, make_person())
    square()
    cancel(project, project.creator, WHY)
    db.session.expire_all()
    letter = lapsed(str(pledge.id))
    assert letter and letter.context["stopped_why"] == WHY


@pytest.mark.parametrize("fields, sentence", [
    ({"sure": "y"}, "Tell those who stand behind you why"), ({"why": WHY}, "nothing has happened yet"),
    ({"why": "x" * 501, "sure": "y"}, "At most 500")])
def test_half_a_word_stops_nothing(app, fields, sentence):
    project = make_project()
    answer = stop(sign_in(app.test_client(), project.creator), project, **fields)
    assert answer.status_code == 422 and sentence in answer.get_data(as_text=True)
    assert scalar("SELECT state FROM project") == "live"


@pytest.mark.parametrize("state", [ProjectState.DRAFT, ProjectState.SUCCESSFUL])
def test_what_is_not_live_cannot_be_stopped(app, state):
    project = make_project(state=state)
    client = sign_in(app.test_client(), project.creator)
    assert client.get(f"/projects/{project.slug}/ending").status_code == 409


def test_nobody_but_the_creator_and_staff_stops_a_project(app):
    project = make_project()
    helper = make_member(project)
    assert sign_in(app.test_client(), helper).get(f"/projects/{project.slug}/ending").status_code == 403
    staff = sign_in(app.test_client(), make_person(is_staff=True))
    assert "Stop this project" in staff.get(f"/projects/{project.slug}/edit").get_data(as_text=True)
    assert db.session.execute(sa.text("SELECT count(*) FROM project_move WHERE to_state = 'cancelled'")).scalar() == 0
    assert stop(staff, project, why=WHY, sure="y").status_code == 303
    assert scalar("SELECT state FROM project") == "cancelled"
