"""Registering, confirming, signing in and out, new passwords: through the pages and the mails."""

import re
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from core import clock, jobs
from core.db import db, transaction
from people.models import Person
from tests.factories import csrf_token, make_person, scalar, sign_in

PASSWORD = "seven lazy herons wade"
MAILBOX = "SELECT {0} FROM mail WHERE recipient = :to ORDER BY created_at DESC, id DESC LIMIT 1"


def post(client: Any, path: str, form_at: str = "", **fields: str) -> Any:
    return client.post(path, data={"csrf_token": csrf_token(client, form_at or path), **fields})


def register(client: Any, email: str = "noor@example.org", name: str = "Noor de Wit", **more: str) -> Any:
    return post(client, "/register", email=email, name=name, **{"password": PASSWORD, "locale": "en", **more})


def log_in(client: Any, email: str = "noor@example.org", password: str = PASSWORD, **more: str) -> Any:
    return post(client, "/login", email=email, password=password, **more)


def newest_mail(app: Any, to: str) -> Any:
    jobs.drain(app)
    return db.session.execute(sa.text(MAILBOX.format("name, subject, text, html")), {"to": to}).first()


def link_in(mail: Any, path: str) -> str:
    found = re.search(rf"http://localhost(/{path}/\S+)", mail.text)
    assert found, mail.text
    return found[1]


def person_of(email: str = "noor@example.org") -> Person:
    db.session.rollback()
    return db.session.scalars(sa.select(Person).where(Person.email == email)).one()


def test_a_fan_registers_confirms_by_mail_and_logs_in(app: Any, client: Any) -> None:
    done = register(client)
    assert (done.status_code, done.location) == (302, "/welcome")
    assert "noor@example.org" in client.get("/welcome").text
    assert person_of().confirmed_at is None and person_of().handle == "noor-de-wit"
    assert "Confirm your address" in client.get("/me").text

    mail = newest_mail(app, "noor@example.org")
    assert mail.name == "people/welcome" and "Hello Noor" in mail.text
    link = link_in(mail, "confirm")
    browser = app.test_client()  # the mail is opened elsewhere
    page = browser.get(link)
    assert page.status_code == 200 and page.headers["Referrer-Policy"] == "no-referrer"
    assert person_of().confirmed_at is None  # looking changes nothing (W-06)
    done = post(browser, link)
    assert (done.status_code, done.location) == (302, "/login")
    assert person_of().confirmed_at is not None

    done = log_in(browser)
    assert (done.status_code, done.location) == (302, "/me")
    assert "Confirm your address" not in browser.get("/me").text


def test_a_confirmation_link_works_once_and_says_so(app: Any, client: Any) -> None:
    register(client)
    link = link_in(newest_mail(app, "noor@example.org"), "confirm")
    post(client, link)
    assert client.get(link).status_code == 302
    assert "already confirmed" in client.get("/me").text


def test_a_broken_confirmation_link_leads_to_a_new_one(app: Any, client: Any) -> None:
    assert client.get("/confirm/nonsense").location == "/confirm"
    assert "used before or is not complete" in client.get("/confirm").text


def test_confirmation_is_sent_again_on_request_but_once_a_minute(app: Any, client: Any) -> None:
    register(client)
    jobs.drain(app)
    for _again in range(3):
        done = post(client, "/me/confirmation", form_at="/me")
        assert done.location == "/me"
    assert scalar("SELECT count(*) FROM mail WHERE name = 'people/confirm'") in (1, 2)  # 2: a minute began meanwhile


def test_no_token_stands_in_the_outbox(app: Any, client: Any) -> None:
    register(client)
    assert scalar("SELECT about::text FROM mail") == f'{{"person_id": "{person_of().id}"}}'


@pytest.mark.parametrize("next_path", ["/people/noor-de-wit", "/me/settings?lang=nl"])
def test_where_someone_was_going_is_kept_through_registering_and_logging_in(
        app: Any, client: Any, next_path: str) -> None:
    assert register(client, next=next_path).location.startswith("/welcome?next=")
    assert f'href="{next_path}"' in client.get("/welcome", query_string={"next": next_path}).text
    assert log_in(app.test_client(), next=next_path).location == next_path


def test_a_page_for_signed_in_people_leads_to_login_and_back(app: Any, client: Any) -> None:
    make_account()
    assert client.get("/me/settings").location == "/login?next=/me/settings"
    page = client.get("/login?next=/me/settings").text
    assert 'name="next" value="/me/settings"' in page


