"""The creator's pages of the steps, and what a sharer sees of them."""

import io
import re
from uuid import uuid4

import pytest
from PIL import Image

from projects.models import MemberRole, ProjectState
from sharing import milestones
from sharing.milestones import Stage, Step
from sharing.models_milestones import GrantState
from tests.factories import csrf_token, make_member, make_person, make_project, scalar, sign_in
from tests.sharing.steps import become, bring, follow, make_sharer, make_step

FIELDS = {"friends": "3", "title": "Signed photo", "description": "With a line for you", "quantity": "5",
          "delivery_on": "2047-03"}


@pytest.fixture
def project(app):
    with app.test_request_context():
        yield make_project()


@pytest.fixture
def path(client, project):
    sign_in(client, project.creator)
    return f"/projects/{project.slug}/recruits/milestones"


def send(client, path, form=None, **fields):
    return client.post(path, data={"csrf_token": csrf_token(client, form or path), **fields},
                       content_type="multipart/form-data")


def test_a_creator_is_offered_a_first_set_and_sees_the_list_as_backers_do(client, project, path):
    page = client.get(path).text
    assert "What do friends unlock?" in page and page.count("Use this") == 3
    new = client.get(f"{path}/new?friends=10").text
    assert 'value="10"' in new and "Sound-check" in new and 'value="5"' in new
    answer = send(client, f"{path}/new", **FIELDS)
    assert answer.status_code == 303 and answer.location == path
    page = client.get(path).text
    assert "Friends unlock one thing." in page and "3 friends" in page and "5 of 5 left" in page and "March 2047" in page
    assert "3 more friends, and “Signed photo” is for you" in page and page.count("Use this") == 2
    assert "Milestones" in client.get(f"/projects/{project.slug}/recruits").text


@pytest.mark.parametrize(("field", "value", "words"), [
    ("friends", "0", "from 1 to 10,000"), ("friends", "10001", "from 1 to 10,000"), ("friends", "-1", "from 1 to 10,000"),
    ("friends", "", "from 1 to 10,000"), ("friends", "many", "from 1 to 10,000"), ("friends", "2.5", "from 1 to 10,000"),
    ("friends", "9" * 30, "from 1 to 10,000"), ("title", " ", "Give the reward a name"),
    ("title", "x" * 61, "at most 60 characters"), ("quantity", "0", "whole number from 1"),
    ("quantity", "many", "whole number from 1"), ("quantity", "9" * 30, "whole number from 1"),
    ("delivery_on", "spring", "like 2027-03"), ("delivery_on", "2020-01", "This month has passed"),
    ("description", "line\n" * 13, "At most 12 lines")])
def test_what_cannot_be_used_gets_a_sentence_and_nothing_is_written(client, path, field, value, words):
    answer = send(client, f"{path}/new", **FIELDS | {field: value})
    assert answer.status_code == 422 and words in answer.text
    assert field == "description" or answer.text.count('class="field-error"') == 1, "a wrong field says one thing"
    assert field == "description" or "With a line for you" in answer.text
    assert scalar("SELECT count(*) FROM reward") == 0 and scalar("SELECT count(*) FROM milestone") == 0


def test_two_steps_never_stand_at_the_same_number(client, project, path):
    one, two = make_step(project, 3), make_step(project, 5)
    answer = send(client, f"{path}/new", **FIELDS)
    assert answer.status_code == 422 and "a step at this number already" in answer.text
    answer = send(client, f"{path}/{two.id}", **FIELDS)
    assert answer.status_code == 422 and "a step at this number already" in answer.text
    assert scalar("SELECT count(*) FROM reward") == 2 and scalar("SELECT friends FROM milestone WHERE id = :i", i=two.id) == 5
    assert send(client, f"{path}/{one.id}", **FIELDS | {"friends": "2", "quantity": ""}).status_code == 303


