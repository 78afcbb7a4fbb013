"""Collecting: workers lease pledges by the hundred and charge each one, resumable anywhere (DESIGN 3, steps 6 to 8).

A lease ends by itself, so a dead worker's pledges are taken over; the payment's own rows and keys make the second try
the same charge as the first. Nothing is sent for a project that is not successful in a committed row (S-31).
"""

import time
from collections.abc import Callable, Sequence
from uuid import UUID

import sqlalchemy as sa
import structlog
from flask import Flask, current_app

from backing.following import WAIT_AGAIN
from backing.placing import add_move
from backing.running import REQUESTS, is_running, pull_brake, watch_declines
from core.crash import crashpoint
from core.db import ask, db, transaction
from core.jobs import defer, every, stopping, task
from core.mail import post
from payments import caps, charging
from payments.charging import Step
from payments.gateway import GatewayError, Outcome, Silence
from payments.recording import News, write
from payments.safety import MoneySafe, require_open
from payments.stream import Stream

log = structlog.get_logger()
LEASE = 100  # pledges per lease
LEASE_SECONDS = 120  # longer than any one charge can take with its retries

_LEASE = sa.text("""
    WITH due AS (
        SELECT id, state FROM pledge
         WHERE project_id = :project AND state IN ('pledged', 'collecting') AND (state = 'pledged' OR NOT :only_new)
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
    SELECT l.*, c.payment_method_id, p.fee_bp, p.title,
           c.dead_at IS NOT NULL AND coalesce(y.state, 'created') NOT IN ('confirming', 'unknown', 'processing') AS is_dead
      FROM leased l JOIN project p ON p.id = :project JOIN card_setup c ON c.id = l.card_id
      LEFT JOIN payment y ON y.id = l.payment_id""")
_LINK = sa.text("""
    UPDATE pledge p SET payment_id = l.payment
      FROM unnest(CAST(:pledges AS uuid[]), CAST(:payments AS uuid[])) AS l(pledge, payment)
     WHERE p.id = l.pledge AND p.payment_id IS NULL""")


def lease(project_id: UUID, n: int = LEASE, only_new: bool = False) -> list[Step]:
    """Take up to `n` pledges of a successful project; each gets its one payment row in the same transaction. `only_new`:
    none that was taken before."""
    until = time.monotonic() + LEASE_SECONDS
    with transaction() as session:
        rows = session.execute(_LEASE, {"project": project_id, "n": n, "seconds": LEASE_SECONDS,
                                        "only_new": only_new}).all()
        if not rows:
            return []
        payments = charging.open_payments([
            charging.Due(row.id, project_id, row.backer_id, row.amount, row.currency, row.fee_bp) for row in rows])
        session.execute(_LINK, {"pledges": [row.id for row in rows], "payments": [payments[row.id] for row in rows]})
        # A card that died while its pledge waited is not asked for money: its backer is asked for another (S-26). Where
        # it may have been charged already, that is found out first (S-09).
        if dead := [row for row in rows if row.is_dead]:
            write([News(payments[row.id], Outcome("", "requires_payment_method", code="payment_method_gone")) for row in dead])
        crashpoint("within-lease")
    return [Step(payments[row.id], row.payment_method_id, row.title, until=until) for row in rows if not row.is_dead]


def collect(one: Step) -> None:
    """Charge one leased pledge. Silence leaves it to the next lease: the outcome is unknown, not bad (S-09)."""
    try:
        charging.charge(one.payment_id, one.payment_method_id, one.description, automatic=one.is_automatic)
    except Silence:
        log.warning("no answer", payment=str(one.payment_id))
    except GatewayError as error:
        pause_for(one, error)


def run_collection(project_id: UUID, should_stop: Callable[[], bool] = lambda: False) -> int:
    """Collect until nothing is left to lease; returns how many were tried. Any number may run at once."""
    app: Flask = current_app._get_current_object()  # type: ignore[attr-defined]
    try:
        require_open()
    except MoneySafe:
        return _open_all(project_id)
    per_second = app.config["STRIPE_RATE"]
    most = max(8, min(LEASE, per_second * 10)) if per_second else LEASE  # what can be charged while a lease lasts

    def take() -> list[Step]:
        watch_declines()
        while (steps := lease(project_id, most)) == [] and _has_more(project_id):
            pass  # all cards of this lease were dead
        crashpoint("after-lease")
        return steps

    looked = 0.0

    def stop() -> bool:
        """Told to stop; or paused meanwhile, at which we look once a second."""
        nonlocal looked
        if should_stop():
            return True
        if time.monotonic() - looked < 1:
            return False
        looked = time.monotonic()
        watch_declines()
        return not is_running(project_id)

    stream = Stream(app, take, pause_for, stop)
    tried = stream.run()
    _give_back(stream.left)
    watch_declines()
    finish_run(project_id)
    return tried


def _open_all(project_id: UUID) -> int:
    """In money-safe mode nothing is charged, and every pledge gets its payment's row all the same: what Stripe has charged
    and the database forgot is adopted by that row, and would else be charged once more (O-03)."""
    while lease(project_id, 1_000, only_new=True):
        pass
    return 0


def _has_more(project_id: UUID) -> bool:
    """Whether another lease would find something."""
    more = db.session.scalar(sa.text("""
        SELECT EXISTS (SELECT 1 FROM pledge WHERE project_id = :project AND state = 'pledged')
           AND EXISTS (SELECT 1 FROM project WHERE id = :project AND state = 'successful')
           AND EXISTS (SELECT 1 FROM collection_run WHERE project_id = :project AND state = 'running')"""),
        {"project": project_id})
    db.session.rollback()
    return bool(more)


