"""The virtual clock (SB-06): real time plus an offset, and timers that fire when it passes them."""

from __future__ import annotations

import heapq
import time
from collections.abc import Callable
from datetime import UTC, datetime

from .store import Row, random_id, store

ACTIONS: dict[str, Callable[[str], None]] = {}
MOVED: list[Callable[[], None]] = []
_due: list[tuple[float, str]] = []  # a heap over the timers: the clock ticks often, timers are many


def offset() -> float:
    row = store.get("clock", "clock")
    return float(row["offset"]) if row else 0.0


def exact() -> float:
    return time.time() + offset()


def now() -> int:
    return int(exact())


def iso(moment: float) -> str:
    """Time as the v2 API writes it."""
    return datetime.fromtimestamp(moment, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def set_offset(seconds: float) -> None:
    store.put("clock", {"offset": seconds}, "clock")
    for told in MOVED:
        told()
    run_due()


def action(function: Callable[[str], None]) -> Callable[[str], None]:
    ACTIONS[function.__name__] = function
    return function


def at(moment: float, what: Callable[[str], None], target: str) -> None:
    """Do `what` to `target` once the clock has passed `moment`; a row, so that it survives a kill."""
    store.put("timer", {"at": moment, "do": what.__name__, "on": target}, random_id("tm_"))


def run_due() -> None:
    """Fire what is due, oldest first."""
    moment = exact()
    while _due and _due[0][0] <= moment:
        _, id = heapq.heappop(_due)
        row = store.get("timer", id)
        if row is not None:
            store.drop("timer", id)
            ACTIONS[row["do"]](row["on"])


def _listen(kind: str, id: str, row: Row | None) -> None:
    if kind == "":
        _due.clear()
    elif kind == "timer" and row is not None:
        heapq.heappush(_due, (row["at"], id))


store.listeners.append(_listen)
