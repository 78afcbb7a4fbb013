"""O-03, S-10: after a restore no money moves until Stripe and our books are one again, and nothing is charged twice."""

import json
import time
from datetime import timedelta
from urllib.parse import urlsplit

import psycopg
import pytest
import sqlalchemy as sa
from sqlalchemy import event

from backing import collecting
from backing.collecting import lease
from core import clock, jobs, postgres
from core.db import db, transaction
from core.errors import Refusal
from core.jobs import drain
from payments import charging, payouts, reconciling, refunds, reversals, safety, transfers
from payments.models import Payment
from projects import closing
from tests.conftest import FOLDER
from tests.factories import back, check_money, end_project, make_person, make_project, scalar
from tests.payments import payouts as payout_scenes


@pytest.fixture(autouse=True)
def fresh(app):
    """What a look was good for, and the mark beside the database, are not the next test's."""
    def forget():
        app.extensions.pop("money_mode", None)
        safety._mark_file().unlink(missing_ok=True)

    forget()
    yield
    forget()


def other(app, **values):
    """As if the row had been written on another server, or another life of this one."""
    safety.look()
    with transaction() as session:
        for name, value in values.items():
            session.execute(sa.text(f"UPDATE money_mode SET {name} = :v"), {"v": value})
    app.extensions.pop("money_mode", None)


def due(stripe):
    project = make_project(goal=1_000)
    back(stripe, project, bonus=2_000)
    clock.move_clock(project.deadline - clock.now() + timedelta(seconds=1))
    closing.close_due()
    return lease(project.id)[0]


def test_a_database_that_knows_itself_lets_money_move_and_is_asked_once_a_second(app):
    safety.require_open()
    asked = []
    event.listen(db.engine, "before_cursor_execute", lambda *args: asked.append(args[2]))
    for _ in range(50):
        safety.require_open()
    assert asked == []


@pytest.mark.parametrize("change", [{"system_id": "7/1/2"}, {"timeline": 99}])
def test_a_restored_database_moves_no_money_tells_staff_and_is_not_ready(app, stripe, client, change):
    make_person(is_staff=True)
    [one] = [due(stripe)]
    other(app, **change)
    with pytest.raises(safety.MoneySafe):
        charging.charge(one.payment_id, one.payment_method_id, "x")
    assert [e for e in stripe.get("log") if "payment_intents" in e["path"]] == []
    assert scalar("SELECT is_safe_mode FROM money_mode") and safety.look().why == safety.RESTORED
    assert scalar("SELECT count(*) FROM mail WHERE name = 'payments/alert'") == 1
    db.session.rollback()
    answer = client.get("/readyz")
    assert answer.status_code == 503 and "money-safe mode is on" in answer.get_json()["wrong"]
    for _ in range(3):
        app.extensions.pop("money_mode", None)
        assert safety.look().is_safe_mode
    assert scalar("SELECT count(*) FROM mail WHERE name = 'payments/alert'") == 1
    drain(app)
    assert "Money-safe mode is on" in scalar("SELECT text FROM mail WHERE name = 'payments/alert'")
    assert stripe.get("counts").get("payment_intent", 0) == 0


def test_money_that_is_stopped_between_an_intent_and_its_confirm_does_not_move(app, stripe):
    [step] = charging.look_up([due(stripe)])
    charging.create(step)
    with transaction():
        charging.begin([step])
    safety.enter("a drill")
    with pytest.raises(safety.MoneySafe):
        charging.confirm(step)
    assert [e for e in stripe.get("log") if e["path"].endswith("/confirm")] == []


def test_a_stop_is_seen_by_every_process_within_a_second(app):
    safety.require_open()
    with transaction() as session:  # by another process
        session.execute(sa.text("UPDATE money_mode SET is_safe_mode = true, why = 'a drill'"))
    time.sleep(1.05)
    with pytest.raises(safety.MoneySafe):
        safety.require_open()


def test_a_worker_looks_before_its_first_job(app):
    other(app, timeline=99)
    jobs.starting.send(app)
    assert scalar("SELECT is_safe_mode FROM money_mode")


