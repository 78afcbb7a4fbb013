"""The organiser's desk of ambassador rounds. The creator writes, opens, chooses and ends; organisers also read
applications, decide proofs and fill the kit."""

from typing import Any
from uuid import UUID

from flask import Response, current_app, flash, g, redirect, render_template, request, url_for
from flask_babel import gettext as _
from flask_login import current_user

from core.db import db
from core.errors import BadInput, NotFound, Refusal
from core.policy import allow
from projects.models import Project
from projects.rules import role_of
from sharing import applications, choosing, exports, kit, missions, round_words, rounds, scoring, voting
from sharing.forms import hand_back
from sharing.forms_ambassadors import JurorForm, KitForm, MissionForm, RoundForm, WordForm
from sharing.models_rounds import AmbassadorRound, ApplicationState, ProofState, RoundState
from sharing.views import bp
from sharing.views_reports import send_list

Answer = str | tuple[str, int] | Response
R = RoundState
PER_PAGE = 50


def _person() -> Any:
    return current_user._get_current_object()


def _go(endpoint: str, project: Project, **values: Any) -> Response:
    return redirect(url_for(endpoint, slug=project.slug, **values), 303)  # type: ignore[return-value]


def _latest(project: Project) -> AmbassadorRound:
    found = rounds.latest_round(project)
    if found is None:
        raise NotFound(_("There is no round here yet."))
    return found


def _page(name: str, project: Project, found: AmbassadorRound | None, *, wrong: bool = False, **context: Any) -> Answer:
    page = render_template(
        f"sharing/ambassadors/desk_{name}.html", project=project, round=found, here=name, words=round_words,
        is_creator=role_of(current_user, project) == "creator", waiting=missions.waiting(found) if found else 0, **context)
    return (page, 422) if wrong else page


def _number() -> int:
    return max(1, min(request.args.get("page", 1, type=int), 10_000))


@bp.get("/projects/<slug>/ambassadors/desk")
@allow("project:backers")
def ambassador_desk(slug: str) -> Answer:
    return _desk(g.subject)


def _desk(project: Project, form: WordForm | None = None) -> Answer:
    found = rounds.latest_round(project)
    context: dict[str, Any] = {"form": form or WordForm(), "counts": {}, "jurors": [], "voters": 0, "free": 0, "past": [
        one for one in rounds.rounds_of(project) if found is None or one.id != found.id]}
    if found:
        counts = applications.counts_of(found)
        context |= {"counts": counts, "jurors": rounds.jurors(found), "voters": voting.voters(found),
                    "free": found.places - counts.get(ApplicationState.ACCEPTED, 0)}
    return _page("overview", project, found, wrong=bool(form and form.errors), **context)


@bp.route("/projects/<slug>/ambassadors/desk/round", methods=["GET", "POST"])
@allow("project:own")
def edit_round(slug: str) -> Answer:
    """Write a new round, or change the one under way."""
    project: Project = g.subject
    found = rounds.round_under_way(project)
    form = RoundForm(project, found)
    if form.validate_on_submit():
        try:
            if found:
                rounds.edit_round(found.id, form.plan, form.edition.data, _person())
            else:
                rounds.open_round(project, form.plan, _person())
        except (BadInput, Refusal) as refusal:
            db.session.rollback()
            hand_back(form, refusal)
            if refusal.field == "edition" and found:
                db.session.refresh(found)
                form.edition.raw_data, form.edition.data = None, found.edition
        else:
            flash(_("Saved."), "success")
            return _go("sharing.ambassador_desk", project)
    return _page("round", project, found, wrong=bool(form.errors), form=form)


@bp.post("/projects/<slug>/ambassadors/desk/announcement")
@allow("project:own")
def announce_round(slug: str) -> Response:
    project: Project = g.subject
    found = rounds.announce_round(_latest(project).id, _person())
    flash(_("The call is open.") if found.state is R.OPEN else _("The call is announced. It opens by itself on its day."),
          "success")
    return _go("sharing.ambassador_desk", project)


@bp.post("/projects/<slug>/ambassadors/desk/cancellation")
@allow("project:own")
def cancel_round(slug: str) -> Answer:
    project: Project = g.subject
    found, form = _latest(project), WordForm()
    if form.validate_on_submit() and not (form.why.data or "").strip() and found.state is not R.DRAFT:
        form.why.errors = [_("Say why: everybody who applied is told that it ended.")]
    if form.errors:
        return _desk(project, form)
    rounds.cancel_round(found.id, _person(), (form.why.data or "").strip())
    flash(_("The round is cancelled."), "success")
    return _go("sharing.ambassador_desk", project)


# Applications, jury and choice ------------------------------------------------------------------------

@bp.get("/projects/<slug>/ambassadors/desk/applications")
@allow("project:backers")
def round_applications(slug: str) -> Answer:
    return _applications(g.subject)


