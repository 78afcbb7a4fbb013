"""Accounts that creators are paid out to: opened, looked at, never trusted by a return address (S-60, S-61, S-72)."""

from datetime import timedelta
from typing import Any
from uuid import UUID

import sqlalchemy as sa
import structlog
from flask import current_app
from flask_babel import gettext as _

from core import clock
from core.db import ask, db, transaction
from core.errors import BadInput, Unavailable
from core.jobs import defer, every, task
from core.mail import post
from payments import gateway
from payments.models import PayoutAccount
from projects.models import Project, ProjectState

log = structlog.get_logger()
FRESH = timedelta(seconds=60)  # how long one look at an account is good for before a transfer
# Stripe lets transfers cross borders within this corridor; elsewhere platform and creator must be in one country (S-72).
EEA = ("AT", "BE", "BG", "HR", "CY", "CZ", "DK", "EE", "FI", "FR", "DE", "GR", "HU", "IE", "IS", "IT", "LI", "LV", "LT",
       "LU", "MT", "NL", "NO", "PL", "PT", "RO", "SK", "SI", "ES", "SE")
CORRIDOR = frozenset((*EEA, "GB", "CH", "US", "CA"))
COUNTRIES = (*EEA, "CH", "GB", "US", "CA", "AU", "JP")
# What a bank account of a country takes besides euros, which all of Europe does; the others take their own alone.
_OWN = {"CZ": "CZK", "DK": "DKK", "NO": "NOK", "PL": "PLN", "SE": "SEK", "CH": "CHF", "LI": "CHF", "GB": "GBP", "US": "USD",
        "CA": "CAD", "AU": "AUD", "JP": "JPY"}


def account_of(person_id: UUID) -> PayoutAccount | None:
    return db.session.get(PayoutAccount, person_id)


def countries(platform: str | None = None) -> tuple[str, ...]:
    """Where an account may be that this platform can transfer to."""
    platform = platform or current_app.config["PLATFORM_COUNTRY"]
    if platform in CORRIDOR:
        return tuple(country for country in COUNTRIES if country in CORRIDOR)
    return (platform,)


def currencies(country: str) -> tuple[str, ...]:
    """What an account of this country can be paid in without a change of money (C-31)."""
    own = _OWN.get(country)
    if country in EEA or country in ("CH", "GB"):
        return (own, "EUR") if own else ("EUR",)
    return (own,) if own else ()


def obstacle(account: PayoutAccount | None, currency: str) -> str:
    """Why this account cannot be paid the money of a project in this currency; empty when it can (S-72)."""
    if account is None:
        return ""
    if account.country not in countries():
        return _("This site cannot pay out to an account in that country.")
    if currency not in (taken := currencies(account.country)):
        return _("Your account is paid in %(taken)s, and this project asks for %(currency)s. Choose another currency for "
                 "the project.", taken=_(" or ").join(taken), currency=currency)
    return ""


def onboarding(person: Any, country: str, return_url: str, refresh_url: str) -> str:
    """A fresh address of Stripe's page where this creator says who they are; redirect to it at once.

    A link works once, so each press of the button is an act of its own, counted in a committed row: the number is the
    key (S-04). The address itself is neither kept nor logged (S-61).
    """
    person_id, email, name = person.id, person.email, person.name
    with transaction() as session:
        account = session.get(PayoutAccount, person_id, with_for_update=True, populate_existing=True)
        if account is None:
            if country not in countries():
                raise BadInput(_("Choose the country of the account that is paid out to."), "country")
            account = PayoutAccount(person_id=person_id, country=country, links=0)
            session.add(account)
        account.links += 1
        stripe_id, country, number = account.stripe_id, account.country, account.links
    try:
        if stripe_id is None:
            news = gateway.create_account(key=f"acct:{person_id}", email=email, name=name, country=country,
                                          person_id=str(person_id))
            stripe_id = news.stripe_id
            _note(person_id, news)
        return gateway.onboarding_url(stripe_id, key=f"link:{person_id}:{number}",
                                      return_url=return_url, refresh_url=refresh_url)
    except gateway.GatewayError as error:
        log.error("onboarding failed", code=error.code, status=error.status)
        raise Unavailable(_("Stripe does not answer just now. Nothing was changed; try again in a minute.")) from error


def refresh_account(person_id: UUID) -> bool:
    """Ask Stripe how this account stands and keep the answer; True when it may receive transfers."""
    stripe_id = db.session.scalar(sa.select(PayoutAccount.stripe_id).where(PayoutAccount.person_id == person_id))
    if stripe_id is None:
        return False
    news = gateway.read_account(stripe_id)
    _note(person_id, news)
    return news.is_active


