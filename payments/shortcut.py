"""Stripe's events for the many: at a deadline or a payout thousands come within a minute.

Answered here, in front of Flask, is what is plainly Stripe's: signed, of the right mode and stored. Everything else goes
on to the view `payments.webhook`, which does the same, and refuses and reports what is wrong.
"""

import io
from collections.abc import Iterable

from flask import Flask
from sqlalchemy.exc import SQLAlchemyError

from core import clock
from core.front import Door, Environ, Start
from payments import gateway, inbox

PATH = "/webhooks/stripe"
LARGEST_EVENT = 1024 * 1024
_BODY = b"ok"


class Events(Door):
    """See above."""

    def takes(self, environ: Environ) -> bool:
        return bool(environ["PATH_INFO"] == PATH and environ["REQUEST_METHOD"] == "POST")

    def answer(self, environ: Environ, start_response: Start) -> Iterable[bytes]:
        length = environ.get("CONTENT_LENGTH") or ""
        if not length.isdecimal() or int(length) > LARGEST_EVENT or not self.is_ours(environ.get("HTTP_HOST", "")):
            return self.inner(environ, start_response)
        body = environ["wsgi.input"].read(int(length))
        environ["wsgi.input"] = io.BytesIO(body)
        with self.app.app_context():
            try:
                event = gateway.verify_event(body, environ.get("HTTP_STRIPE_SIGNATURE", ""),
                                             self.app.config["STRIPE_WEBHOOK_SECRETS"], clock.now().timestamp())
                if event.get("livemode", False) is not self.app.config["STRIPE_LIVE"]:
                    return self.inner(environ, start_response)
                inbox.receive(event, body.decode())
            except (gateway.GatewayError, SQLAlchemyError):
                return self.inner(environ, start_response)
        start_response("200 OK", self.headers(_BODY))
        return [_BODY]


def init_app(app: Flask) -> None:
    app.wsgi_app = Events(app)  # type: ignore[method-assign]
