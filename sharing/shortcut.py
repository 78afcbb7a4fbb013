"""`/s/<code>` for the many: answered in front of Flask, without session, routing or statement.

Who is answered here has no session, is a person by what the browser says, and comes by a code that this process has
looked up within the last minute or finds now. Everybody else, and whatever is odd, goes on to the view `sharing.follow`,
which does the same and more.
"""

import re
from collections.abc import Iterable
from typing import Any
from urllib.parse import parse_qsl

from flask import Flask
from sqlalchemy.exc import SQLAlchemyError
from werkzeug.http import parse_cookie

from core import clock
from core.front import Door, Environ, Start
from core.web import network_of
from sharing import cookie, queries, visits

_PATH = re.compile(r"/s/([A-Za-z0-9-]{3,40})")
_BODY = b"See the project.\n"


class _Headings:
    """A WSGI environment, read as headers."""

    __slots__ = ("environ",)

    def __init__(self, environ: dict[str, Any]):
        self.environ = environ

    def get(self, key: str, /) -> str | None:
        found: str | None = self.environ.get("HTTP_" + key.upper().replace("-", "_"))
        return found


class ShortLinks(Door):
    """See above."""

    def __init__(self, app: Flask):
        super().__init__(app)
        self.session_cookie = app.config["SESSION_COOKIE_NAME"] + "="
        self.share_cookie = app.config["SHARE_COOKIE_NAME"]

    def takes(self, environ: Environ) -> bool:
        return bool(environ["PATH_INFO"].startswith("/s/") and environ["REQUEST_METHOD"] == "GET")

    def answer(self, environ: Environ, start_response: Start) -> Iterable[bytes]:
        path = _PATH.fullmatch(environ["PATH_INFO"])
        jar, headings = environ.get("HTTP_COOKIE", ""), _Headings(environ)
        agent = environ.get("HTTP_USER_AGENT", "")
        if path is None or self.session_cookie in jar or not self.is_ours(environ.get("HTTP_HOST", "")) \
                or not visits.is_person(agent, headings):
            return self.inner(environ, start_response)
        with self.app.app_context():
            try:
                found = queries.find_link(path[1])
            except SQLAlchemyError:
                found = None
            if found is None:
                return self.inner(environ, start_response)
            headers = [("Location", f"/projects/{found.slug}"), ("Vary", "Cookie"), *self.headers(_BODY)]
            if cookie.is_declined(headings):  # nothing is kept: the code in the address is all
                headers[0] = ("Location", f"/projects/{found.slug}?via={found.code}")
            else:
                visits.note_visit(found, network_of(environ.get("REMOTE_ADDR", "")), agent, headings)
                memory = cookie.read(parse_cookie(jar).get(self.share_cookie)) if self.share_cookie in jar else {}
                query = environ.get("QUERY_STRING")
                utm = found.utm | cookie.marks_of(dict(parse_qsl(query[:2_000], max_num_fields=50))) \
                    if query and query.count("&") < 50 else found.utm
                known = memory.get(found.project_id) or cookie.Via()
                memory[found.project_id] = known.came(found.code, clock.now(), utm)
                headers.append(("Set-Cookie", cookie.line(memory)))
        start_response("303 SEE OTHER", headers)
        return [_BODY]


def init_app(app: Flask) -> None:
    app.wsgi_app = ShortLinks(app)  # type: ignore[method-assign]
