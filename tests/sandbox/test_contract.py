"""Every endpoint in use, through the real SDK (SB-01, SB-08)."""

from __future__ import annotations

import importlib

import pytest
import requests


def test_a_customer_lives_its_whole_life(stripe_client, words):
    v1 = stripe_client.v1
    made = v1.customers.create({"email": "a@example.org", "metadata": {"a": "1", "b": "2"}}, words.key())
    assert v1.customers.retrieve(made.id).email == "a@example.org"
    changed = v1.customers.update(made.id, {"name": "Anna", "metadata": {"a": "", "c": "3"}}, words.key())
    assert changed.name == "Anna" and changed.metadata.to_dict() == {"b": "2", "c": "3"}
    assert [one.id for one in v1.customers.list({"email": "a@example.org"}).data] == [made.id]
    assert v1.customers.delete(made.id).deleted
    assert v1.customers.retrieve(made.id).deleted
    assert words.refused(v1.customers.update, made.id, {"name": "x"}, words.key()).code == "resource_missing"


def test_a_saved_card_is_read_listed_changed_and_detached(backer, words):
    v1, method = backer.v1, backer.saves()
    assert v1.payment_methods.retrieve(method).card.last4 == "4242"
    assert [one.id for one in v1.customers.payment_methods.list(backer.customer.id).data] == [method]
    assert v1.customers.payment_methods.retrieve(backer.customer.id, method).id == method
    assert [one.id for one in v1.payment_methods.list({"customer": backer.customer.id}).data] == [method]
    assert v1.payment_methods.update(method, {"card": {"exp_year": 2039}}, words.key()).card.exp_year == 2039
    assert v1.payment_methods.detach(method, {}, words.key()).customer is None
    again = words.refused(v1.payment_methods.attach, method, {"customer": backer.customer.id}, words.key())
    assert again.http_status == 400


def test_the_same_card_has_the_same_fingerprint(backer):
    read = backer.v1.payment_methods.retrieve
    one, two = (read(backer.saves()).card.fingerprint for _ in range(2))
    other = read(backer.saves("5555555555554444")).card.fingerprint
    assert one == two != other


def test_checkout_saves_a_card_and_expands(backer):
    session = backer.session(client_reference_id="pledge-1", metadata={"pledge": "1"})
    assert session.status == "open" and session.url and session.payment_status == "no_payment_required"
    backer.sandbox.post(f"checkout/{session.id}/complete")
    read = backer.v1.checkout.sessions.retrieve(session.id, {"expand": ["setup_intent.payment_method", "customer"]})
    assert read.status == "complete" and read.client_reference_id == "pledge-1" and read.url is None
    assert read.setup_intent.status == "succeeded"
    assert read.setup_intent.payment_method.customer == backer.customer.id == read.customer.id
    assert backer.v1.checkout.sessions.list({"customer": backer.customer.id}).data[0].id == session.id


def test_a_payment_is_made_read_and_listed(backer, words):
    paid = backer.pays(backer.saves(), transfer_group="camp_1", metadata={"pledge": "9"})
    assert paid.status == "succeeded" and paid.amount_received == 2500
    read = backer.v1.payment_intents.retrieve(
        paid.id, {"expand": ["latest_charge.balance_transaction", "payment_method"]}
    )
    entry = read.latest_charge.balance_transaction
    assert (entry.amount, entry.fee, entry.net) == (2500, 63, 2437)
    assert read.payment_method.card.last4 == "4242"
    assert read.latest_charge.metadata["pledge"] == "9"
    v1 = backer.v1
    assert (
        v1.payment_intents.list({"customer": backer.customer.id, "expand": ["data.latest_charge"]})
        .data[0]
        .latest_charge.paid
    )
    assert v1.charges.list({"payment_intent": paid.id}).data[0].id == read.latest_charge.id
    assert v1.charges.list({"transfer_group": "camp_1"}).data[0].id == read.latest_charge.id
    assert v1.charges.retrieve(read.latest_charge.id).payment_intent == paid.id
    assert v1.balance_transactions.retrieve(entry.id).source == read.latest_charge.id
    assert v1.balance_transactions.list({"source": read.latest_charge.id}).data[0].id == entry.id
    assert v1.payment_intents.update(paid.id, {"metadata": {"x": "y"}}, words.key()).metadata["x"] == "y"


