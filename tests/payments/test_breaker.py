"""The circuit to Stripe (O-17)."""

import time
from datetime import timedelta

import pytest

from backing.collecting import run_collection
from core import clock
from payments import breaker as room
from payments import gateway
from payments.breaker import FAILURES, Breaker, breaker
from tests.backing.runs import make_run, states
from tests.factories import check_money, csrf_token, hold, make_person, make_project, scalar, sign_in


@pytest.fixture
def hands(monkeypatch):
    """A clock that is moved by hand."""
    moment = [1_000.0]
    monkeypatch.setattr(room.time, "monotonic", lambda: moment[0])
    return moment


def test_ten_failures_within_thirty_seconds_open_it_for_a_minute(hands):
    one = Breaker()
    for _ in range(FAILURES - 1):
        one.ended(False)
    assert one.may_call()
    one.ended(False)
    assert not one.may_call() and one.rests()
    hands[0] += 59
    assert not one.may_call()
    hands[0] += 1.1
    assert one.may_call(), "one may try"
    assert not one.may_call(), "and no second one"
    one.ended(False)
    hands[0] += 59
    assert not one.may_call()
    hands[0] += 1.1
    assert one.may_call()
    one.ended(True)
    assert one.may_call() and not one.rests()
    one.ended(False)
    assert one.may_call(), "what was before is forgotten"


def test_failures_that_lie_apart_or_among_many_answers_do_not_open_it(hands):
    slow = Breaker()
    for _ in range(40):
        slow.ended(False)
        assert slow.may_call()
        hands[0] += 3.5
    busy = Breaker()
    for n in range(200):
        busy.ended(n % 3 > 0)
        assert busy.may_call(), n  # asked each time: an answer would close it again
        hands[0] += 0.05


def test_a_refusal_is_an_answer(app, stripe):
    for _ in range(FAILURES + 1):
        with pytest.raises(gateway.GatewayError):
            gateway.read_payment("pi_nothing")
    assert breaker().may_call()


def test_while_stripe_hangs_the_pledge_is_kept_and_the_page_says_so_at_once(app, stripe):
    project, fan = make_project(), make_person()
    pledge_id = hold(project, fan).pledge_id
    browser, path = sign_in(app.test_client(), fan), f"/pledges/{pledge_id}"
    token = csrf_token(browser, path)
    stripe.post("faults", match="*", kind="500_before", times=None)
    for _ in range(FAILURES):
        browser.post(f"{path}/card", data={"csrf_token": token})
    asked = len(stripe.get("log"))
    start = time.monotonic()
    assert browser.post(f"{path}/card", data={"csrf_token": token}).location == path
    assert time.monotonic() - start < 2
    assert len(stripe.get("log")) == asked, "nobody is asked while it is open"
    page = browser.get(path).get_data(as_text=True)
    assert page.count("The card form rests for a minute") == 2  # the answer to the press, and beside the button
    assert "Your pledge is kept, and nothing was charged." in page
    assert browser.get(f"/projects/{project.slug}").status_code == 200
    assert scalar("SELECT state FROM pledge") == "held"
    assert scalar("SELECT held_until FROM pledge") > clock.now() + timedelta(minutes=10)
    check_money()


def test_a_collection_waits_for_stripe_and_calls_nothing_unknown_that_was_not_sent(app, stripe, monkeypatch):
    project = make_run(stripe, 6)
    monkeypatch.setattr(room, "REST", 1.0)
    for _ in range(FAILURES):
        breaker().ended(False)
    run_collection(project.id)
    assert states() == {"collected": 6}
    assert scalar("SELECT count(*) FROM payment_move WHERE to_state = 'unknown'") == 0
    check_money()
