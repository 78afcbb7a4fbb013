"""Sending money back: never more than came, never while a bank decides, each refund one row with one key (S-65 to S-69).

The order is the safety: row, pending ledger and job in one transaction; the claim, committed; the call; what came of it,
through one door. A refund without an answer is neither done nor failed: it is looked for at Stripe before anything is
sent again.
"""

from typing import Any
from uuid import UUID

import sqlalchemy as sa
import structlog
from flask_babel import gettext as _
from sqlalchemy.exc import IntegrityError

from core import money
from core.audit import note as write_down
from core.crash import crashpoint
from core.db import ask, transaction
from core.errors import BadInput, Refusal, Unavailable
from core.jobs import defer, every, task
from payments import gateway_refunds, ledger, reversals, safety
from payments.alerts import alert
from payments.disputes import is_open
from payments.gateway import GatewayError, Silence
from payments.gateway_refunds import RefundNews
from payments.hooks import refund_changed
from payments.ledger import Account
from payments.models import Payment, PaymentState, Refund, RefundState, StripeCustomer
from payments.refund_news import PAYMENT_FIRST, hear_of_refund, record_refund, tell_staff

log = structlog.get_logger()
R = RefundState
# Why money goes back; the last two are said by staff's own pages only.
REASONS = ("change", "delay", "credit", "overpaid", "asked", "admin", "other")
KNOWN_REASONS = (*REASONS, "fraud", "duplicate")
_STRIPES_WORDS = {"asked": "requested_by_customer", "fraud": "fraudulent", "duplicate": "duplicate"}
OPEN = (R.CREATED, R.UNKNOWN, R.PENDING, R.REQUIRES_ACTION)


def fee_back(fee: int, whole: int, gone: int, amount: int, given: int) -> int:
    """The part of the platform's share that goes back with `amount`, when `gone` went back before and `given` of the
    share with it: in proportion, half up, so that the last refund gives back the last cent of it (C-30)."""
    due = (2 * fee * (gone + amount) + whole) // (2 * whole)
    return max(0, due - given)


def ask_refund(payment_id: UUID, amount: int | None, reason: str, *, lines: list[Any] | None = None, note: str = "",
               by_id: UUID | None = None) -> Refund:
    """Decide that so much goes back to the backer; without an amount all that is left. Stripe is told by a job.

    Refusal when it cannot be; what is too much is refused by the database itself, however many ask at once (S-67).
    """
    if reason not in KNOWN_REASONS:
        raise BadInput(_("Choose one of these reasons."), "reason")
    try:
        with transaction() as session:
            payment = session.get(Payment, payment_id, with_for_update=True, populate_existing=True)
            if payment is None or payment.state is not PaymentState.SUCCEEDED:
                raise Refusal(_("Nothing was charged here, so there is nothing to refund."))
            if is_open(payment_id):
                raise Refusal(_("The backer's bank decides about this payment; nothing can be refunded meanwhile."))
            left = payment.amount - payment.refunded
            amount = left if amount is None else amount
            if not left:
                raise Refusal(_("All of this payment was refunded already."))
            if amount < 1:
                raise BadInput(_("Write an amount above zero."), "amount")
            given = session.scalar(sa.select(sa.func.coalesce(sa.func.sum(Refund.fee_back), 0)).where(
                Refund.payment_id == payment_id, Refund.state.not_in((R.FAILED, R.CANCELED)),
                Refund.duplicate_charge_id.is_(None)))
            share = fee_back(money.share(payment.amount, payment.fee_bp), payment.amount, payment.refunded, amount,
                             int(given or 0))
            refund = Refund(payment_id=payment_id, project_id=payment.project_id, amount=amount, fee_back=share,
                            currency=payment.currency, reason=reason, lines=lines or [], note=note, by_id=by_id)
            session.add(refund)
            session.flush()  # the trigger counts it, the CHECK refuses what is too much
            session.expire(payment, ["refunded"])
            ledger.pend("refund", str(refund.id), payment.currency, [
                (Account.CREATOR_PAYABLE, amount - share, "refund"), (Account.PLATFORM_FEE, share, "share given back"),
                (Account.REFUNDS_PAYABLE, -amount, "refund")],
                project_id=payment.project_id, subject_id=payment.subject_id)
            reversals.reverse_for(payment_id, amount - share, refund.id)
            _announce(refund)
    except IntegrityError as error:
        if "refunded_within_amount" not in str(error.orig):
            raise
        raise BadInput(_("That is more than is left of this payment."), "amount") from error
    return refund


