"""Two things at once: a lost reply and a wrong key, a refused reversal and a refund that came back, a drop and a press."""

import sqlalchemy as sa

from backing import changes, fixing
from backing.collecting import run_collection
from backing.dropping import drop
from core.db import db, transaction
from core.jobs import drain
from payments import cards, charging, ledger, payouts, reconciling, refunds
from payments.gateway_refunds import RefundNews
from payments.ledger import Account, balance
from tests.backing.runs import make_run, states
from tests.factories import back, check_money, end_project, hold, make_person, make_project, save_card, scalar
from tests.payments.payouts import books, collected, empty_account, go, work
from tests.payments.test_reversals import NET, debt, paid_out, refund

DECLINES = "4000000000000341"


def wrong_key(app, monkeypatch):
    """The operator's key stops working, for whatever reason, until the context ends."""
    context = monkeypatch.context()
    patch = context.__enter__()
    patch.setitem(app.config, "STRIPE_SECRET_KEY", "revoked")
    patch.delitem(app.extensions, "stripe_clients", raising=False)

    def mended():
        context.__exit__(None, None, None)
        app.extensions.pop("stripe_clients", None)

    return mended


def test_a_reversal_whose_reply_was_lost_is_not_sent_under_another_key_because_ours_was_refused(app, stripe, monkeypatch):
    """S-09: a 401 says nothing of what an earlier request under the same key did."""
    _project, account = paid_out(app, stripe, 10_000, 20_000)
    had = books(stripe, account)
    stripe.post("faults", match="POST /v1/transfers/*/reversals", kind="drop_after", times=3)
    refund(4_000)
    work(app)
    assert scalar("SELECT state FROM transfer_reversal") == "unknown"
    db.session.rollback()
    mended = wrong_key(app, monkeypatch)
    go(stripe, minutes=3)
    work(app)
    mended()
    assert debt() == 0
    go(stripe, 1, hours=1)
    work(app)
    assert scalar("SELECT state FROM transfer_reversal") == "succeeded"
    assert len(stripe.get("state/transfer_reversal")) == 1 and books(stripe, account) == had - 3_800
    check_money()


def test_a_transfer_whose_reply_was_lost_is_not_sent_under_another_key_because_ours_was_refused(app, stripe, monkeypatch):
    from payments import transfers

    project = collected(app, stripe, 10_000, days=14)
    account = scalar("SELECT stripe_id FROM payout_account")
    stripe.post("faults", match="POST /v1/transfers", kind="drop_after", times=3)
    payouts.pay_out(project.id)
    go(stripe, minutes=3)
    [one] = transfers.lease_again(project.id, account)
    mended = wrong_key(app, monkeypatch)
    assert not transfers.send(one)
    mended()
    go(stripe, 1)
    work(app)
    go(stripe, 1)
    work(app)
    assert len(stripe.get("state/transfer")) == 1 and books(stripe, account) == NET
    assert scalar("SELECT state FROM transfer") == "succeeded"
    check_money()


def test_a_charge_without_an_answer_is_no_failure_because_its_card_died_since(app, stripe):
    """S-09, S-26: the card was charged, the reply was lost, and then the card was taken off."""
    project = make_run(stripe, 1)
    stripe.post("faults", match="POST */confirm", kind="drop_after", times=3)
    run_collection(project.id)
    assert scalar("SELECT state FROM payment") == "unknown"
    with transaction() as session:
        session.execute(sa.text("UPDATE card_setup SET dead_at = clock_now(), dead_why = 'detached'"))
        session.execute(sa.text("UPDATE pledge SET leased_until = clock_timestamp() - interval '1 second'"))
    run_collection(project.id)
    assert states() == {"collected": 1}
    assert scalar("SELECT count(*) FROM mail WHERE name = 'backing/card_problem'") == 0
    check_money()


