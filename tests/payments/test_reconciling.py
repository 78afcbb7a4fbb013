"""S-50, S-47, S-10, S-11: what Stripe has and what we say, both ways; each mismatch is found, none is acted on twice."""

import random
from datetime import timedelta

import psycopg
import pytest
import sqlalchemy as sa

from backing.collecting import lease
from core import clock
from core.db import db, transaction
from core.errors import BadInput, Refusal
from core.jobs import drain
from payments import (
    charging,
    gateway,
    gateway_lists,
    gateway_refunds,
    gateway_transfers,
    ledger,
    reconciling,
    worklist,
)
from payments.ledger import Account, balance
from payments.models import Payment, StripeCustomer
from payments.refunds import ask_refund
from projects import closing
from tests.factories import back, check_money, end_project, make_person, make_project, scalar
from tests.payments import payouts


@pytest.fixture(autouse=True)
def open_again(app):
    """What a look at the mode was good for is not good for the next test."""
    app.extensions.pop("money_mode", None)
    yield
    app.extensions.pop("money_mode", None)


def collected(app, stripe, n=1, number="4242424242424242"):
    project = make_project(goal=1_000)
    for _ in range(n):
        back(stripe, project, bonus=2_000, number=number)
    end_project(app, project)
    return db.session.scalars(sa.select(Payment).order_by(Payment.id)).all()


def full():
    report = reconciling.reconcile(full=True)
    db.session.expire_all()
    return report


def found(report):
    return {line.name: (line.found, line.healed, line.left) for line in report.lines if line.found}


def open_lines():
    return sorted(map(tuple, db.session.execute(sa.text("SELECT kind, stripe_id FROM mismatch WHERE settled_at IS NULL"))))


def leased(stripe):
    """A pledge of a successful project that is about to be charged."""
    project = make_project(goal=1_000)
    pledge = back(stripe, project, bonus=2_000)
    clock.move_clock(project.deadline - clock.now() + timedelta(seconds=1))
    closing.close_due()
    return pledge, lease(project.id)[0]


def made_past_us(payment, key, amount=0):
    """An intent beside the payment's own."""
    customer = scalar("SELECT stripe_id FROM stripe_customer WHERE person_id = :p", p=payment.person_id)
    db.session.rollback()
    made = gateway.create_payment(key=f"{key}:{payment.id}", amount=amount or payment.amount, currency=payment.currency,
                                  customer_id=customer, subject_id=str(payment.subject_id),
                                  project_id=str(payment.project_id), description="again")
    return made


def confirmed(payment, intent):
    method = scalar("SELECT payment_method_id FROM card_setup WHERE subject_id = :s", s=payment.subject_id)
    db.session.rollback()
    return gateway.confirm_payment(intent, key=f"cf:{intent}", payment_method_id=method)


def second_charge(payment, paid=True):
    """What a database restored twice might have left."""
    made = made_past_us(payment, "second")
    return confirmed(payment, made) if paid else made


def paid_out(app, stripe, state="succeeded"):
    """A project whose one transfer left on day 14."""
    payouts.collected(app, stripe, 5_000, days=14)
    drain(app)
    drain(app, ticking=False)
    assert scalar("SELECT state FROM transfer") == state
    db.session.rollback()


def test_when_nothing_differs_nothing_is_found_and_everything_was_compared(app, stripe):
    payments = collected(app, stripe, 3)
    ask_refund(payments[0].id, 500, "asked")
    drain(app)
    report = full()
    assert found(report) == {} and report.left == 0 and open_lines() == []
    compared = {line.name: line.compared for line in report.lines}
    assert (compared["payments"], compared["charges"], compared["refunds"], compared["our charges"]) == (3, 3, 1, 3)
    assert scalar("SELECT run_at IS NOT NULL FROM stripe_cursor WHERE name = 'clean'")
    check_money()


