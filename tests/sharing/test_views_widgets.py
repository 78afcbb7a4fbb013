"""What other sites show: cards, frames, badges, oEmbed. No cookie, no session, never a 500."""

import io
import json
from urllib.parse import quote
from xml.etree import ElementTree

import pytest
from lxml import html
from markupsafe import escape
from PIL import Image

from core.db import transaction
from core.pages import touch
from projects.models import ProjectState
from sharing import badges, cards, pace, queries, recommendations, services, views_print
from tests.factories import make_person, make_project, sign_in
from tests.sharing.round_scenes import make_running
from tests.sharing.scenes import make_pledge

WORDS = "They play as if nobody slept, and nobody did."


@pytest.fixture(autouse=True)
def fresh(app):
    cards.forget_here()
    queries._kept.clear()


@pytest.fixture
def project(app):
    return make_project()


@pytest.fixture
def noor(project):
    return make_pledge(project, make_person("Noor Bakker")).backer


@pytest.fixture
def code(project, noor):
    return services.link_of(noor, project).code


def paths(project, code):
    return [f"/s/{code}/card.png", *(f"/projects/{project.slug}/{what}" for what in ("card.png", "widget", "badge.svg")),
            f"/oembed?url={quote(f'http://localhost/projects/{project.slug}')}"]


def test_none_of_them_carries_a_cookie_or_reads_a_session(client, project, code):
    sign_in(client, make_person())
    client.set_cookie("via", "anything", domain="localhost")
    for path in paths(project, code):
        for more in ("", "?lang=nl" if "?" not in path else "&lang=nl"):
            answer = client.get(path + more)
            assert answer.status_code == 200, path
            assert not answer.headers.getlist("Set-Cookie"), path
            assert answer.headers["Cache-Control"].startswith("public, max-age="), path
            assert b"csrf_token" not in answer.data, path


def test_a_card_is_a_small_png_of_the_right_size_that_says_304(client, project, code):
    for path in paths(project, code)[:2]:
        answer = client.get(path)
        with Image.open(io.BytesIO(answer.data)) as image:
            assert (image.format, image.size) == ("PNG", (1200, 630))
        assert answer.headers["Cache-Control"] == "public, max-age=300" and len(answer.data) < 300_000
        again = client.get(path, headers={"If-None-Match": answer.headers["ETag"]})
        assert again.status_code == 304 and again.data == b""


def test_the_card_changes_with_language_consent_and_the_page_and_not_otherwise(client, project, noor, code):
    def tag(path, **asked):
        return client.get(path, query_string=asked).headers["ETag"]

    path = f"/s/{code}/card.png"
    plain = tag(path)
    assert tag(path) == plain != tag(path, lang="nl") and plain != tag(f"/projects/{project.slug}/card.png")
    recommendations.save(noor.id, project, WORDS, is_shown=True)
    named = tag(path)
    assert named != plain
    recommendations.withdraw(noor.id, project)
    assert tag(path) != named


def test_unknown_codes_and_projects_are_plain_small_answers(client, project):
    draft = make_project(state=ProjectState.DRAFT, launched_at=None, fee_bp=None)
    assert client.get("/projects/%00/widget").status_code == client.get("/projects/%00").status_code == 404
    for slug in ("no-such-project", draft.slug, "a" * 300, "é"):
        assert client.get(f"/projects/{slug}/card.png").status_code == 404
        frame = client.get(f"/projects/{slug}/widget")
        assert frame.status_code == 404 and "No project here" in frame.text
        assert "frame-ancestors *" in frame.headers["Content-Security-Policy"]
        badge = client.get(f"/projects/{slug}/badge.svg")
        assert badge.status_code == 404 and "No project here" in badge.text and badge.mimetype == "image/svg+xml"
    for code in ("NOSUCHCODE123", "'", "%00", "é" * 40, "x" * 300):
        assert client.get(f"/s/{code}/card.png").status_code == 404


@pytest.mark.parametrize("state", [state for state in ProjectState if state not in (
    ProjectState.DRAFT, ProjectState.SUBMITTED, ProjectState.APPROVED)])
def test_they_stand_in_every_public_state(client, state):
    project = make_project(state=state)
    code = services.link_of(make_person(), project).code
    for path in paths(project, code):
        assert client.get(path).status_code == 200, (state, path)


