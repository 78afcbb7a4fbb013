"""Which function answers which path, and the request that it gets."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from time import perf_counter
from typing import Any

from .errors import absent, invalid
from .params import Record, schema
from .shapes import expand
from .store import Row, random_id, store


@dataclass
class Request:
    """One call of the API, its parameters already checked."""

    method: str
    path: str
    raw: dict[str, Any] = field(default_factory=dict)
    params: dict[str, Any] = field(default_factory=dict)
    ids: tuple[str, ...] = ()
    key: str | None = None
    account: str | None = None
    id: str = field(default_factory=lambda: random_id("req_", 14))
    decline: str | None = None  # a fault asks that this confirmation be declined
    fault: str | None = None  # the fault's kind, for what the handler itself must play
    made: str | None = None  # the id of the object that it was answered with
    began: float = field(default_factory=perf_counter)

    @property
    def v2(self) -> bool:
        return self.path.startswith("/v2/")


FOREVER = 1 << 60
Handler = Callable[[Request], Row]


@dataclass
class Route:
    steps: tuple[str, ...]
    handler: Handler
    params: str
    record: Record | None = None

    def check(self, raw: dict[str, Any], json: bool) -> dict[str, Any]:
        if self.record is None:
            self.record = schema(self.params)
        return self.record.check(raw, "", json)


ROUTES: dict[tuple[str, int], list[Route]] = {}


def route(line: str, params: str) -> Callable[[Handler], Handler]:
    """`@route("POST /v1/refunds/{id}", "_refund_update_params.RefundUpdateParams")`."""
    method, path = line.split()
    steps = tuple(path.strip("/").split("/"))

    def add(handler: Handler) -> Handler:
        ROUTES.setdefault((method, len(steps)), []).append(Route(steps, handler, params))
        return handler

    return add


def find(method: str, path: str) -> tuple[Route, tuple[str, ...]]:
    given = path.strip("/").split("/")
    for route in ROUTES.get((method, len(given)), ()):
        ids = []
        for step, piece in zip(route.steps, given, strict=True):
            if step[0] == "{":
                ids.append(piece)
            elif step != piece:
                break
        else:
            return route, tuple(ids)
    raise invalid(f"Unrecognized request URL ({method}: {path}).", status=404)


def one(kind: str, id: str, param: str = "id") -> Row:
    """The object, or 404 `resource_missing`."""
    found = store.get(kind, id)
    if found is None:
        raise absent(kind.replace("checkout.", "checkout_").replace("v2.core.", ""), id, param)
    return found


def expanded(request: Request, obj: Row) -> Row:
    paths = request.params.get("expand")
    return expand(obj, paths) if paths else obj


def listing(
    request: Request,
    kind: str,
    where: Row | None = None,
    keep: Callable[[Row], bool] | None = None,
    among: Iterable[str] | None = None,
) -> Row:
    """A page of a v1 list, newest first: `limit` 1 to 100, `starting_after`, `ending_before`, `created`.

    `among` are the only ids that can be meant, where somebody knows them, in any order.
    """
    params = request.params
    limit = params.get("limit", 10)
    if not 1 <= limit <= 100:
        raise invalid("Invalid integer: limit must be between 1 and 100.", "limit", "parameter_invalid_integer")
    after, before = params.get("starting_after"), params.get("ending_before")
    if after is not None and before is not None:
        raise invalid("You can give only one of starting_after and ending_before.", "starting_after")
    for name, cursor in (("starting_after", after), ("ending_before", before)):
        if cursor is not None and store.get(kind, cursor) is None:
            raise absent(kind, cursor, name)
    given = {key: value for key, value in (where or {}).items() if value is not None}
    low, high = _span(params.get("created"))
    everything = store.rows.get(kind, {})
    if among is None:
        ids = store.scan(kind, given, before or after, before is not None, low or None, high if high < FOREVER else None)
    else:
        ids = _beyond(kind, among, before or after, before is not None)
    found = (everything[id] for id in ids)
    fitting = (row for row in found if low <= row.get("created", low) <= high and (keep is None or keep(row)))
    rows = list(islice(fitting, limit + 1))
    page = rows[:limit]
    if before is not None:
        page.reverse()
    return {"object": "list", "url": request.path, "has_more": len(rows) > limit, "data": page}


def _beyond(kind: str, ids: Iterable[str], cursor: str | None, oldest_first: bool) -> Iterator[str]:
    places = store.places.get(kind, {})
    known = sorted((id for id in ids if store.get(kind, id)), key=places.__getitem__, reverse=not oldest_first)
    here = places[cursor] if cursor is not None else -1 if oldest_first else len(places)
    return (id for id in known if (places[id] > here if oldest_first else places[id] < here))


def _span(created: Any) -> tuple[int, int]:
    """Both ends included."""
    if created is None:
        return 0, FOREVER
    span = created if isinstance(created, dict) else {"gte": created, "lte": created}
    low = max(span.get("gte", 0), span.get("gt", -1) + 1)
    return low, min(span.get("lte", FOREVER), span.get("lt", FOREVER + 1) - 1)


def merge_metadata(obj: Row, given: Any) -> None:
    """Keys add up; an empty value removes its key, an empty `metadata` removes all."""
    if given is None:
        return
    if given == "":
        obj["metadata"] = {}
        return
    merged = {**obj.get("metadata", {}), **given}
    if len(merged) > 50:
        raise invalid("Metadata can have up to 50 keys.", "metadata", "parameter_invalid_hash")
    obj["metadata"] = {key: value for key, value in merged.items() if value not in ("", None)}
