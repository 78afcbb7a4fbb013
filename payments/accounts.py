"""Accounts that creators are paid out to: opened, looked at, never trusted by a return address (S-60, S-61)."""

import secrets
from datetime import timedelta
from typing import Any
from uuid import UUID

import sqlalchemy as sa
import structlog
from flask_babel import gettext as _

from core.db import db, transaction
from core.errors import BadInput, Unavailable
from core.jobs import every
from payments import gateway
from payments.models import PayoutAccount

log = structlog.get_logger()
# Where the platform's own account may pay out to; a European instance's list, like Stripe's for one in the EEA.
COUNTRIES = ("AT", "BE", "BG", "HR", "CY", "CZ", "DK", "EE", "FI", "FR", "DE", "GR", "HU", "IE", "IT", "LV", "LT", "LU",
             "MT", "NL", "NO", "PL", "PT", "RO", "SK", "SI", "ES", "SE", "CH", "GB", "US", "CA", "AU", "JP")


def account_of(person_id: UUID) -> PayoutAccount | None:
    return db.session.get(PayoutAccount, person_id)


def onboarding(person: Any, country: str, return_url: str, refresh_url: str) -> str:
    """A fresh address of Stripe's page where this creator says who they are; redirect to it at once."""
    if country not in COUNTRIES:
        raise BadInput(_("Choose the country of the account that is paid out to."), "country")
    person_id, email, name = person.id, person.email, person.name
    with transaction() as session:
        account = session.get(PayoutAccount, person_id)
        if account is None:
            account = PayoutAccount(person_id=person_id, country=country)
            session.add(account)
        stripe_id, country = account.stripe_id, account.country
    try:
        if stripe_id is None:
            news = gateway.create_account(key=f"acct:{person_id}", email=email, name=name, country=country,
                                          person_id=str(person_id))
            stripe_id = news.stripe_id
            _note(person_id, news)
        # A link works once, so each press of the button is an act of its own; nothing is charged by making two.
        return gateway.onboarding_url(stripe_id, key=f"link:{person_id}:{secrets.token_hex(8)}",
                                      return_url=return_url, refresh_url=refresh_url)
    except gateway.GatewayError as error:
        log.error("onboarding failed", code=error.code, status=error.status)
        raise Unavailable(_("Stripe does not answer just now. Nothing was changed; try again in a minute.")) from error


def refresh_account(person_id: UUID) -> bool:
    """Ask Stripe how this account stands and keep the answer; True when it may receive transfers."""
    account = account_of(person_id)
    if account is None or account.stripe_id is None:
        return False
    news = gateway.read_account(account.stripe_id)
    _note(person_id, news)
    return news.is_active


def refresh_by_stripe_id(stripe_id: str) -> bool:
    person_id = db.session.scalar(sa.select(PayoutAccount.person_id).where(PayoutAccount.stripe_id == stripe_id))
    if person_id is None:
        return False
    refresh_account(person_id)
    return True


def _note(person_id: UUID, news: gateway.AccountNews) -> None:
    with transaction() as session:
        account = session.get_one(PayoutAccount, person_id, with_for_update=True, populate_existing=True)
        account.stripe_id, account.is_active, account.wanted = news.stripe_id, news.is_active, news.wanted
        account.checked_at = session.scalar(sa.text("SELECT clock_now()"))


@every(30, "payments:refresh_accounts")
def refresh_unfinished() -> None:
    """Look again at accounts that are being opened, in case the news did not reach us."""
    people = db.session.scalars(sa.select(PayoutAccount.person_id).where(
        PayoutAccount.stripe_id.is_not(None), PayoutAccount.is_active.is_(False),
        PayoutAccount.created_at > sa.text("clock_now() - interval '1 day'"),
        sa.or_(PayoutAccount.checked_at.is_(None),
               PayoutAccount.checked_at < sa.func.clock_now() - timedelta(seconds=30))).limit(20)).all()
    db.session.rollback()
    for person_id in people:
        try:
            refresh_account(person_id)
        except gateway.GatewayError:
            return
