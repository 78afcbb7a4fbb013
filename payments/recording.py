"""The one door for news of payments: reply, webhook and reconciliation; second news changes nothing."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from core import money
from core.crash import crashpoint
from core.db import db, transaction
from payments.gateway import Outcome
from payments.hooks import PaymentNews, payments_changed
from payments.ledger import Account, Posting, post_all
from payments.models import Payment, PaymentState
from payments.refusing import Verdict, judge

S = PaymentState


@dataclass(frozen=True)
class News:
    """What is known of one payment now; no outcome is silence. `number` is the attempt that was answered."""

    payment_id: UUID
    outcome: Outcome | None
    number: int | None = None


_STATES = {
    "succeeded": S.SUCCEEDED, "processing": S.PROCESSING, "requires_action": S.REQUIRES_ACTION,
    "requires_payment_method": S.FAILED, "canceled": S.FAILED,
}
# Fresh: for longer than one call can take with its retries.
_LOCK = sa.text("""
    SELECT id, project_id, subject_id, amount, currency, fee_bp, state, attempts, decline_class,
           changed_at > clock_now() - interval '75 seconds' AS is_fresh FROM payment
     WHERE id = ANY(CAST(:ids AS uuid[])) ORDER BY id FOR NO KEY UPDATE""")
# Two workers on one payment (C-21): whoever reads that it is paid already did not do it.
_ANSWERED = sa.text("""
    UPDATE payment_attempt a SET answered_at = clock_now(), code = n.code,
           outcome = CASE WHEN n.outcome = 'succeeded' AND EXISTS (
                               SELECT 1 FROM payment_attempt o WHERE o.payment_id = a.payment_id AND o.outcome = 'succeeded')
                          THEN 'superseded' ELSE n.outcome END,
           decline_code = n.decline, advice_code = n.advice, network_decline_code = n.network, charge_id = n.charge
      FROM unnest(CAST(:ids AS uuid[]), CAST(:numbers AS int[]), CAST(:outcomes AS text[]), CAST(:codes AS text[]),
                  CAST(:declines AS text[]), CAST(:advices AS text[]), CAST(:networks AS text[]), CAST(:charges AS text[]))
           AS n(id, number, outcome, code, decline, advice, network, charge)
     WHERE a.payment_id = n.id AND a.number = n.number AND a.answered_at IS NULL""")
# Read from the intent while the reply is missing: what the bank said belongs to its attempt all the same (S-35).
_HEARD = sa.text("""
    UPDATE payment_attempt a SET code = n.code, decline_code = n.decline, advice_code = n.advice, network_decline_code = n.network,
           charge_id = n.charge
      FROM unnest(CAST(:ids AS uuid[]), CAST(:codes AS text[]), CAST(:declines AS text[]), CAST(:advices AS text[]),
                  CAST(:networks AS text[]), CAST(:charges AS text[])) AS n(id, code, decline, advice, network, charge), payment p
     WHERE p.id = n.id AND a.payment_id = n.id AND a.number = p.attempts AND a.code IS NULL""")
# The intent still tells of an earlier try: the last one, of ours and without an answer, has not come to Stripe or made no
# charge. Whoever takes it over sends it again under its own key, and that answer decides (S-09); if nobody does for six
# hours, what Stripe says is all that will ever be said.
_STALE = sa.text("""
    SELECT p.id FROM unnest(CAST(:ids AS uuid[]), CAST(:charges AS text[])) AS n(id, charge)
      JOIN payment p ON p.id = n.id AND p.state IN ('confirming', 'unknown') AND p.changed_at > clock_now() - interval '6 hours'
      JOIN payment_attempt last ON last.payment_id = p.id AND last.number = p.attempts AND last.answered_at IS NULL
           AND NOT last.is_on_session
     WHERE EXISTS (SELECT 1 FROM payment_attempt a WHERE a.payment_id = p.id AND a.number < p.attempts
                      AND a.charge_id = n.charge)""")
_MOVE = sa.text("""
    WITH news AS (
        SELECT * FROM unnest(CAST(:ids AS uuid[]), CAST(:projects AS uuid[]), CAST(:was AS text[]), CAST(:states AS text[]),
                             CAST(:whys AS text[]), CAST(:classes AS text[]), CAST(:charges AS text[]),
                             CAST(:stripes AS text[]), CAST(:fees AS bigint[]))
                      AS n(id, project_id, was, state, why, decline_class, charge_id, stripe_id, processing_fee)),
    moved AS (
        INSERT INTO payment_move (payment_id, project_id, from_state, to_state, why)
        SELECT id, project_id, was, state, why FROM news)
    UPDATE payment p SET state = n.state, decline_class = n.decline_class, charge_id = coalesce(n.charge_id, p.charge_id),
                         stripe_id = coalesce(p.stripe_id, n.stripe_id), changed_at = clock_now(),
                         processing_fee = coalesce(n.processing_fee, p.processing_fee)
      FROM news n WHERE p.id = n.id""")


@dataclass(frozen=True)
class _Change:
    """One payment that goes to another state."""

    row: Any
    to: PaymentState
    why: str
    decline_class: str | None
    outcome: Outcome | None
    verdict: Verdict | None = None


def record(news: Sequence[News]) -> set[UUID]:
    """`write` in a transaction of its own."""
    with transaction():
        return write(news)


def write(news: Sequence[News]) -> set[UUID]:
    """Move the payments, post the ledger, tell the rooms above: a statement each, however many there are.

    Call inside transaction(). Returns the payments that changed.
    """
    latest = {one.payment_id: one for one in news}
    rows = db.session.execute(_LOCK, {"ids": list(latest)}).all()
    answered = [one for one in latest.values()
                if one.number is not None and one.outcome is not None and one.outcome.status in _STATES]
    if answered:
        db.session.execute(_ANSWERED, _answers(answered))
    stale = _stale(latest)
    changes = _judged([change for row in rows if row.id not in stale and (change := _change(row, latest[row.id])) is not None],
                      latest)
    if not changes:
        return set()
    db.session.execute(_MOVE, {
        "ids": [c.row.id for c in changes], "projects": [c.row.project_id for c in changes],
        "was": [c.row.state for c in changes], "states": [c.to.value for c in changes], "whys": [c.why for c in changes],
        "classes": [c.decline_class for c in changes],
        "charges": [c.outcome.charge_id if c.outcome and c.to is S.SUCCEEDED else None for c in changes],
        "stripes": [c.outcome.stripe_id or None if c.outcome else None for c in changes],
        "fees": [c.outcome.fee if c.outcome else None for c in changes]})
    if paid := [_posting(c.row, c.outcome) for c in changes if c.outcome and c.to is S.SUCCEEDED]:
        post_all(paid)
    payments_changed.send([_news(change) for change in changes])
    crashpoint("within-outcome")
    return {change.row.id for change in changes}


def _stale(latest: dict[UUID, News]) -> set[UUID]:
    """Payments of which only an earlier refusal was read."""
    read = {one.payment_id: one.outcome.last_charge for one in latest.values() if one.number is None
            and one.outcome is not None and one.outcome.status == "requires_payment_method" and one.outcome.last_charge}
    if not read:
        return set()
    return set(db.session.scalars(_STALE, {"ids": list(read), "charges": list(read.values())}))


def _judged(changes: list[_Change], latest: dict[UUID, News]) -> list[_Change]:
    """Every refusal with where it leads; dead cards are buried on the way."""
    refused = {c.row.id: c.outcome for c in changes if c.to is S.FAILED and c.outcome is not None}
    if not refused:
        return changes
    if heard := {payment_id: o for payment_id, o in refused.items() if latest[payment_id].number is None}:
        db.session.execute(_HEARD, {
            "ids": list(heard), "codes": [o.code for o in heard.values()], "declines": [o.decline_code for o in heard.values()],
            "advices": [o.advice_code for o in heard.values()],
            "networks": [o.network_decline_code for o in heard.values()],
            "charges": [o.last_charge for o in heard.values()]})
    verdicts = judge(refused)
    return [replace(c, verdict=v, decline_class=v.backer) if (v := verdicts.get(c.row.id)) else c for c in changes]


def _news(change: _Change) -> PaymentNews:
    news = PaymentNews(change.row.id, change.row.subject_id, change.to, change.row.attempts, change.decline_class)
    verdict = change.verdict
    return replace(news, way=verdict.way, hours=verdict.hours, is_told=verdict.is_told) if verdict else news


def _answers(answered: Sequence[News]) -> dict[str, list[Any]]:
    outcomes = [(one, one.outcome) for one in answered if one.outcome is not None]
    return {"ids": [one.payment_id for one, _ in outcomes], "numbers": [one.number for one, _ in outcomes],
            "outcomes": [o.status for _, o in outcomes], "codes": [o.code for _, o in outcomes],
            "declines": [o.decline_code for _, o in outcomes], "advices": [o.advice_code for _, o in outcomes],
            "networks": [o.network_decline_code for _, o in outcomes], "charges": [o.last_charge for _, o in outcomes]}


def _change(row: Any, news: News) -> _Change | None:
    """What this news does to the payment as it is now; None when nothing."""
    state, outcome = PaymentState(row.state), news.outcome
    to = S.UNKNOWN if outcome is None else _STATES.get(outcome.status)
    if to is None or to is state or to not in Payment.MOVES[state]:
        return None
    if outcome is None:
        return _Change(row, to, "no answer", row.decline_class, None)
    decline = row.decline_class
    if to is S.FAILED and news.number is None and state in (S.CREATED, S.CONFIRMING, S.UNKNOWN) and not outcome.code:
        return None  # an intent that nobody confirmed yet also says requires_payment_method
    if to is S.FAILED and news.number is None and state is S.CONFIRMING and row.is_fresh:
        return None  # a try may be under way, and the intent still tell of the one before it: its reply decides (S-09)
    if to is S.SUCCEEDED:
        if outcome.amount_received != row.amount:
            raise AssertionError(f"payment {row.id}: {outcome.amount_received} came, not {row.amount}")
        decline = None
    return _Change(row, to, outcome.code or "", decline, outcome)


def record_outcome(payment_id: UUID, outcome: Outcome, number: int | None = None) -> bool:
    """`record` for one payment; False when nothing changed."""
    return bool(record([News(payment_id, outcome, number)]))


def _posting(row: Any, outcome: Outcome) -> Posting:
    """A charge in the books: the creator is owed it, less the platform's share and what Stripe keeps.

    The shares are rounded half up and the creator has the rest, so that the parts are the whole (C-30).
    """
    fee, processing_fee = money.share(row.amount, row.fee_bp), outcome.fee or 0
    return Posting("charge", outcome.charge_id or outcome.stripe_id, row.currency, [
        (Account.STRIPE_PENDING, row.amount, "charge"),
        (Account.CREATOR_PAYABLE, -row.amount, "charge"),
        (Account.CREATOR_PAYABLE, fee, "platform fee"),
        (Account.PLATFORM_FEE, -fee, "platform fee"),
        (Account.CREATOR_PAYABLE, processing_fee, "processing fee"),
        (Account.STRIPE_PENDING, -processing_fee, "processing fee"),
    ], project_id=row.project_id, subject_id=row.subject_id)
