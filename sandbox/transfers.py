"""v1/transfers and their reversals: money to a connected account and back (S-62, S-63, S-65)."""

from __future__ import annotations

from . import books, clock, money, webhooks
from .accounts import can_receive
from .errors import invalid
from .routes import Request, listing, merge_metadata, one, route
from .shapes import blank
from .store import Row, random_id, store


@route("POST /v1/transfers", "_transfer_create_params.TransferCreateParams")
def create(request: Request) -> Row:
    params = request.params
    currency = money.currency(params["currency"])
    if "amount" not in params:
        raise invalid("Missing required param: amount.", "amount", "parameter_missing")
    amount = params["amount"]
    if amount < 1:
        raise invalid("Invalid positive integer", "amount", "parameter_invalid_integer")
    account = one("v2.core.account", params["destination"], "destination")
    if not can_receive(account):
        text = "The destination account needs the capability stripe_balance.stripe_transfers to be active."
        raise invalid(text, "destination", "insufficient_capabilities_for_transfer", stored=True)
    group = params.get("transfer_group")
    until = 0
    if "source_transaction" in params:
        charge = one("charge", params["source_transaction"], "source_transaction")
        _fits(charge, amount, currency)
        group, until = group or charge["transfer_group"], books.ripens(charge)
    elif amount > books.available(currency):
        text = "You have insufficient available funds in your account."
        raise invalid(text, code="balance_insufficient", stored=True)
    transfer = blank(
        "transfer",
        amount=amount,
        amount_reversed=0,
        created=clock.now(),
        currency=currency,
        description=params.get("description"),
        destination=account["id"],
        destination_payment=random_id("py_"),
        metadata={},
        reversed=False,
        source_transaction=params.get("source_transaction"),
        source_type="card",
        transfer_group=group,
    )
    transfer["reversals"] = _reversals(transfer)
    merge_metadata(transfer, params.get("metadata"))
    entry = books.transact(
        "transfer", -amount, currency, transfer["id"], until=until, description=params.get("description")
    )
    books.post(currency, (books.PLATFORM, -amount), (account["id"], amount), why=transfer["id"], until=until)
    transfer["balance_transaction"] = entry["id"]
    store.put("transfer", transfer)
    webhooks.emit("transfer.created", transfer)
    return transfer


def _fits(charge: Row, amount: int, currency: str) -> None:
    """All transfers of one charge together stay within it."""
    if charge["status"] != "succeeded":
        raise invalid("The source charge did not succeed.", "source_transaction", stored=True)
    if charge["currency"] != currency:
        raise invalid("The currency of the transfer must be the charge's.", "currency", stored=True)
    ids = store.newest_first("transfer", {"source_transaction": charge["id"]})
    moved = sum(one("transfer", id)["amount"] - one("transfer", id)["amount_reversed"] for id in ids)
    if moved + amount > charge["amount_captured"]:
        text = (
            f"Transfers from {charge['id']} would exceed its amount: {moved} of {charge['amount_captured']} are taken."
        )
        raise invalid(text, "amount", "charge_exceeds_source_limit", stored=True)


def _reversals(transfer: Row) -> Row:
    ids = store.newest_first("transfer_reversal", {"transfer": transfer["id"]})
    url = f"/v1/transfers/{transfer['id']}/reversals"
    shown = [one("transfer_reversal", id) for id in ids[:10]]
    return {"object": "list", "data": shown, "has_more": len(ids) > 10, "total_count": len(ids), "url": url}


@route("GET /v1/transfers/{id}", "_transfer_retrieve_params.TransferRetrieveParams")
def retrieve(request: Request) -> Row:
    return one("transfer", request.ids[0])


@route("GET /v1/transfers", "_transfer_list_params.TransferListParams")
def list_all(request: Request) -> Row:
    return listing(request, "transfer", {key: request.params.get(key) for key in ("transfer_group", "destination")})


@route("POST /v1/transfers/{id}", "_transfer_update_params.TransferUpdateParams")
def update(request: Request) -> Row:
    transfer = one("transfer", request.ids[0])
    if "description" in request.params:
        transfer["description"] = request.params["description"]
    merge_metadata(transfer, request.params.get("metadata"))
    store.put("transfer", transfer)
    webhooks.emit("transfer.updated", transfer)
    return transfer


@route("POST /v1/transfers/{id}/reversals", "_transfer_reversal_create_params.TransferReversalCreateParams")
def reverse(request: Request) -> Row:
    transfer, params = one("transfer", request.ids[0]), request.params
    left = transfer["amount"] - transfer["amount_reversed"]
    amount, account, currency = params.get("amount", left), transfer["destination"], transfer["currency"]
    if left <= 0:
        raise invalid("The transfer is already fully reversed.", code="transfer_already_reversed", stored=True)
    if not 0 < amount <= left:
        raise invalid(
            f"Reversal amount ({amount}) is greater than the unreversed amount ({left}).", "amount", stored=True
        )
    if amount > books.balance(account, currency):
        text = "The connected account has insufficient funds for this reversal."
        raise invalid(text, "amount", "balance_insufficient", stored=True)
    entry = books.transact("transfer_refund", amount, currency, transfer["id"], category="transfer_reversal")
    books.post(currency, (account, -amount), (books.PLATFORM, amount), why=transfer["id"])
    reversal = blank(
        "transfer_reversal",
        amount=amount,
        balance_transaction=entry["id"],
        created=clock.now(),
        currency=currency,
        destination_payment_refund=random_id("pyr_"),
        metadata={},
        transfer=transfer["id"],
    )
    merge_metadata(reversal, params.get("metadata"))
    store.put("transfer_reversal", reversal)
    transfer["amount_reversed"] += amount
    transfer["reversed"] = transfer["amount_reversed"] == transfer["amount"]
    transfer["reversals"] = _reversals(transfer)
    store.put("transfer", transfer)
    webhooks.emit("transfer.reversed", transfer)
    return reversal


@route("GET /v1/transfers/{transfer}/reversals", "_transfer_reversal_list_params.TransferReversalListParams")
def list_reversals(request: Request) -> Row:
    one("transfer", request.ids[0])
    return listing(request, "transfer_reversal", {"transfer": request.ids[0]})


@route(
    "GET /v1/transfers/{transfer}/reversals/{id}", "_transfer_reversal_retrieve_params.TransferReversalRetrieveParams"
)
def retrieve_reversal(request: Request) -> Row:
    reversal = one("transfer_reversal", request.ids[1])
    if reversal["transfer"] != request.ids[0]:
        raise invalid(f"No such transfer reversal: '{reversal['id']}'", "id", "resource_missing", 404)
    return reversal
