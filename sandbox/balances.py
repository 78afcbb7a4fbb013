"""v1/balance, v1/balance_transactions and v1/payouts: reading what books.py keeps."""

from __future__ import annotations

from . import books, clock, webhooks
from .errors import invalid
from .routes import Request, listing, one, route
from .shapes import blank
from .store import Row, random_id, store


@route("GET /v1/balance", "_balance_retrieve_params.BalanceRetrieveParams")
def balance(request: Request) -> Row:
    """The platform's balance; with Stripe-Account, that account's, all of it available."""
    ready: list[Row] = []
    waiting: list[Row] = []
    for currency in books.currencies() or ["eur"]:
        whole = books.balance(request.account or books.PLATFORM, currency)
        now = whole if request.account else books.available(currency)
        for into, amount in ((ready, now), (waiting, whole - now)):
            into.append({"amount": amount, "currency": currency, "source_types": {"card": amount}})
    reserved = [{"amount": 0, "currency": row["currency"]} for row in ready]
    return blank("balance", available=ready, pending=waiting, connect_reserved=reserved)


def current(row: Row) -> Row:
    """A balance transaction turns available by the clock alone."""
    if row["status"] == "pending" and row["available_on"] <= clock.now():
        row["status"] = "available"
        store.put("balance_transaction", row)
    return row


@route("GET /v1/balance_transactions/{id}", "_balance_transaction_retrieve_params.BalanceTransactionRetrieveParams")
def retrieve(request: Request) -> Row:
    return current(one("balance_transaction", request.ids[0]))


@route("GET /v1/balance_transactions", "_balance_transaction_list_params.BalanceTransactionListParams")
def list_all(request: Request) -> Row:
    params = request.params
    page = listing(
        request, "balance_transaction", {key: params.get(key) for key in ("source", "type", "currency", "payout")}
    )
    page["data"] = [current(row) for row in page["data"]]
    return page


@route("GET /v1/payouts/{id}", "_payout_retrieve_params.PayoutRetrieveParams")
def retrieve_payout(request: Request) -> Row:
    payout = one("payout", request.ids[0])
    if owner(payout) != request.account:
        raise invalid(f"No such payout: '{payout['id']}'", "id", "resource_missing", 404)
    return payout


@route("GET /v1/payouts", "_payout_list_params.PayoutListParams")
def list_payouts(request: Request) -> Row:
    where = {"status": request.params.get("status"), "destination": request.params.get("destination")}
    return listing(request, "payout", where, lambda row: owner(row) == request.account)


def owner(payout: Row) -> str | None:
    facts = store.get("payout_owner", payout["id"])
    return facts["account"] if facts else None


def pay_out(amount: int, currency: str, account: str | None = None, fails: bool = False) -> Row:
    """Money leaves for the bank; a failed payout comes back at once (control API)."""
    have = books.balance(account, currency) if account else books.available(currency)
    if amount > have:
        raise invalid("Insufficient funds for this payout.", "amount", "balance_insufficient")
    payout = blank(
        "payout",
        amount=amount,
        arrival_date=clock.now() + 2 * 86400,
        automatic=True,
        created=clock.now(),
        currency=currency,
        destination=random_id("ba_"),
        metadata={},
        method="standard",
        reconciliation_status="completed",
        source_type="card",
        status="failed" if fails else "paid",
        type="bank_account",
    )
    if fails:
        payout.update(failure_code="account_closed", failure_message="The bank account has been closed.")
    elif account:
        books.post(currency, (account, -amount), (books.BANK, amount), why=payout["id"])
    else:
        entry = books.transact("payout", -amount, currency, payout["id"])
        payout["balance_transaction"] = entry["id"]
        books.post(currency, (books.PLATFORM, -amount), (books.BANK, amount), why=payout["id"])
    if account:
        store.put("payout_owner", {"account": account}, payout["id"])
    store.put("payout", payout)
    webhooks.emit("payout.failed" if fails else "payout.paid", payout)
    return payout
