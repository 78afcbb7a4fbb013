"""The page of tools: what it names, and a clock that only development may move."""

from datetime import timedelta
from typing import Any

import pytest

from core import clock
from demo import stories
from tests.factories import csrf_token, make_person, make_project, scalar, sign_in


def push(client: Any, span: str) -> Any:
    return client.post("/demo/clock", data={"span": span, "csrf_token": csrf_token(client, "/demo")})


def shift() -> timedelta:
    return scalar("SELECT shift FROM clock")


def test_it_names_the_accounts_that_exist_the_password_and_the_cards(app: Any, client: Any) -> None:
    for email in stories.ACCOUNTS.values():
        make_person(email=email)
    page = client.get("/demo").get_data(as_text=True)
    assert all(email in page for email in stories.ACCOUNTS.values())
    assert stories.PASSWORD in page and "4000 0000 0000 0341" in page and 'href="/mailbox"' in page


def test_on_an_empty_installation_it_names_nobody(app: Any, client: Any) -> None:
    page = client.get("/demo").get_data(as_text=True)
    assert stories.PASSWORD not in page and "This installation is empty" in page


def test_the_clock_moves_by_what_is_asked(app: Any, client: Any, stripe: Any) -> None:
    answer = push(client, "1d12h")
    assert (answer.status_code, answer.location) == (303, "/demo")
    assert shift() == timedelta(days=1, hours=12)
    assert abs(stripe.get("clock")["offset"] - 36 * 3600) < 1
    assert "The clock was moved" in client.get("/demo").get_data(as_text=True)


def test_whoever_moves_the_clock_stays_signed_in(app: Any, client: Any, stripe: Any) -> None:
    sign_in(client, make_person(name="Noor Bakker"))
    push(client, "2d")
    assert "Noor Bakker" in client.get("/demo").get_data(as_text=True)


def test_it_goes_to_the_next_deadline(app: Any, client: Any, stripe: Any) -> None:
    make_project(days=30)
    sooner = make_project(days=3)
    push(client, "deadline")
    assert timedelta(0) < clock.now() - sooner.deadline < timedelta(seconds=30)


@pytest.mark.parametrize("span", ["", "soon", "-1d", "0s", "401d", "99999d", "1.5h", "deadline"])
def test_a_span_that_means_nothing_is_a_sentence_and_moves_nothing(app: Any, client: Any, stripe: Any, span: str) -> None:
    answer = push(client, span)
    assert answer.status_code == 422 and "One thing to mend" in answer.get_data(as_text=True)
    assert shift() == timedelta(0)


def test_the_clock_is_not_pushed_beyond_ten_years(app: Any, client: Any, stripe: Any) -> None:
    with clock.db.engine.begin() as connection:
        connection.exec_driver_sql("UPDATE clock SET shift = '3600 days'")
    clock._read_at = 0.0
    assert push(client, "300d").status_code == 422


def test_without_a_token_nothing_moves(app: Any, client: Any) -> None:
    assert client.post("/demo/clock", data={"span": "1d"}).status_code == 400
    assert shift() == timedelta(0)


def test_every_page_leads_here(app: Any, client: Any) -> None:
    assert 'href="/demo"' in client.get("/").get_data(as_text=True)


def test_in_production_none_of_it_exists(app: Any, base_env: dict[str, str]) -> None:
    from app import create_app

    live = create_app(base_env | {
        "ACHTERBAN_ENV": "production", "BASE_URL": "https://backers.example", "SMTP_URL": "smtp://localhost:2525",
        "STRIPE_SECRET_KEY": "sk_live_1234", "STRIPE_WEBHOOK_SECRET": "whsec_1234"})
    paths = {rule.rule for rule in live.url_map.iter_rules()}
    assert not [path for path in paths if path.startswith(("/demo", "/mailbox"))] and "/discover" in paths
    assert "demo" not in live.cli.commands
    with live.app_context():
        browser = live.test_client()
        assert browser.get("/demo", base_url="https://backers.example").status_code == 404
        assert 'href="/demo"' not in browser.get("/", base_url="https://backers.example").get_data(as_text=True)
        with pytest.raises(RuntimeError):
            clock.move_clock(timedelta(days=1))
        clock.db.engine.dispose()
