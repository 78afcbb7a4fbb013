"""One PostgreSQL server per run, one database per test process, real commits, a clean slate before each test."""

import contextvars
import gc
import os
import shutil
import subprocess
import sys
import tempfile
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from flask import has_app_context
from flask.testing import FlaskClient

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT))
os.environ.pop("DATABASE_URL", None)
# Images for containers set it; then every process of a run would compile the house and rewrite all asserts anew.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False

from core import migrate, postgres  # noqa: E402

RUN = os.environ.get("ACHTERBAN_TEST_RUN") or uuid.uuid4().hex[:8]
os.environ["ACHTERBAN_TEST_RUN"] = RUN
FOLDER = Path(tempfile.gettempdir()) / f"achterban-test-{RUN}"
# Durability is not what tests measure; faults that need it start a server of their own.
FAST = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off", "max_connections": "200"}


gc.disable()  # while everything is imported: app.py says why


def pytest_collection_finish(session: pytest.Session) -> None:
    gc.freeze()
    gc.enable()


def pytest_sessionfinish(session: pytest.Session) -> None:
    if os.environ.get("PYTEST_XDIST_WORKER") is None:
        postgres.leave(FOLDER.resolve())
        shutil.rmtree(FOLDER, ignore_errors=True)


@pytest.fixture(scope="session")
def database_url() -> Iterator[str]:
    """A migrated database of this process's own, copied from one template."""
    import fcntl

    postgres.ensure_running(FOLDER, **FAST)
    admin = postgres.address(FOLDER, "postgres")
    name = f"test_{os.environ.get('PYTEST_XDIST_WORKER', 'main')}_{os.getpid()}"
    with open(FOLDER / "template.lock", "ab") as gate:
        fcntl.flock(gate, fcntl.LOCK_EX)
        with psycopg.connect(admin, autocommit=True) as connection:
            if not connection.execute("SELECT 1 FROM pg_database WHERE datname = 'template_app'").fetchone():
                connection.execute("CREATE DATABASE template_making")
                migrate.upgrade(postgres.address(FOLDER, "template_making"))
                connection.execute("ALTER DATABASE template_making RENAME TO template_app")
            connection.execute(f"CREATE DATABASE {name} TEMPLATE template_app STRATEGY FILE_COPY")
    yield postgres.address(FOLDER, name)
    with psycopg.connect(admin, autocommit=True) as connection:
        connection.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")


@pytest.fixture(scope="session")
def instance() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="achterban-instance-") as folder:
        yield Path(folder)


@pytest.fixture(scope="session")
def sandbox() -> Iterator[Any]:
    """The local Stripe, one per test process; reset before each test that asks for `stripe`."""
    from sandbox import testing

    server = testing.start()
    yield server
    server.stop()


@pytest.fixture(scope="session")
def base_env(database_url: str, instance: Path) -> dict[str, str]:
    # A machine that stands still for ten seconds in the middle of a request is no fault of ours.
    return {"ACHTERBAN_ENV": "test", "DATABASE_URL": database_url, "INSTANCE": str(instance), "DB_IDLE_TIMEOUT_MS": "60000",
            "DB_ROLE": "achterban_app", "SECRET_KEY": "k" * 40, "SECURITY_PASSWORD_SALT": "s" * 40,
            "BASE_URL": "http://localhost", "TEMPLATE_CACHE": str(FOLDER / "templates")}


class Browser(FlaskClient):
    """Each request in a context of its own, as in production: no `g`, person or database session is left over from the
    test or the request before. The test's rows are read anew afterwards."""

    def open(self, *args: Any, **kwargs: Any) -> Any:
        kwargs.setdefault("buffered", True)
        forget()
        try:
            return contextvars.Context().run(super().open, *args, **kwargs)
        finally:
            forget()


def forget() -> None:
    from core.db import db

    if has_app_context():
        db.session.rollback()


