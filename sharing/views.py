"""The short links: where they lead, and what the browser remembers of them."""

from uuid import UUID

from flask import Blueprint, Response, current_app, g, make_response, redirect, request, url_for
from flask_babel import gettext as _
from flask_login import current_user

from core import clock
from core.errors import NotFound
from core.policy import allow
from core.web import client_address
from projects.models import Project
from sharing import cookie, ears, landing, queries, visits
from sharing.queries import Found

bp = Blueprint("sharing", __name__)


def find(text: str) -> Found:
    found = queries.find_link(text)
    if found is None:
        raise NotFound(_("This sharing link leads nowhere. It may have a typing error, or the project is not public. "
                         "Have a look at what is on now."))
    return found


def _remember(response: Response, project_id: UUID, via: cookie.Via) -> None:
    response.set_cookie(**cookie.header(ears.remembered() | {project_id: via}))


def _has_session() -> bool:
    return current_app.config["SESSION_COOKIE_NAME"] in request.cookies


@bp.get("/s/<code>")
@allow("anyone")
def follow(code: str) -> Response:
    """To the project, remembering whose link it was. Of GET only the count writes, and it may fail (W-06).

    Most visitors are answered in front of Flask by `shortcut`; here come those who are signed in, robots, and bad codes.
    """
    found = find(code)
    if visits.ROBOT.search(request.user_agent.string):  # makes a preview: keeps no cookie, and is nobody's visit
        return landing.preview_page(found)
    if cookie.is_declined(request.headers):  # nothing is kept: the code in the address is all
        return make_response(redirect(url_for("projects.show", slug=found.slug, via=found.code), 303))
    response = make_response(redirect(url_for("projects.show", slug=found.slug), 303))
    if request.method == "HEAD" or (_has_session() and current_user.is_authenticated
                                    and current_user.id == found.person_id):
        return response
    visits.note_visit(found, client_address(), request.user_agent.string, request.headers)
    known = ears.remembered().get(found.project_id, cookie.Via())
    _remember(response, found.project_id, known.came(found.code, clock.now(), found.utm | cookie.marks_of(request.args)))
    return response


@bp.get("/s/none/<slug>")
@allow("project:see")
def leave(slug: str) -> Response:
    """“I came by myself”: only this browser's cookie says so; the account follows at the next thing it does."""
    project: Project = g.subject
    response = make_response(redirect(url_for("projects.show", slug=slug), 303))
    known = project.id in ears.remembered() or _has_session()
    if known and not cookie.is_declined(request.headers) \
            and request.headers.get("Sec-Fetch-Site", "same-origin") in ("same-origin", "none"):
        _remember(response, project.id, cookie.Via().left(clock.now()))
    return response
