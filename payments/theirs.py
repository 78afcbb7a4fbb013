"""Stripe's side of a reconciliation: its lists, streamed into temporary tables beside ours.

Several lists are read at once and copied by the thousand, so the memory that it takes is a few pages, however much there is.
"""

import queue
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any
from uuid import UUID

import psycopg
import sqlalchemy as sa
from flask import Flask, current_app

from core.db import db
from core.postgres import conninfo
from payments import gateway_lists as lists
from payments.gateway import GatewayError

COPY_AT = 2_000  # rows; fewer wait in memory
Row = tuple[Any, ...]


def _uuid(text: str | None) -> UUID | None:
    try:
        return UUID(text) if text else None
    except ValueError:
        return None


def _intent(i: lists.Intent) -> Row:
    return (i.id, i.created, _uuid(i.metadata.get("subject")), _uuid(i.metadata.get("project")), i.status, i.amount,
            i.amount_received, i.currency.upper(), i.latest_charge)


def _charge(c: lists.Charge) -> Row:
    return (c.id, c.created, _uuid(c.metadata.get("subject")), _uuid(c.metadata.get("project")), c.payment_intent,
            c.status == "succeeded" and c.paid, c.amount, c.amount_refunded, c.currency.upper())


def _refund(r: lists.Refund) -> Row:
    return (r.id, r.created, _uuid((r.metadata or {}).get("refund")), r.charge, r.payment_intent, r.status or "pending",
            r.amount, r.currency.upper())


def _transfer(t: lists.Transfer) -> Row:
    return (t.id, t.created, _uuid(t.metadata.get("transfer")), _uuid(t.metadata.get("project")), t.destination, t.amount,
            t.amount_reversed, t.currency.upper())


def _dispute(d: lists.Dispute) -> Row:
    return d.id, d.created, d.charge, d.payment_intent, d.status, d.amount, d.currency.upper()


def _warning(w: lists.FraudWarning) -> Row:
    return w.id, w.created, w.charge, w.payment_intent


def _movement(m: lists.Movement) -> Row:
    return m.id, m.created, m.available_on, m.type, m.source, m.amount, m.fee, m.net, m.currency.upper(), m.status


# name → (what Stripe calls it, columns, one row of it)
TABLES: dict[str, tuple[Any, str, Callable[[Any], Row]]] = {
    "intents": (lists.Intent, "id text, created bigint, subject uuid, project uuid, status text, amount bigint, "
                              "received bigint, currency text, charge text", _intent),
    "charges": (lists.Charge, "id text, created bigint, subject uuid, project uuid, intent text, is_paid boolean, "
                              "amount bigint, refunded bigint, currency text", _charge),
    "refunds": (lists.Refund, "id text, created bigint, row_id uuid, charge text, intent text, status text, amount bigint, "
                              "currency text", _refund),
    "transfers": (lists.Transfer, "id text, created bigint, row_id uuid, project uuid, destination text, amount bigint, "
                                  "reversed bigint, currency text", _transfer),
    "disputes": (lists.Dispute, "id text, created bigint, charge text, intent text, status text, amount bigint, "
                                "currency text", _dispute),
    "warnings": (lists.FraudWarning, "id text, created bigint, charge text, intent text", _warning),
    "movements": (lists.Movement, "id text, created bigint, available_on bigint, type text, source text, amount bigint, "
                                  "fee bigint, net bigint, currency text, status text", _movement),
}


class Theirs:
    """What Stripe has, in temporary tables `their_<name>` of one connection that lives as long as the comparison."""

    def __init__(self, connection: psycopg.Connection[Any]):
        self.connection = connection
        self.counts = dict.fromkeys(TABLES, 0)
        self._made: set[str] = set()

    def ask(self, statement: str, **values: Any) -> list[Any]:
        return self.connection.execute(statement.encode(), values).fetchall()

    def batches(self, statement: str, size: int, **values: Any) -> Iterator[list[Any]]:
        """A long answer in pieces; it waits in the database, and other statements may go in between."""
        with self.connection.cursor("found", withhold=True) as cursor:
            cursor.execute(statement.encode(), values)
            while rows := cursor.fetchmany(size):
                yield rows

    def load(self, since: datetime | None) -> None:
        """Read all lists; each by a thread of its own, all written by this one."""
        app: Flask = current_app._get_current_object()  # type: ignore[attr-defined]
        inbox: queue.Queue[tuple[str, list[Row] | Exception | None]] = queue.Queue(maxsize=8)
        stop = threading.Event()
        readers = [threading.Thread(target=_read, args=(app, name, since, inbox, stop), name=f"list-{name}", daemon=True)
                   for name in TABLES]
        waiting: dict[str, list[Row]] = {name: [] for name in TABLES}
        self.make()
        for reader in readers:
            reader.start()
        try:
            left = len(readers)
            while left:
                name, rows = inbox.get()
                if isinstance(rows, Exception):
                    raise rows
                left -= rows is None
                waiting[name] += rows or []
                if rows is None or len(waiting[name]) >= COPY_AT:
                    self._copy(name, waiting[name])
                    waiting[name] = []
        finally:
            stop.set()
            while any(reader.is_alive() for reader in readers):  # one that waits for room to hand over its page
                try:
                    inbox.get(timeout=0.05)
                except queue.Empty:
                    continue
        for name in TABLES:
            self.connection.execute(f"ANALYZE their_{name}".encode())

    def refresh(self, name: str, ids: list[str]) -> None:
        """Look at these objects again, one by one: the list may be older than what we did since."""
        kind, _columns, shape = TABLES[name]
        fresh = [shape(found) for stripe_id in ids if (found := lists.one(kind, stripe_id)) is not None]
        self.connection.execute(f"DELETE FROM their_{name} WHERE id = ANY(%s)".encode(), [ids])  # noqa: S608 -- our names
        self.counts[name] -= len(ids)
        self._copy(name, fresh)

    def make(self) -> None:
        """Empty tables, for one object or for all."""
        for name, (_kind, columns, _shape) in TABLES.items():
            self.connection.execute(f"CREATE TEMPORARY TABLE their_{name} ({columns})".encode())

    def _copy(self, name: str, rows: list[Row]) -> None:
        if not rows:
            return
        with self.connection.cursor() as cursor, cursor.copy(f"COPY their_{name} FROM STDIN".encode()) as copy:
            for row in rows:
                copy.write_row(row)
        self.counts[name] += len(rows)


def _read(app: Flask, name: str, since: datetime | None, inbox: Any, stop: threading.Event) -> None:
    kind, _columns, shape = TABLES[name]
    with app.app_context():
        try:
            for page in lists.pages(kind, since):
                if stop.is_set():
                    return
                inbox.put((name, [shape(thing) for thing in page]))
            inbox.put((name, None))
        except (GatewayError, sa.exc.SQLAlchemyError, OSError, ValueError) as error:
            inbox.put((name, error))
        finally:
            db.session.remove()


@contextmanager
def their_side() -> Iterator[Theirs]:
    """A connection for one comparison. Its tables are gone with it."""
    app: Flask = current_app._get_current_object()  # type: ignore[attr-defined]
    with psycopg.connect(conninfo(app), autocommit=True, application_name="reconcile") as connection:
        connection.execute("SET statement_timeout = '5min'")
        yield Theirs(connection)
