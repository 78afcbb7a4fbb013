from datetime import timedelta

import pytest
from itsdangerous import URLSafeSerializer

from core import clock
from sharing import cookie
from sharing.codes import make_code
from sharing.cookie import Via
from tests.factories import make_project


@pytest.fixture
def ids(app):
    return [make_project().id for _ in range(25)]


def test_first_and_last_are_kept_each_for_thirty_days_on_its_own(app, ids):
    begun = clock.now().replace(microsecond=0)
    via = Via().came("A" * 13, begun - timedelta(days=20)).came("B" * 13, begun)
    text = cookie.write({ids[0]: via})
    assert cookie.read(text)[ids[0]] == via
    clock.move_clock(timedelta(days=11))
    kept = cookie.read(text)[ids[0]]
    assert kept.last.code == kept.first.code == "B" * 13
    clock.move_clock(timedelta(days=20))
    assert cookie.read(text) == {}


def test_the_same_link_again_moves_the_last_touch_and_not_the_first(app):
    one, two = clock.now() - timedelta(days=2), clock.now()
    via = Via().came("A" * 13, one).came("A" * 13, two)
    assert (via.first.at, via.last.at) == (one, two)


def test_coming_by_oneself_clears_both_and_the_marks(app, ids):
    now = clock.now().replace(microsecond=0)
    via = Via().came("A" * 13, now - timedelta(days=1), {"utm_source": "x"}).left(now)
    assert (via.first, via.last, via.utm) == (None, None, {})
    via = via.came("B" * 13, now + timedelta(seconds=1))
    assert cookie.read(cookie.write({ids[0]: via}))[ids[0]] == via and via.first.code == "B" * 13


@pytest.mark.parametrize("sign", ["x", "é", "漢", "🎸"])
def test_the_cookie_stays_below_3800_bytes_by_forgetting_the_oldest_projects(app, ids, sign):
    now = clock.now()
    memory = {}
    for n, project in enumerate(ids):
        at = now + timedelta(seconds=n)
        utm = {name: "".join(chr((ord(sign) + 7 * n + k) % 0xD000 or 65) for k in range(60)) for name in cookie.MARKS}
        memory[project] = Via().came(make_code(), at - timedelta(days=1)).came(make_code(), at, cookie.marks_of(utm))
    text = cookie.write(memory)
    assert len(text) < cookie.LARGEST
    kept = cookie.read(text)
    assert kept and list(kept) == sorted(kept, key=ids.index) and set(kept) == set(ids[-len(kept):])


def test_twenty_projects_without_marks_fit(app, ids):
    text = cookie.write({project: Via().came(make_code(), clock.now()).came(make_code(), clock.now()) for project in ids})
    assert len(text) < cookie.LARGEST and len(cookie.read(text)) == 20


def test_a_cookie_of_the_time_before_is_still_read(app, ids):
    now = int(clock.now().timestamp())
    old = URLSafeSerializer(app.config["SECRET_KEY"], salt="sharing.via").dumps(
        {ids[0].hex: ["A" * 13, now], ids[1].hex: ["", now]})
    kept = cookie.read(old)
    assert kept[ids[0]].last.code == "A" * 13 and kept[ids[1]].left_at and kept[ids[1]].last is None


@pytest.mark.parametrize("odd", [[], 3, {"x": 1}, {"0" * 32: None}, {"0" * 32: ["A", 10**30]}, {"0" * 32: [[], {}]},
                                 {"0" * 32: ["A", 1, 2, 3, 4, 5, 6, 7, 8]}, {"0" * 32: "abc"}])
def test_what_is_signed_and_odd_is_no_memory(app, odd):
    assert cookie.read(URLSafeSerializer(app.config["SECRET_KEY"], salt="sharing.via").dumps(odd)) == {}


@pytest.mark.parametrize(("headers", "declined"), [
    ({}, False), ({"DNT": "1"}, True), ({"Sec-GPC": "1"}, True), ({"DNT": "0"}, False), ({"Sec-GPC": "0"}, False)])
def test_who_asks_not_to_be_followed(headers, declined):
    assert cookie.is_declined(headers) is declined
