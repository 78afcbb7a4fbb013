"""The creator's pages: writing the pitch step by step, launching it, telling news, choosing who may help."""

from typing import Any
from uuid import UUID

from flask import Response, flash, g, redirect, render_template, request, url_for
from flask_babel import gettext as _
from flask_login import current_user

from core import money
from core.db import db
from core.errors import BadInput, Refusal
from core.policy import allow
from projects import forms, queries, services
from projects.models import MemberRole, Project, ProjectState
from projects.views import bp

Answer = str | tuple[str, int] | Response
S = ProjectState


def _person() -> Any:
    return current_user._get_current_object()


def _go(endpoint: str, project: Project) -> Response:
    return redirect(url_for(endpoint, slug=project.slug), 303)  # type: ignore[return-value]


def _page(template: str, project: Project, form: Any, step: str, **context: Any) -> Answer:
    """A page of the editor: 422 when something must be mended, and then nothing was written."""
    wrong = bool(form.errors)
    page = render_template(template, project=project, form=form, step=step, steps=services.steps_of(project),
                           card=queries.card(project.id), **context)
    return (page, 422) if wrong else page


def _refused(form: Any, project: Project, refusal: Refusal, field: str | None = None) -> None:
    """Undo, and tell beside the field; a form that came too late continues from the newest edition."""
    db.session.rollback()
    db.session.refresh(project)
    forms.hand_back(form, refusal, field)
    if refusal.field == "edition":
        form.now_from(project.edition)


@bp.route("/projects/new", methods=["GET", "POST"])
@allow("signed-in")
def create() -> Answer:
    form = forms.NewProjectForm()
    if form.validate_on_submit():
        try:
            project = services.create_project(
                _person(), form.title.data or "", category=form.chosen_category, blurb=form.blurb.data or "",
                place=form.place.data or "")
            flash(_("Your draft is kept. Only you see it until you launch."), "success")
            return _go("projects.edit", project)
        except BadInput as refusal:
            forms.hand_back(form, refusal)
    page = render_template("projects/create.html", form=form)
    return (page, 422) if form.errors else page


@bp.route("/projects/<slug>/edit", methods=["GET", "POST"])
@allow("project:edit")
def edit(slug: str) -> Answer:
    project: Project = g.subject
    form = forms.BasicsForm.of(project)
    if form.validate_on_submit():
        fixed = {} if project.is_public else {
            "goal": form.amount, "currency": form.currency.data, "zone": form.zone.data,
            "deadline": form.moment.moment if form.moment else None}
        try:
            project = services.edit_basics(
                project, form.edition.data, title=form.title.data or "", blurb=form.blurb.data or "",
                category=form.chosen_category, place=form.place.data or "", country=form.country.data, **fixed)
        except BadInput as refusal:
            _refused(form, project, refusal)
        else:
            if form.moment and form.moment.note:
                flash(form.moment.note, "message")
            return _saved(project, "projects.edit", "projects.edit_story")
    reach = None
    if project.goal:
        from flask import current_app

        fee = money.share(project.goal, project.fee_bp or current_app.config["PLATFORM_FEE_BP"])
        reach = project.goal - fee
    return _page("projects/edit.html", project, form, "basics", after_fee=reach)


def _saved(project: Project, here: str, next_step: str) -> Response:
    flash(_("Saved."), "success")
    return _go(here if "stay" in request.form else next_step, project)


@bp.route("/projects/<slug>/edit/story", methods=["GET", "POST"])
@allow("project:edit")
def edit_story(slug: str) -> Answer:
    project: Project = g.subject
    form = forms.StoryForm(data={"story": project.story, "edition": project.edition})
    if form.validate_on_submit():
        file = form.picture.data
        try:
            project = services.edit_story(
                project, form.story.data or "", form.edition.data, picture=file.stream if file else None,
                picture_alt=form.picture_alt.data or "", by=_person())
        except BadInput as refusal:
            _refused(form, project, refusal, "picture")
        else:
            if file:
                flash(_("Your picture stands at the end of the story. Move its line to where you want it."), "success")
                return _go("projects.edit_story", project)
            return _saved(project, "projects.edit_story", "projects.edit_picture")
    keys = queries.story_pictures(project)
    return _page("projects/edit_story.html", project, form, "story",
                 lines=[(key, services.story_line(key)) for key in keys])


@bp.route("/projects/<slug>/edit/picture", methods=["GET", "POST"])
@allow("project:edit")
def edit_picture(slug: str) -> Answer:
    project: Project = g.subject
    form = forms.PictureForm(data={"picture_alt": project.picture_alt, "edition": project.edition})
    if form.validate_on_submit():
        file = form.picture.data
        try:
            project = services.set_picture(project, file.stream if file else None, form.picture_alt.data or "",
                                           _person(), form.edition.data)
        except BadInput as refusal:
            _refused(form, project, refusal, "picture")
        else:
            return _saved(project, "projects.edit_picture", "rewards.listing")
    return _page("projects/edit_picture.html", project, form, "picture")


