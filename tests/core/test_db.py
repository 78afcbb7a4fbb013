"""The site works as a role of least rights: history and ledger can be added to, and that is all."""

from typing import Any

import pytest
import sqlalchemy as sa

from core.db import db, no_transaction, sqlalchemy_url, transaction
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
