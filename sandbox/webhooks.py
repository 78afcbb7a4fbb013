"""Events: written with the change that caused them, signed, delivered at least once, in no promised order (S-40 to S-49)."""

from __future__ import annotations

import hashlib
import heapq
import hmac
import http.client
import random
import threading
import time
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import msgspec

from . import API_VERSION, clock, faults
from .routes import Request
from .shapes import blank
from .store import Row, store

GIVE_UP = 3 * 24 * 3600  # virtual seconds; Stripe retries a live endpoint for three days
MODES = ("normal", *faults.EVENT_KINDS)
REMEMBERED = 10  # attempts per event


@dataclass
class Endpoint:
    url: str = ""
    secret: str = ""
    thin_url: str = ""
    thin_secret: str = ""
    mode: str = "normal"
    seconds: float = 1.0
    copies: int = 2


endpoint = Endpoint()
current: Request | None = None
_queue: list[tuple[float, float, str]] = []  # (real time due, tie-break, event id)
_wake = threading.Condition()
sent = {"attempts": 0, "delivered": 0, "failed": 0}
undone: dict[str, None] = {}  # ids of events that are not delivered yet


def _listen(kind: str, id: str, row: Row | None) -> None:
    if kind == "":
        undone.clear()
    elif kind == "delivery":
        if row is None or row["done"]:
            undone.pop(id, None)
        else:
            undone[id] = None


store.listeners.append(_listen)


def mood(type: str, *kinds: str) -> faults.Fault | None:
    """What befalls an event: the mode of the whole endpoint, or a fault that was planted for its type."""
    if endpoint.mode in kinds:
        return faults.Fault("", endpoint.mode, seconds=endpoint.seconds, copies=endpoint.copies)
    return faults.pick_event(type, *kinds)


def emit(type: str, obj: Row, previous: Row | None = None, account: str | None = None) -> None:
    """Store a snapshot event of `obj` and queue its delivery; `account` is the connected account that it is about."""
    if mood(type, "lose"):
        return  # Stripe's "event generation failure": never listed, never delivered (finding 7)
    snapshot: dict[str, Any] = {"object": msgspec.Raw(msgspec.json.encode(obj))}
    if previous is not None:
        snapshot["previous_attributes"] = previous
    cause = {"id": current.id if current else None, "idempotency_key": current.key if current else None}
    event = blank(
        "event",
        account=account,
        api_version=API_VERSION,
        created=clock.now(),
        data=snapshot,
        pending_webhooks=1 if endpoint.url else 0,
        request=cause,
        type=type,
    )
    store.put("event", event)
    _queue_new(event["id"], type, endpoint.url)


def emit_thin(type: str, account: Row, data: Row | None = None) -> None:
    """A v2 event: no object, only where to fetch it (S-49)."""
    if mood(type, "lose"):
        return
    event = blank("v2.core.event", created=clock.iso(clock.exact()), livemode=False, type=type)
    event["related_object"] = {
        "id": account["id"],
        "type": "v2.core.account",
        "url": f"/v2/core/accounts/{account['id']}",
    }
    if current is not None and current.key:
        event["reason"] = {"type": "request", "request": {"id": current.id, "idempotency_key": current.key}}
    if data is not None:
        event["data"] = data
    store.put("v2.core.event", event)
    _queue_new(event["id"], type, endpoint.thin_url)


def _queue_new(id: str, type: str, url: str) -> None:
    if url:
        store.put("delivery", _undelivered(), id)
        slow = mood(type, "delay", "reorder")
        wait = 0.0 if slow is None else slow.seconds * (random.random() if slow.kind == "reorder" else 1)
        schedule(id, wait)


def _undelivered() -> Row:
    return {"tries": 0, "first": clock.exact(), "done": False, "attempts": []}


def schedule(id: str, wait: float = 0.0) -> None:
    with _wake:
        heapq.heappush(
            _queue, (time.monotonic() + wait, random.random() if endpoint.mode == "reorder" else len(_queue), id)
        )
        _wake.notify()


def delivered(event: Row) -> bool:
    return event["id"] not in undone


def resume() -> None:
    """After a restart, a clock move or the end of muting: everything undelivered is due again."""
    for id in list(undone):
        schedule(id)


