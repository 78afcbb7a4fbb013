import csv
import io
import re
from uuid import uuid4

import pytest
import sqlalchemy as sa

from backing.models import Pledge, PledgeState
from core import clock
from core.db import db, transaction
from projects.models import Project, ProjectState
from sharing import drawing, ranking, reports, services, settings, tags, tallies, touches, tree
from sharing.cookie import Via
from sharing.reports import Came
from tests.factories import csrf_token, make_member, make_person, make_project, sign_in, square
from tests.sharing.scenes import dispute, make_pledge, refund


@pytest.fixture
def grown(app):
    """Noor brought Mo and Els, Mo brought Ravi, Ravi brought Puck; Els has the same result as nobody."""
    project = make_project()
    people = {name: make_person(f"{name} Tree") for name in ("Noor", "Mo", "Els", "Ravi", "Puck")}
    above = {"Noor": None, "Mo": "Noor", "Els": "Noor", "Ravi": "Mo", "Puck": "Ravi"}
    for name, by in above.items():
        make_pledge(project, people[name], 1_000, ref=services.link_of(people[by], project).code if by else None)
    tallies.roll_up()
    return project, people


def plain(page):
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", "", page))


def named(person, project):
    with transaction() as session:
        session.execute(sa.text("UPDATE share_link SET is_named = true WHERE person_id = :p AND project_id = :q"),
                        {"p": person.id, "q": project.id})


def test_the_tree_counts_direct_and_further_friends_and_money(grown):
    project, people = grown
    link = services.link_of(people["Noor"], project)
    sums = tree.sums(link.id)
    assert (sums.recruits, sums.further_recruits, sums.all_pledged, sums.all_collected) == (2, 2, 4_000, 0)
    steps = tree.trail(project.id, link.id)[-1].generations
    assert [(g.number, g.people, g.pledged) for g in steps] == [(1, 2, 2_000), (2, 1, 1_000), (3, 1, 1_000)]
    assert tree.own_trail(project.id, people["Noor"].id)[-1].generations == steps
    found, more = tree.children(link.id)
    assert len(found) == 2 and not more and [len(node.children) for node in found] == [1, 0]


def test_names_of_friends_friends_show_only_with_consent_and_nobody_opens_another_ones_tree(client, grown):
    project, people = grown
    mo, noor, ravi = (services.link_of(people[n], project).id for n in ("Mo", "Noor", "Ravi"))
    path = f"/projects/{project.slug}/tree"
    above = sign_in(client.application.test_client(), people["Noor"])
    page = above.get(path).text
    assert "Mo" in page, "whom she brought herself: the form told them so"
    assert "Ravi" not in page and "Ravi" not in above.get(f"{path}?at={mo}").text and "a backer" in page
    sign_in(client, people["Mo"])
    assert "Ravi" in client.get(path).text
    named(people["Ravi"], project)
    assert "Ravi" in above.get(path).text
    assert client.get(f"/projects/{project.slug}/tree?at={ravi}").status_code == 200
    for foreign in (noor, services.link_of(people["Els"], project).id, uuid4()):
        assert client.get(f"/projects/{project.slug}/tree?at={foreign}").status_code == 404
    assert client.get(f"/projects/{project.slug}/tree?at={mo}").status_code == 200


def test_whom_somebody_brought_and_who_came_by_those_stand_apart_in_the_tree(client, grown):
    project, people = grown
    sign_in(client, project.creator)
    page = client.get(f"/projects/{project.slug}/recruits/tree").text
    picture, words = page[page.index("<svg class=\"tree-pic"):page.index("<ul class=\"tree\"")], plain(page[page.index("<ul class=\"tree\""):])
    assert "brought 2 + 2" in picture and "brought 1 + 1" in picture and "3 came by that link itself" in picture
    assert "brought 2, and 2 more by them" in words and "brought 1, and 1 more by them" in words and "brought 4" not in page
    ravi = services.link_of(people["Ravi"], project).id
    last = client.get(f"/projects/{project.slug}/recruits/tree?at={ravi}").text
    assert "brought 1" in last and " + " not in last[last.index("<svg class=\"tree-pic"):] and "came by that link" not in last


