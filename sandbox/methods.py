"""v1/payment_methods: cards saved by the hosted page, or made from a `pm_card_*` alias."""

from __future__ import annotations

from . import addresses, clock, webhooks
from .cards import ALIASES, BAD_NUMBER, CARDS, Card, error_of, judge_setup, refusal
from .errors import StripeError, invalid
from .routes import Request, listing, merge_metadata, one, route
from .shapes import blank
from .store import Row, store


def new_card(
    card: Card,
    month: int = 12,
    year: int = 0,
    name: str | None = None,
    email: str | None = None,
    address: Row | None = None,
) -> Row:
    """A PaymentMethod, not yet anyone's. Its number stays in a row of its own, beside the object."""
    networks = {"available": [card.brand], "preferred": None}
    address = address or addresses.empty()
    details = {
        "brand": card.brand,
        "checks": _checks(address),
        "country": "NL",
        "display_brand": card.brand,
        "exp_month": month,
        "exp_year": year or int(clock.iso(clock.exact())[:4]) + 3,
        "fingerprint": card.fingerprint,
        "funding": card.funding,
        "generated_from": None,
        "last4": card.last4,
        "networks": networks,
        "regulated_status": "unregulated",
        "three_d_secure_usage": {"supported": True},
        "wallet": None,
    }
    billing = {"address": address, "email": email, "name": name, "phone": None, "tax_id": None}
    method = blank(
        "payment_method",
        allow_redisplay="unspecified",
        billing_details=billing,
        card=details,
        created=clock.now(),
        metadata={},
        radar_options={},
        type="card",
    )
    store.put("method_facts", {"number": card.number, "set_up": card.auth == "on_session"}, method["id"])
    return store.put("payment_method", method)


def _checks(address: Row) -> Row:
    """The bank compares what it is told, and nothing else."""
    line1, postcode = ("pass" if address[key] else None for key in ("line1", "postal_code"))
    return {"address_line1_check": line1, "address_postal_code_check": postcode, "cvc_check": "pass"}


def card_of(method: Row) -> Card:
    facts = store.get("method_facts", method["id"])
    assert facts is not None
    return CARDS[facts["number"]]


def is_set_up(method: Row) -> bool:
    facts = store.get("method_facts", method["id"])
    return bool(facts and facts["set_up"])


def mark_set_up(method: Row) -> None:
    facts = store.get("method_facts", method["id"]) or {}
    store.put("method_facts", {**facts, "set_up": True}, method["id"])


def named(id: str, param: str = "payment_method") -> Row:
    """The PaymentMethod of this id, or a new one when the id is a test alias."""
    if id in ALIASES:
        return new_card(CARDS[ALIASES[id]])
    return one("payment_method", id, param)


def must_belong(method: Row, customer: str | None) -> None:
    """A PaymentMethod is used only for the customer that it is attached to (SB-03)."""
    owner = method["customer"]
    if owner is not None and owner != customer:
        text = "The provided PaymentMethod belongs to another Customer; pass that customer or another PaymentMethod."
        raise invalid(text, "payment_method", "payment_method_customer_mismatch")
    gone = store.get("method_facts", method["id"]) or {}
    if gone.get("detached"):
        raise invalid("The provided PaymentMethod was detached; it cannot be used again.", "payment_method")


def attach(method: Row, customer: str) -> None:
    if method["customer"] != customer:
        method["customer"] = customer
        store.put("payment_method", method)
        webhooks.emit("payment_method.attached", method)


def number_of(typed: str) -> Card:
    """The card of a typed number; anything that is not a listed test number is refused (SB-07)."""
    digits = "".join(char for char in typed if char.isdigit())
    if digits == BAD_NUMBER or digits not in CARDS:
        why = refusal("incorrect_number")
        text = why.message if digits == BAD_NUMBER else "Only Stripe's test card numbers work here."
        raise StripeError(
            402, {"type": "card_error", "code": why.code, "message": text, "param": "number"}, stored=True
        )
    return CARDS[digits]


@route("GET /v1/payment_methods/{id}", "_payment_method_retrieve_params.PaymentMethodRetrieveParams")
def retrieve(request: Request) -> Row:
    return one("payment_method", request.ids[0])


@route("GET /v1/payment_methods", "_payment_method_list_params.PaymentMethodListParams")
def list_all(request: Request) -> Row:
    params = request.params
    return listing(request, "payment_method", {"customer": params.get("customer"), "type": params.get("type")})


@route(
    "GET /v1/customers/{customer}/payment_methods",
    "_customer_payment_method_list_params.CustomerPaymentMethodListParams",
)
def list_of_customer(request: Request) -> Row:
    one("customer", request.ids[0])
    where = {"customer": request.ids[0], "type": request.params.get("type")}
    return listing(request, "payment_method", where)


@route(
    "GET /v1/customers/{customer}/payment_methods/{id}",
    "_customer_payment_method_retrieve_params.CustomerPaymentMethodRetrieveParams",
)
def retrieve_of_customer(request: Request) -> Row:
    one("customer", request.ids[0])
    method = one("payment_method", request.ids[1])
    if method["customer"] != request.ids[0]:
        raise invalid("The customer does not have this payment method.", "id", "resource_missing", 404)
    return method


@route("POST /v1/payment_methods/{id}", "_payment_method_update_params.PaymentMethodUpdateParams")
def update(request: Request) -> Row:
    method, params = one("payment_method", request.ids[0]), request.params
    given = params.get("billing_details") or {}
    if given.get("address"):
        given["address"] = addresses.checked(given["address"], "billing_details[address]")
    elif "address" in given:
        given["address"] = addresses.empty()
    if method["customer"] is None:
        raise invalid("You must save this PaymentMethod to a customer before you can update it.")
    merge_metadata(method, params.get("metadata"))
    before = {"billing_details": {key: method["billing_details"].get(key) for key in given}} if given else None
    for key, value in given.items():
        method["billing_details"][key] = value or None
    for key in ("exp_month", "exp_year"):
        if key in params.get("card", {}):
            method["card"][key] = params["card"][key]
    if "allow_redisplay" in params:
        method["allow_redisplay"] = params["allow_redisplay"]
    store.put("payment_method", method)
    webhooks.emit("payment_method.updated", method, before)
    return method


@route("POST /v1/payment_methods/{id}/attach", "_payment_method_attach_params.PaymentMethodAttachParams")
def attach_call(request: Request) -> Row:
    customer = request.params.get("customer")
    if customer is None:
        raise invalid("Missing required param: customer.", "customer", "parameter_missing")
    one("customer", customer, "customer")
    method = named(request.ids[0], "id")
    must_belong(method, customer)
    if method["customer"] is None:
        verdict = judge_setup(card_of(method), authenticated=True)
        if not isinstance(verdict, str):
            raise StripeError(402, error_of(verdict, method), stored=True)
        attach(method, customer)
    return method


@route("POST /v1/payment_methods/{id}/detach", "_payment_method_detach_params.PaymentMethodDetachParams")
def detach_call(request: Request) -> Row:
    method = one("payment_method", request.ids[0])
    if method["customer"] is None:
        raise invalid("The payment method is not attached to a customer; it cannot be detached.", stored=True)
    return detach(method)


def detach(method: Row) -> Row:
    """Once detached, a PaymentMethod is spent: it can be attached to nobody again."""
    before = {"customer": method["customer"]}
    method["customer"] = None
    facts = store.get("method_facts", method["id"]) or {}
    store.put("method_facts", {**facts, "detached": True}, method["id"])
    store.put("payment_method", method)
    webhooks.emit("payment_method.detached", method, before)
    return method
