"""The mails of ambassador rounds. Each says what is true when it leaves, in the reader's language."""

from collections.abc import Callable
from typing import Any
from uuid import UUID

from flask import current_app
from flask_babel import force_locale, ngettext
from flask_babel import gettext as _

from core.db import db
from core.i18n import show_day, show_moment
from core.mail import Letter, author
from people.models import Person
from projects.models import Project
from sharing import panel, scoring
from sharing.models_rounds import (
    AmbassadorRound,
    Application,
    ApplicationMove,
    ApplicationState,
    MissionProof,
    ProofState,
    RoundMove,
    RoundState,
)

R, A, P = RoundState, ApplicationState, ProofState


def _letter(person: Person, project: Project, say: Callable[[], dict[str, Any]], path: str = "") -> Letter:
    """`say` gives line (the subject), head, said (paragraphs) and label, called in the reader's language."""
    with force_locale(person.locale):
        words = say()
        words.setdefault("why", _("You get this mail because of your part in the ambassador round of this project."))
    url = f"{current_app.config['BASE_URL']}/projects/{project.slug}/ambassadors{path}"
    return Letter(person.email, person.name, person.locale, words | {
        "url": url, "project": project, "share": panel.mailed(person.id, project)})


@author("sharing/application_received")
def application_received(application_id: str) -> Letter | None:
    mine = db.session.get(Application, UUID(application_id))
    if mine is None or mine.state is not A.SENT:
        return None
    found = db.session.get_one(AmbassadorRound, mine.round_id)
    project = found.project

    def say() -> dict[str, Any]:
        return {"line": _("Your application for “%(title)s”", title=project.title),
                "head": _("Your application is in."),
                "said": [_("Dear %(name)s, you applied to be an ambassador of “%(title)s”.",
                           name=mine.person.first_name, title=project.title),
                         _("You can change or withdraw it until %(moment)s.",
                           moment=show_moment(found.call_until, project.zone))],
                "label": _("See your application")}
    return _letter(mine.person, project, say, "/application")


@author("sharing/application_decided")
def application_decided(application_id: str, state: str) -> Letter | None:
    mine = db.session.get(Application, UUID(application_id))
    if mine is None:
        return None
    now = A.ACCEPTED if state == "free_place" else A(state)
    if mine.state is not now:
        return None  # it was decided again before the mail left
    found = db.session.get_one(AmbassadorRound, mine.round_id)
    project = found.project

    def say() -> dict[str, Any]:
        title, name = project.title, mine.person.first_name
        begins = _("The round is from %(start)s to %(end)s. Your missions, your kit and your score stand on one page.",
                   start=show_day(found.runs_from, project.zone), end=show_day(found.runs_until, project.zone))
        honest = _("Say openly that you are an ambassador wherever you tell about it. Our texts do it for you.")
        if state == "free_place":
            return {"line": _("A place came free: you are an ambassador of “%(title)s”", title=title),
                    "head": _("A place came free."),
                    "said": [_("Dear %(name)s, it is yours: you are an ambassador of “%(title)s”.", name=name,
                               title=title), begins, honest], "label": _("See your page")}
        if now is A.ACCEPTED:
            return {"line": _("You are an ambassador of “%(title)s”", title=title), "head": _("You are in."),
                    "said": [_("Dear %(name)s, you were chosen as an ambassador of “%(title)s”.", name=name,
                               title=title), begins, honest], "label": _("See your page")}
        if now is A.WAITING:
            return {"line": _("You are on the waiting list of “%(title)s”", title=title),
                    "head": _("You are on the waiting list."),
                    "said": [_("Dear %(name)s, all places of “%(title)s” went to others.", name=name, title=title),
                             _("If one comes free, people of its region come first. You get a mail at once. You need "
                               "not do anything.")], "label": _("See your application")}
        if now is A.LEFT:
            return {"line": _("You are no longer an ambassador of “%(title)s”", title=title),
                    "head": _("Your place was taken back."),
                    "said": [_("Dear %(name)s, the creator of “%(title)s” took you out of the round.", name=name,
                               title=title), _("The reason given: %(why)s", why=_last_why(mine)),
                             _("Your pledges and your sharing link are not touched by this.")],
                    "label": _("See the round")}
        return {"line": _("Your application for “%(title)s”", title=title), "head": _("It did not work out this time."),
                "said": [_("Dear %(name)s, you were not chosen as an ambassador of “%(title)s”. Thank you for applying.",
                           name=name, title=title),
                         _("Your sharing link counts all the same, and whoever comes by it is yours.")],
                "label": _("See the round")}
    return _letter(mine.person, project, say, "/mine" if now is A.ACCEPTED else "")


