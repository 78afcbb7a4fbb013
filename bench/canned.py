"""`python -m bench.canned PORT`: answers every call with an open Checkout Session at once, so that Stripe costs next to
nothing where Stripe's time is to be left out. It is no stand-in for the sandbox: it knows nothing and checks nothing."""

import asyncio
import contextlib
import itertools
import json
import re
import sys

_count = itertools.count(1)
_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.I)


def answer() -> bytes:
    n = next(_count)
    body = json.dumps({
        "id": f"cs_test_bench{n}", "object": "checkout.session", "status": "open", "mode": "setup", "livemode": False,
        "url": f"https://checkout.stripe.com/c/pay/cs_test_bench{n}", "setup_intent": f"seti_bench{n}",
        "customer": "cus_bench", "client_reference_id": None}).encode()
    return (b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nRequest-Id: req_bench\r\nContent-Length: "
            + str(len(body)).encode() + b"\r\n\r\n" + body)


class Canned(asyncio.Protocol):
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport, self.got = transport, b""

    def data_received(self, piece: bytes) -> None:
        self.got += piece
        end = self.got.find(b"\r\n\r\n")
        if end < 0:
            return
        length = _LENGTH.search(self.got[:end])
        if len(self.got) >= end + 4 + (int(length[1]) if length else 0):
            self.got = b""
            self.transport.write(answer())


async def serve(port: int) -> None:
    server = await asyncio.get_running_loop().create_server(Canned, "127.0.0.1", port)
    await server.serve_forever()


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(serve(int(sys.argv[1])))
