"""The creator's pages of the rewards: list, add, change, take out, put in order."""

from typing import Any
from uuid import UUID

from flask import Blueprint, Response, flash, g, redirect, render_template, request, url_for
from flask_babel import gettext as _
from flask_login import current_user

from core import money
from core.db import db
from core.errors import NotFound, Refusal
from core.policy import allow
from people.models import Person
from projects.hooks import Step, Tab
from projects.models import Project
from projects.queries import card
from projects.rules import may_edit
from projects.services import steps_of
from rewards import forms, queries, services

bp = Blueprint("rewards", __name__)
Answer = str | tuple[str, int] | Response


def _back(project: Project) -> Response:
    return redirect(url_for("rewards.listing", slug=project.slug), 303)  # type: ignore[return-value]


def _sent(form: forms.RewardForm) -> dict[str, Any]:
    file = form.picture.data
    return {"title": form.title.data or "", "price": form.amount, "description": form.description.data or "",
            "quantity": form.number, "delivery_on": form.month, "picture": file.stream if file else None,
            "picture_alt": form.picture_alt.data or "", "by": current_user._get_current_object()}


def _refused(form: Any, project: Project, refusal: Refusal) -> None:
    if isinstance(refusal, NotFound):
        raise refusal
    db.session.rollback()
    db.session.refresh(project)
    forms.hand_back(form, refusal, "picture" if refusal.status == 422 else None)


def _page(template: str, project: Project, form: Any, **context: Any) -> Answer:
    page = render_template(template, project=project, form=form, step="rewards", steps=steps_of(project),
                           card=card(project.id), **context)
    return (page, 422) if form.errors else page


@bp.get("/projects/<slug>/rewards")
@allow("project:edit")
def listing(slug: str) -> Answer:
    project: Project = g.subject
    return _page("rewards/list.html", project, forms.PlainForm(), offers=queries.rewards_of(project))


@bp.route("/projects/<slug>/rewards/new", methods=["GET", "POST"])
@allow("project:edit")
def add(slug: str) -> Answer:
    project: Project = g.subject
    form = forms.RewardForm(project.currency)
    if form.validate_on_submit():
        try:
            reward = services.add_reward(project, **_sent(form))
        except Refusal as refusal:
            _refused(form, project, refusal)
        else:
            flash(_("“%(title)s” is on the list.", title=reward.title), "success")
            return _back(project)
    return _page("rewards/edit.html", project, form, offer=None)


@bp.route("/projects/<slug>/rewards/<uuid:reward_id>", methods=["GET", "POST"])
@allow("project:edit")
def edit(slug: str, reward_id: UUID) -> Answer:
    project: Project = g.subject
    offer = next((o for o in queries.rewards_of(project) if o.id == reward_id), None)
    if offer is None:
        raise NotFound(_("This reward is not there any more."))
    price = money.to_decimal(offer.price, offer.currency)
    form = forms.RewardForm(project.currency, data={
        "title": offer.title, "description": offer.description, "quantity": str(offer.quantity or ""),
        "price": str(int(price) if price == price.to_integral_value() else price),
        "delivery": f"{offer.delivery_on:%Y-%m}" if offer.delivery_on else "", "picture_alt": offer.picture_alt})
    if form.validate_on_submit():
        try:
            services.edit_reward(project, reward_id, **_sent(form))
        except Refusal as refusal:
            _refused(form, project, refusal)
        else:
            flash(_("Saved."), "success")
            return _back(project)
    return _page("rewards/edit.html", project, form, offer=offer)


@bp.post("/projects/<slug>/rewards/<uuid:reward_id>/removal")
@allow("project:edit")
def remove(slug: str, reward_id: UUID) -> Answer:
    project: Project = g.subject
    services.remove_reward(project, reward_id)
    flash(_("The reward is gone."), "success")
    return _back(project)


@bp.post("/projects/<slug>/rewards/<uuid:reward_id>/place")
@allow("project:edit")
def place(slug: str, reward_id: UUID) -> Answer:
    """Up or down by one."""
    project: Project = g.subject
    services.move_reward(project, reward_id, up=request.form.get("to") == "up")
    return _back(project)


def show_on_page(project: Project, context: dict[str, Any]) -> None:
    """Hooked to projects.page_shown."""
    context["rewards"] = queries.rewards_of(project)


def add_step(project: Project, steps: list[Step]) -> None:
    """Hooked to projects.steps_asked: good to have, but a project may also ask for nothing but support."""
    steps.append(Step("rewards", _("Rewards"), url_for("rewards.listing", slug=project.slug),
                      queries.has_rewards(project), _("at least one, most have five"), 40, False))


def add_tab(project: Project, person: Person, tabs: list[Tab]) -> None:
    """Hooked to projects.tabs_asked."""
    if may_edit(person, project):
        tabs.append(Tab("rewards", _("Rewards"), url_for("rewards.listing", slug=project.slug), order=30))
