import csv
import io

import pytest
import sqlalchemy as sa
from flask_babel import force_locale

from core import audit
from core.db import db, transaction
from core.errors import BadInput, NotFound
from projects.models import ProjectState
from sharing import queries, services, settings, tags, visits
from tests.factories import analyze, csrf_token, make_member, make_person, make_project, sign_in
from tests.sharing.scenes import count, open_link


@pytest.fixture(autouse=True)
def fresh(app):
    visits.forget_here()
    queries._kept.clear()


@pytest.fixture
def project(app):
    return make_project()


@pytest.fixture
def organiser(client, project):
    person = make_member(project)
    sign_in(client, person)
    return person


def add(project, name, channel="", **more):
    with db.session.registry().no_autoflush:
        return tags.add_tag(project, name, channel, **more)


def post(client, project, part, **data):
    token = csrf_token(client, f"/projects/{project.slug}/recruits/tags/new")
    return client.post(f"/projects/{project.slug}/recruits/{part}", data={"csrf_token": token} | data)


def tally(tag, **columns):
    with transaction() as session:
        session.execute(sa.text(
            "INSERT INTO link_tally (link_id, project_id, n, is_person, visits, recruits, pledged, collected) "
            "SELECT id, project_id, n, false, :visits, :recruits, :pledged, :collected FROM share_link WHERE id = :link"),
            {"visits": 0, "recruits": 0, "pledged": 0, "collected": 0, "link": tag.link_id} | columns)


def everything(project, **question):
    return tags.tags_of(project.id, tags.Wanted(**question), 50)


# Rights first -------------------------------------------------------------------------------------------

PAGES = (("get", "tags"), ("get", "tags/new"), ("post", "tags/new"), ("post", "tags/many"), ("get", "tags/{code}"),
         ("post", "tags/{code}"), ("post", "tags/{code}/archival"), ("post", "tags/{code}/restoration"),
         ("get", "tags.csv"), ("get", "settings"), ("post", "settings"))


@pytest.mark.parametrize(("method", "part"), PAGES)
def test_tags_are_for_whoever_may_see_backers(app, client, project, method, part):
    """The creator and organisers; not collaborators, staff, backers, other creators or visitors."""
    from projects.models import MemberRole

    tag = add(project, "Poster in the hall")
    path = f"/projects/{project.slug}/recruits/{part.format(code=tag.code)}"
    collaborator = make_member(project, role=MemberRole.COLLABORATOR)
    assert getattr(client, method)(path, data={"csrf_token": csrf_token(client, "/login")} if method == "post" else None
                                   ).status_code == 302
    for person, good in ((project.creator, True), (make_member(project), True), (collaborator, False),
                         (make_person(is_staff=True), False), (make_person(), False), (make_project().creator, False)):
        browser = sign_in(app.test_client(), person)
        sent = {"csrf_token": csrf_token(browser, "/me/settings")} if method == "post" else None
        status = getattr(browser, method)(path, data=sent).status_code
        assert (status in (200, 303, 422)) if good else status == 403, (person.name, status)


@pytest.mark.parametrize(("method", "part"), [page for page in PAGES if "{code}" in page[1]])
def test_a_tag_of_another_project_and_a_persons_link_are_404(app, client, project, organiser, method, part):
    foreign = add(make_project(), "Poster in the hall")
    mine = services.link_of(organiser, project)
    token = csrf_token(client, f"/projects/{project.slug}/recruits/tags/new")
    for code in (foreign.code, mine.code, "K7QX4M2PBTRHA", "é", "%00", "none"):
        path = f"/projects/{project.slug}/recruits/{part.format(code=code)}"
        sent = {"csrf_token": token, "name": "Mine now"} if method == "post" else None
        assert getattr(client, method)(path, data=sent).status_code == 404, code
    assert tags.tag_of(foreign_project(foreign), foreign.code).name == "Poster in the hall"


def foreign_project(tag):
    return db.session.scalar(sa.text("SELECT project_id FROM share_tag WHERE link_id = :l"), {"l": tag.link_id})


@pytest.mark.parametrize("part", ["tags/new", "tags/many", "tags/{code}", "tags/{code}/archival", "settings"])
def test_nothing_changes_without_the_token_of_the_form(client, project, organiser, part):
    tag = add(project, "Poster in the hall")
    path = f"/projects/{project.slug}/recruits/{part.format(code=tag.code)}"
    assert client.post(path, data={"name": "Other", "lines": "Other", "counts": "first"}).status_code == 400
    assert count("share_tag") == 1 and tags.tag_of(project.id, tag.code) == tag and count("share_settings") == 0


def test_a_draft_is_hidden_from_strangers(app, client):
    draft = make_project(state=ProjectState.DRAFT, launched_at=None, fee_bp=None)
    sign_in(client, make_person())
    assert client.get(f"/projects/{draft.slug}/recruits/tags").status_code == 404


