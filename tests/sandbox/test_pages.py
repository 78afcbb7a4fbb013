"""The hosted pages as a browser without JavaScript meets them (SB-07, S-20, S-32)."""

from __future__ import annotations

import re
from urllib.parse import parse_qs, urlsplit

import pytest
import requests

GOOD = {"number": "4242 4242 4242 4242", "expiry": "12 / 39", "cvc": "123", "name": "B. Acker", "save": "1"}


def send(url, data):
    return requests.post(url, data, allow_redirects=False)


def test_a_card_is_saved_on_the_page(backer):
    session = backer.session()
    page = requests.get(session.url)
    assert page.status_code == 200 and "TEST" in page.text and "<script" not in page.text
    assert "backer@example.org" in page.text and 'href="https://shop.example/"' in page.text
    for name in ("number", "expiry", "cvc", "name"):
        assert f'name="{name}"' in page.text and f'for="{name}"' in page.text
    answer = send(session.url, GOOD)
    assert answer.status_code == 303 and answer.headers["location"] == f"https://shop.example/ok?s={session.id}"
    read = backer.v1.checkout.sessions.retrieve(session.id, {"expand": ["setup_intent.payment_method"]})
    assert read.setup_intent.payment_method.billing_details.name == "B. Acker"
    assert read.setup_intent.payment_method.card.exp_year == 2039
    assert "Your card is saved" in requests.get(session.url).text


@pytest.mark.parametrize(
    "change, field, text",
    [
        ({"number": "4111 1111 1111 1111"}, "number", "Only Stripe&#39;s test card numbers"),
        ({"number": "4242 4242 4242 4241"}, "number", "Your card number is incorrect"),
        ({"number": "4000000000000002"}, "number", "Your card was declined"),
        ({"number": "4000000000000127"}, "cvc", "security code is incorrect"),
        ({"expiry": "13 / 30"}, "expiry", "month and year"),
        ({"expiry": "12 / 20"}, "expiry", "has expired"),
        ({"cvc": "1"}, "cvc", "three or four digits"),
        ({"name": ""}, "name", "Enter the name"),
    ],
)
def test_errors_stand_beside_their_field_and_no_number_is_written_back(backer, change, field, text):
    answer = send(backer.session().url, {**GOOD, **change})
    assert answer.status_code == 422
    assert re.search(rf'id="{field}-error">[^<]*{re.escape(text)}', answer.text), answer.text
    assert "B. Acker" in answer.text or "name" in change
    assert re.search(r'name="number"[^>]*value=""', answer.text)


def test_a_test_card_can_be_filled_in_with_a_click(backer):
    page = send(backer.session().url, {"fill": "4000002760003184"})
    assert 'value="4000 0027 6000 3184"' in page.text
    assert 'value="4111' not in send(backer.session().url, {"fill": "4111111111111111"}).text


@pytest.mark.parametrize("number", ["4000002760003184", "4000002500003155", "4000000000003220"])
def test_saving_asks_for_3d_secure(backer, number):
    session = backer.session()
    asked = send(session.url, {**GOOD, "number": number})
    assert asked.status_code == 303 and "/3d-secure/seti_" in asked.headers["location"]
    page = requests.get(asked.headers["location"])
    assert "Complete authentication" in page.text and "Fail authentication" in page.text
    failed = requests.post(asked.headers["location"], {"answer": "fail"})
    assert failed.url == session.url and "failed authentication" in failed.text
    asked = send(session.url, {**GOOD, "number": number})
    done = send(asked.headers["location"], {"answer": "complete"})
    done = requests.get(done.headers["location"], allow_redirects=False)
    assert done.headers["location"] == f"https://shop.example/ok?s={session.id}"
    assert backer.v1.checkout.sessions.retrieve(session.id).status == "complete"


@pytest.mark.parametrize(
    "answer, status, redirect", [("complete", "succeeded", "succeeded"), ("fail", "requires_payment_method", "failed")]
)
def test_a_payment_is_authenticated_on_the_page(backer, words, answer, status, redirect):
    intent = backer.intent(backer.saves("4000002760003184"))
    back = {"return_url": "https://shop.example/back?pledge=1"}
    asked = backer.v1.payment_intents.confirm(intent.id, back, words.key())
    done = send(asked.next_action.redirect_to_url.url, {"answer": answer})
    query = {name: value[0] for name, value in parse_qs(urlsplit(done.headers["location"]).query).items()}
    assert query == {
        "pledge": "1",
        "payment_intent": intent.id,
        "payment_intent_client_secret": intent.client_secret,
        "redirect_status": redirect,
    }
    read = backer.v1.payment_intents.retrieve(intent.id)
    assert read.status == status
    if answer == "fail":
        assert read.last_payment_error.code == "payment_intent_authentication_failure"
    assert "Already answered" in requests.get(asked.next_action.redirect_to_url.url).text


def test_expired_and_unknown_sessions_have_a_clear_page(backer, words):
    session = backer.session()
    backer.v1.checkout.sessions.expire(session.id, {}, words.key())
    page = requests.get(session.url)
    assert "expired" in page.text and send(session.url, GOOD).status_code == 200
    assert requests.get(backer.sandbox.url + "/c/pay/cs_test_nothing").status_code == 404
    assert requests.get(backer.sandbox.url + "/nothing").status_code == 404


def test_what_people_type_is_escaped(backer):
    answer = send(backer.session().url, {**GOOD, "number": "1", "name": '"><script>alert(1)</script>'})
    assert "<script" not in answer.text


def test_onboarding_can_wait(backer, words):
    flow = {"refresh_url": "https://shop.example/again", "return_url": "https://shop.example/back"}
    use = {"type": "account_onboarding", "account_onboarding": flow}
    account = backer.creator(active=False)
    link = backer.client.v2.core.account_links.create({"account": account.id, "use_case": use}, words.key())
    requests.get(link.url)
    assert send(link.url, {"name": "", "iban": "x", "do": "finish"}).status_code == 422
    assert send(link.url, {"do": "later"}).headers["location"] == flow["return_url"]
    assert send(link.url, {"name": "C", "iban": "DE89370400440532013000"}).headers["location"] == flow["refresh_url"]
    read = backer.client.v2.core.accounts.retrieve(account.id, {"include": ["configuration.recipient"]})
    assert read.configuration.recipient.capabilities.stripe_balance.stripe_transfers.status == "restricted"
