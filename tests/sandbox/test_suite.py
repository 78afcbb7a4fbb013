"""The contract suite against this sandbox (SB-08), and that it leaves no endpoint out."""

from __future__ import annotations

import subprocess
import sys

import pytest

from sandbox import contract, server
from sandbox.routes import ROUTES, find
from sandbox.testing import ROOT


@pytest.fixture(scope="module")
def asked(running):
    running.post("reset")
    running.post("rate", per_endpoint=0, **{"global": 0})
    running.post("webhooks", mode="normal", url="", thin_url="")
    on = contract.ask_all(contract.client_for("sk_test_contract", running.url), running)
    return on, running.get("log?limit=20000")


def test_every_chapter_is_asked_to_its_end(asked):
    on, _ = asked
    assert on.skipped == {} and len(on.seen) > 140


def test_no_answer_lacks_a_key_of_stripes_examples_or_of_the_sdks_classes(asked):
    on, _ = asked
    short = {line for seen in on.seen.values() if seen.status == 200 for line in contract.short_of_fixtures(seen.body)}
    assert short == set()


def test_every_endpoint_is_asked_well_and_badly(asked):
    _, log = asked
    good: set[str] = set()
    bad: set[str] = set()
    for entry in log:
        steps = "/".join(find(entry["method"], entry["path"])[0].steps)
        (good if entry["status"] == 200 else bad).add(f"{entry['method']} {steps}")
    every = {f"{method} {'/'.join(route.steps)}" for (method, _), routes in ROUTES.items() for route in routes}
    assert server.app and every - good == set()
    posts = {line for line in every if line.startswith("POST")}
    assert posts - bad == set()


def test_refusals_name_type_and_message(asked):
    on, _ = asked
    for name, seen in on.seen.items():
        if seen.status != 200:
            assert {"type", "message"} <= set(seen.keys), name


def test_differences_are_found_in_verdicts_and_in_keys(asked):
    on, _ = asked
    other = contract.Asker(on.client, None)
    other.seen = dict(on.seen)
    assert contract.differences(on, other) == []
    customer = dict(on.seen["customer"].keys) | {"brand_new": None}
    other.seen["customer"] = contract.Seen(200, keys=customer)
    other.seen["refund"] = contract.Seen(400, "something_else")
    other.seen["more"] = contract.Seen(200)
    assert contract.differences(on, other) == [
        "customer: we lack brand_new",
        "refund: here 200, there 400 something_else",
        "more: asked there only",
    ]


def test_another_side_is_asked_the_same_and_compared(running):
    """As with Stripe's test mode: without the control API, so without an account that may receive."""
    env = {"STRIPE_CONTRACT_KEY": "sk_test_x", "STRIPE_CONTRACT_URL": running.url}
    done = subprocess.run(
        [sys.executable, "-m", "sandbox.contract"], cwd=ROOT, env=env, capture_output=True, text=True, timeout=60
    )
    lines = done.stdout.splitlines()
    assert done.returncode == 0, done.stdout + done.stderr
    assert any(line.startswith("stripe: transfers not finished") for line in lines)
    assert lines[-1].endswith(" 0 differences.")


@pytest.mark.parametrize("key", ["sk_live_x", "nonsense"])
def test_only_a_test_key_is_taken_to_stripe(key):
    done = subprocess.run(
        [sys.executable, "-m", "sandbox.contract"],
        cwd=ROOT,
        env={"STRIPE_CONTRACT_KEY": key},
        capture_output=True,
        text=True,
        timeout=20,
    )
    assert done.returncode == 2 and "sk_test_" in done.stderr
