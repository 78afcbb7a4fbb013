"""The pages of a person."""

from typing import Any

import pytest

from core import jobs
from people import hooks
from tests.factories import csrf_token, make_person, scalar, sign_in


@pytest.mark.parametrize("path", ["/me", "/me/settings", "/change", "/verify"])
def test_own_pages_ask_strangers_to_log_in(app: Any, client: Any, path: str) -> None:
    assert client.get(path).location == f"/login?next={path}"


def test_settings_are_saved_and_shown_on_the_public_page(app: Any, client: Any) -> None:
    sign_in(client, make_person(handle="noor"))
    done = client.post("/me/settings", data={
        "csrf_token": csrf_token(client, "/me/settings"), "name": " Noor  Bakker ", "handle": "Noor-B",
        "bio": "I sing.\n\n<script>alert(1)</script>", "locale": "nl", "is_staff": "1", "email": "x@example.org"})
    assert (done.status_code, done.location) == (302, "/me/settings?lang=nl")
    page = app.test_client().get("/people/noor-b")
    assert "Noor Bakker" in page.text and "I sing." in page.text and "<script>alert" not in page.text
    assert scalar("SELECT is_staff::text || locale FROM person") == "falsenl"
    assert scalar("SELECT count(*) FROM person WHERE email = 'x@example.org'") == 0


@pytest.mark.parametrize(("field", "value", "sentence"), [
    ("name", " ", "Write your name."), ("name", "x" * 81, "Use at most 80 characters."),
    ("handle", "-noor", "Use 2 to 30 small letters"), ("handle", "no/or", "Use 2 to 30 small letters"),
    ("handle", "noor\n", "Saved."), ("handle", "taken", "This address is taken."), ("bio", "x" * 601, "at most 600"),
    ("locale", "xx", "Not a valid choice")])
def test_wrong_settings_get_a_sentence_and_keep_what_was_typed(
        app: Any, client: Any, field: str, value: str, sentence: str) -> None:
    make_person(handle="taken")
    sign_in(client, make_person(handle="noor", name="Noor"))
    typed = {"name": "Noor New", "handle": "noor", "bio": "Typed", "locale": "en"} | {field: value}
    done = client.post("/me/settings", data={"csrf_token": csrf_token(client, "/me/settings"), **typed},
                       follow_redirects=sentence == "Saved.")
    assert sentence in done.text
    if sentence != "Saved.":
        assert done.status_code == 422
        assert scalar("SELECT name FROM person WHERE handle = 'noor'") == "Noor"
        assert field == "bio" or "Typed" in done.text


def test_signing_out_everywhere_ends_this_browser_too(app: Any, client: Any) -> None:
    noor = make_person()
    other = sign_in(app.test_client(), noor)
    sign_in(client, noor)
    done = client.post("/me/sessions", data={"csrf_token": csrf_token(client, "/me/settings")})
    assert done.location == "/login"
    assert client.get("/me").status_code == other.get("/me").status_code == 302
    assert "logged out everywhere" in client.get("/login").text


def test_a_public_page_of_nobody_is_404_and_other_capitals_lead_to_the_one_address(app: Any, client: Any) -> None:
    make_person(handle="noor")
    assert client.get("/people/nobody").status_code == 404
    assert client.get("/people/Noor").location == "/people/noor"
    page = client.get("/people/noor")
    assert "Set-Cookie" not in page.headers and "csrf_token" not in page.text and "@example.org" not in page.text


def test_other_rooms_add_their_parts(app: Any, client: Any) -> None:
    seen = []

    def add(person: Any, context: dict[str, Any]) -> None:
        seen.append((person.handle, sorted(context)))

    hooks.me_shown.connect(add)
    hooks.person_shown.connect(add)
    try:
        sign_in(client, make_person(handle="noor"))
        client.get("/me")
        client.get("/people/noor")
    finally:
        hooks.me_shown._ears.remove(add)
        hooks.person_shown._ears.remove(add)
    assert seen == [("noor", ["parts", "person", "pledges", "projects", "share_links"]),
                    ("noor", ["parts", "person", "projects"])]


def test_the_confirmation_button_is_gone_once_confirmed(app: Any, client: Any) -> None:
    sign_in(client, make_person())
    token = csrf_token(client, "/me")
    assert "/me/confirmation" not in client.get("/me").text
    client.post("/me/confirmation", data={"csrf_token": token})
    jobs.drain(app)
    assert scalar("SELECT count(*) FROM mail") == 0


def test_mails_speak_the_language_of_the_account(app: Any, client: Any) -> None:
    from core.mail import AUTHORS

    noor = make_person(locale="nl", confirmed_at=None)
    letter = AUTHORS["people/confirm"](person_id=str(noor.id))
    assert letter and letter.locale == "nl"
