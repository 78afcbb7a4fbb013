"""The one file that speaks Stripe: values in, values out; it never sees the database (S-01 to S-04, S-30).

Every call that writes carries a key derived from a committed row. A refusal of the bank is an answer (`Outcome`), not an
exception. No answer is an exception of its own: `Silence` says that Stripe may or may not have done it.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import requests
import stripe
from flask import current_app

from config import STRIPE_VERSION
from core import rate
from core.db import no_transaction

stripe.enable_telemetry = False  # the library would write a file into the home folder


class GatewayError(Exception):
    """Stripe answered, and the answer is that our request was wrong or not possible now."""

    def __init__(self, message: str, code: str | None = None, status: int | None = None):
        super().__init__(message)
        self.code, self.status = code, status


class Silence(GatewayError):
    """No answer, or one that says nothing about what happened: the outcome is unknown (S-09)."""


@dataclass(frozen=True)
class Card:
    payment_method_id: str
    brand: str | None
    last4: str | None
    exp: str | None
    fingerprint: str | None


@dataclass(frozen=True)
class SetupNews:
    """What Stripe says of a Checkout Session that saves a card."""

    session_id: str
    status: str  # open | complete | expired
    url: str | None
    setup_status: str | None  # of the SetupIntent
    customer_id: str | None
    subject_id: str | None
    card: Card | None


@dataclass(frozen=True)
class Outcome:
    """What Stripe says of a payment. `status` is the PaymentIntent's."""

    stripe_id: str
    status: str
    amount_received: int = 0
    charge_id: str | None = None
    fee: int | None = None  # Stripe's own, in the settlement currency; None until the balance transaction is there
    redirect_url: str | None = None
    code: str | None = None
    decline_code: str | None = None
    advice_code: str | None = None
    network_decline_code: str | None = None


@dataclass(frozen=True)
class AccountNews:
    stripe_id: str
    is_active: bool
    wanted: list[str]


def _session(base: str) -> requests.Session:
    """Proxies are read from the environment once; left to itself, requests looks for them, and for a .netrc whose
    password would replace our key, at every call."""
    session = requests.Session()
    session.trust_env = False
    session.proxies.update(requests.utils.get_environ_proxies(base))
    adapter = requests.adapters.HTTPAdapter(pool_maxsize=max(10, current_app.config["COLLECT_CONCURRENCY"]))
    session.mount("https://", adapter)
    session.mount("http://", adapter)
    return session


def _client(*, patient: bool) -> stripe.StripeClient:
    """One factory for all clients. Web requests wait 8 s and do not retry; workers wait 20 s and retry twice (S-03)."""
    clients: dict[bool, stripe.StripeClient] = current_app.extensions.setdefault("stripe_clients", {})
    if patient not in clients:
        base = current_app.config["STRIPE_API_BASE"]
        options: dict[str, Any] = {"base_addresses": {"api": base, "files": base, "connect": base}} if base else {}
        clients[patient] = stripe.StripeClient(
            current_app.config["STRIPE_SECRET_KEY"], stripe_version=STRIPE_VERSION,
            max_network_retries=2 if patient else 0,
            http_client=stripe.RequestsClient(timeout=(3, 20 if patient else 8), verify_ssl_certs=True,
                                              session=_session(base or "https://api.stripe.com")),
            **options)
    return clients[patient]


def _body(error: stripe.StripeError) -> dict[str, Any]:
    answer: Any = error.json_body or {}
    return answer.get("error") or {}


class _Call:
    """Around every call: no open transaction, our own pace, Stripe's exceptions as ours."""

    def __init__(self, endpoint: str):
        self.endpoint = endpoint

    def __enter__(self) -> None:
        no_transaction()
        rate.pace(f"stripe:{self.endpoint}", current_app.config["STRIPE_RATE"])

    def __exit__(self, kind: Any, error: Any, trace: Any) -> None:
        if not isinstance(error, stripe.StripeError):
            return
        status = error.http_status
        code = error.code or _body(error).get("code")  # the SDK drops it on 409 and 429
        if isinstance(error, stripe.APIConnectionError) or status is None or status >= 500 or status in (409, 429):
            raise Silence(str(error.user_message or error), code, status) from error
        if isinstance(error, stripe.CardError):
            return  # the caller reads it
        raise GatewayError(str(error.user_message or error), code, status) from error


def create_customer(*, key: str, email: str, name: str, person_id: str) -> str:
    with _Call("customers"):
        made = _client(patient=False).v1.customers.create(
            {"email": email, "name": name, "metadata": {"person": person_id}}, {"idempotency_key": key})
    return made.id


