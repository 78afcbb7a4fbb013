"""The contract (SB-08): each endpoint in use, asked well and badly through the real SDK, of this sandbox or of Stripe.

`python -m sandbox.contract` asks a fresh sandbox and fails when an answer lacks a key that Stripe's has. With
STRIPE_CONTRACT_KEY=sk_test_… it asks Stripe's test mode (or STRIPE_CONTRACT_URL) the same and prints where they differ.
"""

from __future__ import annotations

import itertools
import json
import os
import sys
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import stripe

from . import API_VERSION
from .testing import Sandbox, start

Tree = dict[str, Any]
FREE = {"metadata", "evidence", "enhanced_evidence"}  # what is in them is the caller's
# Stripe sends them only where they mean something: for the kinds of payment that we do not use, or when expanded.
OPTIONAL = {"customer": {"sources", "subscriptions", "tax_ids", "tax"}, "charge": {"refunds"}}
POLLED = 15.0


class Skipped(Exception):
    """A step cannot be asked, because what it needs could not be made there."""


@dataclass
class Seen:
    """What one step was answered."""

    status: int
    code: str | None = None
    param: str | None = None
    keys: Tree = field(default_factory=dict)
    body: Any = None

    @property
    def verdict(self) -> str:
        return " ".join(str(part) for part in (self.status, self.code, self.param) if part)


def keys_of(value: Any, name: str = "") -> Any:
    """The names of the keys, and below them theirs; a list counts as one of its members."""
    if isinstance(value, list):
        merged: Tree = {}
        for item in value:
            known = keys_of(item, name)
            merged |= known if isinstance(known, dict) else {}
        return merged or None
    if not isinstance(value, dict) or name in FREE:
        return None
    return {key: keys_of(item, key) for key, item in value.items()}


def lacking(wanted: Any, given: Any, path: str = "") -> list[str]:
    """Paths in `wanted` that `given` has not; where either has no object there is nothing to compare."""
    if not isinstance(wanted, dict) or not isinstance(given, dict):
        return []
    missing = [f"{path}{key}" for key in wanted if key not in given]
    return missing + [line for key in wanted.keys() & given.keys() for line in lacking(wanted[key], given[key], f"{path}{key}.")]


@cache
def published() -> dict[str, Tree]:
    return dict(json.loads((Path(__file__).parent / "fixture_keys.json").read_text())["kinds"])


def short_of_fixtures(body: Any) -> list[str]:
    """Keys of Stripe's published examples, and of the SDK's classes, that an answer lacks, at any depth."""
    from .shapes import CLASSES, METHOD_COMMON, blank

    missing: list[str] = []
    if isinstance(body, list):
        return [line for item in body for line in short_of_fixtures(item)]
    if not isinstance(body, dict):
        return []
    kind = body.get("object")
    if isinstance(kind, str) and kind in CLASSES and not body.get("deleted"):
        wanted: Tree = dict(published().get(kind, {})) | {
            key: None for key in blank(kind) if key not in published().get(kind, {})
        }
        if kind == "payment_method":
            wanted = {key: value for key, value in wanted.items() if key in METHOD_COMMON}
        wanted = {key: value for key, value in wanted.items() if key not in OPTIONAL.get(kind, ())}
        missing += [f"{kind}.{path}" for path in lacking(wanted, keys_of(body))]
    return missing + [line for key, item in body.items() if key != "metadata" for line in short_of_fixtures(item)]


