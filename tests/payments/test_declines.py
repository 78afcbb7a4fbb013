"""The routing table of refusals, code by code (S-35), and the words that hide them (S-37)."""

import pytest

from payments.declines import AUTHENTICATE, CALL_BANK, LATER, NEW_CARD, decline_class, is_ours, route

NEVER = ["lost_card", "stolen_card", "pickup_card", "restricted_card", "revocation_of_authorization",
         "revocation_of_all_authorizations", "invalid_account", "incorrect_number", "card_not_supported",
         "transaction_not_allowed", "fraudulent", "merchant_blacklist", "highest_risk_level"]


@pytest.mark.parametrize("code", NEVER)
def test_a_card_that_the_bank_withdrew_is_never_tried_again(code):
    found = route("card_declined", code)
    assert (found.way, found.backer, found.hours, found.is_dead) == ("never", NEW_CARD, (), True)


@pytest.mark.parametrize("code", ["authentication_required", "payment_intent_authentication_failure"])
def test_a_bank_that_wants_to_see_the_backer_is_no_reason_for_another_card(code):
    assert (route(code).way, route(code).backer) == ("act", AUTHENTICATE)
    assert route("card_declined", code).backer == AUTHENTICATE


@pytest.mark.parametrize("code", ["expired_card", "expired_payment_method", "incorrect_cvc", "incorrect_zip"])
def test_what_was_typed_wrong_or_ran_out_is_for_the_backer_and_does_not_kill_the_card(code):
    found = route(code)
    assert (found.way, found.backer, found.hours, found.is_dead) == ("act", NEW_CARD, (), False)


def test_too_little_money_is_tried_after_one_day_and_after_three():
    assert route("card_declined", "insufficient_funds").hours == (24, 72)


@pytest.mark.parametrize("code", ["do_not_honor", "generic_decline", "card_velocity_exceeded",
                                  "withdrawal_count_limit_exceeded", "a_code_of_tomorrow"])
def test_a_plain_no_is_tried_once_more_after_a_day(code):
    assert (route("card_declined", code).way, route("card_declined", code).hours) == ("soft", (24,))


@pytest.mark.parametrize("code", ["processing_error", "issuer_not_available", "reenter_transaction"])
def test_a_busy_bank_is_asked_again_soon(code):
    assert route(code).hours == route("card_declined", code).hours == (1, 6, 24)


def test_a_second_do_not_honor_is_for_the_backer_to_ask_the_bank():
    assert route("card_declined", "do_not_honor", refusals=2).backer == CALL_BANK
    assert route("card_declined", "call_issuer").backer == CALL_BANK


def test_advice_goes_before_the_code():
    assert route("card_declined", "insufficient_funds", "do_not_try_again").is_dead
    assert route("card_declined", "generic_decline", "confirm_card_data").backer == NEW_CARD
    assert route("card_declined", "generic_decline", "try_again_later").hours == (1, 6, 24)
    assert route("card_declined", "stolen_card", "try_again_later").is_dead, "no advice revives a stolen card"


@pytest.mark.parametrize("code", ["amount_too_small", "amount_too_large", "parameter_missing", "parameter_unknown",
                                  "idempotency_error", "capability_not_active", "account_invalid"])
def test_our_own_mistakes_are_nobodys_card(code):
    assert is_ours(code) and route(code).way == "ours" and not route(code).hours
    assert not is_ours("card_declined") and not is_ours(None)


def test_the_backer_hears_one_of_four_things():
    assert decline_class("card_declined", "stolen_card", None) == NEW_CARD
    assert decline_class("authentication_required", "authentication_required", None) == AUTHENTICATE
    assert decline_class("card_declined", "insufficient_funds", None) == LATER
