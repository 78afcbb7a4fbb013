"""Many payments at once: threads ask Stripe, and one writes the database for all of them.

Each payment goes the way of `charging.charge`: create; its id and the attempt committed; confirm; outcome. What comes
back within a moment shares a transaction, and all turns of the shared pace are taken in small blocks just ahead of
their use. Killed anywhere, the next lease goes on with the same keys.
"""

import random
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from queue import Empty, SimpleQueue
from typing import Any

import sqlalchemy as sa
import structlog
from flask import Flask

from core.crash import crashpoint
from core.db import db, transaction
from payments import charging, gateway
from payments.charging import Step
from payments.recording import News, write

log = structlog.get_logger()
MOMENT = 0.04  # seconds that the first answer waits for others
TOGETHER = 50  # answers in one transaction, at most
AHEAD = 0.5  # seconds of turns taken in advance, at most: whoever else wants one waits no longer than this
LATE = 0.05  # seconds after which a turn is missed
MISSED = object()  # in place of an answer: it was not asked
TOO_BUSY = 5  # answers in a row that say “not now”, before all of us rest (S-12)
LONGEST_REST = 30.0  # seconds
PATIENCE = 70.0  # the longest that one call can take with its retries: nothing is begun when a lease ends sooner

Answer = tuple[Callable[..., Any], Step, Any]