def test_a_new_card_that_comes_while_the_old_one_is_tried_is_tried_as_soon_as_that_is_refused(app, stripe):
    project = make_project(goal=1_000)
    pledge = back(stripe, project, number=DECLINES)
    end_project(app, project)
    assert states() == {"errored": 1}
    payment_id, method = db.session.execute(sa.text(
        "SELECT g.payment_id, c.payment_method_id FROM pledge g JOIN card_setup c ON c.id = g.card_id")).one()
    db.session.rollback()
    # A worker has it in hand, with the card that it had.
    with transaction() as session:
        session.execute(sa.text("UPDATE pledge SET state = 'collecting', leased_until = clock_timestamp() + interval '2 minutes'"))
        session.execute(sa.text("INSERT INTO pledge_move (pledge_id, project_id, from_state, to_state) "
                                "SELECT id, project_id, 'errored', 'collecting' FROM pledge"))
    save_card(stripe, pledge.id)
    drain(app)
    assert states() == {"collecting": 1}
    charging.charge(payment_id, method, "x")
    for _ in range(2):
        drain(app)
    assert states() == {"collected": 1}
    check_money()


def test_a_debt_whose_reason_is_gone_is_set_off_and_nothing_is_paid_out_on_top_of_it(app, stripe):
    """S-65, S-71: the account was empty when a refund was taken back, and then the refund itself did not arrive."""
    _project, account = paid_out(app, stripe)
    empty_account(stripe, account)
    made = refund(4_000)
    work(app)
    assert debt() == 3_800
    stripe_id = scalar("SELECT stripe_id FROM refund")
    refunds.record_refund(made.id, RefundNews(stripe_id, "failed", 4_000, "EUR", None, str(made.id), "lost_or_stolen_card"))
    go(stripe, hours=2)
    payouts.pay_out(_project.id)
    assert debt() == 0 and scalar("SELECT count(*) FROM transfer") == 1
    check_money()
    go(stripe, 3)
    work(app)
    assert debt() == 0 and books(stripe, account) == 0 and scalar("SELECT count(*) FROM transfer") == 1
    assert ledger.payable(made and scalar("SELECT subject_id FROM payment")) == 0
    check_money()
    refund(4_000)  # refunded anew: taken back anew
    work(app)
    assert debt() == 3_800
    check_money()


def test_a_refund_that_did_not_arrive_is_owed_to_the_creator_at_the_next_look(app, stripe):
    project = collected(app, stripe, 10_000, days=14)
    made = refund(4_000)
    work(app)
    payouts.pay_out(project.id)
    assert scalar("SELECT next_at > clock_now() + interval '1 hour' FROM payout_run")
    stripe_id = scalar("SELECT stripe_id FROM refund")
    refunds.record_refund(made.id, RefundNews(stripe_id, "failed", 4_000, "EUR", None, str(made.id), "lost_or_stolen_card"))
    assert scalar("SELECT next_at <= clock_now() FROM payout_run")


def test_what_was_set_off_for_a_refund_that_then_failed_is_paid_and_every_book_says_so(app, stripe):
    """What Stripe kept of a whole refund was taken from another payment; then that refund came back."""
    collected(app, stripe, 10_000, 20_000, days=14, reserve_bp=1_000)
    account = scalar("SELECT stripe_id FROM payout_account")
    work(app)
    made = refund()
    work(app)
    go(stripe, 77)
    work(app)
    stripe_id = scalar("SELECT stripe_id FROM refund")
    refunds.record_refund(made.id, RefundNews(stripe_id, "failed", 10_000, "EUR", None, str(made.id), "lost_or_stolen_card"))
    check_money()
    for _ in range(2):
        go(stripe, 2)
        work(app)
        check_money()
    fees = int(scalar("SELECT sum(processing_fee) FROM payment"))
    assert books(stripe, account) == 30_000 - 1_500 - fees
    assert balance(Account.CREATOR_PAYABLE, "EUR") == 0 and debt() == 0


