"""From a draft to a live project, and the way out before the end."""

import sqlalchemy as sa
from flask import current_app, url_for
from flask_babel import gettext as _

from core.db import db, transaction
from core.errors import BadInput, NotAllowed, Refusal
from core.pages import touch
from people.models import Person
from projects.closing import CLOSING_LOCK
from projects.deadlines import database_now, require_in_reach
from projects.hooks import Step, launch_asked, project_cancelled, project_launched, steps_asked
from projects.models import Faq, Project, ProjectState

S = ProjectState


def steps_of(project: Project) -> list[Step]:
    """The checklist before launch, every room's part of it."""
    steps: list[Step] = []
    steps_asked.send(project, steps)
    return sorted(steps, key=lambda step: step.order)


def add_steps(project: Project, steps: list[Step]) -> None:
    """What this room asks for; connected to its own hook."""
    def to(step: str) -> str:
        return url_for(f"projects.edit_{step}" if step else "projects.edit", slug=project.slug)

    basics = project.blurb and project.category and project.goal and project.deadline
    steps += [
        Step("basics", _("The basics"), to(""), bool(basics), _("sentence, category, goal and last day"), 10),
        Step("story", _("Story"), to("story"), len(project.story) >= 20, _("tell what you want to make"), 20),
        Step("picture", _("Picture"), to("picture"), project.picture_id is not None, _("one picture, 3 by 2"), 30),
        Step("faq", _("Frequently asked"), to("faq"), bool(db.session.scalar(
            sa.select(sa.exists().where(Faq.project_id == project.id)))), _("may stay empty"), 50, False),
        Step("email", _("Your e-mail address"), url_for("people.me"), project.creator.confirmed_at is not None,
             _("open the link that we sent you"), 70),
    ]


def launch(project: Project, by: Person) -> Project:
    """Open the project for pledges. Goal, last day, fee and reserve are fixed from here on."""
    launch_asked.send(project)
    with transaction() as session:
        project = session.get_one(Project, project.id, with_for_update=True, populate_existing=True)
        if project.creator_id != by.id:
            raise NotAllowed(_("Only the creator can launch a project."))
        if project.state is not S.DRAFT:
            raise Refusal(_("This project was launched before."))
        if project.creator.confirmed_at is None:
            raise Refusal(_("Confirm your e-mail address first: open the link that we sent to %(email)s.",
                            email=project.creator.email))
        if open_steps := [step for step in steps_of(project) if step.is_needed and not step.is_done]:
            raise Refusal(_("Before you launch, finish: %(steps)s.", steps=", ".join(s.label for s in open_steps)))
        if project.deadline is None:  # a step of the checklist; said again for the type checker and for safety
            raise BadInput(_("Choose the last day."), "day")
        require_in_reach(project.deadline, project.zone, None)
        project.fee_bp = current_app.config["PLATFORM_FEE_BP"]
        project.reserve_bp = current_app.config["RESERVE_BP"]
        project.launched_at = database_now()
        for state in (S.SUBMITTED, S.APPROVED, S.LIVE):
            project.move(state, by_id=by.id, why="" if state is S.LIVE else "no review on this site")
        session.flush()
        project_launched.send(project)
        touch(project.topic, "front")
    return project


def cancel(project: Project, by: Person, why: str = "") -> Project:
    """Stop a project before its deadline; rooms above let its pledges go. Nobody is charged."""
    with transaction() as session:
        session.execute(CLOSING_LOCK, {"project": str(project.id)})  # no pledge is placed or confirmed while this decides
        project = session.get_one(Project, project.id, with_for_update=True, populate_existing=True)
        if project.creator_id != by.id and not by.is_staff:
            raise NotAllowed(_("Only the creator can stop a project."))
        was_live = project.state in (S.LIVE, S.SUSPENDED)
        project.move(S.CANCELLED, by_id=by.id, why=why.strip()[:500])
        project.closed_at = database_now()
        session.flush()
        if was_live:
            project_cancelled.send(project)
        touch(project.topic, "front")
    return project
