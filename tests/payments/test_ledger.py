"""C-25 to C-30: the ledger balances, only grows, and knows each outside object once."""

import psycopg
import pytest
import sqlalchemy as sa
from hypothesis import given, settings
from hypothesis import strategies as st

from core import money
from core.db import db, transaction
from payments import charging, ledger
from payments.ledger import Account, balance, post
from payments.models import Payment
from tests.factories import back, check_money, end_project, make_project, scalar

TABLES = ("ledger_transaction", "ledger_entry", "payment_move", "project_move", "pledge_move", "pledge_line")
CHANGES = {"ledger_transaction": "kind = 'x'", "ledger_entry": "amount = 1", "payment_move": "why = 'x'",
           "project_move": "why = 'x'", "pledge_move": "why = 'x'", "pledge_line": "amount = 1"}


def _funded(app, stripe, n=2):
    project = make_project(goal=1_000)
    for _ in range(n):
        back(stripe, project, bonus=3_333)
    end_project(app, project)
    return project


@pytest.mark.parametrize("amounts", [[(500, "EUR")], [(500, "EUR"), (-499, "EUR")], [(500, "EUR"), (-500, "USD")]])
def test_what_does_not_sum_to_zero_is_refused_when_it_is_committed(app, database_url, amounts):
    with psycopg.connect(database_url) as connection:
        connection.execute("SET ROLE achterban_app")
        made = connection.execute(
            "INSERT INTO ledger_transaction (kind, external_id) VALUES ('charge', 'ch_1') RETURNING id").fetchone()[0]
        for amount, currency in amounts:
            connection.execute("INSERT INTO ledger_entry (transaction_id, account, amount, currency) "
                               "VALUES (%s, 'stripe_pending', %s, %s)", [made, amount, currency])
        with pytest.raises(psycopg.errors.CheckViolation, match="does not balance"):
            connection.commit()
    assert scalar("SELECT count(*) FROM ledger_entry") == 0


def test_a_line_added_later_to_a_balanced_transaction_is_refused(app, stripe, database_url):
    _funded(app, stripe, 1)
    with psycopg.connect(database_url) as connection:
        connection.execute("INSERT INTO ledger_entry (transaction_id, account, amount, currency) "
                           "SELECT id, 'fx', 7, 'EUR' FROM ledger_transaction")
        with pytest.raises(psycopg.errors.CheckViolation, match="does not balance"):
            connection.commit()
    check_money()


def test_unbalanced_lines_are_refused_before_the_database_is_asked(app):
    with pytest.raises(ValueError, match="does not balance"), transaction():
        post("charge", "ch_1", "EUR", [(Account.STRIPE_PENDING, 5, ""), (Account.CREATOR_PAYABLE, -4, "")])


@pytest.mark.parametrize("table", TABLES)
def test_what_is_written_stays_written_even_for_the_owner(app, stripe, database_url, table):
    _funded(app, stripe, 1)
    for statement in (f"UPDATE {table} SET {CHANGES[table]}", f"DELETE FROM {table}", f"TRUNCATE {table} CASCADE"):
        with psycopg.connect(database_url) as connection, pytest.raises(psycopg.errors.RestrictViolation,
                                                                        match="only ever added"):
            connection.execute(statement)
    check_money()


@pytest.mark.parametrize("table", TABLES)
def test_the_apps_role_has_not_even_the_right_to_try(app, database_url, table):
    for statement in (f"UPDATE {table} SET {CHANGES[table]}", f"DELETE FROM {table}", f"TRUNCATE {table} CASCADE",
                      f"ALTER TABLE {table} DISABLE TRIGGER only_added", f"DROP TABLE {table} CASCADE"):
        with psycopg.connect(database_url) as connection:
            connection.execute("SET ROLE achterban_app")
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                connection.execute(statement)


def test_telling_the_same_charge_again_books_nothing(app, stripe):
    _funded(app, stripe)
    lines = scalar("SELECT count(*) FROM ledger_entry")
    for payment in db.session.scalars(sa.select(Payment)).all():
        for _ in range(3):
            charging.hear_of_payment(payment.stripe_id)
    with transaction():
        assert not post("charge", scalar("SELECT external_id FROM ledger_transaction LIMIT 1"), "EUR",
                        [(Account.STRIPE_PENDING, 9, ""), (Account.CREATOR_PAYABLE, -9, "")])
    assert scalar("SELECT count(*) FROM ledger_entry") == lines
    assert scalar("SELECT count(*) FROM ledger_transaction") == 2
    check_money()


