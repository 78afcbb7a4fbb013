"""The creator's pages of the steps: list with a preview, add, change, close, take out."""

from typing import Any
from uuid import UUID

from flask import Response, flash, g, make_response, redirect, render_template, request, url_for
from flask_babel import gettext as _
from flask_login import current_user

from core.db import db
from core.errors import NotFound, Refusal
from core.policy import allow
from projects.models import Project
from sharing import milestones, steps
from sharing.forms import PlainForm
from sharing.forms_milestones import StepForm
from sharing.views import bp

Answer = str | tuple[str, int] | Response


def _back(project: Project) -> Response:
    return make_response(redirect(url_for("sharing.milestones", slug=project.slug), 303))


def suggestions() -> list[tuple[int, str, str, int | None]]:
    """A first set: friends, title, what is in it, how many."""
    return [(1, _("Your name in the credits"), _("As you want it to be spelt"), None),
            (3, _("Signed photo"), _("With a line for you"), 100),
            (10, _("Sound-check"), _("You and a friend, an hour before the doors open"), 5)]


@bp.get("/projects/<slug>/recruits/milestones", endpoint="milestones")
@allow("project:backers")
def listing(slug: str) -> Answer:
    project: Project = g.subject
    found = milestones.steps_of(project.id)
    taken = {step.friends for step in found}
    return render_template("sharing/milestones.html", project=project, form=PlainForm(), steps=found,
                           way=milestones.preview_of(found),
                           suggested=[one for one in suggestions() if one[0] not in taken])


def _sent(form: StepForm) -> dict[str, Any]:
    file = form.picture.data
    return {"friends": form.friends.data, "title": form.title.data or "", "description": form.description.data or "",
            "quantity": form.quantity.data, "delivery_on": form.delivery_on.data, "picture": file.stream if file else None,
            "picture_alt": form.picture_alt.data or "", "by": current_user._get_current_object()}


def _refused(form: StepForm, project: Project, refusal: Refusal) -> None:
    if isinstance(refusal, NotFound):
        raise refusal
    db.session.rollback()
    db.session.refresh(project)
    form.hand_back(refusal)


def _page(project: Project, form: StepForm, step: milestones.Step | None) -> Answer:
    page = render_template("sharing/milestone.html", project=project, form=form, step=step)
    return (page, 422) if form.errors else page


@bp.route("/projects/<slug>/recruits/milestones/new", methods=["GET", "POST"])
@allow("project:backers")
def add_milestone(slug: str) -> Answer:
    project: Project = g.subject
    wanted = next((one for one in suggestions() if str(one[0]) == request.args.get("friends")), None)
    form = StepForm(data=dict(zip(("friends", "title", "description", "quantity"), wanted, strict=True)) if wanted else None)
    if form.validate_on_submit():
        try:
            step = steps.add_step(project, **_sent(form))
        except Refusal as refusal:
            _refused(form, project, refusal)
        else:
            flash(_("“%(title)s” is on the list.", title=step.reward.title), "success")
            return _back(project)
    return _page(project, form, None)


@bp.route("/projects/<slug>/recruits/milestones/<uuid:milestone_id>", methods=["GET", "POST"])
@allow("project:backers")
def edit_milestone(slug: str, milestone_id: UUID) -> Answer:
    project: Project = g.subject
    step = next((one for one in milestones.steps_of(project.id) if one.id == milestone_id), None)
    if step is None:
        raise NotFound(_("This step is not there any more."))
    form = StepForm(data={"friends": step.friends, "title": step.title, "description": step.description,
                          "quantity": step.quantity, "delivery_on": step.delivery_on, "picture_alt": step.picture_alt})
    if form.validate_on_submit():
        try:
            steps.edit_step(project, milestone_id, **_sent(form))
        except Refusal as refusal:
            _refused(form, project, refusal)
        else:
            flash(_("Saved."), "success")
            return _back(project)
    return _page(project, form, step)


@bp.post("/projects/<slug>/recruits/milestones/<uuid:milestone_id>/removal")
@allow("project:backers")
def remove_milestone(slug: str, milestone_id: UUID) -> Answer:
    project: Project = g.subject
    steps.remove_step(project, milestone_id, current_user._get_current_object())
    flash(_("The step is gone."), "success")
    return _back(project)


@bp.post("/projects/<slug>/recruits/milestones/<uuid:milestone_id>/door")
@allow("project:backers")
def milestone_door(slug: str, milestone_id: UUID) -> Answer:
    """Closed to newcomers, or open again."""
    project: Project = g.subject
    is_closed = request.form.get("to") == "closed"
    steps.close_step(project, milestone_id, is_closed, current_user._get_current_object())
    flash(_("Nobody new can reach this step.") if is_closed else _("This step is open again."), "success")
    return _back(project)
