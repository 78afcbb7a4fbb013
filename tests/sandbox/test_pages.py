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


ADDRESS = {"country": "NL", "line1": "Oudegracht 1-a", "line2": "", "postal_code": "3511 AB", "city": "Utrecht"}


def bill(backer, session):
    read = backer.v1.checkout.sessions.retrieve(session.id, {"expand": ["setup_intent.payment_method"]})
    return read.setup_intent.payment_method


def test_the_address_is_offered_and_never_asked_for_unless_the_session_wants_it(backer):
    session = backer.session()
    assert session.billing_address_collection is None
    page = requests.get(session.url).text
    assert "<details ><summary>" in page and not re.search(r'name="(country|line1|postal_code|city)"[^>]*required', page)
    assert send(session.url, {**GOOD, "country": "NL"}).status_code == 303
    method = bill(backer, session)
    assert method.billing_details.address.to_dict() == {**dict.fromkeys(("line1", "line2", "city", "state", "postal_code")), "country": "NL"}
    assert method.card.checks.address_line1_check is None


def test_what_a_wallet_tells_is_remembered_over_the_api_and_with_the_charge(backer):
    session = backer.session(billing_address_collection="auto")
    assert send(session.url, {**GOOD, **ADDRESS}).status_code == 303
    method = bill(backer, session)
    assert method.billing_details.address.to_dict() == {**ADDRESS, "line2": None, "state": None}
    assert (method.card.checks.address_line1_check, method.card.checks.address_postal_code_check) == ("pass", "pass")
    charge = backer.v1.charges.retrieve(backer.pays(method.id).latest_charge)
    assert charge.billing_details.address.line1 == "Oudegracht 1-a"


@pytest.mark.parametrize(
    "change, field, text",
    [
        ({"country": ""}, "country", "Choose a country"),
        ({"country": "Holland"}, "country", "of the list"),
        ({"line1": " "}, "line1", "street and the number"),
        ({"line1": "x" * 300}, "line1", "too long"),
        ({"postal_code": ""}, "postal_code", "Enter the postal code"),
        ({"postal_code": "351 AB"}, "postal_code", "no postal code"),
        ({"city": ""}, "city", "Enter the city"),
    ],
)
def test_a_session_that_asks_for_the_address_wants_all_of_it(backer, change, field, text):
    session = backer.session(billing_address_collection="required")
    page = requests.get(session.url).text
    assert "<legend>Billing address</legend>" in page and "<details" not in page
    for name in ("country", "line1", "postal_code", "city"):
        assert re.search(rf'name="{name}"[^>]* required', page)
    answer = send(session.url, {**GOOD, **ADDRESS, **change})
    assert answer.status_code == 422
    assert re.search(rf'id="{field}-error">[^<]*{text}', answer.text), answer.text
    assert ("Utrecht" in answer.text) == (field != "city")  # what was typed stands there still
    assert send(session.url, {**GOOD, **ADDRESS}).status_code == 303


def test_a_test_card_comes_with_an_address_of_its_customer(backer, words):
    def filled(**more):
        page = send(backer.session(billing_address_collection="required", **more).url, {"fill": "4242424242424242"}).text
        return re.search(r'name="line1"[^>]*value="([^"]+)"', page)[1]

    other = backer.v1.customers.create({"email": "other@example.org"}, words.key())
    assert filled() == filled() != filled(customer=other.id)
    assert re.search(r'name="line1"[^>]*value=""', send(backer.session().url, {"fill": "4242424242424242"}).text)


def test_an_address_is_changed_over_the_api_and_a_country_has_two_letters(backer, words):
    method = backer.saves()
    address = {"line1": "Plein 2", "postal_code": "3511 AC", "country": "NL"}
    changed = backer.v1.payment_methods.update(method, {"billing_details": {"address": address}}, words.key())
    assert changed.billing_details.address.line1 == "Plein 2" and changed.billing_details.address.city is None
    wrong = {"billing_details": {"address": {"country": "Holland"}}}
    refused = words.refused(backer.v1.payment_methods.update, method, wrong, words.key())
    assert refused.http_status == 400 and refused.param == "billing_details[address][country]"
    assert backer.v1.payment_methods.retrieve(method).billing_details.address.line1 == "Plein 2"


def test_a_session_asks_for_the_address_by_one_of_two_words(backer, words):
    refused = words.refused(backer.session, billing_address_collection="always")
    assert refused.http_status == 400 and refused.param == "billing_address_collection"
