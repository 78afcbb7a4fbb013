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

from . import API_VERSION, clock
from .routes import Request
from .shapes import blank
from .store import Row, store

GIVE_UP = 3 * 24 * 3600  # virtual seconds; Stripe retries a live endpoint for three days
MODES = ("normal", "mute", "lose", "duplicate", "reorder", "delay", "bad_signature")


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


def emit(type: str, obj: Row, previous: Row | None = None) -> None:
    """Store a snapshot event of `obj` and queue its delivery."""
    if endpoint.mode == "lose":
        return  # Stripe's "event generation failure": never listed, never delivered (finding 7)
    snapshot: dict[str, Any] = {"object": msgspec.Raw(msgspec.json.encode(obj))}
    if previous is not None:
        snapshot["previous_attributes"] = previous
    cause = {"id": current.id if current else None, "idempotency_key": current.key if current else None}
    event = blank(
        "event",
        api_version=API_VERSION,
        created=clock.now(),
        data=snapshot,
        pending_webhooks=1 if endpoint.url else 0,
        request=cause,
        type=type,
    )
    store.put("event", event)
    _queue_new(event["id"], endpoint.url)


def emit_thin(type: str, account: Row, data: Row | None = None) -> None:
    """A v2 event: no object, only where to fetch it (S-49)."""
    if endpoint.mode == "lose":
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
    _queue_new(event["id"], endpoint.thin_url)


def _queue_new(id: str, url: str) -> None:
    if url:
        store.put("delivery", {"tries": 0, "first": clock.exact(), "done": False}, id)
        wait = {"delay": endpoint.seconds, "reorder": random.random() * endpoint.seconds}.get(endpoint.mode, 0.0)
        schedule(id, wait)


def schedule(id: str, wait: float = 0.0) -> None:
    with _wake:
        heapq.heappush(
            _queue, (time.monotonic() + wait, random.random() if endpoint.mode == "reorder" else len(_queue), id)
        )
        _wake.notify()


def delivered(event: Row) -> bool:
    row = store.get("delivery", event["id"])
    return row is None or row["done"]


def resume() -> None:
    """After a restart, a clock move or the end of muting: everything undelivered is due again."""
    for id, row in list(store.rows.get("delivery", {}).items()):
        if not row["done"]:
            schedule(id)


def redeliver(ids: list[str]) -> int:
    for id in ids:
        store.put("delivery", {"tries": 0, "first": clock.exact(), "done": False}, id)
        schedule(id)
    return len(ids)


def signature(secret: str, body: bytes, moment: int | None = None) -> str:
    moment = clock.now() if moment is None else moment
    mac = hmac.new(secret.encode(), f"{moment}.".encode() + body, hashlib.sha256).hexdigest()
    return f"t={moment},v1={mac}"


def _message(id: str) -> tuple[str, str, bytes] | None:
    event = store.get("event", id)
    if event is not None:
        return endpoint.url, endpoint.secret, msgspec.json.encode(event)
    thin = store.get("v2.core.event", id)
    if thin is None:
        return None
    body = {key: value for key, value in thin.items() if key not in ("data", "changes", "snapshot_event")}
    return endpoint.thin_url, endpoint.thin_secret or endpoint.secret, msgspec.json.encode(body)


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
            row = store.get("delivery", id)
            message = _message(id)
            if row is None or row["done"] or message is None or not message[0] or endpoint.mode in ("mute", "lose"):
                return
            url, secret, body = message
            if clock.exact() - row["first"] > GIVE_UP:
                return
            mark = signature(secret if endpoint.mode != "bad_signature" else secret + "x", body)
            copies = endpoint.copies if endpoint.mode == "duplicate" else 1
        answers = [self.post(url, body, mark) for _ in range(copies)]
        good = all(answers)
        with store.lock:
            row = dict(store.get("delivery", id) or row)
            row.update(tries=row["tries"] + 1, done=good)
            store.put("delivery", row, id)
            sent["delivered" if good else "failed"] += 1
            event = store.get("event", id)
            if good and event is not None:
                store.put("event", {**event, "pending_webhooks": 0})
            store.commit()
        if not good:
            schedule(id, min(60.0, 2.0 ** (row["tries"] - 1)))

    def post(self, url: str, body: bytes, mark: str) -> bool:
        parts = urlsplit(url)
        headers = {
            "Content-Type": "application/json; charset=utf-8",
            "User-Agent": "Stripe/1.0 (sandbox)",
            "Stripe-Signature": mark,
        }
        sent["attempts"] += 1
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
                return 200 <= answer.status < 300
            except (OSError, http.client.HTTPException):
                self.connection = None
                if not kept:
                    return False
        return False
