"""What a run stands on: a PostgreSQL of its own with default durability, the sandbox, servers, and rows by the thousand."""

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import psycopg

from core import migrate, postgres
from sandbox import testing

ROOT = Path(__file__).parent.parent
HOST = "bench.example"
CSRF = "c" * 40  # the raw token of every session here
# The address of row n of `person`, so that a client can name any backer without asking.
BACKER = "CAST('00000000-0000-7000-8000-' || lpad(to_hex(CAST({} AS bigint)), 12, '0') AS uuid)"
_CHANGED = "pledge, card_setup, payment, pledge_delta, backer_counter, mail, procrastinate_jobs, ledger_transaction"


def backer_id(n: int) -> uuid.UUID:
    return uuid.UUID(f"00000000-0000-7000-8000-{n:012x}")


class Ground:
    """Everything that a bench needs, made on first use and gone at the end."""

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="achterban-bench-"))
        self.processes: list[subprocess.Popen[bytes]] = []
        self.sandboxes: list[testing.Sandbox] = []
        self.crews: list[Crew] = []
        self.known, self.made = -1, 0

    @cached_property
    def url(self) -> str:
        url = postgres.ensure_running(self.folder / "postgres")
        migrate.upgrade(url)
        return url

    @cached_property
    def db(self) -> psycopg.Connection[Any]:
        """As the owner of everything; each statement by itself."""
        return psycopg.connect(self.url, autocommit=True)

    def start_sandbox(self) -> testing.Sandbox:
        self.sandboxes.append(testing.start(wait=120))
        return self.sandboxes[-1]

    def env(self, **more: str) -> dict[str, str]:
        """The site as it runs in production, on our database."""
        return {**os.environ, **{
            "ACHTERBAN_ENV": "production", "DATABASE_URL": self.url, "DB_ROLE": "achterban_app",
            "INSTANCE": str(self.folder / "instance"), "SECRET_KEY": "k" * 40, "SECURITY_PASSWORD_SALT": "s" * 40,
            "BASE_URL": f"https://{HOST}", "STRIPE_SECRET_KEY": "sk_test_bench", "STRIPE_RATE": "0",
            "STRIPE_WEBHOOK_SECRET": "whsec_bench", "SMTP_URL": "smtp://127.0.0.1:1", "LOG_LEVEL": "WARNING",
            "STRIPE_API_BASE": "http://127.0.0.1:1", "PYTHONPATH": str(ROOT)} | more}

    @cached_property
    def app(self) -> Any:
        """The site inside this process, for signing tokens and asking services."""
        from app import create_app

        return create_app(self.env())

    def serve(self, target: str, **more: str) -> int:
        """gunicorn as in the Procfile, with another app; its port once it answers. Each process loads it by itself: the
        limits open their pools as they are made, and a pool does not survive a fork."""
        port = testing.free_port()
        line = next(line for line in (ROOT / "Procfile").read_text().splitlines() if line.startswith("web:"))
        command = "exec " + line.removeprefix("web:").strip().replace('--preload "app:create_app()"', f'"{target}"')
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}"
        with open(self.folder / "gunicorn.log", "ab") as log:
            self.processes.append(subprocess.Popen(
                ["/bin/sh", "-c", command], cwd=ROOT, env=self.env(PORT=str(port), PATH=path, **more), stderr=log))
        self.await_port(port)
        return port

    def await_port(self, port: int) -> None:
        for _ in range(600):
            try:
                socket.create_connection(("127.0.0.1", port), 1).close()
                return
            except OSError:
                time.sleep(0.05)
        raise RuntimeError(f"nothing listens on port {port}; {(self.folder / 'gunicorn.log').read_text()[-2000:]}")

    def crew(self, size: int = 2, **more: str) -> "Crew":
        self.crews.append(Crew(size, self.env(**more)))
        return self.crews[-1]

    def rest(self) -> None:
        """End what the last bench started; the database stays."""
        for process in self.processes:
            process.send_signal(signal.SIGINT)  # gunicorn's quick way out
        for crew in self.crews:
            crew.dismiss()
        for sandbox in self.sandboxes:
            sandbox.stop()
        for process in self.processes:
            process.wait(40)
        self.processes, self.crews, self.sandboxes = [], [], []

    def stop(self) -> None:
        self.rest()
        if "db" in self.__dict__:
            self.db.close()
        postgres.leave((self.folder / "postgres").resolve())
        shutil.rmtree(self.folder, ignore_errors=True)

    # Rows

    def people(self, n: int) -> None:
        """At least n confirmed accounts, each known to Stripe: backer_id(1) to backer_id(n); 0 makes the projects."""
        if n <= self.known:
            return
        self.db.execute(f"""
            INSERT INTO person (id, email, name, handle, fs_uniquifier, password, confirmed_at)
            SELECT {BACKER.format("n")}, 'backer' || n || '@example.org', 'Noor Bakker ' || n, 'backer' || n, md5('u' || n), '*',
                   now() FROM generate_series({self.known + 1}, {n}) n""")
        self.db.execute(f"""
            INSERT INTO stripe_customer (person_id, stripe_id) SELECT {BACKER.format("n")}, 'cus_bench' || n
              FROM generate_series({self.known + 1}, {n}) n""")
        self.known = n
        self.db.execute("VACUUM ANALYZE person, stripe_customer")

    def project(self, rewards: Sequence[tuple[int, int | None]] = (), **columns: Any) -> tuple[uuid.UUID, str, list[uuid.UUID]]:
        """A live project and its rewards as (price, quantity); its id, slug and their ids."""
        self.people(1)
        self.made += 1
        values = {
            "slug": f"night-train-{self.made}", "creator_id": backer_id(0), "state": "live", "title": "Night train",
            "blurb": "Eleven songs from eleven sleepers.", "story": "We *play* on trains.", "category": "music",
            "place": "Utrecht", "goal": 100_000, "currency": "EUR", "fee_bp": 500, **columns}
        row = self.db.execute(f"""
            INSERT INTO project ({', '.join(values)}, deadline, launched_at)
            VALUES ({', '.join(['%s'] * len(values))}, now() + interval '30 days', now() - interval '9 days')
            RETURNING id""", list(values.values())).fetchone()
        assert row is not None
        project = row[0]
        self.db.execute("INSERT INTO project_total (project_id) VALUES (%s)", [project])
        ids = []
        for position, (price, quantity) in enumerate(rewards):
            made = self.db.execute("""
                INSERT INTO reward (project_id, position, title, description, price, quantity)
                VALUES (%s, %s, %s, %s, %s, %s) RETURNING id""", [
                    project, position, f"Signed CD {position}", "The album\nSigned by all of us", price, quantity]).fetchone()
            assert made is not None
            ids.append(made[0])
            self.db.execute("INSERT INTO reward_total (reward_id, project_id) VALUES (%s, %s)", [made[0], project])
        return project, values["slug"], ids

    def clean(self) -> None:
        """No pledges, no payments; people, projects and rewards stay."""
        self.db.execute("SET session_replication_role = replica")
        self.db.execute(f"TRUNCATE {_CHANGED} CASCADE")
        self.db.execute("SET session_replication_role = origin")
        self.db.execute("UPDATE reward SET claimed = 0 WHERE claimed > 0")

    def sign_in(self, n: int) -> None:
        """A session for each of the first n people; its cookie is `sid-<n>`."""
        self.people(n)
        template = json.dumps({"_user_id": "UNIQUE", "_fresh": True, "_person": {" u": "PERSON"}, "_permanent": True,
                               "csrf_token": CSRF})
        self.db.execute(f"""
            INSERT INTO web_session (id_hash, person_id, content, authenticated_at)
            SELECT sha256(convert_to('sid-' || n, 'UTF8')), {BACKER.format("n")},
                   replace(replace(%s, 'UNIQUE', md5('u' || n)), 'PERSON', replace({BACKER.format("n")}::text, '-', '')), now()
              FROM generate_series(1, %s) n ON CONFLICT DO NOTHING""", [template, n])
        self.db.execute("VACUUM ANALYZE web_session")

    def one(self, sql: str, *values: Any) -> Any:
        row = self.db.execute(sql, values).fetchone()
        return row[0] if row else None


