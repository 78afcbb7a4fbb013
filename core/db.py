"""The database: one PostgreSQL, typed models, and the only place that commits."""

import enum
from collections import namedtuple
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from functools import cache, lru_cache
from typing import Annotated, Any
from uuid import UUID

import psycopg
import sqlalchemy as sa
from flask import Flask
from flask_sqlalchemy import SQLAlchemy
from psycopg import pq
from sqlalchemy.dialects.postgresql import psycopg as dialect
from sqlalchemy.orm import (
    DeclarativeBase,
    Mapped,
    class_mapper,
    make_transient_to_detached,
    mapped_column,
    registry,
    scoped_session,
)
from sqlalchemy.orm.attributes import instance_dict
from sqlalchemy.pool import NullPool

NAMES = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_name)s",
    "pk": "pk_%(table_name)s",
}


class Base(DeclarativeBase):
    registry = registry(
        metadata=sa.MetaData(naming_convention=NAMES),
        type_annotation_map={
            datetime: sa.DateTime(timezone=True),
            int: sa.BigInteger,
            str: sa.Text,
            UUID: sa.Uuid,
            enum.Enum: sa.Enum(
                enum.Enum, native_enum=False, length=32, create_constraint=True,
                values_callable=lambda e: [member.value for member in e],
            ),
        },
    )


db = SQLAlchemy(model_class=Base)

# Sequential ids never leave the server (W-20): every row a person can name has a UUIDv7 made by the database.
Id = Annotated[UUID, mapped_column(sa.Uuid, server_default=sa.text("uuidv7()"), primary_key=True)]
Born = Annotated[datetime, mapped_column(server_default=sa.text("clock_now()"))]
Serial = Annotated[int, mapped_column(sa.BigInteger, sa.Identity(always=True), primary_key=True)]

__all__ = ["Base", "Born", "Id", "Mapped", "Serial", "ask", "db", "fetch_all", "fetch_one", "known_as",
           "known_by", "no_transaction", "run", "transaction", "unchecked"]


def init_app(app: Flask) -> None:
    """Bind the engine: short waits, no statement that sleeps on a lock for long (C-04)."""
    timeouts = (
        f"-c lock_timeout={app.config['DB_LOCK_TIMEOUT_MS']} "
        f"-c idle_in_transaction_session_timeout={app.config['DB_IDLE_TIMEOUT_MS']} "
        f"-c statement_timeout={app.config['DB_STATEMENT_TIMEOUT_MS']} -c timezone=UTC"
    )
    if role := app.config["DB_ROLE"]:
        timeouts += f" -c role={role}"  # what may only be added, this role can neither change nor delete
    options: dict[str, Any] = {"connect_args": {"options": timeouts, "prepare_threshold": 3}}
    if app.config["DB_POOL_SIZE"]:
        options |= {"pool_size": app.config["DB_POOL_SIZE"], "max_overflow": 2, "pool_timeout": 3,
                    "pool_pre_ping": False, "pool_recycle": 1800,
                    "pool_use_lifo": True}  # the one used last has everything at hand
    else:
        options["poolclass"] = NullPool
    app.config["SQLALCHEMY_DATABASE_URI"] = sqlalchemy_url(app.config["DATABASE_URL"])
    app.config["SQLALCHEMY_ENGINE_OPTIONS"] = options
    db.init_app(app)
    with app.app_context():
        sa.event.listen(db.engine, "do_connect", lambda _dialect, _record, args, named: Keeping.connect(*args, **named))


class Keeping(psycopg.Connection[Any]):
    """A connection that keeps its prepared statements when somebody who only looked goes away.

    The driver throws all of them away at every ROLLBACK, since what was rolled back may have been a change of tables. We
    change none here, and each page that wrote nothing ends with one: the next would have all its questions parsed and
    planned anew. After an error the driver has its way: then the tables may have been changed by others.
    """

    def rollback(self) -> None:
        with self.lock:
            if (self.pgconn.transaction_status == pq.TransactionStatus.INTRANS
                    and self.pgconn.exec_(b"ROLLBACK").status == pq.ExecStatus.COMMAND_OK):
                return
        super().rollback()


def sqlalchemy_url(url: str) -> str:
    """Any `postgres://…` address, as SQLAlchemy with psycopg 3 wants it."""
    scheme, rest = url.split("://", 1)
    if scheme not in ("postgres", "postgresql", "postgresql+psycopg"):
        raise SystemExit(f"DATABASE_URL must be a PostgreSQL address, not {scheme}://")
    return f"postgresql+psycopg://{rest}"


def unchecked(kind: type[enum.Enum]) -> sa.Enum:
    """A second column of the same states in one table: the first one carries the CHECK."""
    return sa.Enum(kind, native_enum=False, length=32, values_callable=lambda e: [member.value for member in e])


