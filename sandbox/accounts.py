"""v2/core/accounts and account_links: creators' accounts, only as recipients of transfers (S-60, S-61)."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

from . import clock, webhooks
from .errors import invalid
from .events import v2_page
from .origin import page
from .routes import Request, one, route
from .shapes import blank
from .store import Row, random_id, store

LINK_LIVES = 600
INCLUDABLE = ("configuration", "defaults", "future_requirements", "identity", "requirements")
TRANSFERS = "stripe_balance.stripe_transfers"
MISSING = ("configuration.recipient.default_outbound_destination", "identity.individual.given_name")
CHANGED = "v2.core.account[configuration.recipient].capability_status_updated"
ASKED = "v2.core.account[requirements].updated"


def can_receive(account: Row) -> bool:
    return _status(account) == "active" and not account["closed"]


def _status(account: Row) -> str | None:
    recipient = (account["configuration"] or {}).get("recipient") or {}
    capability = ((recipient.get("capabilities") or {}).get("stripe_balance") or {}).get("stripe_transfers")
    return capability["status"] if capability else None


def _merge(into: Row, given: Row) -> Row:
    """v2 updates merge hashes, and a null removes."""
    for key, value in given.items():
        if isinstance(value, dict) and isinstance(into.get(key), dict):
            _merge(into[key], value)
        else:
            into[key] = deepcopy(value)
    return into


def _requested(params: Row) -> bool | None:
    here: Any = params
    for step in ("configuration", "recipient", "capabilities", "stripe_balance", "stripe_transfers"):
        here = (here or {}).get(step)
    return (here or {}).get("requested")


def _recipient(status: str) -> Row:
    reason = [{"code": "requirements_past_due", "resolution": "provide_info"}]
    transfers = {"status": status, "status_details": [] if status == "active" else reason}
    payouts = {"status": status, "status_details": [] if status == "active" else reason}
    capabilities: Row = {"bank_accounts": None, "cards": None}
    capabilities["stripe_balance"] = {"payouts": payouts, "stripe_transfers": transfers}
    return {"applied": True, "capabilities": capabilities, "default_outbound_destination": None}


def _requirements(descriptions: tuple[str, ...]) -> Row:
    """What Stripe still wants to know; empty once onboarding is done."""
    deadline = {"status": "currently_due"}
    entries = [
        {
            "awaiting_action_from": "user",
            "description": text,
            "errors": [],
            "impact": {
                "restricts_capabilities": [
                    {"capability": TRANSFERS, "configuration": "recipient", "deadline": deadline}
                ]
            },
            "minimum_deadline": deadline,
            "reference": None,
            "requested_reasons": [{"code": "routine_onboarding"}],
        }
        for text in descriptions
    ]
    return {"collector": "stripe", "entries": entries, "summary": {"minimum_deadline": deadline if entries else None}}


def _fill(account: Row, params: Row) -> None:
    for key in ("contact_email", "contact_phone", "dashboard", "display_name"):
        if key in params:
            account[key] = params[key]
    for key in ("identity", "defaults"):
        if params.get(key) is not None:
            account[key] = _merge(deepcopy(account[key] or {}), params[key])
    if params.get("metadata") is not None:
        merged = {**account["metadata"], **params["metadata"]}
        account["metadata"] = {key: value for key, value in merged.items() if value not in (None, "")}
    if _requested(params) and _status(account) is None:
        account["configuration"] = {"customer": None, "merchant": None, "recipient": _recipient("restricted")}
        account["applied_configurations"] = ["recipient"]
        account["requirements"] = _requirements(MISSING)


def _shown(account: Row, include: list[str] | None) -> Row:
    """Without `include` the heavy parts are null, as Stripe's answer has them."""
    wanted = {path.split(".")[0] for path in include or ()}
    return {key: None if key in INCLUDABLE and key not in wanted else value for key, value in account.items()}


@route("POST /v2/core/accounts", "v2.core._account_create_params.AccountCreateParams")
def create(request: Request) -> Row:
    params = request.params
    if _requested(params) and "contact_email" not in params:
        raise invalid("contact_email is required for this configuration.", "contact_email", "parameter_missing")
    if _requested(params) and not (params.get("identity") or {}).get("country"):
        raise invalid("identity.country is required for this configuration.", "identity.country", "parameter_missing")
    account = blank(
        "v2.core.account",
        applied_configurations=[],
        closed=False,
        created=clock.iso(clock.exact()),
        livemode=False,
        metadata={},
        future_requirements={"collector": "stripe", "entries": [], "summary": {"minimum_deadline": None}},
        requirements=_requirements(()),
    )
    account["id"] = random_id("acct_1", 15)
    _fill(account, params)
    store.put("v2.core.account", account)
    webhooks.emit_thin("v2.core.account.created", account)
    return _shown(account, params.get("include"))


@route("GET /v2/core/accounts/{id}", "v2.core._account_retrieve_params.AccountRetrieveParams")
def retrieve(request: Request) -> Row:
    return _shown(one("v2.core.account", request.ids[0]), request.params.get("include"))


@route("POST /v2/core/accounts/{id}", "v2.core._account_update_params.AccountUpdateParams")
def update(request: Request) -> Row:
    account = dict(one("v2.core.account", request.ids[0]))
    _fill(account, request.params)
    store.put("v2.core.account", account)
    webhooks.emit_thin("v2.core.account.updated", account)
    return _shown(account, request.params.get("include"))


@route("GET /v2/core/accounts", "v2.core._account_list_params.AccountListParams")
def list_all(request: Request) -> Row:
    wanted = set(request.params.get("applied_configurations") or ())
    closed = request.params.get("closed", False)
    answer = v2_page(
        request,
        "v2.core.account",
        lambda row: bool(row["closed"]) == closed and wanted <= set(row["applied_configurations"]),
    )
    answer["data"] = [_shown(account, None) for account in answer["data"]]
    return answer


def set_capability(account: Row, status: str) -> Row:
    """Onboarding finished, or Stripe took the capability back (control API)."""
    if _status(account) is None:
        raise invalid("This account never asked for the recipient configuration.")
    account = {**account, "configuration": {**account["configuration"], "recipient": _recipient(status)}}
    account["requirements"] = _requirements(() if status == "active" else MISSING)
    store.put("v2.core.account", account)
    webhooks.emit_thin(ASKED, account)
    webhooks.emit_thin(CHANGED, account, {"updated_capability": TRANSFERS})
    return account


@route("POST /v2/core/account_links", "v2.core._account_link_create_params.AccountLinkCreateParams")
def create_link(request: Request) -> Row:
    params = request.params
    account = one("v2.core.account", params["account"], "account")
    use = params["use_case"]
    flow = use["type"]
    if flow not in use:
        raise invalid(f"use_case.{flow} is required.", f"use_case.{flow}", "parameter_missing")
    for name in ("refresh_url", "return_url"):
        if not str(use[flow].get(name) or "https://").startswith(("http://", "https://")):
            raise invalid(f"{name} is not a URL.", f"use_case.{flow}.{name}", "url_invalid")
    token = random_id("", 32)
    store.put(
        "account_link",
        {"account": account["id"], "use": use[flow], "expires": clock.exact() + LINK_LIVES, "used": False},
        token,
    )
    link = blank(
        "v2.core.account_link",
        None,
        account=account["id"],
        created=clock.iso(clock.exact()),
        expires_at=clock.iso(clock.exact() + LINK_LIVES),
        livemode=False,
        url=page(f"/setup/e/{account['id']}/{token}"),
        use_case=use,
    )
    return link