# Making -------------------------------------------------------------------------------------------------

def test_a_tag_is_a_link_that_leads_to_the_project_with_its_qr_code_and_poster(client, project, organiser):
    answer = post(client, project, "tags/new", name="  Poster in   the hall ", channel="Posters", word="hall",
                  utm_source="poster", utm_campaign="spring")
    tag = everything(project)[0][0]
    assert answer.status_code == 303 and answer.location.endswith(f"/recruits/tags/{tag.code}")
    assert (tag.name, tag.channel, tag.word, tag.utm) == (
        "Poster in the hall", "Posters", "hall", {"utm_source": "poster", "utm_campaign": "spring"})
    for said in (tag.code, "hall"):
        assert open_link(client.application.test_client(), said).location.startswith(f"/projects/{project.slug}")
        assert client.get(f"/s/{said}.svg").status_code == client.get(f"/s/{said}/poster.pdf").status_code == 200
    page = client.get(answer.location).get_data(as_text=True)
    assert "“Poster in the hall” has a link now." in page and "Log out" in page
    assert "localhost/s/hall" in page and f"/s/{tag.code}/poster.pdf" in page and f"/s/{tag.code}.png" in page
    assert [entry.action for entry in audit.entries("share_tag", tag.link_id)] == ["sharing:add_tag"]


@pytest.mark.parametrize(("field", "value", "said"), [
    ("name", "", "Give the tag a name"), ("name", " \t\u200f\n ".replace("\u200f", ""), "Give the tag a name"),
    ("name", "x" * 61, "at most 60"), ("channel", "x" * 41, "at most 40"), ("word", "x" * 61, "3 to 30"),
    ("word", "login", "for the site"), ("word", "nіght", "a to z"), ("utm_source", "x" * 101, "At most "),
    ("utm_content", "x" * 101, "At most ")])
def test_each_field_says_what_is_wrong_beside_it_and_nothing_typed_is_lost(client, project, organiser, field, value, said):
    sent = {"name": "Poster", "channel": "Hall of mirrors"} | {field: value}
    answer = post(client, project, "tags/new", **sent)
    page = answer.get_data(as_text=True)
    assert answer.status_code == 422 and said in page and (field == "channel" or "Hall of mirrors" in page)
    assert 'aria-invalid="true"' in page
    assert count("share_tag") == 0 and count("share_link") == 0


@pytest.mark.parametrize("name", ["Null\0byte", "Turn\u202eed", "\U0001f3b8 Łódź", "a'b\"c<d>&", "％", "x" * 60, "=1+1"])
def test_odd_names_are_kept_as_far_as_they_can_be_seen(client, project, organiser, name):
    assert post(client, project, "tags/new", name=name).status_code == 303
    tag = everything(project)[0][0]
    assert "\0" not in tag.name and "\u202e" not in tag.name and tag.name
    assert client.get(f"/projects/{project.slug}/recruits/tags").status_code == 200


def test_a_name_stands_once_in_a_channel_whatever_its_case(client, project, organiser):
    add(project, "Poster", "Hall")
    add(project, "Poster", "Town")
    answer = post(client, project, "tags/new", name="POSTER", channel="hall")
    assert answer.status_code == 422 and "in this channel already" in answer.get_data(as_text=True)
    assert count("share_tag") == 2


def test_many_lines_become_many_tags_all_or_none(client, project, organiser):
    answer = post(client, project, "tags/many", lines="Poster one;Posters\r\n\r\nNewsletter of May\tNewsletter;;\nBare\n")
    assert answer.status_code == 303
    assert sorted((tag.name, tag.channel) for tag in everything(project)[0]) == [
        ("Bare", ""), ("Newsletter of May", "Newsletter"), ("Poster one", "Posters")]
    for lines, said in (("", "Write one tag"), ("New;A\npóster two;B\nNEW;a", "One tag is there already: line 3, “NEW”"),
                        ("New\nposter ONE;posters", "already: line 2, “poster ONE”"), ("New\n;Posters", "Line 2"),
                        ("New\nc;d;e;f", "Line 2 has 4 parts"), ("New\nc\td\te", "Line 2 has 3 parts"), ("New\n" + "x" * 61, "Line 2"),
                        ("\n".join(f"n{n}" for n in range(501)), "At most 500"), ("y" * 70_000, "At most 500")):
        answer = post(client, project, "tags/many", lines=lines)
        assert answer.status_code == 422 and said in answer.get_data(as_text=True), said
    assert count("share_tag") == 3
    assert post(client, project, "tags/many", lines="\n".join(f"n{n}" for n in range(500))).status_code == 303
    [entry, *_rest] = audit.entries("project", project.id)
    assert entry.action == "sharing:add_tags" and entry.facts == {"count": 500} and entry.by_id == organiser.id


