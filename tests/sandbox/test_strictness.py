"""Keys, versions, parameters: what is refused and how it is named (SB-01, SB-07, S-20)."""

from __future__ import annotations

import time

import pytest
import requests

VERSION = {"Stripe-Version": "2026-10-28.endive", "Authorization": "Bearer sk_test_x"}

CALLS = {
    "customer": ("/v1/customers", {"email": "a@example.org", "name": "A", "metadata[a]": "b"}, []),
    "intent": (
        "/v1/payment_intents",
        {"amount": "500", "currency": "eur", "description": "x", "transfer_group": "g", "metadata[a]": "b"},
        ["amount", "currency"],
    ),
    "session": (
        "/v1/checkout/sessions",
        {"mode": "setup", "currency": "eur", "success_url": "https://x.example/", "client_reference_id": "1"},
        ["mode", "currency", "success_url"],
    ),
    "setup intent": ("/v1/setup_intents", {"description": "x", "usage": "off_session"}, []),
}


@pytest.fixture
def post(sandbox, words):
    def call(path, data, **headers):
        given = {name.replace("_", "-"): value for name, value in headers.items()}
        headers = {**VERSION, "Idempotency-Key": words.key()["idempotency_key"], **given}
        headers = {name: value for name, value in headers.items() if value is not None}
        return requests.post(sandbox.url + path, data=data, headers=headers)

    return call


@pytest.mark.parametrize("name", CALLS)
def test_every_parameter_dropped_renamed_or_added_is_named(post, name):
    path, good, required = CALLS[name]
    assert post(path, good).status_code == 200
    for param in good:
        rest = {key: value for key, value in good.items() if key != param}
        dropped = post(path, rest)
        if param in required:
            assert dropped.status_code == 400
            assert (dropped.json()["error"]["code"], dropped.json()["error"]["param"]) == ("parameter_missing", param)
        else:
            assert dropped.status_code == 200
        renamed = "x" + param
        error = post(path, {**rest, renamed: good[param]}).json()["error"]
        assert (error["code"], error["param"]) == ("parameter_unknown", renamed.split("[")[0])
    error = post(path, {**good, "surprise": "1"}).json()["error"]
    assert (error["code"], error["param"], error["type"]) == ("parameter_unknown", "surprise", "invalid_request_error")


@pytest.mark.parametrize(
    "path, data, code, param",
    [
        ("/v1/payment_intents", {"amount": "5.00", "currency": "eur"}, "parameter_invalid_integer", "amount"),
        ("/v1/payment_intents", {"amount": "49", "currency": "eur"}, "amount_too_small", "amount"),
        ("/v1/payment_intents", {"amount": "100000000", "currency": "eur"}, "amount_too_large", "amount"),
        ("/v1/payment_intents", {"amount": "500", "currency": "xyz"}, "invalid_currency", "currency"),
        (
            "/v1/payment_intents",
            {"amount": "500", "currency": "eur", "description": ""},
            "parameter_invalid_empty",
            "description",
        ),
        (
            "/v1/payment_intents",
            {"amount": "500", "currency": "eur", "confirm": "yes"},
            "parameter_invalid_boolean",
            "confirm",
        ),
        (
            "/v1/payment_intents",
            {"amount": "500", "currency": "eur", "capture_method": "x"},
            "parameter_invalid_enum",
            "capture_method",
        ),
        ("/v1/payment_intents", {"amount": "500", "currency": "eur", "return_url": "https://x"}, None, "return_url"),
        (
            "/v1/payment_intents",
            {"amount": "500", "currency": "eur", "application_fee_amount": "5"},
            None,
            "application_fee_amount",
        ),
        (
            "/v1/payment_intents",
            {"amount": "500", "currency": "eur", "statement_descriptor": "X"},
            None,
            "statement_descriptor",
        ),
        (
            "/v1/payment_intents",
            {"amount": "500", "currency": "eur", "metadata[" + "k" * 41 + "]": "x"},
            "parameter_invalid_string",
            "metadata",
        ),
        (
            "/v1/payment_intents",
            {"amount": "500", "currency": "eur", "metadata[a]": "x" * 501},
            "parameter_invalid_string",
            "metadata[a]",
        ),
        (
            "/v1/payment_intents",
            {"amount": "500", "currency": "eur", "payment_method_options[card][nope]": "1"},
            "parameter_unknown",
            "payment_method_options[card][nope]",
        ),
        (
            "/v1/payment_intents",
            {"amount": "500", "currency": "eur", "payment_method_types[0]": "card"},
            "payment_method_types_no_longer_supported",
            "payment_method_types",
        ),
        (
            "/v1/setup_intents",
            {"payment_method_types[]": "card"},
            "payment_method_types_no_longer_supported",
            "payment_method_types",
        ),
        (
            "/v1/checkout/sessions",
            {"mode": "setup", "payment_method_types[0]": "card"},
            "payment_method_types_no_longer_supported",
            "payment_method_types",
        ),
    ],
)
def test_bad_values_are_refused_by_name(post, path, data, code, param):
    answer = post(path, data)
    error = answer.json()["error"]
    assert (answer.status_code, error.get("code"), error["param"]) == (400, code, param)


