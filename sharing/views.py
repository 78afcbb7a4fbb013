"""The short links, their QR codes, a person's sharing page and the organiser's table."""

import io
from uuid import UUID

import segno
from flask import Blueprint, Response, current_app, g, make_response, redirect, render_template, request, url_for
from flask_babel import gettext as _
from flask_login import current_user

from core import clock
from core.errors import NotFound
from core.policy import allow
from core.web import client_address
from projects.models import Project
from projects.queries import card
from sharing import cookie, ears, panel, queries, services, visits
from sharing.codes import read_code
from sharing.forms import MakeLinkForm
from sharing.queries import Found, Source

bp = Blueprint("sharing", __name__)
PER_PAGE = 50
IN_TREE, ON_BRANCH = 5, 4


def _find(text: str) -> Found:
    code = read_code(text)
    found = queries.find_link(code) if code else None
    if found is None:
        raise NotFound(_("This sharing link leads nowhere. It may have a typing error, or the project is not public. "
                         "Have a look at what is on now."))
    return found


def _remember(response: Response, project_id: UUID, code: str) -> None:
    memory = ears.remembered()
    memory[project_id] = cookie.Via(code, clock.now())
    config = current_app.config
    response.set_cookie(
        config["SHARE_COOKIE_NAME"], cookie.write(memory), path="/", httponly=True, samesite="Lax",
        max_age=int(cookie.lifetime().total_seconds()), secure=config["SESSION_COOKIE_SECURE"])


def _has_session() -> bool:
    return current_app.config["SESSION_COOKIE_NAME"] in request.cookies


@bp.get("/s/<code>")
@allow("anyone")
def follow(code: str) -> Response:
    """To the project, remembering whose link it was. Of GET only the count writes, and it may fail (W-06)."""
    found = _find(code)
    response = make_response(redirect(url_for("projects.show", slug=found.slug), 303))
    if request.method == "HEAD" or (_has_session() and current_user.is_authenticated
                                    and current_user.id == found.person_id):
        return response
    visits.note_visit(found, client_address(), request.user_agent.string, request.headers)
    _remember(response, found.project_id, found.code)
    return response


@bp.get("/s/<code>.svg")
@allow("anyone")
def qr_svg(code: str) -> Response:
    return _qr(code, "svg", "image/svg+xml")


@bp.get("/s/<code>.png")
@allow("anyone")
def qr_png(code: str) -> Response:
    return _qr(code, "png", "image/png")


def _qr(text: str, kind: str, mimetype: str) -> Response:
    found = _find(text)
    response = Response(mimetype=mimetype)
    response.set_etag(f"{found.code}-{kind}")
    response.headers["Cache-Control"] = "public, max-age=86400"
    response.headers["Content-Disposition"] = f'inline; filename="{found.code}.{kind}"'
    if not request.if_none_match.contains(f"{found.code}-{kind}"):
        response.set_data(draw_qr(panel.link_url(found.code), kind))
    else:
        response.status_code = 304
    return response


def draw_qr(content: str, kind: str) -> bytes:
    """Dark on white with its quiet zone, in both schemes and on paper."""
    out = io.BytesIO()
    segno.make(content, error="m", micro=False).save(
        out, kind=kind, scale=8, border=4, dark="#1A1613", light="#FFFFFF")
    return out.getvalue()


@bp.get("/s/none/<slug>")
@allow("project:see")
def leave(slug: str) -> Response:
    """“I came by myself”: only this browser's cookie says so; the account follows at the next thing it does."""
    project: Project = g.subject
    response = make_response(redirect(url_for("projects.show", slug=slug), 303))
    known = project.id in ears.remembered() or _has_session()
    if known and request.headers.get("Sec-Fetch-Site", "same-origin") in ("same-origin", "none"):
        _remember(response, project.id, "")
    return response


@bp.route("/projects/<slug>/share", methods=["GET", "POST"])
@allow("sharing:share")
def share(slug: str) -> str | Response:
    """Your link for this project and what came of it; made by a button, because looking changes nothing."""
    project: Project = g.subject
    form = MakeLinkForm()
    if form.validate_on_submit():
        services.link_of(current_user.id, project)
        return make_response(redirect(url_for("sharing.share", slug=slug), 303))
    link = queries.link_between(current_user.id, project.id)
    pledge = queries.standing_pledge(current_user.id, project.id)
    mine = panel.panel_of(link, project, number=pledge.number if pledge else None,
                          pledge_id=pledge.id if pledge else None) if link else None
    return render_template("sharing/share.html", project=project, pledge=pledge, share=mine, form=form,
                           project_card=card(project.id))


@bp.get("/projects/<slug>/recruits")
@allow("project:backers")
def recruits(slug: str) -> str:
    """Who brought whom: for the creator and the organisers."""
    project: Project = g.subject
    page = max(1, min(request.args.get("page", 1, type=int), 10_000))
    found, of_all = queries.recruits_by_person(project.id, PER_PAGE, (page - 1) * PER_PAGE)
    sources = queries.sources(project.id)
    shared = next((source for source in sources if source.source == "share"), Source("share", 0, 0))
    return render_template(
        "sharing/recruits.html", project=project, recruiters=found, of_all=of_all, page=page,
        first=(page - 1) * PER_PAGE + 1, last=min(page * PER_PAGE, of_all), shared=shared,
        total=Source("", sum(s.pledges for s in sources), sum(s.amount for s in sources)),
        source_bars=panel.source_bars(sources, project.currency),
        root=panel.project_tree(project, IN_TREE, ON_BRANCH) if page == 1 else None)
