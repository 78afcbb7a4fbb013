"""The creator's pages of the rewards, over HTTP."""

import io

import pytest

from projects.models import MemberRole, ProjectState
from tests.factories import csrf_token, make_member, make_person, make_project, make_reward, scalar, sign_in


def send(client, path, form=None, **fields):
    token = csrf_token(client, form or path)
    return client.post(path, data={"csrf_token": token, **fields}, content_type="multipart/form-data")


@pytest.fixture
def project(client):
    project = make_project(state=ProjectState.DRAFT)
    sign_in(client, project.creator)
    return project


def test_a_reward_is_added_and_shown(client, project):
    path = f"/projects/{project.slug}/rewards"
    assert "No rewards yet" in client.get(path).text
    answer = send(client, f"{path}/new", title="Meet & greet", price="150", quantity="5", description="An evening\nA CD",
                  delivery="2047-03")
    assert answer.status_code == 303 and answer.location == path
    page = client.get(path).text
    assert "Meet &amp; greet" in page and "€150" in page and "5 of 5 left" in page and "March 2047" in page
    assert "Choose" not in page
    assert "An evening" in client.get(f"/projects/{project.slug}").text


@pytest.mark.parametrize(("field", "value", "words"), [
    ("title", "", "Give the reward a name"), ("price", "free", "like 25"), ("price", "", "like 25"),
    ("price", "0", "least that can be charged"), ("price", "9999999", "most that can be charged"),
    ("quantity", "0", "whole number"), ("quantity", "-2", "whole number"), ("quantity", "many", "whole number"),
    ("quantity", "1.5", "whole number"), ("delivery", "spring", "like 2027-03"),
    ("delivery", "2020-03", "This month has passed")])
def test_a_wrong_reward_gets_a_sentence_and_keeps_what_was_typed(client, project, field, value, words):
    fields = {"title": "Signed CD", "price": "25", "quantity": "5", "description": "Kept words", "delivery": "2047-03"}
    answer = send(client, f"/projects/{project.slug}/rewards/new", **fields | {field: value})
    assert answer.status_code == 422 and words in answer.text and "Kept words" in answer.text
    assert scalar("SELECT count(*) FROM reward") == 0


def test_a_fake_picture_is_refused(client, project):
    answer = send(client, f"/projects/{project.slug}/rewards/new", title="CD", price="25", picture_alt="x",
                  picture=(io.BytesIO(b"GIF89a<script>"), "a.gif"))
    assert answer.status_code == 422 and "not a picture we can read" in answer.text
    assert scalar("SELECT count(*) FROM reward") == 0


def test_a_reward_is_changed_moved_and_taken_out(client, project):
    first, second = make_reward(project, title="First", position=1), make_reward(project, title="Second", position=2)
    path = f"/projects/{project.slug}/rewards"
    assert send(client, f"{path}/{first.id}", title="First of all", price="12,50").status_code == 303
    assert scalar("SELECT price FROM reward WHERE title = 'First of all'") == 1_250
    assert send(client, f"{path}/{second.id}/place", path, to="up").status_code == 303
    page = client.get(path).text
    assert page.index("Second") < page.index("First of all")
    assert send(client, f"{path}/{second.id}/removal", path).status_code == 303
    assert scalar("SELECT count(*) FROM reward") == 1


def test_a_chosen_reward_says_what_can_still_change(client, project):
    reward = make_reward(project, quantity=5, claimed=1)
    path = f"/projects/{project.slug}/rewards/{reward.id}"
    page = client.get(path).text
    assert "Somebody chose this." in page
    answer = send(client, path, title="Other", price="25", quantity="5", description=reward.description)
    assert answer.status_code == 422 and "promise" in answer.text
    assert scalar("SELECT title FROM reward") == reward.title


def test_strangers_see_no_rewards_of_a_draft_and_members_do(client, project):
    reward = make_reward(project)
    path = f"/projects/{project.slug}/rewards"
    for person, status in ((make_person(), 404), (make_member(project, role=MemberRole.COLLABORATOR), 200)):
        sign_in(client, person)
        assert client.get(path).status_code == status
        assert client.get(f"{path}/{reward.id}").status_code == status


def test_a_reward_that_is_not_there_is_a_plain_page(client, project):
    assert client.get(f"/projects/{project.slug}/rewards/{project.id}").status_code == 404


def test_what_the_form_does_not_ask_cannot_be_set(client, project):
    reward = make_reward(project, quantity=5)
    send(client, f"/projects/{project.slug}/rewards/{reward.id}", title="CD", price="25", quantity="5", claimed="4",
         project_id=str(project.creator_id), position="-1")
    assert scalar("SELECT claimed FROM reward") == 0
    assert scalar("SELECT project_id FROM reward") == project.id
