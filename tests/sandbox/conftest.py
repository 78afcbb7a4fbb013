"""The real Stripe SDK against a sandbox in a process of its own; one process for the whole folder, emptied per test."""

from __future__ import annotations

import itertools
import json
import sys
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import stripe

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from sandbox.testing import Sandbox, start

stripe.enable_telemetry = False
_numbers = itertools.count()


def key() -> dict[str, Any]:
    return {"idempotency_key": f"test:{next(_numbers)}"}


def client_of(sandbox: Sandbox, secret: str = "sk_test_sandbox", **more: Any) -> stripe.StripeClient:
    more.setdefault("stripe_version", "2026-10-28.endive")
    return stripe.StripeClient(secret, base_addresses={"api": sandbox.url}, **more)


class Mailbox:
    """A webhook endpoint that remembers what came and answers what it is told."""

    def __init__(self) -> None:
        self.got: list[SimpleNamespace] = []
        self.answers: list[int] = []
        self.news = threading.Condition()
        box = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                with box.news:
                    status = box.answers.pop(0) if box.answers else 200
                    letter = SimpleNamespace(
                        path=self.path, body=body, mark=self.headers["Stripe-Signature"], status=status
                    )
                    letter.event = json.loads(body)
                    box.got.append(letter)
                    box.news.notify_all()
                self.send_response(status)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()

    def wait_for(self, enough: Callable[[list[SimpleNamespace]], bool], seconds: float = 8) -> list[SimpleNamespace]:
        with self.news:
            assert self.news.wait_for(lambda: enough(self.got), seconds), [letter.event["type"] for letter in self.got]
            return list(self.got)

    def wait(self, type: str, times: int = 1) -> list[SimpleNamespace]:
        found = self.wait_for(lambda got: sum(letter.event["type"] == type for letter in got) >= times)
        return [letter for letter in found if letter.event["type"] == type]


@pytest.fixture(scope="session")
def running() -> Iterator[Sandbox]:
    sandbox = start()
    yield sandbox
    sandbox.stop()


@pytest.fixture
def sandbox(running: Sandbox) -> Sandbox:
    running.post("reset")
    running.post("rate", per_endpoint=0, **{"global": 0})
    running.post("webhooks", mode="normal", url="", secret="whsec_test", thin_url="")
    return running


@pytest.fixture
def mailbox(sandbox: Sandbox) -> Iterator[Mailbox]:
    box = Mailbox()
    sandbox.post("webhooks", url=f"{box.url}/hook", thin_url=f"{box.url}/thin")
    yield box
    box.server.shutdown()
    box.server.server_close()


@pytest.fixture
def stripe_client(sandbox: Sandbox) -> stripe.StripeClient:
    return client_of(sandbox)


@pytest.fixture
def backer(sandbox: Sandbox, stripe_client: stripe.StripeClient) -> Backer:
    return Backer(sandbox, stripe_client)


class Backer:
    """A customer, and short words for what the tests do with one."""

    def __init__(self, sandbox: Sandbox, client: stripe.StripeClient) -> None:
        self.sandbox, self.client, self.v1 = sandbox, client, client.v1
        self.customer = self.v1.customers.create({"email": "backer@example.org", "name": "B. Acker"}, key())

    def session(self, **more: Any) -> Any:
        params: dict[str, Any] = {"mode": "setup", "currency": "eur", "customer": self.customer.id}
        params |= {
            "success_url": "https://shop.example/ok?s={CHECKOUT_SESSION_ID}",
            "cancel_url": "https://shop.example/",
        }
        return self.v1.checkout.sessions.create({**params, **more}, key())

    def saves(self, number: str = "4242424242424242") -> str:
        """Save a card by Checkout; gives the PaymentMethod's id."""
        answer = self.sandbox.post(f"checkout/{self.session().id}/complete", number=number)
        assert answer["redirect"], answer
        return str(answer["setup_intent"]["payment_method"])

    def intent(self, method: str | None = None, amount: int = 2500, **more: Any) -> Any:
        params: dict[str, Any] = {"amount": amount, "currency": "eur", "customer": self.customer.id}
        if method:
            params["payment_method"] = method
        return self.v1.payment_intents.create({**params, **more}, key())

    def pays(self, method: str, amount: int = 2500, **more: Any) -> Any:
        """Charge off session; gives the confirmed PaymentIntent."""
        return self.v1.payment_intents.confirm(self.intent(method, amount, **more).id, {"off_session": True}, key())

    def creator(self, active: bool = True) -> Any:
        wanted = {"stripe_balance": {"stripe_transfers": {"requested": True}}}
        account = self.client.v2.core.accounts.create(
            {
                "contact_email": "creator@example.org",
                "display_name": "A Creator",
                "dashboard": "express",
                "identity": {"country": "nl"},
                "configuration": {"recipient": {"capabilities": wanted}},
                "include": ["configuration.recipient", "requirements"],
            },
            key(),
        )
        if active:
            self.sandbox.post(f"accounts/{account.id}/activate")
        return account


def refused(call: Callable[..., Any], *args: Any, **more: Any) -> Any:
    """The error that a call ends in."""
    with pytest.raises(stripe.StripeError) as caught:
        call(*args, **more)
    return caught.value


@pytest.fixture
def words() -> SimpleNamespace:
    return SimpleNamespace(key=key, client_of=client_of, refused=refused)
