"""A whole-page cache for visitors without a session: one indexed SELECT tells whether the page still stands.

It sits in front of Flask. A page is kept under (path, language, variant) with the version it was made from; the version
lives in the database, so every process sees a change at once. Pages that hold a token or a session are never kept.
"""

import hashlib
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import psycopg
import psycopg_pool
import sqlalchemy as sa
from flask import Flask, Response, g, request
from sqlalchemy.orm import mapped_column

from core.db import Base, Mapped, db
from core.i18n import COOKIE, locale_name

MOST = 2_000  # pages kept per process
SAME_PAGE = ("", "from=discover", "from=search")  # where a link stood; read from the referrer by the next page
LONGEST = 60.0  # seconds; "9 days left" grows old without any change in the database


class PageVersion(Base):
    """A number per topic (a project, the front page) that rises with every change of what its pages show."""

    __tablename__ = "page_version"

    topic: Mapped[str] = mapped_column(primary_key=True)
    version: Mapped[int] = mapped_column(server_default="1")


@dataclass(frozen=True)
class Kept:
    topic: str
    version: int
    until: float
    etag: str
    headers: list[tuple[str, str]]
    body: bytes


_BUMP = sa.text("""
    INSERT INTO page_version (topic) SELECT DISTINCT unnest(CAST(:topics AS text[])) ORDER BY 1
    ON CONFLICT (topic) DO UPDATE SET version = page_version.version + 1""")


def touch(*topics: str) -> None:
    """The pages of these topics changed: call inside the transaction that changed them."""
    db.session.execute(_BUMP, {"topics": list(topics)})


def version_of(topic: str) -> int:
    """To be read before anything else of the page, so that a change during the making is never missed."""
    found = db.session.scalar(sa.text("SELECT version FROM page_version WHERE topic = :t"), {"t": topic})
    return found or 0


class PageCache:
    """WSGI in front of the app."""

    def __init__(self, app: Flask):
        self.inner: Callable[..., Iterable[bytes]] = app.wsgi_app
        self.session_cookie = app.config["SESSION_COOKIE_NAME"] + "="
        self.share_cookie = app.config["SHARE_COOKIE_NAME"] + "="
        self.default, self.languages = app.config["BABEL_DEFAULT_LOCALE"], app.config["LANGUAGES"]
        self.kept: OrderedDict[tuple[str, str, str], Kept] = OrderedDict()
        self.lock = threading.Lock()
        self.pool: psycopg_pool.ConnectionPool[Any] | None = None
        self.app = app

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        if environ["REQUEST_METHOD"] in ("GET", "HEAD") and environ.get("QUERY_STRING", "") in SAME_PAGE:
            cookie = environ.get("HTTP_COOKIE", "")
            if self.session_cookie not in cookie and self.share_cookie not in cookie:
                kept = self.kept.get(self.key(environ))
                if kept and kept.until > time.monotonic() and self._version(kept.topic) == kept.version:
                    if environ.get("HTTP_IF_NONE_MATCH") == kept.etag:
                        start_response("304 NOT MODIFIED", [h for h in kept.headers if h[0] != "Content-Length"])
                        return [b""]
                    start_response("200 OK", kept.headers)
                    return [kept.body if environ["REQUEST_METHOD"] == "GET" else b""]
        return self.inner(environ, start_response)

    def key(self, environ: dict[str, Any]) -> tuple[str, str, str]:
        """Path, host and language; a host that is not ours is refused by the app, so nothing is ever kept for it."""
        language = self._language(environ, environ.get("HTTP_COOKIE", ""))
        return environ["PATH_INFO"], environ.get("HTTP_HOST", ""), language

    def _language(self, environ: dict[str, Any], cookie: str) -> str:
        for part in cookie.split("; ") if cookie else ():
            if part.startswith(f"{COOKIE}=") and part[len(COOKIE) + 1:] in self.languages:
                return part[len(COOKIE) + 1:]
        # The exact header, not its meaning: parsing belongs to the inner app, and browsers send few of them.
        return "accept:" + environ.get("HTTP_ACCEPT_LANGUAGE", "")[:80]

    def _version(self, topic: str) -> int:
        if self.pool is None:
            with self.lock:
                if self.pool is None:
                    from core.postgres import conninfo

                    self.pool = psycopg_pool.ConnectionPool(
                        conninfo(self.app), min_size=1, max_size=4, open=True, timeout=3,
                        kwargs={"autocommit": True, "prepare_threshold": 1}, name="pages")
        for is_again in (False, True):
            try:
                with self.pool.connection() as connection:
                    row = connection.execute("SELECT version FROM page_version WHERE topic = %s", (topic,)).fetchone()
                return row[0] if row else 0
            except psycopg.OperationalError:
                if not is_again:
                    self.pool.check()  # the server was started anew: what waits in the pool is as dead
        return -1  # no page has this version: the app makes it, or says what is wrong

    def keep(self, key: tuple[str, str, str], page: Kept) -> None:
        with self.lock:
            self.kept[key] = page
            self.kept.move_to_end(key)
            while len(self.kept) > MOST:
                self.kept.popitem(last=False)


def cacheable(topic: str, version: int) -> None:
    """Say, in a view, that this answer may be kept for visitors without a session as long as `topic` stays."""
    g.page_topic, g.page_made_from = topic, version


def init_app(app: Flask) -> None:
    cache = PageCache(app)
    app.extensions["page_cache"] = cache

    @app.after_request
    def keep(response: Response) -> Response:
        topic = g.get("page_topic")
        if topic is None or request.method != "GET" or response.status_code != 200 or request.args:
            return response
        if response.headers.getlist("Set-Cookie") or cache.session_cookie in request.headers.get("Cookie", "") \
                or cache.share_cookie in request.headers.get("Cookie", ""):
            return response
        body = response.get_data()
        etag = f'"{hashlib.sha256(body).hexdigest()[:24]}"'
        response.headers["ETag"] = etag
        response.headers["Cache-Control"] = "private, max-age=0, must-revalidate"
        response.vary.update(("Cookie", "Accept-Language"))
        g.pop("request_id", None)  # a kept page belongs to no request
        headers = [(name, value) for name, value in response.headers.items() if name not in ("X-Request-Id", "Date")]
        cache.keep(cache.key(request.environ), Kept(topic, g.page_made_from, time.monotonic() + LONGEST, etag, headers, body))
        return response

    app.wsgi_app = cache  # type: ignore[method-assign]


__all__ = ["PageVersion", "cacheable", "locale_name", "touch", "version_of"]
