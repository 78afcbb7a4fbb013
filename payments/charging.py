"""Taking money: one PaymentIntent per subject for life, every confirm written down before it is sent (S-30, S-31).

The order is the safety: row, commit, create, commit its id and the attempt, confirm, `record_outcome`. Killed anywhere,
the next run finds how far it came and goes on with the same keys.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

import sqlalchemy as sa
import structlog

from core import money
from core.crash import crashpoint
from core.db import db, transaction
from payments import gateway
from payments.declines import decline_class
from payments.hooks import payment_changed
from payments.ledger import Account, post
from payments.models import Payment, PaymentState

log = structlog.get_logger()
S = PaymentState
KEY_LIVES = timedelta(hours=20)  # Stripe forgets keys after 24 hours; beyond this we read before we send (S-10)


@dataclass(frozen=True)
class Due:
    """One amount to be taken from one card."""

    subject_id: UUID
    project_id: UUID
    person_id: UUID
    amount: int
    currency: str
    fee_bp: int


_OPEN = sa.text("""
    WITH wanted AS (
        SELECT * FROM unnest(CAST(:subjects AS uuid[]), CAST(:projects AS uuid[]), CAST(:persons AS uuid[]),
                             CAST(:amounts AS bigint[]), CAST(:currencies AS text[]), CAST(:fees AS int[]))
                      AS w(subject_id, project_id, person_id, amount, currency, fee_bp)),
    made AS (
        INSERT INTO payment (subject_id, project_id, person_id, amount, currency, fee_bp)
        SELECT subject_id, project_id, person_id, amount, currency, fee_bp FROM wanted
        ON CONFLICT (subject_id) DO NOTHING RETURNING id, subject_id)
    SELECT id, subject_id FROM made
    UNION ALL
    SELECT payment.id, payment.subject_id FROM payment JOIN wanted USING (subject_id)""")


def open_payments(dues: Iterable[Due]) -> dict[UUID, UUID]:
    """The payment of each subject, made where there is none: subject → payment. Call inside transaction()."""
    dues = list(dues)
    rows = db.session.execute(_OPEN, {
        "subjects": [d.subject_id for d in dues], "projects": [d.project_id for d in dues],
        "persons": [d.person_id for d in dues], "amounts": [d.amount for d in dues],
        "currencies": [d.currency for d in dues], "fees": [d.fee_bp for d in dues]})
    return {row.subject_id: row.id for row in rows}


_READ = sa.text("""
    SELECT p.id, p.project_id, p.subject_id, p.amount, p.currency, p.state, p.stripe_id, p.attempts, c.stripe_id AS customer,
           a.number, a.payment_method_id, a.sent_at, a.answered_at, a.is_on_session, clock_timestamp() AS real_now
      FROM payment p JOIN stripe_customer c ON c.person_id = p.person_id
      LEFT JOIN payment_attempt a ON a.payment_id = p.id AND a.number = p.attempts
     WHERE p.id = :id""")


def charge(payment_id: UUID, payment_method_id: str, description: str, return_url: str | None = None,
           ) -> gateway.Outcome | None:
    """Take this payment from this card, or go on where an earlier run stopped; safe to repeat at any time.

    Returns what Stripe said, already recorded; None when there was nothing to do. Silence passes on, recorded as
    `unknown`: nobody may call that a failure (S-09).
    """
    known = db.session.execute(_READ, {"id": payment_id}).one()
    if known.state == S.SUCCEEDED:
        return None
    stripe_id = known.stripe_id
    if stripe_id is None:
        crashpoint("before-create")
        stripe_id = gateway.create_payment(
            key=f"pi:{payment_id}", amount=known.amount, currency=known.currency, customer_id=known.customer,
            subject_id=str(known.subject_id), project_id=str(known.project_id), description=description)
        crashpoint("after-create")
    # An attempt whose end became known by reading the intent needs no second look: the next try is a new one.
    unanswered = known.number is not None and known.answered_at is None and known.state not in (
        S.FAILED, S.REQUIRES_ACTION)
    if unanswered and known.real_now - known.sent_at > KEY_LIVES:
        outcome = gateway.read_payment(stripe_id)
        if outcome.status not in ("requires_confirmation", "requires_payment_method") or outcome.code:
            record_outcome(payment_id, outcome, number=known.number)
            return outcome
    if unanswered and known.is_on_session == bool(return_url):
        number, method = known.number, known.payment_method_id
    else:
        method = payment_method_id
        number = _begin_attempt(payment_id, stripe_id, method, on_session=bool(return_url))
        if number is None:
            return None
    crashpoint("before-confirm")
    try:
        outcome = gateway.confirm_payment(stripe_id, key=f"cf:{payment_id}:{number}", payment_method_id=method,
                                          return_url=return_url)
    except gateway.Silence:
        _not_known(payment_id)
        raise
    crashpoint("after-confirm")
    record_outcome(payment_id, outcome, number=number)
    crashpoint("after-outcome")
    return outcome


_BEGIN = sa.text("""
    WITH was AS (SELECT id, project_id, state, attempts FROM payment WHERE id = :id AND state <> 'succeeded' FOR UPDATE),
    now AS (
        UPDATE payment p SET stripe_id = :stripe, state = 'confirming', attempts = p.attempts + 1, changed_at = clock_now()
          FROM was WHERE p.id = was.id RETURNING p.id, p.project_id, p.attempts, was.state AS was),
    moved AS (
        INSERT INTO payment_move (payment_id, project_id, from_state, to_state)
        SELECT id, project_id, was, 'confirming' FROM now WHERE was <> 'confirming')
    INSERT INTO payment_attempt (payment_id, project_id, number, payment_method_id, is_on_session, sent_at)
    SELECT id, project_id, attempts, :method, :on_session, clock_timestamp() FROM now
    RETURNING number""")


def _begin_attempt(payment_id: UUID, stripe_id: str, method: str, *, on_session: bool) -> int | None:
    """Commit the intent's id and the attempt before anything is confirmed; None when it succeeded meanwhile."""
    with transaction() as session:
        number = session.scalar(_BEGIN, {"id": payment_id, "stripe": stripe_id, "method": method,
                                         "on_session": on_session})
    return number


