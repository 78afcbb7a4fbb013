import re
from datetime import timedelta

import psycopg
import pytest
import segno

from core import clock
from core.db import db
from projects.models import ProjectState
from sharing import ears, services, tags, visits
from sharing.qr import draw_qr
from tests.factories import csrf_token, make_person, make_project, sign_in
from tests.sharing.scenes import FIREFOX, count, make_pledge, open_link


@pytest.fixture(autouse=True)
def fresh(app):
    visits.forget_here()


@pytest.fixture
def project(app):
    return make_project()


@pytest.fixture
def noor(app):
    return make_person("Noor Bakker")


@pytest.fixture
def link(project, noor):
    return services.link_of(noor, project)


def credited(app, client, project, person=None, path="/projects/x/pledge"):
    """The context of the pledge form as this browser would get it."""
    cookies = "; ".join(f"{c.key}={c.value}" for c in client._cookies.values())
    with app.test_request_context(path, headers={"Cookie": cookies}):
        context: dict = {}
        ears.on_pledge_form(person, project, context)
    return context


def test_a_link_leads_to_the_project_and_is_remembered_for_30_days(client, project, link):
    answer = open_link(client, link.code)
    assert (answer.status_code, answer.location) == (303, f"/projects/{project.slug}")
    [cookie] = answer.headers.getlist("Set-Cookie")
    assert cookie.startswith("via=") and "HttpOnly" in cookie and "SameSite=Lax" in cookie and "Path=/" in cookie
    assert "Max-Age=2592000" in cookie and link.code not in cookie.split(";")[0]
    assert count("share_visit") == 1 and count("web_session") == 0


def test_the_code_may_be_typed_in_small_letters(client, link):
    assert open_link(client, link.code.lower()).status_code == 303


@pytest.mark.parametrize("code", [
    "K7QX4M2PBTRHA", "none", "admin", "%F0%9F%8E%B8", "é" * 13, "K" * 10_240, "%00", "K7QX4M2PBTRH%00", "..", "a b", "%FF%FE",
    "K7QX4M2PBTRHA.gif", "K7QX4M2PBTRHA.svg", "nothing.png", "'--", "<script>", "%0d%0aX"])
def test_odd_and_unknown_codes_are_a_clear_404(client, code):
    answer = client.get(f"/s/{code}")
    assert answer.status_code == 404 and "Set-Cookie" not in answer.headers
    assert "/discover" in answer.get_data(as_text=True)


@pytest.mark.parametrize("state", [ProjectState.DRAFT, ProjectState.SUBMITTED, ProjectState.APPROVED])
def test_a_code_of_a_project_that_is_not_public_is_unknown(client, noor, state):
    link = services.link_of(noor, make_project(state=state))
    assert open_link(client, link.code).status_code == 404
    assert client.get(f"/s/{link.code}.svg").status_code == 404


def test_a_tags_code_of_a_draft_that_was_given_up_shows_nothing_of_it(client):
    project = make_project(state=ProjectState.CANCELLED, launched_at=None, fee_bp=None, title="Never shown")
    code = tags.add_tag(project, "Poster").code
    for path in (f"/s/{code}", f"/s/{code}.svg", f"/s/{code}/poster.pdf", f"/s/{code}/card.png"):
        answer = client.get(path, headers={"User-Agent": FIREFOX})
        assert answer.status_code == 404 and b"Never shown" not in answer.data, path


def test_head_and_prefetch_and_robots_are_answered_but_not_counted(client, link):
    answer = client.head(f"/s/{link.code}", headers={"User-Agent": FIREFOX})
    assert answer.status_code == 303 and "Set-Cookie" not in answer.headers
    assert open_link(client, link.code, **{"Sec-Purpose": "prefetch"}).status_code == 303
    assert open_link(client, link.code, agent="Googlebot/2.1").status_code == 200  # the page for previews
    assert count("share_visit") == 0


def test_the_owner_visiting_is_no_visit_and_no_touch(app, client, link, noor):
    sign_in(client, noor)
    answer = open_link(client, link.code)
    assert answer.status_code == 303 and "Set-Cookie" not in answer.headers and count("share_visit") == 0


