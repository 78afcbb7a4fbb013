"""v1/payment_intents: the state machine of a payment (SB-03, S-30 to S-32)."""

from __future__ import annotations

from typing import Any

from . import charges, clock, disputes, money, webhooks
from .cards import REFUSALS, Refusal, error_of, judge_charge, refusal
from .customers import living
from .errors import StripeError, invalid, wrong_state
from .methods import attach, card_of, is_set_up, mark_set_up, must_belong, named
from .origin import page
from .routes import Request, listing, merge_metadata, one, route
from .shapes import blank
from .store import Row, random_id, store

OPEN = ("requires_payment_method", "requires_confirmation", "requires_action")
CONFIRM_ONLY = ("off_session", "return_url", "mandate", "mandate_data", "error_on_requires_action", "use_stripe_sdk")
SIMPLE = ("description", "receipt_email", "statement_descriptor", "transfer_group", "shipping", "setup_future_usage")


def _fill(intent: Row, params: dict[str, Any]) -> None:
    if "currency" in params:
        intent["currency"] = money.currency(params["currency"])
    if "amount" in params:
        intent["amount"] = money.charge_amount(params["amount"], intent["currency"])
    if "customer" in params:
        intent["customer"] = living(params["customer"])["id"] if params["customer"] else None
    for key in SIMPLE:
        if key in params:
            intent[key] = params[key] if params[key] != "" else None
    if "statement_descriptor" in params:
        raise invalid("Cards take statement_descriptor_suffix only.", "statement_descriptor")
    suffix = params.get("statement_descriptor_suffix")
    if suffix:
        if len(suffix) > 22 or any(char in suffix for char in "<>\\'\"*") or not any(char.isalpha() for char in suffix):
            raise invalid("Invalid statement_descriptor_suffix.", "statement_descriptor_suffix")
        intent["statement_descriptor_suffix"] = suffix
    if "application_fee_amount" in params and "transfer_data" not in params and not intent["transfer_data"]:
        text = "application_fee_amount needs transfer_data[destination]; with separate charges and transfers, transfer less."
        raise invalid(text, "application_fee_amount")
    merge_metadata(intent, params.get("metadata"))


def _take_method(intent: Row, id: str) -> Row:
    method = named(id)
    must_belong(method, intent["customer"])
    intent["payment_method"] = method["id"]
    return method


@route("POST /v1/payment_intents", "_payment_intent_create_params.PaymentIntentCreateParams")
def create(request: Request) -> Row:
    params = request.params
    if not params.get("confirm"):
        for name in CONFIRM_ONLY:
            if name in params:
                raise invalid(f"{name} can only be passed together with confirm=true.", name)
    modes = ("allowed_payment_method_types", "excluded_payment_method_types", "automatic_payment_methods")
    if len([name for name in modes if name in params]) > 1 and "allowed_payment_method_types" in params:
        raise invalid(
            "allowed_payment_method_types excludes the other ways to choose methods.", "allowed_payment_method_types"
        )
    intent = blank(
        "payment_intent",
        amount_capturable=0,
        amount_details={"tip": {}},
        amount_received=0,
        automatic_payment_methods={"allow_redirects": "always", "enabled": True},
        capture_method=params.get("capture_method", "automatic_async"),
        confirmation_method=params.get("confirmation_method", "automatic"),
        created=clock.now(),
        metadata={},
        payment_method_options={"card": {"installments": None, "network": None, "request_three_d_secure": "automatic"}},
        payment_method_types=["card"],
        status="requires_payment_method",
        transfer_data=params.get("transfer_data"),
        on_behalf_of=params.get("on_behalf_of"),
        application_fee_amount=params.get("application_fee_amount"),
    )
    if "automatic_payment_methods" in params:
        intent["automatic_payment_methods"].update(params["automatic_payment_methods"])
    if "allowed_payment_method_types" in params:
        intent["allowed_payment_method_types"] = params["allowed_payment_method_types"]
        intent["automatic_payment_methods"] = None
    _fill(intent, params)
    intent["client_secret"] = f"{intent['id']}_secret_{random_id('')}"
    if "payment_method" in params:
        _take_method(intent, params["payment_method"])
        intent["status"] = "requires_confirmation"
    if params.get("confirm"):
        _may_confirm(intent, params)
    store.put("payment_intent", intent)
    webhooks.emit("payment_intent.created", intent)
    return _confirm(intent, params, request.decline) if params.get("confirm") else intent


