"""Ways into ambassador rounds, and what becomes of one when its project ends."""

import re
from datetime import timedelta
from urllib.parse import unquote

import pytest
import sqlalchemy as sa

from core import clock
from core.db import db, transaction
from core.errors import Refusal
from projects import closing, launching
from projects.models import MemberRole
from sharing import applications, emails_ambassadors, rounds
from sharing.models_rounds import RoundState
from sharing.services import link_of
from tests.factories import make_member, make_person, make_pledge, make_project, scalar, sign_in
from tests.projects.test_queries import a_full_project, statements
from tests.sharing.round_scenes import make_application, make_round, make_running, pass_to, until

R = RoundState


@pytest.fixture
def project(app):
    with app.test_request_context():
        yield make_project()


@pytest.fixture
def running(project):
    return make_running(project)


# Ways in, and the end of a project ---------------------------------------------------------------------

def test_the_projects_page_says_when_it_asks_and_is_made_anew_when_that_changes(client, project):
    path = f"/projects/{project.slug}"
    assert "looked for" not in client.get(path).text
    made = make_round(project, places=12)
    make_application(made)
    page = client.get(path).text
    assert "12 ambassadors are looked for. Apply until" in page and f"{path}/ambassadors" in page
    until(made, R.VOTING)
    page = client.get(path).text
    assert "Everybody can vote until" in page and "looked for" not in page
    until(made, R.CHOOSING)
    assert "ambassador" not in client.get(path).text
    rounds.cancel_round(made.id, project.creator, "no time")
    other = make_round(project, public_percent=0)
    assert "Apply until" in client.get(path).text
    until(other, R.VOTING)
    assert "ambassador" not in client.get(path).text


def test_a_page_with_a_call_asks_five_times_at_most_and_is_kept(client):
    project = a_full_project()
    make_round(project, places=12)
    path = f"/projects/{project.slug}"
    db.session.remove()
    client.application.extensions["page_cache"].kept.clear()
    with statements() as cold:
        assert "12 ambassadors are looked for" in client.get(path).text
    assert len(cold) <= 5, "\n".join(cold)
    with statements() as warm:
        assert "12 ambassadors are looked for" in client.get(path).text
    assert warm == []


def test_the_desk_is_a_tab_for_those_who_see_who_backs(client, project):
    sign_in(client, project.creator)
    assert f"/projects/{project.slug}/ambassadors/desk" in client.get(f"/projects/{project.slug}/edit").text
    sign_in(client, make_member(project, role=MemberRole.COLLABORATOR))
    assert f"/projects/{project.slug}/ambassadors/desk" not in client.get(f"/projects/{project.slug}/edit").text


def test_an_ambassador_with_a_long_line_is_not_sent_where_one_post_does_not_hold_it(client, project, running):
    made, noor = running
    link_of(noor.person, project)
    with transaction() as session:
        session.get_one(type(made), made.id).disclosure = "Advertisement. " + "I am an ambassador. " * 9
        session.get_one(type(project), project.id).title = "W" * 40
    sign_in(client, noor.person)
    page = client.get(f"/projects/{project.slug}/share").text
    assert "bsky.app" in page and "x.com/intent" not in page and "Too long for one post on X." in page


def test_an_ambassadors_prepared_texts_say_so_wherever_they_are_shown(client, project, running):
    made, noor = running
    for person in (noor.person, make_person("Els Kramer")):
        link_of(person, project)
        sign_in(client, person)
        page = client.get(f"/projects/{project.slug}/share").text
        ways = [unquote(url) for url in re.findall(r'href="((?:https://(?:wa|share|bsky|x|www)\.|mailto:)[^"]+)"', page)
                if "achterban" not in url]
        if person is noor.person:
            assert len(ways) == 5 and all(made.disclosure in url for url in ways), ways
            assert "facebook.com" not in page and "linkedin.com" not in page
            assert re.search(f'data-share="[^"]+" data-title="[^"]+" data-text="[^"]*{made.disclosure}', page)
            assert re.search(f'data-copy="{made.disclosure} [^"]*: http', page)  # what is pasted into Signal
        else:
            assert len(ways) == 7 and made.disclosure not in page and "data-text" not in page
    until(made, R.ENDED)
    sign_in(client, noor.person)
    assert made.disclosure not in client.get(f"/projects/{project.slug}/share").text




@pytest.mark.parametrize(("state", "after"), [(R.OPEN, "cancelled"), (R.VOTING, "cancelled"), (R.CHOOSING, "cancelled"),
                                              (R.RUNNING, "ended")])
@pytest.mark.parametrize("why", ["cancelled", "unsuccessful"])
def test_a_round_ends_with_its_project(app, state, after, why):
    with app.test_request_context():
        project = make_project(days=90)
    made = make_round(project)
    mo = make_application(made, make_person("Mo El Idrissi"))
    until(made, state)
    if why == "cancelled":
        launching.cancel(project, project.creator, "no more trains")
    else:
        pass_to(project.deadline)
        with db.engine.begin() as connection:  # the clock of rounds has not ticked yet
            connection.execute(sa.text("UPDATE ambassador_round SET runs_until = :d"), {"d": clock.now() + timedelta(days=9)})
        closing.close(project.id)
    db.session.expire_all()
    assert scalar("SELECT state FROM ambassador_round") == after
    assert scalar("SELECT why FROM round_move ORDER BY id DESC LIMIT 1") == f"project {why}"
    news = emails_ambassadors.round_news(str(made.id), str(mo.person_id), after)
    assert news and news.to == mo.person.email
    if after == "cancelled":
        assert any("goal" in line if why == "unsuccessful" else "before its deadline" in line for line in news.context["said"])


def test_after_a_success_a_round_goes_on_until_long_after(app):
    with app.test_request_context():
        project = make_project(days=15, goal=1)
        make_pledge(project)
    made = make_round(project, runs_until=clock.now() + timedelta(days=170))
    make_application(made)
    until(made, R.RUNNING)
    pass_to(project.deadline)
    closing.close(project.id)
    db.session.expire_all()
    assert scalar("SELECT state FROM project") == "successful" and rounds.end_long_over() == 0
    assert scalar("SELECT state FROM ambassador_round") == "running"
    clock.move_clock(timedelta(days=60))
    assert rounds.end_long_over() == 1 and rounds.end_long_over() == 0
    assert scalar("SELECT state FROM ambassador_round") == "ended"


def test_the_mail_of_a_cancelled_round_carries_the_creators_reason(app, project):
    made = make_round(project)
    mo = make_application(made, make_person("Mo El Idrissi"))
    rounds.cancel_round(made.id, project.creator, "Our van broke down")
    news = emails_ambassadors.round_news(str(made.id), str(mo.person_id), "cancelled")
    assert "The reason given: Our van broke down" in news.context["said"]


def test_nothing_is_withdrawn_from_a_round_that_is_over(app, project):
    made = make_round(project, places=1)
    make_application(made, make_person("Noor Bakker"))
    mo = make_application(made, make_person("Mo El Idrissi"))
    until(made, R.ENDED)
    with pytest.raises(Refusal, match="is over"):
        applications.withdraw(made.id, mo.person)
    assert scalar("SELECT state FROM application WHERE id = :i", i=mo.id) == "waiting"
