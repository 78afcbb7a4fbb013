"""What is printed of a link: its QR code and its poster. Kept by whoever asked, and not drawn again while it is the same."""

from functools import lru_cache

from flask import Response, current_app, request
from flask_babel import gettext as _

from core.db import db
from core.errors import NotFound
from core.policy import allow
from core.web import client_address
from projects.models import Project
from sharing import kit, pace, panel, posters, words
from sharing.qr import draw_qr
from sharing.views import bp, find


@bp.get("/s/<code>.svg")
@allow("anyone")
def qr_svg(code: str) -> Response:
    return _qr(code, "svg", "image/svg+xml")


@bp.get("/s/<code>.png")
@allow("anyone")
def qr_png(code: str) -> Response:
    return _qr(code, "png", "image/png")


def _qr(text: str, kind: str, mimetype: str) -> Response:
    """It holds the code and never the word, since what is printed must work for ever."""
    found = find(text)
    response = Response(mimetype=mimetype)
    response.headers["Cache-Control"] = "public, max-age=86400"
    response.headers["Content-Disposition"] = _named(f"{found.code}.{kind}")
    if not _known(response, f"{found.code}-{kind}"):
        response.set_data(draw_qr(panel.link_url(found.code), kind))
    return response


@bp.get("/s/<code>/poster.pdf")
@allow("anyone")
def poster(code: str) -> Response:
    """A6, in the reader's language."""
    found = find(code)
    project = db.session.get(Project, found.project_id)
    if project is None:
        raise NotFound(_("There is no project at this address."))
    told = kit.disclosure_of(found.person_id, project.id) if found.person_id else ""
    what = posters.poster_of(project, panel.link_url(found.code), panel.link_url(words.word_of(found.link_id) or found.code), told)
    db.session.rollback()  # drawing takes a while, and needs no connection
    response = Response(mimetype="application/pdf")
    response.headers["Cache-Control"] = "private, max-age=600"
    response.headers["Content-Disposition"] = _named(f"{found.slug}-poster.pdf")
    if not _known(response, what.etag):
        response.set_data(_drawn(what, current_app.config["MEDIA_URL"]))
    return response


@lru_cache(32)
def _drawn(what: posters.Poster, _media: str) -> bytes:
    pace.take_turn(client_address())
    return posters.draw(what)


def _known(response: Response, etag: str) -> bool:
    """Does the reader have it? Then 304, and nothing is drawn."""
    response.set_etag(etag)
    if request.if_none_match.contains(etag):
        response.status_code = 304
        return True
    return False


def _named(name: str) -> str:
    return ("attachment" if "download" in request.args else "inline") + f'; filename="{name}"'