@route("GET /v1/payment_intents/{id}", "_payment_intent_retrieve_params.PaymentIntentRetrieveParams")
def retrieve(request: Request) -> Row:
    return one("payment_intent", request.ids[0])


@route("GET /v1/payment_intents", "_payment_intent_list_params.PaymentIntentListParams")
def list_all(request: Request) -> Row:
    return listing(request, "payment_intent", {"customer": request.params.get("customer")})


@route("POST /v1/payment_intents/{id}", "_payment_intent_update_params.PaymentIntentUpdateParams")
def update(request: Request) -> Row:
    intent, params = dict(one("payment_intent", request.ids[0])), request.params  # a copy: a refusal changes nothing
    if intent["status"] not in OPEN and set(params) - {"metadata", "description", "expand"}:
        raise wrong_state("payment_intent", intent, "updated")
    _fill(intent, params)
    if "payment_method" in params:
        _take_method(intent, params["payment_method"])
        intent["status"] = "requires_confirmation"
    return store.put("payment_intent", intent)


@route("POST /v1/payment_intents/{id}/confirm", "_payment_intent_confirm_params.PaymentIntentConfirmParams")
def confirm_call(request: Request) -> Row:
    intent = one("payment_intent", request.ids[0])
    _may_confirm(intent, request.params)
    return _confirm(intent, request.params, request.decline)


def _may_confirm(intent: Row, params: dict[str, Any]) -> None:
    if intent["status"] not in OPEN:
        raise wrong_state("payment_intent", intent, "confirmed")
    if not (params.get("payment_method") or intent["payment_method"]):
        text = "You cannot confirm this PaymentIntent because it's missing a payment method."
        raise invalid(text, code="payment_intent_unexpected_state", stored=True, payment_intent=dict(intent))
    off_session = params.get("off_session") not in (None, False)
    if off_session and not intent["customer"]:
        raise invalid("An off_session payment needs a customer whose card was saved.", "customer", "parameter_missing")
    automatic = intent["automatic_payment_methods"]
    redirects = automatic and automatic["enabled"] and automatic.get("allow_redirects") != "never"
    if redirects and not off_session and not params.get("return_url") and not params.get("use_stripe_sdk"):
        raise invalid("Automatic payment methods may redirect: pass return_url or allow_redirects=never.", "return_url")


def _confirm(intent: Row, params: dict[str, Any], forced: str | None) -> Row:
    method = _take_method(intent, params.get("payment_method") or intent["payment_method"])
    for key in ("receipt_email", "setup_future_usage", "shipping"):
        if key in params:
            intent[key] = params[key] or None
    off_session = params.get("off_session") not in (None, False)
    card = card_of(method)
    verdict = judge_charge(card, off_session, is_set_up(method), authenticated=False)
    if forced:
        verdict = refusal(forced)
    if verdict == "authenticate":
        if params.get("error_on_requires_action"):
            raise fail(intent, method, REFUSALS["authentication_required"], charged=False)
        url, back = page(f"/3d-secure/{intent['id']}"), params.get("return_url")
        intent.update(status="requires_action", last_payment_error=None)
        if back:
            intent["next_action"] = {"redirect_to_url": {"return_url": back, "url": url}, "type": "redirect_to_url"}
        else:
            script = {"stripe_js": url, "type": "three_d_secure_redirect"}
            intent["next_action"] = {"type": "use_stripe_sdk", "use_stripe_sdk": script}
        store.put("payment_intent", intent)
        webhooks.emit("payment_intent.requires_action", intent)
        return intent
    if not isinstance(verdict, str):
        raise fail(intent, method, verdict)
    return succeed(intent, method, authenticated=False)


