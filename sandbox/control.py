"""The control API under /_sandbox/: what a test or a demo does that at Stripe time, a bank or a person would do."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import asdict
from itertools import islice
from typing import Any

from . import (
    accounts,
    addresses,
    balances,
    books,
    checkout,
    clock,
    disputes,
    faults,
    idempotency,
    limits,
    payment_intents,
    refunds,
    tampering,
    webhooks,
)
from .errors import invalid
from .methods import number_of
from .routes import one
from .shapes import CLASSES, blank
from .store import Row, store

Ask = dict[str, Any]


class Asked(Ask):
    """What was asked for; a missing key is the caller's mistake."""

    def __missing__(self, name: str) -> Any:
        raise invalid(f"Missing: {name}", name, "parameter_missing")


CONTROLS: list[tuple[str, tuple[str, ...], Callable[..., Any]]] = []


def control(line: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    method, path = line.split()

    def add(function: Callable[..., Any]) -> Callable[..., Any]:
        CONTROLS.append((method, tuple(path.split("/")), function))
        return function

    return add


def serve(method: str, path: str, query: dict[str, str], asked: Ask) -> Any:
    given = path.removeprefix("/_sandbox/").strip("/").split("/")
    for verb, steps, function in CONTROLS:
        if verb != method or len(steps) != len(given):
            continue
        if all(step[0] == "{" or step == piece for step, piece in zip(steps, given, strict=True)):
            ids = [piece for step, piece in zip(steps, given, strict=True) if step[0] == "{"]
            return function(*ids, Asked({**query, **asked}))
    raise invalid(f"No such control: {method} {path}", status=404)


@control("GET health")
def health(_: Ask) -> Ask:
    return {"ok": True, "livemode": False, "time": clock.exact(), "offset": clock.offset()}


@control("GET clock")
def read_clock(_: Ask) -> Ask:
    return {"time": clock.exact(), "offset": clock.offset()}


@control("POST clock")
def move_clock(asked: Ask) -> Ask:
    if "offset" in asked:
        clock.set_offset(float(asked["offset"]))
    else:
        clock.set_offset(clock.offset() + float(asked.get("advance", 0)))
    return read_clock({})


@control("GET faults")
def list_faults(_: Ask) -> Any:
    return faults.listed()


@control("POST faults")
def plant_fault(asked: Ask) -> Any:
    faults.plant(asked)
    return faults.listed()


@control("DELETE faults")
def clear_faults(_: Ask) -> Any:
    faults.planted.clear()
    return []


@control("GET webhooks")
def read_webhooks(_: Ask) -> Ask:
    hook = webhooks.endpoint
    undone = len(webhooks.undone)
    return {"mode": hook.mode, "url": hook.url, "thin_url": hook.thin_url, "undelivered": undone, **webhooks.sent}


@control("POST webhooks")
def set_webhooks(asked: Ask) -> Ask:
    if asked.get("mode", "normal") not in webhooks.MODES:
        raise invalid(f"mode must be one of {', '.join(webhooks.MODES)}", "mode")
    hook, before = webhooks.endpoint, webhooks.endpoint.mode
    for name in ("url", "secret", "thin_url", "thin_secret", "mode", "seconds", "copies"):
        if name in asked:
            setattr(hook, name, asked[name])
    if before == "mute" and hook.mode != "mute" and asked.get("resume", True):
        webhooks.resume()
    return read_webhooks({})


@control("POST webhooks/redeliver")
def redeliver(asked: Ask) -> Ask:
    """`{"event": id}`, `{"all": true}`, or nothing: what was not delivered."""
    if "event" in asked:
        ids = [asked["event"]]
        if not (store.get("event", ids[0]) or store.get("v2.core.event", ids[0])):
            raise invalid(f"No such event: {ids[0]}", "event", "resource_missing", 404)
    elif asked.get("all"):
        ids = list(store.rows.get("event", {})) + list(store.rows.get("v2.core.event", {}))
    else:
        ids = list(webhooks.undone)
    return {"queued": webhooks.redeliver(ids)}


@control("POST rate")
def set_rate(asked: Ask) -> Ask:
    """Requests a second, per endpoint and for the whole account; 0 means no limit. Stripe's test mode: 25 and 25."""
    windows = limits.windows
    windows.set(asked.get("per_endpoint"), asked.get("global"))
    return {"per_endpoint": windows.per_endpoint, "global": windows.whole, "refused": windows.refused}


@control("POST settings")
def set_settings(asked: Ask) -> Ask:
    """`strict`: refuse random idempotency keys; `lock_wait`: seconds that a request waits for another on its object."""
    from .server import settings

    for name in ("strict", "lock_wait"):
        if name in asked:
            setattr(settings, name, asked[name])
    return asdict(settings)


@control("GET log")
def read_log(asked: Ask) -> Any:
    """Newest last; filter by method, path (prefix), status, key, id of an object in the path; `limit` from the end."""
    from .server import log

    entries: list[Ask] = [
        entry
        for entry in list(log)
        if asked.get("method") in (None, entry["method"])
        and entry["path"].startswith(asked.get("path", ""))
        and str(asked.get("status", entry["status"])) == str(entry["status"])
        and asked.get("key") in (None, entry["idempotency_key"])
        and asked.get("id", "") in entry["path"]
    ]
    return entries[-int(asked.get("limit", 1000)) :]


@control("DELETE log")
def clear_log(_: Ask) -> Any:
    from .server import log

    log.clear()
    return []


@control("GET state/{kind}")
def state(kind: str, asked: Ask) -> Any:
    rows = store.rows.get(kind, {}).values()
    return list(islice(rows, int(asked["limit"]))) if "limit" in asked else list(rows)


@control("GET state/{kind}/{id}")
def state_of(kind: str, id: str, _: Ask) -> Any:
    return one(kind, id)


@control("POST state/{kind}")
def fill(kind: str, asked: Ask) -> Ask:
    """`{"rows": [{…}, …]}`: objects by the thousand for a bench, each completed to its kind's shape; no events, no books."""
    if kind not in CLASSES:
        raise invalid(f"No such kind: {kind}", "kind")
    for row in asked["rows"]:
        store.put(kind, {**blank(kind, row.get("id", "")), **row})
    return {"rows": len(store.rows.get(kind, {}))}


@control("PATCH state/{kind}/{id}")
def mutate(kind: str, id: str, asked: Ask) -> Any:
    return tampering.tamper(kind, id, asked)


@control("GET tamper")
def tampered(_: Ask) -> Any:
    return list(store.all("tampered"))


@control("POST tamper")
def tamper(asked: Ask) -> Any:
    """`{"kind", "id", "set": {…} | "hide": true | "restore": true}`: behind everybody's back, no event, no books."""
    kind, id = asked["kind"], asked["id"]
    if asked.get("restore"):
        return tampering.restore(kind, id)
    return tampering.hide(kind, id) if asked.get("hide") else tampering.tamper(kind, id, asked.get("set") or {})


@control("GET counts")
def counts(_: Ask) -> Ask:
    from .server import peak

    answer: Ask = {kind: len(rows) for kind, rows in store.rows.items()}
    for kind in ("charge", "payment_intent", "setup_intent", "checkout.session", "refund", "dispute"):
        by = Counter(row["status"] for row in store.rows.get(kind, {}).values())
        answer[f"{kind}_by_status"] = dict(by)
    answer["charges_succeeded"] = answer["charge_by_status"].get("succeeded", 0)
    twice = Counter(
        row["payment_intent"] for row in store.rows.get("charge", {}).values() if row["status"] == "succeeded"
    )
    answer["intents_charged_twice"] = sum(1 for number in twice.values() if number > 1)
    answer["max_in_flight_per_object"] = peak.get("per_object", 0)
    answer["rate_limited"] = limits.windows.refused
    return answer


@control("GET books")
def read_books(_: Ask) -> Ask:
    shown: dict[str, dict[str, int]] = {}
    for (account, currency), amount in sorted(books.totals.items()):
        shown.setdefault(account, {})[currency] = amount
    available = {currency: books.available(currency) for currency in books.currencies()}
    return {"accounts": shown, "available": available, "imbalance": books.imbalance()}


@control("POST reset")
def reset(_: Ask) -> Ask:
    from .server import Settings, log, peak, settings

    store.reset()
    settings.lock_wait = Settings.lock_wait
    idempotency.in_use.clear()
    faults.planted.clear()
    limits.windows.refused = 0
    log.clear()
    peak.clear()
    webhooks.endpoint.mode = "normal"
    return {"ok": True}


@control("POST checkout/{id}/complete")
def complete(id: str, asked: Ask) -> Ask:
    """What a person does on the card page, 3-D Secure included; `"authenticate": "fail"` presses the other button.

    `"address": {"line1": …}` is what a wallet would tell; where the page asks for one and none is given, it is made up.
    """
    session = one("checkout.session", id)
    if session["status"] != "open":
        raise invalid(f"The session's status is {session['status']}.", code="checkout_session_not_open")
    card = number_of(asked.get("number", "4242424242424242"))
    year = int(clock.iso(clock.exact())[:4]) + 3
    details = (asked.get("exp_month", 12), asked.get("exp_year", year), asked.get("name"), asked.get("email"))
    address = addresses.checked(asked.get("address"), "address")
    if checkout.asks_address(session) and "address" not in asked:
        address = addresses.made_up(session["customer"])
    intent = checkout.submit(session, card, *details, address)
    if intent["status"] == "requires_action":
        answer_challenge(intent["id"], asked)
    status = one("checkout.session", id)["status"]
    redirect = checkout.success_url(session) if status == "complete" else None
    return {"session": one("checkout.session", id), "setup_intent": intent, "redirect": redirect}


@control("POST intents/{id}/authenticate")
def answer_challenge(id: str, asked: Ask) -> Ask:
    """Press a button of the 3-D Secure page."""
    good = asked.get("authenticate", "complete") == "complete"
    intent = one("setup_intent" if id.startswith("seti_") else "payment_intent", id)
    if intent["status"] != "requires_action":
        raise invalid(f"The intent's status is {intent['status']}.", code="intent_unexpected_state")
    if intent["object"] == "payment_intent":
        return payment_intents.authenticated(intent, good)
    return checkout.authenticated(intent, good)


@control("POST accounts/{id}/activate")
def activate(id: str, _: Ask) -> Ask:
    return accounts.set_capability(one("v2.core.account", id), "active")


@control("POST accounts/{id}/restrict")
def restrict(id: str, _: Ask) -> Ask:
    return accounts.set_capability(one("v2.core.account", id), "restricted")


@control("POST payouts")
def pay_out(asked: Ask) -> Ask:
    """`{"amount", "currency", "account"?, "status"?}`: money to the bank, the platform's or an account's."""
    return balances.pay_out(asked["amount"], asked["currency"], asked.get("account"), asked.get("status", "paid"))


@control("POST payouts/{id}/{status}")
def move_payout(id: str, status: str, _: Ask) -> Ask:
    return balances.move_payout(one("payout", id), status)


@control("POST refunds/{id}/{outcome}")
def decide_refund(id: str, outcome: str, _: Ask) -> Ask:
    """`settle` or `fail`."""
    return refunds.decide(one("refund", id), outcome)


@control("POST disputes")
def dispute(asked: Ask) -> Ask:
    """`{"charge", "status"?, "reason"?, "amount"?}` opens; the same with `status`, or `{"dispute", "status"}`, moves."""
    if "dispute" in asked:
        return disputes.move(one("dispute", asked["dispute"]), asked["status"])
    charge = one("charge", asked["charge"], "charge")
    for id in store.newest_first("dispute", {"charge": charge["id"]}):
        if "status" in asked and asked["status"] in disputes.MOVES[one("dispute", id)["status"]]:
            return disputes.move(one("dispute", id), asked["status"])
    status = asked.get("status", "needs_response")
    return disputes.start(charge, status, asked.get("reason", "fraudulent"), asked.get("amount"))


@control("POST fraud_warnings")
def fraud_warning(asked: Ask) -> Ask:
    return disputes.warn(one("charge", asked["charge"], "charge"))


@control("POST events")
def raise_event(asked: Ask) -> Row:
    """`{"type", "kind", "id"}`: emit an event about an object that this sandbox itself never emits it for."""
    webhooks.emit(asked["type"], one(asked["kind"], asked["id"]))
    return {"ok": True}
