"""Taking back from the creator's account what went back to a backer: a row and a key of its own (S-65, S-71).

Too little on the creator's account is a debt of the creator's, booked and shown, and asked for again every day.
"""

import contextlib
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

import sqlalchemy as sa
import structlog

from core.crash import crashpoint
from core.db import ask, db, transaction
from core.i18n import show_money
from core.jobs import defer, every, task
from payments import gateway_transfers as gateway
from payments import ledger, safety
from payments.alerts import alert, alert_kind
from payments.gateway import GatewayError, Silence
from payments.gateway_refunds import says_nothing
from payments.ledger import Account
from payments.models import Payment, Reversal, Transfer, TransferState

log = structlog.get_logger()
T = TransferState
KEY_LIVES = timedelta(hours=20)  # Stripe forgets keys after 24 hours; beyond this we look before we send (S-10)
HELD = timedelta(minutes=2)  # longer than one call can take with its retries

_WAITING = sa.text("""
    SELECT coalesce(sum(amount), 0) FROM transfer_reversal r
     WHERE r.transfer_id = ANY(:transfers) AND r.state IN ('created', 'unknown')
       AND NOT EXISTS (SELECT 1 FROM ledger_transaction d WHERE d.kind = 'debt' AND d.external_id = r.id::text)""")
_BACK = sa.text("SELECT coalesce(sum(amount), 0) FROM transfer_reversal WHERE transfer_id = :transfer "
                "AND (state = 'succeeded' OR next_at IS NOT NULL)")  # not what was let go
_ASK = sa.text("""
    INSERT INTO transfer_reversal (transfer_id, project_id, cause_id, amount, currency, next_at)
    VALUES (:transfer, :project, :cause, :amount, :currency, clock_now())
    ON CONFLICT (transfer_id, cause_id) DO NOTHING RETURNING id""")


def reverse_for(payment_id: UUID, amount: int, cause_id: UUID) -> int:
    """Inside the transaction of a refund or a lost dispute, AFTER its ledger entries: ask back from the creator what was
    transferred of this payment and is not covered by what they are still owed for it, at most `amount` (the creator's
    part: less what the platform gives up of its share).

    Writes the rows and queues the jobs; returns the sum asked back, 0 when nothing was transferred. Twice for the same
    cause is once.
    """
    session = db.session
    payment = session.get_one(Payment, payment_id, with_for_update={"key_share": True}, populate_existing=True)
    transfers = session.scalars(
        sa.select(Transfer).where(Transfer.payment_id == payment_id).order_by(Transfer.id.desc())
        .with_for_update().execution_options(populate_existing=True)).all()
    done = session.scalar(sa.select(sa.func.sum(Reversal.amount)).where(
        Reversal.cause_id == cause_id, Reversal.transfer_id.in_([t.id for t in transfers])))
    if done:
        return int(done)
    live = [t for t in transfers if not _call_off(t)]
    session.flush()
    waiting = int(session.scalar(_WAITING, {"transfers": [t.id for t in live]}) or 0)
    left = min(amount, -ledger.payable(payment.subject_id) - waiting)
    asked = 0
    for one in live:
        part = min(left - asked, one.amount - int(session.scalar(_BACK, {"transfer": one.id}) or 0))
        if part <= 0:
            continue
        row_id = session.scalar(_ASK, {"transfer": one.id, "project": one.project_id, "cause": cause_id,
                                       "amount": part, "currency": one.currency})
        if row_id:
            asked += part
            defer("payments:send_reversal", reversal_id=str(row_id))
            crashpoint("within-reversal")
    return asked


def _call_off(transfer: Transfer) -> bool:
    """A transfer that Stripe refused is not sent again: the payout makes a new one of what is still owed then."""
    if transfer.state is not T.FAILED:
        return False
    if transfer.next_at is not None:
        ledger.void("transfer", str(transfer.id))
        transfer.next_at, transfer.failure = None, "called off"
    return True


