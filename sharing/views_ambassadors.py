"""Ambassador rounds for everybody: the call, applying, voting, the jury, and an ambassador's own page."""

from typing import Any
from uuid import UUID

from flask import Response, flash, g, redirect, render_template, request, url_for
from flask_babel import gettext as _
from flask_login import current_user

from core import clock, pages
from core.db import db
from core.errors import BadInput, NotFound, Refusal
from core.policy import allow
from projects.models import Project
from sharing import (
    applications,
    choosing,
    kit,
    missions,
    panel,
    queries,
    round_words,
    rounds,
    scoring,
    services,
    voting,
)
from sharing.forms import hand_back
from sharing.forms_ambassadors import MarkForm, ProofForm, WordForm, application_form, ids_in
from sharing.missions import Evidence
from sharing.models_rounds import PUBLIC_ROUND, VOTES, AmbassadorRound, RoundState
from sharing.views import bp

Answer = str | tuple[str, int] | Response
R = RoundState
SHOWN = 100  # ambassadors in the public score; the organiser's has all


def _person() -> Any:
    return current_user._get_current_object()


def _go(endpoint: str, project: Project, **values: Any) -> Response:
    return redirect(url_for(endpoint, slug=project.slug, **values), 303)  # type: ignore[return-value]


def _says(page: str, wrong: bool) -> Answer:
    return (page, 422) if wrong else page


@bp.get("/projects/<slug>/ambassadors")
@allow("sharing:public")
def ambassadors(slug: str) -> Answer:
    """The call, then the candidates, then the ambassadors and their score."""
    project: Project = g.subject
    pages.cacheable(project.topic, g.page_version)
    return _public(project, rounds.public_round(project))


def _public(project: Project, found: AmbassadorRound | None, refused: str = "", chosen: set[UUID] | None = None) -> Answer:
    context: dict[str, Any] = {"project": project, "round": found, "refused": refused, "words": round_words, "VOTES": VOTES}
    if found is not None:
        me = _person()
        mine = applications.application_of(found, me)
        context |= {"mine": mine, "is_team": me.is_authenticated and me.id in rounds.team(project),
                    "is_juror": found.state is R.VOTING and rounds.is_juror(found, me), "form": WordForm(
                        meta={"csrf": me.is_authenticated})}
        if found.state is R.VOTING and found.has_vote:
            # Whoever is not signed in sees the same page as all others, so there the order changes with the hour.
            seed = str(me.id) if me.is_authenticated else f"{found.id}:{clock.now():%Y-%m-%d %H}"
            context |= {"candidates": voting.candidates(found, seed),
                        "chosen": voting.votes_by(found, me) if chosen is None else chosen}
        if found.state in (R.RUNNING, R.ENDED):
            all_ = scoring.scores(found)
            context |= {"scores": all_[:SHOWN], "report": scoring.report_of(all_)}
    return _says(render_template("sharing/ambassadors/show.html", **context), bool(refused))


@bp.route("/projects/<slug>/ambassadors/application", methods=["GET", "POST"])
@allow("sharing:share")
def ambassador_application(slug: str) -> Answer:
    """Apply, or change what was sent."""
    project: Project = g.subject
    found = rounds.public_round(project)
    if found is None or found.state is not R.OPEN:
        mine = applications.application_of(found, current_user) if found else None
        return render_template("sharing/ambassadors/application.html", project=project, round=found, mine=mine,
                               words=round_words, form=None, leave_form=WordForm())
    applications.require_no_decider(found, _person())
    mine = applications.application_of(found, current_user)
    form = application_form(found, mine, _person())
    if form.validate_on_submit():
        try:
            applications.apply(found.id, _person(), form.wish())
        except (BadInput, Refusal) as refusal:
            db.session.rollback()
            hand_back(form, refusal)
        else:
            flash(_("Your application is in. You can change it until the call ends."), "success")
            return _go("sharing.ambassadors", project)
    return _says(render_template("sharing/ambassadors/application.html", project=project, round=found, mine=mine,
                                 words=round_words, form=form, leave_form=WordForm()), bool(form.errors))


@bp.post("/projects/<slug>/ambassadors/withdrawal")
@allow("sharing:share")
def withdraw_application(slug: str) -> Response:
    project: Project = g.subject
    applications.withdraw(rounds.round_here(project).id, _person())
    flash(_("Your application is withdrawn. Your name and your answers are shown no more."), "success")
    return _go("sharing.ambassadors", project)


@bp.post("/projects/<slug>/ambassadors/vote")
@allow("sharing:share")
def vote(slug: str) -> Answer:
    """All votes of one person at once; none takes them all away."""
    project: Project = g.subject
    found = rounds.round_here(project, R.VOTING)
    chosen: list[UUID] = []
    try:
        chosen = ids_in(request.form.getlist("chosen")[:50])
        count = voting.cast(found.id, _person(), chosen)
    except BadInput as refusal:
        db.session.rollback()
        return _public(project, found, refusal.sentence, set(chosen))
    flash(_("Your votes are in. You can change them until the vote ends.") if count else
          _("Your votes are taken away."), "success")
    return _go("sharing.ambassadors", project)


# The jury ---------------------------------------------------------------------------------------------

@bp.get("/projects/<slug>/ambassadors/jury")
@allow("ambassadors:judge")
def jury(slug: str) -> Answer:
    project: Project = g.subject
    return _jury(project, rounds.round_here(project))