def open_setup(*, key: str, customer_id: str, currency: str, subject_id: str, project_id: str, success_url: str,
               cancel_url: str, expires_at: datetime, description: str, locale: str) -> SetupNews:
    """A Checkout Session that saves a card and charges nothing (S-20)."""
    with _Call("checkout/sessions"):
        session = _client(patient=False).v1.checkout.sessions.create({
            "mode": "setup", "customer": customer_id, "currency": currency.lower(),
            "client_reference_id": subject_id, "success_url": success_url, "cancel_url": cancel_url,
            "expires_at": int(expires_at.timestamp()), "locale": "nl" if locale == "nl" else "en",
            "metadata": {"subject": subject_id, "project": project_id},
            "setup_intent_data": {"description": description,
                                  "metadata": {"subject": subject_id, "project": project_id}},
        }, {"idempotency_key": key})
    return _setup_news(session)


def read_setup(session_id: str, *, patient: bool = False) -> SetupNews:
    """The session as Stripe has it now, with its card: what decides, whatever an address or an event says (S-21)."""
    with _Call("checkout/sessions"):
        session = _client(patient=patient).v1.checkout.sessions.retrieve(
            session_id, {"expand": ["setup_intent", "setup_intent.payment_method"]})
    return _setup_news(session)


def expire_setup(session_id: str, *, key: str) -> SetupNews:
    """Close the session; if it was completed in the meantime, that is what comes back (S-24)."""
    try:
        with _Call("checkout/sessions/expire"):
            return _setup_news(_client(patient=True).v1.checkout.sessions.expire(
                session_id, {}, {"idempotency_key": key}))
    except Silence:
        raise
    except GatewayError:
        return read_setup(session_id, patient=True)


def _setup_news(session: Any) -> SetupNews:
    intent = session.setup_intent if not isinstance(session.setup_intent, str) else None
    method = intent.payment_method if intent is not None and not isinstance(intent.payment_method, str) else None
    card = None
    if method is not None:
        face = method.card
        card = Card(method.id, face.brand if face else None, face.last4 if face else None,
                    f"{face.exp_year}-{face.exp_month:02d}" if face else None, face.fingerprint if face else None)
    customer = session.customer if isinstance(session.customer, str) or session.customer is None else session.customer.id
    return SetupNews(session.id, session.status, session.url, intent.status if intent is not None else None,
                     customer, session.client_reference_id, card)


def create_payment(*, key: str, amount: int, currency: str, customer_id: str, subject_id: str, project_id: str,
                   description: str) -> str:
    """An unconfirmed PaymentIntent; its id must be committed before it is confirmed (S-30)."""
    with _Call("payment_intents"):
        intent = _client(patient=True).v1.payment_intents.create({
            "amount": amount, "currency": currency.lower(), "customer": customer_id, "description": description,
            "transfer_group": f"project_{project_id}", "metadata": {"subject": subject_id, "project": project_id},
        }, {"idempotency_key": key})
    return intent.id


_MONEY = ["latest_charge.balance_transaction"]


def confirm_payment(stripe_id: str, *, key: str, payment_method_id: str, return_url: str | None = None) -> Outcome:
    """Charge: off-session from a worker, or on-session (with `return_url`) while the backer is here (S-32)."""
    params: Any = {"payment_method": payment_method_id, "expand": _MONEY}
    params |= {"return_url": return_url} if return_url else {"off_session": True}
    try:
        with _Call("payment_intents/confirm"):
            intent = _client(patient=not return_url).v1.payment_intents.confirm(
                stripe_id, params, {"idempotency_key": key})
    except stripe.CardError as refused:
        return _refusal(stripe_id, refused)
    except Silence:
        raise
    except GatewayError as error:
        if error.code == "payment_intent_unexpected_state":  # news we have not heard: read it
            return read_payment(stripe_id)
        raise
    return _outcome(intent)


def read_payment(stripe_id: str) -> Outcome:
    with _Call("payment_intents"):
        return _outcome(_client(patient=True).v1.payment_intents.retrieve(stripe_id, {"expand": _MONEY}))


def cancel_payment(stripe_id: str, *, key: str) -> Outcome:
    """Cancel an intent; what it is instead, when it cannot be cancelled any more."""
    try:
        with _Call("payment_intents/cancel"):
            return _outcome(_client(patient=True).v1.payment_intents.cancel(
                stripe_id, {"expand": _MONEY}, {"idempotency_key": key}))
    except Silence:
        raise
    except GatewayError as error:
        if error.code == "payment_intent_unexpected_state":
            return read_payment(stripe_id)
        raise


