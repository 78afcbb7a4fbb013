"""What visitors and creators see, over HTTP."""

import io
import re
from datetime import timedelta
from html.parser import HTMLParser

import pytest
from tests.factories import csrf_token, make_member, make_person, make_project, make_reward, scalar, sign_in
from PIL import Image

from core import clock
from core.db import db, transaction
from core.pages import touch
from projects import services
from projects.models import MemberRole, Project, ProjectState

S = ProjectState
DAY = "2030-01-01"


class Tags(HTMLParser):
    """Every tag as a browser would read it."""

    def __init__(self):
        super().__init__()
        self.found = []

    def handle_starttag(self, tag, attrs):
        self.found.append((tag, attrs))


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


@pytest.mark.parametrize("path", ["/", "/discover", "/how", "/about", "/privacy", "/refunds"])
def test_public_pages_open_for_everyone(client, path):
    make_project()
    page = client.get(path)
    assert page.status_code == 200 and "Set-Cookie" not in page.headers
    assert "csrf_token" not in page.text


def test_the_front_page_shows_what_is_on_and_nothing_else(client):
    make_project(title="On now")
    make_project(title="Still a draft", state=S.DRAFT)
    make_project(title="Long over", state=S.UNSUCCESSFUL)
    page = client.get("/").text
    assert "On now" in page and "Still a draft" not in page and "Long over" not in page


def test_a_project_page_shows_what_counts(client):
    project = make_project(goal=2_400_000)
    make_reward(project, price=6_000, quantity=20, title="Orange vinyl")
    with transaction() as session:
        project = session.get_one(Project, project.id)
        project.total.raised, project.total.backers = 1_864_000, 412
        touch(project.topic)
    page = client.get(f"/projects/{project.slug}").text
    for words in ("€18,640", "of €24,000", "77%", "412", "Orange vinyl", "Choose €60", "All or nothing", "UTC",
                  f'<meta property="og:title" content="{project.title}">', "Stand behind this"):
        assert words in page, words
    assert "csrf_token" not in page


@pytest.mark.parametrize(("state", "words"), [
    (S.SUCCESSFUL, "Funded."), (S.UNSUCCESSFUL, "Nobody was charged."), (S.CANCELLED, "Nobody was charged."),
    (S.SUSPENDED, "On hold.")])
def test_a_project_that_takes_no_pledges_says_why(client, state, words):
    project = make_project(state=state, days=-1)
    make_reward(project)
    page = client.get(f"/projects/{project.slug}").text
    assert words in page and f"{project.slug}/pledge" not in page


def test_after_the_deadline_nobody_is_invited_to_pledge(client):
    project = make_project(days=-0.001)
    page = client.get(f"/projects/{project.slug}").text
    assert "The time is up." in page and f"{project.slug}/pledge" not in page


def test_a_draft_is_there_only_for_those_who_work_on_it(client):
    project = make_project(state=S.DRAFT)
    path = f"/projects/{project.slug}"
    assert client.get(path).status_code == 404
    sign_in(client, make_person())
    for rest in ("", "/edit", "/updates", "/faq", "/launch", "/rewards", "/team"):
        assert client.get(path + rest).status_code == 404, rest
    sign_in(client, make_member(project, role=MemberRole.COLLABORATOR))
    page = client.get(path)
    assert page.status_code == 200 and "This is a preview." in page.text
    assert client.get(path + "/team").status_code == 403


def test_no_draft_is_kept_for_others(client):
    project = make_project(state=S.DRAFT)
    sign_in(client, project.creator)
    assert client.get(f"/projects/{project.slug}").headers["Cache-Control"] == "no-store"


def test_an_unchanged_page_is_answered_without_being_made(client):
    project = make_project()
    path = f"/projects/{project.slug}"
    first = client.get(path)
    tag = first.headers["ETag"]
    assert client.get(path, headers={"If-None-Match": tag}).status_code == 304
    services.edit_story(project, "Another story, told at some length.")
    fresh = client.get(path, headers={"If-None-Match": tag})
    assert fresh.status_code == 200 and "Another story" in fresh.text


def test_the_story_shows_no_script_and_no_foreign_picture(client):
    bad = ["<script>alert(1)</script>", "<img src=x onerror=alert(1)>", "[x](javascript:alert(1))", "<svg/onload=alert(1)>",
           "![x](https://evil.example/p.png)", "[x](data:text/html;base64,PHNjcmlwdD4=)", "<iframe src=//evil.example>",
           "[x](  javascript:alert(1))", "[x](JaVaScRiPt:alert(1))", "[x](&#106;avascript:alert(1))", "<a href='x' style='x'>",
           "![\" onerror=alert(1) \"](/media/x)", "<math><mtext><script>alert(1)</script>", "[x](vbscript:msgbox(1))",
           "`<script>`", "> <body onload=alert(1)>", "| <b onmouseover=alert(1)> |\n|-|\n| x |", "[a]: javascript:alert(1)\n[a]",
           "![x](//evil.example/p.png)", "<!--><img src=x onerror=alert(1)>", "[x](bitcoin:1)", "<details open ontoggle=alert(1)>"]
    project = make_project(story="\n\n".join(bad), title="<b>bold</b>", blurb='"><script>alert(2)</script>')
    page = client.get(f"/projects/{project.slug}").text
    story = re.search(r'<div class="story mt-4">(.*?)</div>', page, re.S)[1]
    seen = Tags()
    seen.feed(story)
    assert seen.found
    for tag, attributes in seen.found:
        assert tag not in ("script", "iframe", "svg", "math", "details", "body", "style"), tag
        for name, value in attributes:
            assert name in ("href", "src", "alt", "title", "rel"), name
            assert name != "src" or value.startswith("/media/"), value
            assert name != "href" or value.startswith(("http://", "https://", "mailto:")), value
    assert "<b>bold</b>" not in page and "<script>alert" not in page


def test_updates_and_questions_have_pages_of_their_own(client):
    project = make_project()
    services.publish_update(project, project.creator, "The test pressing is here", "It *hisses*.")
    services.edit_faq(project, [("Does it come with a download?", "It does.")])
    path = f"/projects/{project.slug}"
    assert "The test pressing is here" in client.get(f"{path}/updates").text
    assert "<em>hisses</em>" in client.get(f"{path}/updates/1").text
    assert client.get(f"{path}/updates/2").status_code == 404
    assert "Does it come with a download?" in client.get(f"{path}/faq").text


@pytest.mark.parametrize("query", ["?q=%00", "?page=-3", "?page=99999999999999999999", "?category=x&sort=y&state=z",
                                   "?q='%20%26%20%21%20%28", "?q=" + "a" * 3_000, "?q=%F0%9F%98%80"])
def test_discover_bears_any_question(client, query):
    make_project()
    assert client.get(f"/discover{query}").status_code == 200


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
