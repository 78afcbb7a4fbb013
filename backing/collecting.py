"""Collecting: workers lease pledges by the hundred and charge each one, resumable anywhere (DESIGN 3, steps 6 to 8).

A lease ends by itself, so a dead worker's pledges are taken over; the payment's own rows and keys make the second try
the same charge as the first. Nothing is sent for a project that is not successful in a committed row (S-31).
"""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from uuid import UUID

import sqlalchemy as sa
import structlog
from flask import Flask, current_app

from backing.placing import add_move, release
from backing.totals import add_delta
from core.crash import crashpoint
from core.db import db, transaction
from core.jobs import defer, every, task
from core.mail import post
from payments import charging
from payments.gateway import GatewayError, Silence
from payments.models import Payment, PaymentState

log = structlog.get_logger()
LEASE = 100  # pledges per lease
LEASE_SECONDS = 120  # longer than any one charge can take with its retries

_LEASE = sa.text("""
    WITH due AS (
        SELECT id, state FROM pledge
         WHERE project_id = :project AND state IN ('pledged', 'collecting')
           AND (state = 'pledged' OR leased_until IS NULL OR leased_until < clock_timestamp())
           AND EXISTS (SELECT 1 FROM project WHERE id = :project AND state = 'successful')
           AND EXISTS (SELECT 1 FROM collection_run WHERE project_id = :project AND state = 'running')
         ORDER BY id LIMIT :n FOR UPDATE SKIP LOCKED),
    leased AS (
        UPDATE pledge p SET state = 'collecting', fence = fence + 1,
               leased_until = clock_timestamp() + make_interval(secs => :seconds)
          FROM due WHERE p.id = due.id
        RETURNING p.id, p.backer_id, p.amount, p.currency, p.card_id, p.payment_id, p.fence, due.state AS was),
    moved AS (
        INSERT INTO pledge_move (pledge_id, project_id, from_state, to_state)
        SELECT id, :project, 'pledged', 'collecting' FROM leased WHERE was = 'pledged')
    SELECT l.*, c.payment_method_id, p.fee_bp, p.title
      FROM leased l JOIN project p ON p.id = :project JOIN card_setup c ON c.id = l.card_id""")
_LINK = sa.text("""
    UPDATE pledge p SET payment_id = l.payment
      FROM unnest(CAST(:pledges AS uuid[]), CAST(:payments AS uuid[])) AS l(pledge, payment)
     WHERE p.id = l.pledge AND p.payment_id IS NULL""")


@dataclass(frozen=True)
class Leased:
    """One pledge to be charged by the holder of this lease."""

    pledge_id: UUID
    payment_id: UUID
    payment_method_id: str
    description: str


def lease(project_id: UUID, n: int = LEASE) -> list[Leased]:
    """Take up to `n` pledges of a successful project; each gets its one payment row in the same transaction."""
    with transaction() as session:
        rows = session.execute(_LEASE, {"project": project_id, "n": n, "seconds": LEASE_SECONDS}).all()
        if not rows:
            return []
        payments = charging.open_payments([
            charging.Due(row.id, project_id, row.backer_id, row.amount, row.currency, row.fee_bp) for row in rows])
        session.execute(_LINK, {"pledges": [row.id for row in rows], "payments": [payments[row.id] for row in rows]})
    return [Leased(row.id, payments[row.id], row.payment_method_id, row.title) for row in rows]


def collect(one: Leased) -> None:
    """Charge one leased pledge. Silence leaves it to the next lease: the outcome is unknown, not bad (S-09)."""
    try:
        charging.charge(one.payment_id, one.payment_method_id, one.description)
    except Silence:
        log.warning("no answer", pledge=str(one.pledge_id))
    except GatewayError as error:
        # Our own mistake or an account's: not the backer's card. The lease ends and it is tried again.
        log.error("charge refused as a request", pledge=str(one.pledge_id), code=error.code, status=error.status)


def run_collection(project_id: UUID, should_stop: Callable[[], bool] = lambda: False) -> int:
    """Collect until nothing is left to lease; returns how many were tried. Any number may run at once."""
    app: Flask = current_app._get_current_object()  # type: ignore[attr-defined]
    tried = 0

    def work(one: Leased) -> None:
        with app.app_context():
            try:
                collect(one)
            except Exception:  # a bug with one pledge must not keep the others waiting; its lease brings it back
                log.exception("not collected", pledge=str(one.pledge_id))
            finally:
                db.session.remove()

    with ThreadPoolExecutor(app.config["COLLECT_CONCURRENCY"], thread_name_prefix="collect") as pool:
        while not should_stop():
            batch = lease(project_id)
            crashpoint("after-lease")
            if not batch:
                break
            for future in [pool.submit(work, one) for one in batch]:
                future.result()
            tried += len(batch)
    finish_run(project_id)
    return tried


def finish_run(project_id: UUID) -> bool:
    """Close the run when no pledge waits for its charge any more."""
    with transaction() as session:
        done = session.execute(sa.text("""
            UPDATE collection_run SET state = 'done', finished_at = clock_now()
             WHERE project_id = :project AND state = 'running' AND NOT EXISTS (
                   SELECT 1 FROM pledge WHERE project_id = :project AND state IN ('pledged', 'collecting'))
            RETURNING 1"""), {"project": project_id}).first()
        if done:
            post("backing/run_done", project_id=project_id)
    return done is not None


@task("backing:run_collection", queue="money")
def run_collection_job(project_id: str) -> None:
    run_collection(UUID(project_id))