def _announce(refund: Refund) -> None:
    """In the transaction that made it: written down, queued, told to the rooms above."""
    write_down("payments:ask_refund", "refund", refund.id, by_id=refund.by_id, project_id=refund.project_id,
               payment=str(refund.payment_id), amount=refund.amount, currency=refund.currency, reason=refund.reason)
    defer("payments:send_refund", refund_id=str(refund.id))
    refund_changed.send(refund)
    crashpoint("within-refund")


def refund_duplicate(payment_id: UUID, charge_id: str, amount: int, by_id: UUID | None = None) -> Refund:
    """Send back a second charge that should never have been, beside the payment: the pledge and what may be refunded
    of it stay as they are (S-67). The charge is looked at first; asked twice, it is the same refund, unless that failed."""
    try:
        charge = gateway_refunds.read_charge(charge_id)
    except Silence as error:
        raise Unavailable(_("Stripe does not answer just now. Nothing was changed; try again in a minute.")) from error
    except GatewayError as error:
        raise Refusal(_("Stripe does not know this charge.")) from error
    with transaction() as session:
        payment = session.get_one(Payment, payment_id, with_for_update=True, populate_existing=True)
        known = session.scalar(sa.select(Refund).where(Refund.duplicate_charge_id == charge_id,
                                                       Refund.state.not_in((R.FAILED, R.CANCELED))))
        if known is not None:
            return known
        ours = session.scalar(sa.select(StripeCustomer.stripe_id).where(StripeCustomer.person_id == payment.person_id))
        if charge_id == payment.charge_id or not charge.is_paid or charge.stripe_person != ours \
                or session.scalar(sa.select(sa.exists().where(Payment.charge_id == charge_id))):
            raise Refusal(_("This charge is not a second one for the same pledge."))
        if charge.currency != payment.currency or not 0 < amount <= charge.amount - charge.refunded:
            raise BadInput(_("That is more than is left of this charge."), "amount")
        project_id, subject_id = payment.project_id, payment.subject_id
        # It came in although nobody was to pay it: it is owed to the backer, and its fee is the platform's loss.
        ledger.post("duplicate", charge_id, payment.currency, [
            (Account.STRIPE_PENDING, charge.amount - (charge.fee or 0), "second charge"),
            (Account.STRIPE_FEES, charge.fee or 0, "its processing fee"),
            (Account.BACKER_RECEIVABLE, -charge.amount, "second charge")],
            project_id=project_id, subject_id=subject_id)
        refund = Refund(payment_id=payment_id, project_id=payment.project_id, amount=amount, currency=payment.currency,
                        reason="duplicate", duplicate_charge_id=charge_id, by_id=by_id)
        session.add(refund)
        session.flush()
        ledger.pend("refund", str(refund.id), payment.currency, [
            (Account.BACKER_RECEIVABLE, amount, "second charge"), (Account.REFUNDS_PAYABLE, -amount, "refund")],
            project_id=project_id, subject_id=subject_id)
        _announce(refund)
    return refund


# One at a time for a payment (S-13). The claim is committed before the call; nobody takes it over for two minutes (C-20).
_CLAIM = sa.text("""
    WITH due AS (
        SELECT id, state FROM refund r WHERE id = :id
           AND (state = 'created' OR (state = 'unknown' AND changed_at < clock_now() - interval '2 minutes')
                OR (state IN ('pending', 'requires_action') AND changed_at < clock_now() - interval '1 hour'))
           AND NOT EXISTS (SELECT 1 FROM refund o WHERE o.payment_id = r.payment_id AND o.id <> r.id
                              AND o.state = 'unknown' AND o.changed_at >= clock_now() - interval '2 minutes')
           FOR UPDATE),
    taken AS (
        UPDATE refund r SET state = CASE due.state WHEN 'created' THEN 'unknown' ELSE due.state END, changed_at = clock_now()
          FROM due WHERE r.id = due.id
        RETURNING r.id, r.project_id, r.payment_id, r.amount, r.reason, r.stripe_id, r.duplicate_charge_id, due.state AS was),
    moved AS (
        INSERT INTO refund_move (refund_id, project_id, from_state, to_state, why)
        SELECT id, project_id, 'created', 'unknown', 'sent' FROM taken WHERE was = 'created')
    SELECT taken.*, p.stripe_id AS payment_stripe_id FROM taken JOIN payment p ON p.id = taken.payment_id""")