def test_a_database_whose_sweeps_never_ran_is_compared_from_the_beginning(app):
    other(app, timeline=99)
    assert safety.look().look_from.year == 1970


def test_a_second_restore_while_money_stands_still_asks_for_another_comparison(app, stripe):
    other(app, timeline=99)
    safety.look()
    reconciling.reconcile(full=True)
    assert safety.look().is_clean
    other(app, timeline=98)
    with pytest.raises(Refusal, match="not yet found equal"):
        safety.release("it was clean, before")
    assert safety.look().is_safe_mode


def test_who_only_reads_writes_nothing_when_it_looks(app):
    """A page that is asked of a replica (W-06)."""
    with transaction() as session:
        session.execute(sa.text("UPDATE money_mode SET system_id = NULL"))
    db.session.remove()
    with db.engine.connect() as connection:
        name = connection.scalar(sa.text("SELECT current_database()"))
    try:
        set_read_only(name, "on")
        db.engine.dispose()
        assert not safety.look().is_safe_mode
    finally:
        set_read_only(name, "off")
        db.engine.dispose()
    safety.look()
    assert scalar("SELECT system_id FROM money_mode") is not None


def set_read_only(name, value):
    with psycopg.connect(postgres.address(FOLDER, "postgres"), autocommit=True) as connection:
        connection.execute(f"ALTER DATABASE {name} SET default_transaction_read_only = {value}")


def test_no_transfer_and_no_reversal_leaves_while_money_stands_still(app, stripe):
    """At the payout, at each transfer that is in hand already, and at each reversal; all of them later, once."""
    project = payout_scenes.collected(app, stripe, 5_000, days=14)
    account = scalar("SELECT stripe_id FROM payout_account")
    db.session.rollback()
    in_hand, _after = transfers.lease_new(project.id, account, payouts.NOBODY)
    safety.enter("a drill")
    with pytest.raises(safety.MoneySafe):
        transfers.send(in_hand[0])
    assert payouts.waits_for(project.id) == "safe" and payouts.pay_out(project.id) == 0
    assert stripe.get("state/transfer") == []
    reconciling.reconcile(full=True)
    safety.release("over")
    payout_scenes.go(stripe, minutes=10)
    payout_scenes.work(app)
    assert len(stripe.get("state/transfer")) == 1
    refunds.ask_refund(scalar("SELECT id FROM payment"), 500, "asked")
    reversal_id = scalar("SELECT id FROM transfer_reversal")
    db.session.rollback()
    safety.enter("another drill")
    with pytest.raises(safety.MoneySafe):
        reversals.send(reversal_id)
    drain(app)
    assert stripe.get("state/transfer_reversal") == []
    reconciling.reconcile(full=True)
    safety.release("over")
    for _ in range(3):
        payout_scenes.go(stripe, minutes=10)
        payout_scenes.work(app)
    assert len(stripe.get("state/transfer_reversal")) == 1
    check_money()


def test_a_disk_that_went_back_in_time_is_seen_by_the_mark_beside_it(app):
    safety.watch_mode()
    mark = json.loads(safety._mark_file().read_text())
    assert mark["place"] > 0 and not safety.look().is_safe_mode
    safety._mark_file().write_text(json.dumps(mark | {"place": mark["place"] + 10**9}))
    with pytest.raises(safety.MoneySafe, match="back in time"):
        app.extensions.pop("money_mode", None)
        safety.require_open()


def test_a_mark_that_cannot_be_read_or_is_of_another_database_stops_nothing(app):
    for text in ("", "{", "[]", json.dumps({"system_id": "x", "timeline": 1, "place": 10**15})):
        safety._mark_file().write_text(text)
        assert not safety.look().is_safe_mode


