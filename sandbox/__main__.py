"""`python -m sandbox`: one process, settings from the environment, ends at once on SIGTERM."""

from __future__ import annotations

import asyncio
import gc
import os
import signal
import socket
import sys
import threading
import time
from typing import Any

from granian.constants import Interfaces
from granian.http import HTTP1Settings
from granian.server.embed import Server

from . import clock, idempotency, limits, origin, server, webhooks
from .store import store


def taken(host: str, port: int) -> bool:
    """Granian shares ports on purpose (SO_REUSEPORT), so ask without sharing."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
            probe.listen(1)
        except OSError:
            return True
    return False


def tick() -> None:
    """Timers fire by the clock, not only when somebody asks."""
    while True:
        time.sleep(0.25)
        with store.lock:
            clock.run_due()
            store.commit()


def configure(env: dict[str, str]) -> None:
    hook = webhooks.endpoint
    hook.url, hook.secret = env.get("SANDBOX_WEBHOOK_URL", ""), env.get("SANDBOX_WEBHOOK_SECRET", "")
    hook.thin_url = env.get("SANDBOX_THIN_WEBHOOK_URL", "")
    hook.thin_secret = env.get("SANDBOX_THIN_WEBHOOK_SECRET", "")
    limits.windows.set(float(env.get("SANDBOX_RATE") or 0), float(env.get("SANDBOX_RATE_GLOBAL") or 0))
    server.settings.strict = env.get("SANDBOX_STRICT", "1") != "0"
    store.open(env.get("SANDBOX_STATE"))
    idempotency.forget_old()
    clock.run_due()
    store.commit()


async def serve(host: str, port: int) -> None:
    target: Any = server.app
    granian = Server(
        target,
        address=host,
        port=port,
        interface=Interfaces.RSGI,
        websockets=False,
        log_enabled=False,
        http1_settings=HTTP1Settings(keep_alive=True),
    )
    loop = asyncio.get_running_loop()
    for name in (signal.SIGTERM, signal.SIGINT):
        # nothing to finish: every answered request is in the journal already
        loop.add_signal_handler(name, os._exit, 0)
    await granian.serve()


def main() -> int:
    env = dict(os.environ)
    # What the store holds it holds for good. To look through all of it for garbage stops the sandbox for a tenth of a
    # second, after which those who kept the pace that it allows stand at its door together. Young garbage goes as ever.
    gc.set_threshold(*gc.get_threshold()[:2], 1_000_000)
    host = env.get("SANDBOX_HOST") or "127.0.0.1"
    port = int(env.get("SANDBOX_PORT") or 12111)
    if taken(host, port):
        print(f"sandbox: port {port} on {host} is taken; set SANDBOX_PORT.", file=sys.stderr)
        return 2
    shown = f"[{host}]" if ":" in host else host
    origin.set_origin(env.get("SANDBOX_PUBLIC_URL") or f"http://{shown}:{port}")
    try:
        configure(env)
    except OSError as error:
        print(f"sandbox: cannot use SANDBOX_STATE: {error}", file=sys.stderr)
        return 2
    for _ in range(2):
        webhooks.Postman().start()
    webhooks.resume()
    threading.Thread(target=tick, daemon=True, name="clock").start()
    asyncio.run(serve(host, port))
    return 0


if __name__ == "__main__":
    sys.exit(main())
