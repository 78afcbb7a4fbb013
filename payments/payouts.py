"""A project's payout: what it waits for, and the run that sends what is due (S-60, S-63, S-64)."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from uuid import UUID

import sqlalchemy as sa
import structlog
from flask import Flask, current_app
from flask_babel import gettext as _

from core.crash import crashpoint
from core.db import ask, db, transaction
from core.jobs import defer, every, task
from payments import accounts, owing, safety
from payments.alerts import alert, alert_kind
from payments.gateway import GatewayError
from payments.hooks import payout_asked
from payments.models import Payment
from payments.transfers import Leased, lease_again, lease_new, send
from projects.models import Project

log = structlog.get_logger()


_DUE = sa.text("SELECT deadline + make_interval(days => :days) <= clock_now() FROM project "
               "WHERE id = :project AND state = 'successful'")


def waits_for(project_id: UUID) -> str:
    """What stands in the way of this project's payout, in a word; empty when nothing does. May ask Stripe (S-60)."""
    if not db.session.scalar(_DUE, {"project": project_id, "days": current_app.config["PAYOUT_DAYS"]}):
        return "day"
    project = db.session.get_one(Project, project_id)
    reasons: list[str] = []
    payout_asked.send(project, reasons)
    if reasons:
        return reasons[0]
    if broken := owing.broken_books(project_id):
        with transaction():
            alert("payments:books", dedupe=f"{project_id}:{broken[0]}", project=project.title, check=broken[0])
        log.error("payout stopped by the books", project=str(project_id), checks=broken)
        return "books"
    creator_id = project.creator_id
    db.session.rollback()
    try:
        safety.require_open()
        return "" if accounts.is_ready(creator_id) else "account"
    except safety.MoneySafe:
        return "safe"
    except GatewayError as error:
        log.warning("account not read before a payout", project=str(project_id), code=error.code)
        return "silence"


@alert_kind("payments:books")
def _books_words(facts: dict[str, str]) -> tuple[str, str]:
    return _("The payout of “%(title)s” waits because its books are not right: %(check)s.", title=facts["project"],
             check=facts["check"]), "/platform/books"


NOBODY = UUID(int=0)
_ENDED = sa.text("""
    INSERT INTO payout_run (project_id, next_at, run_at, why)
    VALUES (:project, clock_now() + :wait, clock_now(), :why)
    ON CONFLICT (project_id) DO UPDATE SET run_at = EXCLUDED.run_at, why = EXCLUDED.why,
       next_at = CASE WHEN payout_run.next_at >= :began  -- something came to be owed while this one ran
                      THEN least(payout_run.next_at, EXCLUDED.next_at) ELSE EXCLUDED.next_at END""")
# Until when nothing has to be looked at: what waits longest in each case.
_WAITS = {"account": timedelta(hours=1), "books": timedelta(hours=1), "safe": timedelta(minutes=5),
          "silence": timedelta(minutes=5), "collecting": timedelta(hours=1), "day": timedelta(hours=1)}


def pay_out(project_id: UUID, should_stop: Callable[[], bool] = lambda: False) -> int:
    """Send what is due of a project; returns how many transfers were tried. Any number may run at once."""
    began = db.session.scalar(sa.text("SELECT clock_now()"))
    tried, why = 0, waits_for(project_id)
    if not why:
        destination = accounts.destination_of(project_id)
        tried, why = _send_all(project_id, destination, should_stop)
    with transaction() as session:
        wait = _WAITS.get(why) or session.scalar(_NEXT, {
            "project": project_id, "reserve_days": current_app.config["RESERVE_DAYS"]})
        session.execute(_ENDED, {"project": project_id, "why": why, "wait": wait, "began": began})
    return tried


# When a transfer waits until then, when the reserve comes free, or tomorrow: whatever is owed anew says so by itself.
_NEXT = sa.text("""
    SELECT least(interval '1 day',
           (SELECT greatest(next_at - clock_now(), interval '10 seconds') FROM transfer WHERE project_id = :project
               AND state IN ('created', 'unknown', 'failed') AND next_at IS NOT NULL ORDER BY next_at LIMIT 1),
           (SELECT deadline + make_interval(days => :reserve_days) - clock_now() + interval '1 second' FROM project
             WHERE id = :project AND deadline + make_interval(days => :reserve_days) > clock_now()))""")


def _send_all(project_id: UUID, destination: str, should_stop: Callable[[], bool]) -> tuple[int, str]:
    app: Flask = current_app._get_current_object()  # type: ignore[attr-defined]
    creator_id = db.session.get_one(Project, project_id).creator_id
    db.session.rollback()

    def work(one: Leased) -> None:
        with app.app_context():
            try:
                send(one)
            except safety.MoneySafe:
                pass  # the lease ends and it is looked at again
            except Exception:  # one transfer's bug must not keep the others waiting
                log.exception("transfer not sent", transfer=str(one.id))
            finally:
                db.session.remove()

    with transaction():
        owing.gather_shortfalls(project_id)
    tried, after = 0, NOBODY
    with ThreadPoolExecutor(app.config["COLLECT_CONCURRENCY"], thread_name_prefix="transfer") as pool:
        while not should_stop():
            try:
                safety.require_open()
                if not accounts.is_ready(creator_id):  # before each lease; a minute is what one answer is good for
                    return tried, "account"
            except safety.MoneySafe:
                return tried, "safe"
            except GatewayError:
                return tried, "silence"
            batch = lease_again(project_id, destination)
            if not batch:
                batch, at = lease_new(project_id, destination, after)
                if at is None:
                    break
                after = at
            crashpoint("after-transfer-lease")
            for future in [pool.submit(work, one) for one in batch]:
                future.result()
            tried += len(batch)
    return tried, ""


def due_transfers(project_id: UUID) -> list[owing.Due]:
    """What would be paid out now, without making anything: for pages, the command line and tests."""
    ids = list(db.session.scalars(sa.select(Payment.id).where(
        Payment.project_id == project_id, Payment.state == "succeeded").order_by(Payment.id)))
    if waits_for(project_id):
        return []
    return list(owing.due_of(project_id, ids))


@task("payments:send_transfers", queue="money")
def send_transfers(project_id: str) -> None:
    pay_out(UUID(project_id))


_WAITING = sa.text("""
    SELECT p.id FROM project p LEFT JOIN payout_run r ON r.project_id = p.id
     WHERE p.state = 'successful' AND p.deadline + make_interval(days => :days) <= clock_now()
       AND (r.next_at IS NULL OR r.next_at <= clock_now())
       AND NOT EXISTS (SELECT 1 FROM procrastinate_jobs j WHERE j.task_name = 'payments:send_transfers'
                          AND j.status IN ('todo', 'doing') AND j.args->>'project_id' = p.id::text)
     ORDER BY r.next_at NULLS FIRST LIMIT 200""")


@every(30, "payments:watch_transfers")
def watch_transfers() -> int:
    """See that every payout whose time has come has a job. Doubles do no harm."""
    waiting = ask(_WAITING, days=current_app.config["PAYOUT_DAYS"])
    with transaction():
        for row in waiting:
            defer("payments:send_transfers", project_id=str(row.id))
    return len(waiting)
