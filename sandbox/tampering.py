"""Silent divergence (S-50): an object changes or vanishes without an event, a balance transaction or a posting.

What it was before is kept beside it, so that it can be restored; both are rows, so a restart changes nothing.
"""

from __future__ import annotations

from copy import deepcopy

from .errors import invalid
from .routes import one
from .store import Row, store


def _remember(kind: str, id: str) -> Row:
    row = one(kind, id)
    if store.get("tampered", f"{kind}/{id}") is None:
        store.put("tampered", {"kind": kind, "id": id, "hidden": False, "was": deepcopy(row)}, f"{kind}/{id}")
    return row


def tamper(kind: str, id: str, change: Row) -> Row:
    """The object with other values at its top level."""
    row = _remember(kind, id)
    if "id" in change and change["id"] != id:
        raise invalid("An object keeps its id.", "set")
    return store.put(kind, {**row, **change}, id)


def hide(kind: str, id: str) -> Row:
    """Neither read nor listed any more; whatever names it still does."""
    _remember(kind, id)
    store.drop(kind, id)
    note = {**(store.get("tampered", f"{kind}/{id}") or {}), "hidden": True}
    return store.put("tampered", note, f"{kind}/{id}")


def restore(kind: str, id: str) -> Row:
    """As it was before the first change."""
    note = store.get("tampered", f"{kind}/{id}")
    if note is None:
        raise invalid(f"{kind} {id} was not tampered with.", "id", "resource_missing", 404)
    store.drop("tampered", f"{kind}/{id}")
    return store.put(kind, note["was"], id)