@every(15, "backing:watch_runs")
def watch_runs() -> int:
    """See that every running collection, and every retry that its worker left lying, has a job. Doubles do no harm."""
    with transaction() as session:
        waiting = session.scalars(sa.text("""
            SELECT r.project_id FROM collection_run r
             WHERE r.state = 'running' AND NOT EXISTS (
                   SELECT 1 FROM procrastinate_jobs j
                    WHERE j.task_name = 'backing:run_collection' AND j.status IN ('todo', 'doing')
                      AND j.args->>'project_id' = r.project_id::text)""")).all()
        for project_id in waiting:
            defer("backing:run_collection", project_id=str(project_id))
        left = session.scalars(sa.text("""
            SELECT p.id FROM pledge p JOIN collection_run r ON r.project_id = p.project_id AND r.state = 'done'
             WHERE p.state = 'collecting' AND p.leased_until < clock_timestamp() LIMIT 100""")).all()
        for pledge_id in left:
            defer("backing:collect_pledge", pledge_id=str(pledge_id))
    return len(waiting) + len(left)


_NEWS = sa.text("""
    WITH before AS (SELECT id, state FROM pledge WHERE payment_id = :payment FOR UPDATE),
    now AS (
        UPDATE pledge p SET state = CAST(:state AS text), leased_until = NULL,
               collected_at = CASE WHEN CAST(:state AS text) = 'collected' THEN clock_now() ELSE collected_at END,
               fix_until = CASE WHEN CAST(:state AS text) = 'errored' THEN coalesce(fix_until, clock_now() + make_interval(days => :days))
                                ELSE fix_until END
          FROM before WHERE p.id = before.id AND before.state = ANY(CAST(:was AS text[]))
        RETURNING p.id, p.project_id, p.reward_id, p.amount, before.state AS was),
    moved AS (
        INSERT INTO pledge_move (pledge_id, project_id, from_state, to_state, why)
        SELECT id, project_id, was, CAST(:state AS text), :why FROM now)
    SELECT id, project_id, reward_id, amount FROM now""")


def follow_payment(payment: Payment) -> None:
    """Hooked to payments.payment_changed, in its transaction: the pledge follows the money."""
    if payment.state is PaymentState.SUCCEEDED:
        _settle(payment, "collected", ["collecting", "errored"])
    elif payment.state in (PaymentState.FAILED, PaymentState.REQUIRES_ACTION):
        _settle(payment, "errored", ["collecting"])


def _settle(payment: Payment, state: str, was: list[str]) -> None:
    row = db.session.execute(_NEWS, {"state": state, "payment": payment.id, "was": was, "why": payment.decline_class or "",
                                     "days": current_app.config["FIX_DAYS"]}).first()
    if row is None:
        return
    if state == "collected":
        add_delta(row.project_id, row.reward_id, collected=row.amount)
        post("backing/collected", pledge_id=row.id)
    else:
        post("backing/card_problem", dedupe=str(payment.attempts), pledge_id=row.id)


def collect_one(pledge_id: UUID) -> bool:
    """Try one pledge again with the card it has now: an errored one, or one whose worker died; False if there is
    nothing to try."""
    with transaction() as session:
        row = session.execute(sa.text("""
            WITH due AS (
                SELECT id, state FROM pledge WHERE id = :id
                   AND (state = 'errored' OR (state = 'collecting' AND leased_until < clock_timestamp())) FOR UPDATE)
            UPDATE pledge p SET state = 'collecting', fence = fence + 1,
                   leased_until = clock_timestamp() + make_interval(secs => :seconds)
              FROM due WHERE p.id = due.id
            RETURNING p.id, p.project_id, p.payment_id, p.card_id, due.state AS was"""),
            {"id": pledge_id, "seconds": LEASE_SECONDS}).first()
        if row is None:
            return False
        if row.was == "errored":
            add_move(row.id, row.project_id, "errored", "collecting", None, "another try")
        method, title = session.execute(sa.text("""
            SELECT c.payment_method_id, p.title FROM card_setup c, project p WHERE c.id = :card AND p.id = :project"""),
            {"card": row.card_id, "project": row.project_id}).one()
    collect(Leased(row.id, row.payment_id, method, title))
    return True


@task("backing:collect_pledge", queue="money")
def collect_pledge_job(pledge_id: str) -> None:
    collect_one(UUID(pledge_id))


def progress(project_id: UUID) -> dict[str, int]:
    """How many pledges of a run are where; they add up to its pledges at every instant (O-20)."""
    rows = db.session.execute(sa.text("""
        SELECT state, count(*) FROM pledge WHERE project_id = :project AND number IS NOT NULL GROUP BY state"""),
        {"project": project_id})
    return {state: int(count) for state, count in rows}


def drop(pledge_id: UUID, why: str) -> bool:
    """errored → dropped: the time to mend it is over; its stock goes back and its sum no longer counts.

    The intent is called off at Stripe first, so that a late yes of the bank cannot charge somebody who was let go.
    """
    payment_id = db.session.scalar(sa.text("SELECT payment_id FROM pledge WHERE id = :id AND state = 'errored'"),
                                   {"id": pledge_id})
    db.session.rollback()
    if payment_id and not charging.call_off(payment_id):
        return False
    with transaction() as session:
        row = session.execute(sa.text("""
            UPDATE pledge SET state = 'dropped' WHERE id = :id AND state = 'errored'
            RETURNING id, project_id, reward_id, amount"""), {"id": pledge_id}).first()
        if row is None:
            return False
        add_move(row.id, row.project_id, "errored", "dropped", None, why)
        add_delta(row.project_id, row.reward_id, backers=-1, raised=-row.amount)
        post("backing/dropped", pledge_id=row.id)
        session.flush()
        release(row.reward_id)
    return True
