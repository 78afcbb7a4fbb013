"""The site works as a role of least rights: history and ledger can be added to, and that is all."""

from typing import Any

import psycopg
import pytest
import sqlalchemy as sa

from core.db import ask, db, no_transaction, sqlalchemy_url, transaction
from tests.factories import make_person


def test_the_site_works_as_the_role_that_was_named(app: Any) -> None:
    assert db.session.scalar(sa.text("SELECT current_user")) == "achterban_app"


@pytest.mark.parametrize("statement", [
    "DELETE FROM pledge_move", "UPDATE pledge_line SET amount = 1", "UPDATE ledger_entry SET amount = 1",
    "DELETE FROM ledger_transaction", "UPDATE project_move SET why = ''", "TRUNCATE payment_move", "DROP TABLE person"])
def test_history_and_ledger_cannot_be_rewritten(app: Any, statement: str) -> None:
    with pytest.raises(sa.exc.ProgrammingError, match=r"permission denied|must be owner"):
        db.session.execute(sa.text(statement))
    db.session.rollback()


def test_an_error_undoes_the_whole_transaction_and_a_nested_one_only_itself(app: Any) -> None:
    with transaction() as session:
        make_person(name="Noor Bakker")
        with pytest.raises(ZeroDivisionError), transaction():
            make_person(name="Mo El Idrissi")
            raise ZeroDivisionError
        session.flush()
    assert db.session.scalars(sa.text("SELECT name FROM person")).all() == ["Noor Bakker"]


def test_nobody_talks_to_the_outside_inside_a_transaction(app: Any) -> None:
    with transaction(), pytest.raises(AssertionError):
        no_transaction()


def test_only_a_postgresql_address_is_taken() -> None:
    assert sqlalchemy_url("postgres://a/b") == "postgresql+psycopg://a/b"
    with pytest.raises(SystemExit):
        sqlalchemy_url("sqlite:///x.db")


def _prepared() -> set[str]:
    """What the connection used last has prepared of what these tests ask."""
    with db.engine.connect() as connection:
        return {row[0] for row in connection.exec_driver_sql("SELECT statement FROM pg_prepared_statements")
                if "a question" in row[0]}


def test_who_only_looked_leaves_what_is_prepared_to_the_next(app: Any) -> None:
    for _ in range(5):
        db.session.execute(sa.text("SELECT 1 AS \"a question\""))
        db.session.rollback()
    assert len(_prepared()) == 1
    make_person()
    db.session.execute(sa.text("DELETE FROM person"))
    db.session.rollback()
    assert db.session.scalar(sa.text("SELECT count(*) FROM person")) == 1
    db.session.rollback()
    assert len(_prepared()) == 1


def test_after_an_error_everything_is_prepared_anew(app: Any) -> None:
    for _ in range(5):
        db.session.execute(sa.text("SELECT 2 AS \"a question\""))
        db.session.rollback()
    with pytest.raises(sa.exc.DataError):
        db.session.execute(sa.text("SELECT 1 / 0"))
    db.session.rollback()
    assert _prepared() == set()


def test_a_question_that_a_migration_gave_other_columns_fails_once(app: Any, database_url: str) -> None:
    question = sa.text("SELECT * FROM shifting")
    with psycopg.connect(database_url, autocommit=True) as owner:
        owner.execute("CREATE TABLE shifting AS SELECT 1 AS one; GRANT SELECT ON shifting TO achterban_app")
        try:
            for _ in range(5):
                assert ask(question)[0].one == 1
            owner.execute("ALTER TABLE shifting ADD two int")
            with pytest.raises(sa.exc.NotSupportedError, match="result type"):
                ask(question)
            assert ask(question)[0].two is None
        finally:
            owner.execute("DROP TABLE shifting")
