"""The human pages: what was asked, made and told, and buttons for what tests do by the control API. No JavaScript.

They answer only this machine, only under its own name (no rebound DNS), and a button needs the page's token.
"""

from __future__ import annotations

import hmac
import json
import re
import secrets
from collections import deque
from collections.abc import Callable
from datetime import UTC, datetime
from itertools import islice
from typing import Any
from urllib.parse import urlsplit

import msgspec
from markupsafe import Markup, escape

from . import books, buttons, clock, disputes, faults, limits, money, origin, pages, webhooks
from .balances import PAYOUT_MOVES, owner
from .cards import REFUSALS
from .errors import StripeError
from .shapes import any_object
from .store import INDEXED, PREFIXES, Row, store

KINDS = (
    "payment_intent", "charge", "refund", "dispute", "radar.early_fraud_warning", "transfer", "transfer_reversal",
    "payout", "balance_transaction", "customer", "payment_method", "setup_intent", "checkout.session",
    "v2.core.account", "event", "v2.core.event",
)  # fmt: skip
EVENTS = ("event", "v2.core.event")
PAGE = 50
LOOK_BACK = 3000  # events that are searched for mentions of an object
TOKEN = secrets.token_urlsafe(18)
told: deque[tuple[str, bool, str]] = deque(maxlen=50)  # (number, whether it went well, what happened)
GOOD = {"succeeded", "available", "paid", "complete", "active", "won", "delivered", "warning_closed", "prevented"}
BAD = {"failed", "lost", "canceled", "expired", "restricted", "undelivered", "hidden"}

Query = dict[str, str]
PAGES: list[tuple[re.Pattern[str], Callable[..., pages.Page]]] = []


def at(pattern: str) -> Callable[[Callable[..., pages.Page]], Callable[..., pages.Page]]:
    def add(function: Callable[..., pages.Page]) -> Callable[..., pages.Page]:
        PAGES.append((re.compile(pattern), function))
        return function

    return add


def serve(method: str, path: str, query: Query, form: Query, host: str, client: str) -> pages.Page | None:
    """The page, or None when it is not one of ours."""
    if path != "/do" and not any(pattern.fullmatch(path) for pattern, _ in PAGES):
        return None
    name = urlsplit(f"//{host}").hostname
    if not client.startswith(LOCAL) or name not in ("localhost", "127.0.0.1", "::1", urlsplit(origin.page("")).hostname):
        return pages.notice("Not from here", "These pages answer only the machine that they run on.", 403)
    if path == "/do":
        return do(form) if method == "POST" else pages.go("/")
    if method == "POST":
        return pages.notice("Not possible", "This page answers GET only.", 405)
    pattern, function = next((pattern, function) for pattern, function in PAGES if pattern.fullmatch(path))
    match = pattern.fullmatch(path)
    return function(query, *(match.groups() if match else ()))


LOCAL = ("127.", "[::1]", "::1", "[::ffff:127.")


def do(form: Query) -> pages.Page:
    """A button was pressed: do it, then show the page again with what happened."""
    if not hmac.compare_digest(form.get("token", "").encode(), TOKEN.encode()):
        text = "Nothing was done: this page was opened before the sandbox started. Open it again and press once more."
        return pages.notice("This page is too old", text, 403, link="/", label="Overview")
    number = secrets.token_hex(4)
    try:
        told.append((number, True, buttons.press(form)))
    except StripeError as error:
        told.append((number, False, f"Nothing was done. {error.error.get('message', '')}"))
    back = form.get("back", "/")
    back = back if re.fullmatch(r"/(?!/)[\w./%?=&*-]*", back) else "/"
    return pages.go(pages.with_query(back.split("#")[0], told=number))


def show(template: str, query: Query, here: str, **values: Any) -> pages.Page:
    news = next((entry for entry in told if entry[0] == query.get("told")), None)
    back = pages.with_query(here, **{key: value for key, value in query.items() if key != "told" and value})
    about: dict[str, Any] = {"now": moment(clock.exact()), "ahead": clock.offset() / 3600, "mode": webhooks.endpoint.mode}
    tools: dict[str, Any] = {"money": money.show, "moment": moment, "tone": tone, "soft": soft, "link": link, "token": TOKEN, "back": back}
    return pages.html(template, news=news, here=here, planted=live_faults(), **about, **tools, **values)


def moment(seconds: Any) -> str:
    """`22 Nov 01:02:03`, in UTC; v2 writes its times as text."""
    if isinstance(seconds, str):
        seconds = datetime.fromisoformat(seconds).timestamp()
    return datetime.fromtimestamp(seconds, UTC).strftime("%d %b %H:%M:%S").lstrip("0")