def test_in_money_safe_mode_the_whole_collection_is_there_to_be_compared(app, stripe, monkeypatch):
    """O-03: what the database has forgotten is adopted by its rows; those of a hundred pledges are not enough."""
    from backing import collecting
    from payments import safety

    project = make_run(stripe, 5)
    monkeypatch.setattr(collecting, "LEASE", 2)
    monkeypatch.setitem(app.config, "COLLECT_CONCURRENCY", 2)
    safety.enter("a drill")
    try:
        run_collection(project.id)
        assert scalar("SELECT count(*) FROM payment") == 5 and states() == {"collecting": 5}
        fences = scalar("SELECT sum(fence) FROM pledge")
        db.session.rollback()
        run_collection(project.id)
        assert scalar("SELECT sum(fence) FROM pledge") == fences  # once is enough
    finally:
        with transaction() as session:
            session.execute(sa.text("UPDATE money_mode SET is_safe_mode = false"))
            session.execute(sa.text("UPDATE pledge SET leased_until = clock_timestamp() - interval '1 second'"))
        app.extensions.pop("money_mode", None)
    run_collection(project.id)
    assert states() == {"collected": 5}
    check_money()


def test_a_try_that_never_arrived_is_not_taken_for_the_refusal_before_it(app, stripe):
    """S-09: Stripe was away on the last day; the intent still tells of the first refusal, and the try is still to come."""
    project = make_project(goal=1_000)
    back(stripe, project, bonus=2_000)
    stripe.post("faults", match="POST */confirm", kind="decline", code="expired_card", times=1)
    end_project(app, project)
    assert states() == {"errored": 1}
    stripe.post("faults", match="POST */confirm", kind="drop_before", times=3)
    go(stripe, 6, hours=1)
    fixing.tend_errored()
    assert scalar("SELECT state FROM payment") == "unknown" and states() == {"collecting": 1}
    db.session.rollback()
    go(stripe, minutes=2)
    charging.resolve_unknown()
    charging.hear_of_payment(scalar("SELECT stripe_id FROM payment"))
    reconciling.reconcile(full=True)
    assert scalar("SELECT state FROM payment") == "unknown" and states() == {"collecting": 1}
    with transaction() as session:
        session.execute(sa.text("UPDATE pledge SET leased_until = clock_timestamp() - interval '1 second'"))
    work(app)
    assert states() == {"collected": 1} and scalar("SELECT count(*) FROM payment_attempt") == 2
    check_money()


def test_a_charge_that_stripe_knows_nothing_of_keeps_no_other_waiting_for_its_end(app, stripe, monkeypatch):
    """S-09: one is of another Stripe account, one tells nothing new, and behind them is one that was paid."""
    project = make_run(stripe, 3)
    stripe.post("faults", match="POST */confirm", kind="drop_before", times=6)
    stripe.post("faults", match="POST */confirm", kind="drop_after", times=3)
    monkeypatch.setitem(app.config, "COLLECT_CONCURRENCY", 1)
    run_collection(project.id)
    assert scalar("SELECT count(*) FROM payment WHERE state = 'unknown'") == 3
    assert stripe.get("counts")["charges_succeeded"] == 1
    paid = next(one["id"] for one in stripe.get("state/payment_intent") if one["status"] == "succeeded")
    with transaction() as session:
        session.execute(sa.text("UPDATE payment SET stripe_id = 'pi_elsewhere' WHERE id = (SELECT min(id::text)::uuid FROM payment "
                                "WHERE stripe_id <> :paid)"), {"paid": paid})
        session.execute(sa.text("UPDATE payment SET changed_at = changed_at + CASE WHEN stripe_id = :paid THEN interval '1 s' "
                                "ELSE interval '0' END"), {"paid": paid})
    go(stripe, minutes=2)
    monkeypatch.setattr(charging, "AT_ONCE", 1, raising=False)
    for _ in range(4):
        charging.resolve_unknown()
    assert scalar("SELECT state FROM payment WHERE stripe_id = :paid", paid=paid) == "succeeded"


