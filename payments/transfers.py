"""Paying creators: from day 14 on each payment's share goes to their account, tied to its own charge (S-60 to S-64).

The order is the safety, as with charges: row, pending entries and commit; then the call; then `record_transfer`. Killed
anywhere, the next run takes the row over after two minutes and goes on with the same key.
"""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

import sqlalchemy as sa
import structlog
from flask_babel import gettext as _

from core.crash import crashpoint
from core.db import db, transaction
from core.jobs import defer
from payments import gateway_transfers as gateway
from payments import ledger, owing, reversals, safety
from payments.alerts import alert, alert_kind
from payments.gateway import GatewayError, Silence
from payments.gateway_refunds import says_nothing
from payments.hooks import transfer_changed
from payments.ledger import Account
from payments.models import Reversal, Transfer, TransferState
from payments.reversals import KEY_LIVES, reverse_for

log = structlog.get_logger()
T = TransferState
LEASE = 100  # payments or transfers per lease
HELD = timedelta(minutes=2)  # longer than any one call can take with its retries
NO_CAPABILITY = ("insufficient_capabilities_for_transfer", "account_invalid", "transfers_not_allowed")


@dataclass(frozen=True)
class Leased:
    """One transfer to be sent by the holder of this lease."""

    id: UUID
    project_id: UUID
    charge_id: str
    destination: str
    amount: int
    currency: str
    tries: int
    sent_at: Any
    is_old: bool  # sent so long ago that Stripe may have forgotten the key (S-10)
    title: str


# -- leases ---------------------------------------------------------------------------------------------------------

# Rows that are waiting: new ones whose worker died, those without an answer, refused ones whose time has come.
_AGAIN = sa.text("""
    WITH due AS (
        SELECT id, state FROM transfer
         WHERE project_id = :project AND state IN ('created', 'unknown', 'failed') AND next_at <= clock_now()
         ORDER BY next_at LIMIT :n FOR UPDATE SKIP LOCKED),
    leased AS (
        UPDATE transfer t SET next_at = clock_now() + :held, tries = t.tries + (due.state = 'failed')::int,
               state = CASE WHEN due.state = 'failed' THEN 'created' ELSE due.state END,
               destination = CASE WHEN due.state = 'failed' THEN :destination ELSE t.destination END,
               sent_at = CASE WHEN due.state = 'failed' OR t.sent_at IS NULL THEN clock_now() ELSE t.sent_at END
          FROM due WHERE t.id = due.id
        RETURNING t.*, due.state AS was),
    moved AS (
        INSERT INTO transfer_move (transfer_id, project_id, from_state, to_state, why)
        SELECT id, project_id, 'failed', 'created', 'try ' || tries FROM leased WHERE was = 'failed')
    SELECT l.id, l.project_id, p.charge_id, l.destination, l.amount, l.currency, l.tries, l.sent_at,
           l.sent_at < clock_now() - :lives AS is_old, j.title
      FROM leased l JOIN payment p ON p.id = l.payment_id JOIN project j ON j.id = l.project_id""")
# The next payments in the order of their ids; a payment that another worker holds is that worker's.
_LOCK = sa.text("""
    SELECT id FROM payment WHERE project_id = :project AND state = 'succeeded' AND id > :after
     ORDER BY id LIMIT :n FOR NO KEY UPDATE SKIP LOCKED""")
_MAKE = sa.text("""
    INSERT INTO transfer (payment_id, project_id, part, amount, currency, destination, sent_at, next_at)
    VALUES (:payment, :project, :part, :amount, :currency, :destination, clock_now(), clock_now() + :held)
    ON CONFLICT (payment_id, part) DO NOTHING
    RETURNING id, sent_at""")


def lease_again(project_id: UUID, destination: str, n: int = LEASE) -> list[Leased]:
    """Take up to `n` transfers that exist and are not done."""
    with transaction() as session:
        return [Leased(*row) for row in session.execute(_AGAIN, {
            "project": project_id, "destination": destination, "n": n, "held": HELD, "lives": KEY_LIVES})]


