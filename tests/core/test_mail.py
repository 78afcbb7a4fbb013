"""The outbox against a real SMTP server: sent once, with one Message-ID, and patiently."""

import email
import email.policy
import socket
import threading
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from aiosmtpd.controller import Controller

from core import clock, mail
from core.db import db, transaction
from tests.factories import make_person, scalar


class Postman:
    """Keeps what comes; can be told to refuse."""

    def __init__(self) -> None:
        self.got: list[Any] = []
        self.refuses = False

    async def handle_DATA(self, server: Any, session: Any, envelope: Any) -> str:
        if self.refuses:
            return "451 Come back later"
        self.got.append(email.message_from_bytes(envelope.content, policy=email.policy.default))
        return "250 Taken"


@pytest.fixture
def postman() -> Postman:
    return Postman()


@pytest.fixture
def smtp(app: Any, postman: Postman) -> Iterator[Any]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    server = Controller(postman, hostname="127.0.0.1", port=port)
    server.start()
    app.config["SMTP_URL"] = f"smtp://127.0.0.1:{port}"
    yield server
    app.config["SMTP_URL"] = ""
    if not server.loop.is_closed():
        server.stop()


def write(person: Any, dedupe: str = "", name: str = "people/password_changed") -> None:
    with transaction():
        mail.post(name, dedupe=dedupe, person_id=person.id)


def state() -> Any:
    db.session.rollback()
    return db.session.execute(sa.text("SELECT state, attempts FROM mail")).one()


def test_a_mail_arrives_with_both_parts_and_is_noted(app: Any, smtp: Any, postman: Postman) -> None:
    noor = make_person("Noor Bakker", email="noor@example.org")
    write(noor)
    assert mail.send_due() == 1
    [message] = postman.got
    assert message["To"] == "Noor Bakker <noor@example.org>"
    assert message["Subject"] == "Your password was changed"
    assert message["Auto-Submitted"] == "auto-generated"
    assert message["Message-ID"] == f"<{scalar('SELECT id FROM mail')}@achterban.example>"
    assert "It was not me" in message.get_body(("plain",)).get_content()
    html = message.get_body(("html",)).get_content()
    assert 'style="' in html and "http://localhost/reset" in html and "{{" not in html
    assert tuple(state()) == ("sent", 1)
    assert scalar("SELECT text IS NULL AND recipient IS NULL FROM mail")  # nothing is kept of what really left


def test_the_same_news_goes_out_once(app: Any, smtp: Any, postman: Postman) -> None:
    noor = make_person()
    for dedupe in ("", "", "again"):
        write(noor, dedupe)
    mail.send_due()
    mail.send_due()
    assert len(postman.got) == 2


def test_a_server_that_refuses_is_asked_again_with_the_same_message_id(
        app: Any, smtp: Any, postman: Postman) -> None:
    write(make_person())
    postman.refuses = True
    assert mail.send_due() == 0
    assert tuple(state()) == ("queued", 1)
    assert mail.send_due() == 0 and state().attempts == 1  # not yet due again
    postman.refuses = False
    clock.move_clock(timedelta(minutes=1))
    assert mail.send_due() == 1
    assert tuple(state()) == ("sent", 2)
    assert postman.got[0]["Message-ID"].startswith(f"<{scalar('SELECT id FROM mail')}@")


def test_a_server_that_is_down_is_waited_for(app: Any, smtp: Any, postman: Postman) -> None:
    smtp.stop()
    write(make_person())
    for attempt in (1, 2, 3):
        assert mail.send_due() == 0
        assert tuple(state()) == ("queued", attempt)
        clock.move_clock(timedelta(hours=1))
    again = Controller(postman, hostname="127.0.0.1", port=smtp.port)
    again.start()
    try:
        assert mail.send_due() == 1
    finally:
        again.stop()


def test_a_sender_that_died_is_taken_over(app: Any, smtp: Any, postman: Postman) -> None:
    write(make_person())
    with transaction() as session:
        session.execute(mail._LEASE)  # leased, and then the worker was killed
    assert mail.send_due() == 0
    clock.move_clock(timedelta(minutes=3))
    assert mail.send_due() == 1 and len(postman.got) == 1


def test_two_workers_send_each_mail_once(app: Any, smtp: Any, postman: Postman) -> None:
    for _n in range(30):
        write(make_person())

    def work() -> None:
        with app.app_context():
            mail.send_due()
            db.session.remove()

    threads = [threading.Thread(target=work) for _n in range(3)]
    [thread.start() for thread in threads]
    [thread.join() for thread in threads]
    assert len(postman.got) == 30 == len({message["To"] for message in postman.got})


def test_news_that_is_no_longer_true_is_not_sent(app: Any, smtp: Any, postman: Postman) -> None:
    write(make_person(), name="people/confirm")  # confirmed meanwhile
    assert mail.send_due() == 0
    assert state().state == "dropped" and not postman.got


def test_a_transaction_that_fails_never_wrote(app: Any, smtp: Any, postman: Postman) -> None:
    noor = make_person()
    with pytest.raises(ZeroDivisionError), transaction():
        mail.post("people/password_changed", person_id=noor.id)
        raise ZeroDivisionError
    assert mail.send_due() == 0


def test_no_header_can_be_slipped_in(app: Any, smtp: Any, postman: Postman) -> None:
    write(make_person("Noor\r\nBcc: x@evil.example"))
    mail.send_due()
    assert not postman.got or postman.got[0]["Bcc"] is None
