"""S-09, S-44, C-21: news that comes late, twice or of the try before."""

from datetime import timedelta

import pytest
import sqlalchemy as sa

from backing.collecting import lease
from core import clock
from core.db import db, transaction
from payments import charging, gateway
from projects import closing
from tests.factories import (
    back,
    check_money,
    end_project,
    make_project,
    scalar,
)
from tests.payments.test_charging import FAILS, S, _again, _reminders


@pytest.mark.parametrize("status", ["requires_payment_method", "requires_action", "processing", "canceled"])
def test_news_that_was_overtaken_on_its_way_takes_nothing_back(app, stripe, status):
    """S-44: read before the charge, written after it."""
    project = make_project(goal=1_000)
    pledge = back(stripe, project)
    end_project(app, project)
    payment = _again(pledge).payment
    late = gateway.Outcome(payment.stripe_id, status, code="card_declined", decline_code="generic_decline")
    for number in (None, payment.attempts):
        assert not charging.record_outcome(payment.id, late, number)
    assert not charging.record_outcome(payment.id, gateway.Outcome(payment.stripe_id, "succeeded", pledge.amount, "ch_2"))
    assert (_again(pledge).state, pledge.payment.state.value) == (S.COLLECTED, "succeeded")
    assert scalar("SELECT count(*) FROM mail WHERE name = 'backing/card_problem'") == 0
    check_money()


def test_news_of_the_first_refusal_is_not_the_answer_to_the_second_try(app, stripe):
    """S-09: while a try is under way, Stripe's intent still tells of the one before. Nobody is told that it failed."""
    project = make_project(goal=1_000)
    pledge = back(stripe, project, number=FAILS)
    end_project(app, project)
    assert (_again(pledge).state, _reminders()) == (S.ERRORED, 1)
    payment, method = pledge.payment, pledge.card.payment_method_id
    [step] = charging.look_up([charging.Step(payment.id, method, "x", is_automatic=False)])
    with transaction():
        charging.begin([step])
    assert step.number == 2
    stripe_id = payment.stripe_id
    db.session.rollback()
    charging.hear_of_payment(stripe_id)  # the event of the first refusal, a moment late
    charging.resolve_unknown(timedelta(0))
    assert scalar("SELECT state FROM payment") == "confirming" and _reminders() == 1
    assert scalar("SELECT code FROM payment_attempt WHERE number = 2") is None
    db.session.rollback()
    clock.move_clock(timedelta(minutes=2))  # whoever tried is dead: the next one sends it again under the same key
    assert charging.resolve_unknown() == 0
    db.session.rollback()
    clock.move_clock(timedelta(hours=6))  # nobody did: what Stripe says now is all that will ever be said
    assert charging.resolve_unknown() == 1
    assert scalar("SELECT state FROM payment") == "failed"
    check_money()


def test_what_was_paid_between_the_look_and_the_attempt_is_not_tried_again(app, stripe):
    """C-21: by the backer's own hand, say."""
    project = make_project(goal=1_000)
    pledge = back(stripe, project)
    clock.move_clock(project.deadline - clock.now() + timedelta(seconds=1))
    closing.close_due()
    [step] = charging.look_up([lease(project.id)[0]])
    step.stripe_id = "pi_x"
    db.session.rollback()
    charging.record_outcome(step.payment_id, gateway.Outcome("pi_x", "succeeded", pledge.amount, "ch_x"))
    with transaction():
        charging.begin([step])
    assert step.number is None and scalar("SELECT count(*) FROM payment_attempt") == 0
    assert scalar("SELECT state FROM payment") == "succeeded"


def test_of_two_tries_that_both_read_that_it_is_paid_one_has_paid_it(app, stripe):
    """C-21: the other was superseded."""
    project = make_project(goal=1_000)
    pledge = back(stripe, project, number=FAILS)
    end_project(app, project)
    payment_id, amount = _again(pledge).payment.id, pledge.amount
    with transaction() as session:
        session.execute(sa.text("UPDATE payment SET attempts = 3, state = 'unknown'"))
        session.execute(sa.text("INSERT INTO payment_attempt (payment_id, project_id, number, payment_method_id) "
                                "SELECT id, project_id, n, 'pm_x' FROM payment, generate_series(2, 3) n"))
    paid = gateway.Outcome(scalar("SELECT stripe_id FROM payment"), "succeeded", amount, "ch_x")
    db.session.rollback()
    for number in (2, 3):
        charging.record_outcome(payment_id, paid, number)
    assert db.session.scalars(sa.text("SELECT outcome FROM payment_attempt ORDER BY number")).all()[1:] == [
        "succeeded", "superseded"]
