"""v1/setup_intents: saving a card. Six statuses; `processing` is only for methods that this sandbox does not have."""

from __future__ import annotations

from typing import Any

from . import clock, webhooks
from .cards import Refusal, error_of, judge_setup
from .customers import living
from .errors import StripeError, invalid, wrong_state
from .methods import attach, card_of, mark_set_up, must_belong, named
from .origin import page
from .routes import Request, listing, merge_metadata, one, route
from .shapes import blank
from .store import Row, random_id, store

OPEN = ("requires_payment_method", "requires_confirmation", "requires_action")


def new(customer: str | None, **values: Any) -> Row:
    intent = blank(
        "setup_intent",
        automatic_payment_methods={"allow_redirects": "always", "enabled": True},
        created=clock.now(),
        customer=customer,
        metadata={},
        payment_method_options={
            "card": {"mandate_options": None, "network": None, "request_three_d_secure": "automatic"}
        },
        payment_method_types=["card"],
        status="requires_payment_method",
        usage="off_session",
    )
    intent.update(values)
    intent["client_secret"] = f"{intent['id']}_secret_{random_id('')}"
    store.put("setup_intent", intent)
    webhooks.emit("setup_intent.created", intent)
    return intent


@route("POST /v1/setup_intents", "_setup_intent_create_params.SetupIntentCreateParams")
def create(request: Request) -> Row:
    params = request.params
    customer = living(params["customer"])["id"] if "customer" in params else None
    if ("return_url" in params or "mandate_data" in params) and not params.get("confirm"):
        name = "return_url" if "return_url" in params else "mandate_data"
        raise invalid(f"{name} can only be passed together with confirm=true.", name)
    intent = new(customer, description=params.get("description"), usage=params.get("usage", "off_session"))
    if "automatic_payment_methods" in params:
        intent["automatic_payment_methods"].update(params["automatic_payment_methods"])
    if "allowed_payment_method_types" in params:
        intent["allowed_payment_method_types"] = params["allowed_payment_method_types"]
        intent["automatic_payment_methods"] = None
    intent["on_behalf_of"] = params.get("on_behalf_of")
    merge_metadata(intent, params.get("metadata"))
    if "payment_method" in params:
        method = named(params["payment_method"])
        must_belong(method, customer)
        intent.update(payment_method=method["id"], status="requires_confirmation")
    store.put("setup_intent", intent)
    return confirm(intent, request.params) if params.get("confirm") else intent


@route("GET /v1/setup_intents/{id}", "_setup_intent_retrieve_params.SetupIntentRetrieveParams")
def retrieve(request: Request) -> Row:
    return one("setup_intent", request.ids[0])


@route("GET /v1/setup_intents", "_setup_intent_list_params.SetupIntentListParams")
def list_all(request: Request) -> Row:
    params = request.params
    where = {"customer": params.get("customer"), "payment_method": params.get("payment_method")}
    return listing(request, "setup_intent", where)


@route("POST /v1/setup_intents/{id}", "_setup_intent_update_params.SetupIntentUpdateParams")
def update(request: Request) -> Row:
    intent, params = dict(one("setup_intent", request.ids[0])), request.params  # a copy: a refusal changes nothing
    if intent["status"] not in OPEN and set(params) - {"metadata", "description", "expand"}:
        raise wrong_state("setup_intent", intent, "updated")
    if "customer" in params:
        intent["customer"] = living(params["customer"])["id"]
    if "payment_method" in params:
        method = named(params["payment_method"])
        must_belong(method, intent["customer"])
        intent.update(payment_method=method["id"], status="requires_confirmation")
    if "description" in params:
        intent["description"] = params["description"]
    merge_metadata(intent, params.get("metadata"))
    return store.put("setup_intent", intent)


@route("POST /v1/setup_intents/{id}/confirm", "_setup_intent_confirm_params.SetupIntentConfirmParams")
def confirm_call(request: Request) -> Row:
    return confirm(one("setup_intent", request.ids[0]), request.params)


