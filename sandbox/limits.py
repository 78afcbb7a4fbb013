"""Rate limits (finding 6: per endpoint as well as for the whole account), exact: no second of any phase holds more."""

from __future__ import annotations

import re
import time
from collections import deque
from collections.abc import Callable

from .errors import StripeError

SECOND = 1_000_000_000


class Windows:
    """Per name the nanoseconds of what was let through; a request that is refused does not count."""

    def __init__(self, now: Callable[[], int] = time.monotonic_ns) -> None:
        self.now = now
        self.per_endpoint = 0.0
        self.whole = 0.0
        self.refused = 0
        self.passed: dict[str, deque[int]] = {}

    def set(self, per_endpoint: float | None = None, whole: float | None = None) -> None:
        self.per_endpoint = self.per_endpoint if per_endpoint is None else per_endpoint
        self.whole = self.whole if whole is None else whole
        self.passed.clear()

    def _full(self, name: str, rate: float, moment: int) -> bool:
        """Whether the second that ends now holds as many as may pass; for 2.5 a second, two in 0.8 seconds."""
        if rate <= 0:
            return False
        window, most = self.passed.setdefault(name, deque()), max(1, int(rate))
        while window and window[0] <= moment - SECOND * most / rate:
            window.popleft()
        return len(window) >= most

    def check(self, method: str, steps: tuple[str, ...]) -> None:
        """One window per endpoint, whatever the ids in the path, and one for the account; both must have room."""
        if not (self.per_endpoint or self.whole):
            return
        name, moment = method + " " + re.sub(r"\{[^}]*\}", "*", "/".join(steps)), self.now()
        for window, rate, reason in ((name, self.per_endpoint, "endpoint-rate"), ("", self.whole, "global-rate")):
            if self._full(window, rate, moment):
                self.refused += 1
                text = "Request rate limit exceeded."
                error = StripeError(429, {"type": "invalid_request_error", "code": "rate_limit", "message": text})
                error.headers.append(("stripe-rate-limited-reason", reason))
                raise error
        for window, rate in ((name, self.per_endpoint), ("", self.whole)):
            if rate > 0:
                self.passed.setdefault(window, deque()).append(moment)


windows = Windows()
