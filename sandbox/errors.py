"""What Stripe answers when it refuses: one exception that knows its status and its body."""

from __future__ import annotations

from typing import Any


class StripeError(Exception):
    """A refusal. `stored` says whether the idempotency layer keeps it: only once execution began (S-08)."""

    def __init__(self, status: int, error: dict[str, Any], stored: bool = False) -> None:
        super().__init__(error.get("message"))
        self.status = status
        self.error = {key: value for key, value in error.items() if value is not None}
        self.stored = stored
        self.headers: list[tuple[str, str]] = []


def invalid(
    message: str,
    param: str | None = None,
    code: str | None = None,
    status: int = 400,
    stored: bool = False,
    **more: Any,
) -> StripeError:
    """`invalid_request_error`: the caller's mistake; before execution, so not stored unless told (SB-01)."""
    error = {"type": "invalid_request_error", "code": code, "param": param, "message": message, **more}
    return StripeError(status, error, stored)


def absent(kind: str, id: str, param: str = "id") -> StripeError:
    """404 `resource_missing`; inside parameters Stripe answers 400 for some, we keep 404 for the path only."""
    return invalid(f"No such {kind}: '{id}'", param, "resource_missing", 404 if param == "id" else 400)


def wrong_state(kind: str, obj: dict[str, Any], verb: str) -> StripeError:
    """A move that the state machine does not have (SB-03); execution began, so it is stored."""
    status = obj["status"]
    error = {
        "type": "invalid_request_error",
        "code": f"{kind}_unexpected_state",
        "message": f"This {kind}'s status is {status}: it cannot be {verb}.",
        kind: dict(obj),
    }
    return StripeError(400, error, stored=True)


def api_error(status: int = 500) -> StripeError:
    return StripeError(status, {"type": "api_error", "message": "An unknown error occurred (sandbox)."}, stored=True)