@dataclass(frozen=True)
class _Held:
    id: UUID
    transfer: str | None  # tr_…
    amount: int
    tries: int
    is_old: bool  # sent so long ago that Stripe may have forgotten the key


# A row is held for two minutes by whoever sends it; a refused one is a new try, with a new key.
_HOLD = sa.text("""
    WITH due AS (
        SELECT r.id, r.state, t.stripe_id AS transfer FROM transfer_reversal r JOIN transfer t ON t.id = r.transfer_id
         WHERE r.id = :id AND r.state IN ('created', 'unknown', 'failed') AND r.next_at <= clock_now()
           FOR UPDATE OF r SKIP LOCKED)
    UPDATE transfer_reversal r
       SET next_at = clock_now() + CASE WHEN due.transfer IS NULL THEN interval '10 minutes' ELSE :held END,
           state = CASE WHEN due.state = 'failed' THEN 'created' ELSE due.state END,
           tries = r.tries + (due.state = 'failed')::int,
           sent_at = CASE WHEN due.state = 'failed' OR r.sent_at IS NULL THEN clock_now() ELSE r.sent_at END
      FROM due WHERE r.id = due.id
    RETURNING r.id, due.transfer, r.amount, r.tries, r.sent_at < clock_now() - :lives AS is_old""")


@task("payments:send_reversal", queue="money")
def send_reversal(reversal_id: str) -> None:
    """Send one reversal that is due, or go on where an earlier run stopped."""
    with contextlib.suppress(safety.MoneySafe):  # as soon as money moves again, the watch brings it back
        send(UUID(reversal_id))


def send(reversal_id: UUID) -> bool:
    """True when it is settled; False when it is not due, waits for its transfer, or stays without an answer."""
    safety.require_open()
    with transaction() as session:
        row = session.execute(_HOLD, {"id": reversal_id, "held": HELD, "lives": KEY_LIVES}).first()
    if row is None or row.transfer is None:
        return False
    held = _Held(*row)
    assert held.transfer is not None
    crashpoint("before-reversal")
    try:
        news = _find(held.transfer, reversal_id) if held.is_old else None
        news = news or gateway.create_reversal(held.transfer, key=f"trr:{held.id}:{held.tries}", amount=held.amount,
                                               row_id=str(held.id))
    except Silence:
        _unknown(held)
        return False
    except GatewayError as refused:
        if says_nothing(refused):  # of us: an earlier request under this key may have been executed all the same (S-09)
            log.error("reversal not understood", reversal=str(held.id), code=refused.code, status=refused.status)
            _unknown(held)
        else:
            record_refusal(held.id, held.tries, refused.code or str(refused.status))
        return False
    crashpoint("after-reversal")
    record_reversal(held.id, news)
    crashpoint("after-reversal-outcome")
    return True


def _find(transfer: str, reversal_id: UUID) -> gateway.ReversalNews | None:
    return next((one for one in gateway.reversals_of(transfer) if one.row_id == str(reversal_id)), None)


def _unknown(held: _Held) -> None:
    with transaction() as session:
        session.execute(sa.text("UPDATE transfer_reversal SET state = 'unknown', changed_at = clock_now() "
                                "WHERE id = :id AND state = 'created' AND tries = :tries"),
                        {"id": held.id, "tries": held.tries})


def _locked(session: Any, reversal_id: UUID) -> tuple[Reversal, UUID]:
    row = session.get_one(Reversal, reversal_id, with_for_update=True, populate_existing=True)
    subject = session.scalar(sa.select(Payment.subject_id).join(Transfer, Transfer.payment_id == Payment.id)
                             .where(Transfer.id == row.transfer_id))
    return row, subject


