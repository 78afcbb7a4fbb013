"""A charge failed: mails, one automatic retry on the last day, then dropped (S-33); and the backer's own ways out."""

from uuid import UUID

import sqlalchemy as sa
from flask import current_app
from flask_babel import gettext as _

from backing.collecting import collect_one, drop
from backing.models import Pledge, PledgeState
from core.db import db, transaction
from core.errors import Refusal, Unavailable
from core.jobs import every
from core.mail import post
from payments import charging
from payments.gateway import GatewayError


def authenticate(pledge: Pledge, return_url: str) -> str | None:
    """The bank wants to see the backer: confirm the same intent while they are here (S-32).

    Returns where to send the browser; None when it is paid already or the bank said no at once.
    """
    if pledge.state is not PledgeState.ERRORED or pledge.payment_id is None or pledge.card is None:
        raise Refusal(_("There is nothing to mend on this pledge."))
    payment_id, method, title = pledge.payment_id, pledge.card.payment_method_id, pledge.project.title
    try:
        outcome = charging.charge(payment_id, method or "", title, return_url=return_url)
    except GatewayError as error:
        raise Unavailable(_("Your bank's page does not answer just now. Nothing was charged; try again in a "
                            "minute.")) from error
    return outcome.redirect_url if outcome and outcome.status == "requires_action" else None


def returned(pledge: Pledge) -> None:
    """Back from the bank: what counts is what Stripe says of our own intent, not what the address says."""
    if pledge.payment is not None and pledge.payment.stripe_id:
        stripe_id = pledge.payment.stripe_id
        db.session.rollback()
        charging.hear_of_payment(stripe_id)


@every(20, "backing:tend_errored")
def tend_errored() -> int:
    """Mail every 48 hours, try once more on the last day, drop at the end; by the virtual clock, deduped."""
    days = current_app.config["FIX_DAYS"]
    rows = db.session.execute(sa.text("""
        SELECT * FROM (
            SELECT id, reminders, last_try_at, fix_until <= clock_now() AS is_over,
                   fix_until - clock_now() < interval '24 hours' AS is_last_day, fix_until,
                   floor(extract(epoch FROM clock_now() - (fix_until - make_interval(days => :days))) / 172800)::int AS due
              FROM pledge WHERE state = 'errored') errored
         WHERE is_over OR (is_last_day AND last_try_at IS NULL) OR (NOT is_last_day AND due > reminders)
         ORDER BY fix_until LIMIT 200"""), {"days": days}).all()
    db.session.rollback()
    for row in rows:
        if row.is_last_day and row.last_try_at is None and _mark_last_try(row.id):
            collect_one(row.id)
        elif row.is_over:
            drop(row.id, "not mended in time")
        elif not row.is_last_day:
            _remind(row.id, row.due)
    return len(rows)


def _mark_last_try(pledge_id: UUID) -> bool:
    """The mark is written before the try, so that a crash makes it none, not two."""
    with transaction() as session:
        return session.execute(sa.text(
            "UPDATE pledge SET last_try_at = clock_now() WHERE id = :id AND last_try_at IS NULL RETURNING 1"),
            {"id": pledge_id}).first() is not None


def _remind(pledge_id: UUID, number: int) -> None:
    with transaction() as session:
        if session.execute(sa.text("UPDATE pledge SET reminders = :n WHERE id = :id AND state = 'errored' "
                                   "AND reminders < :n RETURNING 1"), {"id": pledge_id, "n": number}).first():
            post("backing/card_problem", dedupe=f"reminder-{number}", pledge_id=pledge_id)
