"""Every mail to a backer about a project says the backer's own link, while something can still come of it."""

import pytest

from backing import emails, emails_refunds  # noqa: F401 -- authors register themselves
from backing.models import PledgeState
from core import mail
from core.db import db
from projects.models import ProjectState
from sharing import queries, recommendations, services, words
from sharing.models import Recommendation
from sharing.models_rounds import RoundState
from tests.factories import make_person, make_project
from tests.sharing.round_scenes import make_application, make_round, until
from tests.sharing.scenes import make_pledge

OPEN = {"thanks": PledgeState.PLEDGED, "changed": PledgeState.PLEDGED, "cancelled": PledgeState.CANCELLED,
        "too_late": PledgeState.EXPIRED, "reward_gone": PledgeState.EXPIRED}


def written(name, pledge):
    letter = mail.AUTHORS[f"backing/{name}"](str(pledge.id))
    assert letter is not None
    _subject, text, html = mail.compose(f"backing/{name}", letter)
    return text, html


@pytest.mark.parametrize("name", OPEN)
def test_a_mail_about_a_live_project_says_the_backers_own_link_once(app, name):
    noor = make_person("Noor Bakker")
    project = make_project()
    pledge = make_pledge(project, noor, state=OPEN[name])
    link = services.link_of(noor, project)
    text, html = written(name, pledge)
    assert text.count(f"http://localhost/s/{link.code}") == 1 and html.count(f'href="http://localhost/s/{link.code}"') == 1
    with app.test_request_context():
        words.claim_word(link, "night-train", None)
    text, html = written(name, pledge)
    assert "http://localhost/s/night-train" in text and link.code not in text


@pytest.mark.parametrize(("name", "state"), [("collected", PledgeState.COLLECTED), ("lapsed", PledgeState.LAPSED),
                                             ("dropped", PledgeState.DROPPED)])
def test_when_nothing_can_come_of_it_any_more_no_mail_asks_to_share(app, name, state):
    noor = make_person("Noor Bakker")
    project = make_project(state=ProjectState.SUCCESSFUL)
    pledge = make_pledge(project, noor, state=state)
    queries._kept.clear()
    text, html = written(name, pledge)
    assert "/s/" not in text and "/s/" not in html


def test_dutch_readers_get_it_in_dutch_and_the_layout_begins_with_its_doctype(app):
    noor = make_person("Noor Bakker", locale="nl")
    pledge = make_pledge(make_project(), noor)
    text, html = written("changed", pledge)
    assert html.lstrip().startswith("<!DOCTYPE html>") or html.lstrip().startswith("<!doctype html>")
    assert text.startswith("Achterban")


def outbox(name, person):
    """All mails of this name to this person that wait to be sent, written as they would leave now."""
    rows = db.session.execute(db.text("SELECT about FROM mail WHERE name = :name ORDER BY id"), {"name": name}).scalars().all()
    letters = [letter for letter in (mail.AUTHORS[name](**about) for about in rows) if letter and letter.to == person.email]
    return [mail.compose(name, letter)[1:] for letter in letters]


@pytest.fixture
def noor(app):
    """Of the street team of a live project whom she backs."""
    with app.test_request_context():
        yield make_person("Noor Bakker")


def say_own_link(name, person, project):
    link = services.link_of(person, project)
    letters = outbox(name, person)
    assert letters
    for text, html in letters:
        assert text.count(f"http://localhost/s/{link.code}") == 1, text
        assert html.count(f'href="http://localhost/s/{link.code}"') == 1


def test_the_mails_of_a_round_say_the_own_link_of_whoever_reads_them(noor):
    project = make_project()
    found = make_round(project)
    services.link_of(noor, project)
    make_application(found, noor)
    say_own_link("sharing/application_received", noor, project)
    until(found, RoundState.VOTING)
    say_own_link("sharing/round_news", noor, project)
    until(found, RoundState.RUNNING)
    say_own_link("sharing/application_decided", noor, project)


def test_so_does_the_mail_about_a_hidden_recommendation(noor):
    project = make_project()
    make_pledge(project, noor)
    recommendations.save(noor.id, project, "This band plays like a night train.", is_shown=True)
    one = db.session.query(Recommendation).one()
    recommendations.hide(one.id, project, project.creator_id, "rude")
    say_own_link("sharing/recommendation_hidden", noor, project)


def test_a_reader_who_has_no_link_gets_the_mail_without_one(noor):
    project = make_project()
    make_application(make_round(project), noor)
    db.session.execute(db.text("DELETE FROM share_link"))
    [(text, html)] = outbox("sharing/application_received", noor)
    assert "/s/" not in text + html
