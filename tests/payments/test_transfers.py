"""S-60, S-62 to S-64: a creator is paid once for each payment, not before its day, never more than came in."""

import psycopg
import sqlalchemy as sa

from core.db import db, transaction
from payments import accounts, payouts, refunds, transfers
from tests.factories import check_money, make_person, scalar
from tests.payments.payouts import books, collected, go, ripen, work
from tests.races import forked


def transferred() -> int:
    return int(scalar("SELECT coalesce(sum(amount), 0) FROM transfer WHERE state = 'succeeded'"))


def test_nothing_leaves_on_day_thirteen_and_all_of_it_on_day_fourteen(app, stripe):
    project = collected(app, stripe, 5_000, 10_000, days=13)
    account = scalar("SELECT stripe_id FROM payout_account")
    work(app)
    assert scalar("SELECT count(*) FROM transfer") == 0 and payouts.waits_for(project.id) == "day"
    go(stripe, 1)
    work(app)
    # 5,000 less 5 % and 1.5 % + 25; 10,000 less the same.
    assert transferred() == (5_000 - 250 - 100) + (10_000 - 500 - 175) == books(stripe, account)
    for row in stripe.get("state/transfer"):
        assert row["source_transaction"].startswith("ch_") and row["transfer_group"] == f"project_{project.id}"
        assert row["destination"] == account
    check_money()
    go(stripe, 1)
    work(app)
    assert scalar("SELECT count(*) FROM transfer") == 2 == len(stripe.get("state/transfer"))
    db.session.rollback()
    check_money()


def test_the_reserve_frozen_at_launch_is_paid_on_its_own_day(app, stripe):
    project = collected(app, stripe, 10_000, days=14, reserve_bp=1_000)
    account = scalar("SELECT stripe_id FROM payout_account")
    work(app)
    assert transferred() == 10_000 - 500 - 175 - 1_000
    go(stripe, 75)
    work(app)
    assert scalar("SELECT count(*) FROM transfer") == 1
    go(stripe, 1, hours=1)
    work(app)
    assert scalar("SELECT part FROM transfer ORDER BY id DESC LIMIT 1") == "reserve"
    assert transferred() == 10_000 - 500 - 175 == books(stripe, account)
    assert not payouts.due_transfers(project.id)
    check_money()


def test_an_account_that_stripe_stopped_waits_and_goes_on_by_itself(app, stripe):
    """S-60: read again before a transfer, although no news of it came."""
    collected(app, stripe, 10_000, days=14)
    account = scalar("SELECT stripe_id FROM payout_account")
    stripe.post(f"accounts/{account}/restrict")
    work(app)
    assert scalar("SELECT count(*) FROM transfer") == 0 and stripe.get("state/transfer") == []
    assert not stripe.get("log?path=/v1/transfers&method=POST")
    assert scalar("SELECT why FROM payout_run") == "account"
    assert scalar("SELECT count(*) FROM mail WHERE name = 'payments/account_stopped'") == 1
    stripe.post(f"accounts/{account}/activate")
    go(stripe, hours=1)
    work(app)
    assert transferred() == 10_000 - 500 - 175
    check_money()


def test_a_capability_lost_between_the_look_and_the_transfer_is_a_refusal_that_is_tried_again(app, stripe):
    project = collected(app, stripe, 10_000, days=14)
    account = scalar("SELECT stripe_id FROM payout_account")
    accounts.refresh_account(project.creator_id)  # known as active, a moment ago
    stripe.post(f"accounts/{account}/restrict")
    payouts.pay_out(project.id)
    assert scalar("SELECT state FROM transfer") == "failed" and transferred() == 0
    assert scalar("SELECT failure FROM transfer") == "insufficient_capabilities_for_transfer"
    check_money()
    go(stripe, hours=2)
    work(app)
    assert scalar("SELECT tries FROM transfer") == 1  # the account is still inactive: nothing is sent
    stripe.post(f"accounts/{account}/activate")
    go(stripe, hours=2)
    work(app)
    assert scalar("SELECT tries FROM transfer") == 2 and transferred() == 10_000 - 500 - 175
    keys = [row["idempotency_key"] for row in stripe.get("log?path=/v1/transfers&method=POST")]
    assert [key.rsplit(":", 1)[1] for key in keys] == ["1", "2"]
    check_money()


