"""S-50: a charge that nobody asked for, from its first line on the worklist until nothing is owed for it any more."""

from uuid import uuid4

import pytest
import sqlalchemy as sa

from core.db import db, transaction
from core.jobs import drain
from payments import gateway, gateway_refunds, gateway_transfers, ledger, statements, worklist
from payments.ledger import Account, balance
from payments.refund_news import hear_of_refund
from payments.refunds import ask_refund
from projects.models import Project
from tests.factories import check_money, make_person, scalar, sign_in
from tests.payments import payouts
from tests.payments.test_reconciling import collected, full, open_lines, paid_out


@pytest.fixture(autouse=True)
def open_again(app):
    app.extensions.pop("money_mode", None)
    yield
    app.extensions.pop("money_mode", None)


def charge_of_nobody(payment):
    """A charge for a pledge of this project that our books never had."""
    customer = scalar("SELECT stripe_id FROM stripe_customer")
    method = scalar("SELECT payment_method_id FROM card_setup WHERE payment_method_id IS NOT NULL")
    db.session.rollback()
    intent = gateway.create_payment(key="nobody", amount=payment.amount, currency="EUR", customer_id=customer,
                                    subject_id=str(uuid4()), project_id=str(payment.project_id), description="nobody's")
    return gateway.confirm_payment(intent, key="nobody-cf", payment_method_id=method).charge_id


def settle(kind):
    [line] = [item for item in worklist.open_items() if item.kind == kind]
    assert worklist.act(line.id, worklist.ACTIONS[kind]) == "booked"
    return line


def test_what_was_booked_or_explained_does_not_come_back_in_other_words(app, stripe):
    [payment] = collected(app, stripe)
    charge = charge_of_nobody(payment)
    full()
    assert ("unknown_charge", charge) in open_lines()
    settle("unknown_charge")
    full()
    full()
    assert open_lines() == []
    check_money()


def test_a_booked_charge_that_went_back_at_stripe_can_be_booked_as_well(app, stripe):
    [payment] = collected(app, stripe)
    charge = charge_of_nobody(payment)
    amount = payment.amount
    full()
    settle("unknown_charge")
    assert balance(Account.BACKER_RECEIVABLE, "EUR") == -amount
    made = gateway_refunds.create_refund(key="dashboard", refund_id="by hand", amount=amount, charge_id=charge,
                                         payment_stripe_id=None, reason=None)
    full()
    assert ("stranger_refunded", made.stripe_id) in open_lines()
    settle("stranger_refunded")
    assert balance(Account.BACKER_RECEIVABLE, "EUR") == 0
    report = full()
    assert open_lines() == [] and report.left == 0
    check_money()


def test_a_transfer_that_was_made_by_hand_and_booked_is_set_off_against_the_next_payout(app, stripe):
    project = payouts.collected(app, stripe, 10_000)
    account = scalar("SELECT stripe_id FROM payout_account")
    charge = scalar("SELECT charge_id FROM payment")
    db.session.rollback()
    gateway_transfers.create_transfer(key="t", amount=300, currency="EUR", destination=account, charge_id=charge,
                                      project_id=str(project.id), row_id="", description="by hand")
    full()
    settle("unknown_transfer")
    assert statements.statement(project).transferred == 300
    db.session.rollback()
    payouts.go(stripe, 14)
    payouts.work(app)
    assert scalar("SELECT sum(amount) FROM transfer") == 10_000 - 500 - 175 - 300
    one = statements.statement(db.session.get_one(Project, project.id))
    assert (one.debt, one.owed, one.transferred) == (0, 0, 10_000 - 500 - 175)
    db.session.rollback()
    assert full().left == 0 and open_lines() == []
    check_money()


def test_a_statement_adds_up_when_a_fee_was_corrected_and_a_transfer_booked(app, stripe):
    paid_out(app, stripe)
    project = db.session.get_one(Project, scalar("SELECT project_id FROM payment"))
    with_fee = statements.statement(project).processing_fee
    db.session.rollback()
    with transaction():
        ledger.post("fee", "txn_more", "EUR", [(Account.CREATOR_PAYABLE, 7, "processing fee"),
                                              (Account.STRIPE_PENDING, -7, "processing fee")],
                    project_id=project.id, part="corrected")
        ledger.post("adjustment", "tr_nobody", "EUR", [(Account.CREATOR_DEBT, 300, "transfer that nobody asked for"),
                                                      (Account.STRIPE_AVAILABLE, -300, "transfer that nobody asked for")],
                    project_id=project.id)
    one = statements.statement(project)
    out = (one.platform_fee + one.processing_fee + one.refunded + one.disputed + one.dispute_fees + one.transferred
           + one.on_its_way + one.owed)
    assert one.processing_fee == with_fee + 7 and out == one.came_in + one.debt
    [row] = statements.by_project()
    assert row.paid_out == one.transferred
    client = sign_in(app.test_client(), project.creator)
    page = client.get(f"/projects/{project.slug}/payouts").get_data(as_text=True)
    assert "Booked by the people who run this site" in page and ">adjustment<" not in page and "corrected" in page


def test_a_line_names_the_backer_and_a_refund_that_failed_leads_to_the_next_one(app, stripe):
    [payment] = collected(app, stripe, number="4000000000005126")
    ask_refund(payment.id, 700, "asked")
    drain(app, ticking=False)
    made = scalar("SELECT stripe_id FROM refund")
    db.session.rollback()
    stripe.post(f"refunds/{made}/fail")
    assert hear_of_refund(made)
    staff = make_person(is_staff=True)
    [item] = worklist.open_items()
    assert item.kind == "refund_failed"
    page = sign_in(app.test_client(), staff).get("/platform/worklist").get_data(as_text=True)
    assert page.count(f'href="/pledges/{payment.subject_id}/refund"') == 2 and "Backer 1" in page
    assert page.count("€7.00") == 2


def test_what_stripe_wants_of_a_creator_is_said_in_words(app, stripe):
    project = payouts.collected(app, stripe, 10_000)
    with transaction() as session:
        session.execute(sa.text("""UPDATE payout_account SET is_active = false, wanted =
            '["configuration.recipient.default_outbound_destination", "identity.individual.given_name",
              "identity.individual.surname", "something.new"]' """))
    page = sign_in(app.test_client(), project.creator).get(f"/projects/{project.slug}/payouts").get_data(as_text=True)
    assert "It asks for: a bank account, a name, some more about you" in page and "given_name" not in page


def test_one_page_of_refunds_offers_no_others(app, stripe):
    [payment] = collected(app, stripe)
    ask_refund(payment.id, 700, "asked")
    drain(app, ticking=False)
    project = db.session.get_one(Project, payment.project_id)
    page = sign_in(app.test_client(), project.creator).get(f"/projects/{project.slug}/refunds").get_data(as_text=True)
    assert "1 to 1 of 1" in page and "Older" not in page
