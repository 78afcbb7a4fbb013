"""C-16: a day, a time and a zone become one moment, or a sentence says why not."""

from datetime import UTC, date, datetime, time, timedelta

import pytest

from core import clock
from core.errors import BadInput
from projects.deadlines import moment_of, require_in_reach


@pytest.mark.parametrize(("day", "at", "zone", "moment"), [
    (date(2026, 12, 1), time(20, 0), "Europe/Amsterdam", "2026-12-01T19:00:00"),
    (date(2026, 7, 1), time(20, 0), "Europe/Amsterdam", "2026-07-01T18:00:00"),
    (date(2026, 12, 1), time(12, 0), "Asia/Kathmandu", "2026-12-01T06:15:00"),
    (date(2026, 12, 1), time(12, 0), "Pacific/Apia", "2026-11-30T23:00:00"),
    (date(2026, 12, 1), time(12, 0), "America/Sao_Paulo", "2026-12-01T15:00:00"),
    (date(2026, 12, 1), time(12, 0), "UTC", "2026-12-01T12:00:00"),
])
def test_a_time_is_read_by_the_clocks_of_its_zone(app, day, at, zone, moment):
    assert moment_of(day, at, zone).moment == datetime.fromisoformat(moment).replace(tzinfo=UTC)


@pytest.mark.parametrize(("day", "zone", "moment"), [
    (date(2026, 12, 1), "Europe/Amsterdam", "2026-12-01T22:59:59"),
    (date(2026, 12, 1), "Asia/Kathmandu", "2026-12-01T18:14:59"),
    (date(2026, 12, 1), "Pacific/Apia", "2026-12-01T10:59:59"),
    (date(2026, 12, 1), "America/Sao_Paulo", "2026-12-02T02:59:59"),
    # Clocks go back at midnight here, so 23:59:59 comes twice; the day ends with the second one.
    (date(2026, 10, 29), "Africa/Cairo", "2026-10-29T21:59:59"),
    (date(2018, 2, 17), "America/Sao_Paulo", "2018-02-18T02:59:59"),
])
def test_a_day_alone_means_its_last_second(app, day, zone, moment):
    assert moment_of(day, None, zone).moment == datetime.fromisoformat(moment).replace(tzinfo=UTC)


def test_a_time_that_the_clocks_skip_is_refused_with_the_next_one(app):
    with app.test_request_context(), pytest.raises(BadInput, match=r"02:30 does not exist.*03:00") as refused:
        moment_of(date(2027, 3, 28), time(2, 30), "Europe/Berlin")
    assert refused.value.field == "time"


def test_a_skipped_midnight_names_the_next_hour(app):
    with app.test_request_context(), pytest.raises(BadInput, match="01:00"):
        moment_of(date(2018, 11, 4), time(0, 30), "America/Sao_Paulo")


def test_a_day_that_a_place_skipped_whole_is_refused(app):
    with app.test_request_context(), pytest.raises(BadInput, match="31 December 2011 at 00:00"):
        moment_of(date(2011, 12, 30), None, "Pacific/Apia")


def test_a_time_that_comes_twice_is_the_first_and_said(app):
    with app.test_request_context():
        found = moment_of(date(2026, 10, 25), time(2, 30), "Europe/Berlin")
    assert found.moment == datetime(2026, 10, 25, 0, 30, tzinfo=UTC)
    assert "twice" in found.note and "00:30 UTC" in found.note


def test_an_unknown_zone_is_refused(app):
    with app.test_request_context(), pytest.raises(BadInput) as refused:
        moment_of(date(2026, 12, 1), None, "Mars/Olympus")
    assert refused.value.field == "zone"


@pytest.mark.parametrize(("away", "words"), [
    (timedelta(days=60, minutes=1), "At most 60 days"), (timedelta(0), "has passed"), (timedelta(days=-3), "has passed"),
    (timedelta(minutes=59), "at least an hour")])
def test_a_deadline_out_of_reach_is_refused(app, away, words):
    with app.test_request_context(), pytest.raises(BadInput, match=words):
        require_in_reach(clock.now() + away, "Europe/Amsterdam")


@pytest.mark.parametrize("away", [timedelta(hours=1, minutes=1), timedelta(days=59, hours=23, minutes=59)])
def test_a_deadline_in_reach_is_taken(app, away):
    require_in_reach(clock.now() + away, "Europe/Amsterdam")


@pytest.mark.parametrize(("day", "zone"), [(date(1, 1, 1), "Europe/Amsterdam"), (date(9999, 12, 31), "America/Chicago")])
def test_a_day_that_is_in_no_year_of_utc_is_told_and_breaks_nothing(app, day, zone):
    with app.test_request_context(), pytest.raises(BadInput, match="Write the day like 2026-12-31"):
        moment_of(day, time(0, 0) if day.year == 1 else None, zone)
