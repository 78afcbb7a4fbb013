"""What we say to Stripe about refunds, and what it answers: values in, values out (S-66)."""

from dataclasses import dataclass
from typing import Any

from payments.gateway import GatewayError, _Call, _client


@dataclass(frozen=True)
class RefundNews:
    """A refund as Stripe has it. `ours` is the id of our row, which every refund of ours carries."""

    stripe_id: str | None  # None: it was refused, so there is none
    status: str  # pending | requires_action | succeeded | failed | canceled
    amount: int
    currency: str
    charge_id: str | None
    ours: str | None
    failure: str | None  # why it failed, or what it waits for


@dataclass(frozen=True)
class ChargeNews:
    """A charge as Stripe has it; `fee` is what Stripe kept of it."""

    stripe_id: str
    is_paid: bool
    amount: int
    refunded: int
    currency: str
    stripe_person: str | None  # cus_…
    subject_id: str | None
    fee: int | None


@dataclass(frozen=True)
class Balance:
    """What the platform has at Stripe in one currency."""

    available: int
    pending: int


def create_refund(*, key: str, refund_id: str, amount: int, payment_stripe_id: str | None, charge_id: str | None,
                  reason: str | None) -> RefundNews:
    """Send money back: of a payment's own charge, or of this charge where it is another one."""
    params: Any = {"amount": amount, "metadata": {"refund": refund_id}}
    params |= {"charge": charge_id} if charge_id else {"payment_intent": payment_stripe_id}
    if reason:
        params["reason"] = reason
    with _Call("refunds"):
        return _news(_client(patient=True).v1.refunds.create(params, {"idempotency_key": key}))


def read_refund(stripe_id: str) -> RefundNews:
    with _Call("refunds"):
        return _news(_client(patient=True).v1.refunds.retrieve(stripe_id))


def list_refunds(*, payment_stripe_id: str | None = None, charge_id: str | None = None) -> list[RefundNews]:
    """All refunds of a payment or a charge. Lists are consistent at once; search is not (S-11)."""
    wanted: Any = {"limit": 100} | ({"charge": charge_id} if charge_id else {"payment_intent": payment_stripe_id})
    with _Call("refunds"):
        return [_news(refund) for refund in _client(patient=True).v1.refunds.list(wanted).auto_paging_iter()]


def read_charge(charge_id: str) -> ChargeNews:
    with _Call("charges"):
        charge = _client(patient=False).v1.charges.retrieve(charge_id, {"expand": ["balance_transaction"]})
    entry = charge.balance_transaction if not isinstance(charge.balance_transaction, str) else None
    subject = charge.metadata["subject"] if charge.metadata and "subject" in charge.metadata else None
    return ChargeNews(charge.id, bool(charge.paid and charge.captured), charge.amount_captured, charge.amount_refunded,
                      charge.currency.upper(), _id(charge.customer), subject, entry.fee if entry is not None else None)


def read_balance() -> dict[str, Balance]:
    """The platform's balance at Stripe, by currency. For pages: it does not wait long."""
    with _Call("balance"):
        balance = _client(patient=False).v1.balance.retrieve()
    pending = {part.currency.upper(): part.amount for part in balance.pending}
    known = {part.currency.upper(): part.amount for part in balance.available}
    return {currency: Balance(known.get(currency, 0), pending.get(currency, 0)) for currency in {**pending, **known}}


def _id(thing: Any) -> str | None:
    return thing if isinstance(thing, str) or thing is None else str(thing.id)


def _news(refund: Any) -> RefundNews:
    ours = refund.metadata["refund"] if refund.metadata and "refund" in refund.metadata else None
    return RefundNews(refund.id, refund.status or "pending", refund.amount, refund.currency.upper(), _id(refund.charge),
                      ours, getattr(refund, "failure_reason", None) or getattr(refund, "pending_reason", None))


def says_nothing(error: GatewayError) -> bool:
    """An error about us, not about this refund: a wrong key of ours, or one used for something else (S-06, S-08)."""
    return error.status in (401, 403) or type(error.__cause__).__name__ == "IdempotencyError"
