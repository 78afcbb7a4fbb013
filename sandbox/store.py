"""All objects of the sandbox, in memory, each change also a line of the journal.

A row is any JSON object under (kind, id). Whatever must survive kill -9 is a row: Stripe's objects, idempotency
records, undelivered webhooks, postings, timers, the clock. One lock covers everything; one request is one commit.
"""

from __future__ import annotations

import base64
import os
import threading
from collections.abc import Callable, Iterator
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
}


def random_id(prefix: str, length: int = 24) -> str:
    """Letters and digits; the two other signs of base64 become letters, which costs a trace of randomness only."""
    return prefix + base64.b64encode(os.urandom(length), b"xy").decode()[:length]


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
        self.index: dict[tuple[str, str, str], dict[str, None]] = {}
        self.dirty: dict[tuple[str, str], None] = {}

    def open(self, folder: str | None) -> None:
        """Replay the journal; last write of a row wins."""
        if not folder:
            return
        self.journal = Journal(folder)
        for kind, id, row in self.journal.replay():
            self._set(kind, id, row)
        self.journal.compact((kind, id, row) for kind, rows in self.rows.items() for id, row in rows.items())

    def _set(self, kind: str, id: str, row: Row | None) -> None:
        rows = self.rows.setdefault(kind, {})
        if row is None:
            rows.pop(id, None)
        else:
            if id not in rows:
                ids = self.order.setdefault(kind, [])
                self.places.setdefault(kind, {})[id] = len(ids)
                ids.append(id)
            rows[id] = row
            for field in INDEXED.get(kind, ()):
                value = row.get(field)
                if value is not None:
                    self.index.setdefault((kind, field, value), {})[id] = None
        for listener in self.listeners:
            listener(kind, id, row)

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
        rows, places = self.rows.get(kind, {}), self.places.get(kind, {})
        field = next((name for name in INDEXED.get(kind, ()) if name in where), None)
        if field is None:
            ids = reversed(self.order.get(kind, []))
        else:
            found = self.index.get((kind, field, where[field]), {})
            ids = iter(sorted(found, key=lambda id: places[id], reverse=True))
        return [id for id in ids if id in rows and all(rows[id].get(k) == v for k, v in where.items())]

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
