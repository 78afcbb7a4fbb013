"""The virtual clock (SB-06): real time plus an offset, and timers that fire when it passes them."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime

from .store import Row, random_id, store

ACTIONS: dict[str, Callable[[str], None]] = {}
MOVED: list[Callable[[], None]] = []


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
    timers: list[tuple[str, Row]] = [
        (id, row) for id, row in store.rows.get("timer", {}).items() if row["at"] <= moment
    ]
    for id, row in sorted(timers, key=lambda item: item[1]["at"]):
        store.drop("timer", id)
        ACTIONS[row["do"]](row["on"])
