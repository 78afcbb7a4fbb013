"""v1/events and v2/core/events: what the sweep reads when webhooks failed (S-47). Kept 30 days by the virtual clock."""

from __future__ import annotations

from collections.abc import Callable
from fnmatch import fnmatchcase
from itertools import islice
from typing import Any
from urllib.parse import urlencode

from . import clock, webhooks
from .errors import invalid
from .routes import Request, listing, one, route
from .store import Row, store

KEPT = 30 * 24 * 3600


@route("GET /v1/events/{id}", "_event_retrieve_params.EventRetrieveParams")
def retrieve(request: Request) -> Row:
    return one("event", request.ids[0])


@route("GET /v1/events", "_event_list_params.EventListParams")
def list_all(request: Request) -> Row:
    params = request.params
    if "type" in params and "types" in params:
        raise invalid("Pass either type or types.", "types")
    wanted = params.get("types") or ([params["type"]] if "type" in params else [])
    if len(wanted) > 20:
        raise invalid("You may pass up to 20 types.", "types")
    success, oldest = params.get("delivery_success"), clock.now() - KEPT

    def keep(event: Row) -> bool:
        if event["created"] < oldest or (success is not None and webhooks.delivered(event) != success):
            return False
        return not wanted or any(fnmatchcase(event["type"], type) for type in wanted)

    return listing(request, "event", keep=keep, among=list(webhooks.undone) if success is False else None)


@route("GET /v2/core/events/{id}", "v2.core._event_retrieve_params.EventRetrieveParams")
def retrieve_thin(request: Request) -> Row:
    return one("v2.core.event", request.ids[0])


@route("GET /v2/core/events", "v2.core._event_list_params.EventListParams")
def list_thin(request: Request) -> Row:
    params = request.params
    types = params.get("types") or []
    created = params.get("created") or {}

    def keep(event: Row) -> bool:
        if params.get("object_id") and event["related_object"]["id"] != params["object_id"]:
            return False
        at = event["created"]
        if at < created.get("gte", "") or at <= created.get("gt", "") or at > created.get("lte", "~"):
            return False
        return at < created.get("lt", "~") and (not types or event["type"] in types)

    return v2_page(request, "v2.core.event", keep, created.get("gte") or created.get("gt"))


def v2_page(request: Request, kind: str, keep: Callable[[Row], bool], since: str | None = None) -> Row:
    """A page of a v2 list: `next_page_url` carries an opaque `page`."""
    limit = request.params.get("limit", 20)
    if not 1 <= limit <= 100:
        raise invalid("limit must be between 1 and 100.", "limit", "parameter_invalid_integer")
    page = request.raw.get("page")
    if page is not None and store.get(kind, page) is None:
        raise invalid("Invalid page token.", "page")
    rows = (one(kind, id) for id in store.scan(kind, {}, page, since=since))
    shown = list(islice((row for row in rows if keep(row)), limit + 1))
    query = {name: value for name, value in request.raw.items() if name != "page"}
    follow = f"{request.path}?{urlencode(_flat({**query, 'page': shown[limit - 1]['id']}))}" if shown[limit:] else None
    return {"data": shown[:limit], "next_page_url": follow, "previous_page_url": None}


def _flat(given: Any, path: str = "") -> list[tuple[str, str]]:
    """Nested parameters as a query again, so that the next page asks for the same."""
    if not isinstance(given, dict):
        return [(path, str(given))]
    return [pair for key, value in given.items() for pair in _flat(value, f"{path}[{key}]" if path else key)]
