"""Giving money back to backers: one, in part, or everybody of a project (S-65 to S-67).

What money does is payments' business; here it is said who may want how much of what, and what follows for the pledge.
A pledge is refunded when all of it has arrived, not when somebody asked for it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from flask_babel import gettext as _

from backing import dropping
from backing.closing import MAY_BE_CHARGED
from backing.hooks import pledge_changed
from backing.models import ACTIVE, Pledge, PledgeState
from backing.refund_queries import refundable
from backing.totals import add_delta
from core.audit import note as write_down
from core.db import ask, db, transaction
from core.errors import BadInput, Refusal
from core.jobs import defer, every, task
from core.mail import post
from payments import refunds
from payments.models import Refund, RefundState
from projects.models import Project

S, R = PledgeState, RefundState
BATCH = 50  # payments per transaction when everybody is refunded
LONGEST_NOTE = 1_000


@dataclass(frozen=True)
class Wish:
    """How much of a pledge goes back and why: `amount` in minor units, or `lines` of (title, amount); neither is all of
    it. `seen` is what had gone back when the form was made."""

    reason: str
    amount: int | None = None
    lines: Sequence[tuple[str, int]] = ()
    note: str = ""
    seen: int | None = None


def refund_pledge(pledge_id: UUID, wish: Wish, by_id: UUID | None) -> Refund:
    """Ask for it, once per form: what another window refunded meanwhile is looked at first."""
    with transaction() as session:
        row = session.execute(sa.text("""
            SELECT m.id, m.refunded FROM payment m JOIN pledge p ON p.payment_id = m.id WHERE p.id = :id FOR UPDATE OF m"""),
            {"id": pledge_id}).first()
        if row is None:
            raise Refusal(_("Nothing was charged here, so there is nothing to refund."))
        if wish.seen is not None and wish.seen != row.refunded:
            raise Refusal(_("Something of this pledge was refunded in another window. Look at what is left before you "
                            "go on."))
        amount = wish.amount
        if wish.lines:
            amount = sum(part for _title, part in wish.lines)
        if amount is not None and amount < 1:
            raise BadInput(_("Write an amount above zero."), "amount")
        return refunds.ask_refund(row.id, amount, wish.reason, lines=[list(line) for line in wish.lines],
                                  note=wish.note[:LONGEST_NOTE], by_id=by_id)


_PLEDGE = sa.select(Pledge).where(Pledge.payment_id == sa.bindparam("payment"))
_RETURNED = sa.text("""
    SELECT coalesce(sum(amount), 0)::bigint FROM refund
     WHERE payment_id = :payment AND state = 'succeeded' AND duplicate_charge_id IS NULL""")


def follow_refund(refund: Refund) -> None:
    """Hooked to payments.refund_changed, in its transaction: the totals, the pledge's state and the mails follow."""
    pledge = db.session.scalar(_PLEDGE.with_for_update().execution_options(populate_existing=True),
                               {"payment": refund.payment_id})
    if pledge is None:
        return
    if refund.state is R.CREATED:
        post("backing/refund_asked", refund_id=refund.id)
        # Most refunds are done in seconds, and one mail says it all: this one waits and leaves if it is still true.
        db.session.execute(sa.text("UPDATE mail SET due_at = clock_now() + interval '1 minute' WHERE dedupe = :key"),
                           {"key": f"backing/refund_asked:{refund.id}"})
    elif refund.state is R.SUCCEEDED:
        if refund.duplicate_charge_id is None:
            _went_back(pledge, refund)
        post("backing/refund_done", refund_id=refund.id)
    elif refund.state in (R.FAILED, R.CANCELED):
        if refund.duplicate_charge_id is None:
            _came_again(pledge, refund)
        post("backing/refund_failed", refund_id=refund.id)


def _went_back(pledge: Pledge, refund: Refund) -> None:
    """Collected is less by what arrived; all of it, and the pledge no longer counts. Its stock stays sold."""
    add_delta(pledge.project_id, pledge.reward_id, collected=-refund.amount)
    returned = db.session.scalar(_RETURNED, {"payment": refund.payment_id})
    if pledge.state is S.COLLECTED and returned == pledge.amount:
        pledge.move(S.REFUNDED, by_id=refund.by_id, why="refunded")
        db.session.flush()
        add_delta(pledge.project_id, pledge.reward_id, backers=-1, raised=-pledge.amount)
        pledge_changed.send(pledge)


# Two accounts became one, and the other's pledge stands: this one stays ended, and its money is a line on the worklist.
_STANDS_ALREADY = sa.text(f"""
    SELECT 1 FROM pledge p JOIN pledge o USING (project_id, backer_id)
     WHERE p.id = :id AND o.id <> p.id AND o.state IN ({', '.join(f"'{state}'" for state in ACTIVE)})""")  # noqa: S608


def _came_again(pledge: Pledge, refund: Refund) -> None:
    """A bank sent it back after it had succeeded: the money is here, and the pledge counts again (S-66)."""
    was_done = db.session.scalar(sa.text(
        "SELECT EXISTS (SELECT 1 FROM refund_move WHERE refund_id = :id AND to_state = 'succeeded')"), {"id": refund.id})
    if not was_done or (pledge.state is S.REFUNDED and db.session.scalar(_STANDS_ALREADY, {"id": pledge.id})):
        return
    add_delta(pledge.project_id, pledge.reward_id, collected=refund.amount)
    if pledge.state is S.REFUNDED:
        pledge.move(S.COLLECTED, why="a refund came back")
        db.session.flush()
        add_delta(pledge.project_id, pledge.reward_id, backers=1, raised=pledge.amount)
        pledge_changed.send(pledge)


