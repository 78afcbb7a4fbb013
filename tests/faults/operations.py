"""The six things that move money or bring news of it, each with the six places in which its process can die (C-19).

An operation makes units of work; what a worker or a web process does with one unit is `work`. Who does it after a death
is `settle`, and `judge` looks at Stripe's own objects and log and at all our books.
"""

import hashlib
import hmac
import json
import random
import sys
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import UUID

import sqlalchemy as sa

import config
from backing import fixing, refunding
from backing.models import Pledge
from core import clock, mail
from core.db import db, transaction
from core.errors import Refusal
from core.jobs import defer, drain
from payments import refunds
from payments.models import Payment
from projects import closing
from projects.models import Project
from tests.factories import back, check_money, make_person, make_project, scalar
from tests.payments.payouts import go, make_account, ripen, work
from tests.races import bury_the_dead

FINE, ASKS = "4242424242424242", "4000002760003184"
EACH = 2  # payments of a unit
LABELS = ("before the row", "after the row", "after the request was sent", "after the reply, before the commit",
          "after the commit, before the job's end", "after the job's end, before the mail")


@dataclass(frozen=True)
class Operation:
    name: str
    points: tuple[str, ...]  # where it dies, in the order of LABELS
    prepare: Callable[[Any, Any, int, random.Random], list[Any]]
    work: Callable[[Any, Any], None]
    judge: Callable[[Any, list[Any]], None]
    again: Callable[[Any, Any], None] = lambda app, unit: None  # what people and Stripe do when nothing seems to happen


def _clear_jobs() -> None:
    with transaction() as session:
        session.execute(sa.text("DELETE FROM procrastinate_jobs"))


def _projects(app: Any, stripe: Any, n: int, chance: random.Random) -> list[Any]:
    """Projects of one creator that have ended well; nothing was charged yet."""
    creator = make_person()
    made = []
    for _ in range(n):
        project = make_project(creator, goal=1_000)
        for _ in range(EACH):
            back(stripe, project, bonus=chance.randrange(1_000, 9_999))
        made.append(project)
    clock.move_clock(max(project.deadline for project in made) - clock.now() + timedelta(seconds=1))
    ids = [project.id for project in made]
    assert all(closing.close(project_id) for project_id in ids)
    _clear_jobs()
    return ids


def _collected(app: Any, stripe: Any, n: int, chance: random.Random) -> list[Any]:
    ids = _projects(app, stripe, n, chance)
    make_account(stripe, db.session.get_one(Project, ids[0]).creator)
    go(stripe)
    drain(app)
    drain(app)
    assert scalar("SELECT count(*) FROM payment WHERE state = 'succeeded'") == EACH * n
    _clear_jobs()
    return ids


def _ripe(app: Any, stripe: Any, n: int, chance: random.Random) -> list[Any]:
    ids = _collected(app, stripe, n, chance)
    go(stripe, 15)
    return ids


def _paid_out(app: Any, stripe: Any, n: int, chance: random.Random) -> list[Any]:
    ids = _ripe(app, stripe, n, chance)
    work(app)
    assert scalar("SELECT count(*) FROM transfer WHERE state = 'succeeded'") == EACH * n
    _clear_jobs()
    return ids


def _answered(app: Any, stripe: Any, n: int, chance: random.Random) -> list[Any]:
    """Payments that the backer's bank has let through, which only Stripe knows: the events that tell it."""
    project = make_project(goal=1_000)
    pledges = [back(stripe, project, bonus=chance.randrange(1_000, 9_999), number=ASKS).id for _ in range(n)]
    clock.move_clock(project.deadline - clock.now() + timedelta(seconds=1))
    drain(app)
    drain(app)
    for pledge_id in pledges:
        url = fixing.authenticate(db.session.get_one(Pledge, pledge_id, populate_existing=True), "http://localhost/back")
        assert url
        stripe.post(f"intents/{url.rsplit('/', 1)[1]}/authenticate")
    events = [event for event in stripe.get("state/event") if event["type"] == "payment_intent.succeeded"]
    assert len(events) == n
    _clear_jobs()
    return events


def _do(app: Any, task: str, **values: str) -> None:
    with transaction():
        defer(task, **values)
    _finish(app)


def _finish(app: Any) -> None:
    drain(app, ticking=False)
    mail.send_due()


def _collect(app: Any, unit: Any) -> None:
    _do(app, "backing:run_collection", project_id=str(unit))


def _pay_out(app: Any, unit: Any) -> None:
    _do(app, "payments:send_transfers", project_id=str(unit))


def _refund(app: Any, unit: Any) -> None:
    project = db.session.get_one(Project, unit)
    refunding.refund_everyone(project, "change", "", project.creator_id)
    _finish(app)


