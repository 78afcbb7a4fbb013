"""The human page at `/`: what happened lately, and buttons for what tests do by the control API."""

from __future__ import annotations

import json
from typing import Any

import msgspec

from . import clock, control, faults, pages, webhooks
from .errors import StripeError
from .store import store

KINDS = (
    "payment_intent", "charge", "setup_intent", "checkout.session", "customer", "payment_method", "refund", "dispute",
    "transfer", "payout", "v2.core.account", "balance_transaction", "event", "v2.core.event",
)  # fmt: skip


def serve(method: str, query: dict[str, str], form: dict[str, str]) -> pages.Page:
    told = ""
    if method == "POST":
        try:
            told = _press(form)
        except (StripeError, ValueError) as error:
            told = f"Refused: {error}"
    return pages.html("dashboard.html", told=told, **_seen(query))


def _press(form: dict[str, str]) -> str:
    """One button of the page; each does what one control does."""
    do = form.get("do")
    if do == "clock":
        control.move_clock({"advance": float(form.get("hours") or 0) * 3600})
        return f"The clock stands {clock.offset() / 3600:.1f} hours ahead."
    if do == "fault":
        fault = faults.plant({"match": form.get("match") or "*", "kind": form.get("kind")})
        return f"The next {fault.match} meets {fault.kind}."
    if do == "dispute":
        return f"Opened {control.dispute({'charge': form.get('charge', '')})['id']}."
    if do == "redeliver":
        return f"Queued {control.redeliver({'event': form['event']} if form.get('event') else {})['queued']} events."
    return "Nothing to do."


def _seen(query: dict[str, str]) -> dict[str, Any]:
    from .server import log

    kind = query.get("kind") if query.get("kind") in KINDS else "payment_intent"
    ids = [id for id in reversed(store.order.get(kind or "", [])) if id in store.rows[kind or ""]][:25]
    rows = [(id, json.dumps(_plain(store.rows[kind or ""][id]), indent=1)) for id in ids]
    return {
        "time": clock.iso(clock.exact()),
        "offset": round(clock.offset() / 3600, 1),
        "kind": kind,
        "kinds": [(name, len(store.rows.get(name, {}))) for name in KINDS],
        "rows": rows,
        "requests": list(log)[-30:][::-1],
        "faults": faults.planted,
        "fault_kinds": faults.KINDS,
        "hook": webhooks.endpoint,
    }


def _plain(row: Any) -> Any:
    """An event's snapshot is kept as bytes; shown, it is an object again."""
    return msgspec.json.decode(msgspec.json.encode(row))