def refresh_by_stripe_id(stripe_id: str) -> bool:
    person_id = db.session.scalar(sa.select(PayoutAccount.person_id).where(PayoutAccount.stripe_id == stripe_id))
    if person_id is None:
        return False
    refresh_account(person_id)
    return True


_LOOKED = sa.text("SELECT is_active FROM payout_account WHERE person_id = :person AND stripe_id IS NOT NULL "
                  "AND checked_at BETWEEN clock_now() - :fresh AND clock_now()")


def is_ready(person_id: UUID) -> bool:
    """May this creator receive a transfer now? By what Stripe said a minute ago at most (S-60)."""
    known = db.session.scalar(_LOOKED, {"person": person_id, "fresh": FRESH})
    return refresh_account(person_id) if known is None else bool(known)


def destination_of(project_id: UUID) -> str:
    """The account that a project's money goes to."""
    return str(db.session.scalars(sa.select(PayoutAccount.stripe_id).join(
        Project, Project.creator_id == PayoutAccount.person_id).where(Project.id == project_id)).one())


def look_before_launch(project: Project) -> None:
    """Hooked to projects.launch_asked: the checklist goes by what Stripe says now, not by what it once said (S-60)."""
    person_id = project.creator_id
    try:
        refresh_account(person_id)
    except gateway.GatewayError as error:
        log.warning("account not read before a launch", code=error.code)
        raise Unavailable(_("Stripe does not say just now whether you can be paid out. Nothing was launched; try again "
                            "in a minute.")) from error


def follow_close(project: Project, funded: bool) -> None:
    """Hooked to projects.project_closed, in its transaction: look again at the account that will be paid out to."""
    if funded:
        defer("payments:check_account", person_id=str(project.creator_id))


@task("payments:check_account", queue="money")
def check_account(person_id: str) -> None:
    """Look at an account at its project's deadline; a creator who cannot be paid is told now, not on day 14."""
    if not refresh_account(UUID(person_id)):
        with transaction():
            _tell(UUID(person_id), f"deadline-{clock.now():%Y-%m-%d}")


_MONEY = (ProjectState.LIVE, ProjectState.SUCCESSFUL)


def _tell(person_id: UUID, dedupe: str) -> None:
    """Mail a creator whose account cannot be paid, when a project of theirs waits for it."""
    if db.session.scalar(sa.select(sa.exists().where(Project.creator_id == person_id, Project.state.in_(_MONEY)))):
        post("payments/account_stopped", dedupe=dedupe, person_id=person_id)


def _note(person_id: UUID, news: gateway.AccountNews) -> None:
    with transaction() as session:
        account = session.get_one(PayoutAccount, person_id, with_for_update=True, populate_existing=True)
        was = account.is_active
        account.stripe_id, account.is_active, account.wanted = news.stripe_id, news.is_active, news.wanted
        account.checked_at = session.scalar(sa.text("SELECT clock_now()"))
        session.flush()
        if was and not news.is_active:
            _tell(person_id, account.checked_at.isoformat())
        if news.is_active and not was:  # payouts that waited for this go on at the next tick
            session.execute(sa.text("""
                UPDATE payout_run r SET next_at = clock_now() FROM project p
                 WHERE p.id = r.project_id AND p.creator_id = :person AND r.why = 'account'"""), {"person": person_id})


_UNFINISHED = sa.text("""
    SELECT a.person_id FROM payout_account a WHERE a.stripe_id IS NOT NULL AND (
           (NOT a.is_active AND a.created_at > clock_now() - interval '1 day'
            AND (a.checked_at IS NULL OR a.checked_at < clock_now() - interval '30 seconds'))
        OR (coalesce(a.checked_at, a.created_at) < clock_now() - interval '1 day' AND EXISTS (
            SELECT 1 FROM project p WHERE p.creator_id = a.person_id AND p.state IN ('live', 'successful')
               AND p.deadline > clock_now() - interval '120 days')))
     ORDER BY a.checked_at NULLS FIRST LIMIT 20""")


@every(30, "payments:refresh_accounts", lane="stripe")
def refresh_unfinished() -> None:
    """Look again at accounts that are being opened, and daily at those that a project counts on, in case the news did
    not reach us."""
    people = ask(_UNFINISHED)
    db.session.rollback()
    for row in people:
        try:
            refresh_account(row.person_id)
        except gateway.GatewayError:
            return