def test_ones_own_tree_knows_who_sent_oneself_and_whom_one_brought_by_first_name_and_no_tag(client, grown):
    project, people = grown
    mo, ravi = (services.link_of(people[n], project).id for n in ("Mo", "Ravi"))
    path = f"/projects/{project.slug}/tree"
    below = sign_in(client.application.test_client(), people["Mo"])
    page = plain(below.get(path).text)
    assert "Noor brought you" in page, "whose link said so"
    assert "Ravi brought 1." in plain(below.get(f"{path}?at={ravi}").text)
    last = sign_in(client.application.test_client(), people["Puck"])
    assert "Noor" not in last.get(path).text and "Mo" not in last.get(path).text
    above = sign_in(client.application.test_client(), people["Noor"])
    assert "Mo brought 1, and they brought 1 more." in plain(above.get(f"{path}?at={mo}").text)
    assert "Ravi" not in above.get(f"{path}?at={ravi}").text, "who is a friend of a friend"
    with transaction():
        tag = tags.add_tag(project, "Secret plan of ours")
    els = make_person("Els Tagged")
    make_pledge(project, els, ref=tag.code)
    make_pledge(project, ref=services.link_of(els, project).code)
    tallies.roll_up()
    page = plain(sign_in(client.application.test_client(), els).get(path).text)
    assert "You brought 1." in page and "Secret plan" not in page and "brought you" not in page


def test_equals_share_a_place_and_the_next_counts_all_before_it(grown):
    project, people = grown
    assert [(row.place, row.recruits, row.name) for row in ranking.rows(project.id, None)] == [(1, 2, None), (2, 1, None), (2, 1, None)]
    place = ranking.place_of(project.id, services.link_of(people["Ravi"], project).id, None, 3)
    assert (place.place, place.of_all, place.equals) == (2, 3, 1)
    week = ranking.weeks_of(project)[1]
    assert [row.place for row in ranking.rows(project.id, week)] == [1, 2, 2]
    assert ranking.read_week(week.key) == week and ranking.read_week("2026-W60") is None


def test_the_ranking_page_is_public_unless_the_project_hides_it(client, grown):
    project, people = grown
    assert client.get(f"/projects/{project.slug}/ranking").status_code == 200
    for bad in ("2026-W99", "x", "1999-W01", "9999-W01"):
        assert client.get(f"/projects/{project.slug}/ranking?week={bad}").status_code == 404
    sign_in(client, people["Puck"])
    assert "You have no place yet" in client.get(f"/projects/{project.slug}/ranking").text
    with transaction() as session:
        session.execute(sa.text("INSERT INTO share_settings (project_id, has_ranking) VALUES (:p, false)"), {"p": project.id})
    assert client.get(f"/projects/{project.slug}/ranking").status_code == 404


def test_each_breakdown_adds_up_to_the_same(grown):
    project, _people = grown
    report = reports.read(project.id)
    assert report.all.recruits == 4 and report.all.pledged == 4_000
    assert reports.total(report.by_day.values()) == report.all == reports.total(report.by_generation.values())
    lines = reports.by_channel(project.id)
    assert report.people + reports.total(line.came for line in lines) == report.all
    assert reports.total(one.came for one in reports.best(project.id)) == report.people
    assert report.onward(1) == 0.5


