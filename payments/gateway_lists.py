"""Stripe's lists, page after page: what it has, for whoever compares (S-11, S-47, S-50). Never its search, which lags.

A page is read into the few fields that are compared, straight from the bytes: the SDK's own objects take twenty times as
long, and a campaign has hundreds of thousands of them. Nothing is kept but the page in hand.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Generic, Literal, TypeVar, cast

import msgspec

from payments.gateway import GatewayError, Silence, _Call, _client

PAGE = 100


class Intent(msgspec.Struct):
    """A PaymentIntent."""

    id: str
    created: int
    amount: int
    amount_received: int
    currency: str
    status: str
    latest_charge: str | None = None
    metadata: dict[str, str] = {}


class Charge(msgspec.Struct):
    id: str
    created: int
    amount: int
    amount_refunded: int
    currency: str
    status: str
    paid: bool
    disputed: bool = False
    payment_intent: str | None = None
    metadata: dict[str, str] = {}


class Refund(msgspec.Struct):
    id: str
    created: int
    amount: int
    currency: str
    status: str | None = None
    charge: str | None = None
    payment_intent: str | None = None
    metadata: dict[str, str] | None = None


class Transfer(msgspec.Struct):
    id: str
    created: int
    amount: int
    amount_reversed: int
    currency: str
    destination: str | None = None
    source_transaction: str | None = None
    metadata: dict[str, str] = {}


class Dispute(msgspec.Struct):
    id: str
    created: int
    amount: int
    currency: str
    status: str
    charge: str | None = None
    payment_intent: str | None = None


class FraudWarning(msgspec.Struct):
    """An early fraud warning of a card network."""

    id: str
    created: int
    charge: str | None = None
    payment_intent: str | None = None


class Movement(msgspec.Struct):
    """A balance transaction: money that came to the platform's balance, or left it."""

    id: str
    created: int
    available_on: int
    amount: int
    fee: int
    net: int
    currency: str
    status: str
    type: str
    source: str | None = None


@dataclass(frozen=True)
class Balance:
    """The platform's whole balance in one currency."""

    currency: str
    pending: int
    available: int


T = TypeVar("T")
PATHS: dict[Any, str] = {
    Intent: "payment_intents", Charge: "charges", Refund: "refunds", Transfer: "transfers", Dispute: "disputes",
    FraudWarning: "radar/early_fraud_warnings", Movement: "balance_transactions",
}
_decoders: dict[Any, msgspec.json.Decoder["_Page[Any]"]] = {}


class _Page(msgspec.Struct, Generic[T]):
    data: list[T] = []
    has_more: bool = False
    next_page_url: str | None = None  # of v2 lists


def pages(kind: type[T], since: datetime | None = None, **filters: Any) -> Iterator[list[T]]:
    """All objects of a kind, newest first, a page at a time; created at `since` or later, when it is given."""
    params = {"limit": PAGE, **filters} | ({"created": {"gte": int(since.timestamp())}} if since else {})
    while True:
        page = _read(f"/v1/{PATHS[kind]}", PATHS[kind], params, kind)
        if page.data:
            yield page.data
        if not page.has_more or not page.data:
            return
        params = {**params, "starting_after": page.data[-1].id}


def event_pages(since: datetime | None = None, *, undelivered: bool = False) -> Iterator[list[dict[str, Any]]]:
    """Events, whole, newest first. Stripe keeps them for 30 days."""
    params: dict[str, Any] = {"limit": PAGE} | ({"created": {"gte": int(since.timestamp())}} if since else {})
    params |= {"delivery_success": False} if undelivered else {}
    while True:
        page = _read("/v1/events", "events", params, dict)
        if page.data:
            yield page.data
        if not page.has_more or not page.data:
            return
        params = {**params, "starting_after": page.data[-1]["id"]}


def thin_event_pages(since: datetime | None = None) -> Iterator[list[dict[str, Any]]]:
    """The same of v2 events, which carry no object (S-49)."""
    path = "/v2/core/events"
    params: dict[str, Any] = {"limit": PAGE} | ({"created": {"gte": since.isoformat()}} if since else {})
    while True:
        page = _read(path, "v2/core/events", params, dict, "V2")
        if page.data:
            yield page.data
        if not page.next_page_url:
            return
        path, params = page.next_page_url, {}


def intents_of(stripe_person: str) -> Iterator[list[Intent]]:
    """All intents of one person: what may have been made for them without our hearing of it (S-10, S-11)."""
    return pages(Intent, customer=stripe_person)


def balances() -> list[Balance]:
    """What Stripe says the platform has."""
    with _Call("balance"):
        balance = _client(patient=True).v1.balance.retrieve()
    pending = {part.currency.upper(): part.amount for part in balance.pending}
    available = {part.currency.upper(): part.amount for part in balance.available}
    return [Balance(c, pending.get(c, 0), available.get(c, 0)) for c in sorted({*pending, *available})]


def one(kind: type[T], stripe_id: str) -> T | None:
    """One object as it is now; None when Stripe does not have it."""
    try:
        body = _get(f"/v1/{PATHS[kind]}/{stripe_id}", PATHS[kind], {})
    except Silence:
        raise
    except GatewayError as error:
        if error.status == 404:
            return None
        raise
    return msgspec.json.decode(body, type=kind)


def _read(path: str, endpoint: str, params: dict[str, Any], kind: Any, mode: Literal["V1", "V2"] = "V1") -> _Page[Any]:
    return _decoder(kind).decode(_get(path, endpoint, params, mode))


def _get(path: str, endpoint: str, params: dict[str, Any], mode: Literal["V1", "V2"] = "V1") -> bytes:
    # The SDK's requestor, one step below `raw_request`, which would make dicts of the whole body for nothing: the
    # client's key, version, time limits and retries are the same.
    with _Call(endpoint):
        asked = _client(patient=True)._requestor
        body, code, headers = asked.request_raw("get", path, params=params, options={}, base_address="api", api_mode=mode,
                                                usage=["raw_request"])
        if code != 200:
            asked._interpret_response(body, code, headers, mode)  # raises Stripe's error, as every call would
    return cast("bytes", body)


def _decoder(kind: Any) -> msgspec.json.Decoder[_Page[Any]]:
    if kind not in _decoders:
        _decoders[kind] = msgspec.json.Decoder(_Page[kind])
    return _decoders[kind]
