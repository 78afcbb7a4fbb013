from datetime import timedelta

import pytest

from core import clock
from sharing import devices, ears, visits
from tests.factories import csrf_token, make_person, scalar, sign_in
from tests.sharing.scenes import count


@pytest.fixture(autouse=True)
def fresh(app):
    visits.forget_here()


@pytest.fixture
def noor(app):
    return make_person("Noor Bakker")


def act(client, **headers):
    """A signed-in person sends a form."""
    token = csrf_token(client, "/me/settings")
    return client.post("/me/settings", data={"csrf_token": token}, headers=headers)


def cookies(answer):
    return [text for text in answer.headers.getlist("Set-Cookie") if text.startswith("device=")]


def test_a_browser_is_named_when_somebody_signed_in_does_something(client, noor):
    sign_in(client, noor)
    assert cookies(client.get("/me")) == [] and count("person_device") == 0
    [text] = cookies(act(client))
    assert all(word in text for word in ("HttpOnly", "SameSite=Lax", "Path=/", "Max-Age=31536000"))
    assert count("person_device") == 1 and count("person_network") == 1
    assert cookies(act(client)) == [] and count("person_device") == 1


def test_visitors_without_an_account_are_not_named(client):
    token = csrf_token(client, "/login")
    answer = client.post("/login", data={"csrf_token": token, "email": "x@example.org", "password": "nonsense"})
    assert cookies(answer) == [] and count("person_device") == 0


def test_two_people_on_one_browser_share_its_hash(app, client, noor):
    mo = make_person("Mo El Idrissi")
    act(sign_in(client, noor))
    assert len(cookies(act(sign_in(client, mo)))) == 1
    assert count("person_device") == 2 and scalar("SELECT count(DISTINCT device) FROM person_device") == 1
    assert cookies(act(sign_in(client, noor))) == []
    act(sign_in(app.test_client(), noor))
    assert count("person_device") == 3 and scalar("SELECT count(DISTINCT device) FROM person_device") == 2


@pytest.mark.parametrize("wish", [{"Sec-GPC": "1"}, {"DNT": "1"}])
def test_a_browser_that_does_not_want_to_be_known_is_not(client, noor, wish):
    sign_in(client, noor)
    assert cookies(act(client, **wish)) == [] and count("person_device") == count("person_network") == 0
    act(client)
    [text] = cookies(act(client, **wish))
    assert "Max-Age=0" in text


@pytest.mark.parametrize("text", ["", "x", "é", "W10.x", "[]", "0" * 5_000])
def test_a_cookie_that_is_not_ours_is_no_browser(app, text):
    assert devices.read(text) is None


def test_what_is_stored_is_not_what_the_cookie_says(client, noor):
    [text] = cookies(act(sign_in(client, noor)))
    browser = devices.read(text.split(";")[0].partition("=")[2])
    assert count("person_device") == 1
    stored = bytes(scalar("SELECT device FROM person_device"))
    assert stored == browser.device != browser.name and scalar("SELECT network FROM person_network") not in (b"", b"127.0.0.1")


def test_the_next_day_is_noted_once_and_old_ones_are_forgotten(client, noor):
    act(sign_in(client, noor))
    clock.move_clock(timedelta(days=1))
    sign_in(client, noor)
    assert len(cookies(act(client))) == 1 and cookies(act(client)) == []
    assert count("person_device") == 1 and count("person_network") == 2
    assert scalar("SELECT last_day - first_day FROM person_device") == 1
    clock.move_clock(timedelta(days=2))
    assert devices.forget_old() == 2 and count("person_network") == 0 and count("person_device") == 1
    clock.move_clock(timedelta(days=366))
    assert devices.forget_old() == 1 and count("person_device") == 0


def test_a_database_that_does_not_take_it_does_not_stop_anybody(client, noor, monkeypatch):
    from sqlalchemy.exc import OperationalError

    def fail(*_args, **_kwargs):
        raise OperationalError("x", {}, Exception())

    monkeypatch.setattr(ears.devices, "note", fail)
    assert act(sign_in(client, noor)).status_code < 500
