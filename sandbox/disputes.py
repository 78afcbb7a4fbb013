"""v1/disputes and early fraud warnings: the platform loses the amount and a fee until it wins (S-68, S-70)."""

from __future__ import annotations

from . import books, clock, webhooks
from .cards import Card
from .errors import invalid, wrong_state
from .routes import Request, listing, merge_metadata, one, route
from .shapes import blank
from .store import Row, store

FEE = 2000
WARNINGS = ("warning_needs_response", "warning_under_review", "warning_closed")
OVER = ("won", "lost", "warning_closed", "prevented")
ANSWERABLE = ("needs_response", "warning_needs_response", "appeal_needs_response")
MOVES = {
    "warning_needs_response": {"warning_under_review", "warning_closed", "needs_response"},
    "warning_under_review": {"warning_closed", "needs_response"},
    "needs_response": {"under_review", "won", "lost", "prevented"},
    "under_review": {"won", "lost", "needs_response"},
    "lost": {"appeal_needs_response"},
    "won": {"lost", "appeal_needs_response"},
    "appeal_needs_response": {"appeal_under_review", "lost"},
    "appeal_under_review": {"won", "lost"},
    "warning_closed": set(),
    "prevented": set(),
}
REASONS = (
    "bank_cannot_process", "check_returned", "credit_not_processed", "customer_initiated", "debit_not_authorized",
    "duplicate", "fraudulent", "general", "incorrect_account_details", "insufficient_funds", "noncompliant",
    "product_not_received", "product_unacceptable", "subscription_canceled", "unrecognized",
)  # fmt: skip
EVIDENCE = (
    "access_activity_log", "billing_address", "cancellation_policy", "cancellation_policy_disclosure",
    "cancellation_rebuttal", "customer_communication", "customer_email_address", "customer_name",
    "customer_purchase_ip", "customer_signature", "duplicate_charge_documentation", "duplicate_charge_explanation",
    "duplicate_charge_id", "product_description", "receipt", "refund_policy", "refund_policy_disclosure",
    "refund_refusal_explanation", "service_date", "service_documentation", "shipping_address", "shipping_carrier",
    "shipping_date", "shipping_documentation", "shipping_tracking_number", "uncategorized_file", "uncategorized_text",
)  # fmt: skip


def after_charge(charge: Row, card: Card) -> None:
    """What some test cards bring upon a charge that succeeded."""
    if card.after == "dispute":
        start(charge, "needs_response", "fraudulent")
    elif card.after == "not_received":
        start(charge, "needs_response", "product_not_received")
    elif card.after == "inquiry":
        start(charge, "warning_needs_response", "fraudulent")
    elif card.after == "fraud_warning":
        warn(charge)


def warn(charge: Row) -> Row:
    warning = blank(
        "radar.early_fraud_warning",
        actionable=True,
        charge=charge["id"],
        created=clock.now(),
        fraud_type="made_with_stolen_card",
        payment_intent=charge["payment_intent"],
    )
    store.put("radar.early_fraud_warning", warning)
    webhooks.emit("radar.early_fraud_warning.created", warning)
    return warning


def start(charge: Row, status: str = "needs_response", reason: str = "fraudulent", amount: int | None = None) -> Row:
    """Open a dispute, for the whole charge or a part of it, and lead it to `status` by legal moves."""
    if status not in MOVES:
        raise invalid(f"status must be one of {', '.join(MOVES)}", "status")
    if reason not in REASONS:
        raise invalid(f"reason must be one of {', '.join(REASONS)}", "reason")
    steps = _path(status)
    dispute = _open(charge, steps[0], reason, amount)
    for step in steps[1:]:
        move(dispute, step)
    return dispute


def _path(status: str) -> list[str]:
    """The shortest way to a status from one in which disputes begin."""
    ways = [["needs_response"], ["warning_needs_response"]]
    for way in ways:
        if way[-1] == status:
            return way
        ways += [[*way, step] for step in sorted(MOVES[way[-1]]) if step not in way]
    raise AssertionError(status)


def _open(charge: Row, status: str, reason: str, amount: int | None) -> Row:
    """An inquiry takes no money yet; anything else takes it at once."""
    left = _left(charge)
    amount = left if amount is None else amount
    if charge["status"] != "succeeded" or not 0 < amount <= left:
        raise invalid("Only what was charged, not refunded and not disputed yet can be disputed.", "amount")
    details = {"due_by": clock.now() + 14 * 86400, "enhanced_eligibility": {}}
    dispute = blank(
        "dispute",
        amount=amount,
        balance_transactions=[],
        charge=charge["id"],
        created=clock.now(),
        currency=charge["currency"],
        enhanced_eligibility_types=[],
        evidence={**dict.fromkeys(EVIDENCE), "enhanced_evidence": {}},
        evidence_details={**details, "has_evidence": False, "past_due": False, "submission_count": 0},
        is_charge_refundable=status in WARNINGS,
        metadata={},
        payment_intent=charge["payment_intent"],
        payment_method_details=_details(charge, status),
        reason=reason,
        status=status,
    )
    charge["disputed"] = True
    store.put("charge", charge)
    store.put("dispute", dispute)
    webhooks.emit("charge.dispute.created", dispute)
    if status not in WARNINGS:
        _withdraw(dispute)
    return dispute


def _left(charge: Row, but: str = "") -> int:
    """What of a charge neither went back nor is wanted back by a bank; the dispute `but` is not asked."""
    known = [one("dispute", id) for id in store.newest_first("dispute", {"charge": charge["id"]}) if id != but]
    held = sum(row["amount"] for row in known if row["status"] not in ("won", "prevented", "warning_closed"))
    return int(charge["amount_captured"] - charge["amount_refunded"] - held)


