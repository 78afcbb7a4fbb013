"""v1/balance, v1/balance_transactions and v1/payouts: reading what books.py keeps."""

from __future__ import annotations

from . import books, clock, shapes, webhooks
from .errors import invalid, wrong_state
from .routes import Request, listing, one, route
from .shapes import blank
from .store import Row, random_id, store

PAYOUT_MOVES: dict[str, set[str]] = {
    "pending": {"in_transit", "paid", "failed", "canceled"},
    "in_transit": {"paid", "failed"},
    "paid": {"failed"},
    "failed": set(),
    "canceled": set(),
}


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
    """A balance transaction turns available by the clock alone, and back when the clock goes back."""
    status = "available" if row["available_on"] <= clock.now() else "pending"
    return row if row["status"] == status else {**row, "status": status}


shapes.FRESH["balance_transaction"] = current


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


def pay_out(amount: int, currency: str, account: str | None = None, status: str = "paid") -> Row:
    """Money leaves for the bank, and comes to `status` by legal moves (control API)."""
    if status not in PAYOUT_MOVES:
        raise invalid(f"status must be one of {', '.join(PAYOUT_MOVES)}", "status")
    if account is not None:
        one("v2.core.account", account, "account")
    have = books.balance(account, currency) if account else books.available(currency)
    if not 0 < amount <= have:
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
        status="pending",
        type="bank_account",
    )
    if account:
        store.put("payout_owner", {"account": account}, payout["id"])
    payout["balance_transaction"] = _bank(payout, "payout", -amount)
    store.put("payout", payout)
    webhooks.emit("payout.created", payout, account=account)
    return payout if status == "pending" else move_payout(payout, status)


def _bank(payout: Row, type: str, amount: int) -> str | None:
    """The money's way to the bank (negative) or back; only the platform's own has balance transactions here."""
    account = owner(payout)
    books.post(payout["currency"], (account or books.PLATFORM, amount), (books.BANK, -amount), why=payout["id"])
    return None if account else books.transact(type, amount, payout["currency"], payout["id"])["id"]


def move_payout(payout: Row, status: str) -> Row:
    """Paid, or failed: then the money is back; banks may send back what they had taken."""
    before = payout["status"]
    if status not in PAYOUT_MOVES[before]:
        raise wrong_state("payout", payout, f"moved to {status}")
    payout["status"] = status
    if status == "failed":
        payout.update(failure_code="account_closed", failure_message="The bank account has been closed.")
    if status in ("failed", "canceled"):
        type = "payout_failure" if status == "failed" else "payout_cancel"
        payout["failure_balance_transaction"] = _bank(payout, type, payout["amount"])
    store.put("payout", payout)
    name = "payout.updated" if status == "in_transit" else f"payout.{status}"
    webhooks.emit(name, payout, {"status": before}, account=owner(payout))
    return payout
