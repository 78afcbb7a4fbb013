"""Early fraud warnings: a card network fears fraud, and four of five become disputes (S-70).

Staff decide within a day: refund, which is what we suggest, or keep. Until then the payment is held: nothing should be
sent to this backer. Creators and backers read neutral words only.
"""

from uuid import UUID

import sqlalchemy as sa
from flask_babel import gettext as _

from core.audit import note
from core.db import ask, db, transaction
from core.errors import BadInput, Refusal
from core.jobs import every
from payments import charging, refunds
from payments.alerts import alert
from payments.disputes import INQUIRIES, is_open, payment_of
from payments.gateway_disputes import WarningNews, read_warning
from payments.hooks import warning_changed
from payments.models import Dispute, FraudWarning, Payment, PaymentState, Refund

HOURS = 24  # to decide
REFUND, KEEP = "refund", "keep"
OVERTAKEN = "overtaken"  # a dispute was opened, or all of it went back, before anybody decided


def hear_of_warning(stripe_id: str) -> bool:
    """News of a warning: read it and record. False when its payment is not (yet) ours."""
    news = read_warning(stripe_id)
    payment = payment_of(news.intent_id, news.charge_id)
    if payment is not None and payment.state is not PaymentState.SUCCEEDED and payment.stripe_id:
        charging.hear_of_payment(payment.stripe_id)
    return record_warning(news)


def record_warning(news: WarningNews) -> bool:
    """The one door: makes the row once and tells staff at once; later news can only end what waits."""
    with transaction() as session:
        payment = payment_of(news.intent_id, news.charge_id, lock=True)
        if payment is None or payment.state is not PaymentState.SUCCEEDED:
            return False
        warning = session.scalar(sa.select(FraudWarning).where(FraudWarning.stripe_id == news.stripe_id)
                                 .with_for_update().execution_options(populate_existing=True))
        if warning is not None:
            if warning.is_actionable and not news.is_actionable:
                warning.is_actionable = False
                session.flush()
                warning_changed.send(warning)
            return True
        warning = FraudWarning(
            stripe_id=news.stripe_id, payment_id=payment.id, project_id=payment.project_id, fraud_type=news.fraud_type,
            is_actionable=news.is_actionable and payment.refunded < payment.amount and not is_open(payment.id),
            decide_until=session.scalar(sa.text("SELECT clock_now() + make_interval(hours => :h)"), {"h": HOURS}))
        session.add(warning)
        session.flush()
        if warning.is_actionable:
            alert("fraud_warning", dedupe=str(warning.id), warning_id=warning.id,
                  amount=payment.amount - payment.refunded, currency=payment.currency)
        warning_changed.send(warning)
    return True


def decide(warning_id: UUID, decision: str, by_id: UUID) -> FraudWarning:
    """Refund all that is left of the payment, or keep it; once, and written down."""
    if decision not in (REFUND, KEEP):
        raise BadInput(_("Choose whether to refund this charge or to keep it."), "decision")
    with transaction() as session:
        payment_id = session.scalar(sa.select(FraudWarning.payment_id).where(FraudWarning.id == warning_id))
        payment = session.get_one(Payment, payment_id, with_for_update={"key_share": True}, populate_existing=True)
        warning: FraudWarning = session.get_one(FraudWarning, warning_id, with_for_update=True, populate_existing=True)
        if warning.decision is not None:
            raise Refusal(_("This was decided already. Look at the list again."))
        if not warning.is_actionable:
            raise Refusal(_("There is nothing left to decide: the charge was refunded or the bank has it in hand."))
        left = payment.amount - payment.refunded
        _end(warning, decision, by_id, left)
        if decision == REFUND:
            refunds.ask_refund(payment.id, None, "fraud", by_id=by_id)
    return warning


def _end(warning: FraudWarning, decision: str, by_id: UUID | None, amount: int) -> None:
    warning.decision, warning.decided_by_id = decision, by_id
    warning.decided_at = db.session.scalar(sa.text("SELECT clock_now()"))
    note("payments:decide_warning", "fraud_warning", warning.id, by_id=by_id, project_id=warning.project_id,
         decision=decision, amount=amount)
    db.session.flush()
    warning_changed.send(warning)


def follow_dispute(dispute: Dispute) -> None:
    """Hooked to dispute_changed: what was feared has happened, so nothing is left to decide."""
    if dispute.status not in INQUIRIES:
        _overtake(dispute.payment_id)


def follow_refund(refund: Refund) -> None:
    """Hooked to refund_changed: the same when everything is on its way back."""
    if db.session.scalar(sa.select(Payment.refunded >= Payment.amount).where(Payment.id == refund.payment_id)):
        _overtake(refund.payment_id)


def _overtake(payment_id: UUID) -> None:
    for warning in db.session.scalars(sa.select(FraudWarning).where(
            FraudWarning.payment_id == payment_id, FraudWarning.decision.is_(None)).with_for_update()):
        _end(warning, OVERTAKEN, None, 0)


def is_held(payment_id: UUID) -> bool:
    """No fulfilment until decided: whether a warning of this payment waits for a decision."""
    return bool(db.session.scalar(sa.select(sa.exists().where(
        FraudWarning.payment_id == payment_id, FraudWarning.decision.is_(None), FraudWarning.is_actionable))))


_LATE = sa.text("""
    SELECT w.id, p.amount - p.refunded AS amount, p.currency FROM fraud_warning w JOIN payment p ON p.id = w.payment_id
     WHERE w.decision IS NULL AND w.is_actionable AND w.decide_until < clock_now() LIMIT 200""")


@every(60, "payments:watch_warnings")
def watch_warnings() -> int:
    """Tell staff once more of every warning that nobody decided in time; it stays marked until they do."""
    late = ask(_LATE)
    with transaction():
        for row in late:
            alert("fraud_warning_late", dedupe=str(row.id), warning_id=row.id, amount=row.amount, currency=row.currency)
    return len(late)
