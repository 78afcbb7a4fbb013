"""S-04, S-05, S-08 to S-11, S-65 to S-68: money goes back once, never more than came, and its states are told as they are."""

from datetime import timedelta

import psycopg
import pytest
import sqlalchemy as sa
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy.exc import IntegrityError

from core import clock, money
from core.db import db, transaction
from core.errors import BadInput, Refusal
from core.jobs import drain
from payments import ledger, refunds
from payments.ledger import Account, balance
from payments.models import Payment
from payments.refunds import ask_refund, fee_back, hear_of_refund, resend_refunds, send_refund
from tests.factories import back, check_money, end_project, make_person, make_project, scalar
from tests.races import forked, threads

SLOW, FAILS = "4000000000007726", "4000000000005126"


def paid(app, stripe, amount=5_000, number="4242424242424242", reward=None):
    """One collected pledge; returns its payment."""
    project = make_project(goal=1_000)
    back(stripe, project, bonus=amount, number=number)
    end_project(app, project)
    return db.session.scalars(sa.select(Payment)).one()


def states():
    return [row[0] for row in db.session.execute(sa.text("SELECT state FROM refund ORDER BY created_at, id"))]


def settle(app):
    drain(app, ticking=False)
    db.session.expire_all()


def test_a_whole_refund_goes_back_once_and_every_book_says_so(app, stripe):
    payment = paid(app, stripe)
    made = ask_refund(payment.id, None, "asked", note="Sorry")
    assert (made.amount, made.fee_back, states()) == (5_000, 250, ["created"])
    assert scalar("SELECT refunded FROM payment") == 5_000
    assert balance(Account.REFUNDS_PAYABLE, "EUR") == -5_000
    check_money()
    settle(app)
    assert states() == ["succeeded"]
    [theirs] = stripe.get("state/refund")
    assert (theirs["amount"], theirs["metadata"]["refund"], theirs["reason"]) == (
        5_000, str(made.id), "requested_by_customer")
    fee = scalar("SELECT processing_fee FROM payment") or 100
    assert balance(Account.REFUNDS_PAYABLE, "EUR") == 0 and balance(Account.PLATFORM_FEE, "EUR") == 0
    assert ledger.payable(payment.subject_id) == ledger.payable_of_project(payment.project_id, "EUR") == -fee
    assert stripe_in_our_books() == stripes_own(stripe)
    assert [(e.action, e.facts["amount"]) for e in _audited()] == [("payments:ask_refund", 5_000)]
    check_money()


def stripe_in_our_books():
    return balance(Account.STRIPE_PENDING, "EUR") + balance(Account.STRIPE_AVAILABLE, "EUR")


def stripes_own(stripe):
    return stripe.get("books")["accounts"]["platform"]["eur"]


def _audited():
    from core.audit import AuditEntry

    return db.session.scalars(sa.select(AuditEntry).where(AuditEntry.object_kind == "refund")).all()


def test_two_partial_refunds_of_the_same_amount_are_both_carried_out(app, stripe):
    """S-05: the key is the row's, not the amount's."""
    payment = paid(app, stripe)
    first, second = (ask_refund(payment.id, 1_000, "credit") for _ in range(2))
    settle(app)
    clock.move_clock(timedelta(minutes=1))
    drain(app)  # the one that waited for the other
    db.session.expire_all()
    assert states() == ["succeeded"] * 2
    keys = {row["idempotency_key"] for row in stripe.get("log") if row["path"] == "/v1/refunds" and row["method"] == "POST"}
    assert keys == {f"re:{first.id}", f"re:{second.id}"}
    assert sum(row["amount"] for row in stripe.get("state/refund")) == 2_000 == scalar("SELECT refunded FROM payment")
    check_money()


def test_of_twenty_who_refund_sixty_percent_at_once_exactly_one_passes(app, stripe):
    payment_id = paid(app, stripe).id
    answers = threads(app, *[lambda: ask_refund(payment_id, 3_000, "asked").id] * 20)
    assert sum(not isinstance(answer, Exception) for answer in answers) == 1
    assert all(isinstance(answer, BadInput) and answer.field == "amount" for answer in answers if isinstance(answer, Exception))
    settle(app)
    assert states() == ["succeeded"] and len(stripe.get("state/refund")) == 1
    check_money()