def _applications(project: Project, wrong: UUID | None = None, form: WordForm | None = None,
                  juror: JurorForm | None = None) -> Answer:
    found, page = rounds.latest_round(project), _number()
    context: dict[str, Any] = {"those": [], "of_all": 0, "answers": {}, "named": [], "page": page, "per_page": PER_PAGE,
                               "bad": wrong, "form": form or WordForm(), "juror_form": juror or JurorForm(), "free": 0}
    if found:
        those, of_all = applications.applications_of(found, page, PER_PAGE)
        context |= {"those": those, "of_all": of_all, "named": voting.named_jurors(found),
                    "answers": applications.answers_of([one.id for one in those], public_only=False),
                    "free": found.places - applications.counts_of(found).get(ApplicationState.ACCEPTED, 0)}
    return _page("applications", project, found, wrong=bool(wrong or (juror and juror.errors)), **context)


@bp.post("/projects/<slug>/ambassadors/desk/jury")
@allow("project:own")
def add_juror(slug: str) -> Answer:
    project: Project = g.subject
    found, form = _latest(project), JurorForm()
    if form.validate_on_submit():
        try:
            voting.add_juror(found.id, form.email.data or "", _person())
            flash(_("Asked to judge. A mail goes out when the jury begins."), "success")
            return _go("sharing.round_applications", project)
        except BadInput as refusal:
            db.session.rollback()
            hand_back(form, refusal)
    return _applications(project, juror=form)


@bp.post("/projects/<slug>/ambassadors/desk/jury/<uuid:person_id>/removal")
@allow("project:own")
def remove_juror(slug: str, person_id: UUID) -> Response:
    project: Project = g.subject
    voting.remove_juror(_latest(project).id, person_id, _person())
    flash(_("Taken out of the jury. The marks given are gone."), "success")
    return _go("sharing.round_applications", project)


@bp.route("/projects/<slug>/ambassadors/desk/choice", methods=["GET", "POST"])
@allow("project:own")
def choose_ambassadors(slug: str) -> Answer:
    """The proposal; confirmed as it is, or with swaps that have a reason."""
    project: Project = g.subject
    found = rounds.latest_round(project)
    if found is None or found.state is not R.CHOOSING or found.chosen_at:
        return _page("choice", project, found, proposal=None, form=WordForm())
    proposal, form = choosing.proposal_of(found), WordForm()
    shown = proposal.standings[:max(100, min(2 * found.places, 1_000))]
    errors: dict[str, str] = {}
    sent: dict[UUID, ApplicationState] = {}
    if request.method == "POST":
        sent, reasons = _decisions(shown)
        try:
            count = choosing.confirm(found.id, sent, reasons, request.form.get("key", ""), _person())
        except BadInput as refusal:
            db.session.rollback()
            proposal = choosing.proposal_of(found)
            errors[refusal.field or ""] = refusal.sentence
        else:
            flash(_("The ambassadors are chosen (%(count)s). Everybody who applied gets a mail.", count=count), "success")
            return _go("sharing.ambassador_desk", project)
    return _page("choice", project, found, wrong=bool(errors), proposal=proposal, shown=shown, wrongs=errors, sent=sent,
                 form=form)


def _decisions(shown: list[choosing.Standing]) -> tuple[dict[UUID, ApplicationState], dict[UUID, str]]:
    """What was chosen and why, of the applications that the page shows; anything else in the form is nobody's."""
    decisions, reasons = {}, {}
    for one in shown:
        said = request.form.get(f"state-{one.id}", "")
        if said in {state.value for state in choosing.DECISIONS}:
            decisions[one.id] = ApplicationState(said)
        reasons[one.id] = request.form.get(f"why-{one.id}", "")
    return decisions, reasons


@bp.post("/projects/<slug>/ambassadors/desk/places/<uuid:application_id>")
@allow("project:own")
def change_place(slug: str, application_id: UUID) -> Answer:
    """Take an ambassador out, or somebody in, with a reason."""
    project: Project = g.subject
    found, form = _latest(project), WordForm()
    try:
        if not form.validate_on_submit():
            return _applications(project, application_id, form)
        act = choosing.take_in if request.form.get("act") == "in" else choosing.step_back
        act(found.id, application_id, _person(), form.why.data or "")
    except BadInput as refusal:
        db.session.rollback()
        hand_back(form, refusal)
        return _applications(project, application_id, form)
    flash(_("Done. Those concerned get a mail."), "success")
    return _go("sharing.round_applications", project)


# Missions, proofs and kit -----------------------------------------------------------------------------

@bp.route("/projects/<slug>/ambassadors/desk/missions", methods=["GET", "POST"])
@allow("project:backers")
def round_missions(slug: str) -> Answer:
    return _missions(g.subject, None)