# Everybody -------------------------------------------------------------------------------------------

def refund_everyone(project: Project, reason: str, note: str, by_id: UUID | None) -> UUID:
    """Begin to refund all that is left of every payment of a project, and to let go who was not charged yet; a job does it
    in batches and can be stopped anywhere. Asked for while one runs, it is that one."""
    if reason not in refunds.REASONS:
        raise BadInput(_("Choose one of these reasons."), "reason")
    with transaction() as session:
        session.execute(sa.text("SELECT 1 FROM project WHERE id = :id FOR UPDATE"), {"id": project.id})
        known = session.scalar(sa.text("SELECT id FROM refund_run WHERE project_id = :id AND finished_at IS NULL"),
                               {"id": project.id})
        if known:
            return UUID(str(known))
        what = refundable(project.id)
        if not what.count:
            raise Refusal(_("Nothing is left to refund in this project."))
        run_id = session.scalar(sa.text("""
            INSERT INTO refund_run (project_id, reason, note, by_id) VALUES (:project, :reason, :note, :by) RETURNING id"""),
            {"project": project.id, "reason": reason, "note": note[:LONGEST_NOTE], "by": by_id})
        write_down("backing:refund_everyone", "project", project.id, by_id=by_id, project_id=project.id, reason=reason,
                   count=what.count, amount=what.amount, run=str(run_id))
        defer("backing:refund_everyone", run_id=str(run_id))
    return UUID(str(run_id))


_NEXT = sa.text("""
    SELECT id, refunded < amount AS is_left FROM payment
     WHERE project_id = :project AND state = 'succeeded' AND (CAST(:after AS uuid) IS NULL OR id > CAST(:after AS uuid))
     ORDER BY id LIMIT :n""")


# What was in the air when the run came by. Those that only a bank may give back have been looked at, and are asked in vain.
_LATE = sa.text("""
    SELECT id FROM payment m WHERE project_id = :project AND state = 'succeeded'
       AND NOT EXISTS (SELECT 1 FROM refund r WHERE r.payment_id = m.id) ORDER BY id""")


def run_refunds(run_id: UUID) -> int:
    """Go on with a run until every payment was looked at once and nobody can be charged any more; returns how many refunds
    were asked for. Any number may run at once: each batch is one transaction that holds the run's row."""
    project_id = db.session.scalar(sa.text("SELECT project_id FROM refund_run WHERE id = :id AND finished_at IS NULL"),
                                   {"id": run_id})
    db.session.rollback()
    if project_id is None:
        return 0
    dropping.let_everyone_go(project_id)
    asked = 0
    while True:
        with transaction() as session:
            run = session.execute(sa.text("SELECT * FROM refund_run WHERE id = :id AND finished_at IS NULL FOR UPDATE"),
                                  {"id": run_id}).first()
            if run is None:
                return asked
            batch = session.execute(_NEXT, {"project": run.project_id, "after": run.last_payment_id, "n": BATCH}).all()
            if not batch:
                return asked + _end(run)
            done = [_ask_one(row.id, run) for row in batch if row.is_left]
            session.execute(sa.text("""
                UPDATE refund_run SET asked = asked + :asked, skipped = skipped + :skipped,
                       last_payment_id = :last WHERE id = :id"""), {
                "asked": done.count(True), "skipped": done.count(False), "id": run_id, "last": batch[-1].id})
        asked += done.count(True)


def _end(run: Any) -> int:
    """All were looked at: the run is over unless a charge is still in the air; then it is looked at again in a moment."""
    is_over = not db.session.scalar(MAY_BE_CHARGED, {"project": run.project_id})  # before what was in the air is read
    late = sum(_ask_one(payment_id, run) for payment_id in db.session.scalars(_LATE, {"project": run.project_id}).all())
    db.session.execute(sa.text("""
        UPDATE refund_run SET asked = asked + :late, finished_at = CASE WHEN :over THEN clock_now() END WHERE id = :id"""),
        {"late": late, "over": is_over, "id": run.id})
    return late


def _ask_one(payment_id: UUID, run: Any) -> bool:
    """False when this one cannot be refunded now: its bank decides."""
    try:
        refunds.ask_refund(payment_id, None, run.reason, note=run.note, by_id=run.by_id)
    except Refusal:
        return False
    return True


@task("backing:refund_everyone", queue="money")
def refund_everyone_job(run_id: str) -> None:
    run_refunds(UUID(run_id))


_WITHOUT_JOB = sa.text("""
    SELECT r.id FROM refund_run r WHERE r.finished_at IS NULL AND NOT EXISTS (
           SELECT 1 FROM procrastinate_jobs j WHERE j.task_name = 'backing:refund_everyone'
              AND j.status IN ('todo', 'doing') AND j.args->>'run_id' = r.id::text)""")


@every(15, "backing:watch_refund_runs")
def watch_refund_runs() -> int:
    """See that every run that has not come to its end has a job."""
    waiting = ask(_WITHOUT_JOB)
    with transaction():
        for row in waiting:
            defer("backing:refund_everyone", run_id=str(row.id))
    return len(waiting)