def _owes(session: Any, reversal_id: UUID) -> bool:
    """Is this reversal booked as a debt?"""
    return bool(session.scalar(sa.text("""
        SELECT 1 FROM ledger_transaction d WHERE kind = 'debt' AND external_id = :id AND reverses_id IS NULL
           AND NOT EXISTS (SELECT 1 FROM ledger_transaction r WHERE r.reverses_id = d.id)"""), {"id": str(reversal_id)}))


def record_reversal(reversal_id: UUID, news: gateway.ReversalNews) -> bool:
    """The one door for a reversal that came about: reply, webhook and look-up; second news changes nothing."""
    with transaction() as session:
        row, subject = _locked(session, reversal_id)
        if row.state is T.SUCCEEDED:
            return False
        if news.amount != row.amount:
            raise AssertionError(f"reversal {reversal_id}: {news.amount} came back, not {row.amount}")
        row.state, row.stripe_id, row.failure, row.next_at = T.SUCCEEDED, news.stripe_id, None, None
        row.changed_at = session.scalar(sa.text("SELECT clock_now()"))
        back = Account.CREATOR_DEBT if _owes(session, reversal_id) else Account.CREATOR_PAYABLE
        ledger.post("reversal", str(row.id), row.currency, [
            (Account.STRIPE_AVAILABLE, row.amount, "reversal"), (back, -row.amount, "reversal")],
            project_id=row.project_id, subject_id=subject)
    return True


def record_refusal(reversal_id: UUID, tries: int, code: str) -> bool:
    """Stripe said no: the creator owes it from now on, once; tried again tomorrow."""
    with transaction() as session:
        row, subject = _locked(session, reversal_id)
        if row.state is T.SUCCEEDED or row.tries != tries:
            return False
        row.state, row.failure = T.FAILED, code
        row.changed_at = session.scalar(sa.text("SELECT clock_now()"))
        row.next_at = row.changed_at + timedelta(days=1)
        if not _owes(session, reversal_id):
            ledger.post("debt", str(row.id), row.currency, [
                (Account.CREATOR_DEBT, row.amount, "reversal refused"),
                (Account.CREATOR_PAYABLE, -row.amount, "reversal refused")],
                project_id=row.project_id, subject_id=subject)
        kind = "payments:creator_debt" if code == "balance_insufficient" else "payments:reversal_refused"
        alert(kind, dedupe=f"{row.id}:{code}", amount=str(row.amount), currency=row.currency, code=code)
    log.warning("reversal refused", reversal=str(reversal_id), code=code)
    return True


@alert_kind("payments:creator_debt")
def _debt_words(facts: dict[str, str]) -> tuple[str, str]:
    from flask_babel import gettext as _

    return _("A creator's account has too little to give back %(money)s that went to a backer. It is booked as a debt "
             "of the creator and asked for again every day.",
             money=show_money(int(facts["amount"]), facts["currency"])), "/platform/books"


@alert_kind("payments:reversal_refused")
def _refused_words(facts: dict[str, str]) -> tuple[str, str]:
    from flask_babel import gettext as _

    return _("Stripe refused to take %(money)s back from a creator's account (%(code)s). It is booked as a debt of the "
             "creator.", money=show_money(int(facts["amount"]), facts["currency"]), code=facts["code"]), "/platform/books"


_DUE_NOW = sa.text("""
    SELECT r.id FROM transfer_reversal r
     WHERE r.state IN ('created', 'unknown', 'failed') AND r.next_at <= clock_now() AND NOT EXISTS (
           SELECT 1 FROM procrastinate_jobs j WHERE j.task_name = 'payments:send_reversal'
              AND j.status IN ('todo', 'doing') AND j.args->>'reversal_id' = r.id::text)
     ORDER BY r.next_at LIMIT 200""")


@every(30, "payments:watch_reversals")
def watch_reversals() -> int:
    """See that every reversal that is due has a job: new ones, those without an answer, debts once a day."""
    due = ask(_DUE_NOW)
    with transaction():
        for row in due:
            defer("payments:send_reversal", reversal_id=str(row.id))
    return len(due)
