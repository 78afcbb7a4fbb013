"""Start a sandbox from a test: a process of its own on a free port, stopped with `stop()`."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@dataclass
class Sandbox:
    """A running sandbox: `url` for StripeClient's base_addresses, `call` for the control API."""

    url: str
    process: subprocess.Popen[bytes]
    env: dict[str, str] = field(repr=False, default_factory=dict)

    def call(self, method: str, path: str, body: Any = None) -> Any:
        """`sandbox.call("POST", "clock", {"advance": 3600})`; a refusal raises with the server's words."""
        payload = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"{self.url}/_sandbox/{path}", payload, method=method)  # noqa: S310
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:  # noqa: S310
                return json.load(answer)
        except urllib.error.HTTPError as error:
            raise RuntimeError(f"{method} {path}: {error.code} {error.read().decode()}") from None

    def get(self, path: str) -> Any:
        return self.call("GET", path)

    def post(self, path: str, **body: Any) -> Any:
        return self.call("POST", path, body)

    def stop(self) -> None:
        self.process.terminate()
        try:
            self.process.wait(5)
        except subprocess.TimeoutExpired:
            self.kill()

    def kill(self) -> None:
        """kill -9, as a crash would."""
        self.process.kill()
        self.process.wait(5)


def start(
    port: int | None = None,
    state: str | os.PathLike[str] | None = None,
    webhook_url: str = "",
    webhook_secret: str = "whsec_sandbox",  # noqa: S107
    thin_webhook_url: str = "",
    wait: float = 20.0,
    **more: str,
) -> Sandbox:
    """Start and wait until it answers. `more` are further SANDBOX_ variables, e.g. `SANDBOX_RATE="25"`."""
    port = port or free_port()
    env = {**os.environ, "SANDBOX_PORT": str(port), "SANDBOX_HOST": "127.0.0.1", "SANDBOX_STATE": str(state or "")}
    env |= {"SANDBOX_WEBHOOK_URL": webhook_url, "SANDBOX_WEBHOOK_SECRET": webhook_secret}
    env |= {"SANDBOX_THIN_WEBHOOK_URL": thin_webhook_url, "SANDBOX_PUBLIC_URL": "", **more}
    process = subprocess.Popen([sys.executable, "-m", "sandbox"], cwd=ROOT, env=env)
    sandbox = Sandbox(f"http://127.0.0.1:{port}", process, env)
    end = time.monotonic() + wait
    while time.monotonic() < end:
        if process.poll() is not None:
            raise RuntimeError(f"The sandbox ended with code {process.returncode}.")
        try:
            sandbox.get("health")
            return sandbox
        except OSError:
            time.sleep(0.02)
    sandbox.kill()
    raise RuntimeError("The sandbox did not answer in time.")
