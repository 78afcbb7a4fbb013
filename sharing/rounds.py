"""An ambassador round's own life: written, announced, and moved on by the clock."""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from flask_babel import gettext as _
from sqlalchemy.exc import IntegrityError

from core import audit, mail
from core.db import db, fetch_one, transaction
from core.errors import BadInput, NotFound, Refusal
from core.pages import touch
from people.models import Person
from projects.deadlines import database_now
from projects.models import MemberRole, Project, ProjectMember
from sharing.models_rounds import (
    UNDER_WAY,
    AmbassadorRound,
    Application,
    ApplicationState,
    JuryMember,
    QuestionKind,
    RoundQuestion,
    RoundQuota,
    RoundState,
)

R, A = RoundState, ApplicationState
MOST_QUESTIONS = 8
LONGEST = 180  # days, of call and choice together and of the round itself; a project itself is open for 60 at most
DATES = ("call_from", "call_until", "vote_until", "runs_from", "runs_until")
FIXED = ("places", "call_from", "public_percent", "points_each", "disclosure")  # promises since the call opened
# What a reader understands as “she has an interest in this”, in the languages of the house and a few more.
TELLS = re.compile(r"\b(ambassa|advert|sponsor|paid|partner|reclame|betaald|botschafter|werbung|anzeige|publicit)", re.I)


@dataclass(frozen=True)
class Question:
    """One question of the form, as it was typed."""

    label: str
    kind: QuestionKind
    options: tuple[str, ...] = ()
    is_public: bool = False


@dataclass(frozen=True)
class Plan:
    """A whole round as it was typed; the moments are in UTC."""

    title: str
    about: str
    places: int
    call_from: datetime
    call_until: datetime
    vote_until: datetime
    runs_from: datetime
    runs_until: datetime
    public_percent: int
    points_each: int
    disclosure: str
    regions: tuple[tuple[str, int], ...] = ()
    channels: tuple[tuple[str, int], ...] = ()
    questions: tuple[Question, ...] = field(default=())


def round_under_way(project: Project) -> AmbassadorRound | None:
    """The round that the creator works on or that is on, if there is one."""
    return db.session.scalar(sa.select(AmbassadorRound).where(
        AmbassadorRound.project_id == project.id, AmbassadorRound.state.in_(UNDER_WAY)))


def latest_round(project: Project) -> AmbassadorRound | None:
    """The round under way, else the one that ended last; a cancelled one is none."""
    return db.session.scalar(sa.select(AmbassadorRound).where(
        AmbassadorRound.project_id == project.id, AmbassadorRound.state != R.CANCELLED)
        .order_by(AmbassadorRound.created_at.desc()).limit(1))


def rounds_of(project: Project) -> list[AmbassadorRound]:
    """All rounds of a project, newest first."""
    return list(db.session.scalars(sa.select(AmbassadorRound).filter_by(project_id=project.id)
                                   .order_by(AmbassadorRound.created_at.desc())))


def public_round(project: Project) -> AmbassadorRound | None:
    """What everybody may see: no draft, nothing cancelled."""
    found = db.session.scalar(sa.select(AmbassadorRound).where(
        AmbassadorRound.project_id == project.id, AmbassadorRound.state.not_in((R.DRAFT, R.CANCELLED)))
        .order_by(AmbassadorRound.created_at.desc()).limit(1))
    return found if project.is_public else None


_ASKING = sa.text("""
    SELECT r.state, r.places, r.call_until, r.vote_until,
           coalesce((SELECT has_ranking FROM share_settings WHERE project_id = :project), true) AND EXISTS (
               SELECT FROM link_tally t WHERE t.project_id = :project AND t.is_person AND t.recruits > 0) AS has_ranking
      FROM (VALUES (1)) AS always (one) LEFT JOIN ambassador_round r ON r.project_id = :project
           AND (r.state = 'open' OR r.state = 'voting' AND r.public_percent > 0)""")


def asking_round(project: Project) -> Any:
    """What the project's page asks of its readers: to apply, or to vote (`state` is None when nothing); and whether a
    ranking is shown in which somebody stands. One statement for both, since a cold page may cost five."""
    return fetch_one(_ASKING, project=project.id)


def locked_round(round_id: UUID) -> AmbassadorRound:
    """The round, and nobody else's hand on its places, votes or state until the transaction ends."""
    return db.session.execute(sa.select(AmbassadorRound).filter_by(id=round_id).with_for_update()
                              .execution_options(populate_existing=True)).scalar_one()