def test_the_database_itself_refuses_the_second_sixty_percent_whoever_asks(app, stripe):
    """S-67, past all our code: rows as the app's role would insert them, from processes of their own."""
    payment = paid(app, stripe)
    payment_id, project_id = payment.id, payment.project_id

    def insert(_i):
        with transaction() as session:
            session.execute(sa.text("INSERT INTO refund (payment_id, project_id, amount, currency, reason) "
                                    "VALUES (:m, :p, 3000, 'EUR', 'asked')"), {"m": payment_id, "p": project_id})

    answers = forked(app, 8, insert)
    assert answers.count(None) == 1
    assert scalar("SELECT refunded FROM payment") == 3_000 and scalar("SELECT count(*) FROM refund") == 1


def test_a_refund_keeps_its_amount_and_its_payment(app, stripe, database_url):
    payment = paid(app, stripe)
    ask_refund(payment.id, 1_000, "asked")
    for change in ("amount = 1", "duplicate_charge_id = 'ch_x'"):
        with pytest.raises((IntegrityError, sa.exc.DBAPIError)), transaction() as session:
            session.execute(sa.text(f"UPDATE refund SET {change}"))
    with psycopg.connect(database_url) as connection, pytest.raises(psycopg.errors.InsufficientPrivilege):
        connection.execute("SET ROLE achterban_app")
        connection.execute("DELETE FROM refund")


@pytest.mark.parametrize("amount", [0, -5, 5_001, 10**12])
def test_too_much_and_nothing_at_all_are_refused_beside_the_amount(app, stripe, amount):
    payment = paid(app, stripe)
    with pytest.raises(BadInput) as refused:
        ask_refund(payment.id, amount, "asked")
    assert refused.value.field == "amount" and scalar("SELECT count(*) FROM refund") == 0
    check_money()


def test_what_was_never_charged_and_what_is_all_back_is_not_refunded(app, stripe):
    payment = paid(app, stripe, number="4000000000000341")
    with pytest.raises(Refusal, match="Nothing was charged"):
        ask_refund(payment.id, 100, "asked")
    with pytest.raises(BadInput, match="reasons"):
        ask_refund(payment.id, 100, "because")
    check_money()


def test_while_a_bank_decides_nothing_is_refunded(app, stripe):
    """S-68: our own refusal, before Stripe would say charge_disputed; a won dispute allows it again."""
    from payments import disputes

    payment = paid(app, stripe)
    theirs = stripe.post("disputes", charge=payment.charge_id)
    disputes.hear_of_dispute(theirs["id"])
    with pytest.raises(Refusal, match="bank decides"):
        ask_refund(payment.id, 1_000, "asked")
    assert scalar("SELECT count(*) FROM refund") == 0
    stripe.post("disputes", dispute=theirs["id"], status="under_review")
    stripe.post("disputes", dispute=theirs["id"], status="won")
    disputes.hear_of_dispute(theirs["id"])
    assert ask_refund(payment.id, 1_000, "asked").amount == 1_000


def test_a_dispute_that_we_had_not_heard_of_ends_the_refund_as_refused_and_opens_the_debt(app, stripe):
    make_person(is_staff=True)
    payment = paid(app, stripe)
    stripe.post("disputes", charge=payment.charge_id)
    ask_refund(payment.id, None, "asked")
    settle(app)
    assert (states(), scalar("SELECT failure FROM refund")) == (["failed"], "charge_disputed")
    assert scalar("SELECT refunded FROM payment") == 0 and balance(Account.REFUNDS_PAYABLE, "EUR") == 0
    assert scalar("SELECT kind FROM mismatch") == "refund_failed"
    assert scalar("SELECT count(*) FROM mail WHERE name = 'payments/alert' AND about->>'kind' = 'refund_failed'") == 1


