"""The creator's pages, over HTTP: what is saved, what is refused, what is kept when it is refused."""

import io
import re
from datetime import timedelta

import pytest
from PIL import Image

from core import clock
from core.db import db
from projects import services
from projects.models import Project, ProjectState
from tests.factories import csrf_token, make_member, make_person, make_project, scalar, sign_in

S = ProjectState
DAY = "2030-01-01"


def send(client, path, **fields):
    token = csrf_token(client, path)
    return client.post(path, data={"csrf_token": token, **fields}, content_type="multipart/form-data")


def creator_of(client, **columns):
    project = make_project(**columns)
    sign_in(client, project.creator)
    return project


def basics(project, **changes):
    return {"title": "Night train", "blurb": "Eleven songs.", "category": "music", "place": "Utrecht", "country": "NL",
            "goal": "24000", "currency": "EUR", "day": f"{clock.now() + timedelta(days=20):%Y-%m-%d}", "time": "20:00",
            "zone": "Europe/Amsterdam", "edition": str(project.edition)} | changes


def test_somebody_starts_a_project(client):
    sign_in(client, make_person())
    answer = send(client, "/projects/new", title="Night train", category="music")
    assert answer.status_code == 303 and answer.location == "/projects/night-train/edit"
    assert client.get(answer.location).status_code == 200


def test_starting_needs_an_account(client):
    assert client.get("/projects/new").status_code == 302


def test_the_basics_are_saved_with_the_deadline_in_its_zone(client):
    project = creator_of(client, state=S.DRAFT)
    answer = send(client, f"/projects/{project.slug}/edit", **basics(project, goal="24.000,50", zone="Asia/Kathmandu"))
    assert answer.status_code == 303
    row = db.session.execute(db.select(Project.goal, Project.deadline, Project.zone)).one()
    assert (row.goal, row.zone) == (2_400_050, "Asia/Kathmandu")
    assert f"{row.deadline:%H:%M}" == "14:15"


@pytest.mark.parametrize(("field", "value", "words"), [
    ("goal", "0", "more than zero"), ("goal", "a lot", "like 24000"), ("goal", "-5", "like 24000"),
    ("goal", "9" * 12, "too high"), ("goal", "1e9", "like 24000"), ("day", "2020-01-01", "has passed"),
    ("day", DAY, "At most 60 days"), ("day", "tomorrow", "like 2026-12-31"), ("time", "25:00", "like 20:00"),
    ("title", "", "Give your project a title"), ("title", "x" * 61, "at most 60"), ("blurb", "x" * 136, "at most 135"),
    ("zone", "Mars/Olympus", "Not a valid choice"), ("currency", "XXX", "Not a valid choice"),
    ("category", "crypto", "Not a valid choice"), ("edition", "0", "another tab")])
def test_wrong_basics_get_a_sentence_and_nothing_is_written(client, field, value, words):
    project = creator_of(client, state=S.DRAFT)
    before = db.session.execute(db.text("SELECT p.*::text FROM project p")).all()
    answer = send(client, f"/projects/{project.slug}/edit", **basics(project, title="Quite another", **{field: value})
                  if field != "title" else basics(project, title=value))
    assert answer.status_code == 422
    assert words in answer.text
    if field not in ("title", "edition"):
        assert "Quite another" in answer.text  # what was typed is kept
        assert "aria-invalid" in answer.text
    db.session.rollback()
    assert db.session.execute(db.text("SELECT p.*::text FROM project p")).all() == before


def test_after_two_tabs_met_a_second_save_goes_through(client):
    project = creator_of(client, state=S.DRAFT)
    path = f"/projects/{project.slug}/edit/story"
    services.edit_story(project, "From the other tab, long enough to stay.")
    answer = send(client, path, story="From this tab.", edition="1")
    assert answer.status_code == 422 and "From this tab." in answer.text
    edition = re.search(r'name="edition"[^>]*value="(\d+)"', answer.text)[1]
    assert send(client, path, story="From this tab.", edition=edition).status_code == 303
    assert scalar("SELECT story FROM project") == "From this tab."


def test_what_the_form_does_not_ask_cannot_be_set(client):
    project = creator_of(client, state=S.DRAFT)
    other = make_person()
    send(client, f"/projects/{project.slug}/edit", **basics(
        project, state="live", creator_id=str(other.id), raised="99", fee_bp="0", slug="mine", launched_at=DAY,
        raised_at_close="5", id=str(other.id)))
    db.session.rollback()
    row = db.session.execute(db.text("SELECT * FROM project")).one()
    assert (row.state, row.creator_id, row.fee_bp, row.raised_at_close) == ("draft", project.creator_id, 500, None)


def test_a_live_project_keeps_its_promises(client):
    project = creator_of(client)
    page = client.get(f"/projects/{project.slug}/edit").text
    assert 'name="goal"' not in page and "promises since the launch" in page
    answer = send(client, f"/projects/{project.slug}/edit", **basics(project, goal="1", day=DAY))
    assert answer.status_code == 303
    assert scalar("SELECT goal FROM project") == 100_000
    assert scalar("SELECT title FROM project") == "Night train"


