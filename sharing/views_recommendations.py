"""What backers say of a project: written by themselves, read by everybody, hidden by its organisers with a reason."""

from typing import Any
from uuid import UUID

from flask import Response, flash, g, make_response, redirect, render_template, request, url_for
from flask_babel import gettext as _
from flask_login import current_user

from core import pages
from core.errors import BadInput, TooOften
from core.policy import allow
from projects.models import Project
from sharing import queries, recommendations, rules
from sharing.forms_recommendations import HideForm, RecommendationForm
from sharing.views import bp

PER_PAGE = 30


@bp.route("/projects/<slug>/recommendation", methods=["GET", "POST"])
@allow("sharing:share")
def recommend(slug: str) -> Any:
    """One's own text: the field of the sharing page as a page of its own, where its errors stand."""
    project: Project = g.subject
    field = recommendations.Field(current_user.id, project)
    form = RecommendationForm(text=field.text, is_shown=field.is_shown)
    status = 200
    if form.validate_on_submit():
        try:
            recommendations.save(current_user.id, project, form.text.data or "", is_shown=form.is_shown.data)
        except (BadInput, TooOften) as refusal:
            form.text.errors, status = [refusal.sentence], refusal.status
        else:
            flash(_("Kept. Your friends read it when they come by your link.") if form.is_shown.data else
                  _("Kept, and shown to nobody."), "success")
            return redirect(url_for("sharing.share", slug=slug), 303)
    pledge = queries.standing_pledge(current_user.id, project.id)
    return make_response(render_template("sharing/recommendation.html", project=project, form=form, mine=field,
                                         pledge=pledge), status)


@bp.post("/projects/<slug>/recommendation/withdrawal")
@allow("sharing:share")
def withdraw_recommendation(slug: str) -> Response:
    if recommendations.withdraw(current_user.id, g.subject):
        flash(_("Withdrawn. Your words are gone from every page."), "success")
    return redirect(url_for("sharing.share", slug=slug), 303)  # type: ignore[return-value]


@bp.get("/projects/<slug>/recommendations")
@allow("sharing:public")
def recommendation_list(slug: str) -> str:
    """All that backers say of a project; whoever may hide one finds the way here, and what was hidden."""
    project: Project = g.subject
    page = max(1, min(request.args.get("page", 1, type=int), 1_000))
    may_hide = rules.may_moderate(current_user, project)
    pages.cacheable(project.topic, g.page_version)
    quotes = recommendations.newest_of(project, PER_PAGE + 1, (page - 1) * PER_PAGE)
    return render_template(
        "sharing/recommendations.html", project=project, quotes=quotes[:PER_PAGE], page=page, may_hide=may_hide,
        has_next=len(quotes) > PER_PAGE, hidden=recommendations.hidden_of(project.id) if may_hide else [])


@bp.route("/projects/<slug>/recommendations/<uuid:recommendation_id>/hiding", methods=["GET", "POST"])
@allow("sharing:moderate")
def hide_recommendation(slug: str, recommendation_id: UUID) -> Any:
    project: Project = g.subject
    one = recommendations.found(project.id, recommendation_id)
    form = HideForm()
    if form.validate_on_submit():
        if recommendations.hide(one.id, project, current_user.id, form.why.data, form.note.data or ""):
            flash(_("Hidden. Its author is told why by mail."), "success")
        return redirect(url_for("sharing.recommendation_list", slug=slug), 303)
    return make_response(render_template("sharing/hide_recommendation.html", project=project, form=form, one=one),
                         422 if form.is_submitted() else 200)


@bp.post("/projects/<slug>/recommendations/<uuid:recommendation_id>/showing")
@allow("sharing:moderate")
def show_recommendation(slug: str, recommendation_id: UUID) -> Response:
    if recommendations.show_again(recommendation_id, g.subject, current_user.id):
        flash(_("It is shown again, if its author still agrees."), "success")
    return redirect(url_for("sharing.recommendation_list", slug=slug), 303)  # type: ignore[return-value]