def test_a_slow_refund_is_pending_until_stripe_says_otherwise(app, stripe):
    payment = paid(app, stripe, number=SLOW)
    ask_refund(payment.id, None, "asked")
    settle(app)
    assert (states(), scalar("SELECT failure FROM refund")) == (["pending"], "processing")
    assert scalar("SELECT count(*) FROM ledger_transaction WHERE kind = 'refund'") == 1  # pending, not posted
    check_money()
    _later(stripe, timedelta(days=6))
    drain(app)  # asks again by itself: no webhook came
    db.session.expire_all()
    assert states() == ["succeeded"] and balance(Account.REFUNDS_PAYABLE, "EUR") == 0
    check_money()


def _later(stripe, delta):
    clock.move_clock(delta)
    stripe.post("clock", advance=delta.total_seconds())


def test_a_refund_that_fails_after_it_succeeded_opens_the_debt_again_and_tells_staff(app, stripe):
    make_person(is_staff=True)
    payment = paid(app, stripe, number=FAILS)
    before = ledger.payable(payment.subject_id)
    made = ask_refund(payment.id, None, "asked")
    settle(app)
    assert states() == ["succeeded"]
    _later(stripe, timedelta(days=11))
    for _ in range(2):  # news comes twice
        assert hear_of_refund(scalar("SELECT stripe_id FROM refund"))
    db.session.expire_all()
    assert (states(), scalar("SELECT failure FROM refund")) == (["failed"], "expired_or_canceled_card")
    assert scalar("SELECT refunded FROM payment") == 0 and ledger.payable(payment.subject_id) == before
    parts = set(db.session.scalars(sa.text("SELECT part FROM ledger_transaction WHERE kind = 'refund'")))
    assert parts == {"pending", "posted", "pending reversed", "posted reversed"}
    assert scalar("SELECT count(*) FROM mismatch WHERE kind = 'refund_failed'") == 1
    assert scalar("SELECT count(*) FROM mail WHERE name = 'payments/alert' AND about->>'refund' = :id", id=str(made.id)) == 1
    assert stripe_in_our_books() == stripes_own(stripe)
    check_money()
    again = ask_refund(payment.id, None, "asked")  # staff try once more: another row, another key
    assert again.id != made.id and again.fee_back == 250


def test_a_refund_that_is_called_off_before_it_arrived_is_void(app, stripe):
    payment = paid(app, stripe, number=SLOW)
    ask_refund(payment.id, 2_000, "asked")
    settle(app)
    [theirs] = stripe.get("state/refund")
    stripe.call("PATCH", f"state/refund/{theirs['id']}", {"status": "canceled"})
    assert hear_of_refund(theirs["id"])
    db.session.expire_all()
    assert states() == ["canceled"] and balance(Account.REFUNDS_PAYABLE, "EUR") == 0
    assert scalar("SELECT refunded FROM payment") == 0
    check_money()


def test_a_refund_that_wants_something_of_the_backer_waits(app, stripe):
    payment = paid(app, stripe, number=SLOW)
    ask_refund(payment.id, 2_000, "asked")
    settle(app)
    [theirs] = stripe.get("state/refund")
    stripe.call("PATCH", f"state/refund/{theirs['id']}", {"status": "requires_action"})
    hear_of_refund(theirs["id"])
    assert states() == ["requires_action"] and balance(Account.REFUNDS_PAYABLE, "EUR") == -2_000
    stripe.call("PATCH", f"state/refund/{theirs['id']}", {"status": "succeeded"})
    hear_of_refund(payment.charge_id)  # what `charge.refunded` brings
    assert states() == ["succeeded"]
    check_money()


