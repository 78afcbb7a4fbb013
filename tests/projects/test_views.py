"""What visitors and creators see, over HTTP."""

import re
from html.parser import HTMLParser

import psycopg
import pytest

from core.db import db, transaction
from core.pages import touch
from projects import services
from projects.models import MemberRole, Project, ProjectState
from tests.factories import make_member, make_person, make_project, make_reward, sign_in

S = ProjectState


class Tags(HTMLParser):
    """Every tag as a browser would read it."""

    def __init__(self):
        super().__init__()
        self.found = []

    def handle_starttag(self, tag, attrs):
        self.found.append((tag, attrs))


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


def test_a_kept_page_survives_a_database_that_was_started_anew(client, database_url):
    project = make_project()
    path = f"/projects/{project.slug}"
    assert client.get(path).status_code == client.get(path).status_code == 200
    db.session.rollback()
    with psycopg.connect(database_url, autocommit=True) as other:
        other.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() "
                      "AND pid <> pg_backend_pid() AND query LIKE '%page_version%'")
    tag = client.get(path).headers["ETag"]
    assert client.get(path, headers={"If-None-Match": tag}).status_code == 304


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
