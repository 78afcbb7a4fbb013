"""Doors in front of Flask, for the few addresses that many knock at.

A door answers the plain case itself, without session, routing or hooks. Whatever is odd goes on to the view of the same
address, which does the same and more.
"""

import uuid
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from typing import Any

from flask import Flask
from werkzeug.middleware.proxy_fix import ProxyFix
from werkzeug.sansio.utils import host_is_trusted

Environ = dict[str, Any]
Start = Callable[..., Any]


class Door(ABC):
    """WSGI in front of everything. A door says what it `takes` and how to `answer` it."""

    def __init__(self, app: Flask):
        self.app = app
        self.inner: Callable[[Environ, Start], Iterable[bytes]] = app.wsgi_app
        self.trusted = app.config["TRUSTED_HOSTS"]
        self.hosts: set[str] = set()  # known to be ours
        hops = app.config["PROXY_HOPS"]
        # The same fix as the app's: applied twice, it says the same.
        self.quick: Callable[[Environ, Start], Iterable[bytes]] = \
            ProxyFix(self.answer, x_for=hops, x_proto=hops, x_host=hops) if hops else self.answer

    def __call__(self, environ: Environ, start_response: Start) -> Iterable[bytes]:
        return (self.quick if self.takes(environ) else self.inner)(environ, start_response)

    @abstractmethod
    def takes(self, environ: Environ) -> bool:
        """Is this a request for us?"""

    @abstractmethod
    def answer(self, environ: Environ, start_response: Start) -> Iterable[bytes]:
        """Answer, or give it to `inner` with its body unread."""

    def headers(self, body: bytes) -> list[tuple[str, str]]:
        """What every answer of ours has, for this plain text."""
        return [("Content-Type", "text/plain; charset=utf-8"), ("Content-Length", str(len(body))),
                *self.app.extensions["standing_headers"].items(), ("X-Request-Id", uuid.uuid4().hex[:16])]

    def is_ours(self, host: str) -> bool:
        if host in self.hosts:
            return True
        if not host or (self.trusted and not host_is_trusted(host, self.trusted)):
            return False
        if len(self.hosts) < 100:
            self.hosts.add(host)
        return True
