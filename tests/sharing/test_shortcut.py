"""The short links' way past Flask, and what a browser that asks not to be followed gets instead."""

import pytest

from core.db import db, transaction
from projects.models import ProjectState
from sharing import ears, queries, services, shortcut, visits
from sharing.models import ShareLink, ShareWord
from tests.factories import csrf_token, make_person, make_project, make_reward, sign_in
from tests.sharing.scenes import FIREFOX, count, open_link

GPC, DNT = {"Sec-GPC": "1"}, {"DNT": "1"}


@pytest.fixture(autouse=True)
def fresh(app):
    visits.forget_here()
    queries._kept.clear()


@pytest.fixture
def link(app):
    return services.link_of(make_person("Noor Bakker"), make_project())


@pytest.fixture
def behind(app, monkeypatch):
    """What Flask itself is asked for."""
    asked, front = [], app.wsgi_app
    assert isinstance(front, shortcut.ShortLinks)
    inner = front.inner
    monkeypatch.setattr(front, "inner", lambda environ, start: asked.append(environ["PATH_INFO"]) or inner(environ, start))
    return asked


def test_a_visitor_is_answered_in_front_of_flask_with_all_headers_and_no_statement_the_second_time(app, client, link, behind):
    first = open_link(client, link.code)
    second = open_link(app.test_client(), link.code)
    assert behind == [] and (first.status_code, first.location) == (303, f"/projects/{link.project.slug}")
    slow = client.get("/privacy")
    for name in ("Content-Security-Policy", "X-Content-Type-Options", "Referrer-Policy", "Cross-Origin-Opener-Policy",
                 "Permissions-Policy"):
        assert second.headers[name] == slow.headers[name]
    assert second.headers["Cache-Control"] == "no-store" and second.headers["X-Request-Id"]
    assert [h.split(";")[0][:4] for h in second.headers.getlist("Set-Cookie")] == ["via="]


@pytest.mark.parametrize(("method", "agent", "headers"), [
    ("HEAD", FIREFOX, {}), ("GET", "Googlebot/2.1", {}), ("GET", FIREFOX, {"Sec-Purpose": "prefetch"}), ("GET", "", {}),
    ("GET", FIREFOX, {"Host": "evil.example"}), ("GET", FIREFOX, {"signed": "in"})])
def test_whatever_is_odd_goes_on_to_flask_and_is_not_counted(client, link, behind, method, agent, headers):
    if headers == {"signed": "in"}:
        sign_in(client, link.person)
    client.open(f"/s/{link.code}", method=method, headers={"User-Agent": agent, **headers})
    assert behind == [f"/s/{link.code}"] and count("share_visit") == 0


def test_ten_thousand_replayed_hits_of_one_client_are_one_visit(app, link):
    client = app.test_client()
    for _ in range(100):  # each through the whole answer; the rest straight to the counter
        assert open_link(client, link.code).status_code == 303
    found = queries.find_link(link.code)
    assert not any(visits.note_visit(found, "127.0.0.1", FIREFOX, {}) for _ in range(9_900))
    assert count("share_visit") == 1


@pytest.mark.parametrize("typed", ["night-train", "Night-Train", "NIGHT-TRAIN"])
def test_a_word_leads_where_its_code_leads(client, link, typed):
    with transaction() as session:
        session.add(ShareWord(word="night-train", link_id=link.id, project_id=link.project_id))
    assert open_link(client, typed).location == f"/projects/{link.project.slug}"
    assert count("share_visit") == 1


@pytest.mark.parametrize("word", ["none", "night-trai", "-night", "night--train", "näght", "%00night", "a" * 31, "..", "%2F", "s"])
def test_a_word_that_is_none_is_a_clear_404(client, word):
    answer = open_link(client, word)
    assert answer.status_code == 404 and "/discover" in answer.get_data(as_text=True)


def test_a_project_that_is_no_longer_public_is_a_clear_404(client, link):
    with transaction():
        link.project.state = ProjectState.DRAFT
    assert open_link(client, link.code).status_code == 404


@pytest.mark.parametrize("headers", [GPC, DNT])
def test_a_browser_that_asks_not_to_be_followed_gets_the_code_in_the_address_and_nothing_is_kept(client, link, headers):
    answer = open_link(client, link.code, **headers)
    assert (answer.status_code, answer.location) == (303, f"/projects/{link.project.slug}?via={link.code}")
    assert "Set-Cookie" not in answer.headers and count("share_visit") == 0 and count("visit_salt") == 0


