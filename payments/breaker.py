"""The circuit to Stripe: when nearly nothing comes back, we stop asking for a minute and say so at once (O-17).

One per process, by the real clock. It opens after ten failures within 30 seconds when at least half of the calls in them
failed, so that a few lost replies among hundreds change nothing. After 60 seconds one call may try; its end decides.
A failure is no answer, or an answer of Stripe's that says it broke; a refusal is an answer.
"""

import threading
import time
from collections import deque

from flask import current_app

FAILURES, WINDOW, REST = 10, 30.0, 60.0
KEEP = 2_000  # ends of calls that are remembered at most


class Breaker:
    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._ends: deque[tuple[float, bool]] = deque(maxlen=KEEP)
        self._opened = 0.0  # when it opened; 0 while it is closed
        self._tried = 0.0  # when the call that tries left

    def may_call(self) -> bool:
        """Closed: always. Open: not, but for one call each minute."""
        with self._lock:
            now = time.monotonic()
            if not self._opened:
                return True
            if now - max(self._opened, self._tried) < REST:
                return False
            self._tried = now
            return True

    def rests(self) -> bool:
        """Whether a call now would be refused; asking takes no turn."""
        with self._lock:
            return bool(self._opened) and time.monotonic() - max(self._opened, self._tried) < REST

    def ended(self, worked: bool) -> None:
        """One call came to an end."""
        with self._lock:
            now = time.monotonic()
            if self._opened:
                if worked:  # Stripe is back: what was before is forgotten
                    self._opened = self._tried = 0.0
                    self._ends.clear()
                return
            self._ends.append((now, worked))
            if worked:
                return
            recent = [good for at, good in self._ends if now - at <= WINDOW]
            failures = recent.count(False)
            if failures >= FAILURES and 2 * failures >= len(recent):
                self._opened, self._tried = now, 0.0


def breaker() -> Breaker:
    """This process's own."""
    found: Breaker = current_app.extensions.setdefault("stripe_breaker", Breaker())
    return found