def test_a_frame_may_stand_anywhere_and_its_button_counts(client, project, noor, code):
    recommendations.save(noor.id, project, WORDS, is_shown=True)
    other = make_pledge(project).backer
    recommendations.save(other.id, project, "Somebody else says this.", is_shown=True)
    answer = client.get(f"/projects/{project.slug}/widget?via={code}")
    policy = answer.headers["Content-Security-Policy"]
    assert "frame-ancestors *" in policy and "script-src" not in policy and "X-Frame-Options" not in answer.headers
    assert answer.headers["Cache-Control"] == "public, max-age=60"
    assert f'href="http://localhost/s/{code}"' in answer.text and 'target="_top"' in answer.text
    assert WORDS in answer.text and "Somebody else" not in answer.text and "<script" not in answer.text
    plain = client.get(f"/projects/{project.slug}/widget").text
    assert f'href="http://localhost/projects/{project.slug}"' in plain and "Somebody else" in plain


def test_what_an_ambassador_puts_on_a_site_says_so_in_the_lines_to_paste_and_in_what_they_show(client, project):
    """Also when somebody pastes the address alone: the line comes with the link, not with the code around it."""
    made, noor = make_running(project)
    with transaction():
        made.disclosure = 'Advertisement: I am an "ambassador" & get a signed record <b>'
    mine, line = services.link_of(noor.person, project).code, str(escape(made.disclosure))
    plain, no_line = services.link_of(make_person(), project).code, "ambassador"
    frame = client.get(f"/projects/{project.slug}/widget?via={mine}").text
    assert f'<p class="w-told" dir="auto">{line}</p>' in frame and frame.index(line) < frame.index("w-go")
    drawn = ElementTree.fromstring(client.get(f"/projects/{project.slug}/badge.svg?via={mine}").data)
    assert made.disclosure in drawn.attrib["aria-label"] and made.disclosure in drawn[0].text
    seen = [one for one in drawn.iter("{http://www.w3.org/2000/svg}text") if one.attrib.get("class") == "told"]
    assert " ".join(one.text for one in seen) == made.disclosure
    assert int(drawn.attrib["height"]) > float(seen[-1].attrib["y"]) > badges.HEIGHT
    sign_in(client, noor.person)
    page = html.fromstring(client.get(f"/projects/{project.slug}/share").text)
    pasted = [html.fromstring(area.text) for area in page.xpath("//section[@id='embed']//textarea")]
    assert len(pasted) == 2 and all(made.disclosure in one.text_content() for one in pasted)
    assert made.disclosure in pasted[0].xpath("//iframe/@title")[0] and made.disclosure in pasted[1].xpath("//img/@alt")[0]
    told = html.fromstring(ask(client, f"http://localhost/s/{mine}").json["html"])
    assert made.disclosure in told.text_content()
    for said in (client.get(f"/projects/{project.slug}/widget?via={plain}").text,
                 client.get(f"/projects/{project.slug}/badge.svg?via={plain}").text,
                 ask(client, f"http://localhost/s/{plain}").json["html"], client.get(f"/projects/{project.slug}/widget").text):
        assert no_line not in said


def test_a_frame_takes_no_code_of_another_project_and_no_nonsense(client, project):
    elsewhere = services.link_of(make_person(), make_project()).code
    for via in (elsewhere, "x", "'\"><script>", "\x00", "é"):
        page = client.get(f"/projects/{project.slug}/widget", query_string={"via": via, "theme": via, "lang": via})
        assert page.status_code == 200 and f'href="http://localhost/projects/{project.slug}"' in page.text
        assert "/s/" not in page.text and "<script" not in page.text


def test_a_frame_shows_words_as_plain_text(client, project, noor, code):
    recommendations.save(noor.id, project, "<script>alert(1)</script> is what I say", is_shown=True)
    page = client.get(f"/projects/{project.slug}/widget?via={code}").text
    assert "<script>" not in page and "&lt;script&gt;" in page


def test_a_badge_is_sound_xml_with_the_title_escaped_and_carries_the_link(client, code, project):
    with transaction():
        project.title = 'Fish & "Chips" <svg onload=x>'
    for asked in ({}, {"via": code}, {"theme": "dark"}, {"theme": "<"}, {"lang": "nl"}):
        answer = client.get(f"/projects/{project.slug}/badge.svg", query_string=asked)
        root = ElementTree.fromstring(answer.data)
        assert root.tag.endswith("svg") and "onload" not in "".join(root.attrib)
        assert "0%" in answer.text and "<svg onload" not in answer.text
    assert f"/s/{code}" in client.get(f"/projects/{project.slug}/badge.svg", query_string={"via": code}).text


def ask(client, url, **more):
    return client.get("/oembed", query_string={"url": url, **more})


