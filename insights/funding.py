"""Funding over time: one point a day, where it may end, and the scale to draw it on. Numbers only, no database."""

import math
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from itertools import pairwise
from statistics import mean, pvariance
from zoneinfo import ZoneInfo

from insights.queries import News, Sum

LOOK_BACK = 7  # whole days that the forecast is made from
LEAST = 3
CERTAINTY = 1.28  # standard deviations: eight of ten such projects end inside


@dataclass(frozen=True)
class Point:
    """The sum at the end of one day; `x` is the part of the whole run that had passed."""

    x: float
    day: date | None  # None: the launch itself
    value: int


@dataclass(frozen=True)
class Forecast:
    low: int
    high: int


@dataclass(frozen=True)
class Run:
    """From launch to deadline, as far as it has come."""

    launched_at: datetime
    deadline: datetime
    now: datetime
    zone: str

    @property
    def until(self) -> datetime:
        return min(self.now, self.deadline)

    def x(self, moment: datetime) -> float:
        whole = (self.deadline - self.launched_at).total_seconds() or 1
        return min(1.0, max(0.0, (moment - self.launched_at).total_seconds() / whole))

    def day(self, moment: datetime) -> date:
        return moment.astimezone(ZoneInfo(self.zone)).date()

    def end_of(self, day: date) -> datetime:
        return datetime.combine(day + timedelta(days=1), time(), ZoneInfo(self.zone)).astimezone(UTC)

    def days(self) -> list[date]:
        """Every day from launch until now, or until the deadline."""
        first, last = self.day(self.launched_at), self.day(self.until)
        return [first + timedelta(days=n) for n in range((last - first).days + 1)]


def points(run: Run, days: dict[date, Sum]) -> list[Point]:
    """The line: nothing at launch, then the sum of all pledges up to the end of each day."""
    made = [Point(0.0, None, 0)]
    shown = run.days()
    # Nothing may be lost at the edges: a pledge of the last second belongs to the last day.
    total = sum(found.amount for day, found in days.items() if day < shown[0])
    for day in shown:
        total += days.get(day, Sum()).amount
        if day == shown[-1]:
            total += sum(found.amount for other, found in days.items() if other > day)
        made.append(Point(run.x(min(run.end_of(day), run.until)), day, total))
    return made


def forecast(run: Run, days: dict[date, Sum], raised: int) -> Forecast | None:
    """Where it ends at the pace of the last week, as a range; None before there is a pace."""
    if run.now >= run.deadline:
        return None
    whole = run.days()[1:-1][-LOOK_BACK:]  # neither the rush of the first day nor what there is of today
    if len(whole) < LEAST:
        return None
    sums = [days.get(day, Sum()).amount for day in whole]
    left = (run.deadline - run.now).total_seconds() / 86400
    expected, variance = mean(sums) * left, pvariance(sums)
    spread = CERTAINTY * math.sqrt(left * variance + left * left * variance / len(sums))
    high = raised + expected + spread
    step = 10 ** max(0, math.floor(math.log10(max(high, 1))) - 2)
    low = max(raised, round((raised + expected - spread) / step) * step)
    return Forecast(low, max(low, round(high / step) * step))


def scale(most: int, goal: int | None) -> list[int]:
    """Round values for the lines across, none so near the goal that the words would meet."""
    top = max(most, goal or 0, 1)
    rough = top / 3
    power = 10 ** math.floor(math.log10(rough)) if rough >= 1 else 1
    step = next(int(power * n) for n in (1, 2, 2.5, 4, 5, 8, 10) if power * n >= rough or n == 10) or 1
    values = range(0, top + 1, step)
    return [value for value in values if value == 0 or goal is None or abs(value - goal) > top * 0.12]


def marks(run: Run, line: list[Point], news: list[News]) -> list[tuple[float, int, int]]:
    """Where updates stand on the line: (x, value, number); only as many as can be read, the newest first."""
    kept: list[tuple[float, int, int]] = []
    for one in reversed(news):
        x = run.x(one.published_at)
        if not run.launched_at <= one.published_at <= run.until or not 0.06 < x < 0.94:
            continue
        if all(abs(x - other) > 0.14 for other, _value, _number in kept) and len(kept) < 4:
            kept.append((x, _value_at(line, x), one.number))
    return kept[::-1]


def _value_at(line: list[Point], x: float) -> int:
    """The height of the line between two days."""
    for before, after in pairwise(line):
        if before.x <= x <= after.x:
            part = (x - before.x) / (after.x - before.x) if after.x > before.x else 1
            return round(before.value + part * (after.value - before.value))
    return line[-1].value


def ticks(run: Run) -> list[tuple[float, datetime]]:
    """Days under the chart: launch, the middle, now, deadline, as far as they keep apart."""
    made = [(0.0, run.launched_at), (1.0, run.deadline)]
    here = run.x(run.now)
    if run.now < run.deadline and 0.14 < here < 0.86:
        made.append((here, run.now))
    if all(abs(0.5 - x) > 0.16 for x, _moment in made):
        made.append((0.5, run.launched_at + (run.deadline - run.launched_at) / 2))
    return sorted(made)
