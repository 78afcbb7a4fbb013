"""The human pages: they show everything, do what the control API does, and listen to nobody else (SB-07)."""

from __future__ import annotations

import html
import re

import pytest
import requests


class Browser:
    """Follows links and presses buttons as a person without JavaScript does."""

    def __init__(self, sandbox) -> None:
        self.sandbox, self.web = sandbox, requests.Session()

    def see(self, path: str = "/", status: int = 200) -> str:
        page = self.web.get(self.sandbox.url + path)
        assert page.status_code == status, page.text
        assert "TEST" in page.text and "<script" not in page.text
        return plain(page.text)

    def press(self, on: str, do: str, **fields: str) -> str:
        """The page after the button; its form must be on the page that it is pressed on."""
        page = self.see(on)
        assert f'value="{do}"' in page, f"no button {do} on {on}"
        token = re.search(r'name="token" value="([^"]+)"', page)[1]
        back = re.search(r'name="back" value="([^"]+)"', page)[1]
        answer = self.web.post(f"{self.sandbox.url}/do", {"token": token, "back": back, "do": do, **fields})
        assert answer.status_code == 200 and answer.history[0].status_code == 303
        return plain(answer.text)


def plain(text: str) -> str:
    return html.unescape(text).replace("<wbr>", "")


@pytest.fixture
def browser(backer):
    return Browser(backer.sandbox)


@pytest.fixture
def charge(backer) -> str:
    return backer.pays(backer.saves()).latest_charge


def test_an_empty_sandbox_has_a_page_too(sandbox):
    browser = Browser(sandbox)
    for path in ("/", "/requests", "/objects/charge", "/objects/event", "/faults", "/books"):
        assert "None yet" in browser.see(path) or path in ("/faults", "/books")
    browser.see("/objects/nothing", 404)
    browser.see("/objects/charge/ch_nothing", 404)
    browser.see("/requests/req_nothing", 404)


def test_requests_are_shown_with_key_replay_fault_and_time(backer, browser, words):
    once = words.key()
    for _ in range(2):
        backer.v1.payment_intents.create({"amount": 700, "currency": "eur"}, once)
    backer.sandbox.post("faults", match="GET /v1/balance", kind="429")
    words.refused(backer.v1.balance.retrieve)
    page = browser.see(f"/requests?key={once['idempotency_key']}")
    assert page.count("POST /v1/payment_intents<") == 2 and page.count("replayed") == 1 and " ms" in page
    assert "fault 429" in browser.see("/requests?status=4")
    assert "/v1/balance" not in browser.see("/requests?method=POST")
    second, first = re.findall(r'/requests/(req_\w+)">POST /v1/payment_intents<', page)
    assert f"/requests/{first}" in browser.see(f"/requests/{second}")
    page = browser.see(f"/requests/{first}")
    assert '"amount": "700"' in page and once["idempotency_key"] in page and "/objects/payment_intent/pi_" in page


def test_objects_link_to_each_other_and_tell_what_named_them(backer, browser, charge):
    page = browser.see(f"/objects/charge/{charge}")
    paid = backer.v1.charges.retrieve(charge)
    for kind, id in (("payment_intent", paid.payment_intent), ("balance_transaction", paid.balance_transaction)):
        assert f'"<a href="/objects/{kind}/{id}">{id}</a>"' in page
    assert "25.00 EUR" in page and "charge.succeeded" in page and "/confirm" in browser.see(f"/objects/payment_intent/{paid.payment_intent}")
    page = browser.see(f"/objects/customer/{backer.customer.id}")
    assert charge in page and paid.payment_intent in page
    assert browser.see(f"/find?id={charge}") and browser.web.get(f"{backer.sandbox.url}/find?id={charge}").url.endswith(charge)


def test_long_lists_have_older_ones(backer, browser):
    made = [backer.intent().id for _ in range(55)]
    page = browser.see("/objects/payment_intent")
    assert made[-1] in page and made[0] not in page
    older = re.search(r'href="(/objects/payment_intent\?after=\w+)"', page)[1]
    assert made[0] in browser.see(older)
    page = browser.see("/requests")
    assert made[0] not in page and "from=50" in page