def make_account(email: str = "noor@example.org", **columns: Any) -> Person:
    from flask_security.utils import hash_password

    return make_person("Noor de Wit", email=email, password=hash_password(PASSWORD), **columns)


@pytest.mark.parametrize(("email", "password"), [
    ("noor@example.org", "not her password"), ("nobody@example.org", PASSWORD), ("noor@example.org", "x" * 4000)])
def test_a_wrong_address_and_a_wrong_password_get_the_same_sentence(
        app: Any, client: Any, email: str, password: str) -> None:
    make_account()
    done = log_in(client, email, password)
    assert done.status_code == 422
    assert done.text.count("This address and this password do not belong together.") == 1
    assert "is-wrong" not in done.text
    assert f'value="{email}"' in done.text
    assert client.get("/me").status_code == 302


def test_addresses_are_compared_without_capitals(app: Any, client: Any) -> None:
    make_account("Noor@example.org")
    assert log_in(client, "nOOr@example.ORG").status_code == 302


def test_somebody_without_a_usable_password_cannot_log_in(app: Any, client: Any) -> None:
    make_person(email="a@example.org", password="*")
    make_person(email="b@example.org", password=None)
    assert log_in(client, "a@example.org").status_code == 422
    assert log_in(client, "b@example.org").status_code == 422


def test_a_closed_account_cannot_log_in_and_loses_its_session(app: Any, client: Any) -> None:
    person = make_account()
    log_in(client)
    db.session.execute(sa.text("UPDATE person SET active = false"))
    db.session.commit()
    assert client.get("/me").status_code == 302
    assert log_in(app.test_client(), person.email).status_code == 422


def test_a_forgotten_password_is_replaced_by_mail(app: Any, client: Any) -> None:
    make_account(confirmed_at=None)
    elsewhere = sign_in(app.test_client(), person_of())
    assert elsewhere.get("/me").status_code == 200
    done = post(client, "/reset", email="noor@example.org")
    assert done.status_code == 200 and "Look in your mailbox" in done.text
    mail = newest_mail(app, "noor@example.org")
    link = link_in(mail, "reset")
    assert client.get(link).headers["Referrer-Policy"] == "no-referrer"
    done = post(client, link, password="four quiet lamps hum")
    assert (done.status_code, done.location) == (302, "/login")
    assert elsewhere.get("/me").status_code == 302
    assert log_in(client, password=PASSWORD).status_code == 422
    assert log_in(client, password="four quiet lamps hum").status_code == 302
    assert person_of().confirmed_at is not None  # the mail came back: the address is proven
    assert newest_mail(app, "noor@example.org").subject == "Your password was changed"
    assert post(client, link, form_at="/me", password="again the same link").location == "/reset"


def test_a_reset_link_ends_after_an_hour(app: Any, client: Any) -> None:
    import time_machine

    make_account()
    post(client, "/reset", email="noor@example.org")
    link = link_in(newest_mail(app, "noor@example.org"), "reset")
    with time_machine.travel(clock.now() + timedelta(minutes=61)):
        assert client.get(link).location == "/reset"
    assert "more than an hour old" in client.get("/reset").text


def test_changing_the_password_ends_every_other_session(app: Any, client: Any) -> None:
    make_account()
    log_in(client)
    other = app.test_client()
    log_in(other)
    done = post(client, "/change", password=PASSWORD, new_password="four quiet lamps hum")
    assert (done.status_code, done.location) == (302, "/me/settings")
    assert client.get("/me").status_code == 200
    assert other.get("/me").status_code == 302
    assert scalar("SELECT count(*) FROM web_session WHERE person_id IS NOT NULL") == 1
    assert newest_mail(app, "noor@example.org").name == "people/password_changed"


def test_a_wrong_present_password_changes_nothing(app: Any, client: Any) -> None:
    make_account()
    log_in(client)
    done = post(client, "/change", password="wrong", new_password="four quiet lamps hum")
    assert done.status_code == 422 and "This is not your password." in done.text


def test_logging_out_needs_the_token_and_ends_the_session(app: Any, client: Any) -> None:
    make_account()
    log_in(client)
    assert client.get("/logout").status_code == 405
    assert client.post("/logout").status_code == 400
    assert client.get("/me").status_code == 200
    done = post(client, "/logout", form_at="/me")
    assert (done.status_code, done.location) == (302, "/")
    assert client.get("/me").status_code == 302
    assert scalar("SELECT count(*) FROM web_session WHERE person_id IS NOT NULL") == 0


