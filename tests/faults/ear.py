"""Hears the errors that jobs and ticks catch, so that a test may fail of them."""

import sys
from contextlib import contextmanager

import structlog

from core.errors import Refusal
from payments import gateway, inbox

EXPECTED = (gateway.GatewayError, inbox.NotYet, Refusal)


class Ear:
    """Hears what the log hears; errors that are no answer of Stripe's are bugs, wherever they are caught."""

    def __init__(self):
        self.bugs = []

    def __call__(self, logger, method, event):
        if event.get("exc_info"):
            error = event["exc_info"] if isinstance(event["exc_info"], BaseException) else sys.exc_info()[1]
            if error is not None and not isinstance(error, EXPECTED):
                self.bugs.append((event.get("event"), repr(error)[:2000]))
        raise structlog.DropEvent


@contextmanager
def listening():
    processors = structlog.get_config()["processors"]
    before, ear = list(processors), Ear()
    processors[:] = [ear]
    try:
        yield ear
    finally:
        processors[:] = before