def test_a_dispute_is_opened_and_led_on_by_its_legal_buttons_only(backer, browser, charge):
    told = browser.press("/", "dispute", id=charge, reason="product_not_received", amount="10.50")
    id = re.search(r"Opened (du_\w+)", told)[1]
    dispute = backer.v1.disputes.retrieve(id)
    assert (dispute.amount, dispute.reason, dispute.status) == (1050, "product_not_received", "needs_response")
    page = browser.see(f"/objects/dispute/{id}")
    assert 'value="under_review"' in page and 'value="warning_closed"' not in page
    for status in ("under_review", "lost", "appeal_needs_response", "appeal_under_review", "won"):
        assert status.replace("_", " ") in browser.press(f"/objects/dispute/{id}", "move_dispute", id=id, status=status)
    assert backer.v1.disputes.retrieve(id).status == "won"
    assert "Nothing was done" in browser.press(f"/objects/dispute/{id}", "move_dispute", id=id, status="needs_response")


@pytest.mark.parametrize("amount, told", [("1.234", "no such small change"), ("a lot", "as a number"), ("99", "amount")])
def test_bad_amounts_are_refused_in_words(backer, browser, charge, amount, told):
    page = browser.press("/", "dispute", id=charge, amount=amount, reason="fraudulent")
    assert "Nothing was done" in page and backer.v1.disputes.list().data == []
    assert told in page or "Only what was charged" in page


def test_an_inquiry_and_a_warning_start_at_the_charge(backer, browser, charge):
    browser.press(f"/objects/charge/{charge}", "dispute", id=charge, reason="general", amount="5", status="warning_needs_response")
    assert backer.v1.disputes.list({"charge": charge}).data[0].status == "warning_needs_response"
    assert "Raised issfr_" in browser.press(f"/objects/charge/{charge}", "warn", id=charge)
    assert backer.v1.radar.early_fraud_warnings.list({"charge": charge}).data


def test_a_refund_settles_and_fails_by_button(backer, browser, charge, words):
    browser.press("/", "next_refund", kind="refund_pending")
    refund = backer.v1.refunds.create({"charge": charge, "amount": 100}, words.key())
    path = f"/objects/refund/{refund.id}"
    assert refund.status == "pending"
    assert "is succeeded" in browser.press(path, "decide_refund", id=refund.id, outcome="settle")
    assert "is failed" in browser.press(path, "decide_refund", id=refund.id, outcome="fail")
    assert 'value="decide_refund"' not in browser.see(path)


def test_a_payout_is_made_and_fails_by_button(backer, browser):
    backer.pays(backer.saves("4000000000000077"), 10_000)
    told = browser.press("/", "payout", amount="20", currency="eur", account="", status="paid")
    id = re.search(r"(po_\w+) is paid", told)[1]
    assert backer.v1.payouts.retrieve(id).amount == 2000
    assert "is failed" in browser.press(f"/objects/payout/{id}", "move_payout", id=id, status="failed")
    assert "Insufficient funds" in browser.press("/", "payout", amount="2000", currency="eur", account="", status="paid")


def test_the_next_charges_are_declined(backer, browser, words):
    browser.press("/", "decline", code="insufficient_funds", times="2")
    method = backer.saves()
    for _ in range(2):
        intent = backer.intent(method)
        error = words.refused(backer.v1.payment_intents.confirm, intent.id, {"off_session": True}, words.key())
        assert error.json_body["error"]["decline_code"] == "insufficient_funds"
    assert backer.pays(method).status == "succeeded"


def test_every_fault_can_be_planted_as_often_as_wanted_and_cleared(backer, browser):
    page = browser.see("/faults")
    for kind in ("delay", "hang", "drop_before", "drop_after", "500_before", "500_after", "429", "409", "lock_timeout"):
        assert f"<option>{kind}</option>" in page
        browser.press("/faults", "fault", match="GET /v1/nothing", kind=kind, times="3", seconds="1", should_retry="true")
    browser.press("/faults", "fault", match="event charge.*", kind="lose", times="1", seconds="1")
    planted = backer.sandbox.get("faults")
    assert len(planted) == 10 and all(fault["times"] == 3 and fault["should_retry"] for fault in planted[:9])
    assert "10 planted faults" in browser.see("/")
    browser.press("/faults", "clear_faults")
    assert backer.sandbox.get("faults") == []
    browser.press("/faults", "rate", per_endpoint="25", whole="0")
    assert backer.sandbox.post("rate")["per_endpoint"] == 25


def test_events_show_their_attempts_and_are_sent_again(backer, mailbox, browser):
    mailbox.answers[:] = [503]
    backer.intent()
    mailbox.wait("payment_intent.created", 2)
    event = backer.v1.events.list({"type": "payment_intent.created"}).data[0]
    path = f"/objects/event/{event.id}"
    assert "503" in browser.see(path)
    backer.sandbox.post("webhooks", mode="mute")
    backer.intent()
    assert "1 undelivered" in browser.see("/")
    backer.sandbox.post("webhooks", mode="normal", resume=False)
    assert "1 event is on its way" in browser.press("/", "send")
    before = len(mailbox.got)
    assert "1 event is on its way" in browser.press(path, "send", id=event.id)
    mailbox.wait_for(lambda got: len(got) > before)
    browser.press("/faults", "hooks", mode="mute", seconds="1")
    assert backer.sandbox.get("webhooks")["mode"] == "mute"