def test_when_the_limit_is_reached_it_is_said(client, project, organiser, monkeypatch):
    monkeypatch.setattr(tags, "MOST", 3)
    for n in range(2):
        add(project, f"Poster {n}")
    answer = post(client, project, "tags/many", lines="a\nb")
    assert answer.status_code == 409 and "room for one more" in answer.get_data(as_text=True)
    assert post(client, project, "tags/new", name="The last").status_code == 303
    answer = post(client, project, "tags/new", name="One more")
    assert answer.status_code == 409 and "which is the most" in answer.get_data(as_text=True)
    assert count("share_tag") == 3
    for part in ("tags", "tags/new"):
        assert "There are 3 tags, which is the most" in client.get(
            f"/projects/{project.slug}/recruits/{part}").get_data(as_text=True)


# Changing -----------------------------------------------------------------------------------------------

def test_a_tag_is_renamed_moved_and_keeps_its_link(client, project, organiser):
    tag = add(project, "Poster", "Hall", word="hall")
    add(project, "Taken", "Town")
    assert post(client, project, f"tags/{tag.code}", name="Taken", channel="town").status_code == 422
    assert post(client, project, f"tags/{tag.code}", name="").status_code == 422
    assert post(client, project, f"tags/{tag.code}", name="Taken", channel="town", word="other").status_code == 422
    assert tags.tag_of(project.id, tag.code) == tag  # a refusal changes nothing, the word neither
    assert post(client, project, f"tags/{tag.code}", name="Banner", channel="Town", utm_term="x").status_code == 303
    now = tags.tag_of(project.id, tag.code)
    assert (now.name, now.channel, now.word, now.utm) == ("Banner", "Town", None, {"utm_term": "x"})
    entry = audit.entries("share_tag", tag.link_id)[0]
    assert entry.action == "sharing:edit_tag" and entry.facts == {"changed": ["name", "channel", "utm"]}


def test_an_archived_tag_works_and_counts_and_is_not_in_the_list(client, project, organiser):
    tag = add(project, "Old poster")
    assert post(client, project, f"tags/{tag.code}/archival").status_code == 303
    assert post(client, project, f"tags/{tag.code}/archival").status_code == 303  # twice is once
    page = client.get(f"/projects/{project.slug}/recruits/tags").get_data(as_text=True)
    said, listed = page.split("<main")
    assert "“Old poster” is out of the list." in said and "Old poster" not in listed and "One archived" in listed
    assert "Old poster" in client.get(f"/projects/{project.slug}/recruits/tags?archived=1").get_data(as_text=True)
    assert open_link(client.application.test_client(), tag.code).status_code == 303 and count("share_visit") == 1
    assert post(client, project, f"tags/{tag.code}/restoration").status_code == 303
    assert [row.name for row in everything(project)[0]] == ["Old poster"]
    assert [e.action for e in audit.entries("share_tag", tag.link_id)] == [
        "sharing:restore_tag", "sharing:archive_tag", "sharing:add_tag"]


# Reading ------------------------------------------------------------------------------------------------

def test_the_list_shows_folders_with_what_they_brought(client, project, organiser):
    for n, (name, channel) in enumerate((("Hall", "Posters"), ("Shop", "posters"), ("May", "Newsletter"), ("Bare", ""))):
        tally(add(project, name, channel), visits=10 * n, recruits=n, pledged=1_000 * n, collected=500 * n)
    page = client.get(f"/projects/{project.slug}/recruits/tags").get_data(as_text=True)
    assert "Your tags brought €90." in page and "Without a channel" in page and "Log out" in page
    assert [(c.name, c.tags, c.visits, c.recruits, c.pledged, c.collected) for c in tags.channels_of(project.id)] == [
        ("", 1, 30, 3, 3_000, 1_500), ("Newsletter", 1, 20, 2, 2_000, 1_000), ("Posters", 2, 10, 1, 1_000, 500)]
    page = client.get(f"/projects/{project.slug}/recruits/tags?channel=posters").get_data(as_text=True)
    assert "Hall" in page and "Shop" in page and ">May<" not in page
    assert [t.name for t in everything(project, sort="money")[0]] == ["Bare", "May", "Shop", "Hall"]
    assert [t.name for t in everything(project, q="OST")[0]] == ["Hall", "Shop"]
    assert [t.name for t in everything(project, q="%")[0]] == [] == [t.name for t in everything(project, q="_")[0]]


@pytest.mark.parametrize("question", ["?page=0", "?page=x", "?page=99999999", "?q=" + "x" * 101, "?channel=" + "x" * 41])
def test_what_cannot_be_asked_is_a_sentence(client, project, organiser, question):
    add(project, "Poster")
    assert client.get(f"/projects/{project.slug}/recruits/tags{question}").status_code == 422