def test_the_code_goes_along_to_the_pledge_form_and_only_there(app, client, link):
    make_reward(link.project)
    page = client.get(f"/projects/{link.project.slug}?via={link.code}", headers=GPC).get_data(as_text=True)
    assert "Noor sent you" in page
    assert f"/projects/{link.project.slug}/pledge?via={link.code}" in page
    assert f"/discover?via={link.code}" not in page
    clean = client.get(f"/projects/{link.project.slug}").get_data(as_text=True)  # not the page of somebody else
    assert "via=" not in clean and "sent you" not in clean
    away = client.get(f"/s/none/{link.project.slug}?via={link.code}", headers=GPC)
    assert away.location == f"/projects/{link.project.slug}" and "Set-Cookie" not in away.headers


def test_a_pledge_by_the_code_in_the_address_is_credited_without_any_memory(app, client, stripe, link):
    fan = make_person()
    sign_in(client, fan)
    form = f"/projects/{link.project.slug}/pledge?via={link.code}"
    token = csrf_token(client, form)
    page = client.get(form, headers=GPC).get_data(as_text=True)
    said = {"csrf_token": token, "token": page.split('name="token" value="')[1].split('"')[0], "reward": "", "other": "12"}
    answer = client.post(form, data=said, headers=GPC)
    assert answer.status_code == 303, answer.get_data(as_text=True)[:500]
    assert db.session.execute(db.text("SELECT ref, source FROM pledge")).one() == (link.code, "share")
    assert count("share_touch") == 0


@pytest.mark.parametrize(("headers", "source"), [({}, "example.net"), (GPC, "direct"), (DNT, "direct")])
def test_where_a_visitor_came_from_is_kept_only_of_those_who_let_it(app, client, stripe, link, headers, source):
    sign_in(client, make_person())
    form = f"/projects/{link.project.slug}/pledge"
    token = csrf_token(client, form)
    page = client.get(form, headers=headers | {"Referer": "https://example.net/news"}).get_data(as_text=True)
    said = {name: page.split(f'name="{name}" value="')[1].split('"')[0] for name in ("token", "from")
            if f'name="{name}" value="' in page}
    answer = client.post(form, data=said | {"csrf_token": token, "reward": "", "other": "12"},
                         headers=headers | {"Referer": "https://example.net/news"})
    assert answer.status_code == 303
    assert db.session.scalar(db.text("SELECT source FROM pledge")) == source


def test_what_an_account_remembers_from_other_days_is_left_alone_too(app, client, link):
    fan = make_person()
    open_link(client, link.code)
    with app.test_request_context(headers={"Cookie": f"via={client.get_cookie('via').value}"}):
        ears.on_sign_in(fan)
    for headers, known in (({}, link.code), (GPC, None)):
        with app.test_request_context(headers=headers):
            context: dict = {}
            ears.on_pledge_form(fan, link.project, context)
        assert context.get("ref") == known
    with app.test_request_context(method="POST", headers=GPC):
        ears.on_pledge_form(fan, link.project, {"ref": None})
    assert count("share_touch") == 0


def test_marks_are_kept_from_the_link_the_tag_and_the_projects_own_address(app, client, link):
    from tests.sharing.test_tallies import make_tag

    tag = make_tag(link.project)

    def memory():
        with app.test_request_context(headers={"Cookie": f"via={client.get_cookie('via').value}"}):
            return ears.remembered()[link.project_id]

    client.get(f"/s/{link.code}?utm_source=news%00letter&utm_campaign={'x' * 99}&utm_odd=1", headers={"User-Agent": FIREFOX})
    assert memory().utm == {"utm_source": "newsletter", "utm_campaign": "x" * 60}
    open_link(client, tag.code)
    assert memory().utm == {"utm_source": "poster"} and memory().last.code == tag.code
    answer = client.get(f"/projects/{link.project.slug}?utm_source=hall&from=search&utm_term=", headers={"User-Agent": FIREFOX})
    assert (answer.status_code, answer.location) == (303, f"/projects/{link.project.slug}?from=search")
    assert memory().utm == {"utm_source": "hall"} and memory().first.code == link.code
    declined = client.get(f"/projects/{link.project.slug}?utm_source=hall", headers={"User-Agent": FIREFOX, **GPC})
    assert declined.location == f"/projects/{link.project.slug}" and "Set-Cookie" not in declined.headers
    assert client.get("/projects/nowhere?utm_source=x").status_code == 404


def test_links_of_hosts_that_are_not_ours_are_refused_as_everywhere(client, link):
    assert client.get(f"/s/{link.code}", headers={"User-Agent": FIREFOX, "Host": "evil.example"}).status_code == 400


def test_a_link_that_was_made_a_minute_ago_works_at_once_although_it_was_asked_for_before(client, app):
    code = services.make_code()
    assert open_link(client, code).status_code == 404
    with transaction() as session:
        session.add(ShareLink(code=code, project_id=make_project().id))
    assert open_link(client, code).status_code == 303
