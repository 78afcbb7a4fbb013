"""The organiser's desk over HTTP: who may look, what is found, what is written down."""

import csv
import io

import pytest

from projects.models import MemberRole, ProjectState
from tests.factories import (
    csrf_token,
    make_member,
    make_person,
    make_pledge,
    make_project,
    make_reward,
    scalar,
    sign_in,
)


@pytest.fixture
def project(app):
    project = make_project(title="Nachttrein")
    cd, meet = make_reward(project, title="Signed CD"), make_reward(project, 15_000, 20, title="Meet & greet")
    noor = make_person("Noor Bakker", email="noor@example.org")
    make_pledge(project, noor, cd)
    make_pledge(project, make_person("Żaneta 日本", email="zaneta@example.net"), meet, recruiter=noor)
    make_pledge(project, make_person("Mo 100%_real"), cd, state="errored", bonus=100)
    make_pledge(project, make_person("Gone Girl"), None, state="cancelled")
    make_pledge(project, make_person("Held Back"), cd, state="held")
    return project


@pytest.fixture
def desk(client, project):
    sign_in(client, project.creator)

    def get(**args):
        answer = client.get(f"/projects/{project.slug}/backers", query_string=args)
        return answer.status_code, answer.get_data(as_text=True)

    return get


def numbers(page):
    import re

    return [int(n) for n in re.findall(r'<td class="num soft" role="cell">(\d+)</td>', page)]


@pytest.mark.parametrize(("who", "status"), [
    ("nobody", 302), ("stranger", 403), ("backer", 403), ("collaborator", 403), ("staff", 403), ("organiser", 200),
    ("creator", 200), ("other creator", 403)])
def test_only_the_creator_and_organisers_see_and_take_the_list(client, project, who, status):
    person = {"nobody": lambda: None, "stranger": make_person, "creator": lambda: project.creator,
              "backer": lambda: make_pledge(project).backer, "staff": lambda: make_person(is_staff=True),
              "other creator": lambda: make_project().creator, "organiser": lambda: make_member(project),
              "collaborator": lambda: make_member(project, role=MemberRole.COLLABORATOR)}[who]()
    if person:
        sign_in(client, person)
    page = client.get(f"/projects/{project.slug}/backers")
    assert page.status_code == status
    assert ("noor@example.org" in page.get_data(as_text=True)) == (status == 200)
    if status == 200:
        return
    client.application.config["WTF_CSRF_ENABLED"] = False
    try:
        taken = client.post(f"/projects/{project.slug}/backers/export", data={"format": "csv"})
    finally:
        client.application.config["WTF_CSRF_ENABLED"] = True
    assert taken.status_code == status
    assert scalar("SELECT count(*) FROM export_log") == 0


def test_an_export_is_written_down_and_kept_by_nobody(client, project):
    organiser = make_member(project)
    sign_in(client, organiser)
    token = csrf_token(client, f"/projects/{project.slug}/backers")
    answer = client.post(f"/projects/{project.slug}/backers/export", data={"csrf_token": token, "format": "csv"})
    assert answer.status_code == 200
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.headers["Content-Type"] == "text/csv; charset=utf-8"
    assert answer.headers["Content-Disposition"].startswith(f'attachment; filename="{project.slug}-backers-20')
    body = answer.get_data()
    assert not body.startswith(b"\xef\xbb\xbf")
    rows = list(csv.DictReader(io.StringIO(body.decode())))
    assert [row["Name"] for row in rows] == ["Noor Bakker", "Żaneta 日本", "Mo 100%_real", "Gone Girl"]
    assert scalar("SELECT person_id FROM export_log") == organiser.id
    assert scalar("SELECT format || ' ' || rows FROM export_log WHERE finished_at >= started_at") == "csv 4"
    book = client.post(f"/projects/{project.slug}/backers/export", data={"csrf_token": token, "format": "xlsx"})
    assert book.status_code == 200 and book.get_data()[:2] == b"PK"
    assert book.headers["Content-Disposition"].endswith('.xlsx"')


def test_without_a_token_or_with_an_unknown_format_nothing_leaves(client, project):
    sign_in(client, project.creator)
    token = csrf_token(client, f"/projects/{project.slug}/backers")
    where = f"/projects/{project.slug}/backers/export"
    assert client.post(where, data={"format": "csv"}).status_code == 400
    for wrong in ("pdf", "", "ndjson", "../x"):
        assert client.post(where, data={"csrf_token": token, "format": wrong}).status_code == 422
    assert client.get(where).status_code == 405
    assert scalar("SELECT count(*) FROM export_log") == 0