def lease_new(project_id: UUID, destination: str, after: UUID, n: int = LEASE) -> tuple[list[Leased], UUID | None]:
    """Make the transfers of the next `n` payments that have something to pay out; and where to go on, None at the end.

    The payments are locked first and what is owed is read after that, so that a refund under way counts.
    """
    with transaction() as session:
        ids = list(session.scalars(_LOCK, {"project": project_id, "after": after, "n": n}))
        if not ids:
            return [], None
        leased = []
        for due in owing.due_of(project_id, ids):
            row = session.execute(_MAKE, {
                "payment": due.payment_id, "project": project_id, "part": due.part, "amount": due.amount,
                "currency": due.currency, "destination": destination, "held": HELD}).first()
            if row is None:
                continue
            ledger.pend("transfer", str(row.id), due.currency, [
                (Account.CREATOR_PAYABLE, due.amount, "transfer"), (Account.TRANSFERS_PAYABLE, -due.amount, "transfer")],
                project_id=project_id, subject_id=due.subject_id)
            leased.append(Leased(row.id, project_id, due.charge_id, destination, due.amount, due.currency, 1,
                                 row.sent_at, False, due.title))
        crashpoint("within-transfer")
    return leased, ids[-1]


# -- sending --------------------------------------------------------------------------------------------------------

def send(one: Leased) -> bool:
    """Send one leased transfer and record what came of it; False when that is not known or was a refusal."""
    safety.require_open()
    crashpoint("before-transfer")
    try:
        news = None
        if one.is_old:
            news = gateway.find_transfer(project_id=str(one.project_id), row_id=str(one.id),
                                         since=one.sent_at - timedelta(minutes=5), until=one.sent_at + timedelta(days=30))
        news = news or gateway.create_transfer(
            key=f"tr:{one.id}:{one.tries}", amount=one.amount, currency=one.currency, destination=one.destination,
            charge_id=one.charge_id, project_id=str(one.project_id), row_id=str(one.id), description=one.title)
    except Silence:
        _unknown(one)
        return False
    except GatewayError as refused:
        if says_nothing(refused) and refused.code not in NO_CAPABILITY:
            # Of us: an earlier request under this key may have been executed all the same (S-09).
            log.error("transfer not understood", transfer=str(one.id), code=refused.code, status=refused.status)
            _unknown(one)
        else:
            record_refusal(one.id, one.tries, refused.code or str(refused.status))
        return False
    crashpoint("after-transfer")
    record_transfer(one.id, news)
    crashpoint("after-transfer-outcome")
    return True


def _locked(session: Any, transfer_id: UUID) -> Transfer:
    found: Transfer = session.get_one(Transfer, transfer_id, with_for_update=True, populate_existing=True)
    return found


def _move(session: Any, transfer: Transfer, to: TransferState, why: str = "") -> None:
    transfer.changed_at = session.scalar(sa.text("SELECT clock_now()"))
    transfer.move(to, why=why)
    session.flush()
    transfer_changed.send(transfer)


def _unknown(one: Leased) -> None:
    with transaction() as session:
        transfer = _locked(session, one.id)
        if transfer.state is T.CREATED and transfer.tries == one.tries:
            transfer.failure = None
            _move(session, transfer, T.UNKNOWN, "no answer")


