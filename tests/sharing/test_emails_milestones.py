"""The mails of a step: in the reader's language, with plurals, silent when they are no longer true."""

import re

import pytest
import sqlalchemy as sa

from core.db import db
from core.mail import AUTHORS, compose
from tests.factories import make_project
from tests.sharing.steps import become, bring, follow, mails, make_sharer, make_step

NAMES = ("pending", "earned", "waiting", "taken_back")


@pytest.fixture
def project(app):
    with app.test_request_context():
        yield make_project(title="Night train")


def letters(person=None):
    """What stands in the outbox about steps, as it would be sent now: name → (subject, text, html), or None."""
    found = {}
    for name, about in db.session.execute(sa.text(
            "SELECT name, about FROM mail WHERE name LIKE 'sharing/milestone_%' ORDER BY id")).all():
        letter = AUTHORS[name](**about)
        if letter is None or person is None or letter.to == person.email:
            found[name.removeprefix("sharing/milestone_")] = letter and compose(name, letter)
    return found


def words(html):
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", html))


def test_it_is_kept_then_earned_then_taken_back_and_each_mail_ceases_with_its_truth(project):
    make_step(project, 2, title="Signed <photo>")
    noor = make_sharer(project, "Noor Bakker")
    friends = bring(project, noor, 2)
    follow(noor, project=project)
    subject, text, html = letters()["pending"]
    assert subject == "You brought 2 friends: “Signed <photo>” is kept for you"
    for body in (text, words(html).replace("&lt;", "<").replace("&gt;", ">")):
        assert "Dear Noor, you brought 2 friends to “Night train”." in body
        assert "“Signed <photo>” is yours as soon as their money is collected." in body and "We wait 14 days more" in body
    assert "<photo>" not in html and "/s/" in text
    become([*friends, *own(project, noor)], "collected", days_ago=20)
    follow(noor, project=project)
    sent = letters()
    assert sent["pending"] is None and sent["earned"][0] == "“Signed <photo>” is yours"
    assert "the money of the 2 friends" in sent["earned"][1]
    become(friends[:1], "refunded")
    follow(noor, project=project)
    sent = letters()
    assert sent["earned"] is None and "a friend's pledge was refunded" in sent["taken_back"][1]
    assert "Your own pledge is as it was, and nothing was charged for this." in sent["taken_back"][1]


def test_whoever_was_told_that_it_was_taken_back_is_told_when_it_is_theirs_again(project):
    make_step(project, 1)
    noor = make_sharer(project)
    friends = bring(project, noor, 1)
    told = ["pending", "earned"]
    become([*friends, *own(project, noor)], "collected", days_ago=20)
    for state, news in (("collected", []), ("refunded", ["taken_back"]), ("collected", ["earned"]), ("refunded", ["taken_back"])):
        become(friends, state, days_ago=20)
        for _twice in range(2):
            follow(noor, project=project)
        told += news
        assert [name for name in mails() if name != "pending"] == told[1:], state


def own(project, person):
    from backing.queries import active_pledge

    return [active_pledge(project.id, person.id)]


def test_who_waits_is_told_for_what(project):
    make_step(project, 1, 1, "Signed photo")
    mo, noor = make_sharer(project, "Mo El Idrissi"), make_sharer(project, "Noor Bakker")
    els = make_sharer(project, "Els Kramer", pledged=False)
    for person in (mo, noor, els):
        bring(project, person, 1)
        follow(person, project=project)
    subject, text, _html = letters(noor)["waiting"]
    assert "all are given away" in subject and "you brought a friend" in text and "You are number 1 in line" in text
    subject, text, _html = letters(els)["waiting"]
    assert "waits for your own pledge" in subject and "pledge yourself" in text and "number" not in text


@pytest.mark.parametrize("name", NAMES)
def test_every_mail_has_both_languages_and_both_numbers(app, project, name):
    """No placeholder is left over, whatever the language and the number."""
    from types import SimpleNamespace

    from core.mail import Letter

    seen = set()
    for locale in ("en", "nl"):
        for friends, place, is_backer in ((1, 1, True), (3, 0, False)):
            letter = Letter("a@example.org", "Noor", locale, {
                "person": SimpleNamespace(first_name="Noor"), "project": project, "what": "Signed photo",
                "friends": friends, "stage": SimpleNamespace(is_backer=is_backer, place=place), "days": friends,
                "why": "so", "month": "", "lang": locale, "link_url": "http://x/s/y", "url": "http://x/share"})
            with app.test_request_context():
                subject, text, html = compose(f"sharing/milestone_{name}", letter)
            assert "%(" not in subject + text + html and "Signed photo" in subject and "Noor" in text
            seen.add((locale, text))
    assert len(seen) == 4
