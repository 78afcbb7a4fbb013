"""What sharing tells the rooms below when they ask, and what it does when a browser comes to be somebody's."""

import re
from collections import OrderedDict
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit
from uuid import UUID

import sqlalchemy as sa
import structlog
from flask import Response, current_app, g, has_request_context, redirect, request, url_for
from flask_babel import gettext as _
from flask_babel import ngettext
from flask_login import current_user
from sqlalchemy.exc import SQLAlchemyError

from backing.models import Pledge
from core import clock
from core.i18n import show_moment
from core.web import SAFE_METHODS, client_address
from people.models import Person
from projects.hooks import Tab
from projects.models import Project, ProjectState
from projects.rules import may_see_backers
from sharing import attribution, codes, cookie, devices, panel, queries, rounds, touches, visits
from sharing.words import words_of

log = structlog.get_logger()
_carried: OrderedDict[tuple[UUID, str], None] = OrderedDict()  # cookies this process has copied into an account


def remembered() -> dict[UUID, cookie.Via]:
    """What this browser's cookie says; nothing if the browser asks not to be followed."""
    if not has_request_context() or cookie.is_declined(request.headers):
        return {}
    return cookie.read(request.cookies.get(current_app.config["SHARE_COOKIE_NAME"]))


def code_in_address() -> str | None:
    """The code that stands in the address itself, for browsers that keep no memory."""
    return codes.read_code(request.values.get("via", "")) if has_request_context() else None


def came_by(project: Any, person: Any) -> touches.Known | None:
    """By whose links this visitor came, by address, cookie or account, within the days; never their own."""
    me = person.id if person is not None and person.is_authenticated else None
    code = code_in_address()
    if has_request_context() and cookie.is_declined(request.headers):
        me_known = None  # what the account remembers from other days is left alone too
        via = cookie.Via().came(code, clock.now()) if code else None
    else:
        me_known, via = me, remembered().get(project.id)
        if code:
            via = (via or cookie.Via()).came(code, clock.now())
    known = touches.known_touches(project.id, me_known, via, current_app.config["SHARE_DAYS"])
    if known and me and me in (known.last.person_id, known.first.person_id):
        return None  # only without the account's memory: one's own link in the address
    return known


def sent_by(project: Project, person: Any) -> touches.Touched | None:
    """Whose link is credited if this visitor pledges; a person's, not a tag, which nobody wants to be thanked for."""
    known = came_by(project, person)
    return known.counting if known and known.counting.person_id else None


def show_sender(project: Project, touch: touches.Touched) -> dict[str, Any]:
    """For the macro `sent_by_band`."""
    name = panel.first_name(touch.name or "")
    said = [_("Backer %(number)s of this project.", number=touch.number)] if touch.number else []
    if touch.recruits:
        said.append(ngettext("One backer came by this link so far.", "%(num)s backers came by this link so far.",
                             touch.recruits))
    if project.state is ProjectState.LIVE:
        said.append(_("If you pledge, %(name)s sees your first name and the amount.", name=name))
    return {"first_name": name, "number": touch.number, "recruits": touch.recruits, "seed": str(touch.person_id),
            "text": " ".join(said), "leave_url": url_for("sharing.leave", slug=project.slug)}


def on_page(project: Project, context: dict[str, Any]) -> None:
    """The project's page: who sent you, and your own link. A visitor without a memory costs nothing."""
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
    if project.is_public:
        asking = rounds.asking_round(project)
        if asking.state:
            context["ambassadors"] = show_asking(project, asking)
        if asking.has_ranking and project.state is not ProjectState.SUSPENDED:
            context["ranking_url"] = url_for("sharing.ranked", slug=project.slug)


def show_asking(project: Project, asking: Any) -> dict[str, str]:
    """The line on the project's page while a call is open or a vote runs; the page is made anew when that changes."""
    if asking.state == "open":
        text = ngettext("One ambassador is looked for. Apply until %(moment)s.",
                        "%(num)s ambassadors are looked for. Apply until %(moment)s.", asking.places,
                        moment=show_moment(asking.call_until, project.zone))
        label = _("See the call")
    else:
        text = _("Who becomes an ambassador? Everybody can vote until %(moment)s.",
                 moment=show_moment(asking.vote_until, project.zone))
        label = _("See the candidates")
    return {"text": text, "label": label, "url": url_for("sharing.ambassadors", slug=project.slug)}


def on_pledge_form(person: Any, project: Project, context: dict[str, Any]) -> None:
    """The pledge form, shown or sent: the code it came by last, who is thanked for it, where the visitor came from.

    When it is sent, the browser's memory enters the account first: the card is confirmed by a webhook, which has no cookie.
    """
    is_sent = "ref" in context and person is not None and person.is_authenticated and has_request_context()
    if is_sent and cookie.is_declined(request.headers):
        touches.forget(person.id, project.id)
    elif is_sent:
        _carry_once(person.id)
    known = came_by(project, person)
    if known:
        context["ref"], context["source"] = known.last.code, "share"
        if known.counting.person_id:
            context["sent_by"] = show_sender(project, known.counting)
    elif has_request_context() and not cookie.is_declined(request.headers):
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
    attribution.credit_pledge(pledge)


