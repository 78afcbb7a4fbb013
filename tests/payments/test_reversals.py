"""S-65, S-71: what went back to a backer is taken back from the creator; what cannot be is a debt, shown and counted."""

import pytest

from core.db import db
from core.errors import Refusal
from payments import owing, refunds, reversals, statements, steps
from projects.models import Project
from tests.factories import check_money, make_person, scalar
from tests.payments.payouts import books, collected, empty_account, go, ripen, work

NET = 10_000 - 500 - 175


def paid_out(app, stripe, *amounts):
    project = collected(app, stripe, *(amounts or (10_000,)), days=14)
    work(app)
    assert scalar("SELECT count(*) FROM transfer WHERE state = 'succeeded'") == len(amounts or (1,))
    return project, scalar("SELECT stripe_id FROM payout_account")


def debt():
    return int(scalar("SELECT coalesce(sum(amount), 0) FROM ledger_entry WHERE account = 'creator_debt'"))


def refund(amount=None):
    return refunds.ask_refund(scalar("SELECT id FROM payment ORDER BY amount LIMIT 1"), amount, "asked")


def test_a_refund_after_the_payout_takes_the_creators_part_back(app, stripe):
    _project, account = paid_out(app, stripe)
    refund(4_000)
    work(app)
    assert scalar("SELECT state FROM transfer_reversal") == "succeeded"
    assert scalar("SELECT amount FROM transfer_reversal") == 4_000 - 200
    assert books(stripe, account) == NET - 3_800 and debt() == 0
    check_money()
    refund(6_000)
    work(app)
    assert scalar("SELECT sum(amount) FROM transfer_reversal") == NET  # never more than was transferred
    assert books(stripe, account) == 0
    check_money()


def test_two_refunds_of_one_amount_are_two_reversals_with_two_keys(app, stripe):
    """S-05."""
    paid_out(app, stripe)
    refund(1_000)
    refund(1_000)
    work(app)
    assert scalar("SELECT count(DISTINCT stripe_id) FROM transfer_reversal") == 2
    assert scalar("SELECT sum(amount) FROM transfer_reversal WHERE state = 'succeeded'") == 1_900
    check_money()


def test_a_reserve_that_covers_a_refund_is_used_before_anything_is_taken_back(app, stripe):
    collected(app, stripe, 10_000, days=14, reserve_bp=5_000)
    work(app)
    refund(2_000)
    work(app)
    assert scalar("SELECT count(*) FROM transfer_reversal") == 0
    go(stripe, 77)
    work(app)
    assert scalar("SELECT sum(amount) FROM transfer") == NET - 1_900
    check_money()


def test_an_empty_account_makes_a_debt_that_is_shown_and_paid_when_there_is_money_again(app, stripe):
    project, account = paid_out(app, stripe)
    make_person(is_staff=True)
    empty_account(stripe, account)
    refund(4_000)
    work(app)
    assert scalar("SELECT state FROM transfer_reversal") == "failed" and debt() == 3_800
    assert scalar("SELECT failure FROM transfer_reversal") == "balance_insufficient"
    assert owing.debts_of(project.creator_id) == {"EUR": 3_800}
    assert statements.statement(db.session.get_one(Project, project.id)).debt == 3_800
    assert scalar("SELECT count(*) FROM mail WHERE name = 'payments/alert'") == 1
    check_money()
    go(stripe, 1, hours=1)
    work(app)
    assert debt() == 3_800 and scalar("SELECT tries FROM transfer_reversal") == 2  # asked again, booked once
    check_money()
    # Another project of the same creator brings money to the account.
    other = collected(app, stripe, 20_000, days=14, creator=project.creator)
    work(app)
    ripen()
    work(app)
    assert scalar("SELECT state FROM transfer_reversal") == "succeeded" and debt() == 0
    assert owing.debts_of(other.creator_id) == {}
    check_money()


def test_a_creator_who_owes_cannot_launch_another_project(app, stripe):
    project, account = paid_out(app, stripe)
    empty_account(stripe, account)
    refund(4_000)
    work(app)
    assert steps.too_much_owed(db.session.get_one(Project, project.id)) == {"EUR": 3_800}
    app.config["CREATOR_DEBT_LIMIT"] = 3_800
    try:
        assert steps.too_much_owed(db.session.get_one(Project, project.id)) == {}
    finally:
        app.config["CREATOR_DEBT_LIMIT"] = 0


