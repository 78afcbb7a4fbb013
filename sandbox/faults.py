"""Faults on demand, of requests and of webhooks (SB-05)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from fnmatch import fnmatchcase
from typing import Any

from .errors import StripeError, invalid

BEFORE = ("hang", "drop_before", "500_before", "429", "409", "lock_timeout")  # nothing was executed
INSIDE = ("decline", "refund_pending", "refund_requires_action", "refund_fails")  # it is executed, and the bank is in a mood
AFTER = ("drop_after", "500_after")
KINDS = ("delay", *BEFORE, *INSIDE, *AFTER)
EVENT_KINDS = ("lose", "drop", "mute", "duplicate", "reorder", "delay", "bad_signature")
EVENT = "event "


@dataclass
class Fault:
    """`share` of what matches gets it, evenly spread, so a run is the same every time.

    `match` is a pattern of `POST /v1/refunds` for requests, of `event charge.refunded` for webhooks.
    """

    match: str
    kind: str
    times: int | None = 1
    seconds: float = 2.0
    should_retry: bool | None = None
    code: str = "generic_decline"
    share: float = 1.0
    copies: int = 2
    seen: int = field(default=0)
    hits: int = field(default=0)

    @property
    def spent(self) -> bool:
        return self.times is not None and self.hits >= self.times


planted: list[Fault] = []


def plant(asked: dict[str, Any]) -> Fault:
    match = asked.get("match") or "*"
    kinds = EVENT_KINDS if match.startswith(EVENT) else KINDS
    if asked.get("kind") not in kinds:
        raise invalid(f"kind must be one of {', '.join(kinds)}", "kind")
    fault = Fault(match, asked["kind"])
    for name in ("times", "seconds", "should_retry", "code", "share", "copies"):
        if name in asked:
            setattr(fault, name, asked[name])
    planted.append(fault)
    return fault


def _first(line: str, kinds: Iterable[str]) -> Fault | None:
    for fault in planted:
        if fault.kind in kinds and not fault.spent and fnmatchcase(line, fault.match):
            before = int(fault.seen * fault.share)
            fault.seen += 1
            if int(fault.seen * fault.share) > before:
                fault.hits += 1
                return fault
    return None


def pick(method: str, path: str) -> Fault | None:
    """What befalls a request."""
    return _first(f"{method} {path}", KINDS) if planted else None


def pick_event(type: str, *kinds: str) -> Fault | None:
    """What befalls an event; a pattern that does not name events does not mean them."""
    if not any(fault.match.startswith(EVENT) for fault in planted):
        return None
    return _first(EVENT + type, kinds)


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
    }
    if fault.kind == "lock_timeout":
        error = lock_timeout()
    else:
        status, body = errors[fault.kind]
        error = StripeError(status, body, stored=fault.kind == "500_after")
    if fault.should_retry is not None:
        error.headers.append(("stripe-should-retry", "true" if fault.should_retry else "false"))
    return error


def lock_timeout() -> StripeError:
    text = "This object cannot be accessed right now because another request is working on it."
    return StripeError(429, {"type": "invalid_request_error", "code": "lock_timeout", "message": text})