@pytest.mark.parametrize("question", ["?page=2", "?q=%00", "?q=é%25_", "?sort=evil", "?channel=", "?channel=%00", "?archived=7",
                                      "?q=K7QX4M2PBTRHA", "?sort=new", "?sort=visits&q=a"])
def test_odd_questions_are_answered(client, project, organiser, question):
    add(project, "Poster")
    assert client.get(f"/projects/{project.slug}/recruits/tags{question}").status_code == 200


def test_the_sheet_holds_every_tag_and_no_formula(client, project, organiser):
    tag = add(project, "=cmd|'/c calc'!A0", "+Posters", utm={"utm_source": "@x"}, word="hall")
    tally(tag, visits=3, recruits=1, pledged=2_550, collected=0)
    tags.archive_tag(project, add(project, "Old"), None)
    answer = client.get(f"/projects/{project.slug}/recruits/tags.csv")
    assert answer.headers["Content-Disposition"].startswith(f'attachment; filename="{project.slug}-tags-')
    rows = list(csv.DictReader(io.StringIO(answer.get_data(as_text=True))))
    [row] = [row for row in rows if row["Word"] == "hall"]
    assert len(rows) == 2 and row["Name"] == "'=cmd|'/c calc'!A0" and row["Channel"] == "'+Posters"
    assert row["Link"] == "http://localhost/s/hall" and row["Pledged"] == "25.50" and row["utm_source"] == "'@x"
    assert [row["Archived at (UTC)"] != "" for row in rows].count(True) == 1


def test_of_twenty_thousand_tags_a_page_is_read_at_a_time(app, client, project, organiser):
    with transaction() as session:
        session.execute(sa.text("INSERT INTO share_link (code, project_id) SELECT 'T' || n, :p FROM generate_series(1, 20000) n"),
                        {"p": project.id})
        analyze(session, "share_link")  # else each key check below reads the whole table
        session.execute(sa.text("""
            INSERT INTO share_tag (link_id, project_id, name, channel)
            SELECT id, project_id, 'Poster ' || code, 'Channel ' || (substr(code, 2)::int % 300) FROM share_link"""))
        session.execute(sa.text("""
            INSERT INTO link_tally (link_id, project_id, n, is_person, visits)
            SELECT id, project_id, n, false, n FROM share_link"""))
        analyze(session, "share_tag", "link_tally")
    for question in ("", "?page=400", "?q=T1999", "?sort=visits", "?channel=Channel+7"):
        answer = client.get(f"/projects/{project.slug}/recruits/tags{question}")
        assert answer.status_code == 200
        assert 0 < answer.get_data(as_text=True).count('class="at-acts" role="cell"') <= 50
    with pytest.raises(tags.Full), force_locale("en"):
        tags.add_tag(project, "One too many")
    assert answer_text(client, project).count("There are 20,000 tags, which is the most") == 1


def answer_text(client, project):
    return client.get(f"/projects/{project.slug}/recruits/tags").get_data(as_text=True)


# Settings -----------------------------------------------------------------------------------------------

def test_the_project_chooses_which_touch_counts_and_whether_there_is_a_ranking(client, project, organiser):
    assert settings.settings_of(project.id) == settings.Settings("last", True)
    path = f"/projects/{project.slug}/recruits/settings"
    page = client.get(path).get_data(as_text=True)
    assert "first link" in page and "last link" in page and count("share_settings") == 0
    for bad in ({}, {"counts": "both"}, {"counts": "last' OR 1"}):
        assert post(client, project, "settings", **bad).status_code == 422
    assert post(client, project, "settings", counts="first").status_code == 303
    assert settings.settings_of(project.id) == settings.Settings("first", False)
    assert post(client, project, "settings", counts="first").status_code == 303  # twice is one change
    [entry] = audit.entries("project", project.id)
    assert entry.facts == {"before": ["last", True], "after": ["first", False]} and entry.by_id == organiser.id


# The command --------------------------------------------------------------------------------------------

def test_the_command_lists_tags_and_adds_one(app, flask, project):
    slug = project.slug
    db.session.rollback()
    made = flask("sharing", "tags", slug, "--add", "Poster in the hall", "--channel", "Posters", "--word", "hall").stdout
    assert made.strip().endswith("/s/hall")
    listed = flask("sharing", "tags", slug).stdout
    assert "Posters  Poster in the hall" in listed and "1 tags." in listed


def test_a_tag_that_is_not_there_is_a_sentence(app, project):
    with pytest.raises(NotFound):
        tags.tag_of(project.id, "K7QX4M2PBTRHA")
    with pytest.raises(BadInput):
        settings.decide(project, "both", True, None)
