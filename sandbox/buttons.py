"""What the buttons of the dashboard do; each does what one control does, and says what happened."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal, InvalidOperation

import msgspec

from . import accounts, balances, clock, control, disputes, faults, limits, money, refunds, tampering, webhooks
from .errors import invalid
from .routes import one
from .shapes import any_object
from .store import Row

Form = dict[str, str]
BUTTONS: dict[str, Callable[[Form], str]] = {}


def button(function: Callable[[Form], str]) -> Callable[[Form], str]:
    BUTTONS[function.__name__] = function
    return function


def press(form: Form) -> str:
    function = BUTTONS.get(form.get("do", ""))
    if function is None:
        raise invalid("This button does not exist.")
    return function(form)


def _number(form: Form, name: str, least: float = 0) -> float:
    try:
        number = float(form.get(name, "").strip() or "nan")
    except ValueError:
        number = float("nan")
    if not least <= number <= 1e6:
        raise invalid(f"{name} must be a number of {least:g} or more.", name)
    return number


def _minor(typed: str, currency: str) -> int | None:
    """`12.50` in minor units; nothing typed means the whole."""
    if not typed.strip():
        return None
    try:
        scaled = Decimal(typed.strip().replace(",", ".")).scaleb(money.decimals(currency))
    except InvalidOperation:
        raise invalid(f"Write the amount as a number, not {typed}.", "amount") from None
    if scaled != int(scaled):
        raise invalid(f"{currency.upper()} has no such small change: {typed}.", "amount")
    return int(scaled)


def _named(form: Form, kind: str) -> Row:
    return one(kind, form.get("id", "").strip())


@button
def advance(form: Form) -> str:
    clock.set_offset(clock.offset() + _number(form, "hours") * 3600)
    return f"The clock stands {clock.offset() / 3600:.1f} hours ahead."


@button
def real_time(form: Form) -> str:
    clock.set_offset(0)
    return "The clock shows real time."


@button
def decline(form: Form) -> str:
    times = int(_number(form, "times", 1))
    code = form.get("code") or "generic_decline"
    faults.plant({"match": "POST /v1/payment_intents/*/confirm", "kind": "decline", "code": code, "times": times})
    return f"The next {times} charges are declined: {code}." if times > 1 else f"The next charge is declined: {code}."


@button
def fault(form: Form) -> str:
    match = form.get("match", "").strip() or "*"
    asked = {"match": match, "kind": form.get("kind"), "seconds": _number(form, "seconds")}
    asked["times"] = int(_number(form, "times", 1))
    if form.get("should_retry"):
        asked["should_retry"] = form["should_retry"] == "true"
    planted = faults.plant(asked)
    return f"Planted: {planted.kind} on {planted.match}, {planted.times} times."


@button
def clear_faults(form: Form) -> str:
    faults.planted.clear()
    return "No faults are planted."


@button
def hooks(form: Form) -> str:
    control.set_webhooks({"mode": form.get("mode", ""), "seconds": _number(form, "seconds")})
    return f"Webhooks: {webhooks.endpoint.mode}."


@button
def rate(form: Form) -> str:
    limits.windows.set(_number(form, "per_endpoint"), _number(form, "whole"))
    return "The limits hold from now on."


@button
def dispute(form: Form) -> str:
    found = any_object(form.get("id", "").strip()) or {}
    id = found.get("latest_charge") if found.get("object") == "payment_intent" else form.get("id", "").strip()
    charge = one("charge", id or "", "charge")
    amount = _minor(form.get("amount", ""), charge["currency"])
    status = form.get("status") or "needs_response"
    made = disputes.start(charge, status, form.get("reason") or "fraudulent", amount)
    return f"Opened {made['id']}."


@button
def move_dispute(form: Form) -> str:
    made = disputes.move(_named(form, "dispute"), form.get("status", ""))
    return f"{made['id']} is {made['status']}."


@button
def warn(form: Form) -> str:
    return f"Raised {disputes.warn(_named(form, 'charge'))['id']}."


@button
def decide_refund(form: Form) -> str:
    made = refunds.decide(_named(form, "refund"), form.get("outcome", ""))
    return f"{made['id']} is {made['status']}."


@button
def next_refund(form: Form) -> str:
    planted = faults.plant({"match": "POST /v1/refunds", "kind": form.get("kind")})
    return f"The next refund meets {planted.kind}."


@button
def payout(form: Form) -> str:
    currency = money.currency(form.get("currency", ""))
    amount = _minor(form.get("amount", ""), currency)
    if amount is None:
        raise invalid("Write the amount of the payout.", "amount")
    made = balances.pay_out(amount, currency, form.get("account") or None, form.get("status", "paid"))
    return f"{made['id']} is {made['status']}."


@button
def move_payout(form: Form) -> str:
    made = balances.move_payout(_named(form, "payout"), form.get("status", ""))
    return f"{made['id']} is {made['status']}."


@button
def capability(form: Form) -> str:
    status = "active" if form.get("status") == "active" else "restricted"
    accounts.set_capability(_named(form, "v2.core.account"), status)
    return f"Transfers to this account are {status}."


@button
def authenticate(form: Form) -> str:
    made = control.answer_challenge(form.get("id", ""), {"authenticate": form.get("answer", "complete")})
    return f"{made['id']} is {made['status']}."


@button
def send(form: Form) -> str:
    asked = {"event": form["id"]} if form.get("id") else {}
    number = control.redeliver(asked)["queued"]
    return f"{number} events are on their way again." if number != 1 else "1 event is on its way again."


@button
def tamper(form: Form) -> str:
    kind, id, name = form.get("kind", ""), form.get("id", ""), form.get("name", "").strip()
    try:
        value = msgspec.json.decode(form.get("value", ""))
    except msgspec.DecodeError:
        raise invalid("The value must be JSON: 5, true, null or quoted text.", "value") from None
    if name not in one(kind, id):
        raise invalid(f"This object has no field {name}.", "name")
    tampering.tamper(kind, id, {name: value})
    return f"{id} changed silently."


@button
def hide(form: Form) -> str:
    tampering.hide(form.get("kind", ""), form.get("id", ""))
    return f"{form.get('id')} is hidden."


@button
def restore(form: Form) -> str:
    tampering.restore(form.get("kind", ""), form.get("id", ""))
    return f"{form.get('id')} is as it was."
