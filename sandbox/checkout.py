"""v1/checkout/sessions in `mode=setup`: the card is saved on the sandbox's own page (S-20 to S-25)."""

from __future__ import annotations

from typing import Any

from . import clock, money, setup_intents, webhooks
from .cards import Card
from .customers import living
from .errors import invalid
from .methods import new_card
from .origin import page
from .routes import Request, listing, merge_metadata, one, route
from .shapes import blank
from .store import Row, random_id, store

SHORTEST, LONGEST = 30 * 60, 24 * 3600
PAYMENT_ONLY = (
    "line_items",
    "payment_intent_data",
    "subscription_data",
    "discounts",
    "shipping_options",
    "invoice_creation",
)


def _refuse(params: dict[str, Any]) -> None:
    """The rules between parameters that the TypedDict cannot tell."""
    mode = params.get("mode")
    if mode is None:
        raise invalid("Missing required param: mode.", "mode", "parameter_missing")
    if mode != "setup":
        raise invalid("This sandbox has only mode=setup: pledges are charged later.", "mode", "sandbox_not_implemented")
    for name in PAYMENT_ONLY:
        if name in params:
            raise invalid(f"You can not pass `{name}` in `setup` mode.", name)
    if "currency" not in params and "allowed_payment_method_types" not in params:
        raise invalid(
            "In setup mode, currency is required unless allowed_payment_method_types is set.",
            "currency",
            "parameter_missing",
        )
    if params.get("ui_mode", "hosted_page") in ("hosted", "hosted_page"):
        if "success_url" not in params:
            raise invalid("Missing required param: success_url.", "success_url", "parameter_missing")
        if "return_url" in params:
            raise invalid("return_url is for embedded pages; hosted ones take success_url.", "return_url")
    else:
        raise invalid("This sandbox has only the hosted page.", "ui_mode", "sandbox_not_implemented")
    for name in ("success_url", "cancel_url"):
        if name in params and not params[name].startswith(("http://", "https://")):
            raise invalid("Not a valid URL", name, "url_invalid")
    if "customer" in params and "customer_email" in params:
        raise invalid("You may only specify one of customer, customer_email.", "customer_email")
    if len(params.get("client_reference_id", "")) > 200:
        raise invalid("client_reference_id can have up to 200 characters.", "client_reference_id")
    for name in params.get("setup_intent_data", {}):
        if name not in ("description", "metadata", "on_behalf_of"):
            raise invalid(
                f"Received unknown parameter: setup_intent_data[{name}]",
                f"setup_intent_data[{name}]",
                "parameter_unknown",
            )


@route("POST /v1/checkout/sessions", "checkout._session_create_params.SessionCreateParams")
def create(request: Request) -> Row:
    params = request.params
    _refuse(params)
    moment = clock.now()
    expires = params.get("expires_at", moment + LONGEST)
    # a minute of grace on either side: the caller's clock is not ours
    if not SHORTEST - 60 <= expires - moment <= LONGEST + 60:
        text = "The `expires_at` timestamp must be between 30 minutes and 24 hours from the creation."
        raise invalid(text, "expires_at", "parameter_invalid_integer")
    currency = money.currency(params["currency"]) if "currency" in params else None
    customer = living(params["customer"]) if "customer" in params else None
    given = params.get("setup_intent_data", {})
    intent = setup_intents.new(customer["id"] if customer else None, description=given.get("description"))
    merge_metadata(intent, given.get("metadata"))
    store.put("setup_intent", intent)
    session = blank("checkout.session", random_id("cs_test_a1", 56))
    session.update(
        automatic_tax={"enabled": False, "liability": None, "provider": None, "status": None},
        billing_address_collection=params.get("billing_address_collection"),
        cancel_url=params.get("cancel_url"),
        client_reference_id=params.get("client_reference_id"),
        created=moment,
        currency=currency,
        custom_fields=[],
        custom_text={
            "after_submit": None,
            "shipping_address": None,
            "submit": None,
            "terms_of_service_acceptance": None,
        },
        customer=customer["id"] if customer else None,
        customer_creation=params.get("customer_creation"),
        customer_email=params.get("customer_email"),
        expires_at=expires,
        locale=params.get("locale"),
        metadata={},
        mode="setup",
        payment_method_collection="always",
        payment_method_options={"card": {"request_three_d_secure": "automatic"}},
        payment_method_types=["card"],
        payment_status="no_payment_required",
        setup_intent=intent["id"],
        shipping_options=[],
        status="open",
        success_url=params["success_url"],
        ui_mode=params.get("ui_mode", "hosted_page"),
    )
    session["allowed_payment_method_types"] = params.get("allowed_payment_method_types")
    if customer:
        session["customer_details"] = _details(customer["email"], customer["name"])
    merge_metadata(session, params.get("metadata"))
    session["url"] = page(f"/c/pay/{session['id']}")
    store.put("checkout.session", session)
    clock.at(expires, session_expires, session["id"])
    return session


