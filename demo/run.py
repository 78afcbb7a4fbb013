"""`make demo`: PostgreSQL, migrations, content, then web, worker and sandbox together until told to stop."""

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import psycopg
from honcho.environ import parse_procfile
from honcho.manager import Manager
from honcho.printer import Printer

import config
from core import migrate, postgres

ROOT = Path(__file__).parent.parent


def fail(sentence: str) -> None:
    print(f"achterban: {sentence}", file=sys.stderr)
    raise SystemExit(2)


def check_port(name: str, port: int) -> None:
    """A taken port is one clear line, before anything is started."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            fail(f"port {port} is taken; choose another one: make demo {name}={port + 1}")


def environment(settings: dict[str, object]) -> dict[str, str]:
    """What the processes are told: the embedded database's address, and a sandbox that reports to this site."""
    instance = Path(str(settings["INSTANCE"]))
    env = dict(os.environ)
    env["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{env.get('PATH', '')}"
    env["PYTHONUNBUFFERED"] = "1"
    if not settings["DATABASE_URL"]:
        env["DATABASE_URL"] = postgres.ensure_running(instance / "postgres")
        env.setdefault("DB_ROLE", "achterban_app")
    env.setdefault("PORT", str(settings["PORT"]))
    env.setdefault("SANDBOX_PORT", "12111")
    env["SANDBOX_STATE"] = str(instance / "sandbox")
    env["SANDBOX_WEBHOOK_URL"] = f"http://127.0.0.1:{settings['PORT']}/webhooks/stripe"
    env["SANDBOX_THIN_WEBHOOK_URL"] = env["SANDBOX_WEBHOOK_URL"]
    env["SANDBOX_WEBHOOK_SECRET"] = config.SANDBOX_SECRET
    return env


def seed(env: dict[str, str]) -> None:
    """Fill an empty database, through the services and against the sandbox, so that all of it is real."""
    with psycopg.connect(env["DATABASE_URL"]) as connection:  # a later start has no seconds for this
        if connection.execute("SELECT EXISTS (SELECT FROM project)").fetchone() == (True,):
            return
    sandbox = subprocess.Popen([sys.executable, "-m", "sandbox"], cwd=ROOT, env=env | {"SANDBOX_WEBHOOK_URL": "",
                                                                                       "SANDBOX_THIN_WEBHOOK_URL": ""})
    try:
        for _ in range(200):
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", int(env["SANDBOX_PORT"]))) == 0:
                    break
            time.sleep(0.05)
        done = subprocess.run([sys.executable, "-m", "flask", "--app", "app", "demo", "seed"], cwd=ROOT, env=env)
        if done.returncode:
            fail("the demo's content could not be made; the lines above say why")
    finally:
        sandbox.terminate()
        sandbox.wait(10)


def main() -> None:
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that what is started here is stopped on the way out
    os.chdir(ROOT)
    try:
        settings = config.load()
    except config.Refused as refused:
        fail(refused.sentence)
    if settings["ENV_NAME"] == "production":
        fail("the demo does not run in production; see README.md, Going to production")
    sandboxed = settings["STRIPE_SECRET_KEY"] == config.SANDBOX_KEY
    check_port("PORT", settings["PORT"])
    if sandboxed:
        check_port("SANDBOX_PORT", int(os.environ.get("SANDBOX_PORT") or 12111))
    env = environment(settings)
    migrate.upgrade(env["DATABASE_URL"])
    if sandboxed:
        seed(env)
    manager = Manager(Printer(sys.stdout))
    procfile = parse_procfile((ROOT / "Procfile").read_text())
    for name, command in procfile.processes.items():
        if name != "sandbox" or sandboxed:
            manager.add_process(name, command, env=env, cwd=str(ROOT))
    welcome(settings["BASE_URL"])
    manager.loop()
    sys.exit(0 if (manager.returncode or 0) in (0, 130, 143, -15, -2) else 1)


def welcome(base_url: str) -> None:
    from demo.stories import ACCOUNTS, PASSWORD

    print(f"\n  Achterban runs at {base_url}\n  Tools of the demo (mailbox, clock, Stripe): {base_url}/demo\n", flush=True)
    for role, email in ACCOUNTS.items():
        print(f"  {role:<10} {email:<32} {PASSWORD}", flush=True)
    print("\n  Card that works: 4242 4242 4242 4242, any date ahead, any code. Ctrl-C stops everything.\n", flush=True)


if __name__ == "__main__":
    main()