def test_a_tampered_cookie_is_ignored(app, client, project, link):
    open_link(client, link.code)
    assert credited(app, client, project)["ref"] == link.code
    value = client.get_cookie("via").value
    for forged in (value[:-2] + "xx", "a" + value, "e30.x", "x" * 4_000, "", "null"):
        client.set_cookie("via", forged)
        assert "ref" not in credited(app, client, project), forged


def test_a_cookie_signed_for_something_else_is_ignored(app, client, project, link):
    from itsdangerous import URLSafeSerializer

    client.set_cookie("via", URLSafeSerializer(app.config["SECRET_KEY"]).dumps({project.id.hex: [link.code, 9**9]}))
    assert "ref" not in credited(app, client, project)
    for odd in ([], 3, {"x": 1}, {project.id.hex: [link.code, 10**30]}, {project.id.hex: None}):
        client.set_cookie("via", URLSafeSerializer(app.config["SECRET_KEY"], salt="sharing.via").dumps(odd))
        assert "ref" not in credited(app, client, project)


def test_the_last_touch_wins(app, client, project, link):
    other = services.link_of(make_person("Mo El Idrissi"), project)
    open_link(client, link.code)
    open_link(client, other.code)
    context = credited(app, client, project)
    assert context["ref"] == other.code and context["source"] == "share"
    assert context["sent_by"]["first_name"] == "Mo"


def test_links_to_other_projects_are_remembered_beside_it_twenty_at_most(app, client, project, link, noor):
    open_link(client, link.code)
    others = [make_project() for _ in range(20)]
    for other in others:
        clock.move_clock(timedelta(seconds=1))
        open_link(client, services.link_of(noor, other).code)
    assert "ref" not in credited(app, client, project)
    assert all(credited(app, client, other)["ref"] for other in others)
    assert len(client.get_cookie("via").value) < 3_000


def test_a_touch_counts_for_thirty_days_in_the_browser_and_in_the_account(app, client, project, link):
    fan = make_person()
    open_link(client, link.code)
    with app.test_request_context(headers={"Cookie": f"via={client.get_cookie('via').value}"}):
        ears.on_sign_in(fan)
    phone = app.test_client()
    clock.move_clock(timedelta(days=29, hours=23))
    assert credited(app, client, project)["ref"] == link.code
    assert credited(app, phone, project, fan)["ref"] == link.code
    clock.move_clock(timedelta(hours=2))
    assert "ref" not in credited(app, client, project)
    assert "ref" not in credited(app, phone, project, fan)


def test_registering_and_signing_in_keep_the_touch(app, client, project, link):
    open_link(client, link.code)
    page = client.get("/register").get_data(as_text=True)
    token = re.search(r'name="csrf_token"[^>]*value="([^"]+)"', page)[1]
    client.post("/register", data={"csrf_token": token, "email": "friend@example.org", "name": "Els Kramer",
                                   "password": "a long enough sentence"})
    assert credited(app, client, project)["ref"] == link.code


def test_what_a_signed_in_browser_remembers_enters_the_account_with_its_next_act_not_with_a_look(app, client, project,
                                                                                                 link):
    fan = make_person()
    sign_in(client, fan)
    open_link(client, link.code)
    client.get(f"/projects/{project.slug}")
    assert count("share_touch") == 0
    token = csrf_token(client, f"/projects/{project.slug}/share")
    client.post(f"/projects/{project.slug}/share", data={"csrf_token": token})
    assert count("share_touch") == 1
    assert credited(app, app.test_client(), project, fan)["ref"] == link.code


def test_a_newer_touch_of_the_account_beats_an_older_cookie(app, client, project, link):
    fan, other = make_person(), services.link_of(make_person("Mo El Idrissi"), project)
    open_link(client, link.code)
    phone = app.test_client()
    clock.move_clock(timedelta(hours=1))
    open_link(phone, other.code)
    with app.test_request_context(headers={"Cookie": f"via={phone.get_cookie('via').value}"}):
        ears.on_sign_in(fan)
    assert credited(app, client, project, fan)["ref"] == other.code


def test_ones_own_link_never_counts(app, client, project, link, noor):
    open_link(client, link.code)
    assert "ref" not in credited(app, client, project, noor)