def tone(status: Any) -> str:
    if isinstance(status, int):
        return "good" if 200 <= status < 400 else "bad"
    return "good" if status in GOOD else "bad" if status in BAD else "wait"


def soft(text: str) -> Markup:
    """Long names may break after their dots, strokes and slashes."""
    return Markup("<wbr>").join(escape(piece) for piece in re.split(r"(?<=[./_])", text))


def live_faults() -> list[faults.Fault]:
    return [fault for fault in faults.planted if not fault.spent]


def link(id: Any) -> Markup:
    """An id as a link to its page; anything else as text."""
    text = str(id or "")
    if text.startswith("req_"):
        return Markup('<a href="/requests/{0}">{0}</a>').format(text)
    kind = kind_of(text)
    return Markup('<a href="/objects/{0}/{1}">{1}</a>').format(kind, text) if kind else escape(text)


def kind_of(id: str) -> str | None:
    for kind, prefix in PREFIXES.items():
        if id.startswith(prefix) and store.get(kind, id) is not None:
            return kind
    return None


def pretty(row: Any) -> Markup:
    """JSON with its ids as links."""
    text = json.dumps(msgspec.json.decode(msgspec.json.encode(row)), indent=2, ensure_ascii=False)
    pieces = re.split(r'"([a-z]+_[A-Za-z0-9_]{6,})"', text)
    parts = [escape(piece) if n % 2 == 0 else Markup('"{}"').format(link(piece)) for n, piece in enumerate(pieces)]
    return Markup("").join(parts)


def summary(kind: str, row: Row) -> dict[str, Any]:
    """What a list shows of an object."""
    amount = row.get("amount") if isinstance(row.get("amount"), int) and row.get("currency") else None
    status: Any = row.get("status")
    if kind in EVENTS:
        status = "delivered" if webhooks.delivered(row) else "undelivered"
    if kind == "v2.core.account":
        recipient = ((row.get("configuration") or {}).get("recipient") or {}).get("capabilities") or {}
        status = ((recipient.get("stripe_balance") or {}).get("stripe_transfers") or {}).get("status")
    words = [row.get(name) for name in ("type", "reason", "email", "display_name", "description") if row.get(name)]
    return {
        "id": row["id"],
        "kind": kind,
        "event": kind in EVENTS,
        "status": status,
        "amount": money.show(amount, row["currency"]) if amount is not None else "",
        "words": str(words[0]) if words else "",
        "created": moment(row["created"]) if row.get("created") else "",
    }


def newest(kind: str, number: int, after: str | None = None) -> tuple[list[Row], bool]:
    rows = [store.rows[kind][id] for id in islice(store.scan(kind, {}, after), number + 1)]
    return rows[:number], len(rows) > number


@at("/")
def overview(query: Query) -> pages.Page:
    from .server import log

    counts = [(kind, len(store.rows.get(kind, {}))) for kind in KINDS]
    charges = [row for row in newest("charge", 30)[0] if row["status"] == "succeeded"]
    return show(
        "overview.html",
        query,
        "/",
        counts=[pair for pair in counts if pair[1]],
        requests=list(log)[-8:][::-1],
        events=[summary("event", row) for row in newest("event", 8)[0]],
        charges=charges[:20],
        reasons=disputes.REASONS,
        codes=sorted(REFUSALS),
        accounts=newest("v2.core.account", 20)[0],
        currencies=books.currencies() or ["eur"],
        kinds=faults.KINDS,
        undelivered=len(webhooks.undone),
        hook=webhooks.endpoint,
        imbalance=books.imbalance(),
    )


@at("/requests")
def requests(query: Query) -> pages.Page:
    from .server import log

    wanted = {name: query.get(name, "").strip() for name in ("method", "path", "status", "key")}
    found = [
        entry
        for entry in reversed(log)
        if wanted["method"] in ("", entry["method"])
        and wanted["path"] in entry["path"]
        and str(entry["status"]).startswith(wanted["status"])
        and wanted["key"] in (entry["idempotency_key"] or "")
    ]
    start = int(query["from"]) if query.get("from", "").isdigit() else 0
    older = {**{k: v for k, v in wanted.items() if v}, "from": str(start + PAGE)}
    more = pages.with_query("/requests", **older) if len(found) > start + PAGE else None
    return show(
        "requests.html", query, "/requests", requests=found[start : start + PAGE], wanted=wanted, total=len(found),
        more=more,
    )  # fmt: skip


@at(r"/requests/(req_\w+)")
def request(query: Query, id: str) -> pages.Page:
    from .server import log

    entry = next((entry for entry in reversed(log) if entry["id"] == id), None)
    if entry is None:
        return pages.notice("Not found", "This request is not among the latest 20,000.", 404, link="/requests")
    caused = [
        summary("event", row)
        for row in newest("event", LOOK_BACK)[0]
        if (row.get("request") or {}).get("id") == id
    ]
    error = pretty(msgspec.json.decode(entry["error"])) if readable(entry.get("error")) else entry.get("error")
    return show(
        "request.html", query, f"/requests/{id}", entry=entry, params=pretty(entry["params"]), error=error,
        events=caused,
    )  # fmt: skip


