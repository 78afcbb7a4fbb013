"""The site under gunicorn for a bench: as it is, but for two switches.

BENCH_COLD keeps no page, so that each is made anew. BENCH_WITHOUT_STRIPE opens no form at Stripe: a pledge is led to an
address as if Stripe had answered at once, and neither the library's work nor the waiting takes the others' processor.
"""

import os
from typing import Any

from flask import Flask

import core.pages
from app import create_app
from payments import gateway


def ours() -> Flask:
    if os.environ.get("BENCH_COLD"):
        core.pages.MOST = 0
    if os.environ.get("BENCH_WITHOUT_STRIPE"):
        gateway.open_setup = _opened
    return create_app()


def _opened(*, key: str, **_asked: Any) -> gateway.SetupNews:
    session = "cs_" + key.removeprefix("cs:")
    return gateway.SetupNews(session, "open", f"https://checkout.stripe.com/c/{session}", None, None, None, None)
