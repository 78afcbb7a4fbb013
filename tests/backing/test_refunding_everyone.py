"""Once everybody's money goes back nobody else is charged; and a refund that fails when two accounts became one (S-66)."""

from datetime import timedelta

import sqlalchemy as sa

from backing.collecting import lease, run_collection
from backing.models import Pledge
from backing.refunding import Wish, refund_everyone, refund_pledge, run_refunds
from backing.running import pause_run
from backing.totals import roll_up
from core import clock
from core.db import db, transaction
from core.jobs import drain
from payments import refunds
from people import services as people
from tests.backing.runs import make_run
from tests.backing.test_refunding import FAILS, funded, mails, pledge_of, settle, totals
from tests.factories import check_money, scalar, sign_in


def half_collected(stripe):
    """One is charged, one was refused, and one's turn has not come when staff pause the run."""
    project = make_run(stripe, 3)
    _set(3, "lapsed")  # aside
    stripe.post("faults", match="POST */confirm", kind="decline", code="expired_card", times=1)
    run_collection(project.id)
    _set(3, "pledged")
    pause_run(project.id)
    roll_up()
    return project


def _set(number, state):
    with transaction() as session:
        session.execute(sa.text("UPDATE pledge SET state = :state WHERE number = :n"), {"state": state, "n": number})


def pledge_states():
    found = db.session.scalars(sa.text("SELECT state FROM pledge ORDER BY number")).all()
    db.session.rollback()
    return [*sorted(found[:2]), found[2]]  # which of the first two was refused is chance


def test_once_everybody_is_refunded_nobody_else_is_charged(app, stripe):
    project = half_collected(stripe)
    assert pledge_states() == ["collected", "errored", "pledged"]
    refund_everyone(project, "change", "", project.creator_id)
    settle(app)
    assert pledge_states() == ["dropped", "refunded", "dropped"] and mails("dropped") == 2
    assert scalar("SELECT finished_at IS NOT NULL FROM refund_run")
    assert tuple(totals()) == (0, 0, 0)
    db.session.rollback()
    clock.move_clock(timedelta(days=8))
    drain(app)
    assert pledge_states() == ["dropped", "refunded", "dropped"]
    assert scalar("SELECT count(*) FROM payment WHERE charge_id IS NOT NULL") == 1
    fan = db.session.scalars(sa.select(Pledge).where(Pledge.number == 3)).one()
    page = sign_in(app.test_client(), fan.backer).get(f"/pledges/{fan.id}").get_data(as_text=True)
    assert "gives everybody their money back" in page and "mended in time" not in page
    check_money()


def test_a_charge_in_the_air_is_refunded_when_it_lands(app, stripe):
    """The run waits for it, also when it has gone by already, and asks for nothing twice."""
    project = make_run(stripe, 3)
    lease(project.id, 1)  # a worker took it, and has not begun
    run_collection(project.id)
    run_id = refund_everyone(project, "change", "", project.creator_id)
    assert run_refunds(run_id) == 2 and run_refunds(run_id) == 0 and scalar("SELECT finished_at FROM refund_run") is None
    with transaction() as session:
        session.execute(sa.text("UPDATE pledge SET leased_until = clock_timestamp() - interval '1 second'"))
    run_collection(project.id)
    assert run_refunds(run_id) == 1 and run_refunds(run_id) == 0
    settle(app)
    assert set(pledge_states()) == {"refunded"} and scalar("SELECT finished_at IS NOT NULL FROM refund_run")
    assert scalar("SELECT asked FROM refund_run") == 3
    check_money()


def test_a_refund_that_fails_after_two_accounts_became_one_is_a_line_for_staff(app, stripe):
    """The other account's pledge stands, and one person backs a project once."""
    project = funded(app, stripe, 2, number=FAILS)
    first, second = db.session.scalars(sa.select(Pledge).order_by(Pledge.number))
    gone, into = first.backer, second.backer
    refund_pledge(first.id, Wish("asked"), project.creator_id)
    settle(app)
    assert pledge_of(project).state == "refunded"
    people.merge(into, gone)
    stripe_id = scalar("SELECT stripe_id FROM refund")
    db.session.rollback()
    stripe.post(f"refunds/{stripe_id}/fail")
    refunds.hear_of_refund(stripe_id)
    settle(app)
    assert scalar("SELECT state FROM refund") == "failed" and pledge_of(project).state == "refunded"
    assert scalar("SELECT kind FROM mismatch WHERE settled_at IS NULL") == "refund_failed"
    assert tuple(totals()) == (4_000, 1, 4_000)
    check_money()
