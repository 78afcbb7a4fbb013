"""All objects of the sandbox, in memory, each change also a line of the journal.

A row is any JSON object under (kind, id). Whatever must survive kill -9 is a row: Stripe's objects, idempotency
records, undelivered webhooks, postings, timers, the clock. One lock covers everything; one request is one commit.
"""

from __future__ import annotations

import os
import threading
from binascii import b2a_base64
from bisect import bisect_left, bisect_right, insort
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from .journal import Journal

Row = dict[str, Any]
PREFIXES = {
    "customer": "cus_", "payment_method": "pm_", "setup_intent": "seti_", "payment_intent": "pi_", "charge": "ch_",
    "refund": "re_", "transfer": "tr_", "transfer_reversal": "trr_", "dispute": "du_", "payout": "po_",
    "balance_transaction": "txn_", "checkout.session": "cs_test_", "event": "evt_", "v2.core.account": "acct_",
    "v2.core.event": "evt_test_65", "radar.early_fraud_warning": "issfr_", "setup_attempt": "setatt_", "mandate": "mandate_",
}  # fmt: skip
INDEXED = {
    "payment_intent": ("customer",),
    "charge": ("payment_intent", "customer", "transfer_group"),
    "refund": ("charge", "payment_intent"),
    "setup_intent": ("customer", "payment_method"),
    "checkout.session": ("customer", "payment_intent", "setup_intent"),
    "payment_method": ("customer",),
    "balance_transaction": ("source", "payout"),
    "transfer": ("transfer_group", "destination", "source_transaction"),
    "transfer_reversal": ("transfer",),
    "dispute": ("charge", "payment_intent"),
    "radar.early_fraud_warning": ("charge", "payment_intent"),
}
_LETTERS = bytes.maketrans(b"+/", b"xy")


def random_id(prefix: str, length: int = 24) -> str:
    """Letters and digits; the two other signs of base64 become letters, which costs a trace of randomness only."""
    return prefix + b2a_base64(os.urandom(length * 3 // 4 + 1), newline=False).translate(_LETTERS).decode()[:length]


class Store:
    def __init__(self) -> None:
        self.lock = threading.RLock()
        self.journal: Journal | None = None
        self.listeners: list[Callable[[str, str, Row | None], None]] = []
        self.clear()

    def clear(self) -> None:
        self.rows: dict[str, dict[str, Row]] = {}
        self.order: dict[str, list[str]] = {}
        self.places: dict[str, dict[str, int]] = {}
        self.index: dict[tuple[str, str, str], list[int]] = {}  # places, in order; who moved on is left out by `scan`
        self.newest: dict[str, list[Any]] = {}  # by place the latest `created` so far: bounds a look back in time
        self.unsteady: set[str] = set()  # kinds whose `created` went back once, because the clock did
        self.dirty: dict[tuple[str, str], None] = {}

    def open(self, folder: str | None) -> None:
        """Replay the journal; last write of a row wins."""
        if not folder:
            return
        self.journal = Journal(folder)
        for kind, id, row in self.journal.replay():
            self._set(kind, id, row)
        self.journal.compact(
            (kind, id, rows[id]) for kind, rows in self.rows.items() for id in self.order[kind] if id in rows
        )

    def _set(self, kind: str, id: str, row: Row | None) -> None:
        rows = self.rows.setdefault(kind, {})
        if row is None:
            rows.pop(id, None)
        else:
            rows[id] = row
            place = self._place(kind, id, row)
            for field in INDEXED.get(kind, ()):
                value = row.get(field)
                if value is not None:
                    found = self.index.setdefault((kind, field, value), [])
                    if not found or found[-1] < place:
                        found.append(place)
                    elif found[bisect_left(found, place)] != place:
                        insort(found, place)
        for listener in self.listeners:
            listener(kind, id, row)

    def _place(self, kind: str, id: str, row: Row) -> int:
        """Its number among all that there ever were of its kind; a row that was dropped comes back to its place."""
        places, ids = self.places.setdefault(kind, {}), self.order.setdefault(kind, [])
        newest = self.newest.setdefault(kind, [])
        place = places.get(id)
        created = row.get("created", 0)
        if place is None:
            place = places[id] = len(ids)
            ids.append(id)
            if newest and created < newest[-1]:
                self.unsteady.add(kind)
            newest.append(max(newest[-1], created) if newest else created)
        elif created != newest[place]:
            self.unsteady.add(kind)
            if created > newest[place]:
                newest[place:] = [max(created, known) for known in newest[place:]]
        return place

    def put(self, kind: str, row: Row, id: str | None = None) -> Row:
        """Add or change a row; call it again after changing one in place."""
        id = id or row["id"]
        self._set(kind, id, row)
        self.dirty[(kind, id)] = None
        return row

    def drop(self, kind: str, id: str) -> None:
        self._set(kind, id, None)
        self.dirty[(kind, id)] = None

    def get(self, kind: str, id: str) -> Row | None:
        return self.rows.get(kind, {}).get(id)

    def all(self, kind: str) -> Iterator[Row]:
        return iter(list(self.rows.get(kind, {}).values()))

    def newest_first(self, kind: str, where: dict[str, Any]) -> list[str]:
        """Ids of the rows that match, newest first; by an index where one fits."""
        return list(self.scan(kind, where))

    def scan(
        self,
        kind: str,
        where: dict[str, Any],
        behind: str | None = None,
        oldest_first: bool = False,
        since: Any = None,
        until: Any = None,
    ) -> Iterator[str]:
        """The same one by one, from behind this row, so that a page costs what is on it, however long the list is.

        With `since` it ends where nothing older can have been created since then; with `until` it begins there, unless
        the clock went back. The caller looks at each row's own time.
        """
        rows, ids = self.rows.get(kind, {}), self.order.get(kind, [])
        field = next((name for name in INDEXED.get(kind, ()) if name in where), None)
        order: Sequence[int] = range(len(ids)) if field is None else self.index.get((kind, field, where[field]), [])
        place = self.places[kind][behind] if behind is not None else -1 if oldest_first else len(ids)
        if until is not None and not oldest_first and kind not in self.unsteady:
            place = min(place, bisect_right(self.newest.get(kind, []), until))
        step, at = (1, bisect_right(order, place)) if oldest_first else (-1, bisect_left(order, place) - 1)
        last = 0 if since is None else bisect_left(order, bisect_left(self.newest.get(kind, []), since))
        at, end = max(at, last) if oldest_first else at, len(order)
        while last <= at < end:
            id = ids[order[at]]
            if id in rows and all(rows[id].get(k) == v for k, v in where.items()):
                yield id
            at += step

    def commit(self) -> None:
        """Hand what changed to the operating system before anyone hears of it: kill -9 then loses nothing answered."""
        if self.journal is not None and self.dirty:
            self.journal.write([(kind, id, self.get(kind, id)) for kind, id in self.dirty])
        self.dirty.clear()

    def reset(self) -> None:
        self.clear()
        for listener in self.listeners:
            listener("", "", None)
        if self.journal is not None:
            self.journal.compact(iter(()))


store = Store()