@contextmanager
def transaction() -> Iterator[scoped_session[Any]]:
    """One unit of work: commit on the way out, roll back on any error; a savepoint when nested."""
    info = db.session().info
    if info.get("unit"):
        with db.session.begin_nested():
            yield db.session
        return
    info["unit"] = True
    try:
        yield db.session
        db.session.commit()
    except BaseException:
        db.session.rollback()
        raise
    finally:
        info.pop("unit", None)


def no_transaction() -> None:
    """Call before talking to anyone outside: refuses to hold a transaction across the wire (C-04, DESIGN 1.4)."""
    if _is_in_transaction():
        raise AssertionError("a call to the outside world inside transaction()")
    if db.session.registry.has() and db.session().in_transaction():
        db.session.rollback()


def ask(statement: sa.TextClause, /, **values: Any) -> list[Any]:
    """The rows of one prepared statement that is a transaction of its own; in `transaction()` it is part of that, behind
    a savepoint.

    Straight to the driver: through the session the same takes three times as long and two round trips more, which is
    most of what a pledge costs. Errors are SQLAlchemy's as always.
    """
    if _is_in_transaction():
        with db.session.begin_nested():
            return list(db.session.execute(statement, values))
    sql, engine = _driver_sql(statement), db.engine
    try:
        borrowed = engine.raw_connection()
    except psycopg.Error as error:
        raise sa.exc.DBAPIError.instance(sql, values, error, psycopg.Error) from error
    connection: Any = borrowed.driver_connection
    try:
        connection.autocommit = True
        return _on_driver(engine, connection, sql, values)
    except sa.exc.NotSupportedError:  # prepared before a migration gave it other columns, like all that lies ready
        connection.close()
        raise
    finally:
        if connection.closed:
            borrowed.invalidate()
            engine.dispose()  # the server went away, say: the connections that wait are as dead as this one
        else:
            connection.autocommit = False
        borrowed.close()


def run(statement: sa.TextClause, /, **values: Any) -> list[Any]:
    """The rows of one prepared statement in the session's transaction, straight to the driver as `ask`.

    What the session's objects have not written yet stays unwritten: flush first.
    """
    connection = db.session.connection()
    return _on_driver(connection.engine, connection.connection.driver_connection, _driver_sql(statement), values)


def _on_driver(engine: sa.Engine, connection: Any, sql: str, values: dict[str, Any]) -> list[Any]:
    try:
        cursor = connection.cursor(row_factory=_rows)
        if engine.dispatch.before_cursor_execute:  # whoever listens to what the engine says hears this as well
            engine.dispatch.before_cursor_execute(None, cursor, sql, values, None, False)
        cursor.execute(sql, values)
        return cursor.fetchall() if cursor.pgresult.nfields else []
    except psycopg.Error as error:
        raise sa.exc.DBAPIError.instance(sql, values, error, psycopg.Error) from error


def _is_in_transaction() -> bool:
    return db.session.registry.has() and "unit" in db.session().info


@cache
def _row_type(names: tuple[bytes, ...]) -> type[Any]:
    fields = namedtuple("Row", [name.decode() for name in names], rename=True)  # type: ignore[misc]
    return type("Row", (fields,), {"__slots__": (), "_mapping": property(fields._asdict)})


def _rows(cursor: psycopg.Cursor[Any]) -> Any:
    """Rows as the session gives them: by name, by place, and `_mapping`."""
    result = cursor.pgresult
    return _row_type(tuple(result.fname(n) or b"" for n in range(result.nfields)))._make if result else tuple


@lru_cache(1_000)
def _driver_sql(statement: sa.TextClause) -> str:
    return str(statement.compile(dialect=dialect.dialect()))


def known_as(model: Any, row: Any) -> Any:
    """The session's object of a row that a statement of ours has read whole: as if the session had loaded it."""
    return known_by(model, {key: getattr(row, key) for key in _columns(model)})


@cache
def _columns(model: Any) -> tuple[str, ...]:
    return tuple(column.key for column in class_mapper(model).column_attrs)


def known_by(model: type[Any], values: dict[str, Any]) -> Any:
    """The same from some of its columns and relations; the others are read when somebody asks for them."""
    mapper = class_mapper(model)
    key = mapper.identity_key_from_primary_key(tuple(values[str(column.key)] for column in mapper.primary_key))
    session = db.session()
    known = session.identity_map.get(key)
    if known is not None:
        return known
    made = mapper.class_manager.new_instance()
    instance_dict(made).update(values)
    make_transient_to_detached(made)
    session.add(made)
    return made


def fetch_all(statement: sa.Executable, /, **values: Any) -> list[sa.Row[Any]]:
    """The rows of one statement on the session's connection; plain text outside of a transaction needs none."""
    if isinstance(statement, sa.TextClause) and not _is_in_transaction():
        return ask(statement, **values)
    return list(db.session.execute(statement, values))


def fetch_one(statement: sa.Executable, /, **values: Any) -> sa.Row[Any] | None:
    """The first row of one statement, or None."""
    return next(iter(fetch_all(statement, **values)), None)
