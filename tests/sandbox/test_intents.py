"""The state machines and the test cards (SB-03, SB-09, S-30 to S-35)."""

from __future__ import annotations

import pytest
import stripe

from sandbox.cards import ALIASES, CARDS

BACK = {"return_url": "https://shop.example/back"}


def in_state(backer, state, words):
    v1 = backer.v1.payment_intents
    if state == "requires_payment_method":
        return backer.intent()
    if state == "requires_confirmation":
        return backer.intent(backer.saves())
    if state == "requires_action":
        return v1.confirm(backer.intent(backer.saves("4000002760003184")).id, BACK, words.key())
    if state == "requires_capture":
        return backer.pays(backer.saves(), capture_method="manual")
    if state == "canceled":
        return v1.cancel(backer.intent().id, {}, words.key())
    return backer.pays(backer.saves())


LEGAL = {
    "requires_payment_method": {"cancel", "update"},
    "requires_confirmation": {"confirm", "cancel", "update"},
    "requires_action": {"confirm", "cancel", "update"},
    "requires_capture": {"capture", "cancel"},
    "succeeded": set(),
    "canceled": set(),
}


@pytest.mark.parametrize("state", LEGAL)
@pytest.mark.parametrize("verb", ["confirm", "cancel", "capture", "update"])
def test_a_payment_intent_moves_only_by_the_table(backer, words, state, verb):
    intent = in_state(backer, state, words)
    assert intent.status == state
    params = {"confirm": BACK, "update": {"amount": 700}}.get(verb, {})
    call = getattr(backer.v1.payment_intents, verb)
    if verb in LEGAL[state]:
        assert call(intent.id, params, words.key()).id == intent.id
        return
    error = words.refused(call, intent.id, params, words.key())
    assert (error.http_status, error.code) == (400, "payment_intent_unexpected_state")
    assert error.json_body["error"]["payment_intent"]["status"] == state
    assert backer.v1.payment_intents.retrieve(intent.id).status == state


@pytest.mark.parametrize("state", ["succeeded", "canceled"])
@pytest.mark.parametrize("verb", ["confirm", "cancel"])
def test_a_finished_setup_intent_stays_finished(stripe_client, words, state, verb):
    intents = stripe_client.v1.setup_intents
    made = intents.create({"payment_method": "pm_card_visa"}, words.key())
    assert made.status == "requires_confirmation"
    if state == "succeeded":
        intents.confirm(made.id, BACK, words.key())
    else:
        intents.cancel(made.id, {}, words.key())
    error = words.refused(getattr(intents, verb), made.id, BACK if verb == "confirm" else {}, words.key())
    assert error.code == "setup_intent_unexpected_state" and error.json_body["error"]["setup_intent"]["status"] == state


def test_a_card_is_charged_only_for_its_own_customer(backer, words):
    method = backer.saves()
    other = backer.v1.customers.create({}, words.key())
    params = {"amount": 500, "currency": "eur", "payment_method": method, "customer": other.id}
    error = words.refused(backer.v1.payment_intents.create, params, words.key())
    assert error.http_status == 400 and error.param == "payment_method"
    del params["customer"]
    assert words.refused(backer.v1.payment_intents.create, params, words.key()).http_status == 400


def test_off_session_needs_a_customer_and_on_session_a_return_url(backer, words):
    params = {"amount": 500, "currency": "eur", "payment_method": "pm_card_visa"}
    bare = backer.v1.payment_intents.create(params, words.key())
    confirm = backer.v1.payment_intents.confirm
    assert words.refused(confirm, bare.id, {"off_session": True}, words.key()).param == "customer"
    assert words.refused(confirm, bare.id, {}, words.key()).param == "return_url"
    assert confirm(bare.id, BACK, words.key()).status == "succeeded"


