"""S-20 to S-24: saving a card. What Stripe says counts; addresses and events prove nothing."""

from datetime import timedelta
from urllib.parse import urlsplit

from backing.models import Pledge, PledgeState
from core import clock
from core.db import db
from core.jobs import drain, run_due_ticks
from payments import cards, inbox
from tests.factories import back, check_money, hold, make_person, make_project, make_reward, scalar, sign_in
from tests.races import threads

S = PledgeState


def _open(pledge_id):
    pledge = db.session.get(Pledge, pledge_id)
    cards.open_card_form(subject_id=pledge.id, project_id=pledge.project_id, person=pledge.backer, currency="EUR",
                         description="x", locale="en", return_url=f"http://localhost/pledges/{pledge_id}/card/return",
                         cancel_url="http://localhost/")
    return scalar("SELECT session_id FROM card_setup WHERE subject_id = :p ORDER BY created_at DESC LIMIT 1", p=pledge_id)


def _state(pledge_id):
    return db.session.get(Pledge, pledge_id, populate_existing=True).state


def test_the_form_saves_a_card_for_this_pledge_and_charges_nothing(app, stripe):
    pledge = back(stripe, make_project())
    sent = next(e["params"] for e in stripe.get("log") if e["path"] == "/v1/checkout/sessions")
    assert sent["mode"] == "setup" and sent["currency"] == "eur"
    assert sent["client_reference_id"] == str(pledge.id)
    assert "{CHECKOUT_SESSION_ID}" in sent["success_url"]
    assert "payment_method_types" not in str(sent)
    assert stripe.get("counts").get("payment_intent", 0) == 0
    assert pledge.card.card_last4 == "4242" and pledge.card.payment_method_id.startswith("pm_")