def test_setup_intents_are_made_confirmed_and_cancelled(backer, words):
    intents = backer.v1.setup_intents
    made = intents.create({"customer": backer.customer.id}, words.key())
    params = {"payment_method": "pm_card_visa", "return_url": "https://shop.example/"}
    assert intents.confirm(made.id, params, words.key()).status == "succeeded"
    assert intents.list({"customer": backer.customer.id}).data[0].id == made.id
    other = intents.create({}, words.key())
    assert intents.cancel(other.id, {"cancellation_reason": "abandoned"}, words.key()).status == "canceled"
    assert intents.retrieve(other.id).cancellation_reason == "abandoned"


def test_money_goes_to_the_creator_and_back(backer, words):
    v1, creator = backer.v1, backer.creator()
    charge = backer.pays(backer.saves(), 10_000, transfer_group="g").latest_charge
    params = {"amount": 6_000, "currency": "eur", "destination": creator.id, "source_transaction": charge}
    sent = v1.transfers.create(params, words.key())
    assert sent.transfer_group == "g" and sent.balance_transaction
    assert v1.transfers.list({"transfer_group": "g"}).data[0].id == sent.id == v1.transfers.retrieve(sent.id).id
    assert v1.transfers.update(sent.id, {"metadata": {"a": "b"}}, words.key()).metadata["a"] == "b"
    over = words.refused(v1.transfers.create, {**params, "amount": 4_001}, words.key())
    assert over.code == "charge_exceeds_source_limit"
    back = v1.transfers.reversals.create(sent.id, {"amount": 1_000}, words.key())
    assert v1.transfers.reversals.retrieve(sent.id, back.id).amount == 1_000
    assert v1.transfers.reversals.list(sent.id).data[0].id == back.id
    assert v1.transfers.retrieve(sent.id).amount_reversed == 1_000
    backer.sandbox.post("payouts", amount=5_000, currency="eur", account=creator.id)
    poor = words.refused(v1.transfers.reversals.create, sent.id, {}, words.key())
    assert poor.code == "balance_insufficient"
    assert v1.payouts.list({}, {"stripe_account": creator.id}).data[0].status == "paid"
    assert v1.payouts.list().data == []
    assert backer.sandbox.get("books")["imbalance"] == {}


def test_a_transfer_without_a_source_needs_available_money(backer, words):
    params = {"amount": 1_000, "currency": "eur", "destination": backer.creator().id}
    backer.pays(backer.saves())
    assert words.refused(backer.v1.transfers.create, params, words.key()).code == "balance_insufficient"
    backer.sandbox.post("clock", advance=8 * 86400)
    assert backer.v1.transfers.create(params, words.key()).amount == 1_000
    backer.sandbox.post("clock", offset=0)


def test_a_transfer_waits_for_the_capability(backer, words):
    params = {"amount": 100, "currency": "eur", "destination": backer.creator(active=False).id}
    error = words.refused(backer.v1.transfers.create, params, words.key())
    assert error.http_status == 400 and error.param == "destination"


def test_refunds_stay_within_the_charge(backer, words):
    v1, paid = backer.v1, backer.pays(backer.saves())
    part = v1.refunds.create(
        {"payment_intent": paid.id, "amount": 1_500, "reason": "requested_by_customer"}, words.key()
    )
    assert part.status == "succeeded" and v1.refunds.retrieve(part.id).charge == paid.latest_charge
    assert (
        words.refused(v1.refunds.create, {"charge": paid.latest_charge, "amount": 1_001}, words.key()).param == "amount"
    )
    v1.refunds.create({"charge": paid.latest_charge}, words.key())
    assert v1.charges.retrieve(paid.latest_charge).refunded
    again = words.refused(v1.refunds.create, {"charge": paid.latest_charge}, words.key())
    assert again.code == "charge_already_refunded"
    assert [one.amount for one in v1.refunds.list({"payment_intent": paid.id}).data] == [1_000, 1_500]
    assert v1.refunds.update(part.id, {"metadata": {"a": "b"}}, words.key()).metadata["a"] == "b"
    assert words.refused(v1.refunds.cancel, part.id, {}, words.key()).http_status == 400