# number: code, decline code when charged off session after it was saved; None where saving is refused already
AFTER_SAVING = {
    "4242424242424242": None,
    "4000056655665556": None,
    "5555555555554444": None,
    "2223003122003222": None,
    "378282246310005": None,
    "4000000000000341": ("card_declined", "generic_decline"),
    "4000002500003155": None,
    "4000002760003184": ("authentication_required", "authentication_required"),
    "4000003800000446": None,
    "4000008260003178": ("card_declined", "insufficient_funds"),
    "4000000000003220": None,
    "4000000000000259": None,
    "4000000000002685": None,
    "4000000000001976": None,
    "4000000000005423": None,
    "4000000000007726": None,
    "4000000000005126": None,
    "4000000000000077": None,
}
REFUSED_WHEN_SAVED = {
    "4000000000000002": ("card_declined", "generic_decline", "try_again_later"),
    "4000000000009995": ("card_declined", "insufficient_funds", "try_again_later"),
    "4000000000009987": ("card_declined", "lost_card", "do_not_try_again"),
    "4000000000009979": ("card_declined", "stolen_card", "do_not_try_again"),
    "4000000000000069": ("expired_card", "expired_card", "confirm_card_data"),
    "4000000000000127": ("incorrect_cvc", "incorrect_cvc", "confirm_card_data"),
    "4000000000000119": ("processing_error", "processing_error", "try_again_later"),
    "4000000000006975": ("card_declined", "card_velocity_exceeded", "try_again_later"),
    "4100000000000019": ("card_declined", "fraudulent", "do_not_try_again"),
    "4000008400001629": ("card_declined", "generic_decline", "try_again_later"),
    "4000008400001280": ("processing_error", "processing_error", "try_again_later"),
}


def test_every_card_is_in_one_of_the_tables():
    assert set(AFTER_SAVING) | set(REFUSED_WHEN_SAVED) == set(CARDS)


@pytest.mark.parametrize("number", AFTER_SAVING)
def test_a_saved_card_does_what_the_table_says(backer, number):
    method = backer.saves(number)
    expected = AFTER_SAVING[number]
    if expected is None:
        assert backer.pays(method).status == "succeeded"
        return
    with pytest.raises(stripe.CardError) as caught:
        backer.pays(method)
    error = caught.value.json_body["error"]
    assert caught.value.http_status == 402
    assert (error["code"], error["decline_code"]) == expected
    intent = backer.v1.payment_intents.retrieve(error["payment_intent"]["id"], {"expand": ["latest_charge"]})
    assert intent.status == "requires_payment_method" and intent.payment_method is None
    assert intent.last_payment_error.payment_method.id == method
    assert intent.latest_charge.id == error["charge"] and intent.latest_charge.status == "failed"
    assert intent.latest_charge.outcome.network_decline_code == error["network_decline_code"]


@pytest.mark.parametrize("number", REFUSED_WHEN_SAVED)
def test_a_bad_card_is_refused_when_it_is_saved(backer, words, number):
    alias = next(alias for alias, known in ALIASES.items() if known == number)
    code, decline_code, advice = REFUSED_WHEN_SAVED[number]
    attach = words.refused(backer.v1.payment_methods.attach, alias, {"customer": backer.customer.id}, words.key())
    assert (attach.http_status, attach.code) == (402, code)
    intent = backer.v1.payment_intents.create({"amount": 500, "currency": "eur", "payment_method": alias}, words.key())
    try:
        done = backer.v1.payment_intents.confirm(intent.id, BACK, words.key())
        assert done.status == "requires_action"
        backer.sandbox.post(f"intents/{intent.id}/authenticate")
        error = backer.v1.payment_intents.retrieve(intent.id).last_payment_error
    except stripe.CardError as refused:
        error = stripe.StripeObject.construct_from(refused.json_body["error"], None)
    assert (error.code, error.decline_code, error.advice_code) == (code, decline_code, advice)


