"""Taking money: one PaymentIntent per subject for life, every confirm written down before it is sent (S-30, S-31).

The order is the safety: row, commit, create, commit its id and the attempt, confirm, `record`. Killed anywhere, the next
run finds how far it came and goes on with the same keys. What comes back goes through `payments.recording`.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

import sqlalchemy as sa
import structlog

from core.crash import crashpoint
from core.db import ask, db, transaction
from payments import gateway, gateway_lists, safety
from payments.caps import ALLOWED
from payments.models import Payment, PaymentState
from payments.recording import News, record, record_outcome

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


@dataclass
class Step:
    """One payment on its way: what to take, from which card, and how far it came."""

    payment_id: UUID
    payment_method_id: str
    description: str
    return_url: str | None = None  # the backer is here: confirm on-session
    until: float = float("inf")  # by time.monotonic(): nothing is sent for it afterwards
    is_automatic: bool = True  # our own try, not the backer's press or new card (S-36)
    # As it was read
    project_id: UUID | None = None
    subject_id: UUID | None = None
    amount: int = 0
    currency: str = ""
    customer: str = ""
    stripe_id: str | None = None
    attempts: int = 0
    is_old: bool = False  # its first key may be forgotten as well
    is_stale: bool = False  # an attempt without an answer whose key Stripe may have forgotten
    number: int | None = None  # of the attempt that is under way, once it is committed


_READ = sa.text("""
    SELECT p.id, p.project_id, p.subject_id, p.amount, p.currency, p.state, p.stripe_id, p.attempts, c.stripe_id AS customer,
           a.number, a.payment_method_id, a.sent_at, a.answered_at, a.is_on_session, clock_timestamp() AS real_now,
           clock_now() - p.created_at AS age
      FROM payment p JOIN stripe_customer c ON c.person_id = p.person_id
      LEFT JOIN payment_attempt a ON a.payment_id = p.id AND a.number = p.attempts
     WHERE p.id = ANY(CAST(:ids AS uuid[]))""")


def look_up(steps: Iterable[Step]) -> list[Step]:
    """How far each came in earlier runs; what has succeeded is left out."""
    wanted = {step.payment_id: step for step in steps}
    found = []
    for row in db.session.execute(_READ, {"ids": list(wanted)}):
        if row.state == S.SUCCEEDED:
            continue
        step = wanted[row.id]
        step.project_id, step.subject_id, step.customer = row.project_id, row.subject_id, row.customer
        step.amount, step.currency, step.stripe_id, step.attempts = row.amount, row.currency, row.stripe_id, row.attempts
        step.is_old = row.age > KEY_LIVES
        # An attempt whose end became known by reading the intent needs no second look: the next try is a new one.
        unanswered = row.number is not None and row.answered_at is None and row.state not in (S.FAILED, S.REQUIRES_ACTION)
        step.is_stale = unanswered and row.real_now - row.sent_at > KEY_LIVES
        if unanswered and row.is_on_session == bool(step.return_url):
            step.number, step.payment_method_id = row.number, row.payment_method_id
        found.append(step)
    return found


def charge(payment_id: UUID, payment_method_id: str, description: str, return_url: str | None = None, *,
           automatic: bool = True) -> gateway.Outcome | None:
    """Take this payment from this card, or go on where an earlier run stopped; safe to repeat at any time.

    Returns what Stripe said, already recorded; None when there was nothing to do, or nothing may be done with this card
    any more (S-36). Silence passes on, recorded as `unknown`: nobody may call that a failure (S-09). Many at once:
    `payments.stream`.
    """
    steps = look_up([Step(payment_id, payment_method_id, description, return_url,
                          is_automatic=automatic and not return_url)])
    if not steps:
        return None
    step = steps[0]
    if (known := create(step)) is not None:
        record_outcome(payment_id, known, step.attempts)
        return known
    if step.number is None:
        with transaction():
            begin([step])
        if step.number is None:
            return None
    try:
        outcome = confirm(step)
    except gateway.Resting:
        raise  # it was not sent
    except gateway.Silence:
        record([News(payment_id, None)])
        raise
    record_outcome(payment_id, outcome, step.number)
    crashpoint("after-outcome")
    return outcome


def create(step: Step, *, is_paced: bool = False) -> gateway.Outcome | None:
    """See that there is an intent. What it came to, when an old attempt of it turns out to have been answered (S-10)."""
    safety.require_open()
    if step.stripe_id is None and step.is_old:
        step.stripe_id = _made_before(step)
    if step.stripe_id is None:
        crashpoint("before-create")
        step.stripe_id = gateway.create_payment(
            key=f"pi:{step.payment_id}", amount=step.amount, currency=step.currency, customer_id=step.customer,
            subject_id=str(step.subject_id), project_id=str(step.project_id), description=step.description,
            is_paced=is_paced)
        crashpoint("after-create")
    elif step.is_stale:
        outcome = gateway.read_payment(step.stripe_id)
        if outcome.status not in ("requires_confirmation", "requires_payment_method") or outcome.code:
            return outcome
    return None


def _made_before(step: Step) -> str | None:
    """The intent that an earlier run may have made without hearing of it: Stripe has forgotten its key, and would make
    another one. Looked for in the list, which knows of it at once (S-10, S-11)."""
    for page in gateway_lists.intents_of(step.customer):
        for intent in page:
            if intent.metadata.get("subject") == str(step.subject_id) and intent.status != "canceled" \
                    and (intent.amount, intent.currency.upper()) == (step.amount, step.currency):
                return intent.id
    return None


def confirm(step: Step, *, is_paced: bool = False) -> gateway.Outcome:
    """Ask Stripe for the money; the attempt must be committed."""
    assert step.stripe_id is not None and step.number is not None
    safety.require_open()
    crashpoint("before-confirm")
    outcome = gateway.confirm_payment(
        step.stripe_id, key=f"cf:{step.payment_id}:{step.number}", payment_method_id=step.payment_method_id,
        return_url=step.return_url, is_paced=is_paced)
    crashpoint("after-confirm")
    return outcome


_BEGIN = sa.text(f"""
    WITH asked AS (
        SELECT * FROM unnest(CAST(:ids AS uuid[]), CAST(:stripes AS text[]), CAST(:methods AS text[]),
                             CAST(:seen AS int[]), CAST(:on_session AS boolean[]), CAST(:automatic AS boolean[]))
                      AS s(id, stripe_id, method, seen, on_session, automatic)),
    step AS (SELECT * FROM asked step WHERE {ALLOWED}),
    was AS (
        SELECT p.id, p.state FROM payment p JOIN step s ON s.id = p.id
         WHERE p.state <> 'succeeded' AND p.attempts = s.seen ORDER BY p.id FOR NO KEY UPDATE OF p),
    now AS (
        UPDATE payment p SET stripe_id = s.stripe_id, state = 'confirming', attempts = p.attempts + 1, changed_at = clock_now()
          FROM was JOIN step s USING (id) WHERE p.id = was.id
        RETURNING p.id, p.project_id, p.attempts, s.method, s.on_session, s.automatic, was.state AS was),
    moved AS (
        INSERT INTO payment_move (payment_id, project_id, from_state, to_state)
        SELECT id, project_id, was, 'confirming' FROM now WHERE was <> 'confirming')
    INSERT INTO payment_attempt (payment_id, project_id, number, payment_method_id, is_on_session, is_automatic, sent_at)
    SELECT id, project_id, attempts, method, on_session, automatic, clock_timestamp() FROM now
    RETURNING payment_id, number""")  # noqa: S608 -- a constant of ours


def begin(steps: Sequence[Step]) -> None:
    """Write the intents' ids and the attempts, to be committed before anything is confirmed.

    A step gets no number when it succeeded meanwhile, or when somebody else began an attempt since it was looked up:
    of two workers with one payment the late one loses (C-21). Nor when its card is dead or was tried too often (S-36).
    """
    rows = db.session.execute(_BEGIN, {
        "ids": [s.payment_id for s in steps], "stripes": [s.stripe_id for s in steps],
        "methods": [s.payment_method_id for s in steps], "seen": [s.attempts for s in steps],
        "on_session": [bool(s.return_url) for s in steps], "automatic": [s.is_automatic for s in steps]})
    numbers = {row.payment_id: row.number for row in rows}
    for step in steps:
        step.number = numbers.get(step.payment_id)
    crashpoint("within-attempt")


def hear_of_payment(stripe_id: str) -> bool:
    """News about an intent: read it and record; False when it is not (yet) ours."""
    payment_id = db.session.scalar(sa.select(Payment.id).where(Payment.stripe_id == stripe_id))
    if payment_id is None:
        return False
    record_outcome(payment_id, gateway.read_payment(stripe_id))
    return True


_NEVER = sa.text("UPDATE payment SET attempts = attempts + 1 WHERE id = :id AND stripe_id IS NULL AND state <> 'succeeded'")


def call_off(payment_id: UUID) -> bool:
    """Make sure that this payment can never succeed; False when it has, or when Stripe does not say."""
    with transaction() as session:
        # Where there is no intent yet: whoever makes one in this moment may not begin with it any more (see `begin`).
        session.execute(_NEVER, {"id": payment_id})
        stripe_id = session.scalar(sa.select(Payment.stripe_id).where(Payment.id == payment_id))
    if stripe_id is None:
        return True
    try:
        outcome = gateway.cancel_payment(stripe_id, key=f"call-off:{payment_id}")
    except gateway.GatewayError as error:
        log.warning("payment not called off", payment=str(payment_id), code=error.code)
        return False
    record_outcome(payment_id, outcome)
    return outcome.status == "canceled"


AT_ONCE = 50  # payments that are asked about in one round
_NOBODY = UUID(int=0)
_asked_to = _NOBODY  # the next round goes on behind this one: who stays without news keeps no other waiting


_UNKNOWN = sa.text("""
    SELECT p.id, p.stripe_id, p.attempts FROM payment p
     WHERE p.state IN ('confirming', 'unknown', 'processing') AND p.stripe_id IS NOT NULL AND p.id > :after
       AND p.changed_at < clock_now() - CAST(:age AS interval) ORDER BY p.id LIMIT :n""")


def resolve_unknown(older_than: timedelta = timedelta(seconds=45)) -> int:
    """Ask Stripe about payments without an answer that nobody works on; returns how many are known now."""
    global _asked_to
    rows = ask(_UNKNOWN, age=older_than, after=_asked_to, n=AT_ONCE)
    db.session.rollback()
    _asked_to = rows[-1].id if len(rows) == AT_ONCE else _NOBODY
    known = 0
    for row in rows:
        try:
            known += record_outcome(row.id, gateway.read_payment(row.stripe_id))
        except gateway.Silence:
            break
        except Exception:  # one that cannot be read or recorded; its reconciliation says so on the worklist
            log.exception("unknown payment not resolved", payment=str(row.id))
            db.session.rollback()
    return known

