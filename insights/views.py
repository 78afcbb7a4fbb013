"""The dashboard: how it goes, in sums. Names of backers only for those who may see the list (W-19)."""

from typing import Any

from flask import Blueprint, g, render_template, url_for
from flask_babel import gettext as _
from flask_login import current_user

from core import clock
from core.i18n import show_day, show_money
from core.policy import allow
from insights import charts, funding, queries, sentences
from projects.hooks import Tab
from projects.models import PUBLIC, Project
from projects.rules import may_edit, may_see_backers

bp = Blueprint("insights", __name__)


@bp.get("/projects/<slug>/dashboard")
@allow("project:edit")
def dashboard(slug: str) -> str:
    """One page for the whole run: the sentence, the figures, the line, the sources, the rewards, the collection."""
    project: Project = g.subject
    if project.state not in PUBLIC or not (project.launched_at and project.deadline):
        return render_template("insights/before.html", project=project)
    now = clock.now()
    run = funding.Run(project.launched_at, project.deadline, now, project.zone)
    last_day = run.day(run.until)
    grid = queries.grid(project, last_day)
    news = queries.updates(project)
    line = charts.line(project, run, grid, news)
    total = grid.total
    sees_names = may_see_backers(current_user, project)
    brought = queries.recruiters(project)
    sources = charts.sources(project, queries.sources(grid, brought))
    return render_template(
        "insights/dashboard.html", project=project, headline=sentences.headline(project, total, now),
        beside=_beside(project, grid, line["forecast"], now), total=total, fresh=grid.fresh,
        share_percent=next((row["percent"] for row in sources if row["main"]), 0),
        percent=total.amount * 100 // project.goal if project.goal else 0,
        average=round(total.amount / total.backers) if total.backers else 0, line=line, sources=sources,
        tasks=[(task, _task_url(task.key, project, sees_names)) for task in
               sentences.waiting(project, grid, news, now)],
        recruiters=brought, sees_names=sees_names,
        rewards=charts.reward_lines(grid, queries.rewards(project), last_day),
        collection=charts.collection(grid) if project.state == "successful" else [])


def _beside(project: Project, grid: queries.Grid, forecast: dict[str, int] | None, now: Any) -> str:
    """The soft sentence beside the headline."""
    shown = {key: show_money(value, project.currency, exact=False) for key, value in (forecast or {}).items()}
    day = show_day(project.deadline, project.zone) if project.deadline else ""
    if forecast and forecast["low"] < forecast["high"]:
        return _("At this pace you end between %(low)s and %(high)s on %(day)s.", **shown, day=day)
    if project.is_live:
        return _("It ends on %(day)s. Where it may end is shown from the fifth day on.", day=day) \
            if not forecast else _("At this pace you end at %(high)s on %(day)s.", high=shown["high"], day=day)
    if project.state == "successful":
        paid, rest = grid.states.get("collected", queries.Sum()), queries.Sum()
        for state in ("pledged", "collecting", "errored"):
            rest += grid.states.get(state, queries.Sum())
        return _("%(paid)s is collected, %(rest)s is still to come.",
                 paid=show_money(paid.amount, project.currency, exact=False),
                 rest=show_money(rest.amount, project.currency, exact=False))
    if project.state == "unsuccessful":
        return _("It ended on %(day)s. Every pledge has lapsed.", day=day)
    return ""


def _task_url(key: str, project: Project, sees_names: bool) -> str | None:
    """Where the task is done; None for who may not go there."""
    if key == "update":
        return url_for("projects.new_update", slug=project.slug)
    return url_for("backers.listed", slug=project.slug, status="errored") if sees_names else None


def add_tab(project: Project, person: Any, tabs: list[Tab]) -> None:
    """The tab of this room."""
    if may_edit(person, project):
        tabs.append(Tab("dashboard", _("Dashboard"), url_for("insights.dashboard", slug=project.slug), order=10))