def test_ten_exports_an_hour_are_enough(client, project):
    sign_in(client, project.creator)
    token = csrf_token(client, f"/projects/{project.slug}/backers")
    where, data = f"/projects/{project.slug}/backers/export", {"csrf_token": token, "format": "csv"}
    assert {client.post(where, data=data).status_code for _ in range(10)} == {200}
    assert client.post(where, data=data).status_code == 429


def test_the_list_shows_everybody_who_ever_counted_and_no_hold(desk):
    status, page = desk()
    assert status == 200 and numbers(page) == [4, 3, 2, 1]
    assert "3 backers" in page and "1 more cancelled" in page
    assert "Held Back" not in page and "Żaneta 日本" in page


@pytest.mark.parametrize(("args", "found"), [
    ({"q": "noor"}, [1]), ({"q": "NET"}, [2]), ({"q": "日本"}, [2]), ({"q": "#3"}, [3]), ({"q": "100%_"}, [3]),
    ({"q": "%"}, [3]), ({"q": "_"}, [3]), ({"q": "\\"}, []), ({"q": "'; DROP TABLE pledge; --"}, []),
    ({"status": "errored"}, [3]), ({"status": "cancelled"}, [4]), ({"reward": "none"}, [4]), ({"brought": "1"}, [1]),
    ({"brought": "1", "status": "cancelled"}, []), ({"q": "example", "status": "pledged"}, [2, 1]),
    ({"sort": "number"}, [1, 2, 3, 4]), ({"sort": "-amount"}, [2, 3, 4, 1]), ({"sort": "pledged"}, [1, 2, 3, 4]),
    ({"q": "99999999999999999999"}, [])])
def test_filters_find_what_they_name(desk, args, found):
    status, page = desk(**args)
    assert status == 200
    assert numbers(page) == found
    assert found or "Nobody found" in page


def test_a_reward_is_a_filter_and_a_limited_one_a_segment(desk, project):
    meet = scalar("SELECT id FROM reward WHERE title = 'Meet & greet'")
    status, page = desk(reward=str(meet))
    assert status == 200 and numbers(page) == [2]
    assert "Meet &amp; greet <span class=\"count\">1</span>" in page


@pytest.mark.parametrize("args", [
    {"status": "banana"}, {"status": "held"}, {"reward": "x"}, {"reward": "01a20015-6296-73dc-8ca9-e6a33237f5de"},
    {"sort": "name"}, {"page": "0"}, {"page": "-1"}, {"page": "x"}, {"page": "2"}, {"page": "9" * 40}, {"q": "\x00"},
    {"q": "x" * 201}])
def test_what_cannot_be_asked_is_said_and_finds_nobody(desk, args):
    status, page = desk(**args)
    assert status == 422
    assert "This cannot be searched for" in page and not numbers(page)


def test_fifty_on_a_page_and_the_pager_leads_on(desk, project):
    for _ in range(60):
        make_pledge(project)
    _status, page = desk()
    assert len(numbers(page)) == 50 and "1 to 50 of 64" in page and 'rel="next"' in page
    _status, page = desk(page="2")
    assert numbers(page) == list(range(14, 0, -1)) and "51 to 64 of 64" in page and 'rel="prev"' in page


def test_no_backers_yet_is_drawn(client, app):
    for state in (ProjectState.LIVE, ProjectState.DRAFT):
        project = make_project(state=state)
        sign_in(client, project.creator)
        page = client.get(f"/projects/{project.slug}/backers").get_data(as_text=True)
        assert "No backers yet" in page and 'class="empty' in page and "/export" not in page


def test_a_name_with_markup_stays_a_name(desk, project):
    make_pledge(project, make_person("<script>alert(1)</script>"))
    assert "<script>alert(1)" not in desk()[1]


def test_the_tab_is_for_those_who_may_open_it(client, project):
    sign_in(client, make_member(project, role=MemberRole.COLLABORATOR))
    page = client.get(f"/projects/{project.slug}/dashboard").get_data(as_text=True)
    assert f"/projects/{project.slug}/backers" not in page
