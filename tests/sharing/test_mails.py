"""Every mail to a backer about a project says the backer's own link, while something can still come of it."""

import pytest

from backing import emails, emails_refunds  # noqa: F401 -- authors register themselves
from backing.models import PledgeState
from core import mail
from projects.models import ProjectState
from sharing import queries, services, words
from tests.factories import make_person, make_project
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
