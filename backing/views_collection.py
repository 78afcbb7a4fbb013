"""The collection: its creator looks on, staff steer it (O-20). The pages look again by themselves, without a script."""

from typing import Any

from flask import Response, flash, g, redirect, render_template, request, url_for
from flask_babel import gettext as _
from flask_login import current_user

from backing import run_queries, run_words, running
from backing.models import Pledge
from backing.queries import pledge_of
from backing.rules import may_refund
from backing.views import bp
from core import audit, clock
from core.db import db
from core.errors import NotFound
from core.platform import StaffPage
from core.policy import allow
from people.models import Person
from projects.hooks import Tab
from projects.models import Project
from projects.rules import project_of

SHOWN = ("backing:pause_run", "backing:resume_run")


def add_tab(project: Project, person: Person, tabs: list[Tab]) -> None:
    """Hooked to the work strip: once there is a collection."""
    if project.state == "successful" and may_refund(person, project):
        tabs.append(Tab("collection", _("Collection"), url_for("backing.collection", slug=project.slug), None, 75))


def add_page(pages: list[StaffPage]) -> None:
    """Hooked to the desk of staff: paused collections wait for somebody."""
    pages.append(StaffPage("collections", _("Collections"), url_for("backing.collections"),
                           _("Charging the pledges of projects that made it"), run_queries.totals().get("paused", 0), 30))


def _page_number() -> int:
    page = request.args.get("page", "1")
    if not (page.isascii() and page.isdigit()) or not 1 <= len(page) <= 6 or int(page) < 1:
        raise NotFound(_("There is no such page."))
    return int(page)


@bp.get("/projects/<slug>/collection")
@allow("project:collection")
def collection(slug: str) -> str:
    """Where every pledge of the run is, in one snapshot."""
    project: Project = g.subject
    run = run_queries.run_of(project.id)
    if run is None:
        return render_template("backing/collection_none.html", project=project)
    page, now = _page_number(), clock.now()
    waiting, found = run_queries.errored(project.id, page)
    if page > 1 and not waiting:
        raise NotFound(_("There is no page %(n)s here.", n=page))
    points, end = run_queries.line(project.id), run_queries.expected_end(run, now)
    is_staff = bool(current_user.is_staff)
    return render_template(
        "backing/collection.html", project=project, run=run, headline=run_words.headline(run),
        reason=run_words.reason(run, for_staff=is_staff), parts=run_words.parts(run.counts),
        ends=run_words.ends_in(end, now) if end else "",
        chart=run_words.chart(run, points) if points else None, errored=waiting, found=found, page=page,
        per_page=run_queries.PER_PAGE, words=run_words, is_staff=is_staff,
        asks=is_staff and "pause" in request.args and not run.is_paused,
        acts=[act for act in audit.entries("project", project.id, 50) if act.action in SHOWN] if is_staff else [])


@bp.post("/projects/<slug>/collection/pause")
@allow("staff")
def pause_collection(slug: str) -> Response:
    done = running.pause_run(project_of(slug).id, request.form.get("why", ""), current_user.id)
    flash(_("The collection is paused. What was under way comes to its end.") if done else
          _("The collection stands already."), "success")
    return _back(slug)


@bp.post("/projects/<slug>/collection/resume")
@allow("staff")
def resume_collection(slug: str) -> Response:
    done = running.resume_run(project_of(slug).id, current_user.id)
    flash(_("The collection goes on.") if done else _("The collection was not paused."), "success")
    return _back(slug)


@bp.post("/pledges/<uuid:pledge_id>/retry")
@allow("staff")
def retry(pledge_id: Any) -> Response:
    """One more try of one pledge, with the card it has."""
    pledge: Pledge | None = pledge_of(pledge_id)
    if pledge is None:
        raise NotFound(_("There is no pledge at this address."))
    slug, number = pledge.project.slug, pledge.number
    db.session.rollback()
    running.retry_pledge(pledge_id, current_user.id)
    flash(_("Backer %(n)s is tried again now.", n=number), "success")
    return _back(slug)


def _back(slug: str) -> Response:
    return redirect(url_for("backing.collection", slug=slug), 303)  # type: ignore[return-value]


@bp.get("/platform/collections")
@allow("staff")
def collections() -> str:
    """All of them: what is paused first."""
    page = _page_number()
    found = run_queries.runs(page)
    if page > 1 and not found:
        raise NotFound(_("There is no page %(n)s here.", n=page))
    totals = run_queries.totals()
    return render_template("backing/collections.html", runs=found, totals=totals, page=page, words=run_words,
                           more=sum(totals.values()) > page * run_queries.PER_PAGE)