def _press_again(app: Any, unit: Any) -> None:
    """Whoever saw an error instead of an answer presses the button again; what was asked for is not asked for twice."""
    project = db.session.get_one(Project, unit)
    try:
        refunding.refund_everyone(project, "change", "", project.creator_id)
    except Refusal:
        db.session.rollback()


def _refund_some(app: Any, unit: Any) -> None:
    """Somebody presses the button for each payment that nothing was asked back of."""
    for payment_id in db.session.scalars(sa.text("""
            SELECT p.id FROM payment p WHERE p.project_id = :project
               AND NOT EXISTS (SELECT 1 FROM refund r WHERE r.payment_id = p.id) ORDER BY p.id"""), {"project": unit}).all():
        amount = db.session.get_one(Payment, payment_id).amount
        db.session.rollback()
        refunds.ask_refund(payment_id, amount * 3 // 5, "asked")
    db.session.rollback()


def _take_back(app: Any, unit: Any) -> None:
    _refund_some(app, unit)
    _finish(app)


def _deliver(app: Any, event: Any) -> None:
    """At the front door, as Stripe does."""
    body, now = json.dumps(event).encode(), int(clock.now().timestamp())
    mac = hmac.new(config.SANDBOX_SECRET.encode(), f"{now}.".encode() + body, hashlib.sha256).hexdigest()
    answer = app.test_client().post("/webhooks/stripe", data=body, headers={
        "Content-Type": "application/json", "Stripe-Signature": f"t={now},v1={mac}"})
    assert answer.status_code == 200


def _capture(app: Any, event: Any) -> None:
    _deliver(app, event)
    _finish(app)


# What must be true in the end ------------------------------------------------------------------------

def _once(stripe: Any, kind: str, mark: str, wanted: list[Any]) -> None:
    """Stripe has one object of this kind for each of our rows, and each was asked for with one key only."""
    theirs = Counter(row["metadata"].get(mark) for row in stripe.get(f"state/{kind}"))
    assert theirs == Counter(str(one) for one in wanted), (kind, theirs)


def _keys(stripe: Any) -> None:
    """By Stripe's log: whatever was done, was done once; all else was a replay or a refusal."""
    done: Counter[str] = Counter()
    objects: Counter[str] = Counter()
    for entry in stripe.get("log?limit=100000&method=POST"):
        if entry["status"] == 200 and not entry["replayed"] and entry["idempotency_key"]:
            done[entry["idempotency_key"]] += 1
            if entry["path"].endswith("/confirm"):
                objects[entry["path"]] += 1
    assert not [key for key, n in done.items() if n > 1] and not [path for path, n in objects.items() if n > 1]


def agree(stripe: Any) -> None:
    """Our books and Stripe's are one, to the cent, and every invariant holds."""
    books = stripe.get("books")
    assert books["imbalance"] == {}
    ours = scalar("SELECT coalesce(sum(amount), 0) FROM ledger_entry WHERE account IN ('stripe_pending', 'stripe_available')")
    assert ours == books["accounts"].get("platform", {}).get("eur", 0)
    check_money()


def _ids(sql: str) -> list[Any]:
    return list(db.session.scalars(sa.text(sql)))


def _judge_charges(stripe: Any, n: int) -> None:
    pledges = _ids("SELECT id FROM pledge")
    assert len(pledges) == n == scalar("SELECT count(*) FROM pledge WHERE state = 'collected'")
    _once(stripe, "payment_intent", "subject", pledges)
    assert Counter(row["payment_intent"] for row in stripe.get("state/charge") if row["status"] == "succeeded") \
        == Counter(row["id"] for row in stripe.get("state/payment_intent"))
    assert scalar("SELECT count(*) FROM ledger_transaction WHERE kind = 'charge'") == n
    assert scalar("SELECT count(*) FROM mail WHERE name = 'backing/collected' AND state = 'sent'") == n
    assert scalar("SELECT count(*) FROM payment_attempt WHERE outcome = 'succeeded'") <= n


def _judge_collection(stripe: Any, units: list[Any]) -> None:
    _judge_charges(stripe, EACH * len(units))
    assert scalar("SELECT max(number) FROM payment_attempt") == 1  # what was begun is gone on with, not begun again
    assert scalar("SELECT count(*) FROM collection_run WHERE state = 'done'") == len(units)


def _judge_refunds(stripe: Any, units: list[Any]) -> None:
    rows = _ids("SELECT id FROM refund WHERE state = 'succeeded'")
    assert len(rows) == EACH * len(units) == scalar("SELECT count(*) FROM refund")
    _once(stripe, "refund", "refund", rows)
    assert scalar("SELECT count(*) FROM pledge WHERE state = 'refunded'") == len(rows)
    assert scalar("SELECT count(*) FROM mail WHERE name = 'backing/refund_done' AND state = 'sent'") == len(rows)


def _judge_transfers(stripe: Any, units: list[Any]) -> None:
    rows = _ids("SELECT id FROM transfer WHERE state = 'succeeded'")
    assert len(rows) == EACH * len(units) == scalar("SELECT count(*) FROM transfer")
    _once(stripe, "transfer", "transfer", rows)
    assert scalar("SELECT max(tries) FROM transfer") == 1
    assert scalar("SELECT sum(amount) FROM ledger_entry WHERE account = 'creator_payable'") == 0


def _judge_reversals(stripe: Any, units: list[Any]) -> None:
    rows = _ids("SELECT id FROM transfer_reversal WHERE state = 'succeeded'")
    assert len(rows) == EACH * len(units) == scalar("SELECT count(*) FROM transfer_reversal")
    _once(stripe, "transfer_reversal", "reversal", rows)
    _once(stripe, "refund", "refund", _ids("SELECT id FROM refund WHERE state = 'succeeded'"))
    assert scalar("SELECT count(*) FROM refund") == len(rows)
    assert scalar("SELECT count(*) FROM mail WHERE name = 'backing/refund_done' AND state = 'sent'") == len(rows)


def _judge_news(stripe: Any, units: list[Any]) -> None:
    _judge_charges(stripe, len(units))
    assert scalar("SELECT count(*) FROM stripe_event WHERE handled_at IS NOT NULL") == len(units)


def _names(*steps: str) -> tuple[str, ...]:
    return (*steps, "before-mail")


OPERATIONS = {one.name: one for one in (
    Operation("create", _names("within-lease", "before-create", "sent POST /v1/payment_intents", "after-create",
                               "before-confirm"), _projects, _collect, _judge_collection),
    Operation("confirm", _names("within-attempt", "before-confirm", "sent POST /v1/payment_intents/*/confirm",
                                "after-confirm", "after-outcome"), _projects, _collect, _judge_collection),
    Operation("refund", _names("within-refund", "before-refund", "sent POST /v1/refunds", "after-refund",
                               "after-refund-outcome"), _collected, _refund, _judge_refunds, _press_again),
    Operation("transfer", ("within-transfer", "before-transfer", "sent POST /v1/transfers", "after-transfer",
                           "after-transfer-outcome", "end of payments:send_transfers"), _ripe, _pay_out, _judge_transfers),
    Operation("reversal", _names("within-reversal", "before-reversal", "sent POST /v1/transfers/*/reversals",
                                 "after-reversal", "after-reversal-outcome"),
              _paid_out, _take_back, _judge_reversals, _refund_some),
    Operation("webhook", _names("before-event", "after-event", "sent GET /v1/payment_intents/*", "within-outcome",
                                "end of payments:handle_event"), _answered, _capture, _judge_news, _deliver),
)}


def settle(app: Any, stripe: Any, operation: Operation, units: list[Any]) -> None:
    """What later workers do, and people and Stripe beside them, when the dead ones' leases are over."""
    for minutes in (3, 3):
        bury_the_dead()
        ripen()
        go(stripe, minutes=minutes)
        for unit in units:
            operation.again(app, unit)
        drain(app)
        drain(app)
    db.session.expire_all()


def judge(stripe: Any, operation: Operation, units: list[Any]) -> None:
    """0 double, 0 lost, everything settled, the books equal."""
    operation.judge(stripe, units)
    _keys(stripe)
    for table, open_states in (("payment", "'created', 'confirming', 'unknown', 'processing'"),
                               ("refund", "'created', 'unknown'"), ("transfer", "'created', 'unknown'"),
                               ("transfer_reversal", "'created', 'unknown'")):
        assert scalar(f"SELECT count(*) FROM {table} WHERE state IN ({open_states})") == 0, table
    assert scalar("SELECT count(*) FROM mail WHERE state NOT IN ('sent', 'dropped')") == 0
    assert scalar("SELECT count(*) FROM procrastinate_jobs WHERE status <> 'todo'") == 0
    agree(stripe)


def main(step: str, name: str, units: str = "[]") -> None:
    """One step of an operation in a process of its own, for tests that kill the database under it."""
    from app import create_app
    from sandbox.testing import Sandbox

    app, operation = create_app(), OPERATIONS[name]
    with app.app_context():
        stripe: Any = Sandbox(app.config["STRIPE_API_BASE"], None)  # type: ignore[arg-type]
        if step == "prepare":
            print(json.dumps([str(unit) for unit in operation.prepare(app, stripe, 3, random.Random(name))]))
            return
        known = [UUID(unit) for unit in json.loads(units)]
        if step == "work":
            for unit in known:
                operation.work(app, unit)
        else:
            settle(app, stripe, operation, known)
            judge(stripe, operation, known)


if __name__ == "__main__":
    main(*sys.argv[1:])