def test_what_went_back_is_taken_off_both_sides_of_the_share_of_the_money(client, grown):
    project, people = grown
    pledges = {pledge.backer_id: pledge for pledge in db.session.scalars(sa.select(Pledge).filter_by(project_id=project.id))}
    with transaction() as session:
        for pledge in pledges.values():
            pledge.state = PledgeState.COLLECTED
        session.execute(sa.text("UPDATE project_total SET backers = 5, raised = 5000 WHERE project_id = :p"), {"p": project.id})
    refund(pledges[people["Mo"].id], 400)
    dispute(pledges[people["Puck"].id], 1_000)
    dispute(pledges[people["Noor"].id], 600)
    tallies.roll_up()
    all_ = reports.read(project.id).all
    assert (all_.recruits, all_.collected, all_.refunded) == (3, 2_600, 1_400)
    assert reports.standing(project.id) == (4, 3_000)
    sign_in(client, make_member(project))
    page = plain(client.get(f"/projects/{project.slug}/recruits").text)
    assert "3 of 4 backers" in page and "86.7%" in page and "€14 " in page + " "
    token = csrf_token(client, f"/projects/{project.slug}/recruits")
    rows = list(csv.DictReader(io.StringIO(client.post(f"/projects/{project.slug}/recruits/export", data={
        "csrf_token": token, "what": "pledges", "format": "csv"}).text)))
    assert sorted(row["Refunded"] for row in rows) == ["0.00", "0.00", "10.00", "4.00"]


def test_marks_of_an_address_that_was_nobodys_link_have_a_table_of_their_own(app, flask, client):
    project = make_project()
    marks = {"utm_campaign": "Spring <3", "utm_source": "paper", "utm_medium": "print"}
    with transaction():
        tag = tags.add_tag(project, "Poster", utm={"utm_source": "wall"})
    for amount, state, utm, link in ((1_000, "pledged", marks, None), (2_000, "collected", marks | {"utm_term": "x"}, None),
                                     (4_000, "dropped", marks, None), (700, "pledged", {"utm_source": "=radio"}, None),
                                     (500, "pledged", {}, None), (900, "pledged", marks, tag.code)):
        fan = make_person()
        touches.carry(fan.id, {project.id: Via().marked(utm, clock.now())}, 30)
        make_pledge(project, fan, amount, state=PledgeState(state), ref=link)
    refund(next(p for p in db.session.scalars(sa.select(Pledge)) if p.amount == 2_000), 300)
    assert [(line.campaign, line.source, line.medium, line.came) for line in reports.by_marks(project.id)] == [
        ("Spring <3", "paper", "print", Came(0, 2, 1_000, 1_700, 4_000, 300)), ("", "=radio", "", Came(0, 1, 700))]
    assert len(reports.by_marks(project.id, 1)) == 1
    page = sign_in(client, make_member(project)).get(f"/projects/{project.slug}/recruits").text
    assert "Spring &lt;3" in page and "paper, print" in plain(page) and "=radio" in page
    slug = project.slug
    db.session.rollback()
    rows = list(csv.DictReader(io.StringIO(flask("sharing", "report", slug, "--by", "utm", "--format", "csv").stdout)))
    assert [(row["Campaign"], row["Source"], row["Medium"], row["Recruits"], row["Collected"]) for row in rows] == [
        ("Spring <3", "paper", "print", "2", "17.00"), ("", "'=radio", "", "1", "0.00")]
    table = flask("sharing", "report", slug).stdout
    assert "UTM Spring <3, paper, print: 2 pledges, €27.00" in table and "UTM =radio: 1 pledges, €7.00" in table


def test_the_organiser_sees_the_report_and_the_tree_and_takes_the_lists(client, grown):
    project, _people = grown
    sign_in(client, make_member(project))
    at = f"/projects/{project.slug}/recruits"
    assert client.get(at).status_code == 200 and client.get(f"{at}/tree").status_code == 200
    token = csrf_token(client, at)
    for what, rows in (("recruiters", 3), ("pledges", 4)):
        answer = client.post(f"{at}/export", data={"csrf_token": token, "what": what, "format": "csv"})
        assert len(list(csv.DictReader(io.StringIO(answer.text)))) == rows
        assert client.post(f"{at}/export", data={"csrf_token": token, "what": what, "format": "xlsx"}).data[:2] == b"PK"
    assert db.session.scalar(sa.text("SELECT count(*) FROM audit_entry WHERE action LIKE 'sharing:export_%'")) == 8
    sign_in(other := client.application.test_client(), make_person())
    mine = csrf_token(other, f"/projects/{project.slug}/share")
    assert other.post(f"{at}/export", data={"csrf_token": mine, "what": "pledges", "format": "csv"}).status_code == 403
    for _ in range(6):
        client.post(f"{at}/export", data={"csrf_token": token, "what": "pledges", "format": "csv"})
    assert client.post(f"{at}/export", data={"csrf_token": token, "what": "pledges", "format": "csv"}).status_code == 429


