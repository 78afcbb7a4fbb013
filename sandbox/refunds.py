"""v1/refunds: never more than the charge, never while disputed (S-65 to S-68)."""

from __future__ import annotations

from . import books, clock, disputes, webhooks
from .errors import invalid
from .methods import card_of
from .routes import Request, listing, merge_metadata, one, route
from .shapes import blank
from .store import Row, random_id, store

SLOW = 5 * 24 * 3600  # a pending refund, as of card …7726, succeeds after this
TURNS = 10 * 24 * 3600  # a refund that will fail, as to card …5126, fails after this


@route("POST /v1/refunds", "_refund_create_params.RefundCreateParams")
def create(request: Request) -> Row:
    params = request.params
    charge = _charge(params)
    left = charge["amount_captured"] - charge["amount_refunded"]
    if charge["disputed"] and _open_dispute(charge):
        text = f"Charge {charge['id']} has been charged back; cannot issue a refund."
        raise invalid(text, "charge", "charge_disputed", stored=True)
    if charge["status"] != "succeeded" or not charge["captured"]:
        raise invalid(f"Charge {charge['id']} has not been captured.", "charge", "charge_not_refundable", stored=True)
    if left <= 0:
        raise invalid(
            f"Charge {charge['id']} has already been refunded.", "charge", "charge_already_refunded", stored=True
        )
    amount = params.get("amount", left)
    if amount < 1:
        raise invalid("Invalid positive integer", "amount", "parameter_invalid_integer")
    if amount > left:
        raise invalid(f"Refund amount ({amount}) is greater than unrefunded amount ({left}).", "amount", stored=True)
    for name in ("reverse_transfer", "refund_application_fee"):
        if params.get(name) and not charge["transfer_data"]:
            raise invalid(f"{name} needs a destination charge; reverse the transfer by itself.", name, stored=True)
    return _make(charge, amount, request)


def _charge(params: Row) -> Row:
    if ("charge" in params) == ("payment_intent" in params):
        raise invalid("Pass either charge or payment_intent.", "charge", "parameter_missing")
    if "charge" in params:
        return one("charge", params["charge"], "charge")
    intent = one("payment_intent", params["payment_intent"], "payment_intent")
    if intent["latest_charge"] is None or intent["status"] != "succeeded":
        text = f"This PaymentIntent ({intent['id']}) does not have a successful charge to refund."
        raise invalid(text, "payment_intent", "payment_intent_unexpected_state", stored=True)
    return one("charge", intent["latest_charge"])


def _open_dispute(charge: Row) -> bool:
    """An inquiry still allows a refund, and so does a dispute that was won."""
    ids = store.newest_first("dispute", {"charge": charge["id"]})
    return any(not one("dispute", id)["is_charge_refundable"] for id in ids)


def _make(charge: Row, amount: int, request: Request) -> Row:
    params, until = request.params, books.ripens(charge)
    after = request.fault or card_of(one("payment_method", charge["payment_method"])).after
    id = random_id("re_")
    entry = books.transact("refund", -amount, charge["currency"], id, until=until)
    books.post(charge["currency"], (books.PLATFORM, -amount), (books.WORLD, amount), why=id, until=until)
    details = {
        "reference": None,
        "reference_status": "pending",
        "reference_type": "acquirer_reference_number",
        "type": "refund",
    }
    refund = blank(
        "refund",
        id,
        amount=amount,
        balance_transaction=entry["id"],
        charge=charge["id"],
        created=clock.now(),
        currency=charge["currency"],
        customer=charge["customer"],
        destination_details={"card": details, "type": "card"},
        metadata={},
        payment_intent=charge["payment_intent"],
        payment_method=charge["payment_method"],
        reason=params.get("reason"),
        status={"refund_pending": "pending", "refund_requires_action": "requires_action"}.get(after or "", "succeeded"),
    )
    merge_metadata(refund, params.get("metadata"))
    if refund["status"] == "pending":
        refund["pending_reason"] = "processing"
        clock.at(clock.exact() + SLOW, refund_arrives, refund["id"])
    if after == "refund_fails":
        clock.at(clock.exact() + TURNS, refund_fails, refund["id"])
    store.put("refund", refund)
    before = charge["amount_refunded"]
    charge["amount_refunded"] += amount
    charge["refunded"] = charge["amount_refunded"] == charge["amount"]
    store.put("charge", charge)
    webhooks.emit("refund.created", refund)
    webhooks.emit("charge.refunded", charge, {"amount_refunded": before})
    if charge["refunded"]:
        disputes.settle_inquiries(charge)
    return refund


def decide(refund: Row, outcome: str) -> Row:
    """The bank took it, or sent it back (control API); a refund that succeeded may still come back."""
    legal = {"settle": ("pending", "requires_action"), "fail": ("pending", "requires_action", "succeeded")}
    if refund["status"] not in legal.get(outcome, ()):
        raise invalid(f"This refund's status is {refund['status']}: it cannot {outcome}.", code="refund_not_decidable")
    (refund_arrives if outcome == "settle" else refund_fails)(refund["id"])
    return one("refund", refund["id"])


@clock.action
def refund_arrives(id: str) -> None:
    refund = store.get("refund", id)
    if refund is not None and refund["status"] in ("pending", "requires_action"):
        before = refund["status"]
        refund.update(status="succeeded", pending_reason=None)
        store.put("refund", refund)
        webhooks.emit("refund.updated", refund, {"status": before})


@clock.action
def refund_fails(id: str) -> None:
    """The bank sends it back: the money returns to the platform and the debt is open again (S-66)."""
    refund = store.get("refund", id)
    if refund is not None and refund["status"] in ("succeeded", "pending", "requires_action"):
        _return_money(refund, "failed", "refund_failure")
        refund["failure_reason"] = "expired_or_canceled_card"
        store.put("refund", refund)
        webhooks.emit("refund.updated", refund)
        webhooks.emit("refund.failed", refund)


def _return_money(refund: Row, status: str, type: str) -> None:
    entry = books.transact(type, refund["amount"], refund["currency"], refund["id"])
    books.post(
        refund["currency"], (books.WORLD, -refund["amount"]), (books.PLATFORM, refund["amount"]), why=refund["id"]
    )
    refund.update(status=status, failure_balance_transaction=entry["id"], pending_reason=None)
    charge = one("charge", refund["charge"])
    charge["amount_refunded"] -= refund["amount"]
    charge["refunded"] = False
    store.put("charge", charge)


@route("GET /v1/refunds/{id}", "_refund_retrieve_params.RefundRetrieveParams")
def retrieve(request: Request) -> Row:
    return one("refund", request.ids[0])


@route("GET /v1/refunds", "_refund_list_params.RefundListParams")
def list_all(request: Request) -> Row:
    return listing(request, "refund", {key: request.params.get(key) for key in ("charge", "payment_intent")})


@route("POST /v1/refunds/{id}", "_refund_update_params.RefundUpdateParams")
def update(request: Request) -> Row:
    refund = one("refund", request.ids[0])
    merge_metadata(refund, request.params.get("metadata"))
    store.put("refund", refund)
    webhooks.emit("refund.updated", refund)
    return refund


@route("POST /v1/refunds/{id}/cancel", "_refund_cancel_params.RefundCancelParams")
def cancel(request: Request) -> Row:
    refund = one("refund", request.ids[0])
    if refund["status"] != "requires_action":
        text = f"This refund's status is {refund['status']}: it cannot be canceled."
        raise invalid(text, code="refund_not_cancelable", stored=True)
    _return_money(refund, "canceled", "payment_refund")
    store.put("refund", refund)
    webhooks.emit("refund.updated", refund)
    return refund
