"""C-22 to C-24: a job leaves with the commit, survives its worker, and may run twice."""

import threading

import psycopg
import pytest
import sqlalchemy as sa
from procrastinate.exceptions import TaskNotFound

from core import jobs
from core.db import db, transaction
from core.jobs import Tick, defer, drain, run_due_ticks, task
from tests.factories import scalar
from tests.races import threads

RAN = []


@task("tests:note")
def note(word: str) -> None:
    RAN.append(word)


@task("tests:fail", retry=3)
def fail(word: str) -> None:
    RAN.append(word)
    raise RuntimeError(word)


@pytest.fixture(autouse=True)
def fresh():
    RAN.clear()


def _waiting():
    return scalar("SELECT count(*) FROM procrastinate_jobs WHERE status = 'todo'")


def test_a_rolled_back_transaction_leaves_no_job_and_a_committed_one_leaves_one(app):
    with pytest.raises(ZeroDivisionError), transaction():
        defer("tests:note", word="never")
        raise ZeroDivisionError
    assert _waiting() == 0
    with transaction():
        defer("tests:note", word="once")
        assert _outside() == 0  # nobody sees it before the commit
    assert _waiting() == 1
    drain(app, ticking=False)
    assert RAN == ["once"] and _waiting() == 0


def test_where_nothing_is_due_no_worker_begins(app, database_url):
    with psycopg.connect(database_url, autocommit=True) as owner:

        def begun():
            return owner.execute("SELECT last_value, is_called FROM procrastinate_workers_id_seq").fetchone()

        with transaction():
            jobs.desk.configure_task("tests:note", allow_unknown=False, schedule_in={"hours": 1},
                                     connection=db.session.connection().connection.driver_connection).defer(word="later")
        before = begun()
        drain(app, ticking=False)
        assert begun() == before and _waiting() == 1
        with transaction():
            defer("tests:note", word="now")
        drain(app, ticking=False)
        assert begun() != before and RAN == ["now"]


def _outside():
    with db.engine.connect() as connection:
        return connection.scalar(sa.text("SELECT count(*) FROM procrastinate_jobs"))


def test_a_savepoint_that_fails_takes_its_job_with_it(app):
    with transaction():
        defer("tests:note", word="outer")
        with pytest.raises(ZeroDivisionError), transaction():
            defer("tests:note", word="inner")
            raise ZeroDivisionError
    drain(app, ticking=False)
    assert RAN == ["outer"]


def test_a_job_that_nobody_wrote_cannot_be_deferred(app):
    with pytest.raises(TaskNotFound), transaction():
        defer("tests:nobody")
    assert _waiting() == 0


def test_a_job_that_fails_is_kept_and_tried_again_later(app):
    with transaction():
        defer("tests:fail", word="x")
    drain(app, ticking=False)
    assert RAN == ["x"]
    row = db.session.execute(sa.text("SELECT status, attempts, scheduled_at > now() AS waits FROM procrastinate_jobs")).one()
    assert tuple(row) == ("todo", 1, True)


def test_only_the_jobs_of_dead_workers_are_rescued(app):
    with transaction() as session:
        for word in "abc":
            defer("tests:note", word=word)
        live, dead = (session.scalar(sa.text(
            "INSERT INTO procrastinate_workers (last_heartbeat) VALUES (now() - make_interval(secs => :s)) RETURNING id"),
            {"s": s}) for s in (5, 60))
        ids = session.scalars(sa.text("SELECT id FROM procrastinate_jobs ORDER BY id")).all()
        for job, worker in zip(ids, (live, dead, None), strict=True):
            session.execute(sa.text("UPDATE procrastinate_jobs SET status = 'doing', worker_id = :w WHERE id = :j"),
                            {"w": worker, "j": job})
    assert jobs.rescue_stalled() == 2
    drain(app, ticking=False)
    assert sorted(RAN) == ["b", "c"]
    assert jobs.rescue_stalled() == 0


def test_a_tick_rescues_and_how_long_a_silence_is_death_may_be_said(app):
    with transaction() as session:
        defer("tests:note", word="a")
        worker = session.scalar(sa.text("INSERT INTO procrastinate_workers (last_heartbeat) "
                                        "VALUES (now() - interval '10 seconds') RETURNING id"))
        session.execute(sa.text("UPDATE procrastinate_jobs SET status = 'doing', worker_id = :w"), {"w": worker})
    run_due_ticks(app, {}, 0.0)
    assert _waiting() == 0 and jobs.rescue_stalled(15) == 0
    assert jobs.rescue_stalled(5) == 1
    with transaction() as session:
        session.execute(sa.text("UPDATE procrastinate_jobs SET status = 'doing', worker_id = NULL"))
    run_due_ticks(app, {}, 0.0)
    assert _waiting() == 1


def test_two_rescuers_at_once_rescue_each_job_once(app):
    with transaction() as session:
        for word in "abcdef":
            defer("tests:note", word=word)
        session.execute(sa.text("UPDATE procrastinate_jobs SET status = 'doing'"))
    answers = threads(app, *[jobs.rescue_stalled] * 4)
    assert sum(answers) == 6, answers
    drain(app, ticking=False)
    assert sorted(RAN) == list("abcdef")


def test_a_tick_that_fails_does_not_stop_the_others_and_comes_again(app, monkeypatch):
    rang = []

    def bad():
        rang.append("bad")
        raise RuntimeError

    monkeypatch.setattr(jobs, "_ticks", {"bad": Tick("bad", 5, bad), "good": Tick("good", 1, lambda: rang.append("good"))})
    last = {}
    for at in (0.0, 0.5, 1.0, 5.0):
        run_due_ticks(app, last, at)
    assert rang == ["bad", "good", "good", "bad", "good"]


def test_a_task_is_named_after_its_room_and_what_it_does():
    names = [name for name in jobs.desk.tasks if not name.startswith(("tests:", "builtin:", "procrastinate."))]
    assert names and all(name.count(":") == 1 and name.split(":")[0].isidentifier() for name in names)
    assert not [tick.name for tick in jobs.ticks() if tick.name.count(":") != 1]


def test_no_job_leans_on_a_lock_of_the_queue():
    """C-24: correctness rests on rows; `lock` and `queueing_lock` are not used at all."""
    for name, job in jobs.desk.tasks.items():
        if not name.startswith("builtin"):
            assert job.lock is None and job.queueing_lock is None, name
    assert threading.active_count() < 50