@pytest.mark.parametrize("kind", ["drop_after", "500_after", "drop_before", "500_before", "429"])
def test_a_reply_that_never_came_is_neither_done_nor_failed_and_is_resolved_without_a_second_refund(app, stripe, kind):
    """S-09: executed or not, the row is `unknown`, and the next look finds out."""
    payment = paid(app, stripe)
    made = ask_refund(payment.id, 2_000, "asked")
    stripe.post("faults", match="POST /v1/refunds", kind=kind, times=3)
    settle(app)
    assert states() == ["unknown"] and scalar("SELECT refunded FROM payment") == 2_000
    check_money()
    stripe.call("DELETE", "faults")
    assert not send_refund(made.id)  # nobody takes it over for two minutes
    clock.move_clock(timedelta(minutes=3))
    drain(app)
    db.session.expire_all()
    assert states() == ["succeeded"] and len(stripe.get("state/refund")) == 1
    check_money()


def test_after_a_day_the_key_is_forgotten_and_the_list_decides(app, stripe):
    """S-10, S-11: +25 h, then resume: one refund."""
    payment = paid(app, stripe)
    ask_refund(payment.id, 2_000, "asked")
    stripe.post("faults", match="POST /v1/refunds", kind="drop_after", times=3)
    settle(app)
    stripe.call("DELETE", "faults")
    _later(stripe, timedelta(hours=25))
    drain(app)
    db.session.expire_all()
    assert states() == ["succeeded"] and len(stripe.get("state/refund")) == 1
    assert not [row for row in stripe.get("log") if "search" in row["path"]]
    check_money()


def test_a_refund_that_nobody_answers_for_is_told_to_staff(app, stripe):
    make_person(is_staff=True)
    payment = paid(app, stripe)
    ask_refund(payment.id, 2_000, "asked")
    stripe.post("faults", match="*refunds*", kind="drop_before", times=None)
    settle(app)
    clock.move_clock(timedelta(minutes=16))
    resend_refunds()
    assert scalar("SELECT count(*) FROM mail WHERE about->>'kind' = 'refund_stuck'") == 1


def test_a_job_that_was_lost_is_given_again(app, stripe):
    payment = paid(app, stripe)
    ask_refund(payment.id, 2_000, "asked")
    with transaction() as session:
        session.execute(sa.text("DELETE FROM procrastinate_jobs"))
    assert resend_refunds() == 0  # it is young
    clock.move_clock(timedelta(seconds=30))
    assert resend_refunds() == 1 and resend_refunds() == 0  # it has its job
    settle(app)
    assert states() == ["succeeded"]
    check_money()


def test_nothing_leaves_in_money_safe_mode(app, stripe):
    from payments import safety

    payment = paid(app, stripe)
    made = ask_refund(payment.id, 2_000, "asked")
    safety.enter("a test")
    assert not send_refund(made.id)
    assert states() == ["created"] and stripe.get("state/refund") == []


def test_two_workers_with_one_refund_make_one(app, stripe):
    """C-21: whatever both do, the row is claimed once and the key is the row's."""
    made = ask_refund(paid(app, stripe).id, 2_000, "asked").id
    forked(app, 4, lambda _i: send_refund(made))
    assert states() == ["succeeded"] and len(stripe.get("state/refund")) == 1
    assert sum(row["method"] == "POST" for row in stripe.get("log") if row["path"] == "/v1/refunds") == 1
    check_money()


def test_two_refunds_of_one_payment_are_never_at_stripe_at_once(app, stripe):
    """S-13."""
    payment = paid(app, stripe)
    ids = [ask_refund(payment.id, 500, "asked").id for _ in range(4)]
    stripe.post("faults", match="POST /v1/refunds", kind="delay", seconds=0.5, times=None)
    forked(app, 4, lambda i: send_refund(ids[i]))
    assert states().count("succeeded") == 1 and states().count("created") == 3
    check_money()


def test_the_same_refund_seen_twice_at_stripe_is_a_line_on_the_worklist(app, stripe):
    payment = paid(app, stripe)
    made = ask_refund(payment.id, 1_000, "asked")
    settle(app)
    theirs = refunds.gateway_refunds.create_refund(key="by-hand", refund_id=str(made.id), amount=1_000,
                                                   payment_stripe_id=payment.stripe_id, charge_id=None, reason=None)
    hear_of_refund(theirs.stripe_id)
    assert scalar("SELECT kind FROM mismatch") == "refund_twice"