def _refusal(stripe_id: str, refused: stripe.CardError) -> Outcome:
    body = _body(refused)
    intent: dict[str, Any] = body.get("payment_intent") or {}
    return Outcome(stripe_id, intent.get("status", "requires_payment_method"), code=refused.code,
                   decline_code=body.get("decline_code"), advice_code=body.get("advice_code"),
                   network_decline_code=body.get("network_decline_code"))


def _outcome(intent: Any) -> Outcome:
    charge = intent.latest_charge if not isinstance(intent.latest_charge, str) else None
    entry = charge.balance_transaction if charge is not None and not isinstance(charge.balance_transaction, str) else None
    error = intent.last_payment_error
    step = intent.next_action
    return Outcome(
        intent.id, intent.status, intent.amount_received or 0,
        charge.id if charge is not None and charge.paid else None,
        entry.fee if entry is not None else None,
        step.redirect_to_url.url if step is not None and getattr(step, "redirect_to_url", None) else None,
        error.code if error else None, getattr(error, "decline_code", None) if error else None,
        getattr(error, "advice_code", None) if error else None,
        getattr(error, "network_decline_code", None) if error else None)


def create_account(*, key: str, email: str, name: str, country: str, person_id: str) -> AccountNews:
    """A connected account that can be paid out to (Accounts v2, S-60)."""
    with _Call("v2/core/accounts"):
        account = _client(patient=False).v2.core.accounts.create({
            "contact_email": email, "display_name": name, "dashboard": "express",
            "identity": {"country": country.lower()},
            "configuration": {"recipient": {"capabilities": {"stripe_balance": {
                "stripe_transfers": {"requested": True}}}}},
            "defaults": {"responsibilities": {"fees_collector": "application", "losses_collector": "application"}},
            "metadata": {"person": person_id},
            "include": ["configuration.recipient", "requirements"],
        }, {"idempotency_key": key})
    return _account_news(account)


def read_account(stripe_id: str) -> AccountNews:
    with _Call("v2/core/accounts"):
        return _account_news(_client(patient=False).v2.core.accounts.retrieve(
            stripe_id, {"include": ["configuration.recipient", "requirements"]}))


def onboarding_url(stripe_id: str, *, key: str, return_url: str, refresh_url: str) -> str:
    """A link that works once and soon ends: redirect to it at once, never store, mail or log it (S-61)."""
    with _Call("v2/core/account_links"):
        link = _client(patient=False).v2.core.account_links.create({
            "account": stripe_id, "use_case": {"type": "account_onboarding", "account_onboarding": {
                "return_url": return_url, "refresh_url": refresh_url}},
        }, {"idempotency_key": key})
    return link.url


def _account_news(account: Any) -> AccountNews:
    recipient = getattr(account.configuration, "recipient", None) if account.configuration else None
    balance = getattr(recipient.capabilities, "stripe_balance", None) if recipient and recipient.capabilities else None
    transfers = getattr(balance, "stripe_transfers", None) if balance else None
    entries = getattr(account.requirements, "entries", None) or [] if account.requirements else []
    return AccountNews(account.id, bool(transfers and transfers.status == "active"),
                       [str(getattr(entry, "description", "")) for entry in entries][:20])


@dataclass(frozen=True)
class EventNews:
    event_id: str
    type: str
    account: str | None
    api_version: str | None
    livemode: bool
    created: int
    payload: dict[str, Any]


def verify_event(body: bytes, signature: str, secrets: list[str], now: float, tolerance: int = 300) -> dict[str, Any]:
    """The event in this body, if one of our secrets signed it within the tolerance; GatewayError otherwise (S-41).

    The library checks the signature; we check the time ourselves, both ways and by our own clock.
    """
    import json

    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError:
        raise GatewayError("not UTF-8") from None
    if not signature.isascii():  # the library's comparison would raise a TypeError
        raise GatewayError("not a signature")
    times = [part[2:] for part in signature.split(",") if part.startswith("t=")]
    if len(times) != 1 or not times[0].isascii() or not times[0].isdigit() or len(times[0]) > 12:
        raise GatewayError("no single timestamp")
    if abs(now - int(times[0])) > tolerance:
        raise GatewayError("too old or from the future")
    for secret in secrets:
        if not secret:
            continue
        try:
            stripe.WebhookSignature.verify_header(text, signature, secret, None)
            break
        except (stripe.SignatureVerificationError, ValueError):
            continue
    else:
        raise GatewayError("no valid signature")
    try:
        event = json.loads(text)
    except ValueError:
        raise GatewayError("not JSON") from None
    if not isinstance(event, dict) or not isinstance(event.get("id"), str) or not isinstance(event.get("type"), str):
        raise GatewayError("not an event")
    return event