def _details(charge: Row, status: str) -> Row:
    brand = charge["payment_method_details"]["card"]["brand"]
    case = "inquiry" if status in WARNINGS else "chargeback"
    return {
        "card": {"brand": brand, "case_type": case, "network": brand, "network_reason_code": "10.4"},
        "type": "card",
    }


def _withdraw(dispute: Row) -> None:
    amount, currency = dispute["amount"], dispute["currency"]
    entry = books.transact("adjustment", -amount, currency, dispute["id"], fee=FEE, category="dispute")
    lines = ((books.PLATFORM, -amount - FEE), (books.WORLD, amount), (books.FEES, FEE))
    books.post(currency, *lines, why=dispute["id"])
    dispute["balance_transactions"] = [*dispute["balance_transactions"], entry]
    store.put("dispute", dispute)
    webhooks.emit("charge.dispute.funds_withdrawn", dispute)


def _reinstate(dispute: Row) -> None:
    amount, currency = dispute["amount"], dispute["currency"]
    entry = books.transact("adjustment", amount, currency, dispute["id"], category="dispute_reversal")
    books.post(currency, (books.WORLD, -amount), (books.PLATFORM, amount), why=dispute["id"])
    dispute["balance_transactions"] = [*dispute["balance_transactions"], entry]
    store.put("dispute", dispute)
    webhooks.emit("charge.dispute.funds_reinstated", dispute)


def move(dispute: Row, status: str) -> Row:
    """To another status by the table; money follows (control API, or the platform's own answer)."""
    before = dispute["status"]
    if status not in MOVES.get(before, set()):
        raise wrong_state("dispute", dispute, f"moved to {status}")
    withdrawn = sum(entry["amount"] for entry in dispute["balance_transactions"]) < 0
    withdraws = status in ("needs_response", "lost") and not withdrawn
    if withdraws and dispute["amount"] > _left(one("charge", dispute["charge"]), but=dispute["id"]):
        raise invalid("What was refunded, or went to another bank meanwhile, cannot be taken once more.", "dispute")
    dispute["status"] = status
    dispute["is_charge_refundable"] = status in (*WARNINGS, "won")
    store.put("dispute", dispute)
    if status in ("won", "prevented") and withdrawn:
        _reinstate(dispute)
    if withdraws:
        dispute["payment_method_details"] = _details(one("charge", dispute["charge"]), status)
        _withdraw(dispute)
    webhooks.emit("charge.dispute.closed" if status in OVER else "charge.dispute.updated", dispute, {"status": before})
    return dispute


def settle_inquiries(charge: Row) -> None:
    """A charge that is refunded in full ends the bank's questions: they can become no chargeback any more
    (docs.stripe.com/disputes/how-disputes-work, inquiries)."""
    for id in store.newest_first("dispute", {"charge": charge["id"]}):
        if (dispute := one("dispute", id))["status"] in WARNINGS[:2]:
            move(dispute, "warning_closed")


@route("GET /v1/disputes/{id}", "_dispute_retrieve_params.DisputeRetrieveParams")
def retrieve(request: Request) -> Row:
    return one("dispute", request.ids[0])


@route("GET /v1/disputes", "_dispute_list_params.DisputeListParams")
def list_all(request: Request) -> Row:
    return listing(request, "dispute", {key: request.params.get(key) for key in ("charge", "payment_intent")})


@route("POST /v1/disputes/{id}", "_dispute_update_params.DisputeUpdateParams")
def update(request: Request) -> Row:
    dispute, params = one("dispute", request.ids[0]), request.params
    evidence = params.get("evidence")
    if evidence is not None and dispute["status"] not in ANSWERABLE:
        raise wrong_state("dispute", dispute, "answered")
    merge_metadata(dispute, params.get("metadata"))
    if evidence:
        dispute["evidence"] = {**dispute["evidence"], **{key: value or None for key, value in evidence.items()}}
        dispute["evidence_details"] = {**dispute["evidence_details"], "has_evidence": True}
    store.put("dispute", dispute)
    if evidence is not None and params.get("submit", True):
        dispute["evidence_details"]["submission_count"] += 1
        after = {"needs_response": "under_review", "warning_needs_response": "warning_under_review"}
        return move(dispute, after.get(dispute["status"], "appeal_under_review"))
    webhooks.emit("charge.dispute.updated", dispute)
    return dispute


@route("POST /v1/disputes/{id}/close", "_dispute_close_params.DisputeCloseParams")
def close(request: Request) -> Row:
    dispute = one("dispute", request.ids[0])
    if dispute["status"] not in ANSWERABLE:
        raise wrong_state("dispute", dispute, "closed")
    return move(dispute, "warning_closed" if dispute["status"] == "warning_needs_response" else "lost")


@route(
    "GET /v1/radar/early_fraud_warnings/{id}",
    "radar._early_fraud_warning_retrieve_params.EarlyFraudWarningRetrieveParams",
)
def retrieve_warning(request: Request) -> Row:
    return one("radar.early_fraud_warning", request.ids[0])


@route("GET /v1/radar/early_fraud_warnings", "radar._early_fraud_warning_list_params.EarlyFraudWarningListParams")
def list_warnings(request: Request) -> Row:
    where = {key: request.params.get(key) for key in ("charge", "payment_intent")}
    return listing(request, "radar.early_fraud_warning", where)
