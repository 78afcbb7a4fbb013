"""Every fault, of requests and of webhooks, and that each has a test here (SB-05); limits to the number (finding 6)."""

from __future__ import annotations

import threading
import time

import pytest
import requests
import stripe

from sandbox import faults
from sandbox.errors import StripeError
from sandbox.limits import Windows

CONFIRM = "POST /v1/payment_intents/*/confirm"
# What the caller sees, and whether the charge was made: nothing else tells the two drops, or the two 500s, apart.
REQUEST_FAULTS = {
    "delay": (None, True),
    "hang": ("nothing", False),
    "drop_before": ("nothing", False),
    "drop_after": ("nothing", True),
    "500_before": (500, False),
    "500_after": (500, True),
    "429": (429, False),
    "409": (409, False),
    "lock_timeout": (429, False),
    "decline": (402, False),
}
EVENT_FAULTS = ("lose", "drop", "mute", "duplicate", "reorder", "delay", "bad_signature")


def test_every_fault_is_in_a_test():
    assert set(REQUEST_FAULTS) | {"refund_pending", "refund_requires_action", "refund_fails"} == set(faults.KINDS)
    assert set(EVENT_FAULTS) == set(faults.EVENT_KINDS)
    for kind in EVENT_FAULTS:
        assert f"test_events_{kind}" in globals() or any(name.startswith(f"test_events_{kind}") for name in globals())


@pytest.mark.parametrize("kind", REQUEST_FAULTS)
def test_a_request_meets_the_fault_once_and_only_what_was_executed_is_done(backer, words, kind):
    seen, charged = REQUEST_FAULTS[kind]
    intent, once = backer.intent(backer.saves()), words.key()
    confirm = backer.v1.payment_intents.confirm
    backer.sandbox.post("faults", match=CONFIRM, kind=kind, seconds=0.2)
    begun = time.monotonic()
    if seen is None:
        assert confirm(intent.id, {"off_session": True}, once).status == "succeeded"
    else:
        error = words.refused(confirm, intent.id, {"off_session": True}, once)
        assert isinstance(error, stripe.APIConnectionError) if seen == "nothing" else error.http_status == seen
    assert (time.monotonic() - begun >= 0.2) == (kind in ("delay", "hang"))
    assert backer.sandbox.get("counts")["charges_succeeded"] == int(charged)
    if kind == "500_after":  # the stored answer is the 500; the truth is in the object
        assert words.refused(confirm, intent.id, {"off_session": True}, once).http_status == 500
        assert backer.v1.payment_intents.retrieve(intent.id).status == "succeeded"
    elif kind == "decline":
        assert words.refused(confirm, intent.id, {"off_session": True}, once).http_status == 402
    else:
        assert confirm(intent.id, {"off_session": True}, once).status == "succeeded"
        assert backer.sandbox.get("counts")["charges_succeeded"] == 1


@pytest.mark.parametrize("kind", ["429", "409", "lock_timeout"])
@pytest.mark.parametrize("told", [None, True, False])
def test_stripe_should_retry_is_sent_or_not(backer, words, kind, told):
    asked = {} if told is None else {"should_retry": told}
    backer.sandbox.post("faults", match="GET /v1/balance", kind=kind, **asked)
    headers = words.refused(backer.v1.balance.retrieve).headers
    assert headers.get("stripe-should-retry") == {None: None, True: "true", False: "false"}[told]


def test_the_sdk_retries_a_429_only_when_told(backer, words):
    """Finding 3."""
    client = words.client_of(backer.sandbox, max_network_retries=2)
    backer.sandbox.post("faults", match="GET /v1/balance", kind="429")
    assert words.refused(client.v1.balance.retrieve).http_status == 429
    backer.sandbox.post("faults", match="GET /v1/balance", kind="429", should_retry=True)
    assert client.v1.balance.retrieve().object == "balance"


@pytest.mark.parametrize(
    "kind, first, last",
    [
        ("refund_pending", "pending", "succeeded"),
        ("refund_requires_action", "requires_action", "requires_action"),
        ("refund_fails", "succeeded", "failed"),
    ],
)
def test_the_next_refund_meets_the_bank(backer, words, kind, first, last):
    charge = backer.pays(backer.saves()).latest_charge
    backer.sandbox.post("faults", match="POST /v1/refunds", kind=kind)
    refund = backer.v1.refunds.create({"charge": charge, "amount": 100}, words.key())
    assert refund.status == first
    assert backer.v1.refunds.create({"charge": charge, "amount": 100}, words.key()).status == "succeeded"
    backer.sandbox.post("clock", advance=11 * 86400)
    assert backer.v1.refunds.retrieve(refund.id).status == last
    backer.sandbox.post("clock", offset=0)
    if last == "requires_action":
        assert backer.v1.refunds.cancel(refund.id, {}, words.key()).status == "canceled"