def _give_back(steps: Sequence[Step]) -> None:
    """What was leased and not sent is free for the next worker at once; a lease that ended may be another's already."""
    now = time.monotonic()
    if ours := [step.payment_id for step in steps if now < step.until]:
        with transaction() as session:
            session.execute(sa.text("UPDATE pledge SET leased_until = NULL WHERE payment_id = ANY(CAST(:ids AS uuid[])) "
                                    "AND state = 'collecting'"), {"ids": ours})


def pause_for(step: Step, error: GatewayError) -> None:
    """Stripe calls our request wrong, or our account: nobody's card is the matter. Stop the run and tell staff (S-35).

    In money-safe mode nothing was asked: the run goes on by itself when staff release it.
    """
    log.error("collection stopped: no matter of the card", payment=str(step.payment_id), code=error.code,
              status=error.status, param=error.param, message=str(error))
    with transaction() as session:
        session.execute(WAIT_AGAIN, {"payments": [step.payment_id]})
        project_id = session.scalar(sa.text("SELECT project_id FROM payment WHERE id = :id"), {"id": step.payment_id})
        if project_id is not None and not isinstance(error, MoneySafe):
            pull_brake(project_id, REQUESTS, code=error.code or str(error.status or ""))


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
    run_collection(UUID(project_id), stopping)


_WITHOUT_JOB = sa.text("""
    SELECT r.project_id FROM collection_run r
     WHERE r.state = 'running' AND NOT EXISTS (
           SELECT 1 FROM procrastinate_jobs j
            WHERE j.task_name = 'backing:run_collection' AND j.status IN ('todo', 'doing')
              AND j.args->>'project_id' = r.project_id::text)""")
_LEFT_LYING = sa.text("""
    SELECT p.id FROM pledge p JOIN collection_run r ON r.project_id = p.project_id AND r.state = 'done'
     WHERE p.state = 'collecting' AND coalesce(p.leased_until, '-infinity') < clock_timestamp()
     LIMIT 100""")


@every(15, "backing:watch_runs")
def watch_runs() -> int:
    """See that every running collection, and every retry that its worker left lying, has a job. Doubles do no harm."""
    waiting, left = ask(_WITHOUT_JOB), ask(_LEFT_LYING)
    with transaction():
        for row in waiting:
            defer("backing:run_collection", project_id=str(row.project_id))
        for row in left:
            defer("backing:collect_pledge", pledge_id=str(row.id))
    return len(waiting) + len(left)


_LEASE_ONE = sa.text(f"""
    WITH due AS (
        SELECT p.id, p.state FROM pledge p
          JOIN LATERAL (SELECT payment_method_id AS method, CAST(:automatic AS boolean) AS automatic
                          FROM card_setup WHERE id = p.card_id) step ON true
         WHERE p.id = :id
           AND ((p.state = 'errored' AND {caps.ALLOWED})
                OR (p.state = 'collecting' AND coalesce(p.leased_until, '-infinity') < clock_timestamp()))
           AND NOT (:automatic AND EXISTS (
                SELECT 1 FROM collection_run r WHERE r.project_id = p.project_id AND r.state = 'paused'))
           FOR UPDATE OF p)
    UPDATE pledge p SET state = 'collecting', fence = fence + 1, retry_at = NULL,
           leased_until = clock_timestamp() + make_interval(secs => :seconds)
      FROM due WHERE p.id = due.id
    RETURNING p.id, p.project_id, p.payment_id, p.card_id, due.state AS was""")  # noqa: S608 -- a constant of ours
_NOT_BEGUN = sa.text("""
    WITH back AS (
        UPDATE pledge g SET state = 'errored', leased_until = NULL FROM payment y
         WHERE y.id = :payment AND y.state IN ('failed', 'requires_action') AND g.payment_id = y.id
           AND g.state = 'collecting' AND g.fix_until IS NOT NULL RETURNING g.id, g.project_id)
    INSERT INTO pledge_move (pledge_id, project_id, from_state, to_state, why)
    SELECT id, project_id, 'collecting', 'errored', 'not tried' FROM back""")


def collect_one(pledge_id: UUID, automatic: bool = True) -> bool:
    """Try one pledge again with the card it has now: an errored one, or one whose worker died. False if there is nothing
    to try, if this card may not be tried any more (S-36), or if it is our own wish and the run is paused."""
    with transaction() as session:
        row = session.execute(_LEASE_ONE, {"id": pledge_id, "seconds": LEASE_SECONDS, "automatic": automatic}).first()
        if row is None:
            return False
        if row.was == "errored":
            add_move(row.id, row.project_id, "errored", "collecting", None, "another try")
        method, title = session.execute(sa.text("""
            SELECT c.payment_method_id, p.title FROM card_setup c, project p WHERE c.id = :card AND p.id = :project"""),
            {"card": row.card_id, "project": row.project_id}).one()
    collect(Step(row.payment_id, method, title, is_automatic=automatic))
    with transaction() as session:  # nothing was begun: its card died, or its tries were used up, in the meantime
        session.execute(_NOT_BEGUN, {"payment": row.payment_id})
    return True


@task("backing:collect_pledge", queue="money")
def collect_pledge_job(pledge_id: str, automatic: bool = True) -> None:
    collect_one(UUID(pledge_id), automatic)


def progress(project_id: UUID) -> dict[str, int]:
    """How many pledges of a run are where; they add up to its pledges at every instant (O-20)."""
    rows = db.session.execute(sa.text("""
        SELECT state, count(*) FROM pledge WHERE project_id = :project AND number IS NOT NULL GROUP BY state"""),
        {"project": project_id})
    return {state: int(count) for state, count in rows}
