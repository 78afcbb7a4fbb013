"""A database that is away or full is no bug of the page: a plain 503 that says when to come back (O-16)."""

import contextlib
import hashlib
import hmac
import time
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
import sqlalchemy as sa

import config
from core import errors
from tests.conftest import Browser
from tests.factories import make_person, sign_in

NOWHERE = "postgresql://nobody@127.0.0.1:9/nothing?connect_timeout=2"
TARGETS = ["/", "/discover", "/me", "/projects/nothing-here", "/projects/nothing-here/pledge"]


def check(answer: Any) -> None:
    assert answer.status_code == 503, answer.status
    assert int(answer.headers["Retry-After"]) > 0
    assert answer.headers["Cache-Control"] == "no-store" and "default-src 'none'" in answer.headers["Content-Security-Policy"]
    assert "cannot reach its records" in answer.text and "Traceback" not in answer.text
    assert "psycopg" not in answer.text and "127.0.0.1" not in answer.text


@pytest.fixture
def small(base_env: dict[str, str], sandbox: Any, clean: None) -> Iterator[Any]:
    """The site with one connection and two for the rush."""
    from app import create_app
    from core.db import db

    app = create_app(base_env | {"STRIPE_API_BASE": sandbox.url, "DB_POOL_SIZE": "1"})
    app.test_client_class = Browser
    with app.app_context():
        yield app
        db.session.remove()
        db.engine.dispose()


def test_whoever_finds_no_free_connection_in_time_is_told_to_come_back(small: Any) -> None:
    from core.db import db

    visitor, person = small.test_client(), small.test_client()
    sign_in(person, make_person())
    db.session.commit()
    db.session.remove()
    with contextlib.ExitStack() as held:
        for _n in range(3):
            held.enter_context(db.engine.connect())
        check(visitor.get("/discover"))
        check(person.get("/me"))  # found out while reading the session, before there is a view
    assert visitor.get("/discover").status_code == 200
    assert person.get("/me").status_code == 200


@pytest.fixture(scope="module")
def lonely(base_env: dict[str, str], sandbox: Any) -> Iterator[Any]:
    """The site while nobody listens where its database was."""
    from app import create_app

    yield create_app(base_env | {"STRIPE_API_BASE": sandbox.url, "DATABASE_URL": NOWHERE})


@pytest.mark.parametrize("target", TARGETS)
def test_without_a_database_every_page_says_so(lonely: Any, target: str) -> None:
    stranger = lonely.test_client().get(target)
    if stranger.status_code != 302:  # whoever is nobody is sent to sign in without a look into the database
        check(stranger)
    known = lonely.test_client()
    known.set_cookie(lonely.config["SESSION_COOKIE_NAME"], "x" * 43, domain="localhost")
    check(known.get(target))


def test_without_a_database_a_program_is_told_in_its_own_words(lonely: Any) -> None:
    answer = lonely.test_client().get("/discover", headers={"Accept": "application/json"})
    assert answer.status_code == 503 and "Retry-After" in answer.headers
    assert "cannot reach its records" in answer.get_json()["error"]


def test_without_a_database_stripe_is_asked_to_send_its_event_again(lonely: Any) -> None:
    body = b'{"id": "evt_1", "type": "charge.updated", "livemode": false, "object": "event", "data": {"object": {}}}'
    now = int(time.time())
    mac = hmac.new(config.SANDBOX_SECRET.encode(), f"{now}.".encode() + body, hashlib.sha256).hexdigest()
    check(lonely.test_client().post("/webhooks/stripe", data=body, headers={
        "Content-Type": "application/json", "Stripe-Signature": f"t={now},v1={mac}"}))


def test_pages_of_files_and_the_sign_of_life_need_no_database(lonely: Any) -> None:
    assert lonely.test_client().get("/livez").status_code == 200
    assert lonely.test_client().get("/static/tokens.css").status_code == 200


def test_a_connection_that_the_server_ended_costs_one_503_and_no_more(app: Any, client: Any, database_url: str) -> None:
    from core.db import db

    assert client.get("/discover").status_code == 200
    db.session.remove()
    with psycopg.connect(database_url, autocommit=True) as other:
        other.execute("""SELECT pg_terminate_backend(pid) FROM pg_stat_activity
                          WHERE datname = current_database() AND pid <> pg_backend_pid()""")
    answers = [client.get("/discover?q=bread").status_code for _n in range(3)]
    assert set(answers) <= {200, 503} and answers[-1] == 200, answers


@pytest.mark.parametrize(("state", "is_away"), [
    (psycopg.errors.ConnectionFailure, True), (psycopg.errors.TooManyConnections, True),
    (psycopg.errors.DiskFull, True), (psycopg.errors.AdminShutdown, True), (psycopg.errors.CannotConnectNow, True),
    (psycopg.OperationalError, True), (psycopg.errors.UniqueViolation, False), (psycopg.errors.UndefinedTable, False),
    (psycopg.errors.QueryCanceled, False), (psycopg.errors.LockNotAvailable, False), (ValueError, False)])
def test_only_what_the_database_cannot_help_is_away(state: Any, is_away: bool) -> None:
    error = state("x")
    assert errors.is_away(error) is is_away
    if isinstance(error, psycopg.Error):
        assert errors.is_away(sa.exc.DBAPIError.instance("SELECT", {}, error, psycopg.Error)) is is_away
