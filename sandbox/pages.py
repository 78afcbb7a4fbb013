"""The pages that a person meets at Stripe: card form, 3-D Secure, onboarding. Plain forms, no JavaScript."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

import jinja2

from . import accounts, addresses, checkout, clock, payment_intents
from .cards import CARDS
from .errors import StripeError
from .methods import number_of
from .store import Row, store

CARD_FIELDS = ("number", "expiry", "cvc", "name", "email")
Page = tuple[int, list[tuple[str, str]], str]
TRIES = (
    ("4242424242424242", "4242: succeeds"),
    ("4000002500003155", "3155: 3-D Secure once"),
    ("4000002760003184", "3184: 3-D Secure every time"),
    ("4000000000000341", "0341: saved, later charges fail"),
    ("4000000000000002", "0002: declined"),
    ("4000000000009995", "9995: no funds"),
    ("4000008260003178", "3178: saved, then no funds"),
    ("4000000000000259", "0259: disputed later"),
)
SAFE = [
    (
        "content-security-policy",
        "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; frame-ancestors 'none'",
    ),
    ("referrer-policy", "no-referrer"),
    ("x-content-type-options", "nosniff"),
    ("cache-control", "no-store"),
]


@cache
def _templates() -> jinja2.Environment:
    loader = jinja2.FileSystemLoader(Path(__file__).parent / "templates")
    return jinja2.Environment(loader=loader, autoescape=True, undefined=jinja2.ChainableUndefined)


def html(template: str, status: int = 200, **values: Any) -> Page:
    return status, list(SAFE), _templates().get_template(template).render(**values)


def notice(title: str, text: str, status: int = 200, link: str | None = None, label: str = "Back") -> Page:
    return html("notice.html", status, title=title, text=text, link=link, label=label)


def go(url: str) -> Page:
    return 303, [*SAFE, ("location", url)], ""


def with_query(url: str, **more: str) -> str:
    parts = urlsplit(url)
    return urlunsplit(parts._replace(query=urlencode([*parse_qsl(parts.query, keep_blank_values=True), *more.items()])))


def serve(
    method: str, path: str, query: dict[str, str], form: dict[str, str], host: str, client: str
) -> Page:
    if method not in ("GET", "HEAD", "POST"):
        return notice("Not possible", "This page answers GET and POST.", 405)
    if match := re.fullmatch(r"/c/pay/(cs_test_\w+)", path):
        return card_page(match[1], form if method == "POST" else None)
    if match := re.fullmatch(r"/c/done/(cs_test_\w+)", path):
        return done_page(match[1])
    if match := re.fullmatch(r"/3d-secure/((?:pi|seti)_\w+)", path):
        return secure_page(match[1], form if method == "POST" else None)
    if match := re.fullmatch(r"/setup/e/(acct_\w+)/(\w+)", path):
        return onboarding_page(match[1], match[2], form if method == "POST" else None)
    from . import dashboard

    found = dashboard.serve(method, path, query, form, host, client)
    return found or notice("Not found", "The sandbox has no such page.", 404)


def card_page(id: str, form: dict[str, str] | None) -> Page:
    session = store.get("checkout.session", id)
    if session is None:
        return notice("Not found", "This checkout does not exist.", 404)
    if session["status"] == "complete":
        return notice(
            "Your card is saved", "This checkout is complete.", link=checkout.success_url(session), label="Continue"
        )
    if session["status"] == "expired" or session["expires_at"] <= clock.now():
        text = "Nothing was saved. Go back and start again."
        return notice("This checkout has expired", text, link=session["cancel_url"])
    errors: dict[str, str] = {}
    values: dict[str, str] = {}
    if form is not None and "fill" in form:
        number = form["fill"] if form["fill"] in CARDS else ""
        spaced = " ".join(number[n : n + 4] for n in range(0, len(number), 4))
        year = int(clock.iso(clock.exact())[2:4]) + 3
        values = {
            "number": spaced,
            "expiry": f"12 / {year}",
            "cvc": "1234" if len(number) == 15 else "123",
            "name": "Test Backer",
        }
        if checkout.asks_address(session):
            values |= {name: text or "" for name, text in addresses.made_up(session["customer"]).items()}
    elif form is not None:
        values = {name: form.get(name, "").strip() for name in CARD_FIELDS + addresses.FIELDS}
        errors, after = _submit(session, values)
        if after is not None:
            return after
        values.update(number="", cvc="")  # a card number is never written back into a page
    intent = store.get("setup_intent", session["setup_intent"]) or {}
    last = intent.get("last_setup_error")
    if form is None and last:
        errors["form"] = f"{last['message']} Try again or use another card."
    details = session["customer_details"] or {}
    return html(
        "checkout.html",
        200 if not errors or form is None else 422,
        what=intent.get("description") or "Save a card for a later payment.",
        email=session["customer_email"] or details.get("email"),
        currency=session["currency"],
        cancel_url=session["cancel_url"],
        errors=errors,
        values=values,
        tries=TRIES,
        asks_address=checkout.asks_address(session),
        says_address=any(values.get(name) or errors.get(name) for name in addresses.FIELDS),
        countries=addresses.countries(),
    )


def _submit(session: Row, values: dict[str, str]) -> tuple[dict[str, str], Page | None]:
    """Errors by field, or where to go next."""
    errors: dict[str, str] = {}
    expiry = re.fullmatch(r"(\d{1,2})\s*/?\s*(?:20)?(\d{2})", values["expiry"])
    month, year = (int(expiry[1]), 2000 + int(expiry[2])) if expiry else (0, 0)
    if not 1 <= month <= 12:
        errors["expiry"] = "Write the expiry date as month and year, like 12 / 30."
    elif (year, month) < tuple(map(int, clock.iso(clock.exact())[:7].split("-"))):
        errors["expiry"] = "This card has expired."
    if not re.fullmatch(r"\d{3,4}", values["cvc"]):
        errors["cvc"] = "Enter the three or four digits of the security code."
    if not values["name"]:
        errors["name"] = "Enter the name on the card."
    details = session["customer_details"] or {}
    email = session["customer_email"] or details.get("email") or values["email"]
    if "@" not in email:
        errors["email"] = "Enter an e-mail address, like name@example.com."
    errors |= addresses.errors_of(values, checkout.asks_address(session))
    try:
        card = number_of(values["number"])
    except StripeError as error:
        errors["number"] = error.error["message"]
    if errors:
        return errors, None
    try:
        intent = checkout.submit(session, card, month, year, values["name"], email, addresses.typed(values))
    except StripeError as error:
        where = {"incorrect_cvc": "cvc", "expired_card": "expiry"}.get(error.error.get("code", ""), "number")
        return {where: f"{error.error['message']} Try another card."}, None
    if intent["status"] == "requires_action":
        return {}, go(intent["next_action"]["redirect_to_url"]["url"])
    return {}, go(checkout.success_url(session))


def done_page(id: str) -> Page:
    """Back from 3-D Secure: to the shop when it worked, else to the card form with the reason."""
    session = store.get("checkout.session", id)
    if session is None:
        return notice("Not found", "This checkout does not exist.", 404)
    return go(checkout.success_url(session) if session["status"] == "complete" else f"/c/pay/{id}")


def secure_page(id: str, form: dict[str, str] | None) -> Page:
    kind = "payment_intent" if id.startswith("pi_") else "setup_intent"
    intent = store.get(kind, id)
    if intent is None:
        return notice("Not found", "This authentication does not exist.", 404)
    if intent["status"] != "requires_action":
        back = (store.get("challenge", id) or {}).get("back")
        return notice("Already answered", "There is nothing left to confirm here.", link=back, label="Continue")
    action = intent["next_action"]
    back = (action.get("redirect_to_url") or {}).get("return_url")
    if form is None or form.get("answer") not in ("complete", "fail"):
        method = store.get("payment_method", intent["payment_method"]) or {"card": {}}
        what = "Confirm that you want to save this card."
        if kind == "payment_intent":
            what = f"Confirm the payment of {intent['amount']} minor units in {intent['currency'].upper()}."
        return html("secure.html", what=intent["description"] or what, last4=method["card"].get("last4", ""))
    good = form["answer"] == "complete"
    intent = (
        payment_intents.authenticated(intent, good)
        if kind == "payment_intent"
        else checkout.authenticated(intent, good)
    )
    if back is None:
        return notice("Thank you", "You can close this page.")
    outcome = "succeeded" if intent["status"] in ("succeeded", "requires_capture") else "failed"
    if checkout.of_intent(intent) is None:
        back = with_query(
            back, **{kind: id, f"{kind}_client_secret": intent["client_secret"], "redirect_status": outcome}
        )
    store.put("challenge", {"back": back}, id)
    return go(back)


def onboarding_page(id: str, token: str, form: dict[str, str] | None) -> Page:
    """Single use, ten minutes (S-61): opening it spends the link, the form itself may be sent until it expires."""
    link, account = store.get("account_link", token), store.get("v2.core.account", id)
    if link is None or account is None or link["account"] != id:
        return notice("Not found", "This link does not exist.", 404)
    refresh, back = link["use"]["refresh_url"], link["use"].get("return_url") or link["use"]["refresh_url"]
    if link["expires"] <= clock.exact() or link.get("done") or (link["used"] and form is None):
        return go(refresh)
    store.put("account_link", {**link, "used": True}, token)
    values = {"name": account["display_name"] or "", "iban": "DE89 3704 0044 0532 0130 00"}
    errors: dict[str, str] = {}
    if form is not None:
        if form.get("do") == "later":
            store.put("account_link", {**link, "used": True, "done": True}, token)
            return go(back)
        values = {name: form.get(name, "").strip() for name in ("name", "iban")}
        if not values["name"]:
            errors["name"] = "Enter the name of the account holder."
        if not re.fullmatch(r"[A-Z]{2}\d{2}[A-Z0-9]{11,30}", values["iban"].replace(" ", "").upper()):
            errors["iban"] = "Enter an IBAN: two letters, two digits, then up to thirty letters and digits."
        if not errors:
            store.put("account_link", {**link, "used": True, "done": True}, token)
            accounts.set_capability(account, "active")
            return go(back)
    who = account["display_name"] or account["contact_email"] or id
    return html("onboarding.html", 422 if errors else 200, who=who, values=values, errors=errors)
