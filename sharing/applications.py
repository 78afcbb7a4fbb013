"""Applying for a round: answers, region and channel, until the call ends; and stepping back."""

from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit
from uuid import UUID

import sqlalchemy as sa
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from sqlalchemy.exc import IntegrityError

from core import clock, mail
from core.db import db, fetch_all, transaction
from core.errors import BadInput, NotFound, Refusal
from core.pages import touch
from people.models import Person
from projects.deadlines import database_now
from sharing import bans, rounds
from sharing.models_rounds import (
    AmbassadorRound,
    Application,
    ApplicationAnswer,
    ApplicationState,
    QuestionKind,
    RoundQuestion,
    RoundState,
)

R, A, Q = RoundState, ApplicationState, QuestionKind
LONGEST = {Q.SHORT: 200, Q.LONG: 2_000, Q.CHOICE: 200, Q.LINK: 500}
SHOWN = _l("There is a public vote. To take part, your first name and your public answers must be shown. You can withdraw "
           "at any time, and they are gone.")
ELSEWHERE = "*"  # wished for as a region: none of those over which the places are spread; kept as no region


@dataclass(frozen=True)
class Wish:
    """An application as it was typed; answers by the id of their question."""

    region: str = ""
    channel: str = ""
    is_shown: bool = False
    is_named: bool = False
    answers: dict[UUID, str] = field(default_factory=dict)


def application_of(found: AmbassadorRound, person: Any) -> Application | None:
    """This person's application, in whatever state."""
    if not person.is_authenticated:
        return None
    return db.session.scalar(sa.select(Application).filter_by(round_id=found.id, person_id=person.id))


def ambassador_of(found: AmbassadorRound, person: Any) -> Application:
    """This person as an ambassador of the round; NotFound for everybody else, who need not know what is behind it."""
    mine = application_of(found, person)
    if mine is None or not mine.is_ambassador:
        raise NotFound(_("This page is for the ambassadors of this round."))
    return mine


def require_confirmed(person: Person) -> None:
    if not person.is_confirmed:
        raise Refusal(_("Confirm your e-mail address first: the link is in the mail we sent you. Then come back here."))


def is_taking(found: AmbassadorRound) -> bool:
    """The call is open by the clock, not only by the last tick."""
    return found.state is R.OPEN and found.call_until > database_now()


def apply(round_id: UUID, person: Person, wish: Wish) -> Application:
    """Send an application, or change it; until the call ends. One a person and round."""
    require_confirmed(person)
    with transaction() as session:
        found = _held(round_id)
        if not is_taking(found):
            raise Refusal(_("The call has ended. Applications can neither be sent nor changed any more."))
        require_no_decider(found, person)
        if bans.is_banned(person.id, found.project_id):
            raise Refusal(_("What comes by your links does not count here at the moment, so you cannot apply. The mail that "
                            "we sent you says why, and whom to ask."))
        answers = _checked(found, wish)
        mine = session.execute(sa.select(Application).filter_by(round_id=round_id, person_id=person.id)
                               .with_for_update().execution_options(populate_existing=True)).scalar_one_or_none()
        is_new = mine is None
        if mine is None:
            mine = Application(round_id=round_id, project_id=found.project_id, person_id=person.id)
            session.add(mine)
        elif mine.state is A.WITHDRAWN:
            mine.move(A.SENT, by_id=person.id, why="applied again")
        mine.region, mine.channel = "" if wish.region == ELSEWHERE else wish.region, wish.channel
        mine.is_shown, mine.is_named, mine.edited_at = wish.is_shown, wish.is_named, clock.now()
        try:
            session.flush()
        except IntegrityError:
            raise Refusal(_("You have just sent this application. Look at it before you change it.")) from None
        mine.answers.clear()
        session.flush()
        mine.answers += [ApplicationAnswer(question_id=question_id, project_id=found.project_id, text=text)
                         for question_id, text in answers.items() if text]
        if is_new:
            mail.post("sharing/application_received", application_id=mine.id)
    return mine


def require_no_decider(found: AmbassadorRound, person: Person) -> None:
    if person.id in rounds.team(found.project):
        raise Refusal(_("You decide who becomes an ambassador, so you cannot apply."))


def _held(round_id: UUID) -> AmbassadorRound:
    """The round, kept from moving on while somebody writes; others may write beside us."""
    found = db.session.execute(sa.select(AmbassadorRound).filter_by(id=round_id).with_for_update(read=True)
                               .execution_options(populate_existing=True)).scalar_one_or_none()
    if found is None:
        raise NotFound(_("There is no such round."))
    return found