def test_a_picture_is_kept_and_a_fake_one_refused(client, path):
    out = io.BytesIO()
    Image.new("RGB", (60, 45), "orange").save(out, "PNG")
    answer = send(client, f"{path}/new", **FIELDS, picture_alt="A photo", picture=(io.BytesIO(b"GIF89a<script>"), "a.gif"))
    assert answer.status_code == 422 and "not a picture we can read" in answer.text
    answer = send(client, f"{path}/new", **FIELDS, picture_alt="A photo", picture=(io.BytesIO(out.getvalue()), "a.png"))
    assert answer.status_code == 303 and scalar("SELECT count(*) FROM reward WHERE picture_id IS NOT NULL") == 1


def test_what_somebody_reached_is_a_promise_that_may_become_easier_and_larger(client, project, path):
    step, noor = make_step(project, 3, quantity=2, title="Signed photo"), make_sharer(project)
    bring(project, noor, 3)
    follow(noor, project=project)
    said = {"friends": "3", "title": "Signed photo", "quantity": "2"}
    one = f"{path}/{step.id}"
    assert "Somebody reached this." in client.get(one).text
    for change, words in (({"friends": "4"}, "only become easier"), ({"title": "Unsigned photo"}, "a promise now"),
                          ({"quantity": "1"}, "only go up"), ({"description": "Less"}, "a promise now"),
                          ({"delivery_on": "2050-01"}, "a promise now")):
        answer = send(client, one, **said | change)
        assert answer.status_code == 422 and words in answer.text, change
    assert (scalar("SELECT friends FROM milestone"), scalar("SELECT quantity FROM reward")) == (3, 2)
    assert send(client, one, **said | {"friends": "2", "quantity": "9"}).status_code == 303
    assert (scalar("SELECT friends FROM milestone"), scalar("SELECT quantity FROM reward")) == (2, 9)
    answer = send(client, f"{one}/removal", path)
    assert answer.status_code == 409 and "close it to newcomers" in answer.text
    assert send(client, f"{one}/door", path, to="closed").status_code == 303
    assert "closed to newcomers" in client.get(path).text and "Open it again" in client.get(path).text
    assert send(client, f"{one}/door", path, to="open").status_code == 303
    assert scalar("SELECT closed_at FROM milestone") is None
    assert scalar("SELECT count(*) FROM audit_entry WHERE action LIKE 'sharing:%_milestone'") == 4


def test_it_is_a_promise_to_who_waits_as_well(client, project, path):
    """Somebody who shares without a pledge: nothing of the stock is kept, and yet she was told what waits for her."""
    step, noor = make_step(project, 1, title="Signed photo"), make_sharer(project, pledged=False)
    bring(project, noor, 1)
    follow(noor, project=project)
    answer = send(client, f"{path}/{step.id}", friends="1", title="Unsigned photo")
    assert answer.status_code == 422 and "a promise now" in answer.text and scalar("SELECT claimed FROM reward") == 0


def test_fewer_than_are_given_is_refused(client, project, path):
    step = make_step(project, 1, title="Signed photo")
    for _ in range(3):
        noor = make_sharer(project)
        bring(project, noor, 1)
        follow(noor, project=project)
    answer = send(client, f"{path}/{step.id}", friends="1", title="Signed photo", quantity="2")
    assert answer.status_code == 422 and "3 are given already" in answer.text


def test_a_step_that_nobody_reached_is_changed_and_taken_out(client, project, path):
    one = f"{path}/{make_step(project, 3).id}"
    assert send(client, one, friends="30", title="Sound-check").status_code == 303
    assert scalar("SELECT friends FROM milestone") == 30
    assert send(client, f"{one}/removal", path).status_code == 303
    assert scalar("SELECT count(*) FROM reward") == 0 and scalar("SELECT count(*) FROM milestone") == 0
    assert client.get(one).status_code == 404