def test_no_card_number_is_ever_kept(app, stripe, database_url):
    import psycopg

    back(stripe, make_project())
    with psycopg.connect(database_url) as connection:
        tables = [r[0] for r in connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")]
        for table in tables:
            assert not connection.execute(
                f'SELECT 1 FROM "{table}" t WHERE t::text LIKE %s LIMIT 1', ["%4242424242424242%"]).fetchone(), table


def test_a_return_with_another_backers_session_changes_nothing(app, stripe):
    """S-21: open, complete, invented or somebody else's: my pledge stays a hold."""
    project = make_project()
    mine, theirs, third = (hold(project, make_person()) for _ in range(3))
    open_, complete = _open(theirs.pledge_id), _open(third.pledge_id)
    stripe.post(f"checkout/{complete}/complete")
    own = _open(mine.pledge_id)
    browser = sign_in(app.test_client(), db.session.get(Pledge, mine.pledge_id).backer)
    for session_id in (open_, complete, own, "cs_test_invented", "", "x", "cs_" + "a" * 300, "cs_test_%00"):
        answer = browser.get(f"/pledges/{mine.pledge_id}/card/return?session_id={session_id}")
        assert answer.status_code == 303 and urlsplit(answer.location).path == f"/pledges/{mine.pledge_id}", session_id
        assert _state(mine.pledge_id) is S.HELD, session_id
    assert _state(theirs.pledge_id) is S.HELD
    page = browser.get(f"/pledges/{theirs.pledge_id}/card/return?session_id={open_}")
    assert page.status_code == 404
    check_money()


def test_a_session_completed_for_another_customer_or_pledge_is_not_taken(app, stripe):
    project = make_project()
    mine, theirs = hold(project, make_person()), hold(project, make_person())
    session_id = _open(mine.pledge_id)
    other = _open(theirs.pledge_id)
    stripe.post(f"checkout/{session_id}/complete")
    customer = stripe.get(f"state/checkout.session/{other}")["customer"]
    stripe.call("PATCH", f"state/checkout.session/{session_id}", {"customer": customer})
    cards.settle_card(session_id)
    assert _state(mine.pledge_id) is S.HELD
    stripe.call("PATCH", f"state/checkout.session/{session_id}",
                {"customer": scalar("SELECT stripe_id FROM stripe_customer c JOIN pledge p ON p.backer_id = c.person_id "
                                    "WHERE p.id = :p", p=mine.pledge_id), "client_reference_id": str(theirs.pledge_id)})
    cards.settle_card(session_id)
    assert _state(mine.pledge_id) is S.HELD and _state(theirs.pledge_id) is S.HELD
    check_money()


def test_return_and_webhook_at_the_same_moment_make_one_transition_and_one_mail(app, stripe):
    """S-22, fifty times."""
    project = make_project()
    reward = make_reward(project, quantity=60)
    pairs = []
    for _ in range(50):
        fan = make_person()
        placed = hold(project, fan, reward)
        session_id = _open(placed.pledge_id)
        stripe.post(f"checkout/{session_id}/complete")
        pairs.append((placed.pledge_id, session_id, sign_in(app.test_client(), fan)))
    events = {e["data"]["object"]["id"]: e for e in stripe.get("state/event")
              if e["type"] == "checkout.session.completed"}

    def come_back(pledge_id, session_id, browser):
        return browser.get(f"/pledges/{pledge_id}/card/return?session_id={session_id}").status_code

    def hear(session_id):
        inbox.receive(events[session_id])
        inbox.handle_event(events[session_id]["id"])
        return 200

    # Both have asked Stripe before either writes: without this they seldom meet.
    stripe.post("faults", match="GET /v1/checkout/sessions/*", kind="delay", seconds=0.1, times=None)
    for at in range(0, 50, 2):  # two backers at a time: four doors
        works = []
        for pledge_id, session_id, browser in pairs[at:at + 2]:
            works += [lambda a=(pledge_id, session_id, browser): come_back(*a), lambda s=session_id: hear(s)]
        answers = threads(app, *works)
        assert [a for a in answers if a not in (200, 303)] == []
    drain(app)
    assert scalar("SELECT count(*) FROM pledge WHERE state = 'pledged'") == 50
    assert scalar("SELECT count(*) FROM pledge_move WHERE to_state = 'pledged'") == 50
    assert scalar("SELECT count(*) FROM mail WHERE name = 'backing/thanks'") == 50
    assert scalar("SELECT array_agg(number ORDER BY number) FROM pledge") == list(range(1, 51))
    check_money()


def test_without_any_webhook_the_pledge_settles_within_ten_seconds_of_polling(app, stripe):
    placed = hold(make_project(), make_person())
    session_id = _open(placed.pledge_id)
    stripe.post(f"checkout/{session_id}/complete")
    from core.jobs import ticks

    assert next(t.seconds for t in ticks() if t.name == "payments:settle_open_cards") <= 5
    clock.move_clock(timedelta(seconds=6))
    run_due_ticks(app, {}, 0.0)
    assert _state(placed.pledge_id) is S.PLEDGED
    check_money()


def test_the_news_may_come_twice_and_a_hundred_times(app, stripe):
    placed = hold(make_project(), make_person())
    session_id = _open(placed.pledge_id)
    stripe.post(f"checkout/{session_id}/complete")
    for _ in range(5):
        cards.settle_card(session_id)
    assert scalar("SELECT count(*) FROM pledge_move WHERE to_state = 'pledged'") == 1
    assert scalar("SELECT count(*) FROM pledge_delta") == 1
    assert scalar("SELECT last FROM backer_counter") == 1
    check_money()


def test_a_form_that_is_open_is_used_again(app, stripe):
    placed = hold(make_project(), make_person())
    assert _open(placed.pledge_id) == _open(placed.pledge_id)
    assert stripe.get("counts")["checkout.session"] == 1


def test_a_declined_card_leaves_the_hold_and_the_form_open(app, stripe):
    import pytest

    placed = hold(make_project(), make_person())
    session_id = _open(placed.pledge_id)
    with pytest.raises(RuntimeError, match="declined"):
        stripe.post(f"checkout/{session_id}/complete", number="4000000000000002")
    cards.settle_card(session_id)
    assert _state(placed.pledge_id) is S.HELD
    stripe.post(f"checkout/{session_id}/complete")
    cards.settle_card(session_id)
    assert _state(placed.pledge_id) is S.PLEDGED
    check_money()