def _jury(project: Project, found: AmbassadorRound, wrong: UUID | None = None, form: MarkForm | None = None) -> Answer:
    is_judging = voting.is_judging(found)
    candidates = voting.candidates(found, str(current_user.id), for_jury=True) if is_judging else []
    return _says(render_template(
        "sharing/ambassadors/jury.html", project=project, round=found, is_judging=is_judging, candidates=candidates,
        marks=voting.marks_by(found, current_user), wrong=wrong, form=form or MarkForm(), words=round_words), bool(wrong))


@bp.post("/projects/<slug>/ambassadors/jury/<uuid:application_id>")
@allow("ambassadors:judge")
def give_mark(slug: str, application_id: UUID) -> Answer:
    project: Project = g.subject
    found, form = rounds.round_here(project), MarkForm()
    try:
        if not form.validate_on_submit():
            return _jury(project, found, application_id, form)
        voting.give_mark(found.id, application_id, _person(), form.given, form.note.data or "")
    except BadInput as refusal:
        db.session.rollback()
        hand_back(form, refusal)
        return _jury(project, found, application_id, form)
    return redirect(url_for("sharing.jury", slug=slug) + f"#a-{application_id}", 303)  # type: ignore[return-value]


# An ambassador's own page -----------------------------------------------------------------------------

@bp.get("/projects/<slug>/ambassadors/mine")
@allow("sharing:share")
def my_round(slug: str) -> Answer:
    return _mine(g.subject)


def _mine(project: Project, wrong: UUID | None = None, form: ProofForm | None = None) -> Answer:
    found = rounds.latest_round(project)
    mine = applications.application_of(found, current_user) if found and found.state in PUBLIC_ROUND else None
    context: dict[str, Any] = {"project": project, "round": found, "mine": mine, "words": round_words, "wrong": wrong,
                               "form": form or ProofForm(), "leave_form": WordForm(), "missions": [], "kit": []}
    if found and mine and mine.is_ambassador:
        link = queries.link_between(current_user.id, project.id)
        all_ = scoring.scores(found)
        context |= {
            "missions": [(one, missions.is_on(one, found)) for one in missions.missions_of(found, mine.region)],
            "proofs": missions.proofs_by(mine.id), "score": scoring.score_of_one(all_, mine.id), "of_all": len(all_),
            "link_url": panel.link_url(link.code) if link else None,
            "kit": kit.ready(found, panel.link_url(link.code)) if link else []}
    return _says(render_template("sharing/ambassadors/mine.html", **context), bool(wrong))


def _evidence(form: ProofForm) -> Evidence:
    file = form.picture.data
    return Evidence(form.text.data or "", form.link.data or "", file.stream if file else None)


@bp.post("/projects/<slug>/ambassadors/missions/<uuid:mission_id>/proof")
@allow("sharing:share")
def hand_in_proof(slug: str, mission_id: UUID) -> Answer:
    project: Project = g.subject
    found = _here(project)
    mission = missions.mission_of(found, mission_id)
    mine, form = applications.ambassador_of(found, current_user), ProofForm()
    try:
        if not form.validate_on_submit():
            return _mine(project, mission_id, form)
        missions.hand_in(mission.id, mine.id, _evidence(form))
    except BadInput as refusal:
        db.session.rollback()
        hand_back(form, refusal)
        return _mine(project, mission_id, form)
    flash(_("Your proof is with the organiser. It counts once it is accepted."), "success")
    return _go("sharing.my_round", project)


@bp.post("/projects/<slug>/ambassadors/proofs/<uuid:proof_id>")
@allow("sharing:share")
def hand_in_again(slug: str, proof_id: UUID) -> Answer:
    """A proof that came back, mended."""
    project: Project = g.subject
    mine, form = applications.ambassador_of(_here(project), current_user), ProofForm()
    try:
        if not form.validate_on_submit():
            return _mine(project, proof_id, form)
        missions.hand_in_again(proof_id, mine.id, _evidence(form))
    except BadInput as refusal:
        db.session.rollback()
        hand_back(form, refusal)
        return _mine(project, proof_id, form)
    flash(_("Your proof is with the organiser. It counts once it is accepted."), "success")
    return _go("sharing.my_round", project)


@bp.post("/projects/<slug>/ambassadors/departure")
@allow("sharing:share")
def leave_round(slug: str) -> Response:
    """An ambassador steps back; the place goes to the first who waits."""
    project: Project = g.subject
    found = _here(project)
    choosing.step_back(found.id, applications.ambassador_of(found, current_user).id, _person())
    flash(_("You stepped back. Your place goes to somebody who waits. Your sharing link counts all the same."), "success")
    return _go("sharing.ambassadors", project)


@bp.post("/projects/<slug>/ambassadors/link")
@allow("sharing:share")
def ambassador_link(slug: str) -> Response:
    """An ambassador without a sharing link makes it here: looking alone writes nothing."""
    project: Project = g.subject
    applications.ambassador_of(_here(project), current_user)
    services.link_of(current_user.id, project)
    return _go("sharing.my_round", project)


def _here(project: Project) -> AmbassadorRound:
    found = rounds.public_round(project)
    if found is None:
        raise NotFound(_("This project has no ambassador round now."))
    return found