def test_a_charge_is_booked_to_the_creator_less_both_fees(app, stripe):
    project = _funded(app, stripe, 1)
    assert balance(Account.STRIPE_PENDING, "EUR", project.id) == 3_333 - _stripe_fee(stripe)
    assert balance(Account.PLATFORM_FEE, "EUR", project.id) == -167  # 166.65, half up
    assert balance(Account.CREATOR_PAYABLE, "EUR", project.id) == -(3_333 - 167 - _stripe_fee(stripe))
    assert stripe.get("books")["imbalance"] in (0, {}, [])


def _stripe_fee(stripe):
    return next(row["fee"] for row in stripe.get("state/balance_transaction") if row["type"] in ("charge", "payment"))


def test_our_books_are_stripes_books_to_the_cent(app, stripe):
    project = _funded(app, stripe, 3)
    theirs = sum(row["net"] for row in stripe.get("state/balance_transaction"))
    assert balance(Account.STRIPE_PENDING, "EUR", project.id) == theirs
    check_money()


@settings(max_examples=300, deadline=None, database=None, derandomize=True)
@given(st.integers(1, money.LARGEST), st.integers(0, 10_000))
def test_a_share_is_the_nearest_cent_and_leaves_the_rest_whole(amount, basis_points):
    share = money.share(amount, basis_points)
    assert isinstance(share, int) and 0 <= share <= amount
    assert abs(share * 10_000 - amount * basis_points) <= 5_000
    assert (amount - share) + share == amount


@settings(max_examples=200, deadline=None, database=None, derandomize=True)
@given(st.integers(1, money.LARGEST), st.integers(1, money.LARGEST), st.integers(0, 10_000))
def test_who_pledges_more_pays_no_smaller_share(one, two, basis_points):
    assert money.share(min(one, two), basis_points) <= money.share(max(one, two), basis_points)


def test_every_invariant_can_be_broken_and_says_so(app, stripe, database_url):
    """C-29: a check that never fails proves nothing. Each breach is made by hand, past all triggers."""
    from payments.checks import CHECKS, run_checks

    breaches = {
        "every ledger transaction sums to zero": "UPDATE ledger_entry SET amount = amount + 1 WHERE what = 'charge'",
        "every succeeded payment is in the ledger once": "UPDATE ledger_transaction SET kind = 'x'",
        "the ledger knows no charge without a succeeded payment": "UPDATE payment SET state = 'failed'",
        "what was booked is what was charged": "UPDATE payment SET amount = amount + 1",
        "no attempt succeeded twice for one payment":
            "INSERT INTO payment_attempt (payment_id, project_id, number, payment_method_id, outcome) "
            "SELECT payment_id, project_id, 9, 'pm', 'succeeded' FROM payment_attempt",
        "stock: what is claimed is what is held or promised": "UPDATE reward SET claimed = 1",
        "totals: counters and waiting changes are the sum of the standing pledges": "UPDATE project_total SET raised = 1",
        "a pledge's amount is the sum of the lines of its version": "UPDATE pledge_line SET amount = amount + 1",
        "a collected pledge has a succeeded payment of its amount": "UPDATE pledge SET payment_id = NULL",
        "a succeeded payment has a collected pledge": "UPDATE pledge SET state = 'errored'",
        "no payment on a project that is not successful": "UPDATE project SET state = 'unsuccessful'",
        "every pledge's state is where its history ends": "UPDATE pledge SET state = 'refunded'",
    }
    assert {check.name for check in CHECKS} >= set(breaches)
    project = _funded(app, stripe, 1)
    from tests.factories import make_reward

    make_reward(project, quantity=3)
    check_money()
    db.session.rollback()
    for name, breach in breaches.items():
        with psycopg.connect(database_url) as connection:
            connection.execute("SET session_replication_role = replica")
            connection.execute(breach)
            sql = next(check.sql for check in CHECKS if check.name == name)
            assert connection.execute(sql).fetchall(), name
            connection.rollback()
    assert all(not rows for _name, rows in run_checks())


def test_the_command_names_what_is_broken_and_says_so_by_its_exit_code(app, stripe, flask, database_url):
    _funded(app, stripe, 1)
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute("UPDATE project_total SET raised = 1")
    done = flask("payments", "check", check=False)
    assert done.returncode == 1 and "WRONG totals" in done.stdout


def test_what_a_line_is_for_is_kept_to_the_letter(app):
    said = ['a "word"', "back\\slash", "{braces}, commas", "NULL", "", "two\nlines", "één 🦊", "'; DROP TABLE ledger_entry; --"]
    with transaction():
        lines = [(Account.STRIPE_PENDING, 100, what) for what in said]
        ledger.post("charge", "ch_words", "EUR", [*lines, (Account.CREATOR_PAYABLE, -100 * len(said), "all")])
    assert list(db.session.scalars(sa.text("SELECT what FROM ledger_entry ORDER BY id"))) == [*said, "all"]