def test_a_reply_that_was_lost_is_one_transfer(app, stripe):
    """S-09: executed, and no answer came."""
    project = collected(app, stripe, 10_000, days=14)
    stripe.post("faults", match="POST /v1/transfers", kind="drop_after", times=3)
    payouts.pay_out(project.id)
    db.session.expire_all()
    assert scalar("SELECT state FROM transfer") == "unknown" and transferred() == 0
    check_money()
    go(stripe, minutes=3)
    work(app)
    assert transferred() == 10_000 - 500 - 175 and len(stripe.get("state/transfer")) == 1
    check_money()


def test_after_twenty_five_hours_it_is_looked_for_before_it_is_sent_again(app, stripe):
    """S-10, S-11: the key may be forgotten, so the list decides."""
    project = collected(app, stripe, 10_000, days=14)
    stripe.post("faults", match="POST /v1/transfers", kind="drop_after", times=3)
    payouts.pay_out(project.id)
    stripe.call("DELETE", "log")
    go(stripe, hours=25)
    work(app)
    assert transferred() == 10_000 - 500 - 175 and len(stripe.get("state/transfer")) == 1
    assert not stripe.get("log?path=/v1/transfers&method=POST")
    check_money()


def test_a_transfer_that_was_never_executed_is_sent_again_after_the_look(app, stripe):
    project = collected(app, stripe, 10_000, days=14)
    stripe.post("faults", match="POST /v1/transfers", kind="drop_before", times=3)
    payouts.pay_out(project.id)
    go(stripe, hours=25)
    work(app)
    assert transferred() == 10_000 - 500 - 175 and len(stripe.get("state/transfer")) == 1
    check_money()


def test_a_refund_before_the_payout_leaves_only_the_rest(app, stripe):
    collected(app, stripe, 10_000, 20_000, days=2)
    first = scalar("SELECT id FROM payment WHERE amount = 10000")
    refunds.ask_refund(first, 4_000, "asked")
    go(stripe, 12)
    work(app)
    assert scalar("SELECT amount FROM transfer WHERE payment_id = :p", p=first) == (10_000 - 500 - 175) - (4_000 - 200)
    assert scalar("SELECT count(*) FROM transfer_reversal") == 0
    check_money()


def test_what_a_whole_refund_leaves_of_fees_is_set_off_against_the_rest_of_the_payout(app, stripe):
    """A refund does not bring Stripe's fee back: 175 of the first payment is missing."""
    collected(app, stripe, 10_000, 20_000, days=2)
    first = scalar("SELECT id FROM payment WHERE amount = 10000")
    refunds.ask_refund(first, None, "asked")
    go(stripe, 12)
    work(app)
    assert transferred() == (20_000 - 1_000 - 325) - 175
    assert scalar("SELECT count(*) FROM transfer WHERE payment_id = :p", p=first) == 0
    assert scalar("SELECT coalesce(sum(amount), 0) FROM ledger_entry WHERE account = 'creator_debt'") == 0
    check_money()


def test_a_payout_waits_for_pledges_that_are_still_being_mended(app, stripe):
    project = collected(app, stripe, 10_000)
    with transaction() as session:
        session.execute(sa.text("UPDATE pledge SET state = 'errored', fix_until = clock_now() + interval '30 days'"))
    go(stripe, 15)
    assert payouts.waits_for(project.id) == "collecting"
    payouts.pay_out(project.id)
    assert scalar("SELECT count(*) FROM transfer") == 0


