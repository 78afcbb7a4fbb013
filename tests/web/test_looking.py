"""W-06: looking changes nothing. Every GET, as several roles, on a database that refuses to write."""

from typing import Any

import psycopg
import pytest

from tests.web.scene import fingerprint, make_scene, routes

# Looking that writes on a good day, each with its reason, and still answers when it cannot write.
WRITERS = {
    "backing.card_returned": "Stripe's redirect: does what the webhook does, twice is once",
    "backing.payment_returned": "the same, from the bank",
    "payments.returned": "the same, from onboarding",
    "sharing.follow": "counts the visit",
}


def test_no_page_needs_to_write(app: Any, stripe: Any, database_url: str, base_env: dict[str, str]) -> None:
    from app import create_app
    from core.db import db

    scene = make_scene(stripe)
    cookies = [scene.browser(app, role).get_cookie("session") for role in ("anonymous", "backer_a", "creator", "staff")]
    with psycopg.connect(database_url, autocommit=True) as connection:
        name = f'"{connection.info.dbname}"'
        connection.execute(f"ALTER DATABASE {name} SET default_transaction_read_only = on")
    frozen = create_app(base_env | {"STRIPE_API_BASE": stripe.url})
    frozen.test_client_class = app.test_client_class
    try:
        for cookie in cookies:
            client, asked = frozen.test_client(), 0
            if cookie:
                client.set_cookie("session", cookie.value, domain="localhost")
            for method, rule in routes(frozen):
                for _about, address in scene.addresses(rule) if method == "GET" else []:
                    assert client.get(address).status_code < 500, address  # a write raises: bugs propagate in tests
                    asked += 1
            assert asked > 60
        with frozen.app_context(), pytest.raises(Exception, match="read-only"):
            db.session.execute(db.text("INSERT INTO page_version (topic) VALUES ('proof')"))
    finally:
        with psycopg.connect(database_url, autocommit=True) as connection:
            connection.execute("SET default_transaction_read_only = off")
            connection.execute(f"ALTER DATABASE {name} RESET default_transaction_read_only")
        with frozen.app_context():
            db.session.remove()
            db.engine.dispose()
        if pool := frozen.extensions["page_cache"].pool:
            pool.close()


def test_writers_are_still_there(session_app: Any) -> None:
    assert set(WRITERS) <= set(session_app.view_functions)


def test_looking_at_everything_leaves_every_row_as_it_was(app: Any, stripe: Any, database_url: str) -> None:
    """The same on a database that may be written: only what WRITERS says and the sessions' own clock changes."""
    scene = make_scene(stripe)
    clients = {role: scene.browser(app, role) for role in ("anonymous", "backer_b", "creator")}
    before = fingerprint(database_url)
    for client in clients.values():
        for method, rule in routes(app):
            if method == "GET" and rule.endpoint not in WRITERS:
                for _about, address in scene.addresses(rule):
                    client.get(address)
    after = fingerprint(database_url)
    assert {table for table in before if before[table] != after[table]} <= {"web_session"}