def open_round(project: Project, plan: Plan, by: Person) -> AmbassadorRound:
    """A new draft; one round of a project at a time."""
    _check(plan, None)
    with transaction() as session:
        made = AmbassadorRound(project_id=project.id, made_by_id=by.id, **_columns(plan, ()))
        session.add(made)
        try:
            session.flush()
        except IntegrityError:
            raise Refusal(_("This project has a round already. End or cancel it before you open another.")) from None
        _write_parts(made, plan)
        audit.note("sharing:open_round", "ambassador_round", made.id, by_id=by.id, project_id=project.id)
    return made


def edit_round(round_id: UUID, plan: Plan, edition: int | None, by: Person) -> AmbassadorRound:
    """Change a draft in everything; once the call is open, only its words and its later days."""
    with transaction() as session:
        found = locked_round(round_id)
        if found.state in (R.ENDED, R.CANCELLED):
            raise Refusal(_("This round is over. Open a new one."))
        if edition is not None and edition != found.edition:
            raise BadInput(_("Somebody changed this round in the meantime, perhaps you in another tab. Look at it as it "
                             "is now, then save again."), "edition")
        is_draft = found.state is R.DRAFT
        _check(plan, found)
        for name, value in _columns(plan, () if is_draft else FIXED).items():
            setattr(found, name, value)
        if is_draft:
            found.quotas.clear()
            found.questions.clear()
            session.flush()
            _write_parts(found, plan)
        found.edition += 1
        audit.note("sharing:edit_round", "ambassador_round", found.id, by_id=by.id, project_id=found.project_id)
        touch(found.project.topic)
    return found


def _columns(plan: Plan, fixed: Iterable[str]) -> dict[str, Any]:
    names = ("title", "about", "places", *DATES, "public_percent", "points_each", "disclosure")
    return {name: getattr(plan, name) for name in names if name not in fixed}


def _write_parts(to: AmbassadorRound, plan: Plan) -> None:
    for kind, several in (("region", plan.regions), ("channel", plan.channels)):
        to.quotas += [RoundQuota(project_id=to.project_id, kind=kind, position=n, name=name, number=number)
                      for n, (name, number) in enumerate(several, 1)]
    to.questions += [RoundQuestion(project_id=to.project_id, position=n, label=q.label, kind=q.kind,
                                   options=list(q.options), is_public=q.is_public)
                     for n, q in enumerate(plan.questions, 1)]
    db.session.flush()


def _check(plan: Plan, was: AmbassadorRound | None) -> None:
    """What no round may be, whichever way it is typed."""
    if not TELLS.search(plan.disclosure):
        raise BadInput(_("Readers must understand that ambassadors may get something. Use a word such as “ambassador” "
                         "or “advertisement”."), "disclosure")
    for _kind, name, several in (("region", "regions", plan.regions), ("channel", "channels", plan.channels)):
        if len({place.casefold() for place, _number in several}) < len(several):
            raise BadInput(_("A name stands here twice. Add its places together on one line."), name)
        if (total := sum(number for _place, number in several)) > plan.places:
            raise BadInput(_("Together these are %(total)s places, and the round has %(places)s.", total=total,
                             places=plan.places), name)
    if len(plan.questions) > MOST_QUESTIONS:
        raise BadInput(_("At most eight questions."), "questions")
    _check_dates(plan, was)


def _check_dates(plan: Plan, was: AmbassadorRound | None) -> None:
    later = {"call_until": _("The call ends after it begins. Choose a later day."),
             "vote_until": _("The vote ends after the call. Choose a later day."),
             "runs_from": _("The round begins after the vote. Choose a later day."),
             "runs_until": _("The round ends after it begins. Choose a later day.")}
    for before, name in pairwise(DATES):
        if getattr(plan, name) <= getattr(plan, before):
            raise BadInput(later[name], name)
    now = database_now()
    _check_length(plan, was, now)
    passed = {R.OPEN: ("call_from",), R.VOTING: ("call_from", "call_until"),
              R.CHOOSING: ("call_from", "call_until", "vote_until"),
              R.RUNNING: DATES[:-1]}.get(was.state, ()) if was else ()
    for name in DATES[1:]:
        if name in passed:
            if was is not None and getattr(plan, name) != getattr(was, name):
                raise BadInput(_("This day has passed and stays as it was."), name)
        elif getattr(plan, name) <= now:
            raise BadInput(_("This moment has passed. Choose a later one."), name)