def test_disputes_take_money_and_give_it_back(backer, words):
    v1 = backer.v1
    paid = backer.pays(backer.saves("4000000000000259"))
    dispute = v1.disputes.list({"payment_intent": paid.id}).data[0]
    assert dispute.status == "needs_response" and dispute.balance_transactions[0].net == -2500 - 2000
    error = words.refused(v1.refunds.create, {"charge": paid.latest_charge}, words.key())
    assert error.code == "charge_disputed"
    answered = v1.disputes.update(
        dispute.id, {"evidence": {"uncategorized_text": "It arrived."}, "submit": True}, words.key()
    )
    assert answered.status == "under_review"
    backer.sandbox.post("disputes", dispute=dispute.id, status="won")
    assert [entry.amount for entry in v1.disputes.retrieve(dispute.id).balance_transactions] == [-2500, 2500]
    other = backer.pays(backer.saves("4000000000000259"))
    second = v1.disputes.list({"charge": other.latest_charge}).data[0]
    assert v1.disputes.close(second.id, {}, words.key()).status == "lost"
    assert words.refused(v1.disputes.close, second.id, {}, words.key()).http_status == 400
    assert backer.sandbox.get("books")["imbalance"] == {}


def test_the_balance_is_pending_first(backer):
    backer.pays(backer.saves())
    balance = backer.v1.balance.retrieve()
    assert (balance.available[0].amount, balance.pending[0].amount) == (0, 2437)
    backer.pays(backer.saves("4000000000000077"))
    assert backer.v1.balance.retrieve().available[0].amount == 2437


def test_accounts_of_creators_are_onboarded(backer, words):
    core, creator = backer.client.v2.core, backer.creator(active=False)
    status = creator.configuration.recipient.capabilities.stripe_balance.stripe_transfers
    assert status.status == "restricted" and status.status_details[0].resolution == "provide_info"
    assert creator.requirements.entries and core.accounts.retrieve(creator.id).configuration is None
    link = core.account_links.create(
        {
            "account": creator.id,
            "use_case": {
                "type": "account_onboarding",
                "account_onboarding": {
                    "refresh_url": "https://shop.example/again",
                    "return_url": "https://shop.example/back",
                },
            },
        },
        words.key(),
    )
    page = requests.get(link.url, allow_redirects=False)
    assert page.status_code == 200 and "TEST" in page.text
    spent = requests.get(link.url, allow_redirects=False)
    assert spent.headers["location"] == "https://shop.example/again"
    answer = requests.post(
        link.url, {"name": "C", "iban": "DE89370400440532013000", "do": "finish"}, allow_redirects=False
    )
    assert answer.headers["location"] == "https://shop.example/back"
    read = core.accounts.retrieve(creator.id, {"include": ["configuration.recipient", "requirements"]})
    assert read.configuration.recipient.capabilities.stripe_balance.stripe_transfers.status == "active"
    assert read.requirements.entries == []
    assert core.accounts.update(creator.id, {"display_name": "New"}, words.key()).display_name == "New"
    assert core.accounts.list({"applied_configurations": ["recipient"]}).data[0].id == creator.id
    types = {event.type for event in core.events.list({"object_id": creator.id}).data}
    assert "v2.core.account[configuration.recipient].capability_status_updated" in types
    event = core.events.list().data[0]
    assert core.events.retrieve(event.id).fetch_related_object().id == creator.id


