"""Same key, same answer (SB-02, S-04 to S-10), and the faults that make it matter (SB-05)."""

from __future__ import annotations

import threading
import time

import pytest
import stripe

AMOUNT = {"amount": 500, "currency": "eur"}


def header(obj, name):
    return obj.last_response.headers.get(name)


def test_the_same_key_gives_the_same_answer(stripe_client, words):
    once = words.key()
    one = stripe_client.v1.payment_intents.create(AMOUNT, once)
    two = stripe_client.v1.payment_intents.create(AMOUNT, once)
    assert one.id == two.id
    assert header(one, "Idempotent-Replayed") is None and header(two, "Idempotent-Replayed") == "true"
    assert len(stripe_client.v1.payment_intents.list().data) == 1


def test_the_same_key_with_other_parameters_is_an_idempotency_error(stripe_client, words):
    once = words.key()
    stripe_client.v1.payment_intents.create(AMOUNT, once)
    error = words.refused(stripe_client.v1.payment_intents.create, {**AMOUNT, "amount": 501}, once)
    assert isinstance(error, stripe.IdempotencyError) and error.http_status == 400


def test_the_same_key_at_another_endpoint_is_an_idempotency_error(stripe_client, words):
    once = words.key()
    stripe_client.v1.payment_intents.create(AMOUNT, once)
    assert isinstance(words.refused(stripe_client.v1.customers.create, {}, once), stripe.IdempotencyError)


def test_a_key_in_use_is_409(sandbox, stripe_client, words):
    once, seen = words.key(), []
    sandbox.post("faults", match="POST /v1/payment_intents", kind="delay", seconds=0.4)

    def slow():
        seen.append(stripe_client.v1.payment_intents.create(AMOUNT, once).id)

    thread = threading.Thread(target=slow)
    thread.start()
    time.sleep(0.15)
    error = words.refused(stripe_client.v1.payment_intents.create, AMOUNT, once)
    thread.join()
    assert (error.http_status, error.json_body["error"]["code"]) == (409, "idempotency_key_in_use")
    assert stripe_client.v1.payment_intents.create(AMOUNT, once).id == seen[0]


def test_a_decline_is_replayed_and_a_new_attempt_is_not(backer, words):
    intent = backer.intent(backer.saves("4000000000000341"))
    once = words.key()
    confirm = backer.v1.payment_intents.confirm
    first = words.refused(confirm, intent.id, {"off_session": True}, once)
    again = words.refused(confirm, intent.id, {"off_session": True}, once)
    assert first.http_status == again.http_status == 402
    assert first.json_body["error"]["charge"] == again.json_body["error"]["charge"]
    assert again.headers["Idempotent-Replayed"] == "true"
    good = backer.saves()
    assert confirm(intent.id, {"off_session": True, "payment_method": good}, words.key()).status == "succeeded"


def test_a_500_after_execution_is_replayed_and_nothing_happens_twice(backer, words):
    intent, once = backer.intent(backer.saves()), words.key()
    backer.sandbox.post("faults", match="POST /v1/payment_intents/*/confirm", kind="500_after")
    for _ in range(2):
        assert (
            words.refused(backer.v1.payment_intents.confirm, intent.id, {"off_session": True}, once).http_status == 500
        )
    assert backer.v1.payment_intents.retrieve(intent.id).status == "succeeded"
    assert backer.sandbox.get("counts")["charges_succeeded"] == 1


def test_a_500_before_execution_leaves_the_key_free(backer, words):
    intent, once = backer.intent(backer.saves()), words.key()
    backer.sandbox.post("faults", match="POST /v1/payment_intents/*/confirm", kind="500_before")
    assert words.refused(backer.v1.payment_intents.confirm, intent.id, {"off_session": True}, once).http_status == 500
    assert backer.v1.payment_intents.confirm(intent.id, {"off_session": True}, once).status == "succeeded"


def test_refused_parameters_leave_the_key_free(stripe_client, words):
    once = words.key()
    words.refused(stripe_client.v1.payment_intents.create, {"amount": 500}, once)
    words.refused(stripe_client.v1.payment_intents.create, {**AMOUNT, "amount": 1}, once)
    assert stripe_client.v1.payment_intents.create(AMOUNT, once).status == "requires_payment_method"


@pytest.mark.parametrize(
    "kind, status, code",
    [("429", 429, "rate_limit"), ("lock_timeout", 429, "lock_timeout"), ("409", 409, "idempotency_key_in_use")],
)
def test_429_and_409_leave_the_key_free(sandbox, stripe_client, words, kind, status, code):
    once = words.key()
    sandbox.post("faults", match="POST /v1/payment_intents", kind=kind)
    error = words.refused(stripe_client.v1.payment_intents.create, AMOUNT, once)
    assert (error.http_status, error.json_body["error"]["code"]) == (status, code)
    assert stripe_client.v1.payment_intents.create(AMOUNT, once).id


