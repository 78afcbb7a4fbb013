"""News from Stripe: stored first, answered at once, handled by a job that reads the object anew (S-40 to S-46).

An event is a hint. Its payload decides nothing: the handler fetches the object and moves our state forward only, so
that doubles, any order and late arrivals end the same way.
"""

import json
from typing import Any

import sqlalchemy as sa
import structlog

from core.db import db, transaction
from core.jobs import defer, task
from payments import accounts, cards, charging

log = structlog.get_logger()

_STORE = sa.text("""
    INSERT INTO stripe_event (event_id, type, account, api_version, payload)
    VALUES (:id, :type, :account, :version, CAST(:payload AS jsonb))
    ON CONFLICT (event_id) DO NOTHING RETURNING event_id""")


def receive(event: dict[str, Any]) -> bool:
    """Keep a verified event and queue its handling in one transaction; False when it came before."""
    with transaction() as session:
        new = session.execute(_STORE, {
            "id": event["id"], "type": event["type"], "account": event.get("account") or event.get("context"),
            "version": event.get("api_version"), "payload": json.dumps(event)}).first()
        if new:
            defer("payments:handle_event", event_id=event["id"])
    return new is not None


class NotYet(Exception):
    """The object is unknown so far: our own commit may still be on its way (S-45)."""


@task("payments:handle_event", queue="money", retry=8)
def handle_event(event_id: str) -> None:
    """Act on one stored event, once or many times."""
    event = db.session.execute(sa.text("SELECT type, payload, handled_at, received_at < clock_now() - interval "
                                       "'5 minutes' AS is_old FROM stripe_event WHERE event_id = :id"),
                               {"id": event_id}).first()
    db.session.rollback()
    if event is None or event.handled_at is not None:
        return
    if not _act(event.type, event.payload) and not event.is_old:
        raise NotYet(event.type)
    with transaction() as session:
        session.execute(sa.text("UPDATE stripe_event SET handled_at = clock_now() WHERE event_id = :id"),
                        {"id": event_id})


def _act(kind: str, payload: dict[str, Any]) -> bool:
    """True when done; False when the object is not ours, or not yet."""
    thing = (payload.get("data") or {}).get("object") or {}
    if kind in ("checkout.session.completed", "checkout.session.expired"):
        return cards.settle_card(str(thing.get("id"))) is not None
    if kind.startswith("payment_intent."):
        return charging.hear_of_payment(str(thing.get("id"))) or kind == "payment_intent.created"
    if kind.startswith("v2.core.account"):
        return accounts.refresh_by_stripe_id(str((payload.get("related_object") or {}).get("id")))
    return True  # stored, and nothing to do (S-46)