@pytest.mark.parametrize(("path", "same"), [("/reset", "name"), ("/confirm", "name")])
def test_a_known_and_an_unknown_address_get_the_same_answer(app: Any, client: Any, path: str, same: str) -> None:
    make_account(confirmed_at=None)
    answers = [post(client, path, email=email) for email in ("noor@example.org", "nobody@example.org")]
    bodies = [re.sub(r'value="[^"]*"', "", answer.text.replace("noor@", "nobody@")) for answer in answers]
    assert [answer.status_code for answer in answers] == [200, 200]
    assert bodies[0] == bodies[1]
    jobs.drain(app)
    assert scalar("SELECT count(*) FROM mail") == 1


def test_registering_a_known_address_looks_the_same_and_tells_its_owner(app: Any, client: Any) -> None:
    make_account()
    known, unknown = app.test_client(), app.test_client()
    answers = [register(known), register(unknown, "nobody@example.org")]
    assert {(answer.status_code, answer.location) for answer in answers} == {(302, "/welcome")}
    assert "We have sent a mail to noor@example.org" in known.get("/welcome").text
    mail = newest_mail(app, "noor@example.org")
    assert mail.subject == "You have an account here already" and "/login" in mail.text
    assert known.get("/me").status_code == 302
    assert scalar("SELECT count(*) FROM person") == 2


def test_a_refused_form_keeps_what_was_typed_but_never_the_password(app: Any, client: Any) -> None:
    done = register(client, email="noor", name="Noor", password="short")
    assert done.status_code == 422
    assert 'value="Noor"' in done.text and 'value="noor"' in done.text and 'value="short"' not in done.text
    assert "This is not an e-mail address." in done.text and "Use at least 10 characters." in done.text
    assert scalar("SELECT count(*) FROM person") == 0


def test_fields_that_nobody_offered_are_not_taken(app: Any, client: Any) -> None:
    register(client, is_staff="1", active="0", confirmed_at="2020-01-01", handle="root", fs_uniquifier="x",
             roles="staff")
    person = person_of()
    assert (person.is_staff, person.active, person.confirmed_at, person.handle) == (False, True, None, "noor-de-wit")


def test_no_remember_cookie_is_ever_set(app: Any, client: Any) -> None:
    make_account()
    done = log_in(client, remember="y")
    # The device's name (W-27) says which browser it is; nobody is signed in by it.
    assert {cookie.split("=")[0] for cookie in done.headers.getlist("Set-Cookie")} == {"session", "device"}


def test_no_token_is_handed_out_to_programs(app: Any, client: Any) -> None:
    make_account()
    token = csrf_token(client, "/login")
    done = client.post("/login?include_auth_token", json={"email": "noor@example.org", "password": PASSWORD},
                       headers={"X-CSRFToken": token, "Accept": "application/json"})
    assert "authentication_token" not in done.text


def test_the_library_offers_only_what_is_used(app: Any) -> None:
    offered = {rule.rule for rule in app.url_map.iter_rules() if rule.endpoint.startswith("security.")}
    assert offered == {"/login", "/logout", "/register", "/reset", "/reset/<token>", "/change", "/confirm",
                       "/confirm/<token>", "/verify"}


def test_a_signed_in_request_reads_the_session_and_the_person_in_one_statement(app: Any, client: Any) -> None:
    sign_in(client, make_account())
    client.get("/me/settings")
    said: list[str] = []

    def listen(_connection: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        said.append(" ".join(statement.split()))

    with app.app_context():
        sa.event.listen(db.engine, "before_cursor_execute", listen)
        try:
            client.get("/me/settings")
        finally:
            sa.event.remove(db.engine, "before_cursor_execute", listen)
    assert len(said) == 1, said
    assert "FROM web_session" in said[0] and "JOIN person" in said[0]


def test_a_session_is_worth_nothing_when_its_person_is_closed_or_was_signed_out_by_a_new_key(app: Any) -> None:
    for change in ({"active": False}, {"fs_uniquifier": "another"}):
        person = make_account(email=f"{next(iter(change))}@example.org")
        browser = sign_in(app.test_client(), person)
        assert browser.get("/me").status_code == 200
        with transaction():
            for column, value in change.items():
                setattr(person, column, value)
        assert browser.get("/me").status_code == 302, change


def test_staff_can_log_in(app: Any, client: Any) -> None:
    make_account(is_staff=True)
    assert log_in(client).status_code == 302
    assert client.get("/me").status_code == 200