class Stream:
    """Charges what `lease` hands out until it is empty; `refused` hears what was our own mistake, and that is the end."""

    def __init__(self, app: Flask, lease: Callable[[], Sequence[Step]], refused: Callable[[Step, gateway.GatewayError], None],
                 should_stop: Callable[[], bool] = lambda: False):
        self.app, self.lease, self.refused, self.should_stop = app, lease, refused, should_stop
        self.width = app.config["COLLECT_CONCURRENCY"]
        self.per_second = app.config["STRIPE_RATE"]
        self.to_create: deque[Step] = deque()
        self.to_confirm: deque[Step] = deque()
        self.answers: SimpleQueue[Answer] = SimpleQueue()
        self.flying = self.confirming = self.taken = 0
        self.is_dry = self.is_over = False  # nothing is left to lease; nothing more shall be begun
        self.left: list[Step] = []  # leased and not sent: for whoever comes next
        self.busy = self.rests = 0  # “not now” in a row; rests in a row
        self.rest_until = 0.0

    def run(self) -> int:
        """Until all is answered and written; how many were taken."""
        # The threads live in one context each: they have no session, and a context per call is a tenth of its cost.
        pool = ThreadPoolExecutor(self.width, "charge", lambda: self.app.app_context().push())
        try:
            while True:
                self._take()
                self._send(pool)
                if self.flying:
                    self._write(self._gather(pool))
                elif not self._rest():
                    return self.taken
        finally:
            pool.shutdown(cancel_futures=True)  # when we fail here, what is not sent yet is not sent

    def _take(self) -> None:
        if self.should_stop():
            self.is_over = True
        if self.is_over:
            self._leave(self.to_create)
        while not (self.is_over or self.is_dry or self._is_resting()) and len(self.to_create) < self.width:
            steps = self.lease()
            self.is_dry = not steps
            self.taken += len(steps)
            found = charging.look_up(steps) if steps else []
            db.session.rollback()
            self.to_create += (step for step in found if step.stripe_id is None or step.is_stale)
            self._await_confirm([step for step in found if step.stripe_id is not None and not step.is_stale], [])

    def _leave(self, steps: deque[Step]) -> None:
        self.left += steps
        steps.clear()

    # Stripe asks for less: nothing was done, so the same step goes again with the same key (S-12)

    def _put_back(self, ask: Callable[..., Any], step: Step, answer: Any) -> None:
        (self.to_confirm if ask is charging.confirm else self.to_create).appendleft(step)
        if answer is MISSED:
            return
        self.busy += 1
        if self.busy >= TOO_BUSY or isinstance(answer, gateway.Resting):
            if not self._is_resting():
                wait = min(LONGEST_REST, 2.0 ** self.rests) * random.uniform(0.5, 1.0)  # noqa: S311 -- only not all at once
                self.rest_until = time.monotonic() + wait
                self.rests += 1
                log.warning("collection rests", seconds=round(wait, 1), code=answer.code)
            self.busy = 0

    def _is_resting(self) -> bool:
        return time.monotonic() < self.rest_until

    def _rest(self) -> bool:
        """Wait a little of the rest; False when there is nothing to wait for."""
        if not self._is_resting() or not (self.to_create or self.to_confirm):
            return False
        if self.is_over:
            self._leave(self.to_confirm)
            return False
        time.sleep(min(0.2, max(0.0, self.rest_until - time.monotonic())))
        return True

    # Out: what is begun goes first

    def _send(self, pool: ThreadPoolExecutor) -> None:
        if self._is_resting():
            return
        # Without a pace some wait in the pool, so that no thread has to wait for us; with one, none waits past its turn.
        room = (self.width if self.per_second else 3 * self.width) - self.flying
        for ask, endpoint, steps in ((charging.confirm, gateway.CONFIRM, self.to_confirm),
                                     (charging.create, gateway.CREATE, self.to_create)):
            block = max(1, int(self.per_second * AHEAD / 2)) if self.per_second else room
            now = time.monotonic()
            ready: list[Step] = []
            while steps and len(ready) < min(room, block):
                step = steps.popleft()
                if now + PATIENCE < step.until:
                    ready.append(step)
                else:
                    self.left.append(step)
            if not ready:
                continue
            room -= len(ready)
            self.flying += len(ready)
            self.confirming += len(ready) if ask is charging.confirm else 0
            turns = gateway.turns(endpoint, len(ready))
            now = time.monotonic()
            for step, turn in zip(ready, turns, strict=True):
                pool.submit(self._ask, ask, step, now + turn)

    def _ask(self, ask: Callable[..., Any], step: Step, turn: float) -> None:
        """In a thread: wait for our turn, ask, hand over whatever came of it.

        A process that was kept waiting does not send all it missed at once, on top of those whose turn it is.
        """
        answer: Any = MISSED
        if (wait := turn - time.monotonic()) > 0:
            time.sleep(wait)
        try:
            if not self.per_second or time.monotonic() - turn < LATE:
                answer = ask(step, is_paced=True)
        except Exception as error:
            answer = error
        self.answers.put((ask, step, answer))

    # In: answers, in batches

    def _gather(self, pool: ThreadPoolExecutor) -> list[Answer]:
        """The next answer and those that come within a moment of it; meanwhile the threads have work.

        Nobody waits while there is nothing to confirm but what has just been created.
        """
        got: list[Answer] = []
        end = time.monotonic() + 3600
        while self.flying and len(got) < TOGETHER:
            try:
                answer = self.answers.get(timeout=max(0.0, end - time.monotonic()))
            except Empty:
                break
            got.append(answer)
            self.flying -= 1
            self.confirming -= answer[0] is charging.confirm
            end = min(end, time.monotonic() + (MOMENT if self.confirming else 0))
            self._send(pool)
        return got

    def _write(self, got: list[Answer]) -> None:
        news, created = [], []
        for ask, step, answer in got:
            if answer is MISSED or (isinstance(answer, gateway.Silence)
                                    and (answer.status == 429 or isinstance(answer, gateway.Resting))):
                self._put_back(ask, step, answer)
                continue
            self.busy = 0
            if not isinstance(answer, Exception):
                self.rests = 0
            if isinstance(answer, gateway.Silence):
                log.warning("no answer", payment=str(step.payment_id))
                if ask is charging.confirm:
                    news.append(News(step.payment_id, None))
            elif isinstance(answer, gateway.GatewayError):
                self.is_over = True
                self._leave(self.to_confirm)
                self.left.append(step)
                self.refused(step, answer)
            elif isinstance(answer, Exception):  # a bug with one must not keep the others waiting; its lease brings it back
                log.error("not charged", payment=str(step.payment_id), exc_info=answer)
            elif answer is not None:
                news.append(News(step.payment_id, answer, step.number if ask is charging.confirm else step.attempts))
            else:
                created.append(step)
        self._await_confirm(created, news)

    def _await_confirm(self, created: Sequence[Step], news: Sequence[News]) -> None:
        """Commit outcomes and attempts; what has its attempt may be confirmed."""
        fresh = [step for step in created if step.number is None]
        try:
            self._commit(fresh, news)
        except Exception as error:
            if _is_gone(error):
                raise
            log.exception("not written together; one by one")
            for step in fresh:
                self._commit_one([step], [])
            for one in news:
                self._commit_one([], [one])
        self.to_confirm += (step for step in created if step.number is not None)

    def _commit(self, fresh: Sequence[Step], news: Sequence[News]) -> None:
        if not fresh and not news:
            return
        try:
            with transaction():
                if news:
                    write(news)
                if fresh:
                    charging.begin(fresh)
        except BaseException:
            for step in fresh:
                step.number = None  # what is not committed is not sent
            raise
        for one in news:
            if one.outcome is not None:
                crashpoint("after-outcome")

    def _commit_one(self, fresh: Sequence[Step], news: Sequence[News]) -> None:
        try:
            self._commit(fresh, news)
        except Exception as error:
            if _is_gone(error):
                raise
            log.exception("not written", payment=str(fresh[0].payment_id if fresh else news[0].payment_id))


def _is_gone(error: Exception) -> bool:
    """The database went away: nothing that comes back could be written, so nothing more may be asked."""
    return isinstance(error, sa.exc.DBAPIError) and error.connection_invalidated