def test_no_refund_leaves_while_money_stands_still_and_each_leaves_once_afterwards(app, stripe):
    project = make_project(goal=1_000)
    back(stripe, project, bonus=2_000)
    end_project(app, project)
    payment = db.session.scalars(sa.select(Payment)).one()
    refund = refunds.ask_refund(payment.id, 500, "asked")
    safety.enter("a drill")
    drain(app)
    assert stripe.get("state/refund") == []
    reconciling.reconcile(full=True)
    safety.release("over")
    clock.move_clock(timedelta(minutes=10))
    drain(app)
    drain(app)
    assert [row["amount"] for row in stripe.get("state/refund")] == [500]
    assert scalar("SELECT state FROM refund WHERE id = :id", id=refund.id) == "succeeded"
    check_money()


def test_it_is_released_only_after_a_clean_comparison_that_reaches_back_far_enough(app, stripe, flask):
    project = make_project(goal=1_000)
    back(stripe, project, bonus=2_000)
    end_project(app, project)
    charge = scalar("SELECT charge_id FROM payment")
    db.session.rollback()
    reconciling.reconcile(full=True)
    other(app, timeline=99)
    mode = safety.look()
    assert mode.is_safe_mode and not mode.is_clean  # the clean one was before
    last = scalar("SELECT max(run_at) FROM stripe_cursor WHERE name IN ('reconcile', 'full')")
    assert mode.look_from == last - timedelta(hours=24)
    with pytest.raises(Refusal):
        safety.release("now")
    reconciling.reconcile(since=mode.look_from + timedelta(seconds=1))
    with pytest.raises(Refusal):
        safety.release("too short")
    stripe.post("tamper", kind="charge", id=charge, set={"amount": 1})
    assert reconciling.reconcile(full=True).left
    with pytest.raises(Refusal):
        safety.release("something is left")
    assert flask("payments", "safe-mode", "off", "--why", "in haste", check=False).returncode == 1
    stripe.post("tamper", kind="charge", id=charge, restore=True)
    assert not reconciling.reconcile(since=mode.look_from).left
    reconciling.reconcile(since=clock.now())  # a shorter one that is clean as well takes nothing back
    assert "off" in flask("payments", "safe-mode", "off", "--why", "all equal").stdout
    app.extensions.pop("money_mode", None)
    safety.require_open()
    assert [row.action for row in db.session.execute(sa.text(
        "SELECT action FROM audit_entry WHERE object_kind = 'money_mode' ORDER BY id"))] == [
        "payments:enter_safe_mode", "payments:release_safe_mode"]
    assert "ON" in flask("payments", "safe-mode", "on", "--why", "a drill").stdout


@pytest.fixture
def restore(app, base_env, sandbox, database_url):
    """`restore()` gives an app on a copy of the database as it is now; the sandbox goes on, as Stripe would."""
    from app import create_app

    known = urlsplit(database_url).path[1:]
    name, admin = f"{known}_restored", postgres.address(FOLDER, "postgres")

    def run():
        db.session.remove()
        db.engine.dispose()
        with psycopg.connect(admin, autocommit=True) as connection:
            connection.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", (known,))
            connection.execute(f"CREATE DATABASE {name} TEMPLATE {known} STRATEGY FILE_COPY")
        return create_app(base_env | {"DATABASE_URL": postgres.address(FOLDER, name), "STRIPE_API_BASE": sandbox.url})

    yield run
    with psycopg.connect(admin, autocommit=True) as connection:
        connection.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")


