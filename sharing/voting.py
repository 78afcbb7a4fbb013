"""The public vote and the jury. Counts are shown only once the vote has ended: nobody follows the crowd."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from flask_babel import gettext as _
from sqlalchemy.exc import IntegrityError

from core import audit
from core.db import db, fetch_all, transaction
from core.errors import BadInput, NotAllowed, NotFound, Refusal
from people.models import Person
from projects.deadlines import database_now
from sharing import rounds
from sharing.applications import answers_of, require_confirmed
from sharing.mailboxes import one_mailbox
from sharing.models_rounds import (
    VOTES,
    AmbassadorRound,
    Application,
    ApplicationState,
    ApplicationVote,
    JuryMark,
    JuryMember,
    RoundState,
)

R, A = RoundState, ApplicationState


@dataclass(frozen=True)
class Candidate:
    """What voters see of an applicant: the first name and the public answers, by consent."""

    id: UUID
    person_id: UUID
    first_name: str
    region: str
    channel: str
    answers: list[Any] = field(default_factory=list)


_CANDIDATES = sa.text("""
    SELECT a.id, a.person_id, n.name, a.region, a.channel FROM application a JOIN person n ON n.id = a.person_id
     WHERE a.round_id = :round AND a.state = 'sent' AND (a.is_shown OR NOT :shown_only)""")


def candidates(found: AmbassadorRound, seed: str, *, for_jury: bool = False) -> list[Candidate]:
    """Shuffled by the seed: the same for one viewer at every look, another for the next, so that no place is the best."""
    rows = fetch_all(_CANDIDATES, round=found.id, shown_only=not for_jury)
    rows.sort(key=lambda row: hashlib.sha256(f"{seed}:{row.id}".encode()).digest())
    answers = answers_of([row.id for row in rows], public_only=not for_jury)
    return [Candidate(row.id, row.person_id, row.name.split()[0] if row.name.split() else "", row.region, row.channel,
                      answers.get(row.id, [])) for row in rows]


def mailbox_key(found: AmbassadorRound, email: str) -> bytes:
    """One mailbox in one round, whatever +tag or dots its accounts write (W-27); it names nobody."""
    return hashlib.sha256(f"{found.id}:{one_mailbox(email)}".encode()).digest()


def is_voting(found: AmbassadorRound) -> bool:
    return found.state is R.VOTING and found.has_vote and found.vote_until > database_now()


def cast(round_id: UUID, voter: Person, chosen: Iterable[UUID]) -> int:
    """Vote for up to three, or for nobody; the last word before the end counts. Returns how many votes stand.

    Never for oneself, nor for an account of one's own mailbox. The table's key allows three rows for a mailbox,
    whatever two browsers do at once.
    """
    require_confirmed(voter)
    wanted = list(dict.fromkeys(chosen))
    if len(wanted) > VOTES:
        raise BadInput(_("You have %(most)s votes. Take one away, then send them again.", most=VOTES), "chosen")
    with transaction() as session:
        found = session.execute(sa.select(AmbassadorRound).filter_by(id=round_id).with_for_update(read=True)
                                .execution_options(populate_existing=True)).scalar_one()
        if not is_voting(found):
            raise Refusal(_("The vote is not on. Nothing was counted."))
        mailbox = mailbox_key(found, voter.email)
        session.execute(sa.text("SELECT pg_advisory_xact_lock(hashtextextended(:key, 35))"), {"key": mailbox.hex()})
        people = dict(session.execute(sa.select(Application.id, Person).join(Person).where(
            Application.id.in_(wanted), Application.round_id == round_id, Application.state == A.SENT,
            Application.is_shown)).all()) if wanted else {}
        if set(people) != set(wanted):
            raise BadInput(_("One of them is not a candidate any more. Look at the list again."), "chosen")
        if any(one.id == voter.id or mailbox_key(found, one.email) == mailbox for one in people.values()):
            raise BadInput(_("You cannot vote for yourself. Everything else you chose is still here."), "chosen")
        others = session.scalar(sa.select(sa.func.count()).select_from(ApplicationVote).where(
            ApplicationVote.round_id == round_id, ApplicationVote.mailbox == mailbox,
            ApplicationVote.voter_id != voter.id))
        if others:
            raise Refusal(_("Another account with your mailbox has voted. Every mailbox votes once."))
        session.execute(sa.delete(ApplicationVote).filter_by(round_id=round_id, mailbox=mailbox))
        session.add_all(ApplicationVote(round_id=round_id, mailbox=mailbox, slot=slot, project_id=found.project_id,
                                        voter_id=voter.id, application_id=one) for slot, one in enumerate(wanted, 1))
        try:
            session.flush()
        except IntegrityError:
            raise Refusal(_("You voted in two windows at once. Look which votes stand.")) from None
    return len(wanted)


def votes_by(found: AmbassadorRound, person: Any) -> set[UUID]:
    """For whom this person has voted."""
    if not person.is_authenticated:
        return set()
    return set(db.session.scalars(sa.select(ApplicationVote.application_id).filter_by(
        round_id=found.id, voter_id=person.id)))


_TALLY = sa.text("""
    SELECT v.application_id, count(*) AS votes FROM application_vote v
      JOIN application a ON a.id = v.application_id AND a.state <> 'withdrawn'
     WHERE v.round_id = :round GROUP BY 1""")


def tally(found: AmbassadorRound) -> dict[UUID, int]:
    """Votes by application; nothing as long as somebody can still vote."""
    if found.state in (R.DRAFT, R.OPEN, R.VOTING):
        return {}
    return {row.application_id: row.votes for row in fetch_all(_TALLY, round=found.id)}


def voters(found: AmbassadorRound) -> int:
    return db.session.scalar(sa.select(sa.func.count(sa.distinct(ApplicationVote.voter_id)))
                             .where(ApplicationVote.round_id == found.id)) or 0


# The jury ---------------------------------------------------------------------------------------------

def add_juror(round_id: UUID, email: str, by: Person) -> JuryMember:
    """Ask somebody with an account to judge."""
    with transaction() as session:
        found = rounds.locked_round(round_id)
        if found.chosen_at or found.state in (R.RUNNING, R.ENDED, R.CANCELLED):
            raise Refusal(_("The choice is made. The jury has nothing more to do."))
        person = session.scalar(sa.select(Person).where(
            sa.func.lower(Person.email) == email.strip().lower(), Person.active, Person.confirmed_at.is_not(None)))
        if person is None:
            raise BadInput(_("Nobody has an account with this address. Ask them to make one first, then add them here."),
                           "email")
        if person.id in rounds.jurors(found):
            raise BadInput(_("This person is in the jury already."), "email")
        member = JuryMember(round_id=round_id, person_id=person.id, project_id=found.project_id)
        session.add(member)
        audit.note("sharing:add_juror", "ambassador_round", round_id, by_id=by.id, project_id=found.project_id,
                   juror=str(person.id))
        if found.state is R.VOTING:
            rounds.tell_people(found, "jury", [person.id])
    return member


def remove_juror(round_id: UUID, person_id: UUID, by: Person) -> None:
    """Take somebody out of the jury, with the marks that they gave."""
    with transaction() as session:
        found = rounds.locked_round(round_id)
        member = session.get(JuryMember, (round_id, person_id))
        if member is None:
            raise NotFound(_("This person was not asked to judge."))
        if found.chosen_at:
            raise Refusal(_("The choice is made. The jury stays as it was."))
        session.delete(member)
        session.execute(sa.delete(JuryMark).where(JuryMark.juror_id == person_id, JuryMark.application_id.in_(
            sa.select(Application.id).filter_by(round_id=round_id))))
        audit.note("sharing:remove_juror", "ambassador_round", round_id, by_id=by.id, project_id=found.project_id,
                   juror=str(person_id))


def named_jurors(found: AmbassadorRound) -> list[Person]:
    return list(db.session.scalars(sa.select(Person).join(JuryMember, JuryMember.person_id == Person.id)
                                   .where(JuryMember.round_id == found.id).order_by(JuryMember.added_at)))


def is_judging(found: AmbassadorRound) -> bool:
    """From the end of the call until the choice: the jury sees all applications and marks them."""
    return found.state in (R.VOTING, R.CHOOSING) and not found.chosen_at


def give_mark(round_id: UUID, application_id: UUID, juror: Person, mark: int | None, note: str = "") -> JuryMark:
    """1 to 5, changed as often as one likes until the choice; nobody judges their own application."""
    with transaction() as session:
        found = session.execute(sa.select(AmbassadorRound).filter_by(id=round_id).with_for_update(read=True)
                                .execution_options(populate_existing=True)).scalar_one()
        if not rounds.is_juror(found, juror):
            raise NotAllowed(_("This page is for the jury of this round."))
        if not is_judging(found):
            raise Refusal(_("The jury judges after the call has ended and before the choice is made."))
        theirs = session.get(Application, application_id)
        if theirs is None or theirs.round_id != round_id or theirs.state is not A.SENT:
            raise NotFound(_("There is no such application in this round."))
        if theirs.person_id == juror.id:
            raise NotAllowed(_("Nobody judges their own application."))
        if mark not in (1, 2, 3, 4, 5):
            raise BadInput(_("Give a mark from 1 to 5."), "mark")
        if len(note) > 500:
            raise BadInput(_("At most %(most)s characters.", most=500), "note")
        session.execute(_MARK, {"application": application_id, "juror": juror.id, "project": found.project_id,
                                "mark": mark, "note": note.strip()})
        given = session.get_one(JuryMark, (application_id, juror.id), populate_existing=True)
    return given


_MARK = sa.text("""
    INSERT INTO jury_mark (application_id, juror_id, project_id, mark, note)
    VALUES (:application, :juror, :project, :mark, :note)
    ON CONFLICT (application_id, juror_id) DO UPDATE
       SET mark = excluded.mark, note = excluded.note, at = clock_now()""")


def marks_by(found: AmbassadorRound, juror: Any) -> dict[UUID, JuryMark]:
    """What this juror has given so far."""
    rows = db.session.scalars(sa.select(JuryMark).join(Application, Application.id == JuryMark.application_id)
                              .where(Application.round_id == found.id, JuryMark.juror_id == juror.id))
    return {mark.application_id: mark for mark in rows}