def readable(text: str | None) -> bool:
    try:
        return bool(text) and isinstance(msgspec.json.decode(text or ""), dict)
    except msgspec.DecodeError:
        return False


@at(r"/objects/([a-z0-9_.]+)")
def objects(query: Query, kind: str) -> pages.Page:
    if kind not in KINDS:
        return pages.notice("Not found", "There are no such objects.", 404, link="/")
    after = query.get("after")
    rows, more = newest(kind, PAGE, after if after and store.get(kind, after) else None)
    return show(
        "objects.html", query, f"/objects/{kind}", kind=kind, rows=[summary(kind, row) for row in rows],
        more=rows[-1]["id"] if more else None, total=len(store.rows.get(kind, {})), kinds=KINDS,
        hidden=[note for note in store.all("tampered") if note["kind"] == kind and note["hidden"]],
        undelivered=len(webhooks.undone) if kind in EVENTS else 0,
    )  # fmt: skip


@at(r"/objects/([a-z0-9_.]+)/(\w+)")
def one_object(query: Query, kind: str, id: str) -> pages.Page:
    from .server import log

    row = store.get(kind, id) if kind in KINDS else None
    note = store.get("tampered", f"{kind}/{id}")
    if row is None and note is None:
        return pages.notice("Not found", "There is no such object.", 404, link="/")
    shown = row or (note or {})["was"]
    calls = [entry for entry in reversed(log) if id in entry["path"] or entry.get("made") == id][:10]
    return show(
        "object.html",
        query,
        f"/objects/{kind}/{id}",
        kind=kind,
        row=shown,
        head=summary(kind, shown),
        json=pretty(shown),
        note=note,
        related=related(kind, id),
        events=[] if kind in EVENTS else mentions(id),
        requests=calls,
        delivery=store.get("delivery", id),
        moves=moves(kind, shown) if row is not None else [],
        reasons=disputes.REASONS,
        account=owner(shown) if kind == "payout" else None,
    )


def moves(kind: str, row: Row) -> list[str]:
    table = {"dispute": disputes.MOVES, "payout": PAYOUT_MOVES}.get(kind, {})
    return sorted(table.get(row.get("status") or "", ()))


def related(kind: str, id: str) -> list[dict[str, Any]]:
    """Objects that name this one in a field that lists are asked by."""
    found = []
    for other, fields in INDEXED.items():
        ids = {one: None for name in fields for one in store.newest_first(other, {name: id})[:10]}
        found += [summary(other, store.rows[other][one]) for one in ids]
    return found


def mentions(id: str) -> list[dict[str, Any]]:
    """The latest events whose snapshot names the object."""
    needle = f'"{id}"'.encode()
    found = []
    for kind in EVENTS:
        for row in newest(kind, LOOK_BACK)[0]:
            body = row["data"]["object"] if kind == "event" else row
            raw = bytes(body) if isinstance(body, msgspec.Raw) else msgspec.json.encode(body)
            if needle in raw:
                found.append(summary(kind, row))
    return found[:20]


@at("/find")
def find(query: Query) -> pages.Page:
    """An id, or an idempotency key."""
    asked = query.get("id", "").strip()
    if asked.startswith("req_") and re.fullmatch(r"\w+", asked):
        return pages.go(f"/requests/{asked}")
    kind = kind_of(asked)
    if kind is not None and any_object(asked) is not None:
        return pages.go(f"/objects/{kind}/{asked}")
    return pages.go(pages.with_query("/requests", key=asked))


@at("/faults")
def fault_page(query: Query) -> pages.Page:
    return show(
        "faults.html", query, "/faults", kinds=faults.KINDS, event_kinds=faults.EVENT_KINDS, all=faults.planted,
        modes=webhooks.MODES, hook=webhooks.endpoint, windows=limits.windows,
        tampered=list(store.all("tampered")),
    )  # fmt: skip


@at("/books")
def books_page(query: Query) -> pages.Page:
    lines = sorted(((account, currency, amount) for (account, currency), amount in books.totals.items() if amount))
    postings = [(id, store.rows["posting"][id]) for id in list(reversed(store.order.get("posting", [])[-30:]))]
    return show(
        "books.html", query, "/books", lines=lines, postings=postings, imbalance=books.imbalance(),
        balances=[(c, books.available(c), books.balance(books.PLATFORM, c)) for c in books.currencies()],
    )  # fmt: skip
