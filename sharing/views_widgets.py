"""What other sites and chats show of a project: its card, a frame, a badge, and the address that tells them of it.

None of these reads a session or sets a cookie, so that they may be kept by whoever passes them on.
"""

import re
from urllib.parse import urlsplit

from flask import Response, current_app, jsonify, make_response, render_template, request, url_for
from flask_babel import force_locale
from flask_babel import gettext as _

from core.errors import NotFound
from core.policy import allow
from core.web import client_address
from projects.models import Project
from projects.rules import whole_project
from sharing import badges, cards, embeds, kit, landing, pace, panel, queries, recommendations
from sharing.queries import Found
from sharing.views import bp, find

NARROWEST, WIDEST, LOWEST = 240, 600, 360
FRAME_POLICY = ("default-src 'none'; style-src 'self'; img-src 'self'; base-uri 'none'; form-action 'none'; "
                "frame-ancestors *")
IMAGE_POLICY = "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors *"
_SLUG = re.compile(r"/projects/([a-z0-9-]{1,80})/?")
_CODE = re.compile(r"/s/([^/.]{1,40})/?")


def _language() -> str:
    """What the address asks for, else what the reader's browser does; never a cookie, since the answer is kept."""
    languages = current_app.config["LANGUAGES"]
    if (asked := request.args.get("lang")) in languages:
        return str(asked)
    return request.accept_languages.best_match(languages) or str(current_app.config["BABEL_DEFAULT_LOCALE"])


def _public(slug: str) -> Project | None:
    """A project that everybody may see; a draft is to other sites as if it were not there."""
    try:
        project, _version = whole_project(slug)
    except NotFound:
        return None
    return project if project.is_public else None


def _via(project: Project) -> Found | None:
    """The link that the address carries, if it is one of this project."""
    found = queries.find_link(request.args.get("via", ""))
    return found if found and found.project_id == project.id else None


def _told_by(via: Found | None) -> str:
    """An ambassador's disclosure goes wherever their link goes; whoever leaves the link out has no credit either."""
    return kit.disclosure_of(via.person_id, via.project_id) if via and via.person_id else ""


def _for_all(response: Response, seconds: int, policy: str) -> Response:
    response.headers["Cache-Control"] = f"public, max-age={seconds}"
    response.headers["Content-Security-Policy"] = policy
    response.headers["Cross-Origin-Resource-Policy"] = "cross-origin"
    if request.args.get("lang") not in current_app.config["LANGUAGES"]:
        response.vary.add("Accept-Language")
    return response


@bp.get("/s/<code>/card.png")
@allow("anyone")
def link_card(code: str) -> Response:
    """The picture for a link: with the sender's first name if they agreed."""
    found = find(code)
    return _card(found.slug, found)


@bp.get("/projects/<slug>/card.png")
@allow("anyone")
def project_card(slug: str) -> Response:
    return _card(slug, None)


def _card(slug: str, found: Found | None) -> Response:
    if (project := _public(slug)) is None:
        raise NotFound(_("There is no project at this address."))
    with force_locale(_language()):
        card = landing.card_of(project, landing.sender_of(found.link_id) if found else None)
    response = Response(mimetype="image/png")
    response.set_etag(card.etag)
    if request.if_none_match.contains(card.etag):
        response.status_code = 304
    else:
        if cards.kept(card) is None:
            pace.take_turn(client_address())
        response.set_data(cards.png_of(card))
    return _for_all(response, 300, IMAGE_POLICY)


@bp.get("/projects/<slug>/widget")
@allow("anyone")
def widget(slug: str) -> Response:
    """A small page for a frame on another site; its button leads to the link that it carries, so that it counts."""
    with force_locale(_language()):
        project = _public(slug)
        theme = request.args.get("theme") if request.args.get("theme") in badges.SCHEMES else None
        if project is None:
            return _for_all(make_response(render_template("sharing/widget_none.html", theme=theme), 404), 60, FRAME_POLICY)
        via = _via(project)
        quotes = recommendations.newest_of(project, 1)
        if via and (own := recommendations.of_person(project.id, via.person_id)):
            quotes = [own]
        response = make_response(render_template(
            "sharing/widget.html", project=project, theme=theme, far=landing.progress_of(project),
            quote=quotes[0] if quotes else None, url=_target(project, via), told=_told_by(via)))
    return _for_all(response, 60, FRAME_POLICY)