def test_a_picture_is_taken_and_a_fake_one_is_not(client):
    project = creator_of(client, state=S.DRAFT)
    path = f"/projects/{project.slug}/edit/picture"
    out = io.BytesIO()
    Image.new("RGB", (90, 60), "orange").save(out, "PNG")
    fake = send(client, path, picture_alt="Orange", picture=(io.BytesIO(b"<svg onload=alert(1)>"), "a.png"))
    assert fake.status_code == 422 and "not a picture we can read" in fake.text
    assert scalar("SELECT count(*) FROM picture") == 0
    nothing = send(client, path, picture_alt="Orange")
    assert nothing.status_code == 422 and "Choose a picture" in nothing.text
    good = send(client, path, picture_alt="Orange", picture=(io.BytesIO(out.getvalue()), "a.png"))
    assert good.status_code == 303
    assert scalar("SELECT picture_alt FROM project WHERE picture_id IS NOT NULL") == "Orange"


def test_a_picture_of_forty_megabytes_is_turned_away(client):
    project = creator_of(client, state=S.DRAFT)
    answer = send(client, f"/projects/{project.slug}/edit/picture", picture_alt="x",
                  picture=(io.BytesIO(b"\x89PNG" + b"0" * 40_000_000), "a.png"))
    assert answer.status_code == 413
    assert scalar("SELECT count(*) FROM picture") == 0


def test_questions_grow_by_two_empty_pairs(client):
    project = creator_of(client, state=S.DRAFT)
    path = f"/projects/{project.slug}/edit/faq"
    fields = {"question-0": "Why?", "answer-0": "Because.", "question-1": "", "answer-1": ""}
    assert send(client, path, edition="1", **fields).status_code == 303
    page = client.get(path).text
    assert "Because." in page and 'name="question-2"' in page
    wrong = send(client, path, edition="2", **{"question-0": "Why?", "answer-0": ""})
    assert wrong.status_code == 422 and "needs an answer" in wrong.text and "Why?" in wrong.text


def test_a_creator_launches_when_all_is_done(client, monkeypatch):
    from projects import hooks
    from projects.launching import add_steps

    monkeypatch.setattr(hooks.steps_asked, "_ears", [add_steps])
    project = creator_of(client, state=S.DRAFT, launched_at=None)
    path = f"/projects/{project.slug}/launch"
    answer = send(client, path)
    assert answer.status_code == 422 and "Picture" in answer.text
    out = io.BytesIO()
    Image.new("RGB", (90, 60), "orange").save(out, "PNG")
    send(client, f"/projects/{project.slug}/edit/picture", picture_alt="Orange", picture=(io.BytesIO(out.getvalue()), "a.png"))
    answer = send(client, path)
    assert answer.status_code == 303 and answer.location == f"/projects/{project.slug}"
    assert scalar("SELECT state FROM project") == "live"


def test_only_the_creator_launches(client):
    project = make_project(state=S.DRAFT)
    sign_in(client, make_member(project))
    assert client.get(f"/projects/{project.slug}/launch").status_code == 403


def test_an_update_is_previewed_then_published(client):
    project = creator_of(client)
    path = f"/projects/{project.slug}/updates/new"
    preview = send(client, path, title="News", body="It is **here**.", preview="1")
    assert "<strong>here</strong>" in preview.text and scalar("SELECT count(*) FROM project_update") == 0
    answer = send(client, path, title="News", body="It is **here**.")
    assert answer.status_code == 303 and answer.location.endswith("/updates/1")
    assert "It is here." in client.get(f"/projects/{project.slug}").text


def test_the_team_grows_and_shrinks(client):
    project = creator_of(client)
    friend = make_person(name="Puck de Boer")
    path = f"/projects/{project.slug}/team"
    assert send(client, path, email="nobody@example.org", role="organiser").status_code == 422
    assert send(client, path, email=friend.email, role="organiser").status_code == 303
    assert "Puck de Boer" in client.get(path).text
    token = csrf_token(client, path)
    assert client.post(f"{path}/{friend.id}/removal", data={"csrf_token": token}).status_code == 303
    assert scalar("SELECT count(*) FROM project_member") == 0


def test_a_draft_can_be_thrown_away_and_a_live_project_cannot(client):
    project = creator_of(client, state=S.DRAFT, launched_at=None)
    token = csrf_token(client, f"/projects/{project.slug}/edit")
    assert client.post(f"/projects/{project.slug}/cancellation", data={"csrf_token": token}).status_code == 303
    assert scalar("SELECT state FROM project") == "cancelled"
    live = make_project(creator=project.creator)
    assert client.post(f"/projects/{live.slug}/cancellation", data={"csrf_token": token}).status_code == 409