def test_nobody_is_let_go_while_money_stands_still_and_the_last_try_comes_afterwards(app, stripe):
    """O-03, S-33: in money-safe mode neither we nor the backer can mend a charge."""
    from payments import safety

    project = make_project(goal=1_000)
    pledge = back(stripe, project, bonus=2_000)
    stripe.post("faults", match="POST */confirm", kind="decline", code="expired_card", times=1)
    end_project(app, project)
    assert states() == {"errored": 1}
    db.session.rollback()
    safety.enter("a drill")
    try:
        go(stripe, 8)
        work(app)
        assert states() == {"errored": 1} and scalar("SELECT last_try_at FROM pledge") is None
    finally:
        with transaction() as session:
            session.execute(sa.text("UPDATE money_mode SET is_safe_mode = false"))
        app.extensions.pop("money_mode", None)
    work(app)
    assert states() == {"collected": 1} and pledge
    check_money()


def test_who_was_let_go_before_an_intent_was_made_is_not_charged_by_a_press_of_the_same_moment(app, stripe):
    """C-15, S-33: the card died before its first try, so there is nothing at Stripe to call off."""
    project = make_run(stripe, 1)
    with transaction() as session:
        session.execute(sa.text("UPDATE card_setup SET dead_at = clock_now(), dead_why = 'detached'"))
    run_collection(project.id)
    assert states() == {"errored": 1} and scalar("SELECT stripe_id FROM payment") is None
    pledge_id, payment_id = db.session.execute(sa.text("SELECT id, payment_id FROM pledge")).one()
    save_card(stripe, pledge_id)  # another card; its own try is not here yet
    method = scalar("SELECT payment_method_id FROM card_setup ORDER BY created_at DESC LIMIT 1")
    [press] = charging.look_up([charging.Step(payment_id, method, "x", return_url="http://localhost/back")])
    db.session.rollback()
    charging.create(press)
    assert drop(pledge_id, "not mended in time")
    with transaction():
        charging.begin([press])
    assert press.number is None
    assert states() == {"dropped": 1}
    check_money()


# -- holds that give way --------------------------------------------------------------------------------------------

def test_the_form_of_a_hold_that_gave_way_to_another_choice_is_closed(app, stripe):
    """S-24: nobody types a card for a pledge that is no more; closed after the commit, and by whoever comes next."""
    project, backer = make_project(), make_person()
    first = hold(project, backer)
    session_id = _open_form(first.pledge_id)
    second = hold(project, backer, bonus=2_000)
    assert scalar("SELECT state FROM pledge WHERE id = :p", p=first.pledge_id) == "cancelled"
    other = _open_form(second.pledge_id)
    db.session.rollback()
    stripe.post("faults", match="POST */expire", kind="drop_before", times=3)
    changes.close_forms()  # Stripe is silent: the next round tries again
    assert stripe.get(f"state/checkout.session/{session_id}")["status"] == "open"
    changes.close_forms()
    assert stripe.get(f"state/checkout.session/{session_id}")["status"] == "expired"
    assert stripe.get(f"state/checkout.session/{other}")["status"] == "open"
    assert scalar("SELECT state FROM card_setup WHERE session_id = :s", s=session_id) == "expired"
    db.session.rollback()
    asked = len(stripe.get("log"))
    changes.close_forms()
    assert len(stripe.get("log")) == asked
    check_money()


def test_a_card_that_was_typed_for_a_hold_that_gave_way_changes_nothing(app, stripe):
    project, backer = make_project(), make_person()
    first = hold(project, backer)
    session_id = _open_form(first.pledge_id)
    second = hold(project, backer, bonus=2_000)
    db.session.rollback()
    stripe.post(f"checkout/{session_id}/complete", number="4242424242424242")
    changes.close_forms()
    assert scalar("SELECT state FROM card_setup WHERE session_id = :s", s=session_id) == "complete"
    assert scalar("SELECT state FROM pledge WHERE id = :p", p=first.pledge_id) == "cancelled"
    assert scalar("SELECT state FROM pledge WHERE id = :p", p=second.pledge_id) == "held"
    check_money()


def _open_form(pledge_id):
    from backing.models import Pledge

    pledge = db.session.get(Pledge, pledge_id)
    cards.open_card_form(subject_id=pledge.id, project_id=pledge.project_id, person=pledge.backer, currency="EUR",
                         description="x", locale="en", return_url="http://localhost/back", cancel_url="http://localhost/")
    return scalar("SELECT session_id FROM card_setup WHERE subject_id = :p", p=pledge_id)
