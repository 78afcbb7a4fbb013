"""C-19 for transfers and reversals: kill -9 anywhere, and each leaves once and is booked once.

`make test` runs each point once; FAULTS=all also kills at the second and third passing.
"""

import os
import signal

import pytest

from payments import payouts, refunds, reversals
from tests.factories import check_money, scalar
from tests.payments.payouts import books, collected, go, ripen, work
from tests.races import crashed

ALL = os.environ.get("FAULTS") == "all"
TRANSFER = ("after-transfer-lease", "before-transfer", "after-transfer", "after-transfer-outcome")
REVERSAL = ("before-reversal", "after-reversal", "after-reversal-outcome")
AMOUNTS = (3_000, 4_000, 5_000)
NETS = [amount - amount // 20 - (amount * 15 + 500) // 1000 - 25 for amount in AMOUNTS]


@pytest.mark.parametrize("point", TRANSFER)
@pytest.mark.parametrize("count", (1, 2, 3) if ALL else (2,))
def test_a_worker_killed_at_any_point_of_a_transfer_loses_and_doubles_nothing(app, stripe, point, count):
    project = collected(app, stripe, *AMOUNTS, days=14)
    project_id, account = project.id, scalar("SELECT stripe_id FROM payout_account")
    count = 1 if point == "after-transfer-lease" else count
    assert crashed(app, lambda: payouts.pay_out(project_id), point, count) == -signal.SIGKILL
    check_money()
    go(stripe, minutes=3)
    work(app)
    assert scalar("SELECT count(*) FROM transfer WHERE state = 'succeeded'") == 3 == len(stripe.get("state/transfer"))
    assert scalar("SELECT max(tries) FROM transfer") == 1  # what was begun is gone on with
    assert books(stripe, account) == sum(NETS)
    assert stripe.get("books")["imbalance"] == {}
    check_money()


def test_a_worker_killed_again_and_again_and_a_day_between_pays_once(app, stripe):
    project = collected(app, stripe, *AMOUNTS, days=14)
    project_id, account = project.id, scalar("SELECT stripe_id FROM payout_account")
    for point in TRANSFER[1:]:
        assert crashed(app, lambda: payouts.pay_out(project_id), point) == -signal.SIGKILL
        go(stripe, 1, hours=1)  # the key may be forgotten: what was sent is looked for
        ripen()
    work(app)
    assert len(stripe.get("state/transfer")) == 3 and books(stripe, account) == sum(NETS)
    check_money()


@pytest.mark.parametrize("point", REVERSAL)
def test_a_worker_killed_at_any_point_of_a_reversal_loses_and_doubles_nothing(app, stripe, point):
    collected(app, stripe, 10_000, days=14)
    account = scalar("SELECT stripe_id FROM payout_account")
    work(app)
    refunds.ask_refund(scalar("SELECT id FROM payment"), 4_000, "asked")
    reversal_id = scalar("SELECT id FROM transfer_reversal")
    assert crashed(app, lambda: reversals.send(reversal_id), point) == -signal.SIGKILL
    check_money()
    go(stripe, minutes=3)
    work(app)
    assert scalar("SELECT state FROM transfer_reversal") == "succeeded" and scalar("SELECT tries FROM transfer_reversal") == 1
    assert len(stripe.get("state/transfer_reversal")) == 1
    assert books(stripe, account) == 10_000 - 500 - 175 - 3_800
    check_money()