def _not_known(payment_id: UUID) -> None:
    with transaction() as session:
        payment = session.get_one(Payment, payment_id, with_for_update=True, populate_existing=True)
        if payment.can_move(S.UNKNOWN):
            payment.move(S.UNKNOWN, why="no answer")


_STATES = {
    "succeeded": S.SUCCEEDED, "processing": S.PROCESSING, "requires_action": S.REQUIRES_ACTION,
    "requires_payment_method": S.FAILED, "canceled": S.FAILED,
}
# Two workers on one payment (C-21): whoever reads that it is paid already did not do it.
_ANSWERED = sa.text("""
    UPDATE payment_attempt SET answered_at = clock_timestamp(), code = :code,
           outcome = CASE WHEN :outcome = 'succeeded' AND EXISTS (
                               SELECT 1 FROM payment_attempt WHERE payment_id = :payment AND outcome = 'succeeded')
                          THEN 'superseded' ELSE CAST(:outcome AS text) END,
           decline_code = :decline, advice_code = :advice, network_decline_code = :network
     WHERE payment_id = :payment AND number = :number AND answered_at IS NULL""")


def record_outcome(payment_id: UUID, outcome: gateway.Outcome, number: int | None = None) -> bool:
    """The one door for news of a payment: reply, webhook and reconciliation; second news changes nothing.

    Moves the payment, posts the ledger, tells the rooms above, all in one transaction. False when nothing changed.
    """
    target = _STATES.get(outcome.status)
    with transaction() as session:
        payment = session.get_one(Payment, payment_id, with_for_update=True, populate_existing=True)
        if number is not None and target is not None:
            session.execute(_ANSWERED, {
                "payment": payment_id, "number": number, "outcome": outcome.status, "code": outcome.code,
                "decline": outcome.decline_code, "advice": outcome.advice_code,
                "network": outcome.network_decline_code})
        if target is None or payment.state is target or not payment.can_move(target):
            return False
        moment = session.scalar(sa.text("SELECT clock_now()"))  # before anything changes, so that all is one UPDATE
        if target is S.FAILED:
            if number is None and payment.state in (S.CREATED, S.CONFIRMING, S.UNKNOWN) and not outcome.code:
                return False  # an intent that nobody confirmed yet also says requires_payment_method
            payment.decline_class = decline_class(outcome.code, outcome.decline_code, outcome.advice_code)
        if target is S.SUCCEEDED:
            if outcome.amount_received != payment.amount:
                raise AssertionError(f"payment {payment_id}: {outcome.amount_received} came, not {payment.amount}")
            payment.charge_id, payment.decline_class = outcome.charge_id, None
        payment.stripe_id = payment.stripe_id or outcome.stripe_id
        payment.changed_at = moment
        payment.move(target, why=outcome.code or "")
        session.flush()
        if target is S.SUCCEEDED:
            _book(payment, outcome.fee or 0)
        payment_changed.send(payment)
    return True