def confirm(intent: Row, params: dict[str, Any]) -> Row:
    if intent["status"] not in OPEN:
        raise wrong_state("setup_intent", intent, "confirmed")
    method_id = params.get("payment_method") or intent["payment_method"]
    if method_id is None:
        text = "You cannot confirm this SetupIntent because it's missing a payment method."
        raise invalid(text, code="setup_intent_unexpected_state", stored=True, setup_intent=dict(intent))
    redirects = (intent["automatic_payment_methods"] or {"allow_redirects": "never"}).get("allow_redirects")
    if redirects != "never" and not params.get("return_url") and not params.get("use_stripe_sdk"):
        raise invalid("Automatic payment methods may redirect: pass return_url or allow_redirects=never.", "return_url")
    method = named(method_id)
    must_belong(method, intent["customer"])
    intent["payment_method"] = method["id"]
    return attempt(intent, method, params.get("return_url"))


def attempt(intent: Row, method: Row, return_url: str | None, authenticated: bool = False) -> Row:
    """Try to save the card: succeeded, requires_action, or a 402 that leaves requires_payment_method."""
    verdict = judge_setup(card_of(method), authenticated)
    if verdict == "authenticate":
        url = page(f"/3d-secure/{intent['id']}")
        intent.update(status="requires_action", payment_method=method["id"], last_setup_error=None)
        if return_url:
            target = {"return_url": return_url, "url": url}
            intent["next_action"] = {"redirect_to_url": target, "type": "redirect_to_url"}
        else:
            intent["next_action"] = {
                "type": "use_stripe_sdk",
                "use_stripe_sdk": {"stripe_js": url, "type": "three_d_secure_redirect"},
            }
        store.put("setup_intent", intent)
        webhooks.emit("setup_intent.requires_action", intent)
        return intent
    if not isinstance(verdict, str):
        raise fail(intent, method, verdict)
    intent.update(status="succeeded", payment_method=method["id"], next_action=None, last_setup_error=None)
    _note_attempt(intent, method, "succeeded")
    mark_set_up(method)
    if intent["customer"]:
        attach(method, intent["customer"])
    store.put("setup_intent", intent)
    webhooks.emit("setup_intent.succeeded", intent)
    return intent


def authenticated(intent: Row, good: bool) -> Row:
    """What the 3-D Secure page reports."""
    method = one("payment_method", intent["payment_method"])
    if not good:
        fail(
            intent, method, Refusal("setup_intent_authentication_failure", None, "The customer failed authentication.")
        )
        return intent
    try:
        return attempt(intent, method, None, authenticated=True)
    except StripeError:
        return intent  # declined after authentication: the intent says so in last_setup_error


def _note_attempt(intent: Row, method: Row, status: str, error: Row | None = None) -> None:
    details = {"card": {"last4": method["card"]["last4"], "brand": method["card"]["brand"]}, "type": "card"}
    tried = blank("setup_attempt", created=clock.now(), customer=intent["customer"], payment_method=method["id"])
    tried.update(payment_method_details=details, setup_error=error, setup_intent=intent["id"], status=status)
    tried["usage"] = intent["usage"]
    intent["latest_attempt"] = store.put("setup_attempt", tried)["id"]


def fail(intent: Row, method: Row, why: Refusal) -> StripeError:
    error = error_of(why, method)
    _note_attempt(intent, method, "failed", error)
    intent.update(status="requires_payment_method", payment_method=None, next_action=None, last_setup_error=error)
    store.put("setup_intent", intent)
    webhooks.emit("setup_intent.setup_failed", intent)
    return StripeError(402, {**error, "setup_intent": dict(intent)}, stored=True)


@route("POST /v1/setup_intents/{id}/cancel", "_setup_intent_cancel_params.SetupIntentCancelParams")
def cancel_call(request: Request) -> Row:
    intent = one("setup_intent", request.ids[0])
    if intent["status"] not in OPEN:
        raise wrong_state("setup_intent", intent, "canceled")
    return cancel(intent, request.params.get("cancellation_reason"))


def cancel(intent: Row, reason: str | None) -> Row:
    intent.update(status="canceled", cancellation_reason=reason, next_action=None)
    store.put("setup_intent", intent)
    webhooks.emit("setup_intent.canceled", intent)
    return intent