def _claim(refund_id: UUID) -> Any:
    with transaction() as session:
        session.execute(PAYMENT_FIRST, {"id": refund_id})
        return session.execute(_CLAIM, {"id": refund_id}).first()


def send_refund(refund_id: UUID) -> bool:
    """Tell Stripe, or go on where an earlier run stopped; safe to repeat at any time. True when something became known.

    What was sent before is looked for first, by Stripe's list: a key may be forgotten after a day, and then the same
    request would be a second refund (S-10, S-11).
    """
    try:
        safety.require_open()
    except safety.MoneySafe:
        return False
    claimed = _claim(refund_id)
    if claimed is None:
        return False
    try:
        news = (_known_at_stripe(claimed) if claimed.was != "created" else None) or _create(claimed)
    except Silence:
        log.warning("refund without an answer", refund=str(refund_id))
        return False
    except GatewayError as error:  # about us, not about this refund
        log.error("refund not understood", refund=str(refund_id), code=error.code, status=error.status)
        tell_staff("refund_stuck", refund_id)
        return False
    changed = record_refund(refund_id, news)
    crashpoint("after-refund-outcome")
    return changed


def _create(claimed: Any) -> RefundNews:
    """Ask Stripe for it. A refusal of the request is an answer: it did not happen and never will under this row."""
    crashpoint("before-refund")
    try:
        news = gateway_refunds.create_refund(
            key=f"re:{claimed.id}", refund_id=str(claimed.id), amount=claimed.amount,
            payment_stripe_id=claimed.payment_stripe_id, charge_id=claimed.duplicate_charge_id,
            reason=_STRIPES_WORDS.get(claimed.reason))
    except Silence:
        raise
    except GatewayError as error:
        if gateway_refunds.says_nothing(error):
            raise
        news = RefundNews(None, "failed", claimed.amount, "", None, str(claimed.id), error.code or "refused")
    crashpoint("after-refund")
    return news


def _known_at_stripe(claimed: Any) -> RefundNews | None:
    """The refund that Stripe has under our id, if any."""
    if claimed.stripe_id:
        return gateway_refunds.read_refund(claimed.stripe_id)
    found = gateway_refunds.list_refunds(payment_stripe_id=claimed.payment_stripe_id, charge_id=claimed.duplicate_charge_id)
    return next((news for news in found if news.ours == str(claimed.id)), None)


@task("payments:send_refund", queue="money", retry=3)
def send_refund_job(refund_id: str) -> None:
    send_refund(UUID(refund_id))


_DUE = sa.text("""
    SELECT r.id, r.state = 'unknown' AND r.created_at < clock_now() - interval '15 minutes' AS is_late FROM refund r
     WHERE r.state IN ('created', 'unknown', 'pending', 'requires_action')
       AND r.changed_at < clock_now() - CASE r.state WHEN 'created' THEN interval '20 seconds'
                                                     WHEN 'unknown' THEN interval '2 minutes' ELSE interval '1 hour' END
       AND NOT EXISTS (SELECT 1 FROM procrastinate_jobs j WHERE j.task_name = 'payments:send_refund'
                          AND j.args->>'refund_id' = r.id::text
                          AND (j.status = 'doing' OR (j.status = 'todo' AND coalesce(j.scheduled_at <= now(), true))))
     ORDER BY r.changed_at LIMIT 200""")


@every(20, "payments:resend_refunds")
def resend_refunds() -> int:
    """See that every refund whose job died, or whose answer never came, has a job again (C-20). Doubles do no harm."""
    rows = ask(_DUE)
    with transaction():
        for row in rows:
            defer("payments:send_refund", refund_id=str(row.id))
            if row.is_late:
                alert("refund_stuck", dedupe=str(row.id), refund=row.id)
    return len(rows)


__all__ = ["KNOWN_REASONS", "OPEN", "REASONS", "ask_refund", "fee_back", "hear_of_refund", "record_refund",
           "refund_duplicate", "resend_refunds", "send_refund"]