def test_an_ended_project_gets_no_new_step_and_a_successful_one_more_of_what_it_promised(app, client):
    project = make_project(state=ProjectState.LIVE)
    with app.test_request_context():
        step = make_step(project, 1, quantity=2, title="Signed photo")
    sign_in(client, project.creator)
    path = f"/projects/{project.slug}/recruits/milestones"
    become_state(project, "successful")
    answer = send(client, f"{path}/new", **FIELDS)
    assert answer.status_code == 422 and "has ended" in answer.text
    assert send(client, f"{path}/{step.id}", friends="1", title="Signed photo", quantity="4").status_code == 303
    become_state(project, "unsuccessful")
    answer = send(client, f"{path}/{step.id}", friends="1", title="Signed photo", quantity="9")
    assert answer.status_code == 422 and "has ended" in answer.text


def become_state(project, state):
    import sqlalchemy as sa

    from core.db import db, transaction

    with transaction() as session:
        session.execute(sa.text("UPDATE project SET state = :s WHERE id = :p"), {"s": state, "p": project.id})
    db.session.expire_all()


def test_only_those_who_see_who_backs_work_on_the_steps(client, project, path):
    step = make_step(project, 3)
    other = make_project()
    for person, status in ((make_person(), 403), (make_member(project, role=MemberRole.COLLABORATOR), 403),
                           (make_member(project), 200), (other.creator, 403)):
        sign_in(client, person)
        for address in (path, f"{path}/new", f"{path}/{step.id}"):
            assert client.get(address).status_code == status, (person.name, address)
    sign_in(client, other.creator)
    theirs = f"/projects/{other.slug}/recruits/milestones/{step.id}"
    token = csrf_token(client, f"/projects/{other.slug}/recruits/milestones/new")
    assert client.get(theirs).status_code == 404
    for way in ("", "/removal", "/door"):
        assert client.post(theirs + way, data={"csrf_token": token, **FIELDS, "to": "closed"}).status_code == 404
    assert scalar("SELECT count(*) FROM milestone WHERE closed_at IS NULL AND friends = 3") == 1


def test_a_form_without_its_token_changes_nothing(client, project, path):
    step = make_step(project, 3)
    for way in ("new", f"{step.id}", f"{step.id}/removal", f"{step.id}/door"):
        assert client.post(f"{path}/{way}", data=FIELDS).status_code == 400
    assert scalar("SELECT count(*) FROM milestone") == 1


def sharer_page(client, project, person):
    sign_in(client, person)
    return re.sub(r"\s+", " ", client.get(f"/projects/{project.slug}/share").text)


def test_the_sharing_page_opens_with_the_next_step_and_shows_all(client, project, tallied):
    for friends, quantity in ((1, None), (3, 5), (10, 1)):
        make_step(project, friends, quantity, {1: "Credits", 3: "Signed photo", 10: "Sound-check"}[friends])
    noor = make_sharer(project, "Noor Bakker")
    assert "One more friend, and “Credits” is for you" in sharer_page(client, project, noor)
    friends = bring(project, noor, 1)
    follow(noor, project=project)
    tallied(project)
    page = sharer_page(client, project, noor)
    assert "2 more friends, and “Signed photo” is for you" in page and "Kept for you until" in page
    assert "2 more friends, 5 left" in page and 'class="miles"' in page and "9 more friends, 1 left" in page
    become([*friends, *own(project, noor)], "collected", days_ago=20)
    follow(noor, project=project)
    assert "Yours." in sharer_page(client, project, noor)
    become(friends, "refunded")
    follow(noor, project=project)
    tallied(project)
    page = sharer_page(client, project, noor)
    assert "Taken back: a friend's pledge was refunded" in page.replace("&#39;", "'")


def own(project, person):
    from backing.queries import active_pledge

    return [active_pledge(project.id, person.id)]


