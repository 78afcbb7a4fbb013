"""Faults on demand (SB-05) and the rate limits (finding 6: per endpoint as well as for the whole account)."""

from __future__ import annotations

import re
import time
from dataclasses import asdict, dataclass, field
from fnmatch import fnmatchcase
from typing import Any

from .errors import StripeError, invalid

KINDS = (
    "delay", "hang", "drop_before", "drop_after", "500_before", "500_after", "429", "409", "lock_timeout", "decline",
)  # fmt: skip


@dataclass
class Fault:
    """`share` of the matching requests gets it, evenly spread, so a run is the same every time."""

    match: str
    kind: str
    times: int | None = 1
    seconds: float = 2.0
    should_retry: bool | None = None
    code: str = "generic_decline"
    share: float = 1.0
    seen: int = field(default=0)
    hits: int = field(default=0)


planted: list[Fault] = []


def plant(asked: dict[str, Any]) -> Fault:
    if asked.get("kind") not in KINDS:
        raise invalid(f"kind must be one of {', '.join(KINDS)}", "kind")
    fault = Fault(asked.get("match", "*"), asked["kind"])
    for name in ("times", "seconds", "should_retry", "code", "share"):
        if name in asked:
            setattr(fault, name, asked[name])
    planted.append(fault)
    return fault


def pick(method: str, path: str) -> Fault | None:
    line = f"{method} {path}"
    for fault in planted:
        if (fault.times is None or fault.hits < fault.times) and fnmatchcase(line, fault.match):
            before = int(fault.seen * fault.share)
            fault.seen += 1
            if int(fault.seen * fault.share) > before:
                fault.hits += 1
                return fault
    return None


def listed() -> list[dict[str, Any]]:
    return [asdict(fault) for fault in planted]


def refusal(fault: Fault) -> StripeError:
    """The answer that a fault gives instead of executing."""
    errors: dict[str, tuple[int, dict[str, Any]]] = {
        "500_before": (500, {"type": "api_error", "message": "Fault: failed before execution."}),
        "500_after": (500, {"type": "api_error", "message": "Fault: failed after execution."}),
        "429": (429, {"type": "invalid_request_error", "code": "rate_limit", "message": "Too many requests."}),
        "409": (
            409,
            {"type": "idempotency_error", "code": "idempotency_key_in_use", "message": "The key is in use."},
        ),
        "lock_timeout": (
            429,
            {"type": "invalid_request_error", "code": "lock_timeout", "message": "Another request holds this object."},
        ),
    }
    status, body = errors[fault.kind]
    error = StripeError(status, body, stored=fault.kind == "500_after")
    if fault.should_retry is not None:
        error.headers.append(("stripe-should-retry", "true" if fault.should_retry else "false"))
    return error


class Buckets:
    """Token buckets in real time: a second's worth of requests may come at once, not more."""

    def __init__(self) -> None:
        self.per_endpoint = 0.0
        self.whole = 0.0
        self.filled: dict[str, tuple[float, float]] = {}
        self.refused = 0

    def set(self, per_endpoint: float | None = None, whole: float | None = None) -> None:
        self.per_endpoint = self.per_endpoint if per_endpoint is None else per_endpoint
        self.whole = self.whole if whole is None else whole
        self.filled.clear()

    def _take(self, name: str, rate: float) -> bool:
        if rate <= 0:
            return True
        moment = time.monotonic()
        tokens, last = self.filled.get(name, (rate, moment))
        tokens = min(rate, tokens + (moment - last) * rate)
        enough = tokens >= 1
        self.filled[name] = (tokens - 1 if enough else tokens, moment)
        return enough

    def check(self, method: str, steps: tuple[str, ...]) -> None:
        """One bucket per endpoint, whatever the ids in the path; then the account's."""
        if not (self.per_endpoint or self.whole):
            return
        name = method + " " + re.sub(r"\{[^}]*\}", "*", "/".join(steps))
        if not (self._take(name, self.per_endpoint) and self._take("", self.whole)):
            self.refused += 1
            error = {"type": "invalid_request_error", "code": "rate_limit", "message": "Request rate limit exceeded."}
            raise StripeError(429, error)


buckets = Buckets()
