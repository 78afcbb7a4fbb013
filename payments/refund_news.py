"""What became of a refund: the one door, whoever brings the news (S-66)."""

from typing import Any
from uuid import UUID

import sqlalchemy as sa
from flask_babel import gettext as _

from core.db import db, transaction
from core.i18n import show_money
from payments import gateway_refunds, ledger
from payments.alerts import alert, alert_kind
from payments.gateway_refunds import RefundNews
from payments.hooks import refund_changed
from payments.ledger import Account
from payments.models import Refund, RefundState

R = RefundState
# The payment's row before the refund's, as everywhere, so that nobody waits in a ring.
PAYMENT_FIRST = sa.text("SELECT 1 FROM payment WHERE id = (SELECT payment_id FROM refund WHERE id = :id) FOR UPDATE")


def record_refund(refund_id: UUID, news: RefundNews) -> bool:
    """The one door for news of a refund: reply, webhook and reconciliation; second news changes nothing.

    Moves it forward, posts the ledger, tells the rooms above, all in one transaction. False when nothing changed.
    """
    with transaction() as session:
        session.execute(PAYMENT_FIRST, {"id": refund_id})
        refund = session.get_one(Refund, refund_id, with_for_update=True, populate_existing=True)
        if news.stripe_id and refund.stripe_id not in (None, news.stripe_id):
            _reopen("refund_twice", refund, news)
            return False
        target = RefundState(news.status) if news.status in set(R) else None
        if target is None or not refund.can_move(target):
            return False
        if news.amount != refund.amount:
            raise AssertionError(f"refund {refund_id}: {news.amount} at Stripe, not {refund.amount}")
        was, moment = refund.state, session.scalar(sa.text("SELECT clock_now()"))
        refund.stripe_id, refund.failure, refund.changed_at = refund.stripe_id or news.stripe_id, news.failure, moment
        refund.move(target, why=news.failure or "")
        session.flush()  # what failed may be refunded again: the trigger gives it back
        _book(refund, was)
        if target in (R.FAILED, R.CANCELED):
            _reopen("refund_failed", refund, news)
        elif target is R.SUCCEEDED:
            session.execute(_MADE_GOOD, {"id": refund.id})
        refund_changed.send(refund)
    return True


def _book(refund: Refund, was: RefundState) -> None:
    key = str(refund.id)
    if refund.state is R.SUCCEEDED:
        ledger.settle("refund", key, [(Account.REFUNDS_PAYABLE, refund.amount, "refund"),
                                      (Account.STRIPE_AVAILABLE, -refund.amount, "refund")])
    elif refund.state in (R.FAILED, R.CANCELED) and was is R.SUCCEEDED:
        ledger.reverse("refund", key, "posted", "the bank sent it back")
        ledger.reverse("refund", key, "pending", "the bank sent it back")
    elif refund.state in (R.FAILED, R.CANCELED):
        ledger.void("refund", key)


# What did not arrive is owed no more once as much went back by later refunds of the same kind.
_MADE_GOOD = sa.text("""
    UPDATE mismatch m SET settled_at = clock_now(), how = 'refunded'
      FROM refund r JOIN refund failed ON failed.payment_id = r.payment_id
                    AND failed.duplicate_charge_id IS NOT DISTINCT FROM r.duplicate_charge_id AND failed.id < r.id
     WHERE r.id = :id AND m.kind = 'refund_failed' AND m.settled_at IS NULL AND m.payment_id = r.payment_id
       AND m.ours->>'refund' = failed.id::text
       AND failed.amount <= (SELECT sum(o.amount) FROM refund o WHERE o.payment_id = r.payment_id AND o.state = 'succeeded'
              AND o.duplicate_charge_id IS NOT DISTINCT FROM r.duplicate_charge_id AND o.id > failed.id)""")
_MISMATCH = sa.text("""
    INSERT INTO mismatch (kind, stripe_id, payment_id, project_id, ours, theirs)
    VALUES (:kind, :stripe, :payment, :project,
            jsonb_build_object('refund', CAST(:id AS text), 'amount', CAST(:amount AS bigint), 'currency', CAST(:currency AS text))
                || CASE WHEN CAST(:duplicate AS text) IS NULL THEN '{}'::jsonb
                        ELSE jsonb_build_object('duplicate', CAST(:duplicate AS text)) END,
            jsonb_build_object('status', CAST(:status AS text), 'failure', CAST(:failure AS text),
                               'amount', CAST(:theirs AS bigint), 'currency', CAST(:currency AS text)))
    ON CONFLICT (kind, stripe_id) WHERE settled_at IS NULL DO UPDATE SET seen_at = clock_now(), theirs = excluded.theirs""")


def _reopen(kind: str, refund: Refund, news: RefundNews) -> None:
    """The backer is owed it again, or has it twice: a line on the worklist of staff, and a mail (S-66)."""
    db.session.execute(_MISMATCH, {
        "kind": kind, "stripe": news.stripe_id or str(refund.id), "payment": refund.payment_id, "id": refund.id,
        "project": refund.project_id, "amount": refund.amount, "currency": refund.currency, "theirs": news.amount,
        "status": news.status, "failure": news.failure, "duplicate": refund.duplicate_charge_id})
    tell_staff(kind, refund.id, amount=refund.amount, currency=refund.currency,
               code=news.failure or news.status)


def tell_staff(kind: str, refund_id: UUID, **facts: Any) -> None:
    with transaction():
        alert(kind, dedupe=str(refund_id), refund=refund_id, **facts)


def hear_of_refund(stripe_id: str) -> bool:
    """News about a refund, or about a charge that was refunded: read and record; False when none of it is ours."""
    news = gateway_refunds.list_refunds(charge_id=stripe_id) if stripe_id.startswith("ch_") else [
        gateway_refunds.read_refund(stripe_id)]
    known = db.session.execute(sa.select(Refund.id, Refund.stripe_id).where(sa.or_(
        Refund.stripe_id.in_([one.stripe_id for one in news]),
        sa.cast(Refund.id, sa.Text).in_([one.ours for one in news if one.ours])))).all()
    db.session.rollback()
    ours = {row.stripe_id or str(row.id): row.id for row in known} | {str(row.id): row.id for row in known}
    found = [(ours.get(one.stripe_id or "") or ours.get(one.ours or ""), one) for one in news]
    for refund_id, one in found:
        if refund_id is not None:
            record_refund(refund_id, one)
    return any(refund_id is not None for refund_id, _news in found)


def _amount(facts: dict[str, str]) -> str:
    return show_money(int(facts["amount"]), facts["currency"])


@alert_kind("refund_failed")
def _failed(facts: dict[str, str]) -> tuple[str, str]:
    return _("A refund of %(amount)s did not reach the backer, who is owed it again. Stripe says: %(code)s",
             amount=_amount(facts), code=facts["code"]), "/platform/worklist"


@alert_kind("refund_twice")
def _twice(facts: dict[str, str]) -> tuple[str, str]:
    return _("Stripe shows two refunds of %(amount)s where we asked for one.", amount=_amount(facts)), "/platform/worklist"


@alert_kind("refund_stuck")
def _stuck(facts: dict[str, str]) -> tuple[str, str]:
    return _("A refund has had no clear answer from Stripe: %(id)s. We keep asking.", id=facts["refund"]), "/platform/worklist"
