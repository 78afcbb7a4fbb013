"""The dashboard's numbers as the charts want them: with words, in the reader's language."""

from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from babel.dates import format_date
from babel.numbers import format_compact_currency
from flask_babel import gettext as _
from flask_babel import ngettext

from core import money
from core.i18n import locale_name, show_money
from core.media import picture_url
from insights import funding
from insights.queries import SHARE, SPARK_DAYS, Grid, News, S, Sum
from insights.sentences import source_word
from projects.models import Project

SOURCES = 5


def short_day(day: date) -> str:
    """`21 Nov`."""
    return format_date(day, "d MMM", locale=locale_name())


def short_money(amount: int, currency: str) -> str:
    """`€24K`, for a scale."""
    value = money.to_decimal(amount, currency)
    digits = 0 if value == 0 or value >= 10_000 else 1
    return format_compact_currency(value, currency, locale=locale_name(), fraction_digits=digits).replace(".0", "")


def parts_of_100(amounts: list[int]) -> list[int]:
    """Whole percentages that add up to 100: what rounding takes goes to those who lost most by it."""
    total = sum(amounts)
    if not total:
        return [0] * len(amounts)
    floors = [amount * 100 // total for amount in amounts]
    lost = sorted(range(len(amounts)), key=lambda i: (amounts[i] * 100 % total, amounts[i]), reverse=True)
    for i in lost[:100 - sum(floors)]:
        floors[i] += 1
    return floors


def line(project: Project, run: funding.Run, grid: Grid, news: list[News]) -> dict[str, Any]:
    """The arguments of the funding chart."""
    points = funding.points(run, grid.days)
    raised = points[-1].value
    guess = funding.forecast(run, grid.days, raised) if project.is_live else None
    most = max(raised, guess.high if guess else 0)
    shown = show_money(raised, project.currency, exact=False)
    labels = [short_day(point.day) if point.day else _("Launch") for point in points]
    return {
        "points": [{"x": point.x, "value": point.value, "label": label,
                    "text": show_money(point.value, project.currency, exact=False)}
                   for point, label in zip(points, labels, strict=True)],
        "goal": project.goal,
        "goal_text": [_("Goal"), short_money(project.goal, project.currency)] if project.goal else (),
        "title": _("Pledged by the end of each day, from launch to deadline; now %(money)s", money=shown),
        "y_ticks": [(value, short_money(value, project.currency)) for value in funding.scale(most, project.goal)],
        "x_ticks": [(x, short_day(run.day(moment))) for x, moment in funding.ticks(run)],
        "notes": [{"x": x, "value": value, "text": _("Update %(n)s", n=number)}
                  for x, value, number in funding.marks(run, points, news)],
        "today_text": _("Today %(money)s", money=shown) if run.now < run.deadline else shown,
        "forecast": {"low": guess.low, "high": guess.high} if guess else None,
    }


def sources(project: Project, found_by: dict[str, Sum]) -> list[dict[str, Any]]:
    """Where backers come from: links of backers first, then by money, the small ones together."""
    found = sorted(found_by.items(), key=lambda item: (item[0] != SHARE, -item[1].amount, item[0]))
    if len(found) > SOURCES:
        found = [*found[:SOURCES - 1], ("rest", sum((one for _word, one in found[SOURCES - 1:]), Sum()))]
    percents = parts_of_100([one.amount for _word, one in found])
    return [{"label": source_word(word), "main": word == SHARE, "percent": percent,
             "count_text": ngettext("%(n)s backer", "%(n)s backers", one.backers, n=one.backers),
             "money": show_money(one.amount, project.currency, exact=False)}
            for (word, one), percent in zip(found, percents, strict=True)]


@dataclass(frozen=True)
class RewardLine:
    """One reward of the table."""

    title: str
    picture_url: str | None
    spark: list[int]
    spark_text: str
    backers: int
    left: int | None
    quantity: int | None
    amount: int

    @property
    def is_scarce(self) -> bool:
        return self.left is not None and self.quantity is not None and self.left * 2 <= self.quantity and self.left <= 20


def reward_lines(grid: Grid, rewards: list[Any], last_day: date) -> list[RewardLine]:
    """Every reward with its last fourteen days, and those who wanted none."""
    days = [last_day - timedelta(days=n) for n in range(SPARK_DAYS - 1, -1, -1)]

    def made(id_: Any, title: str, picture: str | None, left: int | None, quantity: int | None) -> RewardLine:
        found = grid.rewards.get(id_, Sum())
        spark = [grid.reward_days.get((id_, day), 0) for day in days]
        said = _("%(all)s in the last %(days)s days, %(today)s on the last", all=sum(spark), days=SPARK_DAYS,
                 today=spark[-1])
        return RewardLine(title, picture, spark, said, found.backers, left, quantity, found.amount)

    lines = [made(row.id, row.title, picture_url(row.picture_key, 400), row.left_over, row.quantity)
             for row in rewards]
    if None in grid.rewards:
        lines.append(made(None, _("Without a reward"), None, None, None))
    return lines


def collection(grid: Grid) -> list[tuple[str, str, Sum]]:
    """What becomes of the money after the deadline: parts that add up to the sum that decided."""
    words = ((S.COLLECTED, _("Collected")), (S.COLLECTING, _("Collecting")), (S.PLEDGED, _("To charge")),
             (S.ERRORED, _("Errored")), (S.DROPPED, _("Dropped")), (S.REFUNDED, _("Refunded")))
    return [(str(state), word, grid.states[state]) for state, word in words if state in grid.states]


def zone_day(project: Project, moment: Any) -> date:
    day: date = moment.astimezone(ZoneInfo(project.zone)).date()
    return day
