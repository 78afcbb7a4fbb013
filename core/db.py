"""The database: one PostgreSQL, typed models, and the only place that commits."""

import enum
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

import sqlalchemy as sa
from flask import Flask
from flask_sqlalchemy import SQLAlchemy
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, registry, scoped_session
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

__all__ = ["Base", "Born", "Id", "Mapped", "Serial", "db", "fetch_all", "fetch_one", "no_transaction", "transaction", "unchecked"]


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
                    "pool_pre_ping": False, "pool_recycle": 1800}
    else:
        options["poolclass"] = NullPool
    app.config["SQLALCHEMY_DATABASE_URI"] = sqlalchemy_url(app.config["DATABASE_URL"])
    app.config["SQLALCHEMY_ENGINE_OPTIONS"] = options
    db.init_app(app)


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
    if db.session().info.get("unit"):
        raise AssertionError("a call to the outside world inside transaction()")
    db.session.rollback()


def fetch_all(statement: sa.Executable, /, **values: Any) -> list[sa.Row[Any]]:
    """The rows of one statement on the session's connection."""
    return list(db.session.execute(statement, values))


def fetch_one(statement: sa.Executable, /, **values: Any) -> sa.Row[Any] | None:
    """The first row of one statement, or None."""
    return db.session.execute(statement, values).first()