def test_fifty_one_metadata_keys_are_too_many(post):
    data = {f"metadata[{n}]": "x" for n in range(51)}
    assert post("/v1/customers", data).json()["error"]["param"] == "metadata"


@pytest.mark.parametrize(
    "change, param",
    [
        ({"currency": None}, "currency"),
        ({"line_items[0][price]": "price_1"}, "line_items"),
        ({"setup_intent_data[usage]": "off_session"}, "setup_intent_data[usage]"),
        ({"expires_at": "+1500"}, "expires_at"),
        ({"expires_at": "+90000"}, "expires_at"),
        ({"success_url": None}, "success_url"),
        ({"success_url": "/relative"}, "success_url"),
        ({"customer_email": "a@example.org", "customer": "cus_1"}, "customer_email"),
    ],
)
def test_checkout_keeps_the_rules_between_parameters(post, change, param):
    data = {"mode": "setup", "currency": "eur", "success_url": "https://x.example/", **change}
    if str(data.get("expires_at", "")).startswith("+"):
        data["expires_at"] = str(int(time.time()) + int(data["expires_at"]))
    answer = post("/v1/checkout/sessions", {key: value for key, value in data.items() if value is not None})
    assert answer.status_code == 400 and answer.json()["error"]["param"] == param


def test_allowed_methods_stand_in_for_the_currency(post):
    data = {"mode": "setup", "success_url": "https://x.example/", "allowed_payment_method_types[0]": "card"}
    assert post("/v1/checkout/sessions", data).status_code == 200


def test_another_api_version_is_refused(post):
    assert post("/v1/customers", {}, Stripe_Version="2025-01-01.acacia").status_code == 400
    assert post("/v1/customers", {}, Stripe_Version=None).status_code == 400


def test_without_a_key_401_and_never_a_live_one(post, sandbox, words):
    assert post("/v1/customers", {}, Authorization=None).status_code == 401
    for live in ("sk_live_x", "rk_live_x"):
        assert post("/v1/customers", {}, Authorization=f"Bearer {live}").status_code == 401
    assert words.client_of(sandbox, "rk_test_x").v1.customers.list().data == []
    basic = requests.get(
        sandbox.url + "/v1/customers", auth=("sk_test_x", ""), headers={"Stripe-Version": VERSION["Stripe-Version"]}
    )
    assert basic.status_code == 200


def test_posts_need_a_key_of_their_own_making(post, stripe_client, words):
    assert post("/v1/customers", {}, Idempotency_Key=None).json()["error"]["code"] == "idempotency_key_missing"
    assert words.refused(stripe_client.v1.customers.create, {}).code == "idempotency_key_random"
    wanted = {"contact_email": "a@example.org"}
    assert words.refused(stripe_client.v2.core.accounts.create, wanted).code == "idempotency_key_random"
    assert post("/v1/customers", {}, Idempotency_Key="k" * 256).status_code == 400
    assert post("/v1/customers", {}, Idempotency_Key="k" * 255).status_code == 200


def test_v2_bodies_are_checked_too(stripe_client, words):
    create = stripe_client.v2.core.accounts.create
    assert words.refused(create, {"surprise": 1}, words.key()).code == "parameter_unknown"
    error = words.refused(create, {"identity": {"nation": "nl"}}, words.key())
    assert error.json_body["error"]["param"] == "identity.nation"
    assert words.refused(create, {"contact_email": 5}, words.key()).code == "parameter_invalid_string"
    assert words.refused(create, {"dashboard": "big"}, words.key()).code == "parameter_invalid_enum"


def test_unknown_addresses_are_404(sandbox):
    assert requests.get(sandbox.url + "/v1/nothing", headers=VERSION).status_code == 404
