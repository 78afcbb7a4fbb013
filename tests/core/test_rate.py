"""S-12: one pace for all workers."""

import time

from core import rate
from tests.factories import scalar
from tests.races import forked


def test_calls_are_handed_out_one_interval_apart(app):
    waits = [rate.reserve("t", 10) for _ in range(5)]
    for n, wait in enumerate(waits):
        assert abs(wait - n * 0.1) < 0.09, waits


def test_several_at_once_take_as_much_time_as_one_by_one(app):
    assert rate.reserve("t", 10, 5) < 0.05
    assert abs(rate.reserve("t", 10, 5) - 0.5) < 0.1
    assert abs(rate.reserve("t", 10) - 1.0) < 0.2


def test_many_processes_together_keep_the_pace(app):
    """Eight processes, 64 calls at 80 a second: never more than the rate, and no faster than it allows."""

    def work(_):
        done = []
        for _ in range(8):
            rate.pace("t", 80)
            done.append(time.monotonic())
        return done

    start = time.monotonic()
    moments = sorted(at for answer in forked(app, 8, work) for at in answer)
    assert len(moments) == 64
    assert moments[-1] - moments[0] >= 62 / 80 - 0.05
    assert time.monotonic() - start < 30
    assert scalar("SELECT count(*) FROM rate_bucket") == 1


def test_an_idle_hour_saves_nothing_up(app):
    rate.reserve("t", 10)
    import sqlalchemy as sa

    from core.db import transaction

    with transaction() as session:
        session.execute(sa.text("UPDATE rate_bucket SET free_at = clock_timestamp() - interval '1 hour'"))
    waits = [rate.reserve("t", 10) for _ in range(4)]
    assert waits[0] == 0 and waits[3] > 0.2


def test_names_do_not_wait_for_each_other_and_no_rate_means_no_wait(app):
    rate.reserve("a", 1, 10)
    assert rate.reserve("b", 1) == 0
    start = time.monotonic()
    rate.pace("a", 0)
    assert time.monotonic() - start < 0.5
