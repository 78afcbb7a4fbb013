"""The sandbox's books, walked at random in this very process: nothing is ever out of nothing (SB-04, S-65, S-67, S-68).

A failing walk prints a blob that replays it; `--hypothesis-seed=N` repeats a whole run.
"""

from __future__ import annotations

import asyncio
import itertools
import threading
from collections import defaultdict

import msgspec
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from sandbox import books, clock, control, server
from sandbox.disputes import MOVES
from sandbox.store import Store, store

HEADERS = {"authorization": "Bearer sk_test_walk", "stripe-version": "2026-10-28.endive"}
CARDS = ("pm_card_visa", "pm_card_bypassPending", "pm_card_pendingRefund", "pm_card_refundFail", "pm_card_createDispute")
numbers = itertools.count()


def ask(method: str, path: str, body: str = "", json: object = None, account: str = ""):
    """One call of the API, without a socket between."""
    headers = HEADERS | {"idempotency-key": f"walk:{next(numbers)}"} | ({"stripe-account": account} if account else {})
    sent = msgspec.json.encode(json) if json is not None else body.encode()
    answer = asyncio.run(server.api(method, path, "", headers, sent))
    return answer.status, msgspec.json.decode(answer.body)


def form(**values: object) -> str:
    return "&".join(f"{name}={value}" for name, value in values.items() if value is not None)