@pytest.fixture
def tallied():
    import sqlalchemy as sa

    from core.db import transaction

    def fill(project):
        with transaction() as session:
            session.execute(sa.text("""
                INSERT INTO link_tally (link_id, project_id, n, is_person, recruits)
                SELECT l.id, l.project_id, l.n, true, count(*) FILTER (WHERE p.state <> 'refunded')
                  FROM share_link l JOIN recruit r ON r.link_id = l.id JOIN pledge p ON p.id = r.pledge_id
                 WHERE l.project_id = :p GROUP BY l.id ON CONFLICT (link_id) DO UPDATE SET recruits = excluded.recruits"""),
                {"p": project.id})
    return fill


def test_whoever_has_no_link_yet_sees_what_it_would_unlock(client, project):
    make_step(project, 1, 1, "Signed photo")
    page = sharer_page(client, project, make_person())
    assert "Make my link" in page and "Signed photo" in page and "It is sent to backers." in page


def test_who_shares_without_a_pledge_and_who_waits_are_told_so(client, project, tallied):
    make_step(project, 1, 1, "Signed photo")
    noor, mo = make_sharer(project, "Noor Bakker", pledged=False), make_sharer(project, "Mo El Idrissi")
    els = make_sharer(project, "Els Kramer")
    for person in (noor, mo, els):
        bring(project, person, 1)
        follow(person, project=project)
    tallied(project)
    assert "Pledge yourself, and it is yours while there are any." in sharer_page(client, project, noor)
    assert "Kept for you until" in sharer_page(client, project, mo)
    assert "Reached, and all are given away. You are number 1 in line." in sharer_page(client, project, els)


def test_the_number_of_friends_is_written_as_it_is_said_in_both_languages(app, project):
    from flask_babel import force_locale

    make_step(project, 1)
    make_step(project, 2)
    for locale in ("en", "nl"):
        with force_locale(locale):
            one, two = milestones.preview_of(milestones.steps_of(project.id)).stages
            assert one.text != two.text and "2" in two.text and "2" not in one.text
            assert milestones.steps_of(project.id)[0].friends_text != milestones.steps_of(project.id)[1].friends_text


def test_the_organisers_list_says_who_also_gets_what(client, project):
    make_step(project, 1, title="Signed photo")
    noor, mo = make_sharer(project, "Noor Bakker"), make_sharer(project, "Mo El Idrissi")
    friends = bring(project, noor, 1)
    become([*friends, *own(project, noor)], "collected", days_ago=20)
    bring(project, mo, 1)
    follow(noor, mo, project=project)
    sign_in(client, project.creator)
    page = client.get(f"/projects/{project.slug}/backers").text
    assert page.count("also gets: Signed photo") == 1 and page.count("kept for them: Signed photo") == 1


# What the words say ------------------------------------------------------------------------------------

@pytest.mark.parametrize(("days", "words"), [
    (14, "stayed for 14 days."), (3, "stayed for 3 days."), (1, "stayed for a day."), (0, "money is collected.")])
def test_a_kept_step_says_for_how_long_the_money_must_stay(app, monkeypatch, days, words):
    monkeypatch.setitem(app.config, "MILESTONE_DAYS", days)
    kept = Stage(friends=3, title="Signed photo", brought=3, is_backer=True, quantity=None, claimed=1,
                 state=GrantState.PENDING, why=None, place=0)
    with app.test_request_context():
        assert kept.text.startswith("Kept for you until your friends' money ") and kept.text.endswith(words)


@pytest.mark.parametrize(("quantity", "waiting", "words"), [
    (5, 2, "2 wait"), (5, 1, "one waits"), (6, 2, "2 have to pledge first"), (None, 1, "one has to pledge first")])
def test_who_waits_for_what_while_there_are_any_it_is_for_their_own_pledge(app, quantity, waiting, words):
    step = Step(id=uuid4(), reward_id=uuid4(), friends=3, title="Signed photo", description="", quantity=quantity,
                claimed=5, delivery_on=None, picture_key=None, picture_alt="", closed_at=None, waiting=waiting, pending=4,
                earned=1, reached=7)
    with app.test_request_context():
        assert step.given_text == f"earned by one, kept for 4, {words}"
