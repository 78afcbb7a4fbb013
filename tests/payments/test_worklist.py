"""S-50, O-03 in the browser: both sides in plain words, one act a line, settled ones below, money stopped and released."""

import re

import pytest
import sqlalchemy as sa

from core.db import db
from core.jobs import drain
from payments import safety, worklist, worklist_words
from tests.factories import check_money, csrf_token, make_person, scalar, sign_in
from tests.payments.test_reconciling import collected, full, open_lines, second_charge

PAGE = "/platform/worklist"


@pytest.fixture(autouse=True)
def fresh(app):
    app.extensions.pop("money_mode", None)
    yield
    app.extensions.pop("money_mode", None)


@pytest.fixture
def payment(app, stripe):
    """Collected some days after the pledge: whoever was signed in then no longer is."""
    return collected(app, stripe)[0]


@pytest.fixture
def staff(app, payment, client):
    return sign_in(client, make_person("Els Kramer", is_staff=True))


def send(browser, path, **form):
    return browser.post(path, data={"csrf_token": csrf_token(browser, PAGE), **form})


def text(browser, path=PAGE):
    page = browser.get(path)
    assert page.status_code == 200
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", page.get_data(as_text=True)))


def test_when_all_agrees_the_page_says_so(app, stripe, payment, staff):
    page = text(staff)
    assert payment and "Stripe and our books agree" in page and "Nothing to settle" in page and "not compared yet" in page
    full()
    assert "Compared last on" in text(staff)


def test_a_difference_is_shown_with_both_sides_and_settled_by_its_one_act(app, stripe, payment, staff):
    second = second_charge(payment).charge_id
    full()
    page = text(staff)
    assert "Charged twice" in page and second in page and "€20" in page and "Send the second charge back" in page
    line = scalar("SELECT id FROM mismatch WHERE kind = 'duplicate_charge'")
    assert send(staff, f"{PAGE}/{line}/book").status_code == 409  # not what this kind allows
    assert send(staff, f"{PAGE}/{line}/refund").status_code == 303
    assert "Sent back" in text(staff) and "Els Kramer" in text(staff)
    assert send(staff, f"{PAGE}/{line}/refund").status_code == 409  # another tab
    drain(app)
    full()
    assert open_lines() == []
    check_money()


def test_an_explanation_needs_words_and_keeps_them(app, stripe, payment, staff):
    charge = payment.charge_id
    db.session.rollback()
    stripe.post("tamper", kind="charge", id=charge, set={"amount_refunded": 900})
    full()
    line = scalar("SELECT id FROM mismatch")
    refused = send(staff, f"{PAGE}/{line}/explanation", reason="x")
    assert refused.status_code == 422 and b"Say in a few words" in refused.data and b'value="x"' in refused.data
    assert send(staff, f"{PAGE}/{line}/explanation", reason="Stripe's support knows").status_code == 303
    assert "Stripe&#39;s support knows" in text(staff) and open_lines() == []
    assert scalar("SELECT facts->>'how' FROM audit_entry WHERE action = 'payments:explain_mismatch'") == \
        "explained: Stripe's support knows"


def test_asking_again_settles_what_agrees_now_and_nothing_else(app, stripe, payment, staff):
    charge = payment.charge_id
    db.session.rollback()
    stripe.post("tamper", kind="charge", id=charge, set={"amount": 1})
    full()
    line = scalar("SELECT id FROM mismatch")
    assert b"still differ" in staff.get(send(staff, f"{PAGE}/{line}/again").location).data
    assert open_lines()
    stripe.post("tamper", kind="charge", id=charge, restore=True)
    send(staff, f"{PAGE}/{line}/again")
    assert open_lines() == []
    check_money()


def test_only_staff_see_and_settle(app, stripe, client):
    assert client.get(PAGE).status_code in (302, 303)
    stranger = sign_in(client, make_person())
    assert stranger.get(PAGE).status_code in (403, 404)
    for path in (f"{PAGE}/reconciliation", "/platform/safe-mode/on", "/platform/safe-mode/off"):
        assert stranger.post(path).status_code >= 400
    assert not safety.look().is_safe_mode


def test_money_is_stopped_with_a_reason_and_let_go_with_two_confirmations_after_a_clean_comparison(app, stripe, payment, staff):
    assert payment and send(staff, "/platform/safe-mode/on", why="").status_code == 422
    assert send(staff, "/platform/safe-mode/on", why="Disk replaced").status_code == 303
    page = text(staff)
    assert "Money-safe mode is on" in page and "Disk replaced" in page and "Let money move again" not in page
    both = {"is_read": "y", "is_meant": "y"}
    assert send(staff, "/platform/safe-mode/off", **both).status_code == 409
    assert send(staff, f"{PAGE}/reconciliation").status_code == 303
    drain(app)
    assert "Let money move again" in text(staff)
    for half in ("is_read", "is_meant"):
        assert send(staff, "/platform/safe-mode/off", **{half: "y"}).status_code == 422
    assert safety.look().is_safe_mode
    assert send(staff, "/platform/safe-mode/off", **both).status_code == 303
    assert not safety.look().is_safe_mode
    assert db.session.scalar(sa.text("SELECT count(*) FROM audit_entry WHERE object_kind = 'money_mode' AND by_id IS NOT NULL")) == 2


def test_every_kind_has_words_and_at_most_one_act():
    from payments.reconciling import KINDS

    assert set(KINDS) | {"balance", "refund_failed", "refund_twice"} == set(worklist.ACTIONS)
    for kind, action in worklist.ACTIONS.items():
        assert worklist_words.title(kind) != kind and worklist_words.advice(kind)
        assert not action or worklist_words.button(action)


def test_a_page_that_is_not_there_is_a_404(app, staff):
    for page in ("0", "2", "x", "-1", "9" * 30):
        assert staff.get(f"{PAGE}?page={page}").status_code == 404