def authenticated(intent: Row, good: bool) -> Row:
    """What the 3-D Secure page reports: the charge goes on, or the intent needs another method."""
    method = one("payment_method", intent["payment_method"])
    if not good:
        why = Refusal("payment_intent_authentication_failure", None, "The customer failed authentication.")
        fail(intent, method, why, charged=False)
        return intent
    verdict = judge_charge(card_of(method), False, is_set_up(method), authenticated=True)
    if not isinstance(verdict, str):
        fail(intent, method, verdict, secure=True)
        return intent
    return succeed(intent, method, authenticated=True)


def succeed(intent: Row, method: Row, authenticated: bool) -> Row:
    card = card_of(method)
    charge = charges.new(intent, method, card, None, authenticated)
    intent.update(latest_charge=charge["id"], last_payment_error=None, next_action=None, payment_method=method["id"])
    if intent["setup_future_usage"] and intent["customer"]:
        mark_set_up(method)
        attach(method, intent["customer"])
    if intent["capture_method"] == "manual":
        intent.update(status="requires_capture", amount_capturable=intent["amount"])
        store.put("payment_intent", intent)
        webhooks.emit("payment_intent.amount_capturable_updated", intent)
        return intent
    _received(intent, charge)
    return intent


def _received(intent: Row, charge: Row) -> None:
    intent.update(status="succeeded", amount_received=charge["amount_captured"], amount_capturable=0)
    store.put("payment_intent", intent)
    webhooks.emit("payment_intent.succeeded", intent)
    disputes.after_charge(charge, card_of(one("payment_method", charge["payment_method"])))


def fail(intent: Row, method: Row, why: Refusal, charged: bool = True, secure: bool = False) -> StripeError:
    """A decline: a failed charge stays behind, the intent asks for another method (S-35 reads the codes)."""
    more: Row = {}
    if charged:
        charge = charges.new(intent, method, card_of(method), why, secure)
        intent["latest_charge"] = more["charge"] = charge["id"]
    error = error_of(why, method, **more)
    if why.code == "payment_intent_authentication_failure":
        error["type"] = "invalid_request_error"
    intent.update(status="requires_payment_method", payment_method=None, next_action=None, last_payment_error=error)
    store.put("payment_intent", intent)
    webhooks.emit("payment_intent.payment_failed", intent)
    return StripeError(402, {**error, "payment_intent": dict(intent)}, stored=True)


@route("POST /v1/payment_intents/{id}/cancel", "_payment_intent_cancel_params.PaymentIntentCancelParams")
def cancel(request: Request) -> Row:
    intent = one("payment_intent", request.ids[0])
    if intent["status"] not in (*OPEN, "requires_capture"):
        raise wrong_state("payment_intent", intent, "canceled")
    reason = request.params.get("cancellation_reason")
    intent.update(status="canceled", cancellation_reason=reason, canceled_at=clock.now(), next_action=None)
    intent["amount_capturable"] = 0
    store.put("payment_intent", intent)
    webhooks.emit("payment_intent.canceled", intent)
    return intent


@route("POST /v1/payment_intents/{id}/capture", "_payment_intent_capture_params.PaymentIntentCaptureParams")
def capture(request: Request) -> Row:
    intent = one("payment_intent", request.ids[0])
    if intent["status"] != "requires_capture":
        raise wrong_state("payment_intent", intent, "captured")
    amount = request.params["amount_to_capture"] if "amount_to_capture" in request.params else intent["amount"]
    if not 0 < amount <= intent["amount_capturable"]:
        raise invalid("amount_to_capture is more than can be captured.", "amount_to_capture", "amount_too_large")
    charge = one("charge", intent["latest_charge"])
    charges.capture(charge, amount, card_of(one("payment_method", charge["payment_method"])))
    webhooks.emit("charge.captured", charge)
    _received(intent, charge)
    return intent