@pytest.mark.parametrize("later", [timedelta(hours=2), timedelta(hours=26)])
@pytest.mark.parametrize("compare_first", [False, True])
def test_after_a_restore_to_before_the_collection_nobody_is_charged_twice(app, stripe, restore, later, compare_first):
    """The database forgets the whole collection; Stripe does not, and after 26 hours it has forgotten our keys."""
    project = make_project(goal=1_000)
    for number in ("4242424242424242", "4242424242424242", "4000000000000341", "4242424242424242"):
        back(stripe, project, bonus=2_000, number=number)
    drain(app)
    reconciling.reconcile(full=True)
    deadline = project.deadline
    copy = restore()
    end_project(app, db.session.merge(project))
    drain(app)
    before = stripe.get("counts")
    assert before["charges_succeeded"] == 3
    check_money()
    db.session.remove()
    with copy.app_context():
        assert scalar("SELECT count(*) FROM payment") == 0
        db.session.rollback()
        clock._read_at = 0.0  # another database, another clock
        clock.move_clock(deadline - clock.now() + later)
        if compare_first:
            report = reconciling.reconcile(since=safety.look().look_from)
            assert {row.kind for row in db.session.execute(sa.text("SELECT kind FROM mismatch WHERE settled_at IS NULL"))} == {
                "unknown_charge", "balance"} and report.left == 4
        for _ in range(3):
            drain(copy)
        assert scalar("SELECT count(*) FROM payment") > 0  # the collection wants to begin
        assert [scalar("SELECT is_safe_mode FROM money_mode"), safety.look().why] == [True, safety.RESTORED]
        assert stripe.get("counts")["payment_intent"] == before["payment_intent"]
        db.session.rollback()
        report = reconciling.reconcile(since=safety.look().look_from)
        assert report.left == 0, [(line.name, line.found, line.left) for line in report.lines]
        assert scalar("SELECT count(*) FROM payment WHERE state = 'succeeded'") == 3
        assert scalar("SELECT count(*) FROM pledge WHERE state = 'collected'") == 3
        check_money()
        safety.release("compared")
        for _ in range(3):
            with transaction() as session:
                session.execute(sa.text("UPDATE pledge SET leased_until = clock_timestamp() - interval '1 s' "
                                        "WHERE state = 'collecting'"))
                session.execute(sa.text("UPDATE procrastinate_jobs SET scheduled_at = NULL WHERE status = 'todo'"))
            collecting.watch_runs()
            drain(copy)
        after = stripe.get("counts")
        assert (after["charges_succeeded"], after["intents_charged_twice"]) == (3, 0)
        assert after["payment_intent"] == before["payment_intent"]
        assert scalar("SELECT count(*) FROM pledge WHERE state = 'collected'") == 3
        assert reconciling.reconcile(full=True).left == 0
        check_money()
        db.session.remove()
        db.engine.dispose()


def test_what_stripe_charged_and_the_database_forgot_stops_all_money_even_if_nobody_noticed_the_restore(app, stripe):
    """A charge is never confirmed before its attempt is committed: one that we do not know was lost here."""
    from tests.payments.test_reconciling import second_charge

    one = due(stripe)
    second_charge(db.session.get(Payment, one.payment_id))
    reconciling.reconcile(full=True)
    assert scalar("SELECT state FROM payment") == "succeeded"
    with pytest.raises(safety.MoneySafe, match="forgotten"):
        app.extensions.pop("money_mode", None)
        safety.require_open()
    check_money()


def test_the_role_of_the_app_may_see_whose_database_it_is(app, database_url):
    with psycopg.connect(database_url) as connection:
        connection.execute("SET ROLE achterban_app")
        connection.execute(str(safety._LOOK))
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute("DELETE FROM money_mode")


def test_a_server_that_was_only_restarted_is_the_same(tmp_path_factory):
    """Crash and restart change neither identifier nor timeline."""
    import tempfile
    from pathlib import Path

    with tempfile.TemporaryDirectory(prefix="achterban-same-", ignore_cleanup_errors=True) as folder:
        seen = []
        for _ in range(2):
            url = postgres.ensure_running(Path(folder))
            with psycopg.connect(url, autocommit=True) as connection:
                connection.execute("CREATE TABLE IF NOT EXISTS money_mode (id int, is_safe_mode bool, why text, since timestamptz, "
                                   "by_id uuid, system_id text, timeline int)")
                connection.execute("CREATE TABLE IF NOT EXISTS stripe_cursor (name text, at timestamptz, run_at timestamptz)")
                seen.append(connection.execute(str(safety._LOOK)).fetchone()[8:10])
            postgres.leave(Path(folder).resolve())
        assert seen[0] == seen[1]
