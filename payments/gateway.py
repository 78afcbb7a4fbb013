"""The one file that speaks Stripe: values in, values out; it never sees the database (S-01 to S-04, S-30).

Every call that writes carries a key derived from a committed row. A refusal of the bank is an answer (`Outcome`), not an
exception. No answer is an exception of its own: `Silence` says that Stripe may or may not have done it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import unquote, urlsplit
from urllib.request import getproxies, proxy_bypass

import stripe
import urllib3
from flask import current_app
from stripe.params import PaymentIntentConfirmParams, PaymentIntentCreateParams

from config import STRIPE_VERSION
from core import rate
from core.db import no_transaction
from payments.addresses import scrambled
from payments.breaker import breaker

stripe.enable_telemetry = False  # the library would write a file into the home folder


class GatewayError(Exception):
    """Stripe answered, and the answer is that our request was wrong or not possible now."""

    def __init__(self, message: str, code: str | None = None, status: int | None = None, param: str | None = None):
        super().__init__(message)
        self.code, self.status, self.param = code, status, param


class Silence(GatewayError):
    """No answer, or one that says nothing about what happened: the outcome is unknown (S-09)."""


class Resting(Silence):
    """Nothing was sent: Stripe did not answer lately, and we leave it alone for a minute (O-17)."""


@dataclass(frozen=True)
class Card:
    payment_method_id: str
    brand: str | None
    last4: str | None
    exp: str | None
    fingerprint: str | None
    address: bytes | None = None  # of its bill, scrambled: the address itself goes no further than this file (W-27)


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
    last_charge: str | None = None  # the last that was tried, paid or not: each try of a card makes one


@dataclass(frozen=True)
class AccountNews:
    stripe_id: str
    is_active: bool
    wanted: list[str]


class _Wire(stripe.HTTPClient):
    """The library's way to the network, straight on urllib3: a third less work a call than through `requests`.

    The library decides what to send, when to try again and what an answer means; certificates are checked against its
    bundle. Proxies are read from the environment once.
    """

    name = "urllib3"

    def __init__(self, base: str, timeout: tuple[float, float]):
        super().__init__()
        self._timeout = timeout
        options: dict[str, Any] = {
            "maxsize": max(10, current_app.config["COLLECT_CONCURRENCY"]), "retries": False,
            "timeout": urllib3.Timeout(connect=timeout[0], read=timeout[1]),
            "ca_certs": stripe.ca_bundle_path, "cert_reqs": "CERT_REQUIRED"}
        url, proxies = urlsplit(base), getproxies()
        proxy = (proxies.get("https") or proxies.get("all")) if url.scheme == "https" and not proxy_bypass(url.netloc) else None
        if proxy:
            auth = urllib3.util.parse_url(proxy).auth
            options["proxy_headers"] = urllib3.make_headers(proxy_basic_auth=unquote(auth)) if auth else None
        manager = urllib3.ProxyManager(proxy, **options) if proxy else urllib3.PoolManager(**options)
        self._base, self._pool = f"{url.scheme}://{url.netloc}", manager.connection_from_url(base)

    def request(self, method: str, url: str, headers: Mapping[str, str] | None, post_data: Any = None,
                *, _usage: Any = None) -> tuple[Any, int, Mapping[str, str]]:
        if not url.startswith(f"{self._base}/"):
            raise ValueError(f"{url} is not at {self._base}")
        try:
            answer = self._pool.urlopen(method.upper(), url[len(self._base):], post_data, headers, redirect=False)
        except urllib3.exceptions.HTTPError as error:
            again = not isinstance(error, urllib3.exceptions.SSLError)
            raise stripe.APIConnectionError(f"{type(error).__name__}: {error}", should_retry=again) from error
        return answer.data, answer.status, answer.headers

    def close(self) -> None:
        self._pool.close()


def _client(*, patient: bool) -> stripe.StripeClient:
    """One factory for all clients. Web requests wait 8 s and do not retry; workers wait 20 s and retry twice (S-03)."""
    clients: dict[bool, stripe.StripeClient] = current_app.extensions.setdefault("stripe_clients", {})
    if patient not in clients:
        base = current_app.config["STRIPE_API_BASE"]
        options: dict[str, Any] = {"base_addresses": {"api": base, "files": base, "connect": base}} if base else {}
        clients[patient] = stripe.StripeClient(
            current_app.config["STRIPE_SECRET_KEY"], stripe_version=STRIPE_VERSION,
            max_network_retries=2 if patient else 0,
            http_client=_Wire(base or "https://api.stripe.com", (3, 20 if patient else 8)),
            **options)
    return clients[patient]


def _body(error: stripe.StripeError) -> dict[str, Any]:
    answer: Any = error.json_body or {}
    return answer.get("error") or {}


class _Call:
    """Around every call: no open transaction, our own pace, Stripe's exceptions as ours.

    `is_paced` says that the caller has waited for its turn already (`turns`).
    """

    def __init__(self, endpoint: str, is_paced: bool = False):
        self.endpoint, self.is_paced = endpoint, is_paced

    def __enter__(self) -> None:
        no_transaction()
        if not breaker().may_call():
            raise Resting("Stripe did not answer lately", "resting")
        if not self.is_paced:
            rate.pace(f"stripe:{self.endpoint}", current_app.config["STRIPE_RATE"])

    def __exit__(self, kind: Any, error: Any, trace: Any) -> None:
        if not isinstance(error, stripe.StripeError):
            if error is None:
                breaker().ended(True)
            return
        status = error.http_status
        breaker().ended(not (isinstance(error, stripe.APIConnectionError) or (status or 500) >= 500))
        code = error.code or _body(error).get("code")  # the SDK drops it on 409 and 429
        if isinstance(error, stripe.APIConnectionError) or status is None or status >= 500 or status in (409, 429):
            raise Silence(str(error.user_message or error), code, status) from error
        if isinstance(error, stripe.CardError):
            return  # the caller reads it
        code = code or _body(error).get("type")
        raise GatewayError(str(error.user_message or error), code, status, _body(error).get("param")) from error


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
            # `auto` asks for as little of the address as the card's bank wants; wallets tell all of it by themselves.
            "billing_address_collection": "required" if current_app.config["ASK_ADDRESS"] else "auto",
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
    card = read_card(method) if method is not None else None
    customer = session.customer if isinstance(session.customer, str) or session.customer is None else session.customer.id
    return SetupNews(session.id, session.status, session.url, intent.status if intent is not None else None,
                     customer, session.client_reference_id, card)


def read_card(method: Any) -> Card:
    """What we keep of a PaymentMethod."""
    face, bill = method.card, method.billing_details
    return Card(method.id, face.brand if face else None, face.last4 if face else None,
                f"{face.exp_year}-{face.exp_month:02d}" if face else None, face.fingerprint if face else None,
                scrambled(bill.address if bill else None))


CREATE, CONFIRM = "payment_intents", "payment_intents/confirm"  # the endpoints that a collection calls


def turns(endpoint: str, n: int) -> list[float]:
    """How many seconds from now the next `n` calls of this endpoint may go: reserved, so they must be used (S-12)."""
    per_second = current_app.config["STRIPE_RATE"]
    if not per_second:
        return [0.0] * n
    first = rate.reserve(f"stripe:{endpoint}", per_second, n)
    return [first + k / per_second for k in range(n)]


def create_payment(*, key: str, amount: int, currency: str, customer_id: str, subject_id: str, project_id: str,
                   description: str, is_paced: bool = False) -> str:
    """An unconfirmed PaymentIntent; its id must be committed before it is confirmed (S-30).

    Made and confirmed by the thousand, so the library's raw request is used: making its objects out of two answers takes
    three times as long as all the rest. The parameters are checked against its types all the same.
    """
    params: PaymentIntentCreateParams = {
        "amount": amount, "currency": currency.lower(), "customer": customer_id, "description": description,
        "transfer_group": f"project_{project_id}", "metadata": {"subject": subject_id, "project": project_id}}
    with _Call(CREATE, is_paced):
        answer: Any = _client(patient=True).raw_request("post", "/v1/payment_intents", **params, idempotency_key=key)
    return str(answer.data["id"])


_MONEY = ["latest_charge.balance_transaction"]


def confirm_payment(stripe_id: str, *, key: str, payment_method_id: str, return_url: str | None = None,
                    is_paced: bool = False) -> Outcome:
    """Charge: off-session from a worker, or on-session (with `return_url`) while the backer is here (S-32)."""
    params: PaymentIntentConfirmParams = {"payment_method": payment_method_id, "expand": _MONEY}
    if return_url:
        params["return_url"] = return_url
    else:
        params["off_session"] = True
    try:
        with _Call(CONFIRM, is_paced):
            answer: Any = _client(patient=not return_url).raw_request(
                "post", f"/v1/payment_intents/{stripe_id}/confirm", **params, idempotency_key=key)
    except stripe.CardError as refused:
        return _refusal(stripe_id, refused)
    except Silence:
        raise
    except GatewayError as error:
        if error.code == "payment_intent_unexpected_state":  # news we have not heard: read it
            return read_payment(stripe_id)
        if error.param == "payment_method" and error.status in (400, 404):  # detached, or gone: of this backer only
            return Outcome(stripe_id, "requires_payment_method", code="payment_method_gone")
        raise
    return _outcome(answer.data)


def read_payment(stripe_id: str) -> Outcome:
    with _Call("payment_intents"):
        return _outcome(_client(patient=True).v1.payment_intents.retrieve(stripe_id, {"expand": _MONEY}).to_dict())


def cancel_payment(stripe_id: str, *, key: str) -> Outcome:
    """Cancel an intent; what it is instead, when it cannot be cancelled any more."""
    try:
        with _Call("payment_intents/cancel"):
            return _outcome(_client(patient=True).v1.payment_intents.cancel(
                stripe_id, {"expand": _MONEY}, {"idempotency_key": key}).to_dict())
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
                   network_decline_code=body.get("network_decline_code"), last_charge=_last_charge(intent))


def _outcome(intent: dict[str, Any]) -> Outcome:
    charge = intent["latest_charge"] if isinstance(intent["latest_charge"], dict) else {}
    entry = charge.get("balance_transaction") if isinstance(charge.get("balance_transaction"), dict) else None
    error = intent.get("last_payment_error") or {}
    step = intent.get("next_action") or {}
    return Outcome(
        intent["id"], intent["status"], intent.get("amount_received") or 0,
        charge["id"] if charge.get("paid") else None,
        entry["fee"] if entry else None,
        (step.get("redirect_to_url") or {}).get("url"),
        error.get("code"), error.get("decline_code"), error.get("advice_code"), error.get("network_decline_code"),
        _last_charge(intent))


def _last_charge(intent: dict[str, Any]) -> str | None:
    charge = intent.get("latest_charge")
    return charge["id"] if isinstance(charge, dict) else charge


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
