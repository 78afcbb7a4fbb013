"""C-25, C-27, O-14: pended, then settled or voided once; corrected by the opposite; and never changed."""

import psycopg
import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy.exc import DBAPIError

from core.db import db, transaction
from payments.ledger import Account, balance, payable, payable_of_project, pend, post, reverse, settle, void
from tests.factories import check_money, make_project, scalar
from tests.races import threads

A = Account
OUT = [(A.CREATOR_PAYABLE, 950, "out"), (A.PLATFORM_FEE, 50, "share"), (A.TRANSFERS_PAYABLE, -1_000, "out")]
DONE = [(A.TRANSFERS_PAYABLE, 1_000, "out"), (A.STRIPE_AVAILABLE, -1_000, "out")]
NOTHING = dict.fromkeys(Account, 0)
ONLY_ADDED = {"refund_move": "why = 'x'", "transfer_move": "why = 'x'", "dispute_move": "why = 'x'",
              "audit_entry": "action = 'x'", "ledger_transaction": "is_pending = false", "ledger_entry": "amount = 1"}


def begin(key="1", project=None, subject=None):
    with transaction():
        return pend("test", key, "EUR", OUT, project_id=project, subject_id=subject)


def sums():
    db.session.rollback()
    return {account: balance(account, "EUR") for account in Account}


def test_pended_and_settled_is_once_each(app):
    assert begin() and not begin()
    assert sums() == NOTHING | {A.CREATOR_PAYABLE: 950, A.PLATFORM_FEE: 50, A.TRANSFERS_PAYABLE: -1_000}
    for expected in (True, False, False):
        with transaction():
            assert settle("test", "1", DONE) is expected
    with transaction():
        assert not void("test", "1")
    assert sums() == NOTHING | {A.CREATOR_PAYABLE: 950, A.PLATFORM_FEE: 50, A.STRIPE_AVAILABLE: -1_000}
    assert scalar("SELECT count(*) FROM ledger_transaction") == 2


def test_pended_and_voided_leaves_nothing_but_its_trace(app):
    begin()
    for expected in (True, False):
        with transaction():
            assert void("test", "1") is expected
    with transaction():
        assert not settle("test", "1", DONE)
    assert sums() == NOTHING and scalar("SELECT count(*) FROM ledger_entry") == 6


def test_both_phases_are_taken_back_by_their_opposites_once(app):
    begin()
    with transaction():
        settle("test", "1", DONE)
    for expected in (True, False):
        with transaction():
            assert reverse("test", "1", "posted", "it came back") is expected
            assert reverse("test", "1", "pending", "it came back") is expected
    assert sums() == NOTHING
    assert scalar("SELECT count(*) FROM ledger_entry WHERE what = 'it came back'") == 5


def test_of_those_who_resolve_at_the_same_moment_one_does(app):
    """UNIQUE(resolves_id) decides between two different ends of one beginning."""
    for n in range(4):
        begin(str(n))

        def settles(key=str(n)):
            with transaction():
                return settle("test", key, DONE)

        def voids(key=str(n)):
            with transaction():
                return void("test", key)

        assert sum(threads(app, *[settles, voids] * 4)) == 1
    assert scalar("SELECT count(*) FROM ledger_transaction") == 8
    assert sums()[A.TRANSFERS_PAYABLE] == 0


def test_what_was_never_begun_is_a_bug_and_says_so(app):
    for act in (lambda: settle("test", "9", DONE), lambda: void("test", "9"), lambda: reverse("test", "9", "", "why")):
        with pytest.raises(LookupError), transaction():
            act()
    with transaction():
        post("test", "1", "EUR", [(A.FX, 5, ""), (A.STRIPE_PENDING, -5, "")])
    with pytest.raises(LookupError), transaction():
        settle("test", "1", DONE)  # one phase is not the first of two
    with pytest.raises(ValueError, match="does not balance"), transaction():
        pend("test", "2", "EUR", [(A.FX, 5, "")])
    begin()
    with pytest.raises(ValueError, match="does not balance"), transaction():
        settle("test", "1", [(A.FX, 5, "")])


def test_what_is_owed_is_read_by_payment_and_by_project(app):
    import uuid

    project, one, two = make_project(), uuid.uuid4(), uuid.uuid4()
    with transaction():
        for key, subject in (("a", one), ("b", two)):
            post("test", key, "EUR", [(A.STRIPE_PENDING, 3_000, ""), (A.CREATOR_PAYABLE, -3_000, "")],
                 project_id=project.id, subject_id=subject)
        post("test", "c", "USD", [(A.STRIPE_PENDING, 9, ""), (A.CREATOR_PAYABLE, -9, "")], project_id=project.id)
    begin("d", project.id, one)
    assert (payable(one), payable(two), payable(uuid.uuid4())) == (2_050, 3_000, 0)
    assert payable_of_project(project.id, "EUR") == 5_050 and payable_of_project(project.id, "USD") == 9
    with transaction():
        void("test", "d")
    assert payable(one) == 3_000


@pytest.mark.parametrize("table", ONLY_ADDED)
def test_what_is_written_is_neither_changed_nor_removed_by_trigger_and_by_grants(app, database_url, table):
    for statement in (f"UPDATE {table} SET {ONLY_ADDED[table]}", f"DELETE FROM {table}", f"TRUNCATE {table} CASCADE"):
        with psycopg.connect(database_url) as connection, pytest.raises(psycopg.errors.RestrictViolation):
            connection.execute(statement)  # the owner: by trigger, also where nothing stands yet
        with psycopg.connect(database_url) as connection, pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute("SET ROLE achterban_app")
            connection.execute(statement)
        with pytest.raises(DBAPIError), transaction() as session:
            session.execute(sa.text(statement))


@settings(max_examples=40, deadline=None, database=None, derandomize=True,
          suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.sampled_from(["pend", "settle", "void", "reverse posted", "reverse pending"]), max_size=12),
       st.integers(1, 10**9))
def test_any_row_of_acts_leaves_books_that_balance_and_each_phase_at_most_once(app, acts, key):
    with transaction() as session:
        for act in acts:
            if act == "pend":
                pend("any", str(key), "EUR", OUT)
                continue
            try:
                with transaction():
                    _do(act, str(key))
            except LookupError:
                continue
        parts = list(session.scalars(sa.text("SELECT part FROM ledger_transaction WHERE external_id = :k"), {"k": str(key)}))
        assert len(parts) == len(set(parts)) and not {"posted", "void"} <= set(parts)
        assert session.scalar(sa.text("SELECT coalesce(sum(amount), 0) FROM ledger_entry")) == 0
    check_ledger()


def _do(act, key):
    if act == "settle":
        settle("any", key, DONE)
    elif act == "void":
        void("any", key)
    else:
        reverse("any", key, act.removeprefix("reverse "), "why")


def check_ledger():
    assert scalar("SELECT count(*) FROM (SELECT 1 FROM ledger_entry GROUP BY transaction_id, currency "
                  "HAVING sum(amount) <> 0) x") == 0


def test_the_books_of_an_empty_house_are_in_balance(app):
    check_money()
