"""What sharing tells the rooms below when they ask, and what it does when a browser comes to be somebody's."""

import re
from collections import OrderedDict
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import parse_qs, urlsplit
from uuid import UUID

import structlog
from flask import Response, current_app, has_request_context, request, url_for
from flask_babel import gettext as _
from flask_babel import ngettext
from flask_login import current_user
from sqlalchemy.exc import SQLAlchemyError

from backing.models import Pledge
from core.web import SAFE_METHODS
from people.models import Person
from projects.hooks import Tab
from projects.models import Project
from projects.rules import may_see_backers
from sharing import cookie, panel, queries, services

log = structlog.get_logger()
_carried: OrderedDict[tuple[UUID, str], None] = OrderedDict()  # cookies this process has copied into an account


def remembered() -> dict[UUID, cookie.Via]:
    """What this browser's cookie says."""
    return cookie.read(request.cookies.get(current_app.config["SHARE_COOKIE_NAME"])) if has_request_context() else {}


def sent_by(project: Project, person: Any) -> queries.Touched | None:
    """Whose link brought this visitor last, by cookie or account, within the days; never their own."""
    me = person.id if person is not None and person.is_authenticated else None
    via = remembered().get(project.id)
    if me is None and not (via and via.code):
        return None
    found = queries.touches(project.id, me, via.code if via else "", current_app.config["SHARE_DAYS"])

    def touched_at(touch: queries.Touched) -> datetime | None:
        moments = [touch.touched_at] if touch.touched_at else []
        if via and via.code == touch.code:
            moments.append(via.at)
        return max(moments, default=None)

    dated = [(at, touch) for touch in found if (at := touched_at(touch))]
    if via and not via.code:  # "I came by myself" ends whatever was before it
        dated = [(at, touch) for at, touch in dated if at > via.at]
    return max(dated, key=lambda pair: pair[0])[1] if dated else None


def show_sender(project: Project, touch: queries.Touched) -> dict[str, Any]:
    """For the macro `sent_by_band`."""
    name = panel.first_name(touch.name)
    said = [_("Backer %(number)s of this project.", number=touch.number)] if touch.number else []
    if touch.recruits:
        said.append(ngettext("One backer came by this link so far.", "%(num)s backers came by this link so far.",
                             touch.recruits))
    said.append(_("If you pledge, %(name)s sees your first name.", name=name))
    return {"first_name": name, "number": touch.number, "recruits": touch.recruits, "seed": str(touch.person_id),
            "text": " ".join(said), "leave_url": url_for("sharing.leave", slug=project.slug)}


def on_page(project: Project, context: dict[str, Any]) -> None:
    """The project's page: who sent you, and your own link. A visitor without a cookie costs nothing."""
    if not has_request_context():
        return
    touch = sent_by(project, current_user)
    me = current_user.id if current_user.is_authenticated else None
    if touch and not (me and queries.standing_pledge(me, project.id)):
        context["sent_by"] = show_sender(project, touch)
    if me:
        link = queries.link_between(me, project.id)
        context["my_link"] = panel.link_url(link.code) if link else None
    context["share_url"] = url_for("sharing.share", slug=project.slug)


def on_pledge_form(person: Any, project: Project, context: dict[str, Any]) -> None:
    """The pledge form, shown or sent: the code it is credited to, who that is, and where the visitor came from."""
    touch = sent_by(project, person)
    if touch:
        context["ref"], context["sent_by"], context["source"] = touch.code, show_sender(project, touch), "share"
    elif has_request_context():
        context["source"] = source_of(request.values.get("from", ""), request.referrer or "", request.host)


@dataclass(frozen=True)
class _Address:
    host: str
    path: str
    said: str  # its `from`
    asked: bool  # has words to search for


def _address(text: str) -> _Address:
    try:
        parts = urlsplit(text)
        query = parse_qs(parts.query)
        return _Address((parts.hostname or "").lower().removeprefix("www."), parts.path, query.get("from", [""])[0],
                        bool(query.get("q")))
    except ValueError:
        return _Address("", "", "", False)


def source_of(said: str, referrer: str, host: str) -> str:
    """`discover`, `search`, another site's domain, or `direct`: from the form's or the last page's `from`, else from
    the last page itself."""
    came = _address(referrer)
    here = host.split(":")[0].lower().removeprefix("www.")
    for word in (said, came.said if came.host == here else ""):
        if word in ("discover", "search", "direct") or re.fullmatch(r"(?=.{4,80}$)[a-z0-9-]+(\.[a-z0-9-]+)+", word):
            return word
    if came.host and came.host != here:
        return came.host[:80]
    if came.host and came.path in ("/", "/discover"):
        return "search" if came.asked else "discover"
    return "direct"


def on_confirmed(pledge: Pledge) -> None:
    services.credit_pledge(pledge)


def on_pledge_shown(pledge: Pledge, context: dict[str, Any]) -> None:
    """A pledge's page or mail: its backer's link and what came of it."""
    link = queries.link_between(pledge.backer_id, pledge.project_id)
    context["share"] = panel.panel_of(link, pledge.project, number=pledge.number, pledge_id=pledge.id) \
        if link else None


def on_me(person: Person, context: dict[str, Any]) -> None:
    """/me: all links of this person, with their results."""
    links = queries.links_of(person.id)
    results = queries.results_of([link.id for link in links])
    context["share_links"] = [
        {"title": link.title, "slug": link.slug, "link_url": panel.link_url(link.code),
         "short_text": panel.short_text(link.code), "currency": link.currency, "results": results[link.id],
         "result_text": panel.result_text(results[link.id], link.currency),
         "url": url_for("sharing.share", slug=link.slug)} for link in links]
    context.setdefault("parts", []).append("sharing/_me.html")


def on_tabs(project: Project, person: Person, tabs: list[Tab]) -> None:
    if may_see_backers(person, project):
        tabs.append(Tab("recruits", _("Sharing"), url_for("sharing.recruits", slug=project.slug), order=70))


def on_sign_in(person: Person) -> None:
    """Somebody signed in or registered in this browser: its memory becomes the account's."""
    _carry(person.id, remembered())


def _carry(person_id: UUID, memory: dict[UUID, cookie.Via]) -> bool:
    """Never at the cost of what is being done: a memory that cannot be kept is only a memory."""
    try:
        services.carry(person_id, memory)
    except SQLAlchemyError as error:
        log.warning("touch not carried", reason=type(error).__name__)
        return False
    return True


def carry_cookie(response: Response) -> Response:
    """After a signed-in person did something: copy the cookie once, so that another device knows as well.

    Not on GET, which changes nothing (W-06).
    """
    text = request.cookies.get(current_app.config["SHARE_COOKIE_NAME"])
    if not text or request.method in SAFE_METHODS or not current_user.is_authenticated:
        return response
    key = (current_user.id, text)
    if key in _carried:
        return response
    if not _carry(current_user.id, cookie.read(text)):
        return response
    _carried[key] = None
    while len(_carried) > 5_000:
        _carried.popitem(last=False)
    return response
