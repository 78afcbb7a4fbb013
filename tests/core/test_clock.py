"""The one clock: the database decides, Python follows, production cannot move it."""

import ast
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psycopg
import pytest

from core import clock
from core.db import db
from tests.factories import scalar

ROOT = Path(__file__).parents[2]


def test_database_and_python_agree(app):
    assert abs((clock.now() - scalar("SELECT clock_now()")).total_seconds()) < 1


def test_moving_it_moves_both(app):
    clock.move_clock(timedelta(days=9))
    clock.move_clock(timedelta(hours=-1))
    assert clock.shift() == timedelta(days=9, hours=-1)
    assert abs((clock.now() - scalar("SELECT clock_now()")).total_seconds()) < 1
    assert clock.now() - datetime.now(UTC) > timedelta(days=8)


def test_times_written_by_default_follow_it(app):
    from tests.factories import make_person

    clock.move_clock(timedelta(days=9))
    assert abs((make_person().created_at - clock.now()).total_seconds()) < 2


def test_whoever_keeps_time_is_told(app, stripe):
    clock.move_clock(timedelta(days=2))
    assert abs(stripe.get("clock")["offset"] - 2 * 86400) < 5


def test_production_cannot_move_it_and_never_looks(app, monkeypatch):
    clock.move_clock(timedelta(days=1))
    monkeypatch.setitem(app.config, "ENV_NAME", "production")
    with pytest.raises(RuntimeError, match="cannot be moved in production"):
        clock.move_clock(timedelta(days=1))
    assert clock.shift() == timedelta(0)
    monkeypatch.setitem(app.config, "ENV_NAME", "test")
    assert scalar("SELECT extract(day FROM shift) FROM clock") == 1
    db.session.rollback()


def test_there_is_one_clock_only(app, database_url):
    with psycopg.connect(database_url, autocommit=True) as connection:
        with pytest.raises(psycopg.errors.IntegrityError):
            connection.execute("INSERT INTO clock SELECT * FROM clock")


def test_no_room_asks_another_clock():
    """Naive time, and now() of Python or SQL, in code that decides about deadlines would split the one clock."""
    found = []
    for room in ("people", "projects", "rewards", "backing", "sharing", "backers", "insights"):
        for path in (ROOT / room).glob("*.py"):
            for node in ast.walk(ast.parse(path.read_text())):
                if isinstance(node, ast.Call) and ast.unparse(node.func) in (
                        "datetime.now", "datetime.utcnow", "datetime.today", "date.today", "time.time"):
                    found.append(f"{room}/{path.name}:{node.lineno}")
    assert found == []
