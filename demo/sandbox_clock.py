"""Where the clock may be moved, the local Stripe's clock goes along; Stripe's own cannot be moved."""

import json
import urllib.request
from datetime import timedelta

from flask import Flask, current_app

from core.clock import clock_moved


def control(path: str, body: dict[str, object]) -> None:
    """One call to the sandbox's control door; nothing when the site talks to Stripe itself."""
    base = current_app.config["STRIPE_API_BASE"]
    if not base or "stripe.com" in base:
        return
    request = urllib.request.Request(f"{base}/_sandbox/{path}", json.dumps(body).encode(),  # noqa: S310 -- our own
                                     headers={"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=10):  # noqa: S310
        pass


def follow(shift: timedelta) -> None:
    control("clock", {"offset": shift.total_seconds()})


def init_app(app: Flask) -> None:
    clock_moved.connect(follow)