def test_a_charge_that_we_did_not_hear_of_goes_through_the_one_door(app, stripe):
    """S-09: it was executed and every reply was lost."""
    _pledge, one = leased(stripe)
    stripe.post("faults", match="POST */confirm", kind="drop_after", times=3)
    with pytest.raises(gateway.Silence):
        charging.charge(one.payment_id, one.payment_method_id, "x")
    assert scalar("SELECT state FROM payment") == "unknown" and stripe.get("counts")["charges_succeeded"] == 1
    db.session.rollback()
    report = full()
    assert found(report)["payments"] == (1, 1, 0) and report.left == 0
    assert scalar("SELECT state FROM payment") == "succeeded" and scalar("SELECT state FROM pledge") == "collected"
    assert scalar("SELECT processing_fee FROM payment") == scalar(
        "SELECT -sum(amount) FROM ledger_entry WHERE what = 'processing fee' AND account = 'stripe_pending'") > 0
    assert full().left == 0 and stripe.get("counts")["charges_succeeded"] == 1
    check_money()


def test_an_intent_whose_id_was_never_committed_is_adopted_and_not_made_twice(app, stripe):
    pledge, one = leased(stripe)
    payment = db.session.get(Payment, one.payment_id)
    lost = second_charge(payment, paid=False)
    report = full()
    assert found(report)["intents that no payment names"] == (1, 1, 0)
    assert scalar("SELECT stripe_id FROM payment") == lost
    assert scalar("SELECT state FROM payment") == "created"  # nobody has asked for it yet: that is no refusal
    charging.charge(one.payment_id, one.payment_method_id, "x")
    counts = stripe.get("counts")
    assert (counts["payment_intent"], counts["charges_succeeded"]) == (1, 1)
    db.session.expire_all()
    assert pledge.state.value == "collected"
    assert full().left == 0
    check_money()


def test_an_unpaid_intent_beside_the_payments_own_is_called_off(app, stripe):
    [payment] = collected(app, stripe)
    stray = second_charge(payment, paid=False)
    assert found(full())["intents that no payment names"] == (1, 1, 0)
    assert stripe.get(f"state/payment_intent/{stray}")["status"] == "canceled"
    assert found(full()) == {}
    check_money()


def test_a_second_charge_for_one_pledge_is_a_line_of_the_worklist_and_its_one_act_sends_it_back(app, stripe):
    [payment] = collected(app, stripe)
    outcome = second_charge(payment)
    report = full()
    assert report.left > 0 and ("duplicate_charge", outcome.charge_id) in open_lines()
    full()
    assert len(open_lines()) == len(set(open_lines())) == scalar("SELECT count(*) FROM mismatch WHERE settled_at IS NULL")
    line = next(item for item in worklist.open_items() if item.kind == "duplicate_charge")
    staff = make_person(is_staff=True)
    assert worklist.act(line.id, "refund", staff.id) == "refunded"
    with pytest.raises(Refusal):
        worklist.act(line.id, "refund", staff.id)
    full()
    assert "duplicate_charge" not in {kind for kind, _ in open_lines()}  # it is on its way
    drain(app)
    report = full()
    assert report.left == 0 and open_lines() == [], found(report)
    assert scalar("SELECT state FROM pledge") == "collected" and scalar("SELECT refunded FROM payment") == 0
    assert [row["amount"] for row in stripe.get("state/refund")] == [2_000]
    assert scalar("SELECT count(*) FROM audit_entry WHERE action = 'payments:refund_mismatch'") == 1
    check_money()


def test_a_refund_made_at_stripe_is_found_and_taken_in_as_if_we_had_asked(app, stripe):
    [payment] = collected(app, stripe)
    gateway_refunds.create_refund(key="dashboard", refund_id="by hand", amount=700, charge_id=payment.charge_id,
                                  payment_stripe_id=None, reason=None)
    report = full()
    kinds = {kind for kind, _ in open_lines()}
    assert kinds == {"unknown_refund", "refunded", "balance"} and report.left == 3
    line = next(item for item in worklist.open_items() if item.kind == "unknown_refund")
    assert worklist.act(line.id, "adopt") == "adopted"
    drain(app)
    db.session.expire_all()
    assert payment.refunded == 700 and scalar("SELECT state FROM refund") == "succeeded"
    assert len(stripe.get("state/refund")) == 1
    assert full().left == 0 and open_lines() == []
    check_money()