def test_news_of_a_refund_that_is_not_ours_says_so(app, stripe):
    payment = paid(app, stripe)
    theirs = refunds.gateway_refunds.create_refund(key="by-hand", refund_id="somebody", amount=1_000,
                                                   payment_stripe_id=payment.stripe_id, charge_id=None, reason=None)
    assert not hear_of_refund(theirs.stripe_id) and not hear_of_refund(payment.charge_id)


@settings(max_examples=500, deadline=None, database=None, derandomize=True)
@given(st.integers(1, money.LARGEST), st.integers(0, 10_000), st.lists(st.floats(0, 1), min_size=1, max_size=8))
def test_the_last_refund_gives_back_the_last_cent_of_the_share(amount, basis_points, cuts):
    """C-30: however it is cut, the parts of the share are the share, and none is negative."""
    fee, gone, given = money.share(amount, basis_points), 0, 0
    edges = sorted({int(cut * amount) for cut in cuts} | {amount})
    for edge in edges:
        if edge == gone:
            continue
        part = fee_back(fee, amount, gone, edge - gone, given)
        assert 0 <= part <= edge - gone
        gone, given = edge, given + part
    assert given == fee


def test_every_invariant_of_refunds_can_be_broken_and_says_so(app, stripe, database_url):
    from payments.checks import CHECKS

    payment = paid(app, stripe)
    ask_refund(payment.id, 1_000, "asked")
    settle(app)
    ask_refund(payment.id, 500, "asked")
    check_money()
    db.session.rollback()
    breaches = {
        "what a payment counts as refunded is the sum of its refunds, and never above it": "UPDATE payment SET refunded = 7",
        "each refund stands in the ledger as its state says": "UPDATE refund SET state = 'failed' WHERE amount = 1000",
        "the ledger knows no refund that we do not": "UPDATE ledger_transaction SET external_id = 'x' WHERE kind = 'refund' AND part = 'posted'",
        "what is pending in the ledger of refunds is a refund under way, and the other way round":
            "DELETE FROM ledger_transaction WHERE resolves_id IS NOT NULL",
        "who got everything back got the platform's whole share back": "UPDATE payment SET amount = 1500, fee_bp = 900",
        "every refund's state is where its history ends": "UPDATE refund SET state = 'canceled'",
        "a pledge is refunded when all of it went back, and only then": "UPDATE pledge SET state = 'refunded'",
        "totals: counters and waiting changes are the sum of the standing pledges":
            "UPDATE refund SET amount = amount + 1 WHERE state = 'succeeded'",
    }
    for name, breach in breaches.items():
        with psycopg.connect(database_url) as connection:
            connection.execute("SET session_replication_role = replica")
            connection.execute(breach)
            sql = next(check.sql for check in CHECKS if check.name == name)
            assert connection.execute(sql).fetchall(), name
            connection.rollback()
    check_money()


def test_the_command_asks_for_a_refund_and_refuses_what_makes_no_sense(app, stripe, flask):
    payment = paid(app, stripe)
    db.session.rollback()
    pledge, made = str(payment.subject_id), flask("payments", "refund", str(payment.subject_id), "--amount", "12.50",
                                                  "--reason", "asked")
    assert "€12.50 asked for" in made.stdout and scalar("SELECT amount FROM refund") == 1_250
    for words in (("x", "--reason", "asked"), (pledge, "--reason", "because"), (pledge, "--reason", "asked", "--amount", "ten"),
                  (pledge, "--reason", "asked", "--amount", "900"), (pledge, "--reason", "asked", "--amount", "0"),
                  ("00000000-0000-0000-0000-000000000000", "--reason", "asked")):
        db.session.rollback()
        done = flask("payments", "refund", *words, check=False)
        assert done.returncode == 2 and done.stderr.strip().count("\n") == 0, words
    assert scalar("SELECT count(*) FROM refund") == 1
    db.session.rollback()
    flask("payments", "refund", pledge, "--reason", "other")
    assert scalar("SELECT sum(amount) FROM refund") == 5_000
    settle(app)
