"""Silent divergence (S-50): what reconciliation must find, and nothing tells of."""

from __future__ import annotations

import pytest

from sandbox.testing import start


def test_an_object_changes_without_an_event_or_a_posting(backer, words):
    paid = backer.pays(backer.saves())
    events, books = len(backer.sandbox.get("state/event")), backer.sandbox.get("books")
    backer.sandbox.post("tamper", kind="payment_intent", id=paid.id, set={"status": "canceled", "amount": 1})
    read = backer.v1.payment_intents.retrieve(paid.id)
    assert (read.status, read.amount) == ("canceled", 1)
    assert len(backer.sandbox.get("state/event")) == events and backer.sandbox.get("books") == books
    assert [note["id"] for note in backer.sandbox.get("tamper")] == [paid.id]
    backer.sandbox.post("tamper", kind="payment_intent", id=paid.id, restore=True)
    assert backer.v1.payment_intents.retrieve(paid.id).status == "succeeded" and backer.sandbox.get("tamper") == []


def test_a_hidden_object_is_neither_read_nor_listed_and_comes_back_to_its_place(backer, words):
    method = backer.saves()
    made = [backer.pays(method).id for _ in range(5)][::-1]
    list_of = backer.v1.payment_intents.list
    backer.sandbox.post("tamper", kind="payment_intent", id=made[2], hide=True)
    assert words.refused(backer.v1.payment_intents.retrieve, made[2]).http_status == 404
    for params in ({}, {"customer": backer.customer.id}):
        assert [row.id for row in list_of(params).data] == made[:2] + made[3:]
    backer.sandbox.post("tamper", kind="payment_intent", id=made[2], restore=True)
    for params in ({}, {"customer": backer.customer.id}, {"limit": 2}):
        assert [row.id for row in list_of(params).auto_paging_iter()] == made


def test_a_hidden_balance_transaction_leaves_the_books_alone(backer):
    paid = backer.pays(backer.saves("4000000000000077"))
    entry = backer.v1.charges.retrieve(paid.latest_charge).balance_transaction
    books = backer.sandbox.get("books")
    backer.sandbox.post("tamper", kind="balance_transaction", id=entry, hide=True)
    backer.sandbox.post("clock", advance=60)
    assert backer.v1.balance_transactions.list().data == [] and backer.sandbox.get("books") == books
    backer.sandbox.post("clock", offset=0)


def test_tampering_outlives_a_kill(tmp_path, words):
    first = start(state=tmp_path)
    client = words.client_of(first)
    params = {"amount": 500, "currency": "eur"}
    made = [client.v1.payment_intents.create(params, words.key()).id for _ in range(3)][::-1]
    first.post("tamper", kind="payment_intent", id=made[0], set={"amount": 501})
    first.post("tamper", kind="payment_intent", id=made[1], hide=True)
    for _ in range(2):  # the second start reads what the first one rewrote
        first.kill()
        first = start(state=tmp_path)
        listed = words.client_of(first).v1.payment_intents.list().data
        assert [(row.id, row.amount) for row in listed] == [(made[0], 501), (made[2], 500)]
    first.post("tamper", kind="payment_intent", id=made[1], restore=True)
    assert made[1] in {row.id for row in words.client_of(first).v1.payment_intents.list().data}
    first.stop()


@pytest.mark.parametrize(
    "asked, told",
    [
        ({"kind": "charge", "id": "ch_nothing", "hide": True}, "resource_missing"),
        ({"kind": "charge", "id": "ch_nothing", "restore": True}, "resource_missing"),
        ({"id": "ch_nothing"}, "parameter_missing"),
    ],
)
def test_what_is_not_there_cannot_be_tampered_with(sandbox, asked, told):
    with pytest.raises(RuntimeError, match=told):
        sandbox.post("tamper", **asked)