def test_an_account_link_expires_after_ten_minutes(backer, words):
    flow = {"refresh_url": "https://shop.example/again", "return_url": "https://shop.example/back"}
    use = {"type": "account_onboarding", "account_onboarding": flow}
    link = backer.client.v2.core.account_links.create(
        {"account": backer.creator(False).id, "use_case": use}, words.key()
    )
    backer.sandbox.post("clock", advance=601)
    assert requests.get(link.url, allow_redirects=False).headers["location"] == flow["refresh_url"]
    backer.sandbox.post("clock", offset=0)


def test_lists_turn_pages_in_both_directions(stripe_client, words):
    made = [stripe_client.v1.customers.create({"name": str(n)}, words.key()).id for n in range(7)]
    made.reverse()
    page = stripe_client.v1.customers.list({"limit": 3})
    assert [one.id for one in page.data] == made[:3] and page.has_more
    page = stripe_client.v1.customers.list({"limit": 3, "starting_after": made[2]})
    assert [one.id for one in page.data] == made[3:6] and page.has_more
    page = stripe_client.v1.customers.list({"limit": 2, "ending_before": made[3]})
    assert [one.id for one in page.data] == made[1:3] and page.has_more
    assert [one.id for one in stripe_client.v1.customers.list({"limit": 2}).auto_paging_iter()] == made
    for limit in (0, 101):
        assert words.refused(stripe_client.v1.customers.list, {"limit": limit}).param == "limit"


def test_v2_lists_turn_pages(backer):
    made = {backer.creator(False).id for _ in range(3)}
    listed = backer.client.v2.core.accounts.list({"limit": 2})
    assert {account.id for account in listed.auto_paging_iter()} == made


@pytest.mark.parametrize("path", ["latest_charge.nothing", "amount", "data.customer", "metadata.x"])
def test_what_does_not_expand_is_refused(backer, words, path):
    paid = backer.pays(backer.saves())
    error = words.refused(backer.v1.payment_intents.retrieve, paid.id, {"expand": [path]})
    assert error.http_status == 400 and error.param == "expand"


def test_missing_objects_are_404_in_the_path_and_400_in_a_parameter(stripe_client, words):
    error = words.refused(stripe_client.v1.payment_intents.retrieve, "pi_nothing")
    assert (error.http_status, error.code, error.param) == (404, "resource_missing", "id")
    params = {"amount": 100, "currency": "eur", "customer": "cus_nothing"}
    error = words.refused(stripe_client.v1.payment_intents.create, params, words.key())
    assert (error.http_status, error.code, error.param) == (400, "resource_missing", "customer")


def test_objects_have_every_key_of_the_sdks_classes(backer, words):
    from sandbox.shapes import CLASSES, METHOD_COMMON, ON_REQUEST

    v1, creator = backer.v1, backer.creator()
    paid = backer.pays(backer.saves("4000000000005423"))
    v1.refunds.create({"payment_intent": paid.id, "amount": 100}, words.key())
    params = {"amount": 500, "currency": "eur", "destination": creator.id, "source_transaction": paid.latest_charge}
    transfer = v1.transfers.create(params, words.key())
    v1.transfers.reversals.create(transfer.id, {"amount": 100}, words.key())
    backer.sandbox.post("disputes", charge=paid.latest_charge, amount=200)
    backer.sandbox.post("payouts", amount=100, currency="eur", account=creator.id)
    checked = 0
    for kind, path in CLASSES.items():
        module, name = path.rsplit(".", 1)
        hints = getattr(importlib.import_module(f"stripe.{module}"), name).__annotations__
        wanted = {field for field in hints if field.islower() and not field.startswith("_")} - ON_REQUEST.get(
            kind, set()
        )
        if kind == "payment_method":
            wanted &= METHOD_COMMON
        for obj in backer.sandbox.get(f"state/{kind}")[:1]:
            assert wanted <= set(obj), (kind, wanted - set(obj))
            checked += 1
    assert checked >= 16
