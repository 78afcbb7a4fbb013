"""What everyone sees: the front page, what is on, and each project with its news."""

from datetime import UTC
from typing import Any
from zoneinfo import ZoneInfo

from flask import Blueprint, abort, current_app, g, render_template, request, url_for
from flask_babel import gettext as _
from flask_login import current_user

from core import clock, pages
from core.i18n import show_left, show_moment, show_money
from core.media import picture_url
from core.policy import allow
from projects import queries, rules
from projects.forms import CATEGORIES
from projects.hooks import Tab, page_shown, tabs_asked
from projects.models import PUBLIC, Category, Project, ProjectState

bp = Blueprint("projects", __name__)
S = ProjectState


@bp.get("/")
@allow("anyone")
def home() -> str:
    version = pages.version_of("front")
    front = queries.front_page()
    pages.cacheable("front", version)
    return render_template("projects/home.html", front=front, categories=CATEGORIES)


@bp.get("/discover")
@allow("anyone")
def discover() -> str:
    version = pages.version_of("front")
    q = request.args.get("q", "").strip()[:100]
    chosen = request.args.get("category", "")
    category = Category(chosen) if chosen in set(Category) else None
    sort, state = request.args.get("sort", ""), request.args.get("state", "")
    found = queries.discover(q, category, sort, state, request.args.get("page", 1, type=int))
    pages.cacheable("front", version)

    def link(**changes: Any) -> str:
        kept = {"q": q or None, "category": category, "sort": sort or None, "state": state or None, **changes}
        return url_for("projects.discover", **{k: v for k, v in kept.items() if v})

    return render_template("projects/discover.html", found=found, q=q, category=category, sort=sort, state=state,
                           counts=queries.live_counts(), categories=CATEGORIES, link=link)


@bp.get("/projects/<slug>")
@allow("project:see")
def show(slug: str) -> str:
    project: Project = g.subject
    if project.is_public:
        pages.cacheable(project.topic, g.page_version)
    return render_template("projects/show.html", **public_context(project))


def public_context(project: Project) -> dict[str, Any]:
    """What the public page shows; rooms above add what they know."""
    below = queries.project_page(project)
    raised = project.total.raised if project.raised_at_close is None else project.raised_at_close
    backers = project.total.backers if project.backers_at_close is None else project.backers_at_close
    goal = project.goal or 0
    is_over = project.deadline is not None and project.deadline <= clock.now()
    context: dict[str, Any] = {
        "project": project, "below": below, "raised": raised, "backers": backers,
        "percent": raised * 100 // goal if goal else 0,
        "phase": "counting" if project.is_live and is_over else project.state.value,
        "time_figure": time_figure(project), "picture_key": project.picture.key if project.picture else None,
        "page_url": current_app.config["BASE_URL"] + url_for("projects.show", slug=project.slug),
        "stopped_why": queries.why_stopped(project),
        "categories": CATEGORIES, "rewards": [], "may_edit": rules.may_edit(current_user, project)}
    page_shown.send(project, context)
    return context


def time_figure(project: Project) -> tuple[str, str]:
    """The third figure of the page as number and label: (`9`, `days left`)."""
    if project.deadline is None:
        return "–", _("days left")
    words = show_left(project.deadline)
    number, _space, label = words.partition(" ")
    return (number, label) if label else ("0", _("days left"))


@bp.get("/projects/<slug>/updates")
@allow("project:see")
def updates(slug: str) -> str:
    project: Project = g.subject
    if project.is_public:
        pages.cacheable(project.topic, g.page_version)
    return render_template("projects/updates.html", project=project, updates=queries.updates_of(project))


@bp.get("/projects/<slug>/updates/<int:number>")
@allow("project:see")
def update(slug: str, number: int) -> str:
    project: Project = g.subject
    news = queries.update_of(project, number) if number < 1_000_000 else None
    if news is None:
        abort(404)
    if project.is_public:
        pages.cacheable(project.topic, g.page_version)
    return render_template("projects/update.html", project=project, update=news)


@bp.get("/projects/<slug>/faq")
@allow("project:see")
def faq(slug: str) -> str:
    project: Project = g.subject
    if project.is_public:
        pages.cacheable(project.topic, g.page_version)
    return render_template("projects/faq.html", project=project, faq=queries.faq_of(project))


@bp.get("/how")
@allow("anyone")
def how() -> str:
    return render_template("projects/how.html", fee=current_app.config["PLATFORM_FEE_BP"] / 100)


@bp.get("/about")
@allow("anyone")
def about() -> str:
    return render_template("projects/about.html")


@bp.get("/privacy")
@allow("anyone")
def privacy() -> str:
    return render_template("projects/privacy.html")


@bp.get("/refunds")
@allow("anyone")
def refunds() -> str:
    return render_template("projects/refunds.html")


def work_tabs(project: Project) -> dict[str, Any]:
    """What the strip of a work page needs; every room puts its own tabs in. A global of the templates."""
    tabs: list[Tab] = []
    tabs_asked.send(project, current_user, tabs)
    state = project.state
    words = None
    if state is S.DRAFT:
        words = _("Draft, saved %(moment)s", moment=show_moment(project.edited_at, project.zone, name_zone=False))
    elif state is S.LIVE and project.deadline:
        words = _("Live, %(left)s", left=show_left(project.deadline))
    return {
        "head": {"title": project.title, "slug": project.slug, "state": state.value,
                 "picture_url": picture_url(project.picture.key, 400) if project.picture else None},
        "tabs": [(t.key, t.label, t.url, t.count) for t in sorted(tabs, key=lambda t: t.order)],
        "state_text": words}


def add_tabs(project: Project, person: Any, tabs: list[Tab]) -> None:
    """The tabs of this room; connected to its own hook."""
    role = rules.role_of(person, project)
    if role is None:
        return
    tabs += [Tab("pitch", _("Pitch"), url_for("projects.edit", slug=project.slug), order=20),
             Tab("updates", _("Updates"), url_for("projects.new_update", slug=project.slug), order=40)]
    if role == "creator":
        tabs.append(Tab("team", _("Team"), url_for("projects.team", slug=project.slug), order=90))


def ends_text(project: Project) -> str:
    """`Monday 30 November 2026 at 20:00 (Amsterdam time, 19:00 UTC)`: the zone it was chosen in and UTC (C-16)."""
    if project.deadline is None:
        return ""
    here = show_moment(project.deadline, project.zone)
    if project.zone == "UTC":
        return here
    local, there = project.deadline.astimezone(ZoneInfo(project.zone)), project.deadline.astimezone(UTC)
    utc = f"{there:%H:%M} UTC" if local.date() == there.date() else show_moment(project.deadline)
    return f"{here.removesuffix(')')}, {utc})" if here.endswith(")") else f"{here}, {utc}"


def on_me(person: Any, context: dict[str, Any]) -> None:
    """Hooked to people.me_shown: the projects that somebody works on, drafts too."""
    context["projects"] = queries.projects_of(person)
    if context["projects"]:
        context.setdefault("parts", []).append("projects/_mine.html")


def on_person(person: Any, context: dict[str, Any]) -> None:
    """Hooked to people.person_shown: what everybody may see of it."""
    public = [card for card in queries.projects_of(person) if card.state in PUBLIC and card.creator_id == person.id]
    context["projects"] = public
    if public:
        context.setdefault("parts", []).append("projects/_mine.html")


def money_of(project: Project, amount: int | None) -> str:
    """An amount of this project without needless zeros. A global of the templates."""
    return show_money(amount, project.currency, exact=False)
