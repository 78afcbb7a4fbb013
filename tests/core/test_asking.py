"""`core.db.ask`: one statement that is a transaction of its own, past the session."""

import psycopg
import pytest
import sqlalchemy as sa

from core.db import ask, db, fetch_one, known_as, transaction
from people.models import Person
from tests.factories import make_person, scalar

_NAME = sa.text("UPDATE person SET name = :name WHERE id = :id RETURNING id, name")
_RAW = sa.text("SELECT CAST(:day AS interval) AS day, '100%' AS share, 1 AS one")


def test_what_it_writes_is_there_for_everybody_at_once_and_rows_know_their_names(app, database_url):
    person = make_person()
    [row] = ask(_NAME, id=person.id, name="Noor")
    assert (row.name, row[1], row._mapping) == ("Noor", "Noor", {"id": person.id, "name": "Noor"})
    with psycopg.connect(database_url) as other:
        assert other.execute("SELECT name FROM person WHERE id = %s", [person.id]).fetchone() == ("Noor",)
    assert ask(sa.text("UPDATE person SET name = 'Mo'")) == []
    assert fetch_one(_RAW, day="1 day").share == "100%"


def test_inside_a_transaction_it_is_part_of_it(app):
    person = make_person(name="Noor")
    person_id = person.id
    with pytest.raises(ZeroDivisionError), transaction():
        assert ask(_NAME, id=person_id, name="Mo")[0].name == "Mo"
        raise ZeroDivisionError
    assert scalar("SELECT name FROM person") == "Noor"
    with transaction():
        with pytest.raises(sa.exc.DBAPIError):
            ask(_NAME, id=person_id, name="")  # refused by a CHECK
        ask(_NAME, id=person_id, name="Ravi")  # the savepoint kept the transaction alive
    assert scalar("SELECT name FROM person") == "Ravi"


def test_its_errors_are_sqlalchemys_and_leave_the_connection_as_it_was(app):
    person = make_person()
    with pytest.raises(sa.exc.IntegrityError) as refused:
        ask(_NAME, id=person.id, name="")
    assert isinstance(refused.value.orig, psycopg.errors.CheckViolation)
    with pytest.raises(ZeroDivisionError), transaction() as session:  # a transaction is still one
        session.execute(sa.text("UPDATE person SET name = 'half'"))
        raise ZeroDivisionError
    assert scalar("SELECT count(*) FROM person WHERE name = 'half'") == 0


def test_a_connection_that_the_server_ended_is_left_behind_with_all_that_waited(app, database_url):
    ask(_RAW, day="1 day")
    db.session.rollback()
    with psycopg.connect(database_url, autocommit=True) as other:
        other.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() "
                      "AND pid <> pg_backend_pid()")
    with pytest.raises(sa.exc.OperationalError):
        ask(_RAW, day="1 day")
    assert ask(_RAW, day="1 day")[0].one == 1
    assert scalar("SELECT 1") == 1


def test_an_object_known_by_its_row_is_the_sessions_own(app):
    person_id = make_person(name="Noor").id
    db.session.expunge_all()
    [row] = ask(sa.text("SELECT * FROM person"))
    person = known_as(Person, row)
    assert person is db.session.get(Person, person_id) is known_as(Person, row)
    with transaction():
        person.name = "Mo"
    assert scalar("SELECT name FROM person") == "Mo"