def _book(payment: Payment, processing_fee: int) -> None:
    """A charge in the books: the creator is owed it, less the platform's share and what Stripe keeps.

    The shares are rounded half up and the creator has the rest, so that the parts are the whole (C-30).
    """
    fee = money.share(payment.amount, payment.fee_bp)
    post("charge", payment.charge_id or payment.stripe_id or "", payment.currency, [
        (Account.STRIPE_PENDING, payment.amount, "charge"),
        (Account.CREATOR_PAYABLE, -payment.amount, "charge"),
        (Account.CREATOR_PAYABLE, fee, "platform fee"),
        (Account.PLATFORM_FEE, -fee, "platform fee"),
        (Account.CREATOR_PAYABLE, processing_fee, "processing fee"),
        (Account.STRIPE_PENDING, -processing_fee, "processing fee"),
    ], project_id=payment.project_id, subject_id=payment.subject_id)


def hear_of_payment(stripe_id: str) -> bool:
    """News about an intent: read it and record; False when it is not (yet) ours."""
    payment_id = db.session.scalar(sa.select(Payment.id).where(Payment.stripe_id == stripe_id))
    if payment_id is None:
        return False
    record_outcome(payment_id, gateway.read_payment(stripe_id))
    return True


def call_off(payment_id: UUID) -> bool:
    """Make sure that this payment can never succeed; False when it has, or when Stripe does not say."""
    stripe_id = db.session.scalar(sa.select(Payment.stripe_id).where(Payment.id == payment_id))
    db.session.rollback()
    if stripe_id is None:
        return True
    try:
        outcome = gateway.cancel_payment(stripe_id, key=f"call-off:{payment_id}")
    except gateway.GatewayError as error:
        log.warning("payment not called off", payment=str(payment_id), code=error.code)
        return False
    record_outcome(payment_id, outcome)
    return outcome.status == "canceled"


def resolve_unknown(older_than: timedelta = timedelta(seconds=45)) -> int:
    """Ask Stripe about payments without an answer that nobody works on; returns how many are known now."""
    rows = db.session.execute(sa.text("""
        SELECT p.id, p.stripe_id, p.attempts FROM payment p
         WHERE p.state IN ('confirming', 'unknown', 'processing') AND p.stripe_id IS NOT NULL
           AND p.changed_at < clock_now() - :age ORDER BY p.changed_at LIMIT 50"""), {"age": older_than}).all()
    db.session.rollback()
    known = 0
    for row in rows:
        try:
            known += record_outcome(row.id, gateway.read_payment(row.stripe_id))
        except gateway.Silence:
            break
    return known

