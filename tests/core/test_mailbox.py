"""The mailbox of development."""

from typing import Any

from core import jobs, mail
from core.db import transaction
from tests.factories import make_person, scalar


def write(app: Any, *people: Any) -> None:
    for person in people:
        with transaction():
            mail.post("people/password_changed", person_id=person.id)
        jobs.drain(app)


def test_mails_are_listed_newest_first_and_by_recipient(app: Any, client: Any) -> None:
    noor, mo = make_person(email="noor@example.org"), make_person(email="mo@example.org")
    write(app, noor, mo)
    page = client.get("/mailbox").text
    assert page.index("mo@example.org") < page.index("noor@example.org")
    page = client.get("/mailbox?to=NOOR@").text
    assert "noor@example.org" in page and "mo@example.org" not in page
    assert "Nothing was sent to" in client.get("/mailbox?to=100%25").text
    assert "Set-Cookie" not in client.get("/mailbox").headers


def test_a_mail_is_shown_in_a_sandbox_without_scripts(app: Any, client: Any) -> None:
    write(app, make_person())
    mail_id = scalar("SELECT id FROM mail")
    page = client.get(f"/mailbox/{mail_id}")
    assert f'src="/mailbox/{mail_id}/body"' in page.text and "frame-src 'self'" in page.headers["Content-Security-Policy"]
    body = client.get(f"/mailbox/{mail_id}/body")
    assert body.headers["Content-Security-Policy"].startswith("default-src 'none'; img-src 'self'; ")
    assert "sandbox allow-popups" in body.headers["Content-Security-Policy"]
    assert '<base target="_top">' in body.text and "http://localhost/reset" in body.text
    assert client.get("/mailbox/00000000-0000-7000-8000-000000000000").status_code == 404


def test_with_a_mail_server_and_in_production_there_is_no_such_page(app: Any, base_env: dict[str, str]) -> None:
    from app import create_app

    production = {"ACHTERBAN_ENV": "production", "BASE_URL": "https://achterban.example",
                  "SMTP_URL": "smtp://127.0.0.1:1", "STRIPE_SECRET_KEY": "sk_test_x", "STRIPE_WEBHOOK_SECRET": "whsec_x",
                  "STRIPE_API_BASE": "https://sandbox.example"}
    for env in (production, {"SMTP_URL": "smtp://127.0.0.1:1"}):
        made = create_app(base_env | env)
        assert not [rule for rule in made.url_map.iter_rules() if rule.rule.startswith("/mailbox")]
