"""Every sentence has its Dutch, and a person is spoken to in the language they chose."""

import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from babel.messages.catalog import Catalog, Message
from babel.messages.extract import DEFAULT_KEYWORDS, extract_from_dir
from babel.messages.frontend import parse_mapping_cfg
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from flask_babel import force_locale, gettext

from core import mail
from core.db import transaction
from core.i18n import show_left, show_moment
from projects.views import time_figure
from tests.factories import csrf_token, make_person, make_project, scalar

ROOT = Path(__file__).parent.parent.parent
PO = ROOT / "translations" / "nl" / "LC_MESSAGES" / "messages.po"
LAZY = ("lazy_gettext", "__", "_l", "Check", "register", "counted")  # as in the Makefile
PLACEHOLDER = re.compile(r"%\(\w+\)[a-z]|%%|\{\w+\}")


@pytest.fixture(scope="module")
def dutch() -> Catalog:
    with PO.open("rb") as file:
        return read_po(file, locale="nl")


@pytest.fixture(scope="module", autouse=True)
def compiled(dutch: Catalog) -> None:
    """The catalogue as `make catalogues` compiles it, where nobody did."""
    mo = PO.with_suffix(".mo")
    if not mo.exists() or mo.stat().st_mtime < PO.stat().st_mtime:
        with mo.open("wb") as file:
            write_mo(file, dutch)


def sentences(catalogue: Catalog) -> list[Message]:
    return [message for message in catalogue if message.id]


def forms(text: Any) -> tuple[str, ...]:
    return (text,) if isinstance(text, str) else tuple(text)


def test_every_sentence_has_its_dutch(dutch: Catalog) -> None:
    assert [message.id for message in sentences(dutch) if not all(forms(message.string))] == []
    assert [message.id for message in sentences(dutch) if message.fuzzy] == []
    assert dutch.num_plurals == 2


def test_every_sentence_of_the_sources_is_in_the_catalogue(dutch: Catalog) -> None:
    """A new string without Dutch fails here: run `make words` and write it."""
    with (ROOT / "babel.cfg").open() as file:
        methods, options = parse_mapping_cfg(file)
    found = extract_from_dir(str(ROOT), methods, options, keywords=DEFAULT_KEYWORDS | dict.fromkeys(LAZY))
    known = {message.id for message in sentences(dutch)}
    said = {(text, file) for file, _line, text, _comments, _context in found}
    assert len(said) > 900
    assert sorted({(file, text) for text, file in said if text not in known}, key=str) == []
    assert sorted(known - {text for text, _file in said}, key=str) == []  # nothing is kept that nobody says


def test_every_law_of_the_books_has_its_dutch(app: Any, dutch: Catalog) -> None:
    """A name put together while running is found by no extraction."""
    from payments.checks import CHECKS

    assert [law.name for law in CHECKS if law.name not in dutch] == []


def test_the_placeholders_of_a_sentence_are_those_of_its_dutch(dutch: Catalog) -> None:
    """A plural's singular may say “one” instead of the number."""
    for message in sentences(dutch):
        asked = [set(PLACEHOLDER.findall(text)) for text in forms(message.id)]
        given = [set(PLACEHOLDER.findall(text)) for text in forms(message.string)]
        assert given[-1] == asked[-1], message.id
        assert given[0] <= asked[-1], message.id


def test_dutch_is_said_without_exclamation_marks(dutch: Catalog) -> None:
    assert [text for message in sentences(dutch) for text in forms(message.string) if "!" in text] == []


def test_the_same_word_stands_for_each_state_of_a_pledge(dutch: Catalog) -> None:
    words = ["Held", "Pledged", "Collecting", "Collected", "Errored", "Dropped", "Expired", "Cancelled", "Lapsed",
             "Refunded"]
    translated = [str(dutch.get(word).string) for word in words]  # type: ignore[union-attr]
    assert len(set(translated)) == len(words)


def test_a_link_changes_the_language_and_a_cookie_keeps_it(client: Any) -> None:
    assert "Stand behind something." in client.get("/").text
    answer = client.get("/?lang=nl")
    assert '<html lang="nl">' in answer.text and "Ga ergens achter staan." in answer.text
    assert "lang=nl" in answer.headers["Set-Cookie"]
    assert "Ga ergens achter staan." in client.get("/").text
    assert "Stand behind something." in client.get("/?lang=en").text
    assert "Stand behind something." in client.get("/").text


def test_a_browser_that_asks_for_dutch_gets_it(client: Any) -> None:
    assert "Ga ergens achter staan." in client.get("/", headers={"Accept-Language": "nl-BE,nl;q=0.8,en;q=0.4"}).text
    assert "Stand behind something." in client.get("/", headers={"Accept-Language": "fr"}).text
    assert "Stand behind something." in client.get("/?lang=fr").text


def test_a_mail_goes_out_in_the_language_of_its_reader(app: Any) -> None:
    noor, mo = make_person("Noor Bakker", locale="nl"), make_person("Mo El Idrissi")
    for person in (noor, mo):
        with transaction():
            mail.post("people/password_changed", person_id=person.id)
    assert mail.send_due() == 2
    subjects = {person.name: scalar("SELECT subject FROM mail WHERE recipient = :r", r=person.email)
                for person in (noor, mo)}
    assert subjects == {"Noor Bakker": "Je wachtwoord is gewijzigd", "Mo El Idrissi": "Your password was changed"}
    text, html = scalar("SELECT text FROM mail WHERE subject LIKE 'Je%'"), scalar(
        "SELECT html FROM mail WHERE subject LIKE 'Je%'")
    assert "Ik was het niet" in text and "It was not me" not in text
    assert '<html lang="nl"' in html


@pytest.mark.parametrize("language", ["en", "nl"])
def test_time_left_begins_with_its_number(app: Any, language: str) -> None:
    """The page of a project shows the number large and the words below it."""
    project = make_project(days=9.5)
    with app.test_request_context(), force_locale(language):
        number, label = time_figure(project)
        assert number == "9" and label == gettext("days left")
        assert show_left(project.deadline) == f"{number} {label}"  # type: ignore[arg-type]


def test_moments_are_written_in_dutch(app: Any) -> None:
    moment = datetime(2026, 11, 30, 19, tzinfo=UTC)
    with app.test_request_context(), force_locale("nl"):
        assert show_moment(moment, "Europe/Amsterdam") == "maandag 30 november 2026 om 20:00 uur (tijd in Amsterdam)"
        assert show_moment(moment) == "maandag 30 november 2026 om 19:00 uur UTC"


def test_what_the_login_library_says_is_dutch_too(client: Any) -> None:
    client.get("/?lang=nl")
    answer = client.post("/login", data={"email": "noor@example.org", "password": "not this one",
                                         "csrf_token": csrf_token(client, "/login")})
    assert "Dit adres en dit wachtwoord horen niet bij elkaar." in answer.text