def test_a_transfer_that_we_do_not_know_is_told_and_may_be_booked(app, stripe):
    [payment] = collected(app, stripe)
    account = gateway.create_account(key="a", email="c@example.org", name="C", country="NL", person_id="x").stripe_id
    stripe.post(f"accounts/{account}/activate")
    made = gateway_transfers.create_transfer(key="t", amount=300, currency="EUR", destination=account,
                                             charge_id=payment.charge_id, project_id=str(payment.project_id), row_id="",
                                             description="by hand")
    full()
    assert ("unknown_transfer", made.stripe_id) in open_lines()
    line = next(item for item in worklist.open_items() if item.kind == "unknown_transfer")
    assert worklist.act(line.id, "book") == "booked"
    assert full().left == 0 and open_lines() == []  # what was booked is not told again


def test_a_dispute_and_a_warning_that_no_event_told_of_are_taken_in(app, stripe):
    payments = collected(app, stripe, 2)
    stripe.post("webhooks", mode="lose")
    stripe.post("disputes", charge=payments[0].charge_id)
    stripe.post("fraud_warnings", charge=payments[1].charge_id)
    report = full()
    assert found(report)["disputes"] == (1, 1, 0) and found(report)["early fraud warnings"] == (1, 1, 0)
    assert report.left == 0
    assert (scalar("SELECT count(*) FROM dispute"), scalar("SELECT count(*) FROM fraud_warning")) == (1, 1)
    check_money()


def test_money_that_became_available_and_what_went_to_the_bank_are_booked_and_the_sums_are_stripes_own(app, stripe):
    payments = collected(app, stripe, 2)
    clock.move_clock(timedelta(days=10))
    report = full()
    assert report.left == 0
    net = sum(p.amount - p.processing_fee for p in payments)
    assert balance(Account.STRIPE_AVAILABLE, "EUR") == net and balance(Account.STRIPE_PENDING, "EUR") == 0
    stripe.post("payouts", amount=1_500, currency="eur")
    assert full().left == 0
    assert balance(Account.STRIPE_AVAILABLE, "EUR") == net - 1_500 and balance(Account.BANK, "EUR") == 1_500
    assert found(full()) == {}  # once
    check_money()


def test_a_balance_that_is_not_the_books_is_told_and_settles_itself_when_they_agree(app, stripe):
    collected(app, stripe)
    with transaction():
        ledger.post("adjustment", "txn_made_up", "EUR", [(Account.STRIPE_AVAILABLE, 5, ""), (Account.STRIPE_FEES, -5, "")])
    assert full().left == 1 and open_lines() == [("balance", "balance:EUR")]
    with transaction():
        ledger.reverse("adjustment", "txn_made_up", "", "was made up")
    assert full().left == 0 and open_lines() == []
    assert scalar("SELECT how FROM mismatch") == "gone"


