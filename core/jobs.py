"""Jobs live in the same database and leave with the commit; ticks keep the short rhythms.

A *job* (Procrastinate) is work that one event asks for. A *tick* is work that a clock asks for every few seconds
(holds that ended, deadlines that passed, totals): a scan, so that a dead worker only delays it (C-17). Ticks of one lane
wait for each other; lanes do not, so that whatever hangs at Stripe keeps no deadline and no mail waiting.
"""

import asyncio
import signal
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import click
import procrastinate
import sqlalchemy as sa
import structlog
from flask import Flask

from core.commands import Commands
from core.crash import crashpoint
from core.db import ask, db, transaction
from core.hooks import Hook

log = structlog.get_logger()
desk = procrastinate.App(connector=procrastinate.SyncPsycopgConnector())
QUEUES = ("money", "mail", "default")
CREWS = (("money",), ("mail", "default"))  # money that waits for Stripe never takes the hands of the others
BOOKS = "books"  # the lane of long comparisons
HEARTBEAT = 5.0  # seconds
STALLED_AFTER = 30.0  # seconds without a heartbeat
GRACE = 25.0  # seconds that jobs get to come to an end when the worker is told to stop (O-11)
starting: Hook[[Flask]] = Hook("A worker begins, in an app context, before its first tick and job.")
_stopping = threading.Event()
cli = Commands("jobs", help="Run the background work.")


@dataclass(frozen=True)
class Tick:
    name: str
    seconds: float
    run: Callable[[], object]
    lane: str = "house"


_ticks: dict[str, Tick] = {}


def task(name: str, *, queue: str = "default", retry: int = 12) -> Callable[[Callable[..., Any]], Any]:
    """Register a job under `room:verb_object`; it must be safe to run twice. Retries back off up to an hour."""
    strategy = procrastinate.RetryStrategy(max_attempts=retry, exponential_wait=2)
    return desk.task(name=name, queue=queue, retry=strategy)


def every(seconds: float, name: str, lane: str = "house") -> Callable[[Callable[[], object]], Callable[[], object]]:
    """Run this function about every so many seconds in each worker; it must allow two at once.

    What talks to Stripe takes another lane than `house`, each of which has a thread of its own.
    """

    def register(run: Callable[[], object]) -> Callable[[], object]:
        _ticks[name] = Tick(name, seconds, run, lane)
        return run

    return register


def ticks() -> list[Tick]:
    return list(_ticks.values())


def defer(name: str, **kwargs: Any) -> None:
    """Enqueue on the session's own connection: if the transaction fails, there never was a job (C-22)."""
    driver = db.session.connection().connection.driver_connection
    desk.configure_task(name, allow_unknown=False, connection=driver).defer(**kwargs)


def init_app(app: Flask) -> None:
    app.cli.add_command(cli)
    app.extensions["achterban_app"] = app


def stopping() -> bool:
    """This worker was told to stop: come to an end after what is in hand; the rest is for the next one (O-11)."""
    return _stopping.is_set()


def rescue_stalled(after: float = 0) -> int:
    """Give the jobs of workers that died back to the queue (C-23); returns how many.

    One transaction without a lock of the queue: whoever is killed in it has rescued nothing, and anybody may go on.
    """
    with transaction() as session:
        rows = session.execute(sa.text("""
            UPDATE procrastinate_jobs SET status = 'todo', worker_id = NULL, scheduled_at = now()
             WHERE status = 'doing' AND (worker_id IS NULL OR worker_id IN (
                   SELECT id FROM procrastinate_workers
                    WHERE last_heartbeat < now() - make_interval(secs => :after)))
            RETURNING id"""), {"after": after or STALLED_AFTER}).all()
        crashpoint("rescue")
    if rows:
        log.warning("stalled jobs rescued", count=len(rows))
    return len(rows)


def run_due_ticks(app: Flask, last: dict[str, float], at: float, lane: str | None = None) -> None:
    """Run each tick whose time has come, of one lane or of all short ones; one that fails is logged and tried again at
    its next time. The lane `books`, which compares all that there is with Stripe, runs only by name."""
    for tick in ticks():
        if (tick.lane != lane if lane else tick.lane == BOOKS) or at - last.get(tick.name, float("-inf")) < tick.seconds:
            continue
        last[tick.name] = at
        with app.app_context():
            try:
                tick.run()
            except Exception:
                log.exception("tick failed", tick=tick.name)
            finally:
                db.session.remove()
        if stopping():
            return


def _ring(app: Flask, lane: str) -> None:
    last: dict[str, float] = {}
    while not _stopping.wait(0.1):
        run_due_ticks(app, last, time.monotonic(), lane)


