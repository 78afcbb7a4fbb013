"""C-19 for refunds: kill -9 before the call, after it, and after its outcome; one refund, one booking, one mail each.

FAULTS=all runs every point with every card and seed.
"""

import itertools
import os
import signal
from datetime import timedelta

import pytest
import sqlalchemy as sa

from core import clock
from core.db import db, transaction
from core.jobs import drain
from payments import refunds
from payments.models import Payment
from tests.factories import back, check_money, end_project, make_project, scalar
from tests.races import crashed

POINTS = ("before-refund", "after-refund", "after-refund-outcome")
FINE, SLOW = "4242424242424242", "4000000000007726"
ALL = os.environ.get("FAULTS") == "all"
MATRIX = list(itertools.product(POINTS, (FINE, SLOW), range(1, 4))) if ALL else [
    (point, card, n % 2 + 1) for n, (point, card) in enumerate(zip(POINTS, (FINE, SLOW, FINE), strict=True))]


def _asked(app, stripe, card, n=2):
    """Payments of which 60 % shall go back, and nobody has told Stripe yet."""
    project = make_project(goal=1_000)
    for _ in range(n):
        back(stripe, project, bonus=4_000, number=card)
    end_project(app, project)
    payments = db.session.scalars(sa.select(Payment.id)).all()
    return [refunds.ask_refund(id_, 2_400, "asked").id for id_ in payments]


def _settle(app, stripe):
    """What any later worker does: jobs are lost with the dead one, the tick gives them again."""
    with transaction() as session:
        session.execute(sa.text("DELETE FROM procrastinate_jobs"))
    for minutes in (3, 3, 9_000):
        clock.move_clock(timedelta(minutes=minutes))
        stripe.post("clock", advance=minutes * 60)
        drain(app)
    db.session.expire_all()


@pytest.mark.parametrize(("point", "card", "count"), MATRIX)
def test_a_worker_killed_at_any_point_of_a_refund_loses_and_doubles_nothing(app, stripe, point, card, count):
    ids = _asked(app, stripe, card)

    def work():
        for id_ in ids:
            refunds.send_refund(id_)

    assert crashed(app, work, point, count) == -signal.SIGKILL
    _settle(app, stripe)
    theirs = stripe.get("state/refund")
    assert len(theirs) == 2 and {row["metadata"]["refund"] for row in theirs} == {str(id_) for id_ in ids}
    assert scalar("SELECT count(*) FROM refund WHERE state = 'succeeded'") == 2
    assert scalar("SELECT count(*) FROM ledger_transaction WHERE kind = 'refund'") == 4
    assert scalar("SELECT count(*) FROM mail WHERE name = 'backing/refund_done'") == 2
    check_money()


def test_a_worker_killed_again_and_again_comes_through_in_the_end(app, stripe):
    [id_] = _asked(app, stripe, FINE, n=1)
    died = []
    for point in (*POINTS, *POINTS):
        died.append(crashed(app, lambda: refunds.send_refund(id_), point))
        clock.move_clock(timedelta(minutes=3))
    assert died == [-signal.SIGKILL] * 3 + [0] * 3  # from the third on it is known
    _settle(app, stripe)
    assert len(stripe.get("state/refund")) == 1 and scalar("SELECT state FROM refund") == "succeeded"
    check_money()
