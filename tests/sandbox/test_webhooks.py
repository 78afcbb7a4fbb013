"""Signed, retried, muted, doubled, delayed; and the clock and the journal behind them (S-40 to S-49, SB-05, SB-06)."""

from __future__ import annotations

import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
import stripe

from sandbox.testing import ROOT, start


def test_events_arrive_signed_and_carry_a_snapshot(backer, mailbox, words):
    paid = backer.pays(backer.saves())
    letter = mailbox.wait("payment_intent.succeeded")[0]
    event = stripe.Webhook.construct_event(letter.body, letter.mark, "whsec_test")
    assert event.data.object.id == paid.id and event.livemode is False
    assert event.api_version == "2026-10-28.endive" and event.request.idempotency_key
    for type in ("charge.succeeded", "checkout.session.completed", "setup_intent.succeeded", "payment_method.attached"):
        mailbox.wait(type)
    assert backer.v1.events.retrieve(event.id).type == event.type


def test_thin_events_of_accounts_arrive_at_their_own_address(backer, mailbox):
    account = backer.creator()
    letter = mailbox.wait("v2.core.account[configuration.recipient].capability_status_updated")[0]
    assert letter.path == "/thin" and "data" not in letter.event
    news = backer.client.parse_event_notification(letter.body, letter.mark, "whsec_test")
    assert news.related_object.id == account.id
    assert news.fetch_event().type == letter.event["type"]


def test_a_refused_event_is_sent_again(backer, mailbox):
    mailbox.answers[:] = [500]
    id = backer.sandbox.get("state/event")[-1]["id"]
    backer.sandbox.post("webhooks/redeliver", event=id)
    got = mailbox.wait_for(lambda letters: sum(letter.event["id"] == id for letter in letters) >= 2)
    assert [letter.status for letter in got if letter.event["id"] == id] == [500, 200]


def test_the_sweep_finds_what_was_muted(backer, mailbox):
    backer.sandbox.post("webhooks", mode="mute")
    backer.intent()
    time.sleep(0.15)
    assert mailbox.got == []
    missed = backer.v1.events.list({"delivery_success": False, "types": ["payment_intent.created"]}).data
    assert len(missed) == 1
    backer.sandbox.post("webhooks", mode="normal")
    mailbox.wait("payment_intent.created")
    time.sleep(0.1)
    assert backer.v1.events.list({"delivery_success": False}).data == []


def test_events_can_be_doubled_badly_signed_or_lost(backer, mailbox):
    hooks = backer.sandbox
    hooks.post("webhooks", mode="duplicate")
    backer.intent()
    twice = mailbox.wait("payment_intent.created", 2)
    assert twice[0].event["id"] == twice[1].event["id"]
    hooks.post("webhooks", mode="bad_signature")
    backer.session()
    letter = mailbox.wait("setup_intent.created")[0]
    with pytest.raises(stripe.SignatureVerificationError):
        stripe.Webhook.construct_event(letter.body, letter.mark, "whsec_test")
    hooks.post("webhooks", mode="lose")
    lost = backer.intent()
    assert lost.id not in {event.data.object.id for event in backer.v1.events.list({"limit": 100}).data}


def test_events_are_listed_by_type_and_time(backer, words):
    backer.pays(backer.saves())
    listed = backer.v1.events.list({"types": ["payment_intent.*"], "created": {"gte": int(time.time()) - 60}}).data
    assert {event.type for event in listed} == {"payment_intent.created", "payment_intent.succeeded"}
    newest = backer.v1.events.list({"limit": 1}).data[0]
    assert len(backer.v1.events.list({"starting_after": newest.id, "limit": 100}).data) >= 4
    assert backer.v1.events.list({"ending_before": newest.id}).data == []
    assert words.refused(backer.v1.events.list, {"type": "a", "types": ["b"]}).http_status == 400


def test_time_expires_sessions_and_says_so(backer, mailbox, words):
    session = backer.session(expires_at=int(time.time()) + 31 * 60)
    backer.sandbox.post("clock", advance=32 * 60)
    mailbox.wait("checkout.session.expired")
    read = backer.v1.checkout.sessions.retrieve(session.id, {"expand": ["setup_intent"]})
    assert (read.status, read.url, read.setup_intent.status) == ("expired", None, "canceled")
    assert words.refused(backer.v1.checkout.sessions.expire, session.id, {}, words.key()).http_status == 400
    backer.sandbox.post("clock", offset=0)
    other = backer.session()
    assert backer.v1.checkout.sessions.expire(other.id, {}, words.key()).status == "expired"


def test_a_killed_sandbox_remembers_all_it_answered(tmp_path: Path, words):
    first = start(state=tmp_path)
    client = words.client_of(first)
    once = words.key()
    made = client.v1.payment_intents.create({"amount": 500, "currency": "eur", "payment_method": "pm_card_visa"}, once)
    client.v1.payment_intents.confirm(made.id, {"return_url": "https://x.example"}, words.key())
    first.post("clock", advance=3600)
    books = first.get("books")
    first.kill()
    with (tmp_path / "journal.jsonl").open("ab") as journal:
        journal.write(b'[["charge","ch_torn"')  # what a kill in the middle of a write leaves
    second = start(state=tmp_path)
    try:
        client = words.client_of(second)
        assert client.v1.payment_intents.retrieve(made.id).status == "succeeded"
        params = {"amount": 500, "currency": "eur", "payment_method": "pm_card_visa"}
        assert client.v1.payment_intents.create(params, once).id == made.id
        assert second.get("books") == books and 3500 < second.get("clock")["offset"] <= 3600
        assert "payment_intent.succeeded" in {event.type for event in client.v1.events.list().data}
    finally:
        second.stop()


def test_a_taken_port_is_told_in_one_line():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen(1)
        port = str(taken.getsockname()[1])
        done = subprocess.run(
            [sys.executable, "-m", "sandbox"],
            cwd=ROOT,
            env={"SANDBOX_PORT": port},
            capture_output=True,
            text=True,
            timeout=20,
        )
    assert done.returncode == 2 and port in done.stderr and done.stderr.count("\n") == 1


def test_it_stops_within_a_second_and_without_a_traceback(capfd):
    sandbox = start()
    begun = time.monotonic()
    sandbox.stop()
    assert time.monotonic() - begun < 1 and sandbox.process.returncode == 0
    assert "Traceback" not in capfd.readouterr().err
