"""What the contract asks, chapter by chapter (SB-08): every endpoint in use, well and badly."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .contract import Asker


def customers(on: Asker) -> None:
    v1 = on.v1.customers
    made = on.must(on.ask("customer", v1.create, {"email": "contract@example.org", "metadata": {"a": "1"}}), "customer")
    on.ask("customer, unknown parameter", v1.create, {"surprise": "1"})
    on.ask("customer, bad email", v1.create, {"email": "nobody"})
    on.read("customer read", v1.retrieve, made.id)
    on.read("customer read, unknown", v1.retrieve, "cus_nothing")
    on.ask("customer changed", v1.update, made.id, {"name": "Contract", "metadata": {"a": "", "b": "2"}})
    on.read("customers", v1.list, {"limit": 3, "email": "contract@example.org"})
    on.read("customers, limit 101", v1.list, {"limit": 101})
    on.ask("customer deleted", v1.delete, made.id, {})
    on.ask("customer changed after deletion", v1.update, made.id, {"name": "x"})


def backer(on: Asker, card: str = "pm_card_visa") -> tuple[str, str]:
    """A customer and a card of its own."""
    made = on.v1.customers.create({"email": "contract@example.org", "name": "B. Acker"}, on.key())
    return made.id, on.v1.payment_methods.attach(card, {"customer": made.id}, on.key()).id


def methods(on: Asker) -> None:
    v1 = on.v1.payment_methods
    customer = on.v1.customers.create({"email": "contract@example.org"}, on.key()).id
    made = on.must(on.ask("method attached", v1.attach, "pm_card_visa", {"customer": customer}), "method")
    on.ask("method attached, declined", v1.attach, "pm_card_chargeDeclined", {"customer": customer})
    on.ask("method attached to nobody", v1.attach, "pm_card_visa", {})
    on.read("method read", v1.retrieve, made.id)
    on.read("method read, unknown", v1.retrieve, "pm_nothing")
    on.read("methods", v1.list, {"customer": customer, "type": "card"})
    on.read("methods of customer", on.v1.customers.payment_methods.list, customer)
    on.read("method of customer", on.v1.customers.payment_methods.retrieve, customer, made.id)
    on.ask("method changed", v1.update, made.id, {"billing_details": {"name": "B."}, "metadata": {"a": "1"}})
    address = {"line1": "Kade 1", "postal_code": "3511 AB", "city": "Utrecht", "country": "NL"}
    on.ask("method moved", v1.update, made.id, {"billing_details": {"address": address}})
    on.ask("method moved, no such country", v1.update, made.id, {"billing_details": {"address": {"country": "Holland"}}})
    on.ask("method changed, unknown parameter", v1.update, made.id, {"surprise": "1"})
    on.ask("method detached", v1.detach, made.id)
    on.ask("method detached again", v1.detach, made.id)


def setup_intents(on: Asker) -> None:
    v1 = on.v1.setup_intents
    customer = on.v1.customers.create({"email": "contract@example.org"}, on.key()).id
    made = on.must(on.ask("setup intent", v1.create, {"customer": customer, "usage": "off_session"}), "setup intent")
    on.ask("setup intent, retired parameter", v1.create, {"payment_method_types": ["card"]})
    on.ask("setup intent, bad usage", v1.create, {"usage": "sometimes"})
    on.ask("setup intent changed, unknown parameter", v1.update, made.id, {"surprise": "1"})
    on.ask("setup intent changed", v1.update, made.id, {"description": "contract"})
    params = {"payment_method": "pm_card_visa", "return_url": "https://example.org/"}
    on.ask("setup intent confirmed", v1.confirm, made.id, params)
    on.ask("setup intent confirmed again", v1.confirm, made.id, params)
    on.read("setup intent read", v1.retrieve, made.id, {"expand": ["payment_method"]})
    on.read("setup intent read, unknown", v1.retrieve, "seti_nothing")
    on.read("setup intents", v1.list, {"customer": customer})
    other = v1.create({"customer": customer}, on.key())
    on.ask("setup intent cancelled", v1.cancel, other.id, {"cancellation_reason": "abandoned"})
    on.ask("setup intent cancelled again", v1.cancel, other.id)
    declined = v1.create({"customer": customer}, on.key())
    on.ask("setup intent declined", v1.confirm, declined.id, {**params, "payment_method": "pm_card_chargeDeclined"})


def sessions(on: Asker) -> None:
    v1 = on.v1.checkout.sessions
    customer = on.v1.customers.create({"email": "contract@example.org"}, on.key()).id
    params = {"mode": "setup", "currency": "eur", "customer": customer, "client_reference_id": "pledge"}
    params |= {"success_url": "https://example.org/?s={CHECKOUT_SESSION_ID}", "cancel_url": "https://example.org/"}
    made = on.must(on.ask("session", v1.create, params), "session")
    on.ask("session that asks for the address", v1.create, {**params, "billing_address_collection": "required"})
    on.ask("session, bad address collection", v1.create, {**params, "billing_address_collection": "always"})
    on.ask("session without a currency", v1.create, {name: params[name] for name in params if name != "currency"})
    on.ask("session without success_url", v1.create, {name: params[name] for name in params if name != "success_url"})
    on.ask("session, retired parameter", v1.create, {**params, "payment_method_types": ["card"]})
    on.ask("session, unknown below", v1.create, {**params, "setup_intent_data": {"usage": "off_session"}})
    on.ask("session, too short", v1.create, {**params, "expires_at": int(time.time()) + 600})
    on.read("session read", v1.retrieve, made.id, {"expand": ["setup_intent", "customer"]})
    on.read("session read, unknown", v1.retrieve, "cs_test_nothing")
    on.read("sessions", v1.list, {"customer": customer})
    on.ask("session expired", v1.expire, made.id)
    on.ask("session expired again", v1.expire, made.id)


def payments(on: Asker) -> None:
    v1, (customer, card) = on.v1.payment_intents, backer(on)
    params = {"amount": 2500, "currency": "eur", "customer": customer, "transfer_group": f"contract_{on.run}"}
    made = on.must(on.ask("payment", v1.create, {**params, "payment_method": card, "metadata": {"a": "1"}}), "payment")
    on.ask("payment without an amount", v1.create, {"currency": "eur"})
    on.ask("payment without a currency", v1.create, {"amount": 2500})
    on.ask("payment, amount in words", v1.create, {**params, "amount": "25.00"})
    on.ask("payment too small", v1.create, {**params, "amount": 10})
    on.ask("payment too large", v1.create, {**params, "amount": 100_000_000})
    on.ask("payment, no such currency", v1.create, {**params, "currency": "xyz"})
    on.ask("payment, no such customer", v1.create, {**params, "customer": "cus_nothing"})
    on.ask("payment, retired parameter", v1.create, {**params, "payment_method_types": ["card"]})
    on.ask("payment, unknown parameter", v1.create, {**params, "surprise": "1"})
    on.ask("payment changed, unknown parameter", v1.update, made.id, {"surprise": "1"})
    on.ask("payment changed", v1.update, made.id, {"description": "contract", "metadata": {"b": "2"}})
    on.ask("payment confirmed", v1.confirm, made.id, {"off_session": True})
    on.ask("payment confirmed again", v1.confirm, made.id, {"off_session": True})
    expand = {"expand": ["latest_charge.balance_transaction", "payment_method", "customer"]}
    whole = on.must(on.read("payment read", v1.retrieve, made.id, expand), "payment")
    on.read("payment read, bad expand", v1.retrieve, made.id, {"expand": ["amount"]})
    on.read("payment read, unknown", v1.retrieve, "pi_nothing")
    on.read("payments", v1.list, {"customer": customer, "expand": ["data.latest_charge"]})
    on.read("payments from a day on", v1.list, {"created": {"gte": int(time.time()) - 86400}, "limit": 2})
    on.read("payments after nothing", v1.list, {"starting_after": "pi_nothing"})
    on.ask("payment cancelled too late", v1.cancel, made.id)
    other = v1.create(params, on.key())
    on.ask("payment confirmed without a method", v1.confirm, other.id, {"return_url": "https://example.org/"})
    on.ask("payment cancelled", v1.cancel, other.id, {"cancellation_reason": "abandoned"})
    held = v1.create({**params, "payment_method": card, "capture_method": "manual"}, on.key())
    v1.confirm(held.id, {"off_session": True}, on.key())
    on.ask("payment captured too much", v1.capture, held.id, {"amount_to_capture": 2501})
    on.ask("payment captured", v1.capture, held.id, {"amount_to_capture": 1000})
    on.ask("payment captured again", v1.capture, held.id)
    charges(on, whole.latest_charge)
    declines(on, params)


def declines(on: Asker, params: dict[str, Any]) -> None:
    for word, alias in (("declined", "pm_card_chargeCustomerFail"), ("to be authenticated", "pm_card_authenticationRequired")):
        customer, card = backer(on, alias)
        made = on.v1.payment_intents.create({**params, "customer": customer, "payment_method": card}, on.key())
        on.ask(f"payment {word}", on.v1.payment_intents.confirm, made.id, {"off_session": True})
        on.read(f"payment {word}, read", on.v1.payment_intents.retrieve, made.id, {"expand": ["latest_charge"]})


def charges(on: Asker, charge: Any) -> None:
    v1 = on.v1.charges
    on.read("charge read", v1.retrieve, charge.id, {"expand": ["balance_transaction"]})
    on.read("charge read, unknown", v1.retrieve, "ch_nothing")
    on.ask("charge changed", v1.update, charge.id, {"description": "contract"})
    on.ask("charge changed, unknown parameter", v1.update, charge.id, {"surprise": "1"})
    on.read("charges", v1.list, {"payment_intent": charge.payment_intent})
    on.read("charges of a group", v1.list, {"transfer_group": f"contract_{on.run}"})
    on.read("balance transaction", on.v1.balance_transactions.retrieve, charge.balance_transaction.id)
    on.read("balance transaction, unknown", on.v1.balance_transactions.retrieve, "txn_nothing")
    on.read("balance transactions", on.v1.balance_transactions.list, {"source": charge.id})
    on.read("balance transactions by type", on.v1.balance_transactions.list, {"type": "charge", "limit": 2})


def paid(on: Asker, card: str = "pm_card_visa", amount: int = 2500) -> Any:
    """A charge that succeeded."""
    customer, method = backer(on, card)
    params = {"amount": amount, "currency": "eur", "customer": customer, "payment_method": method}
    made = on.v1.payment_intents.create(params, on.key())
    done = on.v1.payment_intents.confirm(made.id, {"off_session": True, "expand": ["latest_charge"]}, on.key())
    return done.latest_charge


def refunds(on: Asker) -> None:
    v1, charge = on.v1.refunds, paid(on)
    params = {"charge": charge.id, "amount": 1000, "reason": "requested_by_customer", "metadata": {"a": "1"}}
    made = on.must(on.ask("refund", v1.create, params), "refund")
    on.ask("refund of too much", v1.create, {"charge": charge.id, "amount": 1501})
    on.ask("refund of nothing", v1.create, {"charge": charge.id, "amount": 0})
    on.ask("refund, bad reason", v1.create, {"charge": charge.id, "reason": "because"})
    on.ask("refund of no charge", v1.create, {"charge": "ch_nothing"})
    on.ask("refund without a charge", v1.create, {"amount": 100})
    on.ask("refund of the rest", v1.create, {"payment_intent": charge.payment_intent})
    on.ask("refund of the refunded", v1.create, {"charge": charge.id})
    on.read("refund read", v1.retrieve, made.id, {"expand": ["balance_transaction", "charge"]})
    on.read("refund read, unknown", v1.retrieve, "re_nothing")
    on.read("refunds", v1.list, {"payment_intent": charge.payment_intent})
    on.ask("refund changed", v1.update, made.id, {"metadata": {"b": "2"}})
    on.ask("refund changed, unknown parameter", v1.update, made.id, {"surprise": "1"})
    on.ask("refund cancelled too late", v1.cancel, made.id)
    slow = paid(on, "pm_card_pendingRefund")
    pending = on.ask("refund that is pending", v1.create, {"charge": slow.id})
    on.ask("refund cancelled while pending", v1.cancel, on.must(pending, "pending refund").id)
    if on.sandbox is not None:  # with cards Stripe never asks anybody for more
        on.sandbox.post("faults", match="POST /v1/refunds", kind="refund_requires_action")
        waiting = v1.create({"charge": paid(on).id}, on.key())
        on.ask("refund cancelled", v1.cancel, waiting.id)
    on.read("charge refunded", on.v1.charges.retrieve, charge.id, {"expand": ["refunds"]})


def disputes(on: Asker) -> None:
    v1, charge = on.v1.disputes, paid(on, "pm_card_createDispute")
    made = on.must(on.first(v1.list, {"charge": charge.id}), "dispute")
    on.read("disputes", v1.list, {"payment_intent": charge.payment_intent})
    on.read("dispute read", v1.retrieve, made.id, {"expand": ["charge", "payment_intent"]})
    on.read("dispute read, unknown", v1.retrieve, "du_nothing")
    on.ask("refund of the disputed", on.v1.refunds.create, {"charge": charge.id})
    staged = {"evidence": {"uncategorized_text": "It arrived."}, "submit": False, "metadata": {"a": "1"}}
    on.ask("dispute, evidence staged", v1.update, made.id, staged)
    on.ask("dispute, unknown evidence", v1.update, made.id, {"evidence": {"surprise": "1"}})
    on.ask("dispute, evidence sent", v1.update, made.id, {"evidence": {"product_description": "A book."}})
    other = on.first(v1.list, {"charge": paid(on, "pm_card_createDisputeProductNotReceived").id})
    on.ask("dispute given up", v1.close, on.must(other, "second dispute").id)
    on.ask("dispute given up again", v1.close, other.id)
    inquiry = on.first(v1.list, {"charge": paid(on, "pm_card_createDisputeInquiry").id})
    on.read("inquiry read", v1.retrieve, on.must(inquiry, "inquiry").id)


def warnings(on: Asker) -> None:
    v1, charge = on.v1.radar.early_fraud_warnings, paid(on, "pm_card_createIssuerFraudRecord")
    made = on.must(on.first(v1.list, {"charge": charge.id}), "warning")
    on.read("warnings", v1.list, {"payment_intent": charge.payment_intent})
    on.read("warning read", v1.retrieve, made.id)
    on.read("warning read, unknown", v1.retrieve, "issfr_nothing")


def accounts(on: Asker) -> None:
    v2 = on.client.v2.core
    capability = {"stripe_balance": {"stripe_transfers": {"requested": True}}}
    params = {
        "contact_email": "contract@example.org",
        "display_name": "Contract",
        "dashboard": "express",
        "identity": {"country": "nl"},
        "defaults": {"responsibilities": {"fees_collector": "application", "losses_collector": "application"}},
        "configuration": {"recipient": {"capabilities": capability}},
        "include": ["configuration.recipient", "identity", "requirements"],
    }
    on.ask("account, unknown parameter", v2.accounts.create, {"surprise": "1"})
    on.ask("account, bad dashboard", v2.accounts.create, {**params, "dashboard": "grand"})
    made = on.must(on.ask("account", v2.accounts.create, params), "account")
    on.read("account read", v2.accounts.retrieve, made.id, {"include": ["configuration.recipient", "requirements"]})
    on.read("account read, unknown", v2.accounts.retrieve, "acct_nothing")
    on.ask("account changed, unknown parameter", v2.accounts.update, made.id, {"surprise": "1"})
    on.ask("account changed", v2.accounts.update, made.id, {"display_name": "Contract 2"})
    on.read("accounts", v2.accounts.list, {"limit": 2, "applied_configurations": ["recipient"]})
    urls = {"refresh_url": "https://example.org/again", "return_url": "https://example.org/back"}
    use = {"type": "account_onboarding", "account_onboarding": urls}
    on.ask("account link", v2.account_links.create, {"account": made.id, "use_case": use})
    on.ask("account link, no account", v2.account_links.create, {"account": "acct_nothing", "use_case": use})
    listed = on.read("thin events", v2.events.list, {"object_id": made.id})
    if listed is not None and listed.data:
        on.read("thin event", v2.events.retrieve, listed.data[0].id)
    on.read("thin event, unknown", v2.events.retrieve, "evt_test_65nothing")
    waiting = {"amount": 100, "currency": "eur", "destination": made.id}
    on.ask("transfer before the capability", on.v1.transfers.create, waiting)
    if on.sandbox is not None:
        on.sandbox.post(f"accounts/{made.id}/activate")
        on.account = made.id


def transfers(on: Asker) -> None:
    """At Stripe only with STRIPE_CONTRACT_ACCOUNT, an account that can already receive."""
    on.must(on.account, "account that may receive: set STRIPE_CONTRACT_ACCOUNT")
    v1, charge = on.v1.transfers, paid(on, amount=10_000)
    params = {"amount": 6000, "currency": "eur", "destination": on.account, "source_transaction": charge.id}
    made = on.must(on.ask("transfer", v1.create, {**params, "metadata": {"a": "1"}}), "transfer")
    on.ask("transfer beyond its source", v1.create, {**params, "amount": 4001})
    on.ask("transfer to nobody", v1.create, {**params, "destination": "acct_nothing"})
    on.ask("transfer without a currency", v1.create, {"amount": 100, "destination": on.account})
    on.read("transfer read", v1.retrieve, made.id, {"expand": ["balance_transaction", "source_transaction"]})
    on.read("transfer read, unknown", v1.retrieve, "tr_nothing")
    on.read("transfers", v1.list, {"destination": on.account, "limit": 2})
    on.ask("transfer changed, unknown parameter", v1.update, made.id, {"surprise": "1"})
    on.ask("transfer changed", v1.update, made.id, {"metadata": {"b": "2"}})
    back = on.must(on.ask("reversal", v1.reversals.create, made.id, {"amount": 1000}), "reversal")
    on.ask("reversal of too much", v1.reversals.create, made.id, {"amount": 5001})
    on.read("reversal read", v1.reversals.retrieve, made.id, back.id)
    on.read("reversal read, unknown", v1.reversals.retrieve, made.id, "trr_nothing")
    on.read("reversals", v1.reversals.list, made.id)
    if on.sandbox is not None:
        on.sandbox.post("payouts", amount=5000, currency="eur", account=on.account)
        on.ask("reversal without the money", v1.reversals.create, made.id)


def balances(on: Asker) -> None:
    paid(on, "pm_card_bypassPending", 50_000)
    on.read("balance", on.v1.balance.retrieve)
    if on.sandbox is not None:
        on.sandbox.post("payouts", amount=100, currency="eur")
    listed = on.read("payouts", on.v1.payouts.list, {"limit": 1})
    if listed is not None and listed.data:
        on.read("payout read", on.v1.payouts.retrieve, listed.data[0].id, {"expand": ["balance_transaction"]})
    on.read("payout read, unknown", on.v1.payouts.retrieve, "po_nothing")


def events(on: Asker) -> None:
    charge = paid(on)
    made = on.must(on.first(on.v1.events.list, {"type": "charge.succeeded", "limit": 1}), f"event of {charge.id}")
    on.read("event", on.v1.events.retrieve, made.id)
    on.read("event, unknown", on.v1.events.retrieve, "evt_nothing")
    on.read("events", on.v1.events.list, {"types": ["charge.*", "refund.*"], "limit": 3})
    on.read("events undelivered", on.v1.events.list, {"delivery_success": False, "limit": 1})
    on.read("events, type and types", on.v1.events.list, {"type": "charge.succeeded", "types": ["charge.failed"]})


CHAPTERS = (
    customers, methods, setup_intents, sessions, payments, refunds, disputes, warnings, accounts, transfers, balances,
    events,
)  # fmt: skip