def test_events_lose_one_kind_and_keep_the_others(backer, mailbox):
    backer.sandbox.post("faults", match="event payment_intent.created", kind="lose")
    lost = backer.intent()
    kept = backer.intent()
    assert mailbox.wait("payment_intent.created")[0].event["data"]["object"]["id"] == kept.id
    listed = {event.data.object.id for event in backer.v1.events.list({"type": "payment_intent.created"}).data}
    assert kept.id in listed and lost.id not in listed


def test_events_drop_on_the_way_and_come_with_the_next_try(backer, mailbox):
    backer.sandbox.post("faults", match="event payment_intent.created", kind="drop", times=1)
    backer.intent()
    wait_until(lambda: tries(backer, "payment_intent.created") == 1)
    assert [letter for letter in mailbox.got if letter.event["type"] == "payment_intent.created"] == []
    undelivered = backer.v1.events.list({"delivery_success": False}).data
    assert [event.type for event in undelivered] == ["payment_intent.created"]
    assert undelivered[0].pending_webhooks == 1
    mailbox.wait("payment_intent.created")
    wait_until(lambda: not backer.v1.events.list({"delivery_success": False}).data)
    attempts = delivery(backer, "payment_intent.created")["attempts"]
    assert [attempt["answers"][-1] for attempt in attempts] == ["dropped on the way", 200]


def test_events_mute_until_sent_again(backer, mailbox):
    backer.sandbox.post("faults", match="event setup_intent.*", kind="mute", times=None)
    backer.saves()
    mailbox.wait("checkout.session.completed")
    muted = {"setup_intent.created", "setup_intent.succeeded"}
    wait_until(lambda: {event.type for event in backer.v1.events.list({"delivery_success": False}).data} == muted)
    assert not any(letter.event["type"].startswith("setup_intent") for letter in mailbox.got)
    backer.sandbox.call("DELETE", "faults")
    assert backer.sandbox.post("webhooks/redeliver")["queued"] == 2
    mailbox.wait("setup_intent.succeeded")


def test_events_duplicate_with_one_id(backer, mailbox):
    backer.sandbox.post("faults", match="event payment_intent.created", kind="duplicate", copies=5)
    backer.intent()
    assert len({letter.event["id"] for letter in mailbox.wait("payment_intent.created", 5)}) == 1


def test_events_reorder(backer, mailbox):
    backer.sandbox.post("faults", match="event payment_intent.*", kind="reorder", times=None, seconds=0.4)
    made = [backer.intent().id for _ in range(8)]
    came = [letter.event["data"]["object"]["id"] for letter in mailbox.wait("payment_intent.created", 8)]
    assert sorted(came) == sorted(made) and came != made


def test_events_delay(backer, mailbox):
    backer.sandbox.post("faults", match="event payment_intent.created", kind="delay", seconds=0.3)
    late = backer.intent().id
    begun = time.monotonic()
    soon = backer.intent().id
    came = [letter.event["data"]["object"]["id"] for letter in mailbox.wait("payment_intent.created", 2)]
    assert came == [soon, late] and time.monotonic() - begun > 0.2


def test_events_bad_signature_once(backer, mailbox):
    backer.sandbox.post("faults", match="event payment_intent.created", kind="bad_signature")
    for _ in range(2):
        backer.intent()
    good = 0
    for letter in mailbox.wait("payment_intent.created", 2):
        try:
            stripe.Webhook.construct_event(letter.body, letter.mark, "whsec_test")
            good += 1
        except stripe.SignatureVerificationError:
            pass
    assert good == 1


@pytest.mark.parametrize("mode", EVENT_FAULTS)
def test_the_whole_endpoint_can_be_in_each_mode(backer, mailbox, mode):
    backer.sandbox.post("webhooks", mode=mode, seconds=0.2)
    id = backer.intent().id
    if mode in ("lose", "mute", "drop"):
        time.sleep(0.2)
        assert mailbox.got == []
        backer.sandbox.post("webhooks", mode="normal")
        if mode == "lose":
            assert backer.sandbox.post("webhooks/redeliver")["queued"] == 0
        else:
            assert mailbox.wait("payment_intent.created")[0].event["data"]["object"]["id"] == id
    else:
        mailbox.wait("payment_intent.created", 2 if mode == "duplicate" else 1)


def test_both_secrets_sign_while_one_is_changed(backer, mailbox):
    """S-42."""
    backer.sandbox.post("webhooks", secret="whsec_old,whsec_new")
    backer.intent()
    letter = mailbox.wait("payment_intent.created")[0]
    for secret in ("whsec_old", "whsec_new"):
        assert stripe.Webhook.construct_event(letter.body, letter.mark, secret).type == "payment_intent.created"


def test_a_fault_of_no_kind_is_refused(sandbox):
    with pytest.raises(RuntimeError, match="kind must be one of"):
        sandbox.post("faults", match="*", kind="lose")
    with pytest.raises(RuntimeError, match="kind must be one of"):
        sandbox.post("faults", match="event *", kind="500_before")