class Asker:
    """Asks step by step and remembers; the same steps for both sides."""

    def __init__(self, client: stripe.StripeClient, sandbox: Sandbox | None, account: str | None = None) -> None:
        self.client: Any = client  # what is asked badly on purpose does not fit the SDK's types
        self.v1: Any = client.v1
        self.sandbox, self.account = sandbox, account
        self.seen: dict[str, Seen] = {}
        self.skipped: dict[str, str] = {}
        self.run, self.numbers = uuid.uuid4().hex[:12], itertools.count()

    def key(self) -> dict[str, Any]:
        return {"idempotency_key": f"contract:{self.run}:{next(self.numbers)}"}

    def ask(self, name: str, call: Callable[..., Any], *args: Any, post: bool = True) -> Any:
        """The object, or None when it was refused; both are remembered."""
        options = [self.key()] if post else []
        if post and len(args) == 1 and isinstance(args[0], str):
            args = (*args, {})
        try:
            made = call(*args, *options)
        except stripe.StripeError as error:
            body = (error.json_body or {}).get("error", {}) if isinstance(error.json_body, dict) else {}
            known = keys_of({name: value for name, value in body.items() if not isinstance(value, dict)})
            self.seen[name] = Seen(error.http_status or 0, error.code, body.get("param"), known or {}, body)
            return None
        body = json.loads(made.last_response.body) if getattr(made, "last_response", None) else made.to_dict()
        self.seen[name] = Seen(200, keys=keys_of(body) or {}, body=body)
        return made

    def read(self, name: str, call: Callable[..., Any], *args: Any) -> Any:
        return self.ask(name, call, *args, post=False)

    def must(self, made: Any, what: str) -> Any:
        if made is None:
            raise Skipped(f"no {what}")
        return made

    def first(self, call: Callable[..., Any], params: dict[str, Any]) -> Any:
        """The first of a list, waited for: Stripe makes some things a little later."""
        end = time.monotonic() + (1 if self.sandbox else POLLED)
        while True:
            found = call(params).data
            if found or time.monotonic() > end:
                return found[0] if found else None
            time.sleep(0.1 if self.sandbox else 1.0)


def ask_all(client: stripe.StripeClient, sandbox: Sandbox | None, account: str | None = None) -> Asker:
    from .contract_steps import CHAPTERS

    on = Asker(client, sandbox, account)
    for chapter in CHAPTERS:
        try:
            chapter(on)
        except (Skipped, stripe.StripeError) as why:
            on.skipped[chapter.__name__] = str(why)
    return on


def client_for(key: str, url: str | None = None) -> stripe.StripeClient:
    stripe.enable_telemetry = False
    addresses: Any = {"base_addresses": {"api": url}} if url else {}
    return stripe.StripeClient(key, stripe_version=API_VERSION, max_network_retries=2, **addresses)


def differences(ours: Asker, theirs: Asker) -> list[str]:
    """Where a step is decided otherwise, and which keys one side has alone."""
    found = []
    for name in theirs.seen:
        here, there = ours.seen.get(name), theirs.seen[name]
        if here is None:
            found.append(f"{name}: asked there only")
        elif here.verdict != there.verdict:
            found.append(f"{name}: here {here.verdict}, there {there.verdict}")
        else:
            found += [f"{name}: we lack {path}" for path in lacking(there.keys, here.keys)]
            found += [f"{name}: only we have {path}" for path in lacking(here.keys, there.keys)]
    return found


def main() -> int:
    key = os.environ.get("STRIPE_CONTRACT_KEY", "")
    if key and not key.startswith(("sk_test_", "rk_test_")):
        print("contract: STRIPE_CONTRACT_KEY must be a key of Stripe's test mode, sk_test_…", file=sys.stderr)
        return 2
    sandbox = start()
    try:
        ours = ask_all(client_for("sk_test_contract", sandbox.url), sandbox)
    finally:
        sandbox.stop()
    short = sorted({line for seen in ours.seen.values() if seen.status == 200 for line in short_of_fixtures(seen.body)})
    for chapter, why in ours.skipped.items():
        print(f"sandbox: {chapter} not finished: {why}")
    for line in short:
        print(f"sandbox: {line} is missing")
    print(f"sandbox: {len(ours.seen)} questions, {len(short)} keys missing against Stripe's published examples.")
    if not key:
        print("Set STRIPE_CONTRACT_KEY=sk_test_… to ask Stripe's test mode the same.")
        return 1 if short or ours.skipped else 0
    url = os.environ.get("STRIPE_CONTRACT_URL")
    theirs = ask_all(client_for(key, url), None, os.environ.get("STRIPE_CONTRACT_ACCOUNT"))
    different = differences(ours, theirs)
    for chapter, why in theirs.skipped.items():
        print(f"stripe: {chapter} not finished: {why}")
    for line in different:
        print(line)
    print(f"stripe: {len(theirs.seen)} questions, {len(different)} differences.")
    return 1 if short or different or ours.skipped else 0


if __name__ == "__main__":
    sys.exit(main())