def _last_why(mine: Application) -> str:
    return db.session.scalar(db.select(ApplicationMove.why).filter_by(application_id=mine.id)
                             .order_by(ApplicationMove.id.desc()).limit(1)) or ""


@author("sharing/proof_decided")
def proof_decided(proof_id: str, state: str) -> Letter | None:
    proof = db.session.get(MissionProof, UUID(proof_id))
    if proof is None or proof.state.value != state:
        return None
    project, person = db.session.get_one(Project, proof.project_id), proof.application.person

    def say() -> dict[str, Any]:
        mission = proof.mission.title
        if proof.state is P.ACCEPTED:
            return {"line": _("Your proof of “%(mission)s” is accepted", mission=mission),
                    "head": _("It counts."),
                    "said": [ngettext("Dear %(name)s, your proof of “%(mission)s” is accepted: %(num)s point.",
                                      "Dear %(name)s, your proof of “%(mission)s” is accepted: %(num)s points.",
                                      proof.points, name=person.first_name, mission=mission)],
                    "label": _("See your score")}
        if proof.state is P.SENT_BACK:
            return {"line": _("Your proof of “%(mission)s” came back", mission=mission),
                    "head": _("Something is missing."),
                    "said": [_("Dear %(name)s, the organiser sent your proof of “%(mission)s” back: %(why)s",
                               name=person.first_name, mission=mission, why=proof.why),
                             _("Mend it and hand it in again until %(moment)s.",
                               moment=show_moment(proof.mission.ends_at, project.zone))],
                    "label": _("Mend it")}
        return {"line": _("Your proof of “%(mission)s” does not count any more", mission=mission),
                "head": _("An acceptance was taken back."),
                "said": [_("Dear %(name)s, your proof of “%(mission)s” no longer counts. The reason given: %(why)s",
                           name=person.first_name, mission=mission, why=proof.why)],
                "label": _("See your score")}
    return _letter(person, project, say, "/mine")


@author("sharing/round_news")
def round_news(round_id: str, person_id: str, news: str) -> Letter | None:
    found = db.session.get(AmbassadorRound, UUID(round_id))
    person = db.session.get(Person, UUID(person_id))
    if found is None or person is None or news not in NEWS or (
            found.state is R.CANCELLED and news != "cancelled"):
        return None
    states, path, say = NEWS[news]
    if found.state not in states:
        return None  # the clock moved on before the mail left
    return _letter(person, found.project, lambda: say(found, person), path)


def _opened(found: AmbassadorRound, person: Person) -> dict[str, Any]:
    return {"line": _("The call for ambassadors of “%(title)s” is open", title=found.project.title),
            "head": _("The call is open."),
            "said": [_("Everybody with an account can apply until %(moment)s. Tell the people whom you want to have.",
                       moment=show_moment(found.call_until, found.project.zone))],
            "label": _("See the call")}


def _voting(found: AmbassadorRound, person: Person) -> dict[str, Any]:
    said = [_("Dear %(name)s, the call has ended. Nobody can apply any more, and your application stays as it is.",
              name=person.first_name)]
    if found.has_vote:
        said.append(_("Everybody with an account can vote until %(moment)s. How many votes you have is shown after that.",
                      moment=show_moment(found.vote_until, found.project.zone)))
    return {"line": _("The vote for the ambassadors of “%(title)s” is on", title=found.project.title)
            if found.has_vote else _("The jury of “%(title)s” is reading", title=found.project.title),
            "head": _("The vote is on.") if found.has_vote else _("The jury is reading."), "said": said,
            "label": _("See the round")}


def _jury(found: AmbassadorRound, person: Person) -> dict[str, Any]:
    return {"line": _("You are in the jury of “%(title)s”", title=found.project.title),
            "head": _("Give your marks."),
            "said": [_("Dear %(name)s, you were asked to judge who becomes an ambassador of “%(title)s”.",
                       name=person.first_name, title=found.project.title),
                     _("Give each application 1 to 5 until %(moment)s. Others do not see your marks one by one.",
                       moment=show_moment(found.vote_until, found.project.zone))],
            "label": _("See the applications")}