def test_v1_forgets_after_a_day_and_v2_after_a_month(sandbox, stripe_client, words):
    once, account = words.key(), words.key()
    one = stripe_client.v1.payment_intents.create(AMOUNT, once)
    two = stripe_client.v2.core.accounts.create({}, account)
    sandbox.post("clock", advance=25 * 3600)
    assert stripe_client.v1.payment_intents.create(AMOUNT, once).id != one.id
    assert stripe_client.v2.core.accounts.create({}, account).id == two.id
    sandbox.post("clock", advance=30 * 86400)
    assert stripe_client.v2.core.accounts.create({}, account).id != two.id
    sandbox.post("clock", offset=0)


def test_an_answer_lost_after_execution_is_found_by_the_same_key(backer, words):
    intent, once = backer.intent(backer.saves()), words.key()
    backer.sandbox.post("faults", match="POST /v1/payment_intents/*/confirm", kind="drop_after")
    lost = words.refused(backer.v1.payment_intents.confirm, intent.id, {"off_session": True}, once)
    assert isinstance(lost, stripe.APIConnectionError)
    assert backer.v1.payment_intents.confirm(intent.id, {"off_session": True}, once).status == "succeeded"
    assert backer.sandbox.get("counts")["charges_succeeded"] == 1


def test_a_connection_dropped_before_execution_did_nothing(backer, words):
    intent, once = backer.intent(backer.saves()), words.key()
    backer.sandbox.post("faults", match="POST /v1/payment_intents/*/confirm", kind="drop_before")
    error = words.refused(backer.v1.payment_intents.confirm, intent.id, {"off_session": True}, once)
    assert isinstance(error, stripe.APIConnectionError)
    assert backer.v1.payment_intents.retrieve(intent.id).status == "requires_confirmation"


def test_the_sdk_retries_through_a_dropped_answer_and_charges_once(backer, words):
    client = words.client_of(backer.sandbox, max_network_retries=2)
    intent = backer.intent(backer.saves())
    backer.sandbox.post("faults", match="POST /v1/payment_intents/*/confirm", kind="drop_after")
    assert client.v1.payment_intents.confirm(intent.id, {"off_session": True}, words.key()).status == "succeeded"
    assert backer.sandbox.get("counts")["charges_succeeded"] == 1


def test_a_hang_outlasts_the_callers_timeout(sandbox, words):
    client = words.client_of(sandbox, http_client=stripe.RequestsClient(timeout=(1, 0.3)))
    sandbox.post("faults", match="GET /v1/balance", kind="hang", seconds=1)
    begun = time.monotonic()
    assert isinstance(words.refused(client.v1.balance.retrieve), stripe.APIConnectionError)
    assert time.monotonic() - begun < 1
    assert sandbox.get("health")["ok"]


def test_faults_are_listed_counted_and_cleared(sandbox, stripe_client, words):
    sandbox.post("faults", match="GET /v1/balance", kind="429", times=2, should_retry=True)
    error = words.refused(stripe_client.v1.balance.retrieve)
    assert error.headers["stripe-should-retry"] == "true"
    assert sandbox.get("faults")[0]["hits"] == 1
    sandbox.call("DELETE", "faults")
    assert stripe_client.v1.balance.retrieve().object == "balance"


def test_half_of_the_charges_can_be_declined(backer, words):
    method = backer.saves()
    backer.sandbox.post(
        "faults", match="POST /v1/payment_intents/*/confirm", kind="decline", code="do_not_honor", share=0.5, times=None
    )
    fates = []
    for _ in range(6):
        intent = backer.intent(method)
        try:
            fates.append(backer.v1.payment_intents.confirm(intent.id, {"off_session": True}, words.key()).status)
        except stripe.CardError as error:
            fates.append(error.json_body["error"]["decline_code"])
    assert fates.count("succeeded") == fates.count("do_not_honor") == 3


def test_the_rate_limit_counts_per_endpoint(sandbox, stripe_client, words):
    sandbox.post("rate", per_endpoint=3)
    for _ in range(3):
        stripe_client.v1.payment_intents.create(AMOUNT, words.key())
    error = words.refused(stripe_client.v1.payment_intents.create, AMOUNT, words.key())
    assert (error.http_status, error.json_body["error"]["code"]) == (429, "rate_limit")
    assert stripe_client.v1.balance.retrieve().object == "balance"
    assert sandbox.get("counts")["rate_limited"] == 1
