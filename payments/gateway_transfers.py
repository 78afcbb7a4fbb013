"""Transfers to creators and their reversals, as Stripe speaks of them: values in, values out (S-62, S-63, S-65)."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from payments.gateway import GatewayError, Silence, _Call, _client

PAGE = 100


@dataclass(frozen=True)
class ReversalNews:
    """What Stripe says of one reversal; `row_id` is ours, as we wrote it into the metadata."""

    stripe_id: str
    amount: int
    row_id: str | None


@dataclass(frozen=True)
class TransferNews:
    stripe_id: str
    amount: int
    currency: str
    destination: str
    amount_reversed: int
    row_id: str | None


def create_transfer(*, key: str, amount: int, currency: str, destination: str, charge_id: str, project_id: str,
                    row_id: str, description: str) -> TransferNews:
    """A charge's share to the creator's account; Stripe lets all transfers of a charge together stay within it."""
    with _Call("transfers"):
        return _news(_client(patient=True).v1.transfers.create({
            "amount": amount, "currency": currency.lower(), "destination": destination,
            "source_transaction": charge_id, "transfer_group": group_of(project_id), "description": description,
            "metadata": {"transfer": row_id, "project": project_id},
        }, {"idempotency_key": key}))


def group_of(project_id: str) -> str:
    return f"project_{project_id}"


def read_transfer(stripe_id: str) -> TransferNews:
    with _Call("transfers"):
        return _news(_client(patient=True).v1.transfers.retrieve(stripe_id))


def find_transfer(*, project_id: str, row_id: str, since: datetime, until: datetime) -> TransferNews | None:
    """The transfer that was made for this row, looked for in the list, which knows of a creation at once (S-11)."""
    params: Any = {"transfer_group": group_of(project_id), "limit": PAGE, "created": {
        "gte": int(since.timestamp()), "lte": int(until.timestamp()) + 1}}
    for transfer in _pages(lambda more: _client(patient=True).v1.transfers.list({**params, **more}), "transfers"):
        if getattr(transfer.metadata, "transfer", None) == row_id:
            return _news(transfer)
    return None


def create_reversal(transfer_id: str, *, key: str, amount: int, row_id: str) -> ReversalNews:
    """Take back a part of a transfer; `balance_insufficient` when the creator's account has too little (S-65)."""
    with _Call("transfers/reversals"):
        return _reversal(_client(patient=True).v1.transfers.reversals.create(
            transfer_id, {"amount": amount, "metadata": {"reversal": row_id}}, {"idempotency_key": key}))


def reversals_of(transfer_id: str) -> list[ReversalNews]:
    """All reversals of a transfer."""
    return [_reversal(one) for one in _pages(
        lambda more: _client(patient=True).v1.transfers.reversals.list(transfer_id, {"limit": PAGE, **more}),
        "transfers/reversals")]


def _pages(ask: Any, endpoint: str) -> Iterator[Any]:
    more: dict[str, Any] = {}
    while True:
        with _Call(endpoint):
            page = ask(more)
        yield from page.data
        if not page.has_more or not page.data:
            return
        more = {"starting_after": page.data[-1].id}


def _news(transfer: Any) -> TransferNews:
    destination = transfer.destination
    return TransferNews(
        transfer.id, transfer.amount, transfer.currency.upper(),
        destination if isinstance(destination, str) else destination.id if destination else "",
        transfer.amount_reversed, getattr(transfer.metadata, "transfer", None))


def _reversal(reversal: Any) -> ReversalNews:
    return ReversalNews(reversal.id, reversal.amount, getattr(reversal.metadata, "reversal", None))


__all__ = ["GatewayError", "ReversalNews", "Silence", "TransferNews", "create_reversal", "create_transfer",
           "find_transfer", "read_transfer", "reversals_of"]
