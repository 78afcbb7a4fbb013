"""What is done about a difference: news that went by us goes through the one door of its kind, as if it had come."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import sqlalchemy as sa
import structlog

from core.db import db, transaction
from payments import charging, comparing, disputes, gateway, ledger, recording, refund_news, safety, transfers, warnings
from payments.ledger import Account
from payments.theirs import Theirs

log = structlog.get_logger()


@dataclass(frozen=True)
class Difference:
    """One row of a comparison."""

    heal: str
    kind: str
    stripe_id: str
    payment_id: UUID | None
    project_id: UUID | None
    ours: dict[str, Any]
    theirs: dict[str, Any]


def heal(theirs: Theirs, found: Sequence[Difference]) -> None:
    """Try all of these. One that fails keeps no other from being tried; whoever compares again sees what is left."""
    _record_paid(theirs, [one for one in found if one.heal in ("record", "adopt_paid")])
    for one in found:
        if act := _ACTS.get(one.heal):
            try:
                act(one)
            except gateway.Silence:
                raise
            except Exception as error:  # a bug or a refusal with one: it stays a difference, and staff hear of it
                db.session.rollback()
                log.warning("not healed", stripe=one.stripe_id, heal=one.heal, why=str(error)[:200])


def _record_paid(theirs: Theirs, paid: Sequence[Difference]) -> None:
    """Charges that Stripe made and we have not heard of: recorded by what its list says, many in one transaction."""
    if not paid:
        return
    charges = [one.theirs["charge"] for one in paid if one.theirs["charge"]]
    fees = dict(theirs.ask(comparing.FEES, charges=charges))
    for some in _one_each(paid):
        with transaction() as session:
            session.execute(_ADOPT, {"ids": [one.payment_id for one in some],
                                     "intents": [one.theirs["intent"] for one in some]})
            recording.write([recording.News(one.payment_id, gateway.Outcome(
                one.theirs["intent"], "succeeded", one.theirs["amount"], one.theirs["charge"],
                fees.get(one.theirs["charge"]))) for one in some if one.payment_id])
    log.warning("charges adopted", count=len(paid))
    if any(one.heal == "adopt_paid" for one in paid):
        # Its id and its attempt are committed before a payment is confirmed. What Stripe charged and we do not know is
        # therefore what this database has forgotten.
        safety.enter(safety.FORGOTTEN)


def _one_each(paid: Sequence[Difference]) -> list[list[Difference]]:
    """Two paid intents of one payment go one after the other, so that the second is seen to be one too many."""
    rounds: list[dict[Any, Difference]] = []
    for one in paid:
        place = next((known for known in rounds if one.payment_id not in known), None)
        if place is None:
            rounds.append(place := {})
        place[one.payment_id] = one
    return [list(known.values()) for known in rounds]


_ADOPT = sa.text("""
    UPDATE payment p SET stripe_id = i.intent
      FROM unnest(CAST(:ids AS uuid[]), CAST(:intents AS text[])) AS i(id, intent)
     WHERE p.id = i.id AND p.state <> 'succeeded' AND p.stripe_id IS DISTINCT FROM i.intent""")


def _adopt(one: Difference) -> None:
    """An intent whose id was never committed: the payment goes on with it instead of making another."""
    with transaction() as session:
        session.execute(_ADOPT, {"ids": [one.payment_id], "intents": [one.theirs["intent"]]})
    charging.hear_of_payment(one.theirs["intent"])


def _call_off(one: Difference) -> None:
    """An unpaid intent beside the payment's own: cancelled, so that it can never be paid."""
    gateway.cancel_payment(one.theirs["intent"], key=f"stray:{one.theirs['intent']}")


def _book_fee(one: Difference) -> None:
    """What Stripe kept of a charge came after the charge itself."""
    fee, currency = int(one.theirs["fee"]), one.theirs["currency"]
    with transaction() as session:
        subject_id = session.scalar(sa.text("""
            UPDATE payment SET processing_fee = :fee WHERE id = :id AND coalesce(processing_fee, 0) = 0
            RETURNING subject_id"""), {"fee": fee, "id": one.payment_id})
        if subject_id is not None:
            ledger.post("fee", one.stripe_id, currency, [
                (Account.CREATOR_PAYABLE, fee, "processing fee"), (Account.STRIPE_PENDING, -fee, "processing fee")],
                project_id=one.project_id, subject_id=subject_id)


def _book_payout(one: Difference) -> None:
    """To the operator's own bank, or back from it."""
    amount = int(one.theirs["net"])
    with transaction():
        ledger.post("payout", one.stripe_id, one.theirs["currency"], [
            (Account.STRIPE_AVAILABLE, amount, "payout"), (Account.BANK, -amount, "payout")])


def _book_stripe_fee(one: Difference) -> None:
    """What Stripe takes for itself, of no charge in particular."""
    amount = int(one.theirs["net"])
    with transaction():
        ledger.post("stripe_fee", one.stripe_id, one.theirs["currency"], [
            (Account.STRIPE_AVAILABLE, amount, "Stripe's fee"), (Account.STRIPE_FEES, -amount, "Stripe's fee")])


_ACTS: dict[str, Callable[[Difference], object]] = {
    "hear": lambda one: charging.hear_of_payment(one.stripe_id),
    "hear_intent": lambda one: charging.hear_of_payment(one.theirs["intent"]),
    "hear_refund": lambda one: refund_news.hear_of_refund(one.stripe_id),
    "hear_refunds": lambda one: refund_news.hear_of_refund(one.stripe_id),
    "hear_transfer": lambda one: transfers.hear_of_transfer(one.stripe_id),
    "hear_dispute": lambda one: disputes.hear_of_dispute(one.stripe_id),
    "hear_warning": lambda one: warnings.hear_of_warning(one.stripe_id),
    "adopt": _adopt, "call_off": _call_off,
    "book_fee": _book_fee, "book_payout": _book_payout, "book_stripe_fee": _book_stripe_fee,
}
