"""The dashboard: the sentence, the sums, who may read names, and how often the database is asked."""

import re
from datetime import timedelta

import pytest
import sqlalchemy as sa

from core import clock
from core.db import db, transaction
from projects.models import MemberRole, ProjectState, Update
from tests.factories import make_member, make_person, make_pledge, make_project, make_reward, sign_in


def page_of(client, project, status=200):
    answer = client.get(f"/projects/{project.slug}/dashboard")
    assert answer.status_code == status
    return answer.get_data(as_text=True)


def headline(page):
    return re.search(r"<h1[^>]*>(.*?)</h1>", page)[1]


@pytest.mark.parametrize(("days", "amounts", "said"), [
    (9.01, [1_864_000], "Nine days and €5,360 to go."),
    (9.01, [], "Nine days and €24,000 to go."),
    (15.01, [2_400_000], "15 days to go, and funded."),
    (1.999, [1_864_050], "47 hours and €5,359.50 to go."),
    (0.21, [1_864_000], "Five hours and €5,360 to go."),
    (0.0355, [2_500_000], "51 minutes to go, and funded."),
    (-0.01, [1_864_000], "The deadline has passed. The sum is being settled.")])
def test_the_headline_of_a_live_project(client, app, days, amounts, said):
    project = make_project(days=days, goal=2_400_000)
    for amount in amounts:
        make_pledge(project, amount=amount)
    sign_in(client, project.creator)
    assert headline(page_of(client, project)) == said


@pytest.mark.parametrize(("state", "said"), [
    (ProjectState.SUCCESSFUL, "Funded: €1,100 from 2 backers."), (ProjectState.UNSUCCESSFUL, "€900 short. Nobody was charged."),
    (ProjectState.SUSPENDED, "Suspended. Nobody can pledge for now, and nobody is charged."),
    (ProjectState.CANCELLED, "Cancelled. Nobody was charged.")])
def test_the_headline_after_the_end(client, app, state, said):
    ended = state in (ProjectState.SUCCESSFUL, ProjectState.UNSUCCESSFUL)
    project = make_project(state=state, days=-1 if ended else 3, goal=200_000,
                           raised_at_close=110_000 if ended else None, backers_at_close=2 if ended else None)
    for amount in (60_000, 50_000):
        make_pledge(project, amount=amount, state="collected" if state is ProjectState.SUCCESSFUL else "lapsed")
    sign_in(client, project.creator)
    assert headline(page_of(client, project)) == said


def test_a_draft_leads_to_its_launch(client, app):
    project = make_project(state=ProjectState.DRAFT, launched_at=None, deadline=None, goal=None)
    sign_in(client, project.creator)
    page = page_of(client, project)
    assert "This project is a draft" in page and f"/projects/{project.slug}/edit" in page


def test_a_project_without_backers_has_drawings_and_no_zeros_to_divide_by(client, app):
    project = make_project()
    sign_in(client, project.creator)
    page = page_of(client, project)
    assert page.count('class="empty') >= 3 and "No backers yet" in page


def test_figures_chart_and_table_say_the_same(client, app):
    project = make_project(goal=100_000, days=9)
    reward = make_reward(project, 2_500, 20)
    noor = make_person("Noor Bakker")
    for day in range(10):
        make_pledge(project, noor if day == 0 else None, reward, at=clock.now() - timedelta(days=10 - day),
                    recruiter=noor if day % 2 else None)
    make_pledge(project, None, reward, state="cancelled")
    sign_in(client, project.creator)
    page = page_of(client, project)
    assert "€250" in page and "25% of the goal" in page and "€25.00" in page
    assert '<p class="figure-2">50%</p>' in page
    rows = re.findall(r'<tr><th scope="row">([^<]*)</th><td class="num">(€[\d,.]+)</td></tr>', page)
    assert rows[0] == ("Launch", "€0") and rows[-1][1] == "€250"
    assert len(rows) in (22, 23)  # the launch and each of its days, in the project's zone
    assert "Noor Bakker" in page and "5 people" in page
    assert "style=" not in page.split("<main")[1]


def test_names_are_for_the_creator_and_organisers(client, app):
    project = make_project()
    noor = make_person("Xanthe Rozenboom")
    make_pledge(project, recruiter=noor)
    sign_in(client, make_member(project, role=MemberRole.COLLABORATOR))
    page = page_of(client, project)
    assert "Xanthe Rozenboom" not in page and "1 person brought others." in page
    assert f"/projects/{project.slug}/backers" not in page
    for refused in (make_person(), make_pledge(project).backer):
        sign_in(client, refused)
        page_of(client, project, 403)
    client.delete_cookie("session", domain="localhost")
    page_of(client, project, 302)


def test_what_waits_is_computed_from_facts(client, app):
    project = make_project(days=9)
    make_pledge(project, state="errored", amount=4_400)
    sign_in(client, project.creator)
    page = page_of(client, project)
    assert "One payment errored" in page and "status=errored" in page and "No update for 20 days" in page
    with transaction() as session:
        session.add(Update(project_id=project.id, number=1, title="News", body="…", author_id=project.creator_id))
        session.execute(sa.text("UPDATE pledge SET state = 'pledged'"))
    page = page_of(client, project)
    assert "Nothing waits for you." in page and "Update 1" not in page.split("<svg")[0]


def test_the_collection_adds_up_on_the_page(client, app):
    project = make_project(state=ProjectState.SUCCESSFUL, days=-1, raised_at_close=15_000, backers_at_close=6)
    for state in ("pledged", "collecting", "collected", "errored", "dropped", "refunded"):
        make_pledge(project, state=state)
    make_pledge(project, state="cancelled")
    sign_in(client, project.creator)
    page = page_of(client, project)
    table = page.split("dash-sums")[1].split("</table>")[0]
    assert re.findall(r'<td class="num">(.*?)</td>', table) == ["1", "€25.00"] * 6 + ["6", "€150.00"]
    assert "€25 is collected, €75 is still to come." in page


@pytest.mark.parametrize("role", [None, MemberRole.ORGANISER])
def test_the_page_asks_the_database_ten_times_however_many_backers_there_are(client, app, role):
    project = make_project()
    make_reward(project)
    sign_in(client, make_member(project, role=role) if role else project.creator)
    address, asked = f"/projects/{project.slug}/dashboard", []

    def note(_connection, _cursor, statement, *_rest):
        # Production never asks for the clock's shift; the role is asked for once per tab.
        if "FROM clock" not in statement and "FROM project_member" not in statement:
            asked.append(statement)

    counts = []
    for more in (3, 20):
        for _ in range(more):
            make_pledge(project, recruiter=make_person())
        asked.clear()
        db.session.rollback()
        sa.event.listen(db.engine, "before_cursor_execute", note)
        try:
            assert client.get(address).status_code == 200
        finally:
            sa.event.remove(db.engine, "before_cursor_execute", note)
        counts.append(len(asked))
    assert counts[1] <= counts[0] <= 10, (counts, [" ".join(one.split())[:60] for one in asked])
