"""What came of sharing, to be read: the organiser's report and lists, the ranking, and a backer's own tree."""

from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import replace
from itertools import chain
from typing import Any
from uuid import UUID

from flask import Response, current_app, g, render_template, request, url_for
from flask_babel import format_date, format_decimal, ngettext
from flask_babel import gettext as _
from flask_login import current_user

from core import clock, pages
from core.db import db
from core.errors import BadInput, NotFound
from core.i18n import show_money
from core.policy import allow
from projects.models import Project, ProjectState
from sharing import drawing, exports, queries, ranking, reports, settings, tree
from sharing.forms_reports import ExportForm
from sharing.reports import Came
from sharing.tree import Node
from sharing.views import bp

TYPES = {"csv": "text/csv; charset=utf-8",
         "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"}


def _page(most: int) -> int:
    return max(1, min(request.args.get("page", 1, type=int), most))


@bp.get("/projects/<slug>/ranking")
@allow("sharing:public")
def ranked(slug: str) -> str:
    """Who brought the most, of all time or in a week."""
    project: Project = g.subject
    version = pages.version_of(ranking.topic(slug))
    if project.state is ProjectState.SUSPENDED:
        raise NotFound(_("This project is on hold, and so is its ranking."))
    if not settings.settings_of(project.id).has_ranking:
        raise NotFound(_("This project shows no ranking."))
    first, last = ranking.weeks_of(project)
    week = None
    if asked := request.args.get("week", ""):
        week = ranking.read_week(asked)
        if week is None or not first.monday <= week.monday <= last.monday:
            raise NotFound(_("There is no such week in this project."))
    page = _page(ranking.MOST_PAGES)
    of_all = ranking.count(project.id, week, version)
    rows = ranking.rows(project.id, week, page)
    link = queries.link_between(current_user.id, project.id) if current_user.is_authenticated else None
    mine = ranking.place_of(project.id, link.id, week, of_all) if link else None
    if not current_user.is_authenticated:
        pages.cacheable(ranking.topic(slug), version)
    return render_template("sharing/ranking.html", project=project, rows=rows, of_all=of_all, week=week, first=first,
                           last=last, page=page, link=link, mine=mine, per_page=ranking.PER_PAGE)


@bp.get("/projects/<slug>/tree")
@allow("sharing:share")
def my_tree(slug: str) -> str:
    """Whom I brought, to any depth; `?at=` opens one of them, and nobody else."""
    project: Project = g.subject
    at = request.args.get("at", type=UUID)
    trail = tree.own_trail(project.id, current_user.id, is_end=at is None)
    if not trail:
        return render_template("sharing/tree.html", project=project, picture=None, is_mine=True, trail=[])
    me = trail[-1]
    sender = trail[-2] if len(trail) > 1 and not trail[-2].is_tag else None  # what a tag is called is the project's own
    below = tree.trail(project.id, at, me) if at else trail[-1:]
    if not below:
        raise NotFound(_("Nobody whom you brought is here."))
    return _show_tree(project, below, _addresses(url_for("sharing.my_tree", slug=slug), me.link_id), is_mine=True,
                      sender=sender if below[-1].link_id == me.link_id else None, own=me.link_id)


def _addresses(base: str, first: UUID | None = None) -> Callable[..., str]:
    """Where each node of a tree opens: its first at the tree's own address. Twenty at once, so they are put together here."""
    def address(link_id: UUID | None = None, page: int | None = None) -> str:
        asked = {"at": link_id if link_id != first else None, "page": page}
        words = "&".join(f"{name}={value}" for name, value in asked.items() if value)
        return f"{base}?{words}" if words else base

    return address


@bp.get("/projects/<slug>/recruits/tree")
@allow("project:backers")
def whole_tree(slug: str) -> str:
    """The whole project's tree: tags and whom nobody brought, best first; each opens."""
    project: Project = g.subject
    at, address = request.args.get("at", type=UUID), _addresses(url_for("sharing.whole_tree", slug=slug))
    if at is None:
        page = _page(tree.MOST_PAGES)
        found, has_next = tree.roots(project.id, page)
        root = Node(None, None, "you", project.title)
        return _render_tree(project, root, [], found, has_next, page, address, tree.all_generations(project.id),
                            is_mine=False)
    trail = tree.trail(project.id, at)
    if not trail:
        raise NotFound(_("Nobody in this project's tree is here."))
    return _show_tree(project, trail, address, is_mine=False)


