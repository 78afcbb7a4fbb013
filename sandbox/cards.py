"""Stripe's public test cards (SB-09) and what each does when it is saved and when it is charged."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Literal

from .store import Row

Auth = Literal["never", "unless_set_up", "always", "on_session", "required"]
After = Literal["dispute", "not_received", "inquiry", "fraud_warning", "refund_pending", "refund_fails", "available"]


@dataclass(frozen=True)
class Refusal:
    """Why a card is declined: the error's code, the issuer's decline code, the advice and the network's code."""

    code: str
    decline_code: str | None
    message: str
    advice: str | None = None
    network: str | None = None


@dataclass(frozen=True)
class Card:
    number: str
    what: str
    brand: str = "visa"
    setup: str | None = None  # a key of REFUSALS when the card is saved
    charge: str | None = None  # a key of REFUSALS when it is charged
    auth: Auth = "never"
    lookup_fails: bool = False
    after: After | None = None
    funding: str = "credit"

    @property
    def last4(self) -> str:
        return self.number[-4:]

    @property
    def fingerprint(self) -> str:
        """Same number, same fingerprint, so one card can be recognised (W-27)."""
        return hashlib.sha256(f"sandbox:{self.number}".encode()).hexdigest()[:16]


def _declined(code: str, advice: str | None = None, network: str = "05") -> Refusal:
    return Refusal("card_declined", code, "Your card was declined.", advice, network)


REFUSALS: dict[str, Refusal] = {
    "generic_decline": _declined("generic_decline", "try_again_later"),
    "do_not_honor": _declined("do_not_honor", "try_again_later"),
    "insufficient_funds": Refusal(
        "card_declined", "insufficient_funds", "Your card has insufficient funds.", "try_again_later", "51"
    ),
    "lost_card": _declined("lost_card", "do_not_try_again", "41"),
    "stolen_card": _declined("stolen_card", "do_not_try_again", "43"),
    "fraudulent": _declined("fraudulent", "do_not_try_again", "59"),
    "card_velocity_exceeded": Refusal(
        "card_declined",
        "card_velocity_exceeded",
        "Your card was declined for too many requests.",
        "try_again_later",
        "61",
    ),
    "expired_card": Refusal("expired_card", "expired_card", "Your card has expired.", "confirm_card_data", "54"),
    "incorrect_cvc": Refusal(
        "incorrect_cvc", "incorrect_cvc", "Your card's security code is incorrect.", "confirm_card_data", "N7"
    ),
    "processing_error": Refusal(
        "processing_error", "processing_error", "An error occurred while processing your card.", "try_again_later", "96"
    ),
    "authentication_required": Refusal(
        "authentication_required", "authentication_required", "This card requires authentication.", None, "1A"
    ),
    "incorrect_number": Refusal("incorrect_number", None, "Your card number is incorrect."),
}


def refusal(name: str) -> Refusal:
    return REFUSALS.get(name) or _declined(name)


def _both(number: str, what: str, code: str) -> Card:
    return Card(number, what, setup=code, charge=code)


