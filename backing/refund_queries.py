"""Reading refunds: of one pledge, of a whole project."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from backing.models import LineKind, Pledge, PledgeLine
from core import money
from core.db import db
from payments.models import Payment, Refund, RefundState
from payments.refunds import fee_back
from people.models import Person

R = RefundState
GONE = (R.FAILED, R.CANCELED)
PER_PAGE = 50


@dataclass(frozen=True)
class Part:
    """One line of a pledge, and what of it has not gone back."""

    title: str  # empty for the bonus
    kind: LineKind
    amount: int
    left: int


@dataclass(frozen=True)
class Sums:
    """What a refund of all that is left would do; the processing fee is what Stripe keeps in any case."""

    paid: int
    gone: int
    left: int
    fee_back: int
    processing_fee: int | None


@dataclass(frozen=True)
class Refundable:
    """What could still go back in a project; the disputed payments are left to their banks."""

    count: int
    amount: int
    disputed: int


@dataclass(frozen=True)
class Line:
    """One refund of a project's list."""

    refund: Refund
    pledge_id: UUID
    number: int | None
    name: str


def refunds_of(pledge: Pledge) -> list[Refund]:
    """All refunds of a pledge, the newest first."""
    if pledge.payment_id is None:
        return []
    return list(db.session.scalars(sa.select(Refund).where(Refund.payment_id == pledge.payment_id)
                                   .order_by(Refund.created_at.desc(), Refund.id.desc())))


def parts_of(pledge: Pledge, refunds: list[Refund]) -> list[Part]:
    """The lines of a pledge with what is left of each; refunds that were not by line are nobody's."""
    gone: dict[str, int] = {}
    for refund in refunds:
        if refund.state not in GONE:
            for title, amount in refund.lines:
                gone[title] = gone.get(title, 0) + int(amount)
    found = []
    for row in db.session.scalars(sa.select(PledgeLine).where(
            PledgeLine.pledge_id == pledge.id, PledgeLine.version == pledge.version).order_by(PledgeLine.id)):
        taken = min(row.amount, gone.get(row.title, 0))
        gone[row.title] = gone.get(row.title, 0) - taken
        found.append(Part(row.title, row.kind, row.amount, row.amount - taken))
    return found


def sums_of(payment: Payment, refunds: list[Refund]) -> Sums:
    given = sum(r.fee_back for r in refunds if r.state not in GONE and r.duplicate_charge_id is None)
    left = payment.amount - payment.refunded
    share = fee_back(money.share(payment.amount, payment.fee_bp), payment.amount, payment.refunded, left, given)
    return Sums(payment.amount, payment.refunded, left, share if left else 0, payment.processing_fee)


_REFUNDABLE = sa.text("""
    SELECT count(*) FILTER (WHERE NOT is_disputed) AS n, count(*) FILTER (WHERE is_disputed) AS disputed,
           coalesce(sum(left_over) FILTER (WHERE NOT is_disputed), 0)::bigint AS amount
      FROM (SELECT amount - refunded AS left_over, EXISTS (
                   SELECT 1 FROM dispute d WHERE d.payment_id = m.id AND (d.held > 0 OR d.status IN (
                          'needs_response', 'under_review', 'appeal_needs_response', 'appeal_under_review'))) AS is_disputed
              FROM payment m WHERE project_id = :project AND state = 'succeeded' AND refunded < amount) one""")


def refundable(project_id: UUID) -> Refundable:
    row = db.session.execute(_REFUNDABLE, {"project": project_id}).one()
    return Refundable(row.n, int(row.amount), row.disputed)


@dataclass(frozen=True)
class Told:
    """How many refunds of a project are in a state, and how much money that is."""

    count: int
    amount: int


def by_state(project_id: UUID) -> dict[RefundState, Told]:
    rows = db.session.execute(sa.select(Refund.state, sa.func.count(), sa.func.sum(Refund.amount)).where(
        Refund.project_id == project_id).group_by(Refund.state))
    return {state: Told(n, int(amount)) for state, n, amount in rows}


def page_of(project_id: UUID, page: int) -> list[Line]:
    rows = db.session.execute(
        sa.select(Refund, Pledge.id, Pledge.number, Person.name).join(Pledge, Pledge.payment_id == Refund.payment_id)
        .join(Person, Person.id == Pledge.backer_id).where(Refund.project_id == project_id)
        .order_by(Refund.created_at.desc(), Refund.id.desc()).limit(PER_PAGE).offset((page - 1) * PER_PAGE))
    return [Line(refund, pledge_id, number, name) for refund, pledge_id, number, name in rows]


@dataclass(frozen=True)
class Progress:
    """How far refunding everybody has come."""

    asked: int
    skipped: int
    waiting: int
    started_at: datetime
    finished_at: datetime | None

    @property
    def whole(self) -> int:
        return self.asked + self.skipped + self.waiting


_RUN = sa.text("""
    SELECT asked, skipped, started_at, finished_at,
           CASE WHEN finished_at IS NULL THEN (
                SELECT count(*) FROM payment m WHERE m.project_id = r.project_id AND m.state = 'succeeded'
                   AND m.refunded < m.amount AND (r.last_payment_id IS NULL OR m.id > r.last_payment_id)) ELSE 0 END AS waiting
      FROM refund_run r WHERE project_id = :project ORDER BY started_at DESC LIMIT 1""")


def latest_run(project_id: UUID) -> Progress | None:
    row: Any = db.session.execute(_RUN, {"project": project_id}).first()
    return Progress(row.asked, row.skipped, row.waiting, row.started_at, row.finished_at) if row else None
