"""Saving a card: Stripe's form, and what came of it. Nothing is charged here."""

import hashlib
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import sqlalchemy as sa
import structlog
from flask_babel import gettext as _

from core.db import ask, db, transaction
from core.errors import Unavailable
from core.jobs import every
from payments import gateway
from payments.hooks import card_saved
from payments.models import CardSetup, CardSetupState, StripeCustomer

log = structlog.get_logger()
SESSION_MINUTES = 31  # Stripe keeps a session for 30 minutes at least; ours ends with the hold, by our own hand


# Our row for one visit to Stripe's form (0021_placing); it is committed before Stripe hears of it.
_FORM = sa.text("SELECT form_id, form_url, form_at, customer_id FROM open_card_form(:subject, :project, :person, :currency)")
_NEW_CUSTOMER = sa.text("""
    INSERT INTO stripe_customer (person_id, stripe_id) VALUES (:person, :stripe) ON CONFLICT DO NOTHING""")
_OPENED = sa.text("UPDATE card_setup SET session_id = :session, url = :url WHERE id = :id")


@dataclass(frozen=True)
class Form:
    """That row: `url` when it is open already, `customer_id` when Stripe knows the person."""

    id: UUID
    url: str | None
    created_at: datetime
    customer_id: str | None


def new_customer(person: Any, person_id: UUID) -> str:
    """Tell Stripe of this person, once: the key is the person as they are called now, so a crash makes no second one, and
    a name that changed since is not refused as another request under the same key (S-06)."""
    email, name = person.email, person.name
    called = hashlib.sha256(f"{email}\0{name}".encode()).hexdigest()[:12]
    made = gateway.create_customer(key=f"customer:{person_id}:{called}", email=email, name=name, person_id=str(person_id))
    ask(_NEW_CUSTOMER, person=person_id, stripe=made)
    return made


def open_card_form(*, subject_id: UUID, project_id: UUID, person: Any, currency: str, description: str, locale: str,
                   return_url: str, cancel_url: str, form: Form | None = None) -> str:
    """The address of Stripe's form for this subject; the one already open, if there is one. Unavailable if Stripe is.

    `return_url` gets `?session_id=` with what Stripe fills in. `form` is our row, where it was made with the subject.
    """
    person_id = sa.inspect(person).identity[0]  # known without reading the row anew after a commit
    if form is None:
        [row] = ask(_FORM, subject=subject_id, project=project_id, person=person_id, currency=currency)
        form = Form(row.form_id, row.form_url, row.form_at, row.customer_id)
    if form.url:
        return form.url
    try:
        news = gateway.open_setup(
            key=f"cs:{form.id}", customer_id=form.customer_id or new_customer(person, person_id), currency=currency,
            subject_id=str(subject_id), project_id=str(project_id),
            success_url=return_url + "?session_id={CHECKOUT_SESSION_ID}", cancel_url=cancel_url,
            expires_at=form.created_at + timedelta(minutes=SESSION_MINUTES), description=description[:200], locale=locale)
    except gateway.Silence as error:
        log.warning("stripe is silent", call="checkout", code=error.code)
        if isinstance(error, gateway.Resting):
            raise Unavailable(_("The card form rests for a minute: Stripe did not answer lately. Your pledge is kept, and "
                                "nothing was charged.")) from error
        raise Unavailable(_("The card form does not answer just now. Your pledge is kept; try again in a minute. "
                            "Nothing was charged.")) from error
    ask(_OPENED, session=news.session_id, url=news.url, id=form.id)
    return news.url or cancel_url


def settle_card(session_id: str, news: gateway.SetupNews | None = None) -> CardSetup | None:
    """The one door for news of a card form: return page, webhook and sweep all end here, and twice is once (S-22).

    What counts is what Stripe says now: complete, succeeded, a card, and the customer we sent (S-21).
    """
    setup = db.session.scalar(sa.select(CardSetup).where(CardSetup.session_id == session_id))
    if setup is None:
        return None
    if setup.state is not CardSetupState.OPEN:
        return setup
    setup_id, person_id = setup.id, setup.person_id
    customer = db.session.scalar(sa.select(StripeCustomer.stripe_id).where(StripeCustomer.person_id == person_id))
    news = news or gateway.read_setup(session_id)
    with transaction() as session:
        setup = session.get_one(CardSetup, setup_id, with_for_update=True, populate_existing=True)
        if setup.state is not CardSetupState.OPEN:
            return setup
        if news.status == "complete" and news.setup_status == "succeeded" and news.card \
                and news.customer_id == customer and news.subject_id == str(setup.subject_id):
            card = news.card
            setup.state = CardSetupState.COMPLETE
            setup.completed_at = session.scalar(sa.text("SELECT clock_now()"))
            setup.payment_method_id, setup.card_fingerprint = card.payment_method_id, card.fingerprint
            setup.address_digest = card.address
            setup.card_brand, setup.card_last4, setup.card_exp = card.brand, card.last4, card.exp
            session.flush()
            card_saved.send(setup)
        elif news.status == "expired":
            setup.state = CardSetupState.EXPIRED
    return setup


def close_card_form(subject_id: UUID) -> bool:
    """End the open form of this subject, or take its card if it was just completed; True when a card came in.

    Gateway errors pass: whoever frees stock because of a closed form must be sure that it is closed.
    """
    row = db.session.execute(sa.text("""
        SELECT id, session_id FROM card_setup WHERE subject_id = :subject AND state = 'open' AND session_id IS NOT NULL
         ORDER BY created_at DESC LIMIT 1"""), {"subject": subject_id}).first()
    db.session.rollback()
    if row is None:
        return False
    news = gateway.expire_setup(row.session_id, key=f"cx:{row.id}")
    setup = settle_card(row.session_id, news if news.status == "expired" else None)
    return setup is not None and setup.state is CardSetupState.COMPLETE


_OPEN = sa.text("""
    SELECT session_id FROM card_setup
     WHERE state = 'open' AND session_id IS NOT NULL AND created_at < clock_now() - interval '5 seconds'
       AND (created_at > clock_now() - interval '15 minutes' OR extract(minute FROM clock_timestamp())::int % 5 = 0)
     ORDER BY created_at DESC LIMIT 25""")


@every(5, "payments:settle_open_cards", lane="stripe")
def settle_open_cards() -> int:
    """Ask Stripe about forms that are open for a while, so that a lost webhook costs seconds, not the pledge (S-22).

    Young ones are asked often and old ones seldom; after an hour they are over.
    """
    rows = ask(_OPEN)
    db.session.rollback()
    settled = 0
    for row in rows:
        try:
            setup = settle_card(row.session_id)
            settled += setup is not None and setup.state is not CardSetupState.OPEN
        except gateway.GatewayError as error:
            log.warning("card form not read", code=error.code, status=error.status)
            if isinstance(error, gateway.Silence):
                break
    return settled
