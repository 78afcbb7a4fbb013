"""A charge failed: mails, timed tries, one more on the last day, then dropped (S-33); and the backer's own ways out."""

from uuid import UUID

import sqlalchemy as sa
from flask import current_app
from flask_babel import gettext as _

from backing.collecting import collect_one
from backing.dropping import drop
from backing.models import Pledge, PledgeState
from core.db import ask, db, transaction
from core.errors import Refusal, Unavailable
from core.jobs import every
from core.mail import post
from payments import caps, charging, safety
from payments.gateway import GatewayError


def authenticate(pledge: Pledge, return_url: str) -> str | None:
    """The bank wants to see the backer: confirm the same intent while they are here (S-32).

    Returns where to send the browser; None when it is paid already or the bank said no at once.
    """
    if pledge.state is not PledgeState.ERRORED or pledge.payment_id is None or pledge.card is None:
        raise Refusal(_("There is nothing to mend on this pledge."))
    payment_id, method, title = pledge.payment_id, pledge.card.payment_method_id, pledge.project.title
    if not caps.may_try(method or "", automatic=False):
        raise Refusal(_("This card was tried as often as it may be. Use another card; nothing was charged."))
    try:
        outcome = charging.charge(payment_id, method or "", title, return_url=return_url)
    except safety.MoneySafe as error:  # not their bank, and not for a minute only
        raise Unavailable(_("All payments of this site are paused while its books are checked. Nothing was charged and "
                            "your reward stays yours; try again later today.")) from error
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


# What is due of an errored charge, by the virtual clock. While its run is paused, time stands still for it (S-38); while
# its bank is asked, or shows the backer its page, nobody else tries.
_DUE = sa.text("""
    SELECT * FROM (
        SELECT g.id, g.reminders, g.last_try_at, g.fix_until <= clock_now() AS is_over, g.fix_until,
               g.retry_at <= clock_now() AND y.is_idle AS is_timed,
               g.fix_until - clock_now() < interval '24 hours' AND g.last_try_at IS NULL AND y.is_idle
                   AND y.decline_class IS DISTINCT FROM 'authenticate' AS is_last,
               floor(extract(epoch FROM clock_now() - coalesce(g.fix_from, g.fix_until - make_interval(days => :days))) / 172800)::int AS due
          FROM pledge g JOIN collection_run r ON r.project_id = g.project_id AND r.state <> 'paused'
          LEFT JOIN LATERAL (
               SELECT decline_class, state NOT IN ('confirming', 'unknown', 'processing')
                      AND NOT (state = 'requires_action' AND changed_at > clock_now() - interval '1 hour') AS is_idle
                 FROM payment WHERE id = g.payment_id) y ON true
         WHERE g.state = 'errored') errored
     WHERE is_over OR is_timed OR is_last OR due > reminders
     ORDER BY fix_until LIMIT 200""")


@every(20, "backing:tend_errored", lane="mending")
def tend_errored() -> int:
    """Mail every 48 hours, try again when the refusal's kind says so and once more on the last day, drop at the end; each
    once (S-33, S-35). A bank that wants to see the backer is not asked again without them (S-32).

    In money-safe mode nothing is: neither we nor the backer could mend anything, so nobody is let go for it (O-03)."""
    try:
        safety.require_open()
    except safety.MoneySafe:
        return 0
    rows = ask(_DUE, days=current_app.config["FIX_DAYS"])
    db.session.rollback()
    for row in rows:
        if row.is_last and _mark_try(row.id, _LAST_TRY):
            collect_one(row.id)
        elif row.is_over:
            drop(row.id, "not mended in time")
        elif row.is_timed and _mark_try(row.id, _TIMED_TRY):
            collect_one(row.id)
        elif row.due > row.reminders:
            _remind(row.id, row.due)
    return len(rows)


_LAST_TRY = sa.text("UPDATE pledge SET last_try_at = clock_now(), retry_at = NULL "
                    "WHERE id = :id AND state = 'errored' AND last_try_at IS NULL RETURNING 1")
_TIMED_TRY = sa.text("UPDATE pledge SET retry_at = NULL "
                     "WHERE id = :id AND state = 'errored' AND retry_at <= clock_now() RETURNING 1")


def _mark_try(pledge_id: UUID, mark: sa.TextClause) -> bool:
    """The mark is written before the try, so that a crash makes it none, not two."""
    with transaction() as session:
        return session.execute(mark, {"id": pledge_id}).first() is not None


def _remind(pledge_id: UUID, number: int) -> None:
    with transaction() as session:
        if session.execute(sa.text("UPDATE pledge SET reminders = :n WHERE id = :id AND state = 'errored' "
                                   "AND reminders < :n RETURNING 1"), {"id": pledge_id, "n": number}).first():
            post("backing/card_problem", dedupe=f"reminder-{number}", pledge_id=pledge_id)