def _show_tree(project: Project, trail: list[Node], address: Callable[..., str], *, is_mine: bool,
               sender: Node | None = None, own: UUID | None = None) -> str:
    here = trail[-1]
    page = _page(tree.MOST_PAGES)
    assert here.link_id is not None
    found, has_next = tree.children(here.link_id, page, is_mine=is_mine and here.link_id == own)
    return _render_tree(project, here, trail, found, has_next, page, address, here.generations,
                        is_mine=is_mine, sender=sender, own=own, sums=here.sums)


def _render_tree(project: Project, root: Node, trail: list[Node], found: list[Node], has_next: bool, page: int,
                 address: Callable[..., str], generations: Sequence[tree.Generation], *, is_mine: bool,
                 sender: Node | None = None, own: UUID | None = None, sums: tree.Sums | None = None) -> str:
    if sums is None:
        sums = tree.Sums(sum(g.people for g in generations), sum(g.pledged for g in generations),
                         sum(g.collected for g in generations))
    most = sum(one.people for one in generations) or 1
    bars = [{"label": _generation(one.number, is_mine), "main": one.number == 1,
             "count_text": ngettext("one person", "%(num)s people", one.people),
             "money": show_money(one.amount, project.currency, exact=False),
             "percent": round(100 * one.people / most)} for one in generations]
    return render_template(
        "sharing/tree.html", project=project, root=root, trail=trail, sums=sums, bars=bars, page=page, has_next=has_next,
        rest=max(0, root.recruits - page * tree.PER_PAGE), address=address, is_mine=is_mine, own=own,
        picture=drawing.draw(replace(root, children=found), sender) if found else None)


def _generation(number: int, is_mine: bool) -> str:
    if number == 0:
        return _("By a tag")
    if is_mine and number == 1:
        return _("Brought by you")
    return _("Step %(n)s", n=number)


@bp.get("/projects/<slug>/recruits")
@allow("project:backers")
def recruits(slug: str) -> str:
    """Visits, pledges and money by link, tag, channel, day and generation."""
    project: Project = g.subject
    page = _page(ranking.MOST_PAGES)
    report = reports.read(project.id)
    people, everything = report.people, report.all
    backers, raised = reports.standing(project.id)
    channels = reports.by_channel(project.id)
    return render_template(
        "sharing/recruits.html", project=project, report=report, all=everything, people=people, channels=channels,
        tags=reports.by_tag(project.id, reports.BEST_TAGS),
        marks=reports.by_marks(project.id, reports.BEST_TAGS), best=reports.best(project.id, page), page=page,
        per_page=ranking.PER_PAGE, of_all=ranking.count(project.id, None, pages.version_of(ranking.topic(slug))),
        backers=backers, raised=raised, k=reports.k_factor(people.recruits, backers),
        part=reports.share(everything.amount, raised), export_form=ExportForm(), days=[(format_date(day, "d MMM"), came) for day, came in report.run],
        funnel=_funnel(project, everything))


def _funnel(project: Project, everything: Came) -> list[dict[str, Any]]:
    """Rows for the macro `bars`, in percent of the visits."""
    words = {"visits": _("Visits"), "pledges": _("Pledges that stand"), "collected": _("Collected")}
    return [{"label": words[stage.key], "count_text": format_decimal(stage.count), "main": stage.key == "collected",
             "money": show_money(stage.amount, project.currency, exact=False) if stage.key != "visits" else "",
             "percent": round(100 * stage.part) if stage.part is not None else 0}
            for stage in reports.funnel(project.id, everything)]


@bp.post("/projects/<slug>/recruits/export")
@allow("project:backers")
def export_recruits(slug: str) -> Response:
    """A list as a file, written down before its first byte leaves."""
    form = ExportForm()
    if not form.validate_on_submit():
        raise BadInput(_("Choose a list, and CSV or XLSX."))
    project: Project = g.subject
    what, kind = form.what.data, form.format.data
    parts = exports.export(current_app._get_current_object(), project, current_user, what, kind)  # type: ignore[attr-defined]
    return send_list(parts, f"{project.slug}-{what}", kind)


def send_list(parts: Generator[bytes, None, int], name: str, kind: str) -> Response:
    """The pieces of a list as a file of today that nobody keeps."""
    name = f"{name}-{clock.now().date().isoformat()}.{kind}"
    db.session.rollback()  # nothing is held while the list leaves
    first = next(parts)  # what can fail fails here, before anything is answered
    return Response(_closing(parts, first), mimetype=None, headers={
        "Content-Type": TYPES[kind], "Content-Disposition": f'attachment; filename="{name}"', "Cache-Control": "no-store"})


def _closing(parts: Any, first: bytes) -> Iterator[bytes]:
    """All pieces; whoever stops listening ends the statement as well."""
    try:
        yield from chain((first,), parts)
    finally:
        parts.close()