@pytest.mark.parametrize(("kind", "change", "expected"), [
    ("payment_intent", {"status": "requires_payment_method"}, "status"),
    ("payment_intent", {"amount": 1, "amount_received": 1}, "amount"),
    ("payment_intent", {"amount_received": 1}, "amount"),
    ("payment_intent", {"currency": "usd"}, "amount"),
    ("charge", {"amount": 1}, "amount"),
    ("charge", {"status": "failed", "paid": False}, "status"),
    ("charge", {"amount_refunded": 900}, "refunded"),
    ("refund", {"status": "canceled"}, "status"),
    ("refund", {"amount": 7}, "amount"),
    ("balance_transaction", {"fee": 1}, "fee"),
    ("balance_transaction", {"amount": 1}, "amount"),
    ("balance_transaction", {"type": "contribution"}, "unknown_movement"),
    ("payment_intent", None, "missing_there"),
    ("charge", None, "missing_there"),
    ("refund", None, "missing_there"),
])
def test_every_silent_change_is_found_and_gone_again_when_it_is_undone(app, stripe, kind, change, expected):
    """S-50: behind everybody's back, no event, no books."""
    [payment] = collected(app, stripe)
    ask_refund(payment.id, 500, "asked")
    drain(app)
    assert full().left == 0
    of = {"payment_intent": payment.stripe_id, "charge": payment.charge_id, "refund": scalar("SELECT stripe_id FROM refund"),
          "balance_transaction": next(row["id"] for row in stripe.get("state/balance_transaction")
                                      if row["type"] == "charge")}
    db.session.rollback()
    stripe.post("tamper", kind=kind, id=of[kind], **({"hide": True} if change is None else {"set": change}))
    before = scalar("SELECT count(*) FROM ledger_transaction")
    db.session.rollback()
    report = full()
    assert (expected, of[kind]) in open_lines(), (open_lines(), found(report))
    assert full().left == len(open_lines())
    assert scalar("SELECT count(*) FROM ledger_transaction") == before  # found, and nothing was acted on
    db.session.rollback()
    stripe.post("tamper", kind=kind, id=of[kind], restore=True)
    assert full().left == 0 and open_lines() == []


def test_a_second_comparison_at_the_same_time_does_nothing(app, stripe, database_url):
    collected(app, stripe)
    with psycopg.connect(database_url, autocommit=True) as other:
        other.execute("SELECT pg_advisory_lock(%s)", (reconciling.LOCK,))
        assert reconciling.reconcile(full=True, wait=False) is None
    assert reconciling.reconcile(full=True, wait=False) is not None


def test_a_line_of_long_ago_is_not_gone_because_a_short_look_did_not_see_it(app, stripe):
    [old] = collected(app, stripe)
    charge = old.charge_id
    db.session.rollback()
    stripe.post("tamper", kind="charge", id=charge, set={"amount": 1})
    full()
    assert open_lines() == [("amount", charge)]
    clock.move_clock(timedelta(days=3))
    reconciling.reconcile(since=clock.now() - timedelta(hours=1))
    assert open_lines() == [("amount", charge)]


def test_of_many_objects_changed_or_hidden_every_one_is_found_and_none_is_acted_on_twice(app, stripe):
    payments = collected(app, stripe, 24)
    clock.move_clock(timedelta(days=10))
    assert full().left == 0
    chance = random.Random(7)
    charged = balance(Account.STRIPE_AVAILABLE, "EUR")
    picked = chance.sample(payments, 6)
    intents = [(p.stripe_id, p.charge_id) for p in picked]
    db.session.rollback()
    for n, (intent, charge) in enumerate(intents):
        kind, id = ("payment_intent", intent) if n % 2 else ("charge", charge)
        stripe.post("tamper", kind=kind, id=id, **({"hide": True} if n < 3 else {"set": {"amount": 1}}))
    for _ in range(3):
        assert full().left == 6
    assert {stripe_id for _, stripe_id in open_lines()} == {
        intent if n % 2 else charge for n, (intent, charge) in enumerate(intents)}
    assert scalar("SELECT count(*) FROM mismatch") == 6
    assert scalar("SELECT count(*) FROM mail WHERE name = 'payments/alert'") == 0  # nobody is staff here
    assert balance(Account.STRIPE_AVAILABLE, "EUR") == charged
    for row in stripe.get("tamper"):
        stripe.post("tamper", kind=row["kind"], id=row["id"], restore=True)
    assert full().left == 0 and open_lines() == []
    assert stripe.get("counts")["charges_succeeded"] == 24
    check_money()


def test_what_a_person_explained_stays_settled_until_a_side_says_something_else(app, stripe):
    [payment] = collected(app, stripe)
    charge = payment.charge_id
    db.session.rollback()
    stripe.post("tamper", kind="charge", id=charge, set={"amount_refunded": 900})
    full()
    [line] = worklist.open_items()
    with pytest.raises(BadInput):
        worklist.explain(line.id, " ")
    worklist.explain(line.id, "Stripe's support knows", make_person(is_staff=True).id)
    assert full().left == 0 and open_lines() == []
    stripe.post("tamper", kind="charge", id=charge, set={"amount_refunded": 901})
    assert full().left == 1 and open_lines() == [("refunded", charge)]