def _target(project: Project, via: Found | None) -> str:
    return panel.link_url(via.code) if via else f"{current_app.config['BASE_URL']}/projects/{project.slug}"


@bp.get("/projects/<slug>/badge.svg")
@allow("anyone")
def badge(slug: str) -> Response:
    language = _language()
    scheme = request.args.get("theme", "light")
    with force_locale(language):
        if (project := _public(slug)) is None:
            made = badges.Badge("", _("No project here"), lang=language, scheme=scheme)
        else:
            far, via = landing.progress_of(project), _via(project)
            made = badges.Badge(project.title, f"{far.percent}% · {far.figure} {far.label}", far.percent,
                                _target(project, via), language, scheme, _told_by(via))
    response = make_response(badges.svg_of(made), 200 if project else 404)
    response.mimetype = "image/svg+xml"
    return _for_all(response, 60, IMAGE_POLICY)


@bp.get("/oembed")
@allow("anyone")
def oembed() -> Response:
    """https://oembed.com: what another site shows where somebody pasted an address of ours."""
    if request.args.get("format", "json") != "json":
        return _oembed_says(501, _("Only JSON is made here."))
    with force_locale(_language()):
        project, found = _named(request.args.get("url", ""))
        if project is None:
            return _oembed_says(404, _("There is no project at this address."))
        return _embedded(project, found)


def _oembed_says(status: int, sentence: str) -> Response:
    response = jsonify(error=sentence)
    response.status_code = status
    return _for_all(response, 60, IMAGE_POLICY)


def _named(address: str) -> tuple[Project | None, Found | None]:
    """The project that an address of this site names, and the link if it is one."""
    try:
        asked, ours = urlsplit(address), urlsplit(current_app.config["BASE_URL"])
    except ValueError:
        return None, None
    if asked.scheme not in ("http", "https") or asked.netloc.lower() != ours.netloc.lower():
        return None, None
    if match := _CODE.fullmatch(asked.path):
        found = queries.find_link(match[1])
        return (_public(found.slug) if found else None), found
    match = _SLUG.fullmatch(asked.path)
    return (_public(match[1]) if match else None), None


def _embedded(project: Project, found: Found | None) -> Response:
    base, most = current_app.config["BASE_URL"], request.args.get("maxwidth", embeds.WIDE, type=int)
    tall = min(embeds.TALL, request.args.get("maxheight", embeds.TALL, type=int))
    via = found.code if found else None
    thumbnail = url_for("sharing.link_card", code=via) if via else url_for("sharing.project_card", slug=project.slug)
    said: dict[str, object] = {
        "version": "1.0", "title": project.title, "author_name": project.creator.name,
        "author_url": base + url_for("people.show", handle=project.creator.handle),
        "provider_name": current_app.config["OPERATOR_NAME"] or "Achterban", "provider_url": base, "cache_age": 3600,
        "thumbnail_url": base + thumbnail, "thumbnail_width": cards.WIDTH, "thumbnail_height": cards.HEIGHT}
    if most < NARROWEST or tall < LOWEST:  # no room for a frame: the site makes a plain link of it
        said = {key: value for key, value in said.items() if not key.startswith("thumbnail")} | {"type": "link"}
    else:
        wide = min(WIDEST, most)
        said |= {"type": "rich", "width": wide, "height": tall, "html": str(
            embeds.frame_code(project.slug, project.title, via, wide, tall, disclosure=_told_by(found)))}
    response = jsonify(said)
    response.headers["Access-Control-Allow-Origin"] = "*"
    return _for_all(response, 300, IMAGE_POLICY)