@pytest.fixture(scope="session")
def session_app(base_env: dict[str, str], sandbox: Any) -> Any:
    from app import create_app

    app = create_app(base_env | {"STRIPE_API_BASE": sandbox.url})
    app.test_client_class = Browser
    return app


@pytest.fixture
def app(session_app: Any, clean: None) -> Iterator[Any]:
    """The application on an empty database, inside an app context."""
    from core import later
    from core.db import db
    from sharing import visits

    session_app.extensions.pop("stripe_breaker", None)
    with session_app.app_context():
        yield session_app
        visits.forget_here()
        later.forget_all()  # nothing of this test is written into the next one's database
        db.session.rollback()
        db.session.remove()


@pytest.fixture
def client(app: Any) -> Any:
    return app.test_client()


@pytest.fixture
def stripe(sandbox: Any, app: Any) -> Any:
    """The sandbox, empty and in step with the real clock."""
    sandbox.post("reset")
    return sandbox


TABLES: list[str] = []


@pytest.fixture
def clean(database_url: str) -> None:
    empty(database_url)


def empty(database_url: str) -> None:
    """Empty every table that holds something; triggers that forbid it are for the app, not for us."""
    for is_again in (False, True):
        try:
            _empty(_broom(database_url))
            break
        except psycopg.OperationalError:  # a test ended the server, or everybody's connections
            _brooms.pop(database_url).close()
            if is_again:
                raise
    from core import clock

    clock._read_at = 0.0


# A new connection would read the catalogue of all tables anew, which takes longer than emptying the full ones.
_brooms: dict[str, psycopg.Connection[Any]] = {}


def _broom(database_url: str) -> psycopg.Connection[Any]:
    if database_url not in _brooms:
        connection = _brooms[database_url] = psycopg.connect(database_url, autocommit=True, prepare_threshold=0)
        connection.execute("SET session_replication_role = replica")
    return _brooms[database_url]


def _empty(connection: psycopg.Connection[Any]) -> None:
    if not TABLES:
        TABLES.extend(row[0] for row in connection.execute(
            "SELECT quote_ident(tablename) FROM pg_tables WHERE schemaname = 'public' "
            "AND tablename NOT IN ('alembic_version', 'clock', 'money_mode')"))
    query = " UNION ALL ".join(f"(SELECT '{t}', pg_relation_size('{t}') WHERE EXISTS (SELECT 1 FROM {t}))" for t in TABLES)
    for table, size in connection.execute(query).fetchall():
        # TRUNCATE makes new files for the table and each index: dear for a handful of rows
        connection.execute(f"TRUNCATE {table} CASCADE" if size > 4 * 1024 * 1024 else f"DELETE FROM {table}")
    connection.execute("UPDATE clock SET shift = '0' WHERE shift <> '0'")
    connection.execute("UPDATE money_mode SET is_safe_mode = false, why = '' WHERE is_safe_mode")


@pytest.fixture(scope="session")
def zygote(instance: Path) -> Iterator[Any]:
    from tests.zygote import Zygote

    server = Zygote(instance)
    yield server
    server.stop()


@pytest.fixture
def flask(base_env: dict[str, str], sandbox: Any, zygote: Any) -> Any:
    """Run a command as an operator would: `flask("backers", "export", …)` in a process of its own."""

    def run(*args: str, check: bool = True, env: dict[str, str] | None = None, input: str | None = None,
            text: bool = True) -> subprocess.CompletedProcess[Any]:
        whole = {**os.environ, **base_env, "STRIPE_API_BASE": sandbox.url, **(env or {})}
        if "CRASHPOINT" in whole or not text:  # read while importing, or bytes
            done: subprocess.CompletedProcess[Any] = subprocess.run(
                [sys.executable, "-m", "flask", "--app", "app", *args], cwd=ROOT, text=text, capture_output=True,
                env=whole, timeout=120, input=input)
        else:
            done = zygote.run(args, whole, input)
        assert not check or done.returncode == 0, done.stderr
        return done

    return run