CARDS: dict[str, Card] = {
    card.number: card
    for card in (
        Card("4242424242424242", "succeeds"),
        Card("4000056655665556", "succeeds (debit)", funding="debit"),
        Card("5555555555554444", "succeeds", "mastercard"),
        Card("2223003122003222", "succeeds", "mastercard"),
        Card("378282246310005", "succeeds", "amex"),
        _both("4000000000000002", "is declined", "generic_decline"),
        _both("4000000000009995", "has insufficient funds", "insufficient_funds"),
        _both("4000000000009987", "was lost", "lost_card"),
        _both("4000000000009979", "was stolen", "stolen_card"),
        _both("4000000000000069", "has expired", "expired_card"),
        _both("4000000000000127", "has another security code", "incorrect_cvc"),
        _both("4000000000000119", "meets a processing error", "processing_error"),
        _both("4000000000006975", "is used too often", "card_velocity_exceeded"),
        _both("4100000000000019", "is blocked as fraudulent", "fraudulent"),
        Card("4000000000000341", "is saved, later charges fail", charge="generic_decline"),
        Card("4000002500003155", "asks for 3-D Secure once, when it is saved", auth="unless_set_up"),
        Card("4000002760003184", "asks for 3-D Secure every time", auth="always"),
        Card("4000003800000446", "counts as set up before", auth="on_session"),
        Card("4000008260003178", "asks for 3-D Secure, then has no funds", charge="insufficient_funds", auth="unless_set_up"),
        Card("4000000000003220", "requires 3-D Secure", auth="required"),
        Card("4000008400001629", "3-D Secure, then declined", setup="generic_decline", charge="generic_decline", auth="required"),
        Card(
            "4000008400001280", "3-D Secure cannot be looked up", setup="processing_error", charge="processing_error",
            auth="required", lookup_fails=True,
        ),
        Card("4000000000000259", "is disputed as fraudulent", after="dispute"),
        Card("4000000000002685", "is disputed as not received", after="not_received"),
        Card("4000000000001976", "meets an inquiry", after="inquiry"),
        Card("4000000000005423", "gets an early fraud warning", after="fraud_warning"),
        Card("4000000000007726", "refunds slowly", after="refund_pending"),
        Card("4000000000005126", "refunds fail", after="refund_fails"),
        Card("4000000000000077", "pays straight to available", after="available"),
    )
}  # fmt: skip
BAD_NUMBER = "4242424242424241"
ALIASES = {
    "pm_card_visa": "4242424242424242",
    "pm_card_visa_debit": "4000056655665556",
    "pm_card_mastercard": "5555555555554444",
    "pm_card_amex": "378282246310005",
    "pm_card_chargeDeclined": "4000000000000002",
    "pm_card_visa_chargeDeclined": "4000000000000002",
    "pm_card_chargeDeclinedInsufficientFunds": "4000000000009995",
    "pm_card_visa_chargeDeclinedInsufficientFunds": "4000000000009995",
    "pm_card_visa_chargeDeclinedLostCard": "4000000000009987",
    "pm_card_visa_chargeDeclinedStolenCard": "4000000000009979",
    "pm_card_chargeDeclinedExpiredCard": "4000000000000069",
    "pm_card_chargeDeclinedIncorrectCvc": "4000000000000127",
    "pm_card_chargeDeclinedProcessingError": "4000000000000119",
    "pm_card_visa_chargeDeclinedVelocityLimitExceeded": "4000000000006975",
    "pm_card_radarBlock": "4100000000000019",
    "pm_card_chargeCustomerFail": "4000000000000341",
    "pm_card_authenticationRequiredOnSetup": "4000002500003155",
    "pm_card_authenticationRequired": "4000002760003184",
    "pm_card_authenticationRequiredSetupForOffSession": "4000003800000446",
    "pm_card_authenticationRequiredChargeDeclinedInsufficientFunds": "4000008260003178",
    "pm_card_threeDSecure2Required": "4000000000003220",
    "pm_card_threeDSecureRequiredChargeDeclined": "4000008400001629",
    "pm_card_threeDSecureRequiredProcessingError": "4000008400001280",
    "pm_card_createDispute": "4000000000000259",
    "pm_card_createDisputeProductNotReceived": "4000000000002685",
    "pm_card_createDisputeInquiry": "4000000000001976",
    "pm_card_createIssuerFraudRecord": "4000000000005423",
    "pm_card_pendingRefund": "4000000000007726",
    "pm_card_refundFail": "4000000000005126",
    "pm_card_bypassPending": "4000000000000077",
}

Verdict = Refusal | Literal["ok", "authenticate"]


def judge_setup(card: Card, authenticated: bool) -> Verdict:
    """What happens when the card is saved with its owner present."""
    if card.lookup_fails:
        return REFUSALS["processing_error"]
    if card.auth in ("unless_set_up", "always", "required") and not authenticated:
        return "authenticate"
    return refusal(card.setup) if card.setup else "ok"


def judge_charge(card: Card, off_session: bool, set_up: bool, authenticated: bool) -> Verdict:
    """What happens when it is charged; `set_up` means saved before with authentication where that was asked."""
    exempt = {
        "never": True,
        "unless_set_up": off_session and set_up,
        "required": off_session and set_up,
        "on_session": off_session,
        "always": False,
    }[card.auth]
    if not exempt and not authenticated:
        if card.lookup_fails:
            return REFUSALS["processing_error"]
        return REFUSALS["authentication_required"] if off_session else "authenticate"
    return refusal(card.charge) if card.charge else "ok"


def error_of(why: Refusal, method: Row, **more: object) -> Row:
    """The `card_error` body; also, without its links, what stays behind as `last_payment_error`."""
    error = {
        "type": "card_error",
        "code": why.code,
        "decline_code": why.decline_code,
        "advice_code": why.advice,
        "network_decline_code": why.network,
        "message": why.message,
        "doc_url": f"https://docs.stripe.com/error-codes/{why.code.replace('_', '-')}",
        "payment_method": dict(method),
        **more,
    }
    return {key: value for key, value in error.items() if value is not None}
