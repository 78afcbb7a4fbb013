"""News from Stripe: stored first, answered at once, handled by a job that reads the object anew (S-40 to S-46).

An event is a hint. Its payload decides nothing: the handler fetches the object and moves our state forward only, so
that doubles, any order and late arrivals end the same way.
"""

import json
from collections.abc import Callable
from typing import Any

import sqlalchemy as sa
import structlog

from core.crash import crashpoint
from core.db import ask, db, transaction
from core.jobs import task
from payments import accounts, cards, charging, disputes, methods, refund_news, transfers, warnings

log = structlog.get_logger()

# One statement, so one round trip and one transaction: the row and its job, or neither (C-22). A job is a row too. To
# whom a card is billed, name and address, is in the object at Stripe; what is stored here of the hint does without.
_STORE = sa.text("""
    WITH new AS (
        INSERT INTO stripe_event (event_id, type, account, api_version, payload)
        VALUES (:id, :type, :account, :version, CAST(:payload AS jsonb)
                #- '{data,object,billing_details}' #- '{data,previous_attributes,billing_details}'
                #- '{data,object,last_payment_error,payment_method,billing_details}'
                #- '{data,object,last_setup_error,payment_method,billing_details}')
        ON CONFLICT (event_id) DO NOTHING RETURNING event_id)
    SELECT procrastinate_defer_jobs_v1(ARRAY[CAST(ROW('money', 'payments:handle_event', 0, NULL, NULL,
               jsonb_build_object('event_id', event_id), NULL) AS procrastinate_job_to_defer_v1)]) FROM new""")


def receive(event: dict[str, Any], text: str = "") -> bool:
    """Keep a verified event, of which `text` is what came, and queue its handling; False when it came before."""
    crashpoint("before-event")
    text = text or json.dumps(event)
    if "\\u0000" in text:  # JSON allows it, the database does not
        text = text.replace("\\u0000", "\\ufffd")
    is_new = bool(ask(_STORE, id=event["id"], type=event["type"], account=event.get("account") or event.get("context"),
                      version=event.get("api_version"), payload=text))
    crashpoint("after-event")
    return is_new


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
    if not _act(event.type, event.payload):
        if not event.is_old:
            raise NotYet(event.type)
        log.warning("event of something that is not ours", stripe_event=event_id, type=event.type,
                    account=event.payload.get("account"))
    with transaction() as session:
        session.execute(sa.text("UPDATE stripe_event SET handled_at = clock_now() WHERE event_id = :id"),
                        {"id": event_id})


def _card_form(payload: dict[str, Any]) -> bool:
    return cards.settle_card(_object(payload)) is not None


def _setup_intent(payload: dict[str, Any]) -> bool:
    """The form that it belongs to is asked; whether it is open, complete or over is Stripe's to say."""
    subject = str(((payload.get("data") or {}).get("object") or {}).get("metadata", {}).get("subject"))
    session_id = db.session.scalar(sa.text("SELECT session_id FROM card_setup WHERE subject_id::text = :subject "
                                           "AND state = 'open' AND session_id IS NOT NULL"), {"subject": subject})
    db.session.rollback()
    if session_id:
        cards.settle_card(session_id)
    return True


def _account(payload: dict[str, Any]) -> bool:
    """Thin events carry no object, only where it is (S-49); those of v1 say whose they are."""
    return accounts.refresh_by_stripe_id(str((payload.get("related_object") or {}).get("id")
                                             or payload.get("account") or _object(payload)))


def _object(payload: dict[str, Any]) -> str:
    """The id of what the event is about: all that is believed of it."""
    return str(((payload.get("data") or {}).get("object") or {}).get("id"))


def _kept(_payload: dict[str, Any]) -> bool:
    """Stored for whoever looks, and nothing to do."""
    return True


Handler = Callable[[dict[str, Any]], bool]
# Type → what reads the object anew; the first that fits. False: not ours, or not yet (S-48).
HANDLERS: list[tuple[str, Handler]] = [
    ("checkout.session.completed", _card_form),
    ("checkout.session.expired", _card_form),
    ("setup_intent.", _setup_intent),
    ("payment_intent.created", lambda payload: charging.hear_of_payment(_object(payload)) or True),
    ("payment_intent.", lambda payload: charging.hear_of_payment(_object(payload))),
    ("charge.dispute.", lambda payload: disputes.hear_of_dispute(_object(payload))),
    ("charge.refund", lambda payload: refund_news.hear_of_refund(_object(payload))),  # charge.refunded, charge.refund.updated
    ("refund.", lambda payload: refund_news.hear_of_refund(_object(payload))),
    ("radar.early_fraud_warning.", lambda payload: warnings.hear_of_warning(_object(payload))),
    ("transfer.", lambda payload: transfers.hear_of_transfer(_object(payload))),
    ("payment_method.", lambda payload: methods.hear_of_method(_object(payload))),
    ("account.", _account),
    ("v2.core.account", _account),
    ("payout.", _kept),  # to a bank, the operator's or a creator's: reconciliation books the platform's own
    ("mandate.updated", _kept),
]


def _act(kind: str, payload: dict[str, Any]) -> bool:
    """True when done; False when the object is not ours, or not yet."""
    if payload.get("account") and not kind.startswith(("account.", "v2.")):
        return True  # of a connected account's own business: its objects are not ours
    return next((handler for start, handler in HANDLERS if kind.startswith(start)), _kept)(payload)
