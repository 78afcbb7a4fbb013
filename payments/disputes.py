"""Disputes: a backer asked their bank for the money back, and the platform is debited until it wins (S-68).

`record_dispute` is the one door. What Stripe says of a dispute is whole, so that what we do depends on its last word
only: doubles, any order and events that never came end the same. Money follows the dispute's own balance transactions,
each posted once; who bears the loss follows its status.
"""

from datetime import UTC, datetime
from uuid import UUID, uuid5

import sqlalchemy as sa
import structlog

from core import money
from core.db import db, transaction
from core.mail import post as post_mail
from payments import charging
from payments.alerts import alert
from payments.gateway_disputes import DisputeNews, Entry, read_dispute
from payments.hooks import dispute_changed
from payments.ledger import Account, post, reverse
from payments.models import Dispute, DisputeMove, DisputeStatus, Payment, PaymentState
from payments.reversals import reverse_for

log = structlog.get_logger()
D = DisputeStatus
INQUIRIES = (D.WARNING_NEEDS_RESPONSE, D.WARNING_UNDER_REVIEW, D.WARNING_CLOSED)  # a question; no money was taken
OPEN = (D.NEEDS_RESPONSE, D.UNDER_REVIEW, D.APPEAL_NEEDS_RESPONSE, D.APPEAL_UNDER_REVIEW)
ANSWERABLE = (D.WARNING_NEEDS_RESPONSE, D.NEEDS_RESPONSE, D.APPEAL_NEEDS_RESPONSE)
CLOSED = (D.WARNING_CLOSED, D.WON, D.LOST, D.PREVENTED)
LOSSES = (D.LOST, D.PREVENTED)  # when the money is still away, it stays away
_NEXT = {
    D.WARNING_NEEDS_RESPONSE: {D.WARNING_UNDER_REVIEW, D.WARNING_CLOSED, D.NEEDS_RESPONSE},
    D.WARNING_UNDER_REVIEW: {D.WARNING_NEEDS_RESPONSE, D.WARNING_CLOSED, D.NEEDS_RESPONSE},
    D.WARNING_CLOSED: {D.NEEDS_RESPONSE},
    D.NEEDS_RESPONSE: {D.UNDER_REVIEW, D.WON, D.LOST, D.PREVENTED},
    D.UNDER_REVIEW: {D.NEEDS_RESPONSE, D.WON, D.LOST, D.PREVENTED},
    D.WON: {D.LOST, D.APPEAL_NEEDS_RESPONSE},
    D.LOST: {D.WON, D.APPEAL_NEEDS_RESPONSE},
    D.APPEAL_NEEDS_RESPONSE: {D.APPEAL_UNDER_REVIEW, D.WON, D.LOST},
    D.APPEAL_UNDER_REVIEW: {D.APPEAL_NEEDS_RESPONSE, D.WON, D.LOST},
    D.PREVENTED: set(),
}


def _reachable(start: DisputeStatus) -> set[DisputeStatus]:
    found, edge = {start}, [start]
    while edge:
        fresh = _NEXT[edge.pop()] - found
        found |= fresh
        edge.extend(fresh)
    return found


_AHEAD = {status: _reachable(status) for status in D}


class Doubtful(Exception):
    """This answer of Stripe would go back in time: it was overtaken on its way. Ask once more."""


def hear_of_dispute(stripe_id: str) -> bool:
    """News of a dispute: read it, and record what it is now. False when its payment is not (yet) ours."""
    news = read_dispute(stripe_id)
    payment = payment_of(news.intent_id, news.charge_id)
    if payment is None:
        return False
    if payment.state is not PaymentState.SUCCEEDED and payment.stripe_id:
        charging.hear_of_payment(payment.stripe_id)  # the dispute was faster than the charge
    try:
        return record_dispute(news)
    except Doubtful:
        log.info("dispute read again", dispute=stripe_id, status=news.status)
        return record_dispute(read_dispute(stripe_id), sure=True)