class Crew:
    """Processes that each have the site inside and do what they are told, all at the same time (bench/worker.py)."""

    def __init__(self, size: int, env: dict[str, str], module: str = "bench.worker"):
        self.processes = [subprocess.Popen([sys.executable, "-m", module], stdin=subprocess.PIPE,
                                           stdout=subprocess.PIPE, cwd=ROOT, env=env) for _ in range(size)]
        for process in self.processes:
            self._answer(process)  # "ready"

    def __len__(self) -> int:
        return len(self.processes)

    def do(self, what: str, *each: dict[str, Any], **all_: Any) -> list[dict[str, Any]]:
        """Tell every process; `each` has what differs between them."""
        for n, process in enumerate(self.processes):
            order = {"do": what, **all_, **(each[n] if each else {})}
            assert process.stdin is not None
            process.stdin.write(json.dumps(order, default=str).encode() + b"\n")
            process.stdin.flush()
        return [self._answer(process) for process in self.processes]

    def _answer(self, process: subprocess.Popen[bytes]) -> dict[str, Any]:
        assert process.stdout is not None
        line = process.stdout.readline()
        if not line:
            raise RuntimeError("a worker of the bench ended")
        answer: dict[str, Any] = json.loads(line)
        return answer

    def dismiss(self) -> None:
        for process in self.processes:
            assert process.stdin is not None
            process.stdin.close()
            process.wait(20)


def pgbench(ground: Ground, script: str, clients: int, seconds: float) -> tuple[float, float]:
    """Transactions per second and mean latency in ms of a pgbench script, prepared, without touching pgbench's tables."""
    path = ground.folder / "script.sql"
    path.write_text(script)
    socket_folder = re.search(r"host=([^&]+)", ground.url)
    assert socket_folder is not None
    done = subprocess.run(
        [str(postgres.BIN / "pgbench"), "-n", "-M", "prepared", "-c", str(clients), "-j", "2", "-T", str(max(1, round(seconds))),
         "-f", str(path), "-D", "n=0", "-h", socket_folder[1], "-U", "postgres", "achterban"],
        capture_output=True, text=True)
    found = re.search(r"tps = ([0-9.]+)", done.stdout)
    failed = re.search(r"number of failed transactions: (\d+)", done.stdout)
    if not found or "aborted" in done.stderr or (failed and int(failed[1])):
        raise RuntimeError(done.stderr or done.stdout)
    latency = re.search(r"latency average = ([0-9.]+)", done.stdout)
    return float(found[1]), float(latency[1]) if latency else 0.0
