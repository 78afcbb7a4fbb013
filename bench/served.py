"""The site under gunicorn for a bench: as it is, but for two switches.

BENCH_COLD keeps no page, so that each is made anew. Every answer says how long it waited for Stripe (`Server-Timing`).
"""

import os
import threading
import time
from typing import Any

from flask import Flask, Response

import core.pages
from app import create_app
from payments import gateway

_spent = threading.local()


def ours() -> Flask:
    if os.environ.get("BENCH_COLD"):
        core.pages.MOST = 0
    app = create_app()
    if os.environ.get("BENCH_STRIPE"):
        _time_stripe(app)
    return app


def _time_stripe(app: Flask) -> None:
    """Measure from leaving our code to coming back: all calls pass `gateway._Call`."""
    enter, leave = gateway._Call.__enter__, gateway._Call.__exit__

    def begin(self: Any) -> None:
        enter(self)
        self.began = time.perf_counter()

    def end(self: Any, *error: Any) -> None:
        _spent.ms = getattr(_spent, "ms", 0.0) + (time.perf_counter() - self.began) * 1000
        leave(self, *error)

    gateway._Call.__enter__, gateway._Call.__exit__ = begin, end  # type: ignore[method-assign]

    @app.before_request
    def reset() -> None:
        _spent.ms = 0.0

    @app.after_request
    def tell(response: Response) -> Response:
        response.headers["Server-Timing"] = f"stripe;dur={_spent.ms:.3f}"
        return response