def test_the_picture_leaves_room_for_each_row():
    root = tree.Node(1, None, "you", "You", recruits=2, children=[tree.Node(n, None, str(n), None) for n in (2, 3)])
    picture = drawing.draw(root)
    ys = [disc.y for disc in picture.discs if disc.step == 1]
    assert ys[1] - ys[0] >= drawing.PITCH and max(ys) + drawing.OWN < picture.tall


def test_my_report_counts_direct_and_further_apart_and_says_my_place(client, grown):
    project, people = grown
    link = services.link_of(people["Noor"], project)
    mine = reports.mine(project, link.id, True)
    assert (mine.sums.recruits, mine.sums.further_recruits, mine.in_days, len(mine.days)) == (2, 2, 2, reports.DAYS)
    assert (mine.place.place, mine.place.of_all) == (1, 3) and reports.mine(project, link.id, False).place is None
    sign_in(client, people["Noor"])
    page = client.get(f"/projects/{project.slug}/share").text
    assert "What came of your link" in page and "Place 1 of 3" in page and "2 pledges by your link in the last 30 days" in page
    assert f"/projects/{project.slug}/ranking" in page
    settings.decide(project, "last", False, None)
    page = client.get(f"/projects/{project.slug}/share").text
    assert "Place 1 of 3" not in page and f"/projects/{project.slug}/ranking" not in page
    sign_in(other := client.application.test_client(), people["Puck"])
    assert "What came of your link" not in other.get(f"/projects/{project.slug}/share").text


def test_the_funnel_goes_from_visits_to_money(client, grown):
    project, people = grown
    with transaction() as session:
        session.execute(sa.text("UPDATE pledge SET state = 'collected' WHERE project_id = :p AND backer_id = :b"),
                        {"p": project.id, "b": people["Puck"].id})
        session.execute(sa.text("INSERT INTO day_tally (project_id, day, generation, visits) VALUES (:p, '2026-01-01', 1, 10)"),
                        {"p": project.id})
    tallies.roll_up()
    report = reports.read(project.id)
    found = [(stage.key, stage.count, stage.amount, stage.part) for stage in reports.funnel(project.id, report.all)]
    assert found == [("visits", 10, 0, 1.0), ("pledges", 4, 4_000, 0.4), ("collected", 1, 1_000, 0.1)]
    assert report.run[0][0].isoformat() == "2026-01-01" and reports.total(c for _d, c in report.run) == report.all
    page = sign_in(client, make_member(project)).get(f"/projects/{project.slug}/recruits").text
    assert "From visit to money" in page and "chart-days" in page and "1 Jan" in page


def test_a_project_on_hold_takes_its_kept_ranking_away_at_once(client, grown):
    project, _people = grown
    path = f"/projects/{project.slug}/ranking"
    assert client.get(path).status_code == 200
    kept = client.application.extensions["page_cache"].kept
    assert any(key[0] == path for key in kept)  # what is asked for next would be answered without the app
    with transaction():
        db.session.get(Project, project.id).move(ProjectState.SUSPENDED, why="a test")
    assert client.get(path).status_code == 404
    with transaction():
        db.session.get(Project, project.id).move(ProjectState.LIVE, why="a test")
    assert client.get(path).status_code == 200


def test_the_project_page_leads_to_the_ranking_when_there_is_one(client, grown):
    project, _people = grown
    square()
    path, told = f"/projects/{project.slug}", f'href="/projects/{project.slug}/ranking"'
    assert told in client.get(path).text
    settings.decide(project, "last", False, None)
    assert told not in client.get(path).text
    nobody = make_project()
    make_pledge(nobody)
    square()
    assert f"/projects/{nobody.slug}/ranking" not in client.get(f"/projects/{nobody.slug}").text
