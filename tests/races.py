"""Many at once, for real: forked processes with connections of their own, and threads that start together."""

import fnmatch
import multiprocessing
import os
import pickle
import threading
from collections.abc import Callable
from typing import Any

import sqlalchemy as sa
import urllib3

from core.db import db, transaction
from tests.factories import make_person


def as_a_new_process(app: Any) -> None:
    """What a fork may not share with its parent: connections to the database and to Stripe."""
    with app.app_context():
        db.engine.dispose(close=False)
    app.extensions.pop("stripe_clients", None)


def forked(app: Any, n: int, work: Callable[[int], Any]) -> list[Any]:
    """`work(i)` in n processes that all start at the same moment; what each returned, an exception included."""
    context = multiprocessing.get_context("fork")
    gate = context.Barrier(n)
    db.session.rollback()

    def child(i: int, pipe: Any) -> None:
        as_a_new_process(app)
        with app.app_context():
            gate.wait(60)
            try:
                answer = work(i)
            except Exception as error:
                answer = error
        try:
            pipe.send(answer)
        except (pickle.PicklingError, TypeError, AttributeError):
            pipe.send(RuntimeError(repr(answer)))

    pairs = [context.Pipe(False) for _ in range(n)]
    children = [context.Process(target=child, args=(i, pairs[i][1]), daemon=True) for i in range(n)]
    for process in children:
        process.start()
    answers = []
    for (mouth, _), process in zip(pairs, children, strict=True):
        assert mouth.poll(90), "a racing process hangs"
        answers.append(mouth.recv())
        process.join(30)
    db.session.expire_all()
    return answers


def crashed(app: Any, work: Callable[[], Any], point: str, count: int = 1) -> int:
    """Run `work` in a process that kills itself with SIGKILL the count-th time it passes `point`; its exit code.

    `sent POST /v1/refunds` is the moment at which such a request has left and nothing of its reply was read.
    """
    context = multiprocessing.get_context("fork")
    db.session.rollback()

    def child() -> None:
        from core import crash

        crash._name, crash._left, crash._on = point, count, True
        if point.startswith("sent "):
            _die_when_sent(point)
        as_a_new_process(app)
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, 1)
        with app.app_context():
            work()

    process = context.Process(target=child, daemon=True)
    process.start()
    process.join(60)
    assert process.exitcode is not None, "it hangs"
    return process.exitcode


def _die_when_sent(pattern: str) -> None:
    """The library's connection, which tells the crash point of each request before it waits for the reply."""
    from core.crash import crashpoint

    wait = urllib3.connection.HTTPConnection.getresponse

    def getresponse(self: Any) -> Any:
        asked = self._response_options
        if fnmatch.fnmatchcase(f"sent {asked.request_method} {asked.request_url.partition('?')[0]}", pattern):
            crashpoint(pattern)
        return wait(self)

    urllib3.connection.HTTPConnection.getresponse = getresponse  # type: ignore[method-assign]


def threads(app: Any, *works: Callable[[], Any]) -> list[Any]:
    """All of these at the same moment, each in a thread and an app context of its own; results or exceptions."""
    gate = threading.Barrier(len(works))
    answers: list[Any] = [None] * len(works)
    db.session.rollback()

    def run(i: int, work: Callable[[], Any]) -> None:
        with app.app_context():
            gate.wait(60)
            try:
                answers[i] = work()
            except Exception as error:
                answers[i] = error
            finally:
                db.session.remove()

    started = [threading.Thread(target=run, args=pair, daemon=True) for pair in enumerate(works)]
    for thread in started:
        thread.start()
    for thread in started:
        thread.join(90)
        assert not thread.is_alive(), "a racing thread hangs"
    db.session.expire_all()
    return answers


def make_crowd(n: int) -> list[Any]:
    """The ids of n confirmed people, in one statement."""
    first = make_person()
    with transaction() as session:
        return list(session.scalars(sa.text("""
            INSERT INTO person (name, email, handle, fs_uniquifier, password, confirmed_at, locale)
            SELECT 'Fan ' || i, :mark || i || '@example.org', :mark || i, :mark || i, '*', clock_now(), 'en'
              FROM generate_series(1, :n) i RETURNING id"""), {"n": n, "mark": "fan" + first.handle}).all())


def age_leases() -> None:
    """As if the dead worker's two minutes were over."""
    with transaction() as session:
        session.execute(sa.text("UPDATE pledge SET leased_until = clock_timestamp() - interval '1 second' "
                                "WHERE state = 'collecting'"))


def bury_the_dead() -> None:
    """As if the time were over that others wait for a dead worker: its heartbeat and its leases."""
    age_leases()
    with transaction() as session:
        session.execute(sa.text("UPDATE procrastinate_workers SET last_heartbeat = now() - interval '1 hour'"))
        session.execute(sa.text("UPDATE procrastinate_jobs SET scheduled_at = NULL WHERE status = 'todo'"))
        session.execute(sa.text("UPDATE mail SET due_at = clock_now() WHERE state IN ('queued', 'sending')"))