def record_dispute(news: DisputeNews, *, by_id: UUID | None = None, sure: bool = False) -> bool:
    """The one door for news of a dispute: reply, webhook and reconciliation. False when its payment is not known.

    Moves the row, posts the ledger, takes back from the creator, mails and tells the rooms above, in one transaction.
    An answer that is older than what stands here changes nothing.
    """
    with transaction() as session:
        payment = payment_of(news.intent_id, news.charge_id, lock=True)
        if payment is None or payment.state is not PaymentState.SUCCEEDED:
            return False
        dispute = session.scalar(sa.select(Dispute).where(Dispute.stripe_id == news.stripe_id)
                                 .with_for_update().execution_options(populate_existing=True))
        status, is_new = D(news.status), dispute is None
        if dispute is None:
            dispute = Dispute(stripe_id=news.stripe_id, payment_id=payment.id, project_id=payment.project_id,
                              amount=news.amount, currency=news.currency, status=status, opened_at=news.opened_at,
                              held=0, fee=0)
            session.add(dispute)
            session.flush()
            _moved(dispute, None, status, by_id)
        else:
            if dispute.read_at and news.asked_at < dispute.read_at:
                return True
            if status not in _AHEAD[dispute.status] and not sure:
                raise Doubtful
        changed = _take(dispute, news, status, by_id) or is_new
        dispute.read_at = news.asked_at
        session.flush()
        for entry in news.entries:
            changed |= _book(dispute, payment, entry)
        changed |= _bear(dispute, payment)
        if is_new and status not in CLOSED:
            alert("dispute_opened", dedupe=str(dispute.id), dispute_id=dispute.id, amount=dispute.amount,
                  currency=dispute.currency, is_inquiry=int(status in INQUIRIES))
        if changed:
            dispute.changed_at = session.scalar(sa.text("SELECT clock_now()")) or datetime.now(UTC)
            session.flush()
            dispute_changed.send(dispute)
    return True


def payment_of(intent_id: str | None, charge_id: str, *, lock: bool = False) -> Payment | None:
    """Whose charge it is. The lock is the payment's: refunds, transfers and all disputes of one payment go one after
    the other."""
    known = [Payment.charge_id == charge_id]
    if intent_id:  # compared with nothing, it would be every payment that Stripe does not know
        known.append(Payment.stripe_id == intent_id)
    query = sa.select(Payment).where(sa.or_(*known))
    if lock:
        query = query.with_for_update(key_share=True)
    return db.session.scalar(query.execution_options(populate_existing=True))


def _moved(dispute: Dispute, was: str | None, now: str, by_id: UUID | None) -> None:
    db.session.add(DisputeMove(dispute_id=dispute.id, project_id=dispute.project_id, from_status=was, to_status=now,
                               by_id=by_id))


def _take(dispute: Dispute, news: DisputeNews, status: DisputeStatus, by_id: UUID | None) -> bool:
    """Write what Stripe says into the row; whether anything differs."""
    held = -sum(entry.amount for entry in news.entries)
    moment = db.session.scalar(sa.text("SELECT clock_now()"))
    before = (dispute.status, dispute.held, dispute.fee, dispute.amount, dispute.reason, dispute.evidence_due_at)
    if dispute.status is not status:
        _moved(dispute, dispute.status, status, by_id)
        dispute.status = status
    dispute.amount, dispute.reason, dispute.evidence_due_at = news.amount, news.reason, news.due_at
    dispute.held, dispute.is_withdrawn = held, held > 0
    dispute.fee = sum(entry.fee for entry in news.entries)
    if news.submissions and dispute.evidence_sent_at is None:
        dispute.evidence_sent_at = moment
    dispute.closed_at = (dispute.closed_at or moment) if status in CLOSED else None
    return before != (dispute.status, dispute.held, dispute.fee, dispute.amount, dispute.reason, dispute.evidence_due_at)


def _book(dispute: Dispute, payment: Payment, entry: Entry) -> bool:
    """Post one balance transaction, once: the sum is held by Stripe, the fee is the creator's."""
    taken = entry.amount < 0
    if not post("dispute", entry.stripe_id, entry.currency, [
            (Account.DISPUTES_HELD, -entry.amount, "dispute"),
            (Account.CREATOR_PAYABLE, entry.fee, "dispute fee"),
            (Account.STRIPE_AVAILABLE, entry.amount - entry.fee, "dispute"),
    ], project_id=payment.project_id, subject_id=payment.subject_id, part="withdrawn" if taken else "reinstated"):
        return False
    if entry.fee > 0:
        reverse_for(payment.id, entry.fee, uuid5(dispute.id, entry.stripe_id))
    post_mail("payments/dispute_frozen" if taken else "payments/dispute_returned", dedupe=entry.stripe_id,
              dispute_id=dispute.id)
    return True


