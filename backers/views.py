"""The organiser's desk: who backs, and the list to take along."""

from collections.abc import Iterator
from itertools import chain
from typing import Any
from zoneinfo import ZoneInfo

from babel.dates import format_datetime
from flask import Blueprint, Response, current_app, g, render_template, request, url_for
from flask_babel import gettext as _
from flask_login import current_user

from backers import queries, services
from backers.forms import ExportForm, FilterForm
from backers.queries import PER_PAGE, STATES, Summary, Wanted
from core import clock
from core.db import db
from core.errors import BadInput
from core.i18n import locale_name
from core.policy import allow
from payments import cases
from projects.hooks import Tab
from projects.models import Project
from projects.rules import may_see_backers

bp = Blueprint("backers", __name__)
TYPES = {"csv": "text/csv; charset=utf-8",
         "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"}
CHIPS = 4  # rewards that get a chip of their own when none is limited


@bp.get("/projects/<slug>/backers")
@allow("project:backers")
def listed(slug: str) -> str | tuple[str, int]:
    """Fifty backers at a time; a question that cannot be asked is shown as such and finds nobody."""
    project: Project = g.subject
    known = queries.summary(project)
    form = FilterForm(request.args)
    form.offer({str(state): word for state, word in state_words().items()}, known.rewards)
    good = form.validate()
    wanted = form.wanted() if good else Wanted()
    found = queries.count(project, wanted, known) if good else 0
    if good and wanted.page > max(1, -(-found // PER_PAGE)):
        form.page.errors = [_("There is no page %(n)s here.", n=wanted.page)]
        good, found = False, 0
    lines = queries.backers(project, wanted) if found else []
    page = render_template(
        "backers/list.html", project=project, known=known, form=form, wanted=wanted, found=found, good=good,
        lines=lines, banks=cases.lines_of_subjects([line.pledge_id for line in lines]), chips=_chips(known, wanted, good),
        first=(wanted.page - 1) * PER_PAGE + 1, last=min(wanted.page * PER_PAGE, found), state_words=state_words(),
        export_form=ExportForm(), moment=_moment)
    return page if good else (page, 422)


@bp.post("/projects/<slug>/backers/export")
@allow("project:backers")
def export(slug: str) -> Response:
    """The whole list as a file, written down before its first byte leaves."""
    form = ExportForm()
    if not form.validate_on_submit():
        raise BadInput(_("Choose CSV or XLSX."))
    project: Project = g.subject
    kind = form.format.data
    day = clock.now().astimezone(ZoneInfo(project.zone)).date()
    name = f"{project.slug}-backers-{day.isoformat()}.{kind}"
    parts = services.export(current_app._get_current_object(), project, current_user, kind)  # type: ignore[attr-defined]
    db.session.rollback()  # nothing is held while the list leaves
    first = next(parts)  # what can fail fails here, before anything is answered
    response = Response(_closing(parts, first), mimetype=None, headers={
        "Content-Type": TYPES[kind], "Content-Disposition": f'attachment; filename="{name}"'})
    response.headers["Cache-Control"] = "no-store"
    return response


def _closing(parts: Any, first: bytes) -> Iterator[bytes]:
    """All pieces; whoever stops listening ends the statement as well."""
    try:
        yield from chain((first,), parts)
    finally:
        parts.close()


def add_tab(project: Project, person: Any, tabs: list[Tab]) -> None:
    """The tab of this room, for those who may open it."""
    if may_see_backers(person, project):
        tabs.append(Tab("backers", _("Backers"), url_for("backers.listed", slug=project.slug),
                        project.total.backers if project.total else None, order=50))


def state_words() -> dict[Any, str]:
    """The states that the list knows, as the filter names them."""
    words = (_("Pledged"), _("Collecting"), _("Collected"), _("Payment errored"), _("Dropped"), _("Cancelled"),
             _("Lapsed"), _("Refunded"))
    return dict(zip(STATES, words, strict=True))


def _chips(known: Summary, wanted: Wanted, good: bool) -> list[tuple[str, int, dict[str, Any], bool]]:
    """The segments: label, count, address, whether it is the one shown."""
    plain = Wanted(sort=wanted.sort)
    offered = [(_("Everyone"), known.everyone, plain)]
    words = state_words()
    for state in (queries.S.ERRORED, queries.S.COLLECTING, queries.S.CANCELLED, queries.S.DROPPED, queries.S.REFUNDED):
        if n := known.by_state.get(state, 0):
            offered.append((words[state], n, Wanted(status=str(state), sort=wanted.sort)))
    rewards = [id_ for id_ in known.rewards if id_ in known.limited] or list(known.rewards)[:CHIPS]
    for id_ in rewards:
        if n := known.by_reward.get(id_, 0):
            offered.append((known.rewards[id_], n, Wanted(reward=str(id_), sort=wanted.sort)))
    if known.brought:
        offered.append((_("Brought someone"), known.brought, Wanted(brought=True, sort=wanted.sort)))
    here = Wanted(wanted.q, wanted.status, wanted.reward, wanted.brought, wanted.sort)
    return [(label, n, question.args(), good and question == here) for label, n, question in offered]


def _moment(moment: Any, zone: str) -> str:
    """`30 Nov, 19:58`, with the year when it is another one."""
    if moment is None:
        return ""
    local = moment.astimezone(ZoneInfo(zone))
    this_year = clock.now().astimezone(ZoneInfo(zone)).year == local.year
    return format_datetime(local, "d MMM, HH:mm" if this_year else "d MMM y, HH:mm", locale=locale_name())
