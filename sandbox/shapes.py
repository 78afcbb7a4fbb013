"""The keys of Stripe's objects and which of them expand, read from the SDK's resource classes (SB-08)."""

from __future__ import annotations

import importlib
import types
import typing
from collections.abc import Callable
from typing import Any

from stripe import ListObject, StripeObject
from stripe._stripe_object import UntypedStripeObject

from .errors import StripeError, invalid
from .store import PREFIXES, Row, random_id, store

CLASSES = {
    "balance": "_balance.Balance",
    "balance_transaction": "_balance_transaction.BalanceTransaction",
    "charge": "_charge.Charge",
    "checkout.session": "checkout._session.Session",
    "customer": "_customer.Customer",
    "dispute": "_dispute.Dispute",
    "event": "_event.Event",
    "mandate": "_mandate.Mandate",
    "payment_intent": "_payment_intent.PaymentIntent",
    "payment_method": "_payment_method.PaymentMethod",
    "payout": "_payout.Payout",
    "radar.early_fraud_warning": "radar._early_fraud_warning.EarlyFraudWarning",
    "refund": "_refund.Refund",
    "setup_attempt": "_setup_attempt.SetupAttempt",
    "setup_intent": "_setup_intent.SetupIntent",
    "transfer": "_transfer.Transfer",
    "transfer_reversal": "_transfer_reversal.TransferReversal",
    "v2.core.account": "v2.core._account.Account",
    "v2.core.account_link": "v2.core._account_link.AccountLink",
    "v2.core.event": "v2.core._event.Event",
}
# Keys that Stripe sends only when asked for with expand[], or only on a deleted object.
ON_REQUEST = {
    "charge": {"refunds"},
    "checkout.session": {"line_items"},
    "customer": {"deleted", "sources", "subscriptions", "tax_ids", "cash_balance", "invoice_credit_balance", "tax"},
}
METHOD_COMMON = {
    "allow_redisplay", "billing_details", "card", "created", "customer", "customer_account", "id", "livemode",
    "metadata", "object", "radar_options", "type",
}  # fmt: skip
KINDS_BY_HEAD: dict[str, list[str]] = {}
for _kind, _prefix in PREFIXES.items():
    KINDS_BY_HEAD.setdefault(_prefix.partition("_")[0], []).append(_kind)
KIND_BY_CLASS = {path.rsplit(".", 1)[1]: kind for kind, path in CLASSES.items()}
KIND_BY_CLASS.update(Account="v2.core.account", Session="checkout.session")

FRESH: dict[str, Callable[[Row], Row]] = {}  # kinds that change by the clock alone

_blanks: dict[str, Row] = {}
_expandable: dict[str, set[str]] = {}
_empties: dict[str, list[tuple[str, type]]] = {}


def _read(kind: str) -> None:
    """One pass over the class: a neutral value per key, and the keys typed `ExpandableField`."""
    module, name = CLASSES[kind].rsplit(".", 1)
    cls = getattr(importlib.import_module(f"stripe.{module}"), name)
    blank: Row = {}
    expandable: set[str] = set()
    for key, hint in cls.__annotations__.items():
        if typing.get_origin(hint) is typing.ClassVar or key.startswith("_") or key in ON_REQUEST.get(kind, ()):
            continue
        if kind == "payment_method" and key not in METHOD_COMMON:
            continue  # of the per-type hashes Stripe sends only the object's own
        args = typing.get_args(hint) if typing.get_origin(hint) in (typing.Union, types.UnionType) else (hint,)
        if str in args and any(isinstance(arg, typing.ForwardRef) for arg in args):
            expandable.add(key)
        blank[key] = None if type(None) in args else _neutral(hint)
    blank["object"] = kind
    if "livemode" in blank:
        blank["livemode"] = False
    _blanks[kind] = blank
    _empties[kind] = [(key, type(value)) for key, value in blank.items() if isinstance(value, (list, dict))]
    _expandable[kind] = expandable


def _neutral(hint: Any) -> Any:
    origin = typing.get_origin(hint) or hint
    if origin in (list, list):
        return []
    if origin in (bool, int, float):
        return origin()
    if (
        isinstance(origin, type)
        and issubclass(origin, (StripeObject, UntypedStripeObject))
        and origin is not ListObject
    ):
        return {}
    return None


def blank(kind: str, id: str | None = "", **values: Any) -> Row:
    """A new object of `kind` with every key that Stripe's has. Values must be fresh: nothing is shared."""
    if kind not in _blanks:
        _read(kind)
    obj = dict(_blanks[kind])
    for key, empty in _empties[kind]:
        obj[key] = empty()
    if id is not None and kind in PREFIXES:
        obj["id"] = id or random_id(PREFIXES[kind])
    obj.update(values)
    return obj


def any_object(id: str) -> Row | None:
    """Find an object by its id alone, for expansion of fields with several kinds behind them."""
    for kind in KINDS_BY_HEAD.get(id.partition("_")[0], ()):
        if (found := store.get(kind, id)) is not None:
            return FRESH[kind](found) if kind in FRESH else found
    return store.get("charge", id) if id.startswith("py_") else None


def expand(obj: Row, paths: list[str]) -> Row:
    """Replace ids by their objects along each path; what cannot be expanded is a 400."""
    for path in paths:
        steps = path.split(".")
        if len(steps) > 4 + (steps[0] == "data"):
            raise invalid(f"You cannot expand more than 4 levels of a property. Property: {path}", "expand")
        obj = _expand(obj, steps, path)
    return obj


def _expand(obj: Row, steps: list[str], path: str) -> Row:
    step, rest = steps[0], steps[1:]
    kind = obj.get("object", "")
    copy = dict(obj)
    if kind == "list":
        if step != "data" or not rest:
            raise _no_expansion(path)
        copy["data"] = [_expand(item, rest, path) for item in obj["data"]]
        return copy
    if kind in CLASSES and kind not in _blanks:
        _read(kind)
    if kind == "charge" and step == "refunds":
        refunds = [store.rows["refund"][id] for id in store.newest_first("refund", {"charge": obj["id"]})]
        copy[step] = {"object": "list", "data": refunds, "has_more": False, "url": f"/v1/charges/{obj['id']}/refunds"}
        return copy
    if step in ON_REQUEST.get(kind, ()):
        copy.setdefault(step, None)
        return copy
    value = obj.get(step)
    if step in _expandable.get(kind, ()):
        target = any_object(value) if isinstance(value, str) else value
        if target is None:
            return copy
        copy[step] = _expand(target, rest, path) if rest else target
        return copy
    if rest and step in obj and (isinstance(value, dict) or value is None):
        copy[step] = value if value is None else _expand(value, rest, path)
        return copy
    raise _no_expansion(path)


def _no_expansion(path: str) -> StripeError:
    return invalid(f"This property cannot be expanded ({path}).", "expand")
