"""From a day, a time and a place to one moment (C-16): what the clocks there do that night is said, not guessed."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import cache
from zoneinfo import ZoneInfo, available_timezones

import sqlalchemy as sa
from flask import current_app
from flask_babel import gettext as _

from core.db import db
from core.errors import BadInput
from core.i18n import show_day, show_moment

END_OF_DAY = time(23, 59, 59)
SHORTEST = timedelta(hours=1)


@dataclass(frozen=True)
class Deadline:
    """A moment in UTC, and a sentence when the chosen time needs one."""

    moment: datetime
    note: str = ""


@cache
def zones() -> tuple[str, ...]:
    """Every zone with a place in its name, and UTC."""
    named = (z for z in available_timezones() if "/" in z and not z.startswith(("Etc/", "SystemV/", "US/")))
    return (*sorted(named), "UTC")


def moment_of(day: date, at: time | None, zone: str) -> Deadline:
    """A day alone means its last second. A time that the clocks skip is refused with the next one that exists; of a
    time that comes twice the first is taken and said (for the end of a day the second: the day is over then)."""
    if zone not in zones():
        raise BadInput(_("Choose a time zone from the list."), "zone")
    place = ZoneInfo(zone)
    naive = datetime.combine(day, at or END_OF_DAY)
    moment = naive.replace(tzinfo=place, fold=0 if at else 1)
    try:
        back = moment.astimezone(UTC).astimezone(place)
    except OverflowError:  # the first and the last day that a calendar holds are in no year of UTC
        raise BadInput(_("Write the day like 2026-12-31."), "day") from None
    if back.replace(tzinfo=None) != naive:
        # Across a gap the offset before it lands as far behind the gap as the time stood in it.
        after = _after_gap(naive, place)
        raise BadInput(_("%(time)s does not exist on %(day)s in this time zone: the clocks go forward then. "
                         "The next time is %(next)s.", time=naive.strftime("%H:%M"), day=show_day(
                             naive.replace(tzinfo=UTC)), next=show_moment(after, zone, name_zone=False)),
                       "time" if at else "day")
    twice = moment.replace(fold=0).utcoffset() != moment.replace(fold=1).utcoffset()
    note = ""
    if at and twice:
        note = _("%(time)s comes twice that night, because the clocks go back. The first one is meant: "
                 "%(utc)s UTC.", time=naive.strftime("%H:%M"), utc=moment.astimezone(UTC).strftime("%H:%M"))
    return Deadline(moment.astimezone(UTC), note)


def _after_gap(naive: datetime, place: ZoneInfo) -> datetime:
    """The first moment after the gap that this time falls into."""
    before = naive.replace(tzinfo=place, fold=1).utcoffset() or timedelta(0)
    after = naive.replace(tzinfo=place, fold=0).utcoffset() or timedelta(0)
    low = (naive - max(before, after)).replace(tzinfo=UTC)  # on this side of the change
    high = (naive - min(before, after)).replace(tzinfo=UTC)
    offset = low.astimezone(place).utcoffset()
    while high - low > timedelta(seconds=1):
        middle = low + (high - low) / 2
        if middle.astimezone(place).utcoffset() == offset:
            low = middle
        else:
            high = middle
    return high.replace(microsecond=0)


def database_now() -> datetime:
    """The clock that decides."""
    return db.session.execute(sa.text("SELECT clock_now()")).scalar_one()


def require_in_reach(deadline: datetime, zone: str, field: str | None = "day") -> None:
    """Between one hour and MAX_DAYS days from now, by the database's clock."""
    now = database_now()
    most = current_app.config["MAX_DAYS"]
    last = now + timedelta(days=most)
    if deadline > last:
        raise BadInput(_("At most %(days)s days. Choose a day until %(day)s.", days=most, day=show_day(
            last - timedelta(days=1), zone)), field)
    if deadline <= now:
        raise BadInput(_("This moment has passed. Choose a later one."), field)
    if deadline < now + SHORTEST:
        raise BadInput(_("People need at least an hour to see your project. Choose a later moment."), field)