def test_a_refund_while_the_transfer_has_no_answer_waits_for_it_and_is_then_taken_back(app, stripe):
    from payments import payouts

    project = collected(app, stripe, 10_000, days=14)
    account = scalar("SELECT stripe_id FROM payout_account")
    stripe.post("faults", match="POST /v1/transfers", kind="drop_after", times=3)
    payouts.pay_out(project.id)
    refund(4_000)
    db.session.expire_all()
    reversals.send(scalar("SELECT id FROM transfer_reversal"))
    assert scalar("SELECT state FROM transfer_reversal") == "created"  # nothing to take back from yet
    check_money()
    go(stripe, minutes=3)
    work(app)
    assert scalar("SELECT state FROM transfer_reversal") == "succeeded"
    assert books(stripe, account) == NET - 3_800
    check_money()


def test_a_refused_transfer_is_called_off_by_a_refund_and_the_rest_goes_out_as_a_new_one(app, stripe):
    from payments import accounts, payouts

    project = collected(app, stripe, 10_000, days=14)
    account = scalar("SELECT stripe_id FROM payout_account")
    accounts.refresh_account(project.creator_id)
    stripe.post(f"accounts/{account}/restrict")
    payouts.pay_out(project.id)
    assert scalar("SELECT state FROM transfer") == "failed"
    refund(4_000)
    assert scalar("SELECT count(*) FROM transfer_reversal") == 0
    stripe.post(f"accounts/{account}/activate")
    go(stripe, 1, hours=2)
    work(app)
    assert books(stripe, account) == NET - 3_800
    assert scalar("SELECT amount FROM transfer WHERE state = 'succeeded'") == NET - 3_800
    check_money()


def test_a_reply_of_a_reversal_that_was_lost_is_one_reversal(app, stripe):
    _project, account = paid_out(app, stripe)
    stripe.post("faults", match="POST /v1/transfers/*/reversals", kind="drop_after", times=3)
    refund(4_000)
    work(app)
    assert scalar("SELECT state FROM transfer_reversal") == "unknown" and debt() == 0
    check_money()
    go(stripe, hours=25)
    work(app)
    assert scalar("SELECT state FROM transfer_reversal") == "succeeded" and books(stripe, account) == NET - 3_800
    assert len(stripe.get("state/transfer_reversal")) == 1
    check_money()


def test_news_of_a_reversal_is_heard_from_its_transfer(app, stripe):
    from payments.transfers import hear_of_transfer

    paid_out(app, stripe)
    stripe.post("faults", match="POST /v1/transfers/*/reversals", kind="drop_after", times=3)
    refund(4_000)
    work(app)
    assert hear_of_transfer(scalar("SELECT stripe_id FROM transfer"))
    assert scalar("SELECT state FROM transfer_reversal") == "succeeded"
    check_money()


def test_the_same_cause_is_asked_back_once(app, stripe):
    paid_out(app, stripe)
    made = refund(4_000)
    with pytest.raises(Refusal):
        refunds.ask_refund(made.payment_id, 7_000, "asked")
    from core.db import transaction

    with transaction():
        assert reversals.reverse_for(made.payment_id, 3_800, made.id) == 3_800
    assert scalar("SELECT count(*) FROM transfer_reversal") == 1
    work(app)
    check_money()


def test_a_refund_that_failed_in_the_end_is_owed_to_the_creator_again(app, stripe):
    """S-66: taken back, and then the bank of the backer would not have it."""
    from payments.gateway_refunds import RefundNews

    _project, account = paid_out(app, stripe)
    made = refund(4_000)
    work(app)
    stripe_id = scalar("SELECT stripe_id FROM refund")
    refunds.record_refund(made.id, RefundNews(stripe_id, "failed", 4_000, "EUR", None, str(made.id), "lost_or_stolen_card"))
    go(stripe, 2)
    work(app)
    assert books(stripe, account) == NET
    assert scalar("SELECT count(*) FROM transfer WHERE part = 'rest-2'") == 1
    check_money()