def test_staff_hear_of_new_differences_once(app, stripe):
    make_person(is_staff=True)
    payments = collected(app, stripe, 2)
    charges = [payment.charge_id for payment in payments]
    db.session.rollback()
    stripe.post("tamper", kind="charge", id=charges[0], set={"amount": 1})
    for _ in range(3):
        full()
    mails = "SELECT count(*) FROM mail WHERE name = 'payments/alert'"
    assert scalar(mails) == 1
    stripe.post("tamper", kind="charge", id=charges[1], set={"amount": 1})
    full()
    assert scalar(mails) == 2
    drain(app)
    assert "differ in one place" in scalar("SELECT text FROM mail WHERE name = 'payments/alert' LIMIT 1")


def test_a_run_that_looks_back_a_little_finds_what_is_new_and_leaves_the_rest_alone(app, stripe):
    [old] = collected(app, stripe)
    charge = old.charge_id
    db.session.rollback()
    clock.move_clock(timedelta(days=3))
    stripe.post("tamper", kind="charge", id=charge, set={"amount": 1})
    since = clock.now() - timedelta(hours=1)
    assert reconciling.reconcile(since=since).left == 0
    gateway_refunds.create_refund(key="dashboard", refund_id="by hand", amount=700, charge_id=charge,
                                  payment_stripe_id=None, reason=None)
    assert reconciling.reconcile(since=since).left >= 1
    assert "unknown_refund" in {kind for kind, _ in open_lines()}


def test_while_stripe_is_silent_a_comparison_says_nothing_and_keeps_no_line(app, stripe):
    collected(app, stripe)
    stripe.post("faults", match="GET /v1/charges", kind="500_before", times=None)
    with pytest.raises(gateway.Silence):
        reconciling.reconcile(full=True)
    assert scalar("SELECT count(*) FROM stripe_cursor") == 0 and open_lines() == []


def test_every_ten_minutes_what_is_new_and_every_night_all_of_it(app, stripe):
    collected(app, stripe)
    assert reconciling.watch().since is None  # the first time
    assert reconciling.watch() is None
    clock.move_clock(timedelta(minutes=11))
    last = scalar("SELECT at FROM stripe_cursor WHERE name = 'reconcile'")
    assert reconciling.watch().since == last - timedelta(hours=1)
    assert reconciling.watch() is None
    clock.move_clock(timedelta(hours=31))
    assert reconciling.watch().since is None


def test_the_command_prints_what_was_compared_and_fails_when_something_is_left(app, stripe, flask):
    [payment] = collected(app, stripe)
    charge = payment.charge_id
    db.session.rollback()
    done = flask("payments", "reconcile", "--full")
    assert "charges" in done.stdout and " 1 " in done.stdout
    stripe.post("tamper", kind="charge", id=charge, set={"amount": 1})
    assert flask("payments", "reconcile", "--full", check=False).returncode == 1
    shown = flask("payments", "worklist").stdout
    assert charge in shown and "1 open." in shown
    line = str(scalar("SELECT id FROM mismatch"))
    db.session.rollback()
    assert "settled" in flask("payments", "worklist", "--settle", line, "--explain", "known to us").stdout
    assert flask("payments", "reconcile", "--full").returncode == 0


def test_lists_are_read_to_the_end(app, stripe):
    collected(app, stripe, 3)
    was, gateway_lists.PAGE = gateway_lists.PAGE, 2
    try:
        assert [len(page) for page in gateway_lists.pages(gateway_lists.Charge)] == [2, 1]
        assert full().lines[0].compared == 3
        assert sum(len(page) for page in gateway_lists.event_pages()) == len(stripe.get("state/event"))
    finally:
        gateway_lists.PAGE = was
    assert db.session.scalar(sa.select(sa.func.count()).select_from(StripeCustomer)) == 3