def _check_length(plan: Plan, was: AmbassadorRound | None, now: datetime) -> None:
    """No stretch is longer than `LONGEST`: the call is not years away, and the promise does not bind for ever. What is
    told is the later day of a stretch. Days that stand as they were are asked nothing, also if they are older than this."""
    most = timedelta(days=LONGEST, hours=2)  # to the last second of a day, and over a change of the clocks
    too_far = {"call_from": (now, _("The call opens within %(most)s days. Choose an earlier day.", most=LONGEST)),
               "runs_from": (plan.call_from, _("The round begins at most %(most)s days after the call opens. Choose an "
                                               "earlier day.", most=LONGEST)),
               "runs_until": (plan.runs_from, _("A round is on for at most %(most)s days. Choose an earlier day.",
                                                most=LONGEST))}
    for name, (start, sentence) in too_far.items():
        if getattr(plan, name) - start > most and (was is None or getattr(plan, name) != getattr(was, name)):
            raise BadInput(sentence, name)


def announce_round(round_id: UUID, by: Person) -> AmbassadorRound:
    """From here on the clock moves it: the call opens on its day, or at once when that has come."""
    with transaction():
        found = locked_round(round_id)
        if found.state is not R.DRAFT or found.announced_at:
            raise Refusal(_("This call is published already."))
        if not found.project.is_public:
            raise Refusal(_("Ambassadors can apply once the project is live. Launch it first."))
        if found.call_until <= database_now():
            raise Refusal(_("The last day of the call has passed. Choose later days, then publish it."))
        found.announced_at = database_now()
        audit.note("sharing:announce_round", "ambassador_round", found.id, by_id=by.id, project_id=found.project_id)
        _advance(found)
        touch(found.project.topic)
    return found


def cancel_round(round_id: UUID, by: Person | None, why: str) -> None:
    """End it before its time; everybody who applied is told why."""
    with transaction():
        found = locked_round(round_id)
        if found.state in (R.ENDED, R.CANCELLED):
            raise Refusal(_("This round is over. Nothing can be cancelled any more."))
        was = found.state
        found.move(R.CANCELLED, by_id=by.id if by else None, why=why)
        audit.note("sharing:cancel_round", "ambassador_round", found.id, by_id=by.id if by else None,
                   project_id=found.project_id, was=was.value)
        if was is not R.DRAFT:
            tell(found, "cancelled", [A.SENT, A.ACCEPTED, A.WAITING])
        touch(found.project.topic)


def end_with_project(project: Project, why: str) -> None:
    """The project is over, in this transaction: what runs ends with its score, what has not begun is cancelled.

    `why` is `project cancelled`, `project unsuccessful` or `project over`; the mail says it in its reader's language.
    """
    for round_id in db.session.scalars(sa.select(AmbassadorRound.id).where(
            AmbassadorRound.project_id == project.id, AmbassadorRound.state.in_(UNDER_WAY))).all():
        found = locked_round(round_id)
        if found.state not in UNDER_WAY:
            continue
        was, has_people = found.state, found.state is R.RUNNING or found.chosen_at is not None
        found.move(R.ENDED if has_people else R.CANCELLED, why=why)
        db.session.flush()
        if has_people:
            _tell_ended(found)
        elif was is not R.DRAFT:
            tell(found, "cancelled", [A.SENT, A.WAITING])
        touch(project.topic)


def follow_cancel(project: Project) -> None:
    """Hooked to projects.project_cancelled."""
    end_with_project(project, "project cancelled")


def follow_close(project: Project, funded: bool) -> None:
    """Hooked to projects.project_closed. After a success the round goes on: there is still something to tell."""
    if not funded:
        end_with_project(project, "project unsuccessful")


LATER = timedelta(days=60)  # after a project's end no round of it is of use: money that can be collected is, by then
_LONG_OVER = sa.text("""
    SELECT DISTINCT r.project_id FROM ambassador_round r JOIN project p ON p.id = r.project_id
     WHERE r.state NOT IN ('ended', 'cancelled') AND p.closed_at <= clock_now() - CAST(:later AS interval) LIMIT 100""")


def end_long_over() -> int:
    """Rounds of projects that closed long ago end, whatever day they were to run until."""
    projects = db.session.scalars(_LONG_OVER, {"later": LATER}).all()
    for project_id in projects:
        with transaction() as session:
            end_with_project(session.get_one(Project, project_id), "project over")
    return len(projects)