@bp.route("/projects/<slug>/ambassadors/desk/missions/<uuid:mission_id>", methods=["GET", "POST"])
@allow("project:backers")
def round_mission(slug: str, mission_id: UUID) -> Answer:
    return _missions(g.subject, mission_id)


def _missions(project: Project, mission_id: UUID | None) -> Answer:
    """The list, and the form for a new one or for this one."""
    found = _latest(project) if mission_id else rounds.latest_round(project)
    if found is None:
        return _page("missions", project, None, form=None, missions=[], mission=None)
    mission = missions.mission_of(found, mission_id) if mission_id else None
    form = MissionForm(found, mission)
    if form.validate_on_submit():
        try:
            missions.publish_mission(found.id, form.task, _person(), mission_id)
        except (BadInput, Refusal) as refusal:
            db.session.rollback()
            hand_back(form, refusal)
        else:
            flash(_("The mission is on the ambassadors’ page."), "success")
            return _go("sharing.round_missions", project)
    return _page("missions", project, found, wrong=bool(form.errors), form=form, mission=mission,
                 missions=missions.missions_of(found))


@bp.post("/projects/<slug>/ambassadors/desk/missions/<uuid:mission_id>/removal")
@allow("project:backers")
def remove_mission(slug: str, mission_id: UUID) -> Response:
    project: Project = g.subject
    missions.remove_mission(_latest(project).id, mission_id, _person())
    flash(_("The mission is gone."), "success")
    return _go("sharing.round_missions", project)


@bp.get("/projects/<slug>/ambassadors/desk/proofs")
@allow("project:backers")
def round_proofs(slug: str) -> Answer:
    return _proofs(g.subject)


def _proofs(project: Project, wrong: UUID | None = None, form: WordForm | None = None) -> Answer:
    found, page = rounds.latest_round(project), _number()
    said = request.args.get("show", "")
    state = ProofState(said) if said in set(ProofState) else None
    those, of_all = missions.proofs_of(found, state, page, PER_PAGE) if found else ([], 0)
    return _page("proofs", project, found, wrong=bool(wrong), those=those, of_all=of_all, page=page, per_page=PER_PAGE,
                 show=state.value if state else "", bad=wrong, form=form or WordForm())


@bp.post("/projects/<slug>/ambassadors/desk/proofs/<uuid:proof_id>/decision")
@allow("project:backers")
def decide_proof(slug: str, proof_id: UUID) -> Answer:
    project: Project = g.subject
    found, form = _latest(project), WordForm()
    try:
        if not form.validate_on_submit():
            return _proofs(project, proof_id, form)
        missions.decide_proof(found.id, proof_id, request.form.get("to", ""), form.why.data or "", _person())
    except BadInput as refusal:
        db.session.rollback()
        hand_back(form, refusal)
        return _proofs(project, proof_id, form)
    flash(_("Decided. The ambassador gets a mail."), "success")
    return _go("sharing.round_proofs", project)


@bp.route("/projects/<slug>/ambassadors/desk/kit", methods=["GET", "POST"])
@allow("project:backers")
def round_kit(slug: str) -> Answer:
    project: Project = g.subject
    found, form = rounds.latest_round(project), KitForm(project.zone)
    if found and form.validate_on_submit():
        try:
            kit.add_item(found.id, form.piece, _person())
        except (BadInput, Refusal) as refusal:
            db.session.rollback()
            hand_back(form, refusal)
        else:
            flash(_("It is in the kit."), "success")
            return _go("sharing.round_kit", project)
    return _page("kit", project, found, wrong=bool(form.errors), form=form, items=kit.items_of(found) if found else [],
                 sample=kit.told_text("…", found.disclosure, _("the ambassador’s own link")) if found else "")


@bp.post("/projects/<slug>/ambassadors/desk/kit/<uuid:item_id>/removal")
@allow("project:backers")
def remove_kit_item(slug: str, item_id: UUID) -> Response:
    project: Project = g.subject
    kit.remove_item(_latest(project).id, item_id, _person())
    flash(_("It is out of the kit."), "success")
    return _go("sharing.round_kit", project)


# Score ------------------------------------------------------------------------------------------------

@bp.get("/projects/<slug>/ambassadors/desk/score")
@allow("project:backers")
def round_score(slug: str) -> Answer:
    project: Project = g.subject
    found = rounds.latest_round(project)
    all_ = scoring.scores(found, with_left=True) if found else []
    return _page("score", project, found, scores=all_, report=scoring.report_of(all_))


@bp.post("/projects/<slug>/ambassadors/desk/score/export")
@allow("project:backers")
def export_score(slug: str) -> Response:
    """The score as a file, names and all: written down before it leaves, like the lists of the report."""
    project: Project = g.subject
    app = current_app._get_current_object()  # type: ignore[attr-defined]
    parts = exports.hand_out(app, project, _person(), "ambassadors", "csv", scoring.pieces(_latest(project)))
    return send_list(parts, f"{project.slug}-ambassadors", "csv")
