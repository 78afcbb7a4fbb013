"""The numbers behind the chart, without a database."""

import itertools
from datetime import UTC, date, datetime, timedelta

import pytest

from insights import funding
from insights.charts import parts_of_100
from insights.queries import News, Sum

LAUNCH = datetime(2026, 11, 1, 9, tzinfo=UTC)


def run(days=10.0, length=30, zone="Europe/Amsterdam"):
    return funding.Run(LAUNCH, LAUNCH + timedelta(days=length), LAUNCH + timedelta(days=days), zone)


def steady(n, amount=1_000):
    return {date(2026, 11, 1) + timedelta(days=i): Sum(1, amount) for i in range(n)}


def test_the_line_begins_at_nothing_and_ends_with_everything():
    line = funding.points(run(), {date(2026, 11, 3): Sum(2, 700), date(2026, 11, 9): Sum(1, 300)})
    assert (line[0].x, line[0].value) == (0.0, 0)
    assert line[-1].value == 1_000 and line[-1].x == pytest.approx(10 / 30)
    assert len(line) == 1 + 11
    assert [point.value for point in line] == sorted(point.value for point in line)
    assert all(a.x < b.x for a, b in itertools.pairwise(line))


def test_a_pledge_at_the_edge_of_the_run_is_not_lost():
    line = funding.points(run(40), {date(2026, 10, 31): Sum(1, 5), date(2026, 12, 2): Sum(1, 7)})
    assert line[-1].value == 12 and line[-1].x == 1.0


def test_days_are_those_of_the_project():
    assert run(0.5, zone="Asia/Tokyo").days() == [date(2026, 11, 1), date(2026, 11, 2)]
    assert run(0.5, zone="America/New_York").days() == [date(2026, 11, 1)]


def test_a_steady_pace_goes_on():
    guess = funding.forecast(run(), steady(11), 11_000)
    assert guess is not None and guess.low == guess.high == pytest.approx(31_000, rel=0.01)


def test_an_uneven_pace_gives_a_wide_range_that_never_falls_below_what_is_there():
    days = {date(2026, 11, 1) + timedelta(days=i): Sum(1, amount) for i, amount in
            enumerate([9_000, 0, 0, 5_000, 0, 0, 0, 4_000, 0, 0, 0])}
    guess = funding.forecast(run(), days, 18_000)
    assert guess is not None and 18_000 <= guess.low < guess.high


def test_no_forecast_before_there_is_a_pace_or_after_the_end():
    assert funding.forecast(run(3.5), steady(4), 4_000) is None
    assert funding.forecast(run(31), steady(30), 30_000) is None


@pytest.mark.parametrize(("most", "goal"), [(1_864_000, 2_400_000), (5, 10), (0, 100), (900_000_000, 1_000_000), (0, None)])
def test_the_scale_has_few_round_lines_clear_of_the_goal(most, goal):
    values = funding.scale(most, goal)
    assert 1 <= len(values) <= 5 and values[0] == 0
    assert all(abs(value - (goal or -1)) > 0 for value in values[1:])


def test_updates_stand_on_the_line_and_apart():
    line = funding.points(run(20), steady(20))
    news = [News(n, LAUNCH + timedelta(days=n * 2)) for n in range(1, 12)]
    marks = funding.marks(run(20), line, news)
    assert 1 <= len(marks) <= 4
    assert all(b[0] - a[0] > 0.14 for a, b in itertools.pairwise(marks))
    for _x, value, number in marks:
        assert value == pytest.approx(number * 2_000, abs=1_500)


@pytest.mark.parametrize("amounts", [[], [0], [1, 1, 1], [7_180, 4_320, 2_890, 2_410, 1_840], [1, 999_999], [5] * 7])
def test_percentages_add_up(amounts):
    assert sum(parts_of_100(amounts)) == (100 if sum(amounts) else 0)