def record_transfer(transfer_id: UUID, news: gateway.TransferNews) -> bool:
    """The one door for a transfer that came about: reply, webhook and reconciliation; second news changes nothing."""
    with transaction() as session:
        transfer = _locked(session, transfer_id)
        if transfer.state is T.SUCCEEDED or not transfer.can_move(T.SUCCEEDED):
            return False
        if (news.amount, news.currency, news.destination) != (transfer.amount, transfer.currency, transfer.destination):
            raise AssertionError(f"transfer {transfer_id}: {news} is not what was asked for")
        transfer.stripe_id, transfer.failure, transfer.next_at = news.stripe_id, None, None
        _move(session, transfer, T.SUCCEEDED)
        ledger.settle("transfer", str(transfer.id), [
            (Account.TRANSFERS_PAYABLE, transfer.amount, "transfer"),
            (Account.STRIPE_AVAILABLE, -transfer.amount, "transfer")])
        for reversal_id in session.scalars(_WAITED, {"transfer": transfer.id}):
            defer("payments:send_reversal", reversal_id=str(reversal_id))
    return True


_WAITED = sa.text("UPDATE transfer_reversal SET next_at = clock_now() WHERE transfer_id = :transfer AND state = 'created' "
                  "AND next_at IS NOT NULL RETURNING id")
_LET_GO = sa.text("UPDATE transfer_reversal SET state = 'failed', failure = 'called off', next_at = NULL, "
                  "changed_at = clock_now() WHERE transfer_id = :transfer RETURNING id")


def record_refusal(transfer_id: UUID, tries: int, code: str) -> bool:
    """Stripe said no. It does not try again, so we do: with a new number in the key, later and later (S-63).

    Where a part was refunded in the meantime the row is called off instead, and what is left becomes a new one.
    """
    with transaction() as session:
        transfer = _locked(session, transfer_id)
        if transfer.tries != tries or not transfer.can_move(T.FAILED):
            return False
        transfer.failure = code
        _move(session, transfer, T.FAILED, code)
        if session.execute(_LET_GO, {"transfer": transfer.id}).first():
            ledger.void("transfer", str(transfer.id))
            transfer.failure, transfer.next_at = "called off", None
        elif code in NO_CAPABILITY:
            transfer.next_at = transfer.changed_at + timedelta(hours=1)
            session.execute(sa.text("UPDATE payout_account SET checked_at = NULL WHERE stripe_id = :account"),
                            {"account": transfer.destination})
        else:
            transfer.next_at = transfer.changed_at + min(timedelta(hours=2 ** min(tries - 1, 5)), timedelta(days=1))
        if code not in NO_CAPABILITY and (code != "balance_insufficient" or tries >= 3):
            alert("payments:transfer_refused", dedupe=f"{transfer.project_id}:{code}", code=code,
                  project_id=str(transfer.project_id))
    log.warning("transfer refused", transfer=str(transfer_id), code=code)
    return True


@alert_kind("payments:transfer_refused")
def _refused_words(facts: dict[str, str]) -> tuple[str, str]:
    return _("Stripe refuses transfers to a creator (%(code)s). They are tried again by themselves; somebody should look "
             "why.", code=facts["code"]), "/platform/books"


def look_again(project_id: UUID) -> None:
    """Something may be owed again (a dispute was won, a refund failed): the payout looks at its next tick."""
    db.session.execute(sa.text("UPDATE payout_run SET next_at = clock_now() WHERE project_id = :project"),
                       {"project": project_id})


# -- news -----------------------------------------------------------------------------------------------------------

def hear_of_transfer(stripe_id: str) -> bool:
    """News about a transfer or its reversals: read it and record; False when it is not (yet) ours."""
    news = gateway.read_transfer(stripe_id)
    if not _is_ours(Transfer, news.row_id):
        return False
    record_transfer(UUID(news.row_id), news)
    if news.amount_reversed:
        for one in gateway.reversals_of(stripe_id):
            if _is_ours(Reversal, one.row_id):
                reversals.record_reversal(UUID(one.row_id), one)
    return True


def _is_ours(model: Any, row_id: str | None) -> bool:
    try:
        key = UUID(row_id or "")
    except ValueError:
        return False
    known = db.session.scalar(sa.select(model.id).where(model.id == key)) is not None
    db.session.rollback()
    return known


__all__ = ["hear_of_transfer", "lease_again", "lease_new", "look_again", "record_transfer", "reverse_for", "send"]
