"""Sessions: their cookie (W-01) and their life (W-02)."""

import http.cookies
from datetime import timedelta
from typing import Any

import pytest

from core import clock, sessions
from core.db import transaction
from tests.factories import csrf_token, make_person, scalar, sign_in


def cookies_of(response: Any) -> dict[str, http.cookies.Morsel[str]]:
    jar: dict[str, http.cookies.Morsel[str]] = {}
    for line in response.headers.getlist("Set-Cookie"):
        jar.update(http.cookies.SimpleCookie(line))
    return jar


@pytest.fixture
def https_app(app: Any, base_env: dict[str, str]) -> Any:
    from app import create_app

    made = create_app(base_env | {"BASE_URL": "https://achterban.example"})
    made.test_client_class = app.test_client_class
    return made


def test_over_http_the_cookie_is_http_only_and_lax(client: Any) -> None:
    cookie = cookies_of(client.get("/login"))["session"]
    assert (cookie["httponly"], cookie["samesite"], cookie["path"], cookie["secure"]) == (True, "Lax", "/", "")
    assert int(cookie["max-age"]) <= 30 * 86400
    assert len(cookie.value) >= 43  # 256 bits


def test_over_https_every_cookie_is_bound_to_this_host(https_app: Any) -> None:
    client = https_app.test_client()
    for path in ("/login?lang=nl", "/register", "/reset"):
        jar = cookies_of(client.get(path, base_url="https://achterban.example"))
        assert "__Host-session" in jar or path != "/login?lang=nl"
        for name, cookie in jar.items():
            assert cookie["secure"] and cookie["httponly"], name
            assert (cookie["samesite"], cookie["path"], cookie["domain"]) == ("Lax", "/", "")
            assert int(cookie["max-age"]) <= (365 if name == "lang" else 30) * 86400


def test_a_visitor_gets_no_cookie_before_a_form(client: Any) -> None:
    make_person(handle="noor")
    assert "Set-Cookie" not in client.get("/people/noor").headers
    assert scalar("SELECT count(*) FROM web_session") == 0


def test_the_table_holds_no_id_that_opens_a_session(client: Any) -> None:
    sid = cookies_of(client.get("/login"))["session"].value
    assert scalar("SELECT count(*) FROM web_session WHERE id_hash = convert_to(:sid, 'UTF8')", sid=sid) == 0
    assert scalar("SELECT content FROM web_session").count(sid) == 0


def test_signing_in_and_a_new_password_give_a_new_id(app: Any, client: Any) -> None:
    from flask_security.utils import hash_password

    person = make_person(password=hash_password("seven lazy herons wade"))
    before = cookies_of(client.get("/login"))["session"].value
    done = client.post("/login", data={"csrf_token": csrf_token(client, "/login"), "email": person.email,
                                       "password": "seven lazy herons wade"})
    after = cookies_of(done)["session"].value
    assert after != before
    assert scalar("SELECT count(*) FROM web_session") == 1
    assert scalar("SELECT person_id FROM web_session") == person.id
    done = client.post("/change", data={"csrf_token": csrf_token(client, "/change"),
                                        "password": "seven lazy herons wade", "new_password": "four quiet lamps hum"})
    assert cookies_of(done)["session"].value not in (before, after)
    stolen = app.test_client()
    for sid in (before, after):
        stolen.set_cookie("session", sid)
        assert stolen.get("/me").status_code == 302


def test_an_id_of_the_visitors_own_choice_is_not_taken(client: Any) -> None:
    client.set_cookie("session", "chosen-by-the-attacker")
    assert cookies_of(client.get("/login"))["session"].value != "chosen-by-the-attacker"


def test_a_copied_cookie_is_worth_nothing_after_logging_out(app: Any, client: Any) -> None:
    sign_in(client, make_person())
    sid = client.get_cookie("session").value
    copied = app.test_client()
    copied.set_cookie("session", sid)
    assert copied.get("/me").status_code == 200
    done = client.post("/logout", data={"csrf_token": csrf_token(client, "/me")})
    assert int(cookies_of(done)["session"]["max-age"]) == 0
    assert copied.get("/me").location == "/login?next=/me"
    assert scalar("SELECT count(*) FROM web_session") == 0


def test_twelve_idle_hours_end_a_session(client: Any) -> None:
    sign_in(client, make_person())
    clock.move_clock(timedelta(hours=11, minutes=55))
    assert client.get("/me").status_code == 200
    clock.move_clock(timedelta(hours=11, minutes=55))
    assert client.get("/me").status_code == 200
    clock.move_clock(timedelta(hours=12, minutes=1))
    assert client.get("/me").status_code == 302


def test_thirty_days_end_a_session_however_busy(client: Any) -> None:
    sign_in(client, make_person())
    for _half_day in range(59):
        clock.move_clock(timedelta(hours=11, minutes=59))
        assert client.get("/me").status_code == 200
    clock.move_clock(timedelta(hours=12) + timedelta(minutes=-1))
    clock.move_clock(timedelta(minutes=65))
    assert client.get("/me").status_code == 302


def test_signing_somebody_out_everywhere_may_spare_one_browser(app: Any, client: Any) -> None:
    noor, mo = make_person(), make_person()
    browsers = [sign_in(app.test_client(), noor) for _n in range(3)]
    sign_in(client, mo)
    with transaction():
        sessions.end_sessions(noor.id, but=browsers[1].get_cookie("session").value)
    assert [browser.get("/me").status_code for browser in browsers] == [302, 200, 302]
    assert client.get("/me").status_code == 200


def test_a_request_without_the_cookie_asks_no_session(app: Any, client: Any) -> None:
    import sqlalchemy as sa

    from core.db import db

    said: list[str] = []

    def listen(_connection: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        said.append(statement)

    sa.event.listen(db.engine, "before_cursor_execute", listen)
    try:
        client.get("/people/nobody")
    finally:
        sa.event.remove(db.engine, "before_cursor_execute", listen)
    assert not [statement for statement in said if "web_session" in statement]