def _checked(found: AmbassadorRound, wish: Wish) -> dict[UUID, str]:
    """The answers by their question; BadInput names the field `q1` to `q8`, `region`, `channel` or `is_shown`."""
    for kind, chosen in (("region", wish.region), ("channel", wish.channel)):
        names = found.quota_names(kind)
        if names and chosen not in names and (kind, chosen) != ("region", ELSEWHERE):
            raise BadInput(_("Choose one from the list."), kind)
        if not names and chosen:
            raise BadInput(_("This round is not spread, so there is nothing to choose."), kind)
    answers = {}
    for question in found.questions:
        answers[question.id] = _answer(question, wish.answers.get(question.id, "").strip())
    if found.has_vote and not wish.is_shown:
        raise BadInput(str(SHOWN), "is_shown")
    return answers


def _answer(question: RoundQuestion, text: str) -> str:
    field_name = f"q{question.position}"
    if not text:
        raise BadInput(_("Answer this question."), field_name)
    if len(text) > LONGEST[question.kind]:
        raise BadInput(_("At most %(most)s characters.", most=LONGEST[question.kind]), field_name)
    if question.kind is Q.CHOICE and text not in question.options:
        raise BadInput(_("Choose one from the list."), field_name)
    if question.kind is Q.LINK and not is_link(text):
        raise BadInput(_("Write the whole address, beginning with https://."), field_name)
    return text


def is_link(text: str) -> bool:
    """A whole web address and nothing that a browser would run."""
    try:
        parts = urlsplit(text)
        return parts.scheme in ("http", "https") and "." in (parts.hostname or "") and not any(
            sign.isspace() or not sign.isprintable() for sign in text) and parts.username is None
    except ValueError:
        return False


def withdraw(round_id: UUID, person: Person) -> None:
    """Step back before the choice, or from the waiting list; name and answers are shown no more."""
    with transaction() as session:
        found = _held(round_id)
        if found.state not in (R.OPEN, R.VOTING, R.CHOOSING, R.RUNNING):
            raise Refusal(_("This round is over. There is nothing to withdraw from any more."))
        mine = session.execute(sa.select(Application).filter_by(round_id=round_id, person_id=person.id)
                               .with_for_update().execution_options(populate_existing=True)).scalar_one_or_none()
        if mine is None:
            raise NotFound(_("You have not applied for this round."))
        if mine.state not in (A.SENT, A.WAITING):
            raise Refusal(_("This application is decided. An ambassador can step back on the page of the round."))
        mine.move(A.WITHDRAWN, by_id=person.id, why="by the applicant")
        touch(found.project.topic)


_ANSWERS = sa.text("""
    SELECT a.application_id, q.label, q.kind, a.text, q.is_public
      FROM application_answer a JOIN round_question q ON q.id = a.question_id
     WHERE a.application_id = ANY(:ids) AND (q.is_public OR NOT :public_only)
     ORDER BY a.application_id, q.position""")


def answers_of(ids: list[UUID], *, public_only: bool) -> dict[UUID, list[Any]]:
    """Answers in the order of their questions, of many applications in one statement."""
    by: dict[UUID, list[Any]] = {}
    for row in fetch_all(_ANSWERS, ids=ids, public_only=public_only) if ids else []:
        by.setdefault(row.application_id, []).append(row)
    return by


def applications_of(found: AmbassadorRound, page: int, per_page: int) -> tuple[list[Application], int]:
    """For the organisers, newest first; withdrawn ones are not theirs to read any more."""
    those = (Application.round_id == found.id, Application.state != A.WITHDRAWN)
    of_all = db.session.scalar(sa.select(sa.func.count()).select_from(Application).where(*those)) or 0
    rows = db.session.scalars(sa.select(Application).where(*those).options(sa.orm.joinedload(Application.person))
                              .order_by(Application.score.desc().nulls_last(), Application.applied_at.desc(), Application.id)
                              .limit(per_page).offset((page - 1) * per_page))
    return list(rows), of_all


def counts_of(found: AmbassadorRound) -> dict[ApplicationState, int]:
    """How many applications stand in each state."""
    return dict(db.session.execute(sa.select(Application.state, sa.func.count()).filter_by(round_id=found.id)
                                   .group_by(Application.state)).tuples().all())
