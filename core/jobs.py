"""Jobs live in the same database and leave with the commit; ticks keep the short rhythms.

A *job* (Procrastinate) is work that one event asks for. A *tick* is work that a clock asks for every few seconds
(holds that ended, deadlines that passed, totals): a scan, so that a dead worker only delays it (C-17).
"""

import asyncio
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
from flask.cli import AppGroup

from core.db import db, transaction

log = structlog.get_logger()
desk = procrastinate.App(connector=procrastinate.SyncPsycopgConnector())
QUEUES = ("money", "mail", "default")
STALLED_AFTER = 30  # seconds without a heartbeat
cli = AppGroup("jobs", help="Run the background work.")


@dataclass(frozen=True)
class Tick:
    name: str
    seconds: float
    run: Callable[[], object]


_ticks: dict[str, Tick] = {}


def task(name: str, *, queue: str = "default", retry: int = 12) -> Callable[[Callable[..., Any]], Any]:
    """Register a job under `room:verb_object`; it must be safe to run twice. Retries back off up to an hour."""
    strategy = procrastinate.RetryStrategy(max_attempts=retry, exponential_wait=2)
    return desk.task(name=name, queue=queue, retry=strategy)


def every(seconds: float, name: str) -> Callable[[Callable[[], object]], Callable[[], object]]:
    """Run this function about every so many seconds in each worker; it must allow two at once."""

    def register(run: Callable[[], object]) -> Callable[[], object]:
        _ticks[name] = Tick(name, seconds, run)
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


def rescue_stalled() -> int:
    """Give the jobs of workers that died back to the queue (C-23); returns how many."""
    with transaction() as session:
        rows = session.execute(sa.text("""
            UPDATE procrastinate_jobs SET status = 'todo', worker_id = NULL, scheduled_at = now()
             WHERE status = 'doing' AND (worker_id IS NULL OR worker_id IN (
                   SELECT id FROM procrastinate_workers
                    WHERE last_heartbeat < now() - make_interval(secs => :after)))
            RETURNING id"""), {"after": STALLED_AFTER}).all()
    if rows:
        log.warning("stalled jobs rescued", count=len(rows))
    return len(rows)


def run_due_ticks(app: Flask, last: dict[str, float], at: float) -> None:
    """Run each tick whose time has come; one that fails is logged and tried again at its next time."""
    for tick in ticks():
        if at - last.get(tick.name, float("-inf")) < tick.seconds:
            continue
        last[tick.name] = at
        with app.app_context():
            try:
                tick.run()
            except Exception:
                log.exception("tick failed", tick=tick.name)
            finally:
                db.session.remove()


def _ring(app: Flask, stop: threading.Event) -> None:
    last: dict[str, float] = {}
    while not stop.is_set():
        run_due_ticks(app, last, time.monotonic())
        stop.wait(0.1)


def drain(app: Flask, ticking: bool = True) -> None:
    """Run every job that is due and each tick once, then return: for tests and `flask jobs work --once`."""
    if ticking:
        run_due_ticks(app, {}, 0.0)
    asyncio.run(_work(app, wait=False))


def _in_context(app: Flask) -> Callable[..., Any]:
    def middleware(call_next: Callable[[], Any], context: Any, worker: Any) -> Any:
        with app.app_context():
            try:
                return call_next()
            except Exception:
                log.exception("job failed", task=context.job.task_name, job=context.job.id)
                raise
            finally:
                db.session.remove()

    return middleware


async def _work(app: Flask, *, wait: bool, concurrency: int = 1) -> None:
    from core.postgres import conninfo

    connector = procrastinate.PsycopgConnector(conninfo=conninfo(app), min_size=1, max_size=concurrency + 3)
    async with desk.with_connector(connector).open_async() as worker_app:
        await worker_app.run_worker_async(
            queues=list(QUEUES), wait=wait, concurrency=concurrency, delete_jobs="successful",
            fetch_job_polling_interval=1.0, update_heartbeat_interval=5.0, stalled_worker_timeout=STALLED_AFTER,
            shutdown_graceful_timeout=20.0, install_signal_handlers=wait, task_middleware=[_in_context(app)],
        )


@cli.command("work")
@click.option("--once", is_flag=True, help="Do what is due and stop.")
@click.option("--concurrency", default=4, show_default=True, help="Jobs at the same time.")
def work(once: bool, concurrency: int) -> None:
    """Do the background work: jobs, deadlines, holds, mails."""
    from flask import current_app

    app: Flask = current_app._get_current_object()  # type: ignore[attr-defined]
    if once:
        return drain(app)
    stop = threading.Event()
    ringer = threading.Thread(target=_ring, args=(app, stop), name="ticks", daemon=True)
    ringer.start()
    click.echo("The worker is ready.")
    try:
        asyncio.run(_work(app, wait=True, concurrency=concurrency))
    finally:
        stop.set()
        ringer.join(25)


@every(30, "jobs:rescue_stalled")
def _rescue() -> None:
    rescue_stalled()