_LOSSES = sa.text("""
    SELECT t.part, -sum(e.amount) AS amount, count(*) OVER () AS so_far,
           EXISTS (SELECT 1 FROM ledger_transaction r WHERE r.reverses_id = t.id) AS is_reversed
      FROM ledger_transaction t JOIN ledger_entry e ON e.transaction_id = t.id AND e.account = 'disputes_held'
     WHERE t.kind = 'dispute' AND t.external_id = :dispute AND t.reverses_id IS NULL
     GROUP BY t.id, t.part""")


def _bear(dispute: Dispute, payment: Payment) -> bool:
    """A lost sum is the creator's and, in its part, the platform's; a win after a loss takes that back."""
    rows = db.session.execute(_LOSSES, {"dispute": dispute.stripe_id}).all()
    booked = next((row for row in rows if not row.is_reversed), None)
    lost = dispute.held if dispute.status in LOSSES else 0
    if (int(booked.amount) if booked else 0) == lost:
        return False
    if booked:
        reverse("dispute", dispute.stripe_id, booked.part, "dispute won after all")
    if lost > 0:
        number = len(rows) + 1
        back = _fee_back(payment)
        post("dispute", dispute.stripe_id, dispute.currency, [
            (Account.CREATOR_PAYABLE, lost - back, "dispute lost"),
            (Account.PLATFORM_FEE, back, "dispute lost"),
            (Account.DISPUTES_HELD, -lost, "dispute lost"),
        ], project_id=payment.project_id, subject_id=payment.subject_id, part=f"lost:{number}")
        # Each loss is a cause of its own: the second one, after a win, takes back again.
        reverse_for(payment.id, lost - back, dispute.id if number == 1 else uuid5(dispute.id, f"lost:{number}"))
        post_mail("payments/dispute_lost", dedupe=str(number), dispute_id=dispute.id)
    return True


_SHARES = sa.text("""
    SELECT (SELECT coalesce(sum(held), 0) FROM dispute WHERE payment_id = :payment AND status IN ('lost', 'prevented')) AS lost,
           coalesce(-sum(e.amount), 0) AS kept
      FROM ledger_transaction t JOIN ledger_entry e ON e.transaction_id = t.id AND e.account = 'platform_fee'
     WHERE t.subject_id = :subject""")


def _fee_back(payment: Payment) -> int:
    """What the platform gives up of its share now that this much is gone, refunded or lost, this loss included: in
    proportion, half up, so that a payment that is gone wholly gives back the last cent of it (C-30)."""
    row = db.session.execute(_SHARES, {"payment": payment.id, "subject": payment.subject_id}).one()
    fee, gone = money.share(payment.amount, payment.fee_bp), payment.refunded + row.lost
    due = (2 * fee * min(gone, payment.amount) + payment.amount) // (2 * payment.amount)
    return max(0, int(due - (fee - row.kept)))


# What others ask ------------------------------------------------------------------------------------

# Also before the money is gone, since it will be; not after a loss, which the creator bears already.
HELD_BACK = """coalesce(sum(CASE WHEN status IN ('lost', 'prevented') THEN 0 WHEN held > 0 THEN held
    WHEN status IN ('needs_response', 'under_review', 'appeal_needs_response', 'appeal_under_review') THEN amount
    ELSE 0 END), 0)"""
_OPEN_AMOUNT = sa.text(f"SELECT {HELD_BACK} FROM dispute WHERE payment_id = :payment")  # noqa: S608 -- a constant of ours
_OPEN_AMOUNTS = sa.text(f"SELECT payment_id, {HELD_BACK} AS amount FROM dispute WHERE project_id = :project GROUP BY 1")  # noqa: S608


def open_amount(payment_id: UUID) -> int:
    """What is not to be paid out of this payment: disputed and not decided. An inquiry holds nothing back."""
    return int(db.session.scalar(_OPEN_AMOUNT, {"payment": payment_id}) or 0)


def open_amounts(project_id: UUID) -> dict[UUID, int]:
    """The same for every payment of a project that has such a sum."""
    return {row.payment_id: int(row.amount) for row in db.session.execute(_OPEN_AMOUNTS, {"project": project_id}) if row.amount}


def is_open(payment_id: UUID) -> bool:
    """Whether the bank has this payment in hand, or has taken it: nothing is refunded then, or it would be paid twice.

    An inquiry still allows a refund, which ends it; so does a dispute that was won.
    """
    return bool(db.session.scalar(sa.select(sa.exists().where(
        Dispute.payment_id == payment_id, sa.or_(Dispute.status.in_(OPEN), Dispute.held > 0)))))