def _choosing(found: AmbassadorRound, person: Person) -> dict[str, Any]:
    return {"line": _("Choose the ambassadors of “%(title)s”", title=found.project.title),
            "head": _("The vote has ended."),
            "said": [_("Votes and marks are counted, and a proposal is made. Confirm it or swap people with a reason."),
                     _("The round begins on %(day)s. Nobody is an ambassador before you confirm.",
                       day=show_day(found.runs_from, found.project.zone))],
            "label": _("See the proposal")}


def _running(found: AmbassadorRound, person: Person) -> dict[str, Any]:
    return {"line": _("Your round as an ambassador of “%(title)s” begins", title=found.project.title),
            "head": _("It begins."),
            "said": [_("Dear %(name)s, your missions and your kit are ready. The round ends on %(day)s.",
                       name=person.first_name, day=show_day(found.runs_until, found.project.zone))],
            "label": _("See your missions")}


def _running_team(found: AmbassadorRound, person: Person) -> dict[str, Any]:
    return {"line": _("The ambassador round of “%(title)s” has begun", title=found.project.title),
            "head": _("The round has begun."),
            "said": [_("The ambassadors see their missions and their kit now. Proofs wait for you on the desk.")],
            "label": _("See the desk")}


def _ended(found: AmbassadorRound, person: Person) -> dict[str, Any]:
    all_ = scoring.scores(found)
    mine = next((one for one in all_ if one.person_id == person.id), None)
    said = [_("Dear %(name)s, the round of “%(title)s” has ended. Thank you.", name=person.first_name,
              title=found.project.title)]
    if mine:
        said.append(ngettext("You have %(num)s point, which is place %(place)s of %(all)s.",
                             "You have %(num)s points, which is place %(place)s of %(all)s.", mine.points,
                             place=mine.place, all=len(all_)))
        if mine.pending:
            said.append(ngettext("One friend's pledge is not collected yet. It counts as soon as it is.",
                                 "%(num)s friends' pledges are not collected yet. They count as soon as they are.",
                                 mine.pending))
    return {"line": _("Your round as an ambassador of “%(title)s” has ended", title=found.project.title),
            "head": _("The round has ended."), "said": said, "label": _("See the score")}


def _ended_team(found: AmbassadorRound, person: Person) -> dict[str, Any]:
    report = scoring.report_of(scoring.scores(found, with_left=True))
    return {"line": _("The ambassador round of “%(title)s”: closing report", title=found.project.title),
            "head": _("The round has ended."),
            "said": [_("%(people)s ambassadors brought %(recruits)s collected pledges, and %(pending)s more that are not "
                       "collected yet. %(proofs)s proofs were accepted.", people=report.ambassadors,
                       recruits=report.recruits, pending=report.pending, proofs=report.proofs)],
            "label": _("See the report")}


def _why_cancelled(found: AmbassadorRound) -> str:
    """The creator's words, or what became of the project, in the reader's language."""
    why = db.session.scalar(db.select(RoundMove.why).filter_by(round_id=found.id, to_state=R.CANCELLED)
                            .order_by(RoundMove.id.desc()).limit(1)) or ""
    ours = {"project cancelled": _("The project was stopped before its deadline."),
            "project unsuccessful": _("The project did not reach its goal."), "project over": _("The project is over.")}
    return ours.get(why) or (_("The reason given: %(why)s", why=why) if why else "")


def _cancelled(found: AmbassadorRound, person: Person) -> dict[str, Any]:
    why = _why_cancelled(found)
    return {"line": _("The ambassador round of “%(title)s” is cancelled", title=found.project.title),
            "head": _("The round is cancelled."),
            "said": [_("Dear %(name)s, the ambassador round of “%(title)s” was ended before its time.",
                       name=person.first_name, title=found.project.title), *([why] if why else []),
                     _("Your pledges and your sharing link are not touched by this.")],
            "label": _("See the project")}


# What may be told, in which states it is still true, where its button leads, and who says it.
NEWS: dict[str, tuple[tuple[RoundState, ...], str, Callable[[AmbassadorRound, Person], dict[str, Any]]]] = {
    "open_team": ((R.OPEN,), "", _opened),
    "voting": ((R.VOTING,), "", _voting),
    "jury": ((R.VOTING, R.CHOOSING), "/jury", _jury),
    "choosing": ((R.CHOOSING,), "/desk/choice", _choosing),
    "running": ((R.RUNNING,), "/mine", _running),
    "running_team": ((R.RUNNING,), "/desk", _running_team),
    "ended": ((R.ENDED,), "/mine", _ended),
    "ended_team": ((R.ENDED,), "/desk/score", _ended_team),
    "cancelled": ((R.CANCELLED,), "", _cancelled),
}