_DUE = sa.text("""
    SELECT id FROM ambassador_round
     WHERE (state = 'draft' AND announced_at IS NOT NULL AND call_from <= clock_now())
        OR (state = 'open' AND call_until <= clock_now())
        OR (state = 'voting' AND vote_until <= clock_now())
        OR (state = 'choosing' AND (runs_until <= clock_now() OR chosen_at IS NOT NULL AND runs_from <= clock_now()))
        OR (state = 'running' AND runs_until <= clock_now())
     ORDER BY id LIMIT 100""")


def advance_due() -> int:
    """Move every round whose moment has come; twice at once is the same as once."""
    moved = 0
    for round_id in db.session.scalars(_DUE).all():
        with transaction():
            found = locked_round(round_id)
            moved += _advance(found)
            touch(found.project.topic)
    return moved


def _next(found: AmbassadorRound, now: datetime) -> RoundState | None:
    """Where the clock says that this round should be by now, one step at a time."""
    match found.state:
        case R.DRAFT if found.announced_at and found.call_from <= now:
            return R.OPEN
        case R.OPEN if found.call_until <= now:
            return R.VOTING
        case R.VOTING if found.vote_until <= now:
            return R.CHOOSING
        case R.CHOOSING if found.chosen_at and found.runs_from <= now:
            return R.RUNNING
        case R.CHOOSING | R.RUNNING if found.runs_until <= now:
            return R.ENDED
    return None


def _advance(found: AmbassadorRound) -> int:
    """All steps that are due, each told; whoever was away for a week is told the last state, not each in between."""
    now, steps = database_now(), 0
    while (to := _next(found, now)) is not None:
        found.move(to, why="the clock")
        steps += 1
    db.session.flush()
    if not steps:
        return 0
    if found.state is R.VOTING:
        tell(found, "voting", [A.SENT])
        tell_people(found, "jury", jurors(found))
    elif found.state is R.CHOOSING:
        tell_people(found, "choosing", [found.project.creator_id])
    elif found.state is R.RUNNING:
        tell(found, "running", [A.ACCEPTED])
    elif found.state is R.ENDED:
        _tell_ended(found)
    if found.state in (R.OPEN, R.RUNNING):
        tell_people(found, f"{found.state.value}_team", team(found.project))
    return steps


def _tell_ended(found: AmbassadorRound) -> None:
    tell(found, "ended", [A.ACCEPTED])
    tell_people(found, "ended_team", team(found.project))


def begin_if_due(found: AmbassadorRound) -> None:
    """The creator chose late: the round begins in the same transaction."""
    _advance(found)


def tell(found: AmbassadorRound, news: str, states: Iterable[ApplicationState]) -> None:
    """Write a mail to everybody whose application stands so."""
    tell_people(found, news, db.session.scalars(
        sa.select(Application.person_id).where(Application.round_id == found.id, Application.state.in_(tuple(states)))))


def tell_people(found: AmbassadorRound, news: str, people: Iterable[UUID]) -> None:
    for person_id in people:
        mail.post("sharing/round_news", round_id=found.id, person_id=person_id, news=news)


def team(project: Project) -> list[UUID]:
    """The creator and the organisers: who sees applications and proofs."""
    return [project.creator_id, *db.session.scalars(sa.select(ProjectMember.person_id).filter_by(
        project_id=project.id, role=MemberRole.ORGANISER))]


def jurors(found: AmbassadorRound) -> list[UUID]:
    """Everybody who works on the project, and whom the creator named."""
    members = db.session.scalars(sa.select(ProjectMember.person_id).filter_by(project_id=found.project_id))
    named = db.session.scalars(sa.select(JuryMember.person_id).filter_by(round_id=found.id))
    return list(dict.fromkeys([found.project.creator_id, *members, *named]))


def is_juror(found: AmbassadorRound, person: Any) -> bool:
    return person.is_authenticated and person.id in jurors(found)


def round_here(project: Project, *states: RoundState) -> AmbassadorRound:
    """The public round of this project in one of these states, or the sentence that says why not."""
    found = public_round(project)
    if found is None:
        raise NotFound(_("This project has no ambassador round now."))
    if states and found.state not in states:
        said = {R.OPEN: _("The call is still open. Come back when it has ended."),
                R.VOTING: _("The call has ended. The vote is on."),
                R.CHOOSING: _("The vote has ended. The creator is choosing."),
                R.RUNNING: _("The ambassadors are chosen. This round is on."),
                R.ENDED: _("This round has ended.")}
        raise Refusal(said.get(found.state, _("This round is not on.")))
    return found
