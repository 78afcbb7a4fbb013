"""What a refusal of the bank means for the backer: three classes, so that nobody reads codes (S-35, S-37)."""

AUTHENTICATE = "authenticate"  # the bank wants to see the backer: same card, one confirmation
NEW_CARD = "new_card"  # this card will not do
LATER = "later"  # may work in some hours: too little on it, the bank was busy

_NEVER = {
    "lost_card", "stolen_card", "pickup_card", "restricted_card", "revocation_of_authorization",
    "revocation_of_all_authorizations", "invalid_account", "incorrect_number", "card_not_supported",
    "transaction_not_allowed", "fraudulent", "merchant_blacklist", "highest_risk_level", "expired_card",
    "incorrect_cvc", "incorrect_zip", "expired_payment_method",
}
_ASK = {"authentication_required", "payment_intent_authentication_failure"}


def decline_class(code: str | None, decline_code: str | None, advice_code: str | None) -> str:
    """The class of a refusal; advice of the network goes before the bank's code, unknown codes may be tried again."""
    if code in _ASK or decline_code in _ASK:
        return AUTHENTICATE
    if advice_code in ("do_not_try_again", "confirm_card_data"):
        return NEW_CARD
    if advice_code == "try_again_later":
        return LATER
    if code in _NEVER or decline_code in _NEVER:
        return NEW_CARD
    return LATER