def test_no_cent_leaves_a_project_whose_books_are_wrong(app, stripe, database_url):
    project = collected(app, stripe, 10_000, days=14)
    with psycopg.connect(database_url, autocommit=True) as connection:  # as nobody but the database's owner could
        connection.execute("SET session_replication_role = replica")
        connection.execute("UPDATE ledger_entry SET amount = amount + 1 WHERE what = 'charge' AND amount > 0")
    payouts.pay_out(project.id)
    assert scalar("SELECT why FROM payout_run") == "books"
    assert scalar("SELECT count(*) FROM transfer") == 0


def test_two_workers_at_once_pay_each_payment_once(app, stripe):
    project = collected(app, stripe, *[3_000 + n for n in range(12)], days=14)
    project_id = project.id
    forked(app, 3, lambda _i: payouts.pay_out(project_id))
    ripen()
    work(app)
    assert scalar("SELECT count(*) FROM transfer WHERE state = 'succeeded'") == 12 == len(stripe.get("state/transfer"))
    assert len({row["metadata"]["transfer"] for row in stripe.get("state/transfer")}) == 12
    check_money()


def test_a_refusal_of_the_amount_is_told_to_staff_and_tried_again_with_a_new_key(app, stripe):
    """S-63: somebody moved the money of this charge by hand."""
    make_person(is_staff=True)
    project = collected(app, stripe, 10_000, days=14)
    charge = scalar("SELECT charge_id FROM payment")
    stripe.call("PATCH", f"state/charge/{charge}", {"amount_captured": 100})
    payouts.pay_out(project.id)
    assert scalar("SELECT failure FROM transfer") == "charge_exceeds_source_limit"
    assert scalar("SELECT count(*) FROM mail WHERE name = 'payments/alert'") == 1
    stripe.call("PATCH", f"state/charge/{charge}", {"amount_captured": 10_000})
    go(stripe, hours=1, minutes=1)
    work(app)
    assert transferred() == 10_000 - 500 - 175 and scalar("SELECT tries FROM transfer") == 2
    check_money()


def test_news_of_a_transfer_is_taken_from_stripe_and_twice_is_once(app, stripe):
    project = collected(app, stripe, 10_000, days=14)
    stripe.post("faults", match="POST /v1/transfers", kind="drop_after", times=3)
    payouts.pay_out(project.id)
    [row] = stripe.get("state/transfer")
    assert transfers.hear_of_transfer(row["id"]) and transfers.hear_of_transfer(row["id"])
    assert transferred() == 10_000 - 500 - 175
    check_money()


def test_the_command_pays_out_and_says_what_waits(app, stripe, flask):
    project = collected(app, stripe, 10_000)
    slug = project.slug
    db.session.rollback()
    assert "waits for day" in flask("payments", "transfer", slug).stdout
    go(stripe, 14)
    db.session.rollback()
    assert "1 transfers." in flask("payments", "transfer").stdout
    assert transferred() == 10_000 - 500 - 175
    db.session.rollback()
    assert "transferred" in flask("payments", "statement", slug).stdout
    assert "together" in flask("payments", "books").stdout
    checked = flask("payments", "check").stdout
    assert "at its amount (transfers: 1)" in checked and "WRONG" not in checked


def test_a_project_that_is_paid_out_is_looked_at_again_tomorrow_and_on_the_day_of_its_reserve(app, stripe):
    """Were it looked at all the time, finished projects would stand in the way of those whose day has come."""
    project = collected(app, stripe, 10_000, days=14, reserve_bp=1_000)
    work(app)
    hours = "SELECT extract(epoch FROM next_at - clock_now()) / 3600 FROM payout_run"
    assert 23 < scalar(hours) <= 24
    db.session.rollback()
    go(stripe, minutes=5)
    payouts.watch_transfers()
    assert scalar("SELECT count(*) FROM procrastinate_jobs WHERE task_name = 'payments:send_transfers' AND status = 'todo'") == 0
    go(stripe, 75, hours=20)
    payouts.pay_out(project.id)
    assert scalar(hours) < 5 and transferred() == 10_000 - 500 - 175 - 1_000
    go(stripe, hours=5)
    work(app)
    assert transferred() == 10_000 - 500 - 175
    check_money()