def _details(email: str | None, name: str | None) -> Row:
    details: Row = dict.fromkeys(("address", "business_name", "individual_name", "phone", "tax_ids"))
    return {**details, "email": email, "name": name, "tax_exempt": "none"}


@route("GET /v1/checkout/sessions/{id}", "checkout._session_retrieve_params.SessionRetrieveParams")
def retrieve(request: Request) -> Row:
    return one("checkout.session", request.ids[0])


@route("GET /v1/checkout/sessions", "checkout._session_list_params.SessionListParams")
def list_all(request: Request) -> Row:
    params = request.params
    where = {key: params.get(key) for key in ("customer", "payment_intent", "status")}
    return listing(request, "checkout.session", where)


@route("POST /v1/checkout/sessions/{id}/expire", "checkout._session_expire_params.SessionExpireParams")
def expire_call(request: Request) -> Row:
    session = one("checkout.session", request.ids[0])
    if session["status"] != "open":
        text = f'Only Checkout Sessions with a status in ["open"] can be expired. This one\'s status is {session["status"]}.'
        raise invalid(text, code="checkout_session_not_open", stored=True)
    return expire(session)


def expire(session: Row) -> Row:
    session.update(status="expired", url=None)
    store.put("checkout.session", session)
    intent = one("setup_intent", session["setup_intent"])
    if intent["status"] in setup_intents.OPEN:
        setup_intents.cancel(intent, "abandoned")
    webhooks.emit("checkout.session.expired", session)
    return session


@clock.action
def session_expires(id: str) -> None:
    session = store.get("checkout.session", id)
    if session is not None and session["status"] == "open":
        expire(session)


def asks_address(session: Row) -> bool:
    """Whether the form wants the whole address; else it takes what a wallet tells (`auto`)."""
    return bool(session["billing_address_collection"] == "required")


def submit(
    session: Row,
    card: Card,
    month: int,
    year: int,
    name: str | None,
    email: str | None,
    address: Row | None = None,
) -> Row:
    """The person pressed "Save card": the intent succeeds, asks for 3-D Secure, or raises the decline."""
    intent = one("setup_intent", session["setup_intent"])
    method = new_card(card, month, year, name, email, address)
    store.put("payer", {"name": name, "email": email}, session["id"])
    setup_intents.attempt(intent, method, None)
    if intent["status"] == "requires_action":
        back = page(f"/c/done/{session['id']}")
        url = page(f"/3d-secure/{intent['id']}")
        intent["next_action"] = {"redirect_to_url": {"return_url": back, "url": url}, "type": "redirect_to_url"}
        store.put("setup_intent", intent)
    else:
        complete(session)
    return intent


def complete(session: Row) -> None:
    payer = store.get("payer", session["id"]) or {}
    intent = one("setup_intent", session["setup_intent"])
    email = payer.get("email") or session["customer_email"]
    session.update(status="complete", url=None, customer_details=_details(email, payer.get("name")))
    store.put("checkout.session", session)
    assert intent["status"] == "succeeded"
    webhooks.emit("checkout.session.completed", session)


def authenticated(intent: Row, good: bool) -> Row:
    """A challenge was answered; the session that it belongs to, if any, completes with it."""
    setup_intents.authenticated(intent, good)
    session = of_intent(intent)
    if intent["status"] == "succeeded" and session is not None and session["status"] == "open":
        complete(session)
    return intent


def success_url(session: Row) -> str:
    return str(session["success_url"]).replace("{CHECKOUT_SESSION_ID}", session["id"])


def of_intent(intent: Row) -> Row | None:
    """The session that a SetupIntent belongs to."""
    ids = store.newest_first("checkout.session", {"setup_intent": intent["id"]})
    return one("checkout.session", ids[0]) if ids else None
