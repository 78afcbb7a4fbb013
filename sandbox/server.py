"""From bytes to an answer: key and version, idempotency, faults, the handler; and the RSGI shell that granian calls.

RSGI, not WSGI: only its scope names the client's port, which the drop faults need to hang up on the right connection,
and a hanging request then costs a coroutine instead of a thread.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import os
import socket
import time
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import msgspec

# every module with endpoints; importing one registers its routes
from . import (  # noqa: F401
    API_VERSION,
    accounts,
    balances,
    checkout,
    clock,
    control,
    customers,
    disputes,
    events,
    faults,
    idempotency,
    limits,
    methods,
    pages,
    payment_intents,
    refunds,
    setup_intents,
    transfers,
    webhooks,
)
from .errors import StripeError, invalid
from .params import decode_form
from .routes import Request, Route, expanded, find
from .store import store

Headers = list[tuple[str, str]]


@dataclass
class Settings:
    strict: bool = True
    lock_wait: float = 2.0  # how long a request waits for another one on the same object before lock_timeout


@dataclass
class Answer:
    status: int
    body: bytes
    headers: Headers = field(default_factory=list)
    type: str = "application/json"


settings = Settings()
log: deque[dict[str, Any]] = deque(maxlen=20_000)
in_flight: dict[str, int] = {}
peak: dict[str, int] = {}


def authorize(headers: dict[str, str]) -> None:
    """A test key as Bearer or Basic; live keys never (SB-07)."""
    scheme, _, value = headers.get("authorization", "").partition(" ")
    if scheme.lower() == "basic":
        try:
            value = base64.b64decode(value).decode().partition(":")[0]
        except (binascii.Error, UnicodeDecodeError):
            value = ""
    if value.startswith(("sk_live_", "rk_live_")):
        raise invalid("A live key has no business in the sandbox.", code="secret_key_required", status=401)
    if not value.startswith(("sk_test_", "rk_test_")):
        raise invalid("You did not provide a valid test API key.", status=401)


def read(method: str, path: str, query: str, headers: dict[str, str], body: bytes) -> tuple[Request, Route]:
    """Everything that is refused before execution, and so never stored (S-08)."""
    request = Request(method, path, key=headers.get("idempotency-key"), account=headers.get("stripe-account"))
    try:
        authorize(headers)
        version = headers.get("stripe-version")
        if version != API_VERSION:
            raise invalid(f"Stripe-Version must be {API_VERSION}, not {version}.", code="invalid_api_version")
        route, request.ids = find(method, path)
        if request.v2 and method != "GET":
            request.raw = msgspec.json.decode(body) if body else {}
            if not isinstance(request.raw, dict):
                raise invalid("The body must be a JSON object.")
        else:
            request.raw = decode_form(query if method == "GET" or not body else body.decode())
        idempotency.refuse_bad_key(request, settings.strict)
        limits.windows.check(method, route.steps)
        return request, route
    except (msgspec.DecodeError, UnicodeDecodeError):
        error = invalid("The request body could not be read.")
    except StripeError as refused:
        error = refused
    error.error.setdefault("request_id", request.id)
    raise Refused(request, error)


class Refused(Exception):
    """A refusal together with the request it belongs to, for the log."""

    def __init__(self, request: Request, error: StripeError) -> None:
        self.request, self.error = request, error


def execute(request: Request, route: Route) -> Answer:
    """Check the parameters, run the handler, store the answer; one lock, one commit."""
    webhooks.current = request
    try:
        raw = request.raw
        if request.v2 and request.method == "GET":
            raw = {name: value for name, value in raw.items() if name != "page"}  # opaque, in next_page_url only
        request.params = route.check(raw, request.v2 and request.method != "GET")
        made = route.handler(request)
        request.made = made.get("id")
        body = msgspec.json.encode(expanded(request, made))
        status, stored, headers = 200, True, []
    except StripeError as error:
        status, stored, headers = error.status, error.stored, error.headers
        body = msgspec.json.encode({"error": error.error})
    except Exception as error:  # a bug of the sandbox: say so, do not hide it behind a plausible answer
        import traceback

        traceback.print_exc()
        status, stored, headers = 500, True, []
        body = msgspec.json.encode({"error": {"type": "api_error", "message": f"Sandbox bug: {error!r}"}})
    finally:
        webhooks.current = None
    if stored:
        idempotency.keep(request, status, body)
    store.commit()
    return Answer(status, body, headers)


def note(request: Request, answer: Answer, replayed: str | None = None, fault: str | None = None) -> Answer:
    """Into the log, and the headers that every answer has; `replayed` is the request that was answered first."""
    answer.headers += [("request-id", request.id), ("stripe-version", API_VERSION)]
    if request.key:
        answer.headers.append(("idempotency-key", request.key))
    if replayed:
        answer.headers.append(("idempotent-replayed", "true"))
    entry: dict[str, Any] = {"id": request.id, "method": request.method, "path": request.path, "params": request.raw}
    entry |= {"idempotency_key": request.key, "status": answer.status, "replayed": bool(replayed), "time": clock.exact()}
    entry["ms"] = round((time.perf_counter() - request.began) * 1000, 1)
    if replayed:
        entry["original"] = replayed
    if request.made:
        entry["made"] = request.made
    if fault:
        entry["fault"] = fault
    if answer.status >= 400:
        entry["error"] = answer.body.decode()[:2000]
    log.append(entry)
    return answer


def refused(request: Request, error: StripeError) -> Answer:
    return Answer(error.status, msgspec.json.encode({"error": error.error}), list(error.headers))


class HungUp(Exception):
    """A fault wants the connection closed without an answer."""


_locks: dict[str, asyncio.Lock] = {}


@asynccontextmanager
async def alone_with(thing: str | None) -> AsyncIterator[None]:
    """One request at a time on one object; who waits too long is told so, and nothing was executed (S-13)."""
    if thing is None:
        yield
        return
    in_flight[thing] = in_flight.get(thing, 0) + 1
    peak["per_object"] = max(peak.get("per_object", 0), in_flight[thing])
    lock = _locks.setdefault(thing, asyncio.Lock())
    try:
        try:
            async with asyncio.timeout(settings.lock_wait):
                await lock.acquire()
        except TimeoutError:
            raise faults.lock_timeout() from None
        try:
            yield
        finally:
            lock.release()
    finally:
        in_flight[thing] -= 1
        if not in_flight[thing]:
            del in_flight[thing], _locks[thing]


async def api(method: str, path: str, query: str, headers: dict[str, str], body: bytes) -> Answer:
    try:
        request, route = read(method, path, query, headers, body)
    except Refused as no:
        return note(no.request, refused(no.request, no.error))
    with store.lock:
        try:
            kept = idempotency.recall(request)
        except StripeError as error:
            return note(request, refused(request, error))
    fault = faults.pick(method, path)
    kind = fault.kind if fault else None
    if kept is not None and kind not in ("hang", "drop_before", "drop_after", "delay"):
        return note(request, Answer(kept["status"], kept["body"].encode(), []), replayed=kept["request"])
    held = request.key if request.key and method != "GET" else None
    if held:
        idempotency.in_use.add(held)
    try:
        if fault and kind in ("hang", "drop_before"):
            if kind == "hang":
                await asyncio.sleep(fault.seconds)
            note(request, Answer(0, b""), fault=kind)
            raise HungUp
        if fault and kind in faults.BEFORE:
            return note(request, refused(request, faults.refusal(fault)), fault=kind)
        if fault and kind == "decline":
            request.decline = fault.code
        request.fault = kind if kind in faults.INSIDE else None
        async with alone_with(request.ids[0] if method == "POST" and request.ids and kept is None else None):
            if fault and kind == "delay":
                await asyncio.sleep(fault.seconds)
            with store.lock:
                if kept is not None:
                    answer = Answer(kept["status"], kept["body"].encode(), [])
                else:
                    answer = execute(request, route)
                if fault and kind == "500_after":
                    answer = refused(request, faults.refusal(fault))
                    idempotency.keep(request, 500, answer.body)
                    store.commit()
        note(request, answer, replayed=kept["request"] if kept else None, fault=kind)
        if kind == "drop_after":
            raise HungUp
        return answer
    except StripeError as error:
        return note(request, refused(request, error), fault=kind)
    finally:
        if held:
            idempotency.in_use.discard(held)


def hang_up(client: str) -> None:
    """Close the connection under granian's feet: find its socket by the client's port."""
    port = int(client.rsplit(":", 1)[1])
    try:
        numbers = [int(link.name) for link in Path("/proc/self/fd").iterdir()]
    except OSError:
        numbers = list(range(3, 1024))
    for number in numbers:
        try:
            twin = os.dup(number)
        except OSError:
            continue
        try:
            copy = socket.socket(fileno=twin)
        except OSError:
            os.close(twin)  # no socket; kept open, a few dozen drops would leave no number for the next connection
            continue
        with copy:
            try:
                peer = copy.getpeername()
                if isinstance(peer, tuple) and peer[1] == port:
                    copy.shutdown(socket.SHUT_RDWR)
                    return
            except OSError:
                continue


async def app(scope: Any, protocol: Any) -> None:
    """The RSGI application."""
    path, method = scope.path, scope.method
    body = await protocol() if method in ("POST", "PATCH", "DELETE", "PUT") else b""
    headers = dict(scope.headers.items())
    try:
        if path.startswith(("/v1/", "/v2/")):
            answer = await api(method, path, scope.query_string, headers, body)
        elif path.startswith("/_sandbox/"):
            answer = control_answer(method, path, scope.query_string, body, scope.client)
        else:
            with store.lock:
                form = dict(parse_qsl(body.decode("utf-8", "replace"), keep_blank_values=True))
                query = dict(parse_qsl(scope.query_string, keep_blank_values=True))
                status, more, html = pages.serve(method, path, query, form, headers.get("host", ""), scope.client)
                store.commit()
            answer = Answer(status, html.encode(), more, "text/html; charset=utf-8")
    except HungUp:
        hang_up(scope.client)
        return
    everything = [("content-type", answer.type), *answer.headers]
    protocol.response_bytes(answer.status, everything, answer.body)


def control_answer(method: str, path: str, query: str, body: bytes, client: str) -> Answer:
    if not client.startswith(("127.", "[::1]", "::1", "[::ffff:127.")):
        return Answer(403, b'{"error":{"message":"The control API answers only this machine."}}')
    try:
        asked = msgspec.json.decode(body) if body else {}
        with store.lock:
            result = control.serve(method, path, dict(parse_qsl(query)), asked)
            store.commit()
        return Answer(200, msgspec.json.encode(result))
    except msgspec.DecodeError as error:
        return Answer(400, msgspec.json.encode({"error": {"message": str(error)}}))
    except StripeError as error:
        store.commit()
        return Answer(error.status, msgspec.json.encode({"error": error.error}))
