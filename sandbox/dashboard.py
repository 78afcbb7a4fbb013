"""The human page at `/`: what happened lately, and buttons for what tests do by the control API."""

from __future__ import annotations

from . import pages


def serve(method: str, query: dict[str, str], form: dict[str, str]) -> pages.Page:
    return pages.notice("Stripe sandbox", "The sandbox runs. Its control API is under /_sandbox/.")
