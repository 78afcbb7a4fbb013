"""Small notes that are written a moment after the answer, many in one statement.

Only for what may be lost: a process that is killed loses the last fifth of a second, a database that is away loses more.
Nobody waits for it, and a page that only shows works on a database that cannot be written to (W-06).
"""

import atexit
import os
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Any, Generic, TypeVar

import sqlalchemy as sa
import structlog
from flask import Flask, current_app
from sqlalchemy.exc import SQLAlchemyError

from core.db import db

log = structlog.get_logger()
Note = TypeVar("Note")

PAUSE = 0.2  # seconds in which notes gather
MOST = 50_000  # if the database is away for long, the oldest are lost
MOST_AT_ONCE = 5_000
kinds: list["Later[Any]"] = []


class Later(Generic[Note]):
    """Notes of one kind; `write` stores a list of them in one transaction of its own and says how many were new."""

    def __init__(self, name: str, write: Callable[[sa.Connection, list[Note]], int]):
        self.name, self.write = name, write
        self.waiting: deque[Note] = deque(maxlen=MOST)
        self.lock, self.flushing = threading.Lock(), threading.Lock()
        self.writer: tuple[int, threading.Thread] | None = None  # of the process that it was begun in
        kinds.append(self)

    def add(self, note: Note) -> None:
        with self.lock:
            self.waiting.append(note)
        self._begin_writing()

    def flush(self) -> int:
        """Write what waits; returns how many were new to the database. What cannot be written is lost."""
        written = 0
        with self.flushing:  # whoever asks for it finds everything written that came before
            while self.waiting:
                with self.lock:
                    batch = [self.waiting.popleft() for _ in range(min(len(self.waiting), MOST_AT_ONCE))]
                try:
                    with db.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
                        written += self.write(connection, batch)
                except SQLAlchemyError as error:
                    log.info("notes lost", kind=self.name, count=len(batch), reason=type(error).__name__)
        return written

    def forget(self) -> None:
        """Drop what waits."""
        with self.flushing, self.lock:
            self.waiting.clear()

    def _is_writing(self) -> bool:
        return self.writer is not None and self.writer[0] == os.getpid() and self.writer[1].is_alive()

    def _begin_writing(self) -> None:
        """One thread per process, begun with its first note: a server may fork after it has loaded us."""
        if self._is_writing():
            return
        with self.lock:
            if self._is_writing():
                return
            app = current_app._get_current_object()  # type: ignore[attr-defined]
            if not self.writer or self.writer[0] != os.getpid():
                atexit.register(self._last_flush, app, os.getpid())
            self.writer = (os.getpid(), threading.Thread(target=self._write_on, args=(app,), name=self.name, daemon=True))
            self.writer[1].start()

    def _write_on(self, app: Flask) -> None:
        """Until nothing has come for a while; the next note begins another thread."""
        idle = 0
        while idle < 50:
            time.sleep(PAUSE)
            with app.app_context():
                idle = 0 if self.flush() else idle + 1

    def _last_flush(self, app: Flask, pid: int) -> None:
        if pid == os.getpid() and self.waiting:
            with app.app_context():
                self.flush()


def flush_all() -> None:
    for kind in kinds:
        kind.flush()


def forget_all() -> None:
    for kind in kinds:
        kind.forget()