def drain(app: Flask, ticking: bool = True) -> None:
    """Run every job that is due and each tick once, then return: for tests and `flask jobs work --once`."""
    if ticking:
        run_due_ticks(app, {}, 0.0)
    with app.app_context():
        is_due = ask(_IS_DUE, queues=list(QUEUES))
    if is_due:  # a worker costs a connection of its own and a dozen statements, with nothing to do as well
        asyncio.run(_work(app, wait=False))


_IS_DUE = sa.text("""
    SELECT 1 FROM procrastinate_jobs
     WHERE status = 'todo' AND queue_name = ANY(:queues) AND (scheduled_at IS NULL OR scheduled_at <= now()) LIMIT 1""")


def _in_context(app: Flask) -> Callable[..., Any]:
    def middleware(call_next: Callable[[], Any], context: Any, worker: Any) -> Any:
        with app.app_context():
            try:
                done = call_next()
                crashpoint(f"end of {context.job.task_name}")
                return done
            except Exception:
                log.exception("job failed", task=context.job.task_name, job=context.job.id)
                raise
            finally:
                db.session.remove()

    return middleware


async def _work(app: Flask, *, wait: bool, concurrency: int = 1) -> None:
    """All queues until they are empty, or, waiting, each crew by itself until a signal comes or one of them breaks."""
    from core.postgres import conninfo

    crews = CREWS if wait else (QUEUES,)
    connector = procrastinate.PsycopgConnector(conninfo=conninfo(app), min_size=1, max_size=len(crews) * (concurrency + 3))
    async with desk.with_connector(connector).open_async() as worker_app:
        tasks = [asyncio.create_task(worker_app.run_worker_async(
            queues=list(crew), wait=wait, concurrency=concurrency, delete_jobs="successful",
            listen_notify=wait,  # who goes when the queue is empty needs no connection to hear of more
            fetch_job_polling_interval=1.0, update_heartbeat_interval=HEARTBEAT, stalled_worker_timeout=STALLED_AFTER,
            shutdown_graceful_timeout=GRACE, install_signal_handlers=False, task_middleware=[_in_context(app)],
        )) for crew in crews]

        def stop() -> None:
            _stopping.set()
            for task in tasks:
                task.cancel()  # it fetches no more, and ends when what it has in hand has ended

        if wait:
            for number in (signal.SIGTERM, signal.SIGINT):
                asyncio.get_running_loop().add_signal_handler(number, stop)
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED if wait else asyncio.ALL_COMPLETED)
        if wait and not stopping():
            stop()  # one crew broke: better no worker, which somebody starts again, than half of one
        for outcome in await asyncio.gather(*tasks, return_exceptions=True):
            if isinstance(outcome, Exception):
                raise outcome


@cli.command("work")
@click.option("--once", is_flag=True, help="Do what is due and stop.")
@click.option("--concurrency", default=4, show_default=True, help="Jobs at the same time, of each crew.")
@click.option("--heartbeat", default=HEARTBEAT, show_default=True, help="Seconds between two signs of life.")
@click.option("--stalled-after", default=STALLED_AFTER, show_default=True,
              help="Seconds without one until others take over.")
def work(once: bool, concurrency: int, heartbeat: float, stalled_after: float) -> None:
    """Do the background work: jobs, deadlines, holds, mails."""
    from flask import current_app

    global HEARTBEAT, STALLED_AFTER
    HEARTBEAT, STALLED_AFTER = heartbeat, stalled_after
    app: Flask = current_app._get_current_object()  # type: ignore[attr-defined]
    if once:
        return drain(app)
    starting.send(app)
    rescue_stalled()
    db.session.remove()
    rings = [threading.Thread(target=_ring, args=(app, lane), name=f"ticks-{lane}", daemon=True)
             for lane in sorted({tick.lane for tick in ticks()})]
    for ring in rings:
        ring.start()
    click.echo("The worker is ready.")
    try:
        asyncio.run(_work(app, wait=True, concurrency=concurrency))
    finally:
        _stopping.set()
        end = time.monotonic() + GRACE
        for ring in rings:
            ring.join(max(0.0, end - time.monotonic()))


@cli.command("rescue")
@click.option("--every", "pause", default=0.0, help="Go on, with so many seconds between two rounds.")
@click.option("--stalled-after", default=STALLED_AFTER, show_default=True, help="Seconds without a sign of life.")
def rescue(pause: float, stalled_after: float) -> None:
    """Give the jobs of dead workers back; from a timer or a process of its own, should all workers be dead or hang."""
    while True:
        click.echo(f"{rescue_stalled(stalled_after)} jobs rescued.")
        db.session.remove()
        if not pause or _stopping.wait(pause):
            return


@every(30, "jobs:rescue_stalled")
def _rescue() -> None:
    rescue_stalled()
