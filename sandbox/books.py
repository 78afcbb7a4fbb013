"""The sandbox's own double entry (SB-04): every posting sums to zero, so all books together always do."""

from __future__ import annotations

import heapq
from collections import defaultdict
from typing import Any

from . import clock
from .shapes import blank
from .store import Row, random_id, store

PLATFORM = "platform"
WORLD = "cardholders"  # where charges come from and refunds go to
FEES = "stripe fees"
BANK = "bank"
WEEK = 7 * 24 * 3600

Money = dict[tuple[str, str], int]
totals: Money = defaultdict(int)
pending: dict[str, list[tuple[int, int]]] = defaultdict(list)  # per currency a heap of (available_on, net)
ripe: Money = defaultdict(int)
_seen: set[str] = set()


def _listen(kind: str, id: str, row: Row | None) -> None:
    """Totals are never stored: they are what the postings add up to, also after a replay."""
    if kind == "":
        for book in (totals, pending, ripe, _seen):
            book.clear()  # type: ignore[attr-defined]
    elif kind == "posting" and row is not None and id not in _seen:
        _seen.add(id)
        for account, amount in row["lines"]:
            totals[(account, row["currency"])] += amount
        _await(row)


def _await(row: Row) -> None:
    """What the platform's lines bring or take becomes available with the posting, not before."""
    net = sum(amount for account, amount in row["lines"] if account == PLATFORM)
    if net:
        heapq.heappush(pending[row["currency"]], (row.get("until", 0), net))


store.listeners.append(_listen)


def _recount() -> None:
    """The clock may have gone back: sort what is available again."""
    pending.clear()
    ripe.clear()
    for row in store.all("posting"):
        _await(row)


clock.MOVED.append(_recount)


def post(currency: str, *lines: tuple[str, int], why: str, until: int = 0) -> None:
    assert sum(amount for _, amount in lines) == 0, lines
    row = {"currency": currency, "lines": [list(line) for line in lines], "why": why, "until": until}
    store.put("posting", row, random_id("post_"))


def balance(account: str, currency: str) -> int:
    return totals.get((account, currency), 0)


def available(currency: str) -> int:
    """What the platform may transfer or pay out now."""
    heap, moment = pending.get(currency, []), clock.now()
    while heap and heap[0][0] <= moment:
        ripe[("", currency)] += heapq.heappop(heap)[1]
    return ripe.get(("", currency), 0)


def currencies() -> list[str]:
    return sorted({currency for _, currency in totals} | set(pending))


def imbalance() -> dict[str, int]:
    sums: dict[str, int] = defaultdict(int)
    for (_, currency), amount in totals.items():
        sums[currency] += amount
    return {currency: amount for currency, amount in sums.items() if amount}


def fee_for(amount: int, currency: str) -> int:
    """1.5 % and 25 minor units, rounded half up."""
    return min(amount, (amount * 15 + 500) // 1000 + (0 if currency in ("jpy", "krw") else 25))


def ripens(charge: Row) -> int:
    """When the money of a charge becomes available: what is taken out of it before then is taken from the pending part."""
    entry = store.get("balance_transaction", charge["balance_transaction"] or "")
    return int(entry["available_on"]) if entry else 0


def transact(type: str, amount: int, currency: str, source: str, fee: int = 0, until: int = 0, **more: Any) -> Row:
    """A balance transaction of the platform, available from `until`; its money moves by `post`."""
    category = more.pop("category", type)
    moment = clock.now()
    details = [
        {
            "amount": fee,
            "application": None,
            "currency": currency,
            "description": "Stripe processing fees",
            "type": "stripe_fee",
        }
    ]
    row = blank(
        "balance_transaction",
        amount=amount,
        available_on=max(moment, until),
        balance_type="payments",
        created=moment,
        currency=currency,
        fee=fee,
        fee_details=details if fee else [],
        net=amount - fee,
        reporting_category=category,
        source=source,
        status="pending" if until > moment else "available",
        type=type,
        **more,
    )
    return store.put("balance_transaction", row)