def test_the_clock_goes_forward_and_back_to_real_time(backer, browser):
    assert "24.0 hours ahead" in browser.press("/", "advance", hours="24")
    assert 86399 < backer.sandbox.get("clock")["offset"] <= 86400
    browser.press("/", "real_time")
    assert backer.sandbox.get("clock")["offset"] == 0
    assert "Nothing was done" in browser.press("/", "advance", hours="-1")


def test_an_object_is_changed_and_hidden_silently_and_restored(backer, browser, charge):
    path = f"/objects/charge/{charge}"
    browser.press(path, "tamper", kind="charge", id=charge, name="amount", value="7")
    assert backer.v1.charges.retrieve(charge).amount == 7
    assert "Changed silently" in browser.see(path)
    browser.press(path, "hide", kind="charge", id=charge)
    assert backer.v1.charges.list().data == [] and "Hidden from the API" in browser.see(path)
    browser.press(path, "restore", kind="charge", id=charge)
    assert backer.v1.charges.retrieve(charge).amount == 2500
    assert "no field" in browser.press(path, "tamper", kind="charge", id=charge, name="amuont", value="7")
    assert "must be JSON" in browser.press(path, "tamper", kind="charge", id=charge, name="amount", value="x y")


def test_books_add_up_on_their_page(backer, browser, charge):
    page = browser.see("/books")
    assert "sum is 0" in page and "24.37 EUR" in page and charge in page


def test_a_challenge_and_an_account_are_answered_by_button(backer, browser, words):
    intent = backer.intent(backer.saves("4000002760003184"))
    backer.v1.payment_intents.confirm(intent.id, {"return_url": "https://shop.example/"}, words.key())
    path = f"/objects/payment_intent/{intent.id}"
    assert "is succeeded" in browser.press(path, "authenticate", id=intent.id, answer="complete")
    account = backer.creator(active=False)
    browser.press(f"/objects/v2.core.account/{account.id}", "capability", id=account.id, status="active")
    assert "active" in browser.see(f"/objects/v2.core.account/{account.id}")


def test_a_button_needs_the_pages_token(backer, charge):
    for token in ({}, {"token": ""}, {"token": "x" * 24}):
        answer = requests.post(f"{backer.sandbox.url}/do", {"do": "warn", "id": charge, **token})
        assert answer.status_code == 403 and "too old" in answer.text
    assert backer.v1.radar.early_fraud_warnings.list().data == []
    assert requests.post(f"{backer.sandbox.url}/", {"do": "warn", "id": charge}).status_code == 405


@pytest.mark.parametrize("host", ["evil.example", "evil.example:12111", "127.0.0.1.evil.example", ""])
def test_another_name_for_this_machine_gets_no_page(backer, host):
    """A name that was rebound to 127.0.0.1 would let its page read the token."""
    answer = requests.get(f"{backer.sandbox.url}/", headers={"Host": host})
    assert answer.status_code in (400, 403) and "token" not in answer.text


def test_after_a_button_one_comes_back_to_this_site_only(backer, browser):
    page = browser.see("/")
    token = re.search(r'name="token" value="([^"]+)"', page)[1]
    for back in ("//evil.example/", "https://evil.example/", "/\\evil.example", "javascript:x"):
        sent = {"token": token, "do": "clear_faults", "back": back}
        answer = requests.post(f"{backer.sandbox.url}/do", sent, allow_redirects=False)
        assert re.fullmatch(r"/\?told=\w+", answer.headers["location"]), answer.headers["location"]
    assert "No faults" in requests.get(backer.sandbox.url + answer.headers["location"]).text


def test_what_others_typed_is_escaped(backer, browser, words):
    evil = '"><script>alert(1)</script>'
    made = backer.v1.customers.create({"name": evil, "metadata": {"a": evil}}, words.key())
    raw = requests.get(f"{backer.sandbox.url}/objects/customer/{made.id}").text
    assert "<script" not in raw and "&lt;script&gt;" in raw
    assert "<script" not in requests.get(f"{backer.sandbox.url}/requests", params={"path": evil}).text
    backer.v1.payment_intents.create({"amount": 500, "currency": "eur"}, {"idempotency_key": evil})
    assert "<script" not in requests.get(f"{backer.sandbox.url}/requests").text
