"""A load generator: a few keep-alive connections, one request in flight on each, in a process of its own.

`python -m bench.load` takes a pickled `Job` on stdin and answers JSON.
"""

import json
import pickle
import re
import selectors
import socket
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench.measure import Broken, Cell, percentile

ROOT = Path(__file__).parent.parent
PATIENCE = 120  # seconds; a worker of a busy machine takes long to start
RENEW = 64  # requests per connection, so that no worker keeps all of them
_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.I)


@dataclass
class Job:
    port: int
    requests: list[bytes]  # whole requests, sent in turn
    clients: int
    seconds: float
    repeat: bool = True  # False: each request once; the run ends when there are no more
    expect: int = 200


@dataclass
class Client:
    job: Job
    sock: socket.socket | None = None
    sent: int = 0
    began: float = 0.0
    got: bytearray = field(default_factory=bytearray)

    def send(self, request: bytes, selector: selectors.BaseSelector) -> None:
        if self.sock is None or self.sent >= RENEW:
            self.close(selector)
            self.sock = socket.create_connection(("127.0.0.1", self.job.port), timeout=PATIENCE)
            self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self.sent = 0
            selector.register(self.sock, selectors.EVENT_READ, self)
        self.sent += 1
        self.got.clear()
        self.began = time.perf_counter()
        self.sock.sendall(request)

    def close(self, selector: selectors.BaseSelector) -> None:
        if self.sock is not None:
            selector.unregister(self.sock)
            self.sock.close()
            self.sock = None

    def read(self) -> bytes | None:
        """The head of the answer once all of it is here; empty when the server closed."""
        assert self.sock is not None
        piece = self.sock.recv(262_144)
        if not piece:
            return b""
        self.got += piece
        end = self.got.find(b"\r\n\r\n")
        if end < 0:
            return None
        head = bytes(self.got[:end])
        length = _LENGTH.search(head)
        return head if len(self.got) >= end + 4 + (int(length[1]) if length else 0) else None


def run(job: Job) -> dict[str, Any]:
    selector = selectors.DefaultSelector()
    latencies: list[float] = []
    codes: dict[int, int] = {}
    waiting = iter(job.requests)
    sent = 0

    def next_request() -> bytes | None:
        nonlocal waiting, sent
        request = next(waiting, None)
        if request is None and job.repeat:
            waiting = iter(job.requests)
            request = next(waiting)
        sent += request is not None
        return request

    clients = [Client(job) for _ in range(job.clients)]
    start = time.perf_counter()
    end = start + job.seconds
    busy = 0
    for client in clients:
        if (request := next_request()) is not None:
            client.send(request, selector)
            busy += 1
    while busy:
        ready = selector.select(PATIENCE)
        if not ready:
            raise RuntimeError(f"no answer for {PATIENCE} s on port {job.port}, after {len(latencies)}")
        for key, _ in ready:
            client = key.data
            answered = client.read()
            if answered is None:
                continue
            now = time.perf_counter()
            code = int(answered[9:12] or 0)
            codes[code] = codes.get(code, 0) + 1
            latencies.append((now - client.began) * 1000)
            if not answered or b"onnection: close" in answered:
                client.close(selector)
            request = next_request() if now < end else None
            if request is None:
                busy -= 1
            else:
                client.send(request, selector)
    took = time.perf_counter() - start
    latencies.sort()
    return {"done": len(latencies), "sent": sent, "seconds": took, "codes": codes, "p50": percentile(latencies, 0.5),
            "p99": percentile(latencies, 0.99)}


def fire(job: Job) -> dict[str, Any]:
    """Run a job in a process of its own; an answer that was not expected is an error of the bench."""
    done = subprocess.run([sys.executable, "-m", "bench.load"], input=pickle.dumps(job), stdout=subprocess.PIPE,
                          cwd=ROOT, check=True)
    result: dict[str, Any] = json.loads(done.stdout)
    wrong = {code: n for code, n in result["codes"].items() if int(code) != job.expect}
    if wrong:
        raise Broken(f"answers that were not {job.expect}: {wrong}")
    return result


def rate(job: Job) -> Cell:
    """Requests per second, with latencies."""
    result = fire(job)
    return Cell(result["done"] / result["seconds"], result["p50"], result["p99"])


if __name__ == "__main__":
    print(json.dumps(run(pickle.load(sys.stdin.buffer))))
