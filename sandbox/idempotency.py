"""Same key, same answer (SB-02, S-04 to S-10; docs.stripe.com/api/idempotent_requests).

Kept 24 hours for v1 and 30 days for v2 by the virtual clock. Kept is what began to execute, 402 and 500 included;
what failed before that (401, 429, a refused parameter) is not, so the key stays free.
"""

from __future__ import annotations

import hashlib
import re
from typing import Any

import msgspec

from . import clock
from .errors import StripeError, invalid
from .routes import Request
from .store import store

# The SDK's own key is sixteen random bytes in a UUID's form, without a version; a bare UUID of any kind looks the same.
RANDOM_KEY = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\Z", re.IGNORECASE)
KEEP = {"v1": 24 * 3600, "v2": 30 * 24 * 3600}
in_use: set[str] = set()


def refuse_bad_key(request: Request, strict: bool) -> None:
    """Every POST and v2 DELETE needs a key of the caller's own; the SDK's random one protects nothing (S-04)."""
    if request.method == "GET" or (request.method == "DELETE" and not request.v2):
        return
    if request.key and len(request.key) > 255:
        raise invalid("Idempotency keys can have up to 255 characters.", code="idempotency_key_too_long")
    if not strict:
        return
    if not request.key:
        raise invalid("Strict sandbox: this request must carry an Idempotency-Key.", code="idempotency_key_missing")
    if RANDOM_KEY.match(request.key):
        raise invalid(
            "Strict sandbox: this Idempotency-Key looks like the SDK's random UUID. "
            "Pass one derived from a committed row (options={'idempotency_key': ...}).",
            code="idempotency_key_random",
        )


def digest(request: Request) -> str:
    text = msgspec.json.encode([request.method, request.path, request.account, request.raw], order="sorted")
    return hashlib.sha256(text).hexdigest()[:32]


def recall(request: Request) -> dict[str, Any] | None:
    """The stored answer if there is one; a conflict raises."""
    if not request.key or request.method == "GET":
        return None
    if request.key in in_use:
        raise StripeError(
            409,
            {
                "type": "idempotency_error",
                "code": "idempotency_key_in_use",
                "message": f"Another request with the key '{request.key}' is being processed.",
            },
        )
    row = store.get("idempotency", request.key)
    if row is None:
        return None
    if row["created"] + KEEP[row["api"]] <= clock.exact():
        store.drop("idempotency", request.key)
        return None
    if row["digest"] != digest(request):
        raise StripeError(
            400,
            {
                "type": "idempotency_error",
                "message": f"The key '{request.key}' was first used with other parameters or another endpoint.",
            },
        )
    return row


def keep(request: Request, status: int, body: bytes) -> None:
    if request.key and request.method != "GET":
        api = "v2" if request.v2 else "v1"
        row = {"created": clock.exact(), "api": api, "digest": digest(request), "status": status}
        store.put("idempotency", {**row, "body": body.decode(), "request": request.id}, request.key)


def forget_old() -> None:
    """Drop the records that are past their time; done at the start, when the journal is rewritten anyway."""
    moment = clock.exact()
    for key, row in list(store.rows.get("idempotency", {}).items()):
        if row["created"] + KEEP[row["api"]] <= moment:
            store.drop("idempotency", key)