def on_pledge_shown(pledge: Pledge, context: dict[str, Any]) -> None:
    """A pledge's page or mail: its backer's link and what came of it."""
    link = queries.link_between(pledge.backer_id, pledge.project_id)
    context["share"] = panel.panel_of(link, pledge.project, number=pledge.number, pledge_id=pledge.id) \
        if link else None


def on_me(person: Person, context: dict[str, Any]) -> None:
    """/me: all links of this person, with their results."""
    links = queries.links_of(person.id)
    results = queries.results_of([link.id for link in links])
    words = words_of(link.id for link in links) if links else {}
    context["share_links"] = [
        {"title": link.title, "slug": link.slug, "link_url": panel.link_url(words.get(link.id, link.code)),
         "short_text": panel.short_text(words.get(link.id, link.code)), "currency": link.currency, "results": results[link.id],
         "result_text": panel.result_text(results[link.id], link.currency),
         "url": url_for("sharing.share", slug=link.slug)} for link in links]
    context.setdefault("parts", []).append("sharing/_me.html")


def on_tabs(project: Project, person: Person, tabs: list[Tab]) -> None:
    if may_see_backers(person, project):
        tabs.append(Tab("recruits", _("Sharing"), url_for("sharing.recruits", slug=project.slug), order=70))
        tabs.append(Tab("ambassadors", _("Ambassadors"), url_for("sharing.ambassador_desk", slug=project.slug), order=72))


def on_sign_in(person: Person) -> None:
    """Somebody signed in or registered in this browser: its memory becomes the account's."""
    _carry(person.id, remembered())


def _carry(person_id: UUID, memory: dict[UUID, cookie.Via]) -> bool:
    """Never at the cost of what is being done: a memory that cannot be kept is only a memory."""
    try:
        touches.carry(person_id, memory, current_app.config["SHARE_DAYS"])
    except SQLAlchemyError as error:
        log.warning("touch not carried", reason=type(error).__name__)
        return False
    return True


def _carry_once(person_id: UUID) -> None:
    """Copy this browser's cookie into the account, unless this process has done so."""
    text = request.cookies.get(current_app.config["SHARE_COOKIE_NAME"])
    if not text or (person_id, text) in _carried or not _carry(person_id, remembered()):
        return
    _carried[person_id, text] = None
    while len(_carried) > 5_000:
        _carried.popitem(last=False)


def carry_cookie(response: Response) -> Response:
    """After a signed-in person did something: copy the cookie once, so that another device knows as well.

    Not on GET, which changes nothing (W-06).
    """
    if request.method not in SAFE_METHODS and current_app.config["SHARE_COOKIE_NAME"] in request.cookies \
            and current_user.is_authenticated:
        _carry_once(current_user.id)
    return response


def keep_marks() -> Any:
    """A project's page with the marks of a campaign in its address: remembered, and led on to the address without them."""
    if request.endpoint != "projects.show" or not any(name in cookie.MARKS for name in request.args):
        return None
    rest = [(name, value) for name, value in request.args.items(multi=True) if name not in cookie.MARKS]
    response = redirect(request.path + (f"?{urlencode(rest)}" if rest else ""), 303)
    utm, project = cookie.marks_of(request.args), g.get("subject")
    if utm and project is not None and request.method == "GET" and not cookie.is_declined(request.headers) \
            and visits.is_person(request.user_agent.string, request.headers):
        memory = remembered()
        memory[project.id] = memory.get(project.id, cookie.Via()).marked(utm, clock.now())
        response.set_cookie(**cookie.header(memory))
    return response


CARRIERS = ("projects.show", "projects.updates", "projects.update", "projects.faq", "backing.place", "backing.send")


def carry_code(endpoint: str, values: dict[str, Any]) -> None:
    """The code in the address goes on to the pages between a project's page and its pledge form."""
    if endpoint in CARRIERS and has_request_context() and "via" not in values and (code := code_in_address()) \
            and (request.view_args or {}).get("slug") == values.get("slug") and request.endpoint != "sharing.leave":
        values["via"] = code


def note_device(response: Response) -> Response:
    """After a signed-in person did something: remember that this browser is used by them (W-27).

    Never on GET, never where the browser says that it does not want to be known.
    """
    config = current_app.config
    if request.method in SAFE_METHODS or config["SESSION_COOKIE_NAME"] not in request.cookies \
            or response.status_code >= 500:
        return response
    name, text = config["DEVICE_COOKIE_NAME"], request.cookies.get(config["DEVICE_COOKIE_NAME"])
    if cookie.is_declined(request.headers):
        if text:
            response.delete_cookie(name, path="/", secure=config["SESSION_COOKIE_SECURE"], httponly=True, samesite="Lax")
        return response
    person = current_user._get_current_object()
    if not isinstance(person, Person):
        return response
    try:
        [person_id] = sa.inspect(person).identity or (person.id,)  # the row may be stale, and need not be read for this
        fresh = devices.note(text, person_id, client_address())
    except SQLAlchemyError as error:
        log.warning("device not noted", reason=type(error).__name__)
        return response
    if fresh:
        response.set_cookie(name, fresh, path="/", httponly=True, samesite="Lax", secure=config["SESSION_COOKIE_SECURE"],
                            max_age=devices.KEPT_DAYS * 86_400)
    return response