class Walk(RuleBasedStateMachine):
    """Any order of charges, refunds, disputes, transfers, reversals, payouts and time."""

    @initialize()
    def begin(self) -> None:
        control.reset({})
        capability = {"stripe_balance": {"stripe_transfers": {"requested": True}}}
        self.accounts = []
        for name in ("a", "b"):
            wanted = {"contact_email": f"{name}@example.org", "identity": {"country": "nl"}}
            wanted["configuration"] = {"recipient": {"capabilities": capability}}
            status, made = ask("POST", "/v2/core/accounts", json=wanted)
            assert status == 200
            control.activate(made["id"], {})
            self.accounts.append(made["id"])
        self.went = defaultdict(int)

    def ids(self, kind: str) -> list[str]:
        return list(store.rows.get(kind, {}))

    def count(self, what: str, status: int, body: dict) -> None:
        assert status in (200, 400, 402), body
        self.went[what, status] += 1

    @rule(card=st.sampled_from(CARDS), amount=st.integers(50, 100_000), currency=st.sampled_from(["eur", "jpy"]))
    def charge(self, card: str, amount: int, currency: str) -> None:
        paid = form(amount=amount, currency=currency, payment_method=card, confirm="true", return_url="https://x.example")
        self.count("charge", *ask("POST", "/v1/payment_intents", paid))

    @precondition(lambda self: self.ids("charge"))
    @rule(pick=st.randoms(use_true_random=False), amount=st.none() | st.integers(1, 60_000))
    def refund(self, pick, amount) -> None:
        self.count("refund", *ask("POST", "/v1/refunds", form(charge=pick.choice(self.ids("charge")), amount=amount)))

    @precondition(lambda self: self.ids("refund"))
    @rule(pick=st.randoms(use_true_random=False), outcome=st.sampled_from(["settle", "fail"]))
    def bank_decides(self, pick, outcome) -> None:
        self.press(control.decide_refund, pick.choice(self.ids("refund")), outcome)

    @precondition(lambda self: self.ids("charge"))
    @rule(pick=st.randoms(use_true_random=False), amount=st.none() | st.integers(1, 60_000), status=st.sampled_from(sorted(MOVES)))
    def dispute(self, pick, amount, status) -> None:
        asked = control.Asked(charge=pick.choice(self.ids("charge")), status=status, amount=amount)
        self.press(control.dispute, asked)

    @precondition(lambda self: self.ids("dispute"))
    @rule(pick=st.randoms(use_true_random=False), status=st.sampled_from(sorted(MOVES)))
    def bank_moves_dispute(self, pick, status) -> None:
        self.press(control.dispute, control.Asked(dispute=pick.choice(self.ids("dispute")), status=status))

    @precondition(lambda self: self.ids("charge"))
    @rule(pick=st.randoms(use_true_random=False), amount=st.integers(1, 60_000), sourced=st.booleans())
    def transfer(self, pick, amount, sourced) -> None:
        charge = store.rows["charge"][pick.choice(self.ids("charge"))]
        params = form(
            amount=amount,
            currency=charge["currency"],
            destination=pick.choice(self.accounts),
            source_transaction=charge["id"] if sourced else None,
        )
        self.count("transfer", *ask("POST", "/v1/transfers", params))

    @precondition(lambda self: self.ids("transfer"))
    @rule(pick=st.randoms(use_true_random=False), amount=st.none() | st.integers(1, 60_000))
    def reversal(self, pick, amount) -> None:
        id = pick.choice(self.ids("transfer"))
        self.count("reversal", *ask("POST", f"/v1/transfers/{id}/reversals", form(amount=amount)))

    @rule(
        pick=st.randoms(use_true_random=False),
        amount=st.integers(1, 60_000),
        whose=st.integers(0, 2),
        status=st.sampled_from(["paid", "failed", "pending", "canceled"]),
        currency=st.sampled_from(["eur", "jpy"]),
    )
    def payout(self, pick, amount, whose, status, currency) -> None:
        account = self.accounts[whose] if whose < 2 else None
        self.press(control.pay_out, control.Asked(amount=amount, currency=currency, account=account, status=status))

    @precondition(lambda self: self.ids("payout"))
    @rule(pick=st.randoms(use_true_random=False), status=st.sampled_from(["paid", "failed", "in_transit"]))
    def bank_moves_payout(self, pick, status) -> None:
        self.press(control.move_payout, pick.choice(self.ids("payout")), status)

    @rule(days=st.integers(-3, 12))
    def time_passes(self, days: int) -> None:
        control.move_clock({"advance": days * 86400})

    def press(self, what, *args) -> None:
        """A bank or a person acts; what is illegal is refused and changes nothing."""
        before = dict(books.totals)
        try:
            what(*(*args, {}) if what is not control.dispute and what is not control.pay_out else args)
        except server.StripeError as refused:
            assert refused.status == 400
            assert dict(books.totals) == before

    @invariant()
    def every_sum_is_zero(self) -> None:
        assert books.imbalance() == {}
        for row in store.all("posting"):
            assert sum(amount for _, amount in row["lines"]) == 0

    @invariant()
    def balances_are_what_the_postings_add_up_to(self) -> None:
        totals: dict[tuple[str, str], int] = defaultdict(int)
        ready: dict[str, int] = defaultdict(int)
        for row in store.all("posting"):
            for account, amount in row["lines"]:
                totals[account, row["currency"]] += amount
                if account == books.PLATFORM and row["until"] <= clock.now():
                    ready[row["currency"]] += amount
        assert dict(books.totals) == {key: totals[key] for key in books.totals}
        for currency in books.currencies():
            assert books.available(currency) == ready[currency]

    @invariant()
    def balance_transactions_tell_the_same(self) -> None:
        nets: dict[str, int] = defaultdict(int)
        for row in store.all("balance_transaction"):
            assert row["net"] == row["amount"] - row["fee"]
            nets[row["currency"]] += row["net"]
        assert {c: nets[c] for c in books.currencies()} == {
            c: books.balance(books.PLATFORM, c) for c in books.currencies()
        }

    @invariant()
    def nobody_gets_more_than_there_was(self) -> None:
        taken: dict[str, int] = defaultdict(int)
        for row in store.all("refund"):
            if row["status"] not in ("failed", "canceled"):
                taken[row["charge"]] += row["amount"]
        sent: dict[str, int] = defaultdict(int)
        for row in store.all("transfer"):
            sent[row["source_transaction"]] += row["amount"] - row["amount_reversed"]
        for row in store.all("charge"):
            assert row["amount_refunded"] == taken[row["id"]] <= row["amount_captured"]
            assert sent[row["id"]] <= row["amount_captured"]
        for account in getattr(self, "accounts", ()):
            assert all(books.balance(account, currency) >= 0 for currency in books.currencies())

    def teardown(self) -> None:
        """What a restart reads back from the rows is what was."""
        was = dict(books.totals)
        lines = [(kind, id, row) for kind, rows in store.rows.items() for id, row in rows.items()]
        fresh = Store()
        fresh.listeners = [books._listen]
        books._listen("", "", None)
        for kind, id, row in lines:
            fresh._set(kind, id, row)
        assert {key: amount for key, amount in books.totals.items() if amount} == {k: v for k, v in was.items() if v}


Walk.TestCase.settings = settings(
    max_examples=25, stateful_step_count=40, deadline=None, print_blob=True, suppress_health_check=list(HealthCheck)
)
TestWalk = Walk.TestCase