def test_a_payment_that_needs_authentication_is_rescued_on_session(backer, words):
    method = backer.saves("4000002760003184")
    intent = backer.intent(method)
    confirm = backer.v1.payment_intents.confirm
    error = words.refused(confirm, intent.id, {"off_session": True}, words.key())
    assert error.code == "authentication_required"
    asked = confirm(intent.id, {"payment_method": method, **BACK}, words.key())
    assert asked.status == "requires_action" and asked.next_action.redirect_to_url.return_url == BACK["return_url"]
    backer.sandbox.post(f"intents/{intent.id}/authenticate")
    paid = backer.v1.payment_intents.retrieve(intent.id, {"expand": ["latest_charge"]})
    assert (
        paid.status == "succeeded"
        and paid.latest_charge.payment_method_details.card.three_d_secure.result == "authenticated"
    )
    assert backer.sandbox.get("counts")["charges_succeeded"] == 1


def test_card_3155_needs_authentication_only_when_it_was_not_saved(backer, words):
    params = {"amount": 500, "currency": "eur", "payment_method": "pm_card_authenticationRequiredOnSetup"}
    params |= {"customer": backer.customer.id, "confirm": True, "off_session": True}
    error = words.refused(backer.v1.payment_intents.create, params, words.key())
    assert error.code == "authentication_required"
    assert backer.pays(backer.saves("4000002500003155")).status == "succeeded"


def test_refunds_of_slow_and_failing_cards_take_their_time(backer, words):
    v1 = backer.v1
    slow = v1.refunds.create({"payment_intent": backer.pays(backer.saves("4000000000007726")).id}, words.key())
    fails = v1.refunds.create({"payment_intent": backer.pays(backer.saves("4000000000005126")).id}, words.key())
    assert (slow.status, slow.pending_reason, fails.status) == ("pending", "processing", "succeeded")
    backer.sandbox.post("clock", advance=11 * 86400)
    assert v1.refunds.retrieve(slow.id).status == "succeeded"
    failed = v1.refunds.retrieve(fails.id, {"expand": ["failure_balance_transaction", "charge"]})
    assert failed.status == "failed" and failed.failure_balance_transaction.amount == 2500
    assert failed.charge.amount_refunded == 0
    backer.sandbox.post("clock", offset=0)
    assert backer.sandbox.get("books")["imbalance"] == {}


@pytest.mark.parametrize(
    "number, reason, status",
    [
        ("4000000000000259", "fraudulent", "needs_response"),
        ("4000000000002685", "product_not_received", "needs_response"),
        ("4000000000001976", "fraudulent", "warning_needs_response"),
    ],
)
def test_cards_that_are_disputed(backer, number, reason, status):
    paid = backer.pays(backer.saves(number))
    dispute = backer.v1.disputes.list({"payment_intent": paid.id}).data[0]
    assert (dispute.reason, dispute.status) == (reason, status)
    assert dispute.is_charge_refundable == (status == "warning_needs_response")


def test_an_inquiry_ends_when_all_is_refunded_and_becomes_no_chargeback(backer, words):
    paid = backer.pays(backer.saves("4000000000001976"))
    backer.v1.refunds.create({"payment_intent": paid.id, "amount": paid.amount - 100}, words.key())
    dispute = backer.v1.disputes.list({"payment_intent": paid.id}).data[0]
    assert dispute.status == "warning_needs_response"
    backer.v1.refunds.create({"payment_intent": paid.id}, words.key())
    assert backer.v1.disputes.retrieve(dispute.id).status == "warning_closed"
    with pytest.raises(RuntimeError, match="needs_response"):
        backer.sandbox.post("disputes", dispute=dispute.id, status="needs_response")


def test_amount_limits_by_currency(backer, words):
    create = backer.v1.payment_intents.create
    assert create({"amount": 50, "currency": "jpy"}, words.key()).amount == 50
    assert words.refused(create, {"amount": 1005, "currency": "kwd"}, words.key()).code == "invalid_amount"
    assert create({"amount": 1010, "currency": "kwd"}, words.key()).currency == "kwd"
