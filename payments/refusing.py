"""What a refusal means for one payment, now that it is not its first: where it leads, when we try again, who is told."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from core.db import db
from payments.caps import AUTOMATIC, DAYS, bury
from payments.declines import Route, route
from payments.gateway import Outcome

# The refusals of a payment's present card, oldest first; the last one is the one that is judged. Codes that were read
# from the intent, while the reply is missing, stand in the attempt without an answer.
_HISTORY = sa.text("""
    SELECT a.payment_id, a.payment_method_id, a.is_automatic, a.code, a.decline_code, a.advice_code,
           a.sent_at > clock_timestamp() - make_interval(days => :days) AS is_recent
      FROM payment_attempt a
      JOIN payment p ON p.id = a.payment_id
      JOIN payment_attempt l ON l.payment_id = p.id AND l.number = p.attempts
     WHERE p.id = ANY(CAST(:ids AS uuid[])) AND a.payment_method_id = l.payment_method_id
       AND (a.answered_at IS NOT NULL OR a.number = p.attempts)
     ORDER BY a.payment_id, a.number""")


@dataclass(frozen=True)
class Verdict:
    """Where one refusal leads. `hours` after which we try again by ourselves; None when we do not."""

    way: str  # never | act | soft | ours
    backer: str | None  # what the backer can do; None when it is not their card at all
    hours: int | None
    is_told: bool  # whether this is worth a mail of its own: not our own tries that end as the one before


def judge(refused: Mapping[UUID, Outcome]) -> dict[UUID, Verdict]:
    """The verdict for each payment that was refused, and dead cards buried. Call inside transaction()."""
    history: dict[UUID, list[Any]] = defaultdict(list)
    for row in db.session.execute(_HISTORY, {"ids": list(refused), "days": DAYS}):
        history[row.payment_id].append(row)
    return {payment_id: _judge(outcome, history[payment_id]) for payment_id, outcome in refused.items()}


def _judge(outcome: Outcome, tries: list[Any]) -> Verdict:
    before = [route(row.code, row.decline_code, row.advice_code, refusals=n) for n, row in enumerate(tries[:-1], 1)]
    now = route(outcome.code, outcome.decline_code, outcome.advice_code, refusals=len(before) + 1)
    if now.way == "ours":
        return Verdict(now.way, None, None, False)
    if now.is_dead and tries:
        bury(tries[-1].payment_method_id, outcome.decline_code or outcome.code or "never again")
    # The k-th refusal of a kind waits for the k-th of its hours; the last automatic try is kept for the last day.
    k = before.count(now)
    spent = sum(row.is_automatic and row.is_recent for row in tries)
    hours = now.hours[k] if k < len(now.hours) and spent < AUTOMATIC - 1 else None
    is_told = not before or not tries[-1].is_automatic or _words(before[-1]) != _words(now)
    return Verdict(now.way, now.backer, hours, is_told)


def _words(found: Route) -> tuple[str, str]:
    return found.way, found.backer