def test_who_came_by_herself_says_so_without_a_form(app, client, project, link):
    fan = make_person()
    open_link(client, link.code)
    with app.test_request_context(headers={"Cookie": f"via={client.get_cookie('via').value}"}):
        ears.on_sign_in(fan)
    clock.move_clock(timedelta(seconds=2))
    evil = client.get(f"/s/none/{project.slug}", headers={"Sec-Fetch-Site": "cross-site"})
    assert evil.status_code == 303 and credited(app, client, project)["ref"] == link.code
    answer = client.get(f"/s/none/{project.slug}")
    assert (answer.status_code, answer.location) == (303, f"/projects/{project.slug}")
    assert "ref" not in credited(app, client, project)
    assert "ref" not in credited(app, client, project, fan)
    assert client.get("/s/none/nowhere").status_code == 404


def test_the_project_page_says_who_sent_you(client, project, link, noor):
    make_pledge(project, noor)
    assert "sent you" not in client.get(f"/projects/{project.slug}").get_data(as_text=True)
    open_link(client, link.code)
    page = client.get(f"/projects/{project.slug}").get_data(as_text=True)
    assert "Noor sent you" in page and f"/s/none/{project.slug}" in page
    assert "Bakker sent you" not in page


@pytest.mark.parametrize(("path", "referrer", "source"), [
    ("/p", "", "direct"), ("/p", "http://localhost/discover?q=train", "search"), ("/p", "http://localhost/", "discover"),
    ("/p", "http://localhost/projects/x", "direct"), ("/p", "http://localhost/projects/x?from=discover", "discover"),
    ("/p?from=search", "http://localhost/projects/x", "search"), ("/p", "https://www.example.net/a?from=search",
                                                                  "example.net"),
    ("/p?from=<script>", "", "direct"), ("/p?from=example.net", "", "example.net"), ("/p", "http://[", "direct")])
def test_the_source_of_a_pledge(app, client, project, path, referrer, source):
    with app.test_request_context(path, headers={"Referer": referrer}):
        context: dict = {}
        ears.on_pledge_form(None, project, context)
    assert context == {"source": source}


@pytest.mark.parametrize(("kind", "mimetype"), [("svg", "image/svg+xml"), ("png", "image/png")])
def test_the_qr_code_holds_the_whole_address_dark_on_white(app, client, link, kind, mimetype):
    answer = client.get(f"/s/{link.code}.{kind}")
    assert answer.status_code == 200 and answer.mimetype == mimetype
    assert answer.headers["Cache-Control"] == "public, max-age=86400" and "Set-Cookie" not in answer.headers
    assert answer.data == draw_qr(f"http://localhost/s/{link.code}", kind)
    assert segno.make(f"http://localhost/s/{link.code}", error="m", micro=False).matrix
    again = client.get(f"/s/{link.code}.{kind}", headers={"If-None-Match": answer.headers["ETag"]})
    assert again.status_code == 304 and not again.data
    assert count("share_visit") == 0


def test_nothing_of_it_is_lost_but_the_count_when_the_database_cannot_be_written(app, client, project, link, noor,
                                                                                database_url):
    sign_in(client, make_person())
    sign_in(other := app.test_client(), noor)
    for browser in (client, other):
        browser.get(f"/projects/{project.slug}/share")  # a session's first form is given its token: not ours to test
    name = db.session.execute(db.text("SELECT current_database()")).scalar()
    db.session.rollback()
    with psycopg.connect(database_url, autocommit=True) as admin:
        try:
            admin.execute(f"ALTER DATABASE {name} SET default_transaction_read_only = on")
            db.engine.dispose()
            assert open_link(client, link.code).status_code == 303
            for browser, path in ((client, f"/s/{link.code}.svg"), (client, f"/s/none/{project.slug}"),
                                  (client, f"/projects/{project.slug}/share"),
                                  (other, f"/projects/{project.slug}/share")):
                assert browser.get(path).status_code in (200, 303), path
        finally:
            admin.execute("SET default_transaction_read_only = off")
            admin.execute(f"ALTER DATABASE {name} RESET default_transaction_read_only")
            db.engine.dispose()
    assert count("share_visit") == 0 and count("share_link") == 1