def test_oembed_answers_for_projects_and_links_of_this_site(client, project, code):
    answer = ask(client, f"http://localhost/projects/{project.slug}")
    said = answer.json
    assert (said["type"], said["version"], said["width"]) == ("rich", "1.0", 480)
    assert f'src="http://localhost/projects/{project.slug}/widget"' in said["html"] and said["html"].startswith("<iframe ")
    assert answer.headers["Access-Control-Allow-Origin"] == "*"
    assert f"via={code}" in ask(client, f"http://localhost/s/{code}").json["html"]
    assert ask(client, f"http://localhost/s/{code}", maxwidth=320, maxheight=400).json["width"] == 320
    assert ask(client, f"http://localhost/s/{code}", maxwidth=320, maxheight=400).json["height"] == 400
    assert ask(client, f"http://localhost/s/{code}", maxwidth=5000).json["width"] == 600
    assert ask(client, f"http://localhost/s/{code}", maxwidth=100).json["type"] == "link"
    assert ask(client, f"http://localhost/s/{code}", maxwidth="wide").json["width"] == 480


def test_oembed_refuses_what_is_not_ours_and_what_it_cannot_make(client, project):
    draft = make_project(state=ProjectState.DRAFT, launched_at=None, fee_bp=None)
    ours = f"http://localhost/projects/{project.slug}"
    assert ask(client, ours, format="xml").status_code == 501
    for url in ("", "x", f"http://evil.example/projects/{project.slug}", f"http://localhost@evil.example/projects/{project.slug}",
                f"http://localhost:81/projects/{project.slug}", f"javascript://localhost/projects/{project.slug}", "http://[",
                f"http://localhost/projects/{draft.slug}", "http://localhost/projects/none", "http://localhost/s/NOPE",
                f"{ours}/edit", "http://localhost/s/\x00", "http://localhost/"):
        assert ask(client, url).status_code == 404, url


def test_the_title_in_the_code_to_paste_is_escaped(client, project):
    with transaction():
        project.title = '"><script>alert(1)</script>'
    html = ask(client, f"http://localhost/projects/{project.slug}").json["html"]
    assert "<script>" not in html and html.count('"') % 2 == 0
    assert json.loads(ask(client, f"http://localhost/projects/{project.slug}").data)["title"] == project.title


def test_the_badge_and_frame_follow_the_asked_language_and_scheme(client, project):
    page = client.get(f"/projects/{project.slug}/widget?lang=nl&theme=dark").text
    assert '<html lang="nl" data-bs-theme="dark">' in page
    assert '<html lang="en">' in client.get(f"/projects/{project.slug}/widget", headers={"Accept-Language": "fr"}).text
    assert 'lang="nl"' in client.get(f"/projects/{project.slug}/badge.svg?lang=nl&theme=dark").text


def test_a_language_that_we_do_not_have_is_the_readers_and_kept_for_such_readers_only(client, project):
    for path in ("widget", "badge.svg"):
        answer = client.get(f"/projects/{project.slug}/{path}?lang=xx", headers={"Accept-Language": "nl"})
        assert 'lang="nl"' in answer.text and "Accept-Language" in answer.headers["Vary"], path
        assert "Accept-Language" not in client.get(f"/projects/{project.slug}/{path}?lang=en").headers.get("Vary", ""), path


def test_a_card_is_drawn_anew_for_what_stands_on_it_and_for_nothing_else(client, project, code, monkeypatch):
    path = f"/s/{code}/card.png?lang=en"
    tag = client.get(path).headers["ETag"]
    with transaction():
        touch(project.topic)  # as every pledge does, and most move no figure of the card
    monkeypatch.setattr(cards, "draw", None)
    assert client.get(path).headers["ETag"] == tag


def test_nobody_has_more_pictures_drawn_than_a_machine_can_draw(client, project, code, monkeypatch):
    monkeypatch.setattr(pace, "PER_MINUTE", 2)
    pace.forget_here()
    views_print._drawn.cache_clear()
    kept, other = f"/s/{code}/card.png", {"REMOTE_ADDR": "198.51.100.7"}
    assert [client.get(path).status_code for path in (kept, f"{kept}?lang=nl", f"/s/{code}/poster.pdf?lang=nl")] == [200, 200, 429]
    assert client.get(kept).status_code == 200, "what is drawn already costs nothing"
    assert client.get(f"/projects/{project.slug}/card.png").status_code == 429
    assert client.get(f"/projects/{project.slug}/card.png", environ_base=other).status_code == 200
    pace.forget_here()