def test_twenty_refunds_of_sixty_percent_at_once_pass_once(backer, words):
    """S-67."""
    charge = backer.pays(backer.saves(), 10_000).latest_charge
    fates = at_once(20, lambda: backer.v1.refunds.create({"charge": charge, "amount": 6_000}, words.key()).status)
    assert fates.count("succeeded") == 1 and fates.count(400) == 19
    assert backer.v1.charges.retrieve(charge).amount_refunded == 6_000
    assert backer.sandbox.get("books")["imbalance"] == {}


def test_twenty_refunds_of_a_tenth_at_once_pass_ten_times(backer, words):
    charge = backer.pays(backer.saves(), 10_000).latest_charge
    fates = at_once(20, lambda: backer.v1.refunds.create({"charge": charge, "amount": 1_000}, words.key()).status)
    assert fates.count("succeeded") == 10 and backer.v1.charges.retrieve(charge).refunded


def at_once(number: int, act) -> list:
    import stripe

    gate, fates = threading.Barrier(number), []

    def one() -> None:
        gate.wait()
        try:
            fates.append(act())
        except stripe.StripeError as error:
            fates.append(error.http_status)

    threads = [threading.Thread(target=one) for _ in range(number)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return fates


@pytest.mark.parametrize("status", sorted(MOVES))
def test_a_dispute_can_be_led_to_every_status_and_no_illegal_one(backer, status):
    """S-68: ten statuses; the money is with the platform exactly when none is withdrawn."""
    charge = backer.pays(backer.saves()).latest_charge
    before = backer.sandbox.get("books")["accounts"]["platform"]["eur"]
    dispute = backer.sandbox.post("disputes", charge=charge, status=status)
    assert dispute["status"] == status and len(MOVES) == 10
    out = sum(entry["amount"] for entry in dispute["balance_transactions"])
    kept = ("warning_needs_response", "warning_under_review", "warning_closed", "won", "prevented")
    assert out == (0 if status in kept else -2500)
    fees = sum(entry["fee"] for entry in dispute["balance_transactions"])
    assert backer.sandbox.get("books")["accounts"]["platform"]["eur"] == before + out - fees
    for other in sorted(set(MOVES) - MOVES[status]):
        with pytest.raises(RuntimeError, match="dispute_unexpected_state"):
            backer.sandbox.post("disputes", dispute=dispute["id"], status=other)
    assert backer.v1.disputes.retrieve(dispute["id"]).status == status
    assert backer.sandbox.get("books")["imbalance"] == {}


@pytest.mark.parametrize("status", sorted(MOVES))
def test_a_refund_waits_while_a_dispute_holds_the_money(backer, words, status):
    charge = backer.pays(backer.saves()).latest_charge
    backer.sandbox.post("disputes", charge=charge, status=status)
    if status.startswith("warning_") or status == "won":
        assert backer.v1.refunds.create({"charge": charge}, words.key()).status == "succeeded"
    else:
        assert words.refused(backer.v1.refunds.create, {"charge": charge}, words.key()).code == "charge_disputed"


def test_a_charge_is_not_disputed_for_more_than_it_was(backer):
    charge = backer.pays(backer.saves(), 10_000).latest_charge
    first = backer.sandbox.post("disputes", charge=charge, amount=6_000)
    assert first["amount"] == 6_000
    with pytest.raises(RuntimeError, match="amount"):
        backer.sandbox.post("disputes", charge=charge, amount=4_001, status="warning_needs_response")
    assert backer.sandbox.post("disputes", charge=charge, status="warning_needs_response")["amount"] == 4_000


def test_a_bank_takes_no_more_than_is_left_when_it_changes_its_mind(backer, words):
    charge = backer.pays(backer.saves(), 10_000).latest_charge
    first = backer.sandbox.post("disputes", charge=charge, status="won")
    second = backer.sandbox.post("disputes", charge=charge, amount=4_000)
    with pytest.raises(RuntimeError, match="cannot be taken once more"):
        backer.sandbox.post("disputes", dispute=first["id"], status="lost")
    assert backer.sandbox.get(f"state/dispute/{first['id']}")["status"] == "won"
    backer.sandbox.post("disputes", dispute=second["id"], status="won")
    backer.v1.refunds.create({"charge": charge, "amount": 1}, words.key())
    with pytest.raises(RuntimeError, match="cannot be taken once more"):
        backer.sandbox.post("disputes", dispute=first["id"], status="lost")


def test_transfers_of_a_charge_stay_within_it_and_what_came_back_may_go_again(backer, words):
    """S-63."""
    v1, creator = backer.v1, backer.creator()
    charge = backer.pays(backer.saves(), 10_000).latest_charge
    params = {"amount": 10_001, "currency": "eur", "destination": creator.id, "source_transaction": charge}
    assert words.refused(v1.transfers.create, params, words.key()).code == "charge_exceeds_source_limit"
    fates = at_once(20, lambda: bool(v1.transfers.create({**params, "amount": 1_000}, words.key()).id))
    assert fates.count(True) == 10 and fates.count(400) == 10
    sent = v1.transfers.list({"destination": creator.id, "limit": 1}).data[0]
    v1.transfers.reversals.create(sent.id, {"amount": 400}, words.key())
    assert words.refused(v1.transfers.create, {**params, "amount": 401}, words.key()).http_status == 400
    assert v1.transfers.create({**params, "amount": 400}, words.key()).id


def test_a_reversal_takes_only_what_the_account_still_has(backer, words):
    """S-65."""
    v1, creator = backer.v1, backer.creator()
    charge = backer.pays(backer.saves(), 10_000).latest_charge
    params = {"amount": 8_000, "currency": "eur", "destination": creator.id, "source_transaction": charge}
    sent = v1.transfers.create(params, words.key())
    backer.sandbox.post("payouts", amount=7_000, currency="eur", account=creator.id)
    error = words.refused(v1.transfers.reversals.create, sent.id, {"amount": 1_001}, words.key())
    assert (error.code, error.param) == ("balance_insufficient", "amount")
    assert v1.transfers.reversals.create(sent.id, {"amount": 1_000}, words.key()).amount == 1_000
    assert v1.transfers.retrieve(sent.id).amount_reversed == 1_000
    assert backer.sandbox.get("books")["accounts"].get(creator.id, {}).get("eur", 0) == 0


def test_a_payout_that_fails_brings_the_money_back(backer, mailbox):
    backer.pays(backer.saves("4000000000000077"), 10_000)
    before = backer.sandbox.get("books")
    payout = backer.sandbox.post("payouts", amount=5_000, currency="eur", status="pending")
    assert payout["status"] == "pending" and backer.sandbox.get("books")["available"]["eur"] == before["available"]["eur"] - 5_000
    backer.sandbox.post(f"payouts/{payout['id']}/paid")
    failed = backer.sandbox.post(f"payouts/{payout['id']}/failed")
    assert failed["failure_code"] == "account_closed" and failed["failure_balance_transaction"]
    assert backer.sandbox.get("books")["available"] == before["available"]
    with pytest.raises(RuntimeError, match="payout_unexpected_state"):
        backer.sandbox.post(f"payouts/{payout['id']}/paid")
    for type in ("payout.created", "payout.paid", "payout.failed"):
        assert mailbox.wait(type)[0].event["data"]["object"]["id"] == payout["id"]


@pytest.mark.parametrize("card, status", [("4242424242424242", "succeeded"), ("4000000000007726", "pending")])
def test_a_refund_settles_or_comes_back_when_the_bank_says_so(backer, words, mailbox, card, status):
    """S-66."""
    charge = backer.pays(backer.saves(card)).latest_charge
    refund = backer.v1.refunds.create({"charge": charge, "amount": 1_000}, words.key())
    assert refund.status == status
    if status == "pending":
        assert backer.sandbox.post(f"refunds/{refund.id}/settle")["status"] == "succeeded"
        mailbox.wait("refund.updated")
    with pytest.raises(RuntimeError, match="refund_not_decidable"):
        backer.sandbox.post(f"refunds/{refund.id}/settle")
    failed = backer.sandbox.post(f"refunds/{refund.id}/fail")
    assert failed["status"] == "failed" and failed["failure_reason"]
    assert mailbox.wait("refund.failed")[0].event["data"]["object"]["status"] == "failed"
    assert backer.v1.charges.retrieve(charge).amount_refunded == 0


def test_money_is_available_by_the_clock_in_both_directions(backer):
    paid = backer.pays(backer.saves())
    read = backer.v1.payment_intents.retrieve
    expand = {"expand": ["latest_charge.balance_transaction"]}
    for advance, status, ready in ((0, "pending", 0), (8 * 86400, "available", 2437), (-8 * 86400, "pending", 0)):
        backer.sandbox.post("clock", advance=advance)
        entry = read(paid.id, expand).latest_charge.balance_transaction
        assert entry.status == status == backer.v1.balance_transactions.retrieve(entry.id).status
        assert backer.v1.balance.retrieve().available[0].amount == ready
    backer.sandbox.post("clock", offset=0)
