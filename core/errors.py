"""A refusal carries its sentence; one handler shows it. Anything else is a bug: 500 and a line in the log."""

import psycopg
import sqlalchemy as sa
import structlog
from flask import Flask, Response, g, jsonify, make_response, render_template, request
from flask_wtf.csrf import CSRFError
from werkzeug.exceptions import HTTPException

from core.db import db
from core.states import IllegalMove

log = structlog.get_logger()
# What PostgreSQL says when it is not reached, has no room for one more, or is on its way up or down.
AWAY = ("08", "53", "57P")
AGAIN_AFTER = "10"  # seconds: a server that was started anew is back by then


class Refusal(Exception):
    """The request is understood and not granted; the sentence says why and what to do next."""

    status = 409

    def __init__(self, sentence: str, field: str | None = None):
        super().__init__(sentence)
        self.sentence, self.field = sentence, field


class BadInput(Refusal):
    """What was typed cannot be used; `field` says where the sentence belongs."""

    status = 422


class NotFound(Refusal):
    status = 404


class NotAllowed(Refusal):
    status = 403


class TooOften(Refusal):
    status = 429


class Unavailable(Refusal):
    """Somebody we depend on does not answer; nothing was lost and the same act may be tried again."""

    status = 503


def page(status: int, sentence: str) -> Response:
    """The error page for a person, or the same as JSON for a program."""
    number = status if status in (400, 401, 403, 404, 409, 413, 429, 500, 503) else 400 if status < 500 else 500
    if request.accept_mimetypes.best == "application/json":
        response = jsonify(error=sentence, request_id=g.get("request_id"))
    else:
        response = make_response(
            render_template(f"errors/{number}.html", sentence=sentence, request_id=g.get("request_id")))
    response.status_code = status
    if status == 503:
        response.headers["Retry-After"] = AGAIN_AFTER
    return response


def is_away(error: BaseException) -> bool:
    """No connection came free in time (O-16), or the database does not answer: no bug of the page, and soon over."""
    cause = error.orig if isinstance(error, sa.exc.DBAPIError) else error
    if isinstance(cause, psycopg.OperationalError):
        return cause.sqlstate is None or cause.sqlstate.startswith(AWAY)  # none: nobody there to name a state
    return isinstance(error, sa.exc.TimeoutError)


def is_unwritable(error: BaseException) -> bool:
    """A text with a NUL in it, which no keyboard types and no column takes: what was sent is wrong, not the page."""
    cause = error.orig if isinstance(error, sa.exc.DBAPIError) else error
    return isinstance(cause, psycopg.DataError) and "NUL (0x00)" in str(cause)


def away(error: BaseException) -> Response:
    """The page for it asks the database nothing."""
    from flask_babel import gettext as _

    db.session.rollback()
    log.error("database away", error=type(error).__name__, rule=str(request.url_rule))
    sentence = _("The site cannot reach its records at this moment. Wait a few seconds and try again. If you sent "
                 "something, look first whether it arrived: what arrived counts once.")
    return page(503, sentence)


def init_app(app: Flask) -> None:
    @app.errorhandler(Refusal)
    def refused(refusal: Refusal) -> Response:
        db.session.rollback()
        return page(refusal.status, refusal.sentence)

    @app.errorhandler(IllegalMove)
    def too_late(error: IllegalMove) -> Response:
        from flask_babel import gettext as _

        db.session.rollback()
        log.info("illegal move", error=str(error))
        return page(409, _("Something changed in the meantime. Look at the page again before you go on."))

    @app.errorhandler(CSRFError)
    def forged(error: CSRFError) -> Response:
        from flask_babel import gettext as _

        return page(400, _("This form is too old or came from elsewhere. Go back, reload the page and send it again."))

    @app.errorhandler(HTTPException)
    def http(error: HTTPException) -> Response:
        if error.response is not None:
            return error.response  # type: ignore[return-value]
        response = page(error.code or 500, "")
        if hasattr(error, "valid_methods") and error.valid_methods:
            response.headers["Allow"] = ", ".join(error.valid_methods)
        return response

    @app.errorhandler(Exception)
    def bug(error: Exception) -> Response:
        if is_away(error):
            return away(error)
        db.session.rollback()
        if is_unwritable(error):
            from flask_babel import gettext as _

            return page(400, _("What you sent holds a sign that no text can have. Take it out, then send it again."))
        log.exception("unhandled", rule=str(request.url_rule))  # a path may hold a token
        if app.config["TESTING"] and app.config.get("PROPAGATE_BUGS", True):
            raise error
        return page(500, "")
