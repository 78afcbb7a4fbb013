"""What a refusal of a charge leads to: the routing table, so that nobody else reads codes (S-35 to S-37).

Four ways: the card is dead for us (`never`), the backer must act (`act`), it may work in some hours (`soft`), or the
request was wrong and it is nobody's card (`ours`). Advice of the network goes before the bank's code; an unknown code
is soft, within the caps of `charging`. Source: Stripe's decline codes and advice codes, Visa's rules on reattempts.
"""

from dataclasses import dataclass

AUTHENTICATE = "authenticate"  # the bank wants to see the backer: same card, one confirmation
NEW_CARD = "new_card"  # this card will not do
CALL_BANK = "call_bank"  # the bank knows why; the backer asks it, or takes another card
LATER = "later"  # may work in some hours: too little on it, the bank was busy


@dataclass(frozen=True)
class Route:
    """Where a refusal leads. `hours`: after which the automatic tries follow, each counted from the refusal before."""

    way: str  # never | act | soft | ours
    backer: str  # what the backer can do: one of the four words above
    hours: tuple[int, ...] = ()

    @property
    def is_dead(self) -> bool:
        """Never again with this card, by anybody."""
        return self.way == "never"


_NEVER = frozenset({
    "lost_card", "stolen_card", "pickup_card", "restricted_card", "revocation_of_authorization",
    "revocation_of_all_authorizations", "invalid_account", "incorrect_number", "card_not_supported",
    "transaction_not_allowed", "fraudulent", "merchant_blacklist", "highest_risk_level",
})
_AUTHENTICATE = frozenset({"authentication_required", "payment_intent_authentication_failure"})
_CHECK_CARD = frozenset({"expired_card", "expired_payment_method", "payment_method_gone", "incorrect_cvc", "incorrect_zip", "invalid_cvc",
                         "invalid_expiry_month", "invalid_expiry_year"})
_MONEY = frozenset({"insufficient_funds"})
_BUSY = frozenset({"processing_error", "issuer_not_available", "reenter_transaction", "try_again_later"})
_OURS = frozenset({"amount_too_small", "amount_too_large", "idempotency_error", "capability_not_active",
                   "resource_missing", "secret_key_required", "api_key_expired", "platform_api_key_expired"})

NEVER = Route("never", NEW_CARD)
ACT_BANK = Route("act", AUTHENTICATE)
ACT_CARD = Route("act", NEW_CARD)
ACT_CALL = Route("act", CALL_BANK)
SOFT_MONEY = Route("soft", LATER, (24, 72))
SOFT_DAY = Route("soft", LATER, (24,))
SOFT_BUSY = Route("soft", LATER, (1, 6, 24))
OURS = Route("ours", LATER)


def route(code: str | None, decline_code: str | None = None, advice_code: str | None = None, *,
          refusals: int = 1) -> Route:
    """The way of one refusal; `refusals`: how many this payment has had by now, this one included."""
    codes = {code, decline_code} - {None}
    if is_ours(code):
        return OURS
    if advice_code == "do_not_try_again" or codes & _NEVER:
        return NEVER
    if codes & _AUTHENTICATE:
        return ACT_BANK
    if advice_code == "confirm_card_data":
        return ACT_CARD
    if advice_code == "try_again_later":
        return SOFT_BUSY
    if codes & _CHECK_CARD:
        return ACT_CARD
    if "call_issuer" in codes or ("do_not_honor" in codes and refusals >= 2):
        return ACT_CALL
    if codes & _MONEY:
        return SOFT_MONEY
    if codes & _BUSY:
        return SOFT_BUSY
    return SOFT_DAY  # do_not_honor, generic_decline, velocity limits, and every code that we do not know


def is_ours(code: str | None) -> bool:
    """Our request or our account was wrong: stop, page staff, do not tell the backer that it is their card."""
    return bool(code) and (code in _OURS or str(code).startswith(("parameter_", "account_")))


def decline_class(code: str | None, decline_code: str | None, advice_code: str | None, *, refusals: int = 1) -> str:
    """What the backer can do about this refusal."""
    return route(code, decline_code, advice_code, refusals=refusals).backer
