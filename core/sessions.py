"""Sessions on the server, in PostgreSQL: revocable, rotated, and none at all for anonymous visitors (W-01, W-02).

The cookie carries a random id; the table keeps its hash, so a stolen dump opens nothing. A request without the cookie
asks the database nothing.
"""

import hashlib
import secrets
from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from flask import Flask, Request, Response, g
from flask.json.tag import TaggedJSONSerializer
from flask.sessions import SessionInterface, SessionMixin
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.orm import mapped_column
from werkzeug.datastructures import CallbackDict

from core.db import Base, Born, Mapped, ask, db

_json = TaggedJSONSerializer()
READ_ONLY = "25006"  # SQLSTATE read_only_sql_transaction
WITHOUT = ("/static/", "/bootstrap/static/", "/media/")  # files are the same for everybody: no look at the table


class WebSession(Base):
    """One signed-in (or signing-in) browser."""

    __tablename__ = "web_session"

    id_hash: Mapped[bytes] = mapped_column(sa.LargeBinary, primary_key=True)
    person_id: Mapped[UUID | None] = mapped_column(index=True)
    content: Mapped[str]
    created_at: Mapped[Born]
    seen_at: Mapped[Born] = mapped_column(index=True)
    authenticated_at: Mapped[datetime | None]


class StoredSession(CallbackDict[str, Any], SessionMixin):
    def __init__(self, content: dict[str, Any] | None, sid: str | None):
        def changed(_: Any) -> None:
            self.modified = True

        super().__init__(content or {}, changed)
        self.sid, self.new, self.modified = sid, sid is None, False
        self.stale = self.accessed = self.fresh_sid = False
        self.dead: list[str] = []
        self.beside: Any = None  # what was read with it

    def rotate(self) -> None:
        """A new id for the same session: at sign-in and at every gain of rights."""
        if self.sid:
            self.dead.append(self.sid)
        self.sid, self.modified = None, True


def _hash(sid: str) -> bytes:
    return hashlib.sha256(sid.encode()).digest()


_READ = """
    SELECT s.content AS session_content, s.seen_at < clock_now() - interval '5 minutes' AS session_stale{columns}
      FROM web_session s{join}
     WHERE s.id_hash = :id AND s.seen_at > clock_now() - CAST(:idle AS interval)
       AND s.created_at > clock_now() - CAST(:absolute AS interval)"""
_read = sa.text(_READ.format(columns="", join=""))
_WRITE = sa.text("""
    INSERT INTO web_session (id_hash, person_id, content, authenticated_at)
    VALUES (:id, :person, :content, CASE WHEN CAST(:person AS uuid) IS NULL THEN NULL ELSE clock_now() END)""")
# A session that was ended elsewhere in the meantime stays ended: no insert here.
_KEEP = sa.text("""
    UPDATE web_session SET content = :content, person_id = :person, seen_at = clock_now() WHERE id_hash = :id""")
_TOUCH = sa.text("UPDATE web_session SET seen_at = clock_now() WHERE id_hash = :id")
_DROP = sa.text("DELETE FROM web_session WHERE id_hash = :id")


def read_beside(table: sa.Table) -> None:
    """A room above keeps its people in this table: their row comes with their session, as `session.beside`."""
    global _read
    # Each column by name: a prepared `*` would fail on the day a migration adds one.
    columns = "".join(f", b.{column.name}" for column in table.columns)
    _read = sa.text(_READ.format(columns=columns, join=f" LEFT JOIN {table.name} b ON b.id = s.person_id"))


class StoredSessions(SessionInterface):
    """Flask's door to the table."""

    def open_session(self, app: Flask, request: Request) -> StoredSession:
        sid = request.cookies.get(app.config["SESSION_COOKIE_NAME"])
        if not sid or len(sid) > 100 or request.path.startswith(WITHOUT):
            return StoredSession(None, None)
        try:
            rows = ask(_read, id=_hash(sid), idle=app.config["SESSION_IDLE"], absolute=app.config["SESSION_ABSOLUTE"])
        except SQLAlchemyError as error:
            g.unread = error  # here Flask has no page for it yet; the request itself says so, before anything is done
            return StoredSession(None, None)
        if not rows:
            return StoredSession(None, None)
        session = StoredSession(_json.loads(rows[0].session_content), sid)
        session.stale, session.beside = rows[0].session_stale, rows[0]
        return session

    def save_session(self, app: Flask, session: Any, response: Response) -> None:
        name = app.config["SESSION_COOKIE_NAME"]
        if session.accessed or session.modified or session.sid:
            response.vary.add("Cookie")
        gone = list(session.dead)
        if not session and session.sid:
            gone.append(session.sid)
        if not session and gone:  # emptied, or emptied and rotated: signed out
            response.delete_cookie(name, path="/", secure=app.config["SESSION_COOKIE_SECURE"], httponly=True,
                                   samesite="Lax")
        if not (gone or session.modified or session.stale):
            return
        try:
            self._store(session, gone)
        except DBAPIError as error:
            # A read-only database (maintenance, a replica) keeps no sessions; pages are still served.
            if getattr(error.orig, "sqlstate", "") != READ_ONLY:
                raise
            return
        if session and session.fresh_sid:
            response.set_cookie(name, session.sid, path="/", httponly=True, samesite="Lax",
                                secure=app.config["SESSION_COOKIE_SECURE"],
                                max_age=int(app.config["SESSION_ABSOLUTE"].total_seconds()))

    @staticmethod
    def _store(session: Any, gone: list[str]) -> None:
        """Its own short transaction, after the view's: a session outlives whatever the view did or undid."""
        with db.engine.begin() as connection:
            for sid in gone:
                connection.execute(_DROP, {"id": _hash(sid)})
            if session and session.modified:
                session.fresh_sid = session.sid is None
                session.sid = session.sid or secrets.token_urlsafe(32)
                connection.execute(_WRITE if session.fresh_sid else _KEEP, {
                    "id": _hash(session.sid), "person": session.get("_person"), "content": _json.dumps(dict(session))})
            elif session and session.stale:
                connection.execute(_TOUCH, {"id": _hash(session.sid)})


def end_sessions(person_id: UUID, *, but: str | None = None) -> None:
    """Sign this person out everywhere (but for one session id): after a new password, a ban, a request."""
    db.session.execute(
        sa.text("DELETE FROM web_session WHERE person_id = :person AND id_hash <> :keep"),
        {"person": person_id, "keep": _hash(but) if but else b""})


def init_app(app: Flask) -> None:
    app.session_interface = StoredSessions()

    @app.before_request
    def unread() -> None:
        if "unread" in g:
            raise g.unread