def redeliver(ids: list[str]) -> int:
    for id in ids:
        before = store.get("delivery", id) or {}
        store.put("delivery", {**_undelivered(), "attempts": before.get("attempts", [])}, id)
        schedule(id)
    return len(ids)


def signature(secrets: str, body: bytes, moment: int | None = None) -> str:
    """One `v1` per secret, as Stripe signs while a secret is being changed (S-42); commas divide them."""
    moment = clock.now() if moment is None else moment
    text = f"{moment}.".encode() + body
    macs = [hmac.new(secret.strip().encode(), text, hashlib.sha256).hexdigest() for secret in secrets.split(",")]
    return f"t={moment}" + "".join(f",v1={mac}" for mac in macs)


def _message(id: str) -> tuple[str, str, str, bytes] | None:
    """An event's type, where it goes, the secret that signs it, and its bytes."""
    event = store.get("event", id)
    if event is not None:
        return event["type"], endpoint.url, endpoint.secret, msgspec.json.encode(event)
    thin = store.get("v2.core.event", id)
    if thin is None:
        return None
    body = {key: value for key, value in thin.items() if key not in ("data", "changes", "snapshot_event")}
    return thin["type"], endpoint.thin_url, endpoint.thin_secret or endpoint.secret, msgspec.json.encode(body)


class Postman(threading.Thread):
    """Delivers from the queue over one kept connection; a refusal is tried again 1, 2, 4 … 60 real seconds later."""

    def __init__(self) -> None:
        super().__init__(daemon=True, name="postman")
        self.connection: tuple[str, http.client.HTTPConnection] | None = None

    def run(self) -> None:
        while True:
            with _wake:
                while not _queue or _queue[0][0] > time.monotonic():
                    _wake.wait(_queue[0][0] - time.monotonic() if _queue else None)
                _, _, id = heapq.heappop(_queue)
            self.deliver(id)

    def deliver(self, id: str) -> None:
        with store.lock:
            row, message = store.get("delivery", id), _message(id)
            if row is None or row["done"] or message is None or not message[1]:
                return
            type, url, secret, body = message
            if clock.exact() - row["first"] > GIVE_UP or endpoint.mode == "lose" or mood(type, "mute"):
                return
            fault = mood(type, "drop", "duplicate", "bad_signature")
            kind = fault.kind if fault else None
            mark = signature(secret if kind != "bad_signature" else secret + "x", body)
        began = time.monotonic()
        if kind == "drop":
            answers: list[int | str] = ["dropped on the way"]
        else:
            answers = [self.post(url, body, mark) for _ in range(fault.copies if fault and kind == "duplicate" else 1)]
        good = all(isinstance(answer, int) and 200 <= answer < 300 for answer in answers)
        spent = round((time.monotonic() - began) * 1000, 1)
        with store.lock:
            row = dict(store.get("delivery", id) or row)
            attempt = {"at": clock.exact(), "answers": answers, "ms": spent, "fault": kind}
            row.update(tries=row["tries"] + 1, done=good, attempts=[*row.get("attempts", []), attempt][-REMEMBERED:])
            store.put("delivery", row, id)
            sent["delivered" if good else "failed"] += 1
            event = store.get("event", id)
            if good and event is not None:
                store.put("event", {**event, "pending_webhooks": 0})
            store.commit()
        if not good:
            schedule(id, min(60.0, 2.0 ** (row["tries"] - 1)))

    def post(self, url: str, body: bytes, mark: str) -> int | str:
        """The status of the answer, or why there was none."""
        parts = urlsplit(url)
        headers = {
            "Content-Type": "application/json; charset=utf-8",
            "User-Agent": "Stripe/1.0 (sandbox)",
            "Stripe-Signature": mark,
        }
        sent["attempts"] += 1
        why = "not sent"
        for fresh in (False, True):  # a kept connection may have been closed by the other side: once more on a new one
            if fresh or self.connection is None or self.connection[0] != parts.netloc:
                self.connection = (parts.netloc, http.client.HTTPConnection(parts.netloc, timeout=10))
            elif fresh:
                break
            kept = self.connection[1].sock is not None
            try:
                path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
                self.connection[1].request("POST", path, body, headers)
                answer = self.connection[1].getresponse()
                answer.read()
                return answer.status
            except (OSError, http.client.HTTPException) as error:
                self.connection, why = None, type(error).__name__
                if not kept:
                    return why
        return why
