"""Disputes and early fraud warnings at Stripe: what it says of them, and our answers (S-68 to S-70)."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from payments.gateway import _Call, _client

TEXT_LIMIT, ALL_LIMIT = 20_000, 150_000  # characters of one text of evidence, and of all together


@dataclass(frozen=True)
class Entry:
    """One balance transaction of a dispute; `amount` is negative when money was taken from us."""

    stripe_id: str
    amount: int
    fee: int
    currency: str


@dataclass(frozen=True)
class DisputeNews:
    """A dispute as Stripe has it. `asked_at` is when we began to ask: of two answers the later question counts."""

    asked_at: datetime
    stripe_id: str
    intent_id: str | None
    charge_id: str
    amount: int
    currency: str
    status: str
    reason: str
    opened_at: datetime
    due_at: datetime | None
    submissions: int
    entries: tuple[Entry, ...]


@dataclass(frozen=True)
class WarningNews:
    stripe_id: str
    intent_id: str | None
    charge_id: str
    fraud_type: str
    is_actionable: bool
    warned_at: datetime


def read_dispute(stripe_id: str) -> DisputeNews:
    asked = datetime.now(UTC)
    with _Call("disputes"):
        return _dispute(_client(patient=True).v1.disputes.retrieve(stripe_id), asked)


def disputes_of(charge_id: str) -> list[DisputeNews]:
    """All disputes of one charge, newest first; a list, because a search lags (S-11)."""
    asked = datetime.now(UTC)
    with _Call("disputes"):
        found = _client(patient=True).v1.disputes.list({"charge": charge_id, "limit": 100})
        return [_dispute(one, asked) for one in found.auto_paging_iter()]


def answer_dispute(stripe_id: str, *, key: str, texts: dict[str, str]) -> DisputeNews:
    """Hand evidence to the bank; Stripe takes it once per round."""
    asked = datetime.now(UTC)
    params: Any = {"evidence": {name: text for name, text in texts.items() if text}, "submit": True}
    with _Call("disputes/update"):
        return _dispute(_client(patient=True).v1.disputes.update(stripe_id, params, {"idempotency_key": key}), asked)


def close_dispute(stripe_id: str, *, key: str) -> DisputeNews:
    """Accept the loss; there is no way back."""
    asked = datetime.now(UTC)
    with _Call("disputes/close"):
        return _dispute(_client(patient=True).v1.disputes.close(stripe_id, {}, {"idempotency_key": key}), asked)


def read_warning(stripe_id: str) -> WarningNews:
    with _Call("radar/early_fraud_warnings"):
        return _warning(_client(patient=True).v1.radar.early_fraud_warnings.retrieve(stripe_id))


def warnings_of(charge_id: str) -> list[WarningNews]:
    with _Call("radar/early_fraud_warnings"):
        found = _client(patient=True).v1.radar.early_fraud_warnings.list({"charge": charge_id, "limit": 100})
        return [_warning(one) for one in found.auto_paging_iter()]


def _id(thing: Any) -> str | None:
    """Of what Stripe sends as an id or, expanded, as the object."""
    return thing if isinstance(thing, str) or thing is None else str(thing.id)


def _moment(stamp: int) -> datetime:
    return datetime.fromtimestamp(stamp, UTC)


def _dispute(dispute: Any, asked: datetime) -> DisputeNews:
    details = dispute.evidence_details
    entries = tuple(Entry(entry.id, entry.amount, entry.fee, entry.currency.upper())
                    for entry in dispute.balance_transactions or [])
    return DisputeNews(
        asked, dispute.id, _id(dispute.payment_intent), _id(dispute.charge) or "", dispute.amount,
        dispute.currency.upper(), dispute.status, dispute.reason or "", _moment(dispute.created),
        _moment(details.due_by) if details and details.due_by else None, details.submission_count if details else 0,
        entries)


def _warning(warning: Any) -> WarningNews:
    return WarningNews(warning.id, _id(warning.payment_intent), _id(warning.charge) or "", warning.fraud_type or "",
                       bool(warning.actionable), _moment(warning.created))