def test_two_requests_on_one_payment_wait_for_each_other_and_then_time_out(backer, words):
    """S-13: whoever does not serialise meets lock_timeout."""
    backer.sandbox.post("settings", lock_wait=0.2)
    backer.sandbox.post("faults", match=CONFIRM, kind="delay", seconds=0.5)
    intent, fates = backer.intent(backer.saves()), []

    def act(call, *args) -> None:
        try:
            fates.append(call(*args, words.key()).object)
        except stripe.StripeError as error:
            fates.append(error.json_body["error"]["code"])

    first = threading.Thread(target=act, args=(backer.v1.payment_intents.confirm, intent.id, {"off_session": True}))
    first.start()
    time.sleep(0.1)
    act(backer.v1.payment_intents.update, intent.id, {"metadata": {"a": "1"}})
    assert fates == ["lock_timeout"]
    assert backer.v1.payment_intents.retrieve(intent.id).status == "requires_confirmation"  # reading never waits
    other = backer.intent()
    act(backer.v1.payment_intents.cancel, other.id, {})  # another object is free
    first.join()
    assert fates == ["lock_timeout", "payment_intent", "payment_intent"]
    assert backer.v1.payment_intents.update(intent.id, {"metadata": {"a": "1"}}, words.key()).metadata["a"] == "1"
    assert backer.sandbox.get("counts")["max_in_flight_per_object"] == 2


def test_a_short_wait_for_one_payment_is_no_error(backer, words):
    backer.sandbox.post("faults", match=CONFIRM, kind="delay", seconds=0.2)
    intent, fates = backer.intent(backer.saves()), []

    def act() -> None:
        try:
            fates.append(backer.v1.payment_intents.confirm(intent.id, {"off_session": True}, words.key()).status)
        except stripe.StripeError as error:
            fates.append(error.json_body["error"]["code"])

    threads = [threading.Thread(target=act) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(fates) == ["payment_intent_unexpected_state"] * 7 + ["succeeded"]
    assert backer.sandbox.get("counts")["charges_succeeded"] == 1


def test_no_second_of_any_phase_holds_more_than_the_rate():
    moment = 0
    windows = Windows(now=lambda: moment)
    windows.set(per_endpoint=25)
    passed = []
    for step in range(4000):  # a request each millisecond, four seconds long
        moment = step * 1_000_000
        try:
            windows.check("POST", ("v1", "payment_intents", "{id}", "confirm"))
            passed.append(moment)
        except StripeError as error:
            assert error.headers == [("stripe-rate-limited-reason", "endpoint-rate")]
    assert len(passed) == 100 and windows.refused == 3900
    assert all(later - sooner >= 1_000_000_000 for sooner, later in zip(passed, passed[25:], strict=False))


def test_a_caller_at_the_rate_is_never_refused():
    moment = 0
    windows = Windows(now=lambda: moment)
    windows.set(per_endpoint=25)
    for step in range(1000):
        moment = step * 40_000_000
        windows.check("POST", ("v1", "refunds"))
    assert windows.refused == 0


def test_endpoints_are_counted_apart_and_the_account_over_all():
    moment = 0
    windows = Windows(now=lambda: moment)
    windows.set(per_endpoint=2, whole=5)
    fates = []
    for path in ("refunds", "refunds", "refunds", "charges", "charges", "transfers", "disputes"):
        try:
            windows.check("POST", ("v1", path))
            fates.append("")
        except StripeError as error:
            fates.append(error.headers[0][1])
    assert fates == ["", "", "endpoint-rate", "", "", "", "global-rate"]
    moment = 1_000_000_000
    windows.check("POST", ("v1", "disputes"))  # what was refused took no place


def test_twenty_five_pass_and_the_twenty_sixth_does_not(backer, words):
    backer.sandbox.post("rate", per_endpoint=25)
    session = requests.Session()
    version = {"Stripe-Version": "2026-10-28.endive", "Authorization": "Bearer sk_test_x"}
    for _ in range(10):  # until the machine is quick enough to ask thirty times in a second
        backer.sandbox.post("rate", per_endpoint=25)
        refused, begun = backer.sandbox.get("counts")["rate_limited"], time.monotonic()
        answers = [session.get(f"{backer.sandbox.url}/v1/balance", headers=version) for _ in range(30)]
        if time.monotonic() - begun < 1:
            break
    assert [answer.status_code for answer in answers] == [200] * 25 + [429] * 5
    assert answers[-1].headers["stripe-rate-limited-reason"] == "endpoint-rate"
    assert backer.v1.customers.retrieve(backer.customer.id).id
    assert backer.sandbox.get("counts")["rate_limited"] == refused + 5


def delivery(backer, type: str) -> dict:
    id = next(row["id"] for row in backer.sandbox.get("state/event") if row["type"] == type)
    return backer.sandbox.get(f"state/delivery/{id}")


def tries(backer, type: str) -> int:
    return delivery(backer, type)["tries"]


def wait_until(true, seconds: float = 5) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end
        time.sleep(0.02)
