"""Notes that are written a moment after the answer."""

import time

import pytest
import sqlalchemy as sa

from core.db import db
from core.later import MOST_AT_ONCE, PAUSE, Later, kinds
from tests.factories import scalar

_ADD = sa.text("INSERT INTO page_version (topic) SELECT unnest(CAST(:topics AS text[])) ON CONFLICT DO NOTHING RETURNING topic")


@pytest.fixture
def notes(app):
    batches = []

    def write(connection, batch):
        batches.append(len(batch))
        return len(connection.execute(_ADD, {"topics": batch}).all())

    made = Later("test", write)
    made.batches = batches
    yield made
    made.forget()
    kinds.remove(made)


def known():
    db.session.rollback()
    return scalar("SELECT count(*) FROM page_version WHERE topic LIKE 'note:%'")


def test_notes_are_written_together_and_soon_without_anybody_asking(notes):
    for n in range(3):
        notes.add(f"note:{n}")
    assert known() == 0  # nobody waited for it
    end = time.monotonic() + 20 * PAUSE + 10
    while known() < 3 and time.monotonic() < end:
        time.sleep(PAUSE / 4)
    assert known() == 3 and notes.batches == [3]


def test_whoever_asks_finds_everything_that_came_before(notes):
    for n in range(MOST_AT_ONCE + 1):
        notes.add(f"note:{n % 10}")
    assert notes.flush() == 10 == known() and not notes.waiting
    assert notes.flush() == 0


def test_what_the_database_does_not_take_is_lost_and_the_next_is_not(notes):
    notes.add("note:\0")  # no text in PostgreSQL
    assert notes.flush() == 0 and not notes.waiting
    notes.add("note:1")
    assert notes.flush() == 1


def test_forgotten_notes_are_not_written(notes):
    notes.add("note:1")
    notes.forget()
    time.sleep(2 * PAUSE)
    assert known() == 0 and notes.batches == []
