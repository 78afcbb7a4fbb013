"""Charges: made by confirming a PaymentIntent, the failed ones too; v1/charges reads and annotates them."""

from __future__ import annotations

from typing import Any

from . import books, clock, webhooks
from .cards import Card, Refusal
from .errors import invalid
from .routes import Request, listing, merge_metadata, one, route
from .shapes import blank
from .store import Row, random_id, store


def new(intent: Row, method: Row, card: Card, why: Refusal | None, authenticated: bool) -> Row:
    """The charge of one attempt; `why` tells that it failed."""
    good = why is None
    manual = intent["capture_method"] == "manual"
    suffix = intent["statement_descriptor_suffix"]
    charge = blank(
        "charge",
        amount=intent["amount"],
        amount_captured=0,
        amount_refunded=0,
        billing_details={**method["billing_details"], "address": dict(method["billing_details"]["address"])},
        calculated_statement_descriptor=f"SANDBOX* {suffix}".upper()[:22] if suffix else "SANDBOX",
        created=clock.now(),
        currency=intent["currency"],
        customer=intent["customer"],
        description=intent["description"],
        disputed=False,
        fraud_details={},
        metadata=dict(intent["metadata"]),
        on_behalf_of=intent["on_behalf_of"],
        outcome=_outcome(card, why),
        paid=good,
        payment_intent=intent["id"],
        payment_method=method["id"],
        payment_method_details={"card": _card_details(intent, method, authenticated), "type": "card"},
        receipt_email=intent["receipt_email"],
        receipt_url=f"https://pay.stripe.com/receipts/sandbox/{random_id('')}" if good else None,
        refunded=False,
        shipping=intent["shipping"],
        statement_descriptor_suffix=suffix,
        status="succeeded" if good else "failed",
        transfer_data=intent["transfer_data"],
        transfer_group=intent["transfer_group"],
    )
    if why is not None:
        charge.update(failure_code=why.code, failure_message=why.message)
    store.put("charge", charge)
    if good and not manual:
        capture(charge, charge["amount"], card)
    webhooks.emit("charge.succeeded" if good else "charge.failed", charge)
    return charge


def capture(charge: Row, amount: int, card: Card) -> None:
    """Money comes in: gross from the cardholder, the fee to Stripe, the rest to the platform."""
    currency = charge["currency"]
    fee = books.fee_for(amount, currency)
    until = 0 if card.after == "available" else clock.now() + books.WEEK
    entry = books.transact("charge", amount, currency, charge["id"], fee, until, description=charge["description"])
    lines = ((books.WORLD, -amount), (books.FEES, fee), (books.PLATFORM, amount - fee))
    books.post(currency, *lines, why=charge["id"], until=until)
    charge.update(captured=True, amount_captured=amount, balance_transaction=entry["id"])
    store.put("charge", charge)


def _outcome(card: Card, why: Refusal | None) -> Row:
    blocked = card.number.endswith("0019")
    outcome = {
        "advice_code": why.advice if why else None,
        "network_advice_code": None,
        "network_decline_code": why.network if why else None,
        "network_status": "approved_by_network",
        "reason": None,
        "risk_level": "normal",
        "risk_score": 20,
        "seller_message": "Payment complete.",
        "type": "authorized",
    }
    if why is not None:
        outcome.update(
            network_status="declined_by_network", reason=why.decline_code or why.code, type="issuer_declined"
        )
        outcome["seller_message"] = f"The bank returned the decline code `{why.decline_code or why.code}`."
    if blocked:
        outcome.update(
            network_status="not_sent_to_network", reason="highest_risk_level", risk_level="highest", type="blocked"
        )
    return outcome


def _card_details(intent: Row, method: Row, authenticated: bool) -> Row:
    card = method["card"]
    copied = (
        "brand",
        "checks",
        "country",
        "exp_month",
        "exp_year",
        "fingerprint",
        "funding",
        "last4",
        "regulated_status",
    )
    secure = {"authentication_flow": "challenge", "result": "authenticated", "result_reason": None, "version": "2.2.0"}
    more: dict[str, Any] = {
        "amount_authorized": intent["amount"],
        "authorization_code": None,
        "extended_authorization": {"status": "disabled"},
        "incremental_authorization": {"status": "unavailable"},
        "installments": None,
        "mandate": None,
        "multicapture": {"status": "unavailable"},
        "network": card["brand"],
        "network_token": {"used": False},
        "network_transaction_id": random_id("", 15),
        "overcapture": {"maximum_amount_capturable": intent["amount"], "status": "unavailable"},
        "three_d_secure": secure if authenticated else None,
        "transaction_link_id": None,
        "wallet": None,
    }
    return {**{key: card[key] for key in copied}, **more}


@route("GET /v1/charges/{id}", "_charge_retrieve_params.ChargeRetrieveParams")
def retrieve(request: Request) -> Row:
    return one("charge", request.ids[0])


@route("GET /v1/charges", "_charge_list_params.ChargeListParams")
def list_all(request: Request) -> Row:
    params = request.params
    return listing(
        request, "charge", {key: params.get(key) for key in ("payment_intent", "customer", "transfer_group")}
    )


@route("POST /v1/charges/{id}", "_charge_update_params.ChargeUpdateParams")
def update(request: Request) -> Row:
    charge, params = one("charge", request.ids[0]), request.params
    if "transfer_group" in params and charge["transfer_group"] is not None:
        raise invalid("transfer_group can be set only once.", "transfer_group")
    for key in ("description", "receipt_email", "transfer_group", "shipping", "fraud_details"):
        if key in params:
            charge[key] = params[key]
    merge_metadata(charge, params.get("metadata"))
    store.put("charge", charge)
    webhooks.emit("charge.updated", charge)
    return charge
