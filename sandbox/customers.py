"""v1/customers."""

from __future__ import annotations

from typing import Any

from . import clock, webhooks
from .errors import invalid
from .methods import detach
from .routes import Request, listing, merge_metadata, one, route
from .shapes import blank
from .store import Row, random_id, store

PLAIN = ("name", "email", "phone", "description", "address", "shipping", "preferred_locales", "tax_exempt")


def _fill(customer: Row, params: dict[str, Any]) -> None:
    for key in PLAIN:
        if key in params:
            customer[key] = params[key] if params[key] != "" else None
    if "email" in params and params["email"] and "@" not in params["email"]:
        raise invalid(f"Invalid email address: {params['email']}", "email", "email_invalid")
    if default := params.get("invoice_settings", {}).get("default_payment_method"):
        if one("payment_method", default, "invoice_settings[default_payment_method]")["customer"] != customer["id"]:
            raise invalid("The customer does not have this payment method.", "invoice_settings[default_payment_method]")
        customer["invoice_settings"]["default_payment_method"] = default
    merge_metadata(customer, params.get("metadata"))


@route("POST /v1/customers", "_customer_create_params.CustomerCreateParams")
def create(request: Request) -> Row:
    customer = blank(
        "customer",
        balance=0,
        created=clock.now(),
        delinquent=False,
        invoice_prefix=random_id("", 8).upper(),
        invoice_settings={
            "custom_fields": None,
            "default_payment_method": None,
            "footer": None,
            "rendering_options": None,
        },
        metadata={},
        next_invoice_sequence=1,
        preferred_locales=[],
        tax_exempt="none",
    )
    _fill(customer, request.params)
    store.put("customer", customer)
    webhooks.emit("customer.created", customer)
    return customer


def living(id: str, param: str = "customer") -> Row:
    """A customer that was not deleted."""
    customer = one("customer", id, param)
    if customer.get("deleted"):
        raise invalid(f"No such customer: '{id}'", param, "resource_missing", 404 if param == "id" else 400)
    return customer


@route("GET /v1/customers/{id}", "_customer_retrieve_params.CustomerRetrieveParams")
def retrieve(request: Request) -> Row:
    return one("customer", request.ids[0])


@route("POST /v1/customers/{id}", "_customer_update_params.CustomerUpdateParams")
def update(request: Request) -> Row:
    before = living(request.ids[0], "id")
    customer = {**before, "invoice_settings": dict(before["invoice_settings"])}
    _fill(customer, request.params)
    store.put("customer", customer)
    changed = {key: value for key, value in before.items() if customer[key] != value}
    webhooks.emit("customer.updated", customer, changed)
    return customer


@route("DELETE /v1/customers/{id}", "_customer_delete_params.CustomerDeleteParams")
def delete(request: Request) -> Row:
    customer = living(request.ids[0], "id")
    webhooks.emit("customer.deleted", customer)
    for id in store.newest_first("payment_method", {"customer": customer["id"]}):
        detach(one("payment_method", id))
    return store.put(
        "customer", {"id": customer["id"], "object": "customer", "deleted": True, "created": customer["created"]}
    )


@route("GET /v1/customers", "_customer_list_params.CustomerListParams")
def list_all(request: Request) -> Row:
    email = request.params.get("email")
    return listing(
        request, "customer", keep=lambda row: not row.get("deleted") and (email is None or row["email"] == email)
    )