@bp.route("/projects/<slug>/edit/faq", methods=["GET", "POST"])
@allow("project:edit")
def edit_faq(slug: str) -> Answer:
    project: Project = g.subject
    form = forms.FaqForm(data={"edition": project.edition})
    pairs = [(row.question, row.answer) for row in queries.faq_of(project)]
    if request.method == "POST":
        numbers = range(min(len(request.form), 2 * 60))
        pairs = [(request.form.get(f"question-{n}", ""), request.form.get(f"answer-{n}", "")) for n in numbers
                 if f"question-{n}" in request.form]
    if form.validate_on_submit():
        try:
            project = services.edit_faq(project, pairs, form.edition.data)
        except BadInput as refusal:
            _refused(form, project, refusal)
        else:
            return _saved(project, "projects.edit_faq", "projects.launch")
    return _page("projects/edit_faq.html", project, form, "faq", pairs=[*pairs, ("", ""), ("", "")])


@bp.route("/projects/<slug>/launch", methods=["GET", "POST"])
@allow("project:own")
def launch(slug: str) -> Answer:
    project: Project = g.subject
    form = forms.PlainForm()
    if form.validate_on_submit():
        try:
            services.launch(project, _person())
        except Refusal as refusal:
            _refused(form, project, refusal)
        else:
            flash(_("Your project is live. Tell the first people yourself: they are nearly always people you know."),
                  "success")
            return _go("projects.show", project)
    return _page("projects/launch.html", project, form, "launch")


@bp.route("/projects/<slug>/ending", methods=["GET", "POST"])
@allow("project:stop")
def ending(slug: str) -> Answer:
    """Stop a live project before its end: nobody is charged, every backer is told with the reason."""
    project: Project = g.subject
    if project.state not in (S.LIVE, S.SUSPENDED):
        raise Refusal(_("Only a project that is live can be stopped."))
    form = forms.StopForm()
    if form.validate_on_submit():
        services.cancel(project, _person(), form.why.data or "")
        flash(_("Your project is stopped. Nobody was charged, and everybody who pledged gets a mail."), "success")
        return _go("projects.show", project)
    return _page("projects/ending.html", project, form, "launch", total=project.total)


@bp.route("/projects/<slug>/updates/new", methods=["GET", "POST"])
@allow("project:edit")
def new_update(slug: str) -> Answer:
    project: Project = g.subject
    form = forms.UpdateForm()
    preview = None
    if form.validate_on_submit():
        if "preview" in request.form:
            preview = form.body.data
        else:
            try:
                news = services.publish_update(project, _person(), form.title.data or "", form.body.data or "")
            except BadInput as refusal:
                forms.hand_back(form, refusal)
            else:
                flash(_("Update %(number)s is published.", number=news.number), "success")
                return redirect(url_for("projects.update", slug=slug, number=news.number), 303)  # type: ignore[return-value]
    page = render_template("projects/new_update.html", project=project, form=form, preview=preview,
                           updates=queries.updates_of(project), may_tell=project.is_public and project.state is not S.SUSPENDED)
    return (page, 422) if form.errors else page


@bp.route("/projects/<slug>/team", methods=["GET", "POST"])
@allow("project:own")
def team(slug: str) -> Answer:
    project: Project = g.subject
    form = forms.MemberForm()
    if form.validate_on_submit():
        try:
            member = services.add_member(project, form.email.data or "", MemberRole(form.role.data))
            flash(_("%(name)s works on this project now.", name=member.person.name), "success")
            return _go("projects.team", project)
        except BadInput as refusal:
            forms.hand_back(form, refusal)
    page = render_template("projects/team.html", project=project, form=form, members=queries.members_of(project))
    return (page, 422) if form.errors else page


@bp.post("/projects/<slug>/team/<uuid:person_id>/removal")
@allow("project:own")
def remove_member(slug: str, person_id: UUID) -> Answer:
    project: Project = g.subject
    services.remove_member(project, person_id)
    flash(_("They no longer work on this project."), "success")
    return _go("projects.team", project)


@bp.post("/projects/<slug>/cancellation")
@allow("project:own")
def cancel_draft(slug: str) -> Answer:
    """Throw away a draft; a live project is stopped, with a reason (`ending`)."""
    project: Project = g.subject
    if project.is_public:
        raise Refusal(_("A live project cannot be thrown away; it can be stopped, with a reason for its backers."))
    services.cancel(project, _person(), _("thrown away as a draft"))
    flash(_("The draft is gone."), "success")
    return redirect(url_for("projects.home"), 303)  # type: ignore[return-value]
