"""Saving a card: Stripe's form, and what came of it. Nothing is charged here."""

from datetime import timedelta
from typing import Any
from uuid import UUID

import sqlalchemy as sa
import structlog
from flask_babel import gettext as _

from core.db import db, transaction
from core.errors import Unavailable
from core.jobs import every
from payments import gateway
from payments.hooks import card_saved
from payments.models import CardSetup, CardSetupState, StripeCustomer

log = structlog.get_logger()
SESSION_MINUTES = 31  # Stripe keeps a session for 30 minutes at least; ours ends with the hold, by our own hand


_CUSTOMER = sa.text("SELECT stripe_id FROM stripe_customer WHERE person_id = :person")
# The open form of this subject, or a new row. A row without a session is one that a crash left: young ones are resumed
# under the same key.
_FORM = sa.text("""
    WITH known AS (
        SELECT id, url, created_at FROM card_setup
         WHERE subject_id = :subject AND state = 'open' AND created_at > clock_now() - interval '30 minutes'
         ORDER BY created_at DESC LIMIT 1),
    made AS (
        INSERT INTO card_setup (subject_id, project_id, person_id, currency)
        SELECT :subject, :project, :person, :currency WHERE NOT EXISTS (
               SELECT 1 FROM known WHERE url IS NOT NULL OR created_at >= clock_now() - interval '45 seconds')
        RETURNING id, created_at)
    SELECT id, url, created_at FROM known WHERE NOT EXISTS (SELECT 1 FROM made)
    UNION ALL SELECT id, NULL, created_at FROM made""")


def customer_of(person: Any) -> str:
    """This person's id at Stripe, made on first use; the key is the person, so a crash makes no second one."""
    person_id = sa.inspect(person).identity[0]  # known without reading the row anew after a commit
    known = db.session.scalar(_CUSTOMER, {"person": person_id})
    if known:
        return str(known)
    email, name = person.email, person.name
    made = gateway.create_customer(key=f"customer:{person_id}", email=email, name=name, person_id=str(person_id))
    with transaction() as session:
        session.execute(sa.text("""INSERT INTO stripe_customer (person_id, stripe_id) VALUES (:person, :stripe)
                                   ON CONFLICT DO NOTHING"""), {"person": person_id, "stripe": made})
    return made


def open_card_form(*, subject_id: UUID, project_id: UUID, person: Any, currency: str, description: str, locale: str,
                   return_url: str, cancel_url: str) -> str:
    """The address of Stripe's form for this subject; the one already open, if there is one. Unavailable if Stripe is.

    `return_url` gets `?session_id=` with what Stripe fills in.
    """
    try:
        return _open(subject_id=subject_id, project_id=project_id, person=person, currency=currency,
                     description=description, locale=locale, return_url=return_url, cancel_url=cancel_url)
    except gateway.Silence as error:
        log.warning("stripe is silent", call="checkout", code=error.code)
        raise Unavailable(_("The card form does not answer just now. Your pledge is kept; try again in a minute. "
                            "Nothing was charged.")) from error


def _open(*, subject_id: UUID, project_id: UUID, person: Any, currency: str, description: str, locale: str,
          return_url: str, cancel_url: str) -> str:
    customer_id = customer_of(person)
    with transaction() as session:
        known = session.execute(_FORM, {"subject": subject_id, "project": project_id, "currency": currency,
                                        "person": sa.inspect(person).identity[0]}).one()
    if known.url:
        return str(known.url)
    news = gateway.open_setup(
        key=f"cs:{known.id}", customer_id=customer_id, currency=currency, subject_id=str(subject_id),
        project_id=str(project_id), success_url=return_url + "?session_id={CHECKOUT_SESSION_ID}",
        cancel_url=cancel_url, expires_at=known.created_at + timedelta(minutes=SESSION_MINUTES),
        description=description[:200], locale=locale)
    with transaction() as session:
        session.execute(sa.text("UPDATE card_setup SET session_id = :session, url = :url WHERE id = :id"),
                        {"session": news.session_id, "url": news.url, "id": known.id})
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


@every(5, "payments:settle_open_cards")
def settle_open_cards() -> int:
    """Ask Stripe about forms that are open for a while, so that a lost webhook costs seconds, not the pledge (S-22).

    Young ones are asked often and old ones seldom; after an hour they are over.
    """
    rows = db.session.execute(sa.text("""
        SELECT session_id FROM card_setup
         WHERE state = 'open' AND session_id IS NOT NULL AND created_at < clock_now() - interval '5 seconds'
           AND (created_at > clock_now() - interval '15 minutes' OR extract(minute FROM clock_timestamp())::int % 5 = 0)
         ORDER BY created_at DESC LIMIT 25""")).all()
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
