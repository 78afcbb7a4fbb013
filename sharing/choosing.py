"""Who becomes an ambassador: proposed by one law, confirmed or swapped by the creator, filled up from the waiting list."""

import hashlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from fractions import Fraction
from uuid import UUID

import sqlalchemy as sa
from flask_babel import gettext as _

from core import audit, mail
from core.db import db, fetch_all, transaction
from core.errors import BadInput, NotFound, Refusal
from core.pages import touch
from people.models import Person
from projects.deadlines import database_now
from sharing import rounds, voting
from sharing.models_rounds import AmbassadorRound, Application, ApplicationState, RoundQuota, RoundState

R, A = RoundState, ApplicationState
DECISIONS = (A.ACCEPTED, A.WAITING, A.DECLINED)


@dataclass(frozen=True)
class Standing:
    """One application with what the vote and the jury made of it."""

    id: UUID
    person_id: UUID
    name: str
    region: str
    channel: str
    applied_at: datetime
    votes: int
    marks: int  # jurors who gave one
    mark: Fraction | None  # their mean, 1 to 5
    score: Fraction  # 0 to 100


def score_of(votes: int, most: int, mark: Fraction | None, public_percent: int) -> Fraction:
    """0 to 100: the weight of the public × votes ÷ the most votes of any candidate + the weight of the jury × (mean mark
    − 1) ÷ 4. Without a vote, or without a mark, that part is 0. Exact, so that equal means equal."""
    public = Fraction(votes, most) if most else Fraction(0)
    jury = (mark - 1) / 4 if mark is not None else Fraction(0)
    return public_percent * public + (100 - public_percent) * jury


def in_order_of_score(standings: Sequence[Standing]) -> list[Standing]:
    """Best first; among equals whoever applied earlier."""
    return sorted(standings, key=lambda one: (-one.score, one.applied_at, one.id))


def propose(places: int, quotas: Sequence[RoundQuota], standings: Sequence[Standing]) -> list[UUID]:
    """Who gets a place, by this law:

    1. Applications are taken in order of score; ties go to the earlier application.
    2. First whoever fills an open number of their region *and* of their channel, if the round is spread over both; then
       whoever fills one of the two; so each region and channel gets its number, or all who applied there.
    3. Places that are left go to the best of the rest, wherever they are. Elsewhere is no region and has no number, so
       whoever applied from there takes none and is one of these.

    It is greedy: spread over both, a cleverer exchange of people may fill one number more; the creator can swap.
    """
    left = Counter({(quota.kind, quota.name): quota.number for quota in quotas})
    kinds = {quota.kind for quota in quotas}
    best = in_order_of_score(standings)
    taken: dict[UUID, None] = {}  # in the order in which places are given
    for needed in range(len(kinds), -1, -1):
        for one in best:
            if len(taken) == places:
                return list(taken)
            open_here = [key for key in (("region", one.region), ("channel", one.channel)) if left[key] > 0]
            if one.id in taken or len(open_here) < needed:
                continue
            taken[one.id] = None
            left.subtract(open_here)
    return list(taken)


_MARKS = sa.text("""
    SELECT m.application_id, count(*) AS marks, sum(m.mark) AS total FROM jury_mark m
      JOIN application a ON a.id = m.application_id WHERE a.round_id = :round GROUP BY 1""")
_SENT = sa.text("""
    SELECT a.id, a.person_id, n.name, a.region, a.channel, a.applied_at FROM application a JOIN person n ON n.id = a.person_id
     WHERE a.round_id = :round AND a.state = 'sent'""")


def standings(found: AmbassadorRound) -> list[Standing]:
    """Every application that still stands, best first; three statements."""
    votes = voting.tally(found)
    marks = {row.application_id: row for row in fetch_all(_MARKS, round=found.id)}
    most = max(votes.values(), default=0)
    made = []
    for row in fetch_all(_SENT, round=found.id):
        given = marks.get(row.id)
        mark = Fraction(int(given.total), given.marks) if given else None
        made.append(Standing(row.id, row.person_id, row.name, row.region, row.channel, row.applied_at,
                             votes.get(row.id, 0), given.marks if given else 0, mark,
                             score_of(votes.get(row.id, 0), most, mark, found.public_percent)))
    return in_order_of_score(made)


@dataclass(frozen=True)
class Proposal:
    """What the law says; `key` tells whether anything changed since it was shown."""

    standings: list[Standing]
    states: dict[UUID, ApplicationState]

    @property
    def accepted(self) -> list[Standing]:
        return [one for one in self.standings if self.states[one.id] is A.ACCEPTED]

    @property
    def key(self) -> str:
        said = ";".join(f"{one.id}:{one.score}:{self.states[one.id]}" for one in self.standings)
        return hashlib.sha256(said.encode()).hexdigest()[:24]


def proposal_of(found: AmbassadorRound) -> Proposal:
    """Accepted by the law; of the rest as many wait as there are places; the others are declined."""
    all_ = standings(found)
    accepted = set(propose(found.places, found.quotas, all_))
    rest = [one.id for one in all_ if one.id not in accepted]
    waiting = set(rest[:found.places])
    return Proposal(all_, {one.id: A.ACCEPTED if one.id in accepted else A.WAITING if one.id in waiting else A.DECLINED
                           for one in all_})


def confirm(round_id: UUID, decisions: dict[UUID, ApplicationState], reasons: dict[UUID, str], key: str,
            by: Person) -> int:
    """The creator's word, once; whatever differs from the proposal about who is in needs a reason. Returns how many
    ambassadors there are now; everybody is told by mail."""
    with transaction() as session:
        found = rounds.locked_round(round_id)
        if found.state is not R.CHOOSING or found.chosen_at:
            raise Refusal(_("The choice is made already, or the vote is still on."))
        proposal = proposal_of(found)
        if key != proposal.key:
            raise BadInput(_("A mark or an application changed in the meantime. This is the proposal as it is now; look "
                             "at it before you confirm."), "key")
        if set(decisions) - set(proposal.states):
            raise NotFound(_("There is no such application in this round."))
        final = proposal.states | {id_: state for id_, state in decisions.items() if state in DECISIONS}
        swapped = [id_ for id_, state in final.items()
                   if (state is A.ACCEPTED) != (proposal.states[id_] is A.ACCEPTED)]
        for id_ in swapped:
            if not reasons.get(id_, "").strip():
                raise BadInput(_("Say why. The proposal says otherwise, and the reason is kept."), f"why-{id_}")
        accepted = sum(state is A.ACCEPTED for state in final.values())
        if accepted > found.places:
            raise BadInput(_("You chose %(chosen)s people for %(places)s places. Let somebody wait.", chosen=accepted,
                             places=found.places), "places")
        known = {one.id: one for one in session.scalars(sa.select(Application).where(
            Application.round_id == round_id, Application.state == A.SENT).with_for_update()
            .execution_options(populate_existing=True))}
        for one in proposal.standings:
            theirs = known[one.id]
            theirs.votes, theirs.score = one.votes, Decimal(round(one.score * 1000)) / 1000
            theirs.jury_mark = Decimal(round(one.mark * 1000)) / 1000 if one.mark is not None else None
            why = reasons.get(one.id, "").strip()[:300] if one.id in swapped else ""
            theirs.move(final[one.id], by_id=by.id, why=why or "as proposed")
            mail.post("sharing/application_decided", application_id=one.id, state=final[one.id].value)
        found.chosen_at = database_now()
        audit.note("sharing:choose_ambassadors", "ambassador_round", found.id, by_id=by.id,
                   project_id=found.project_id, accepted=accepted, swapped=len(swapped))
        session.flush()
        rounds.begin_if_due(found)
        touch(found.project.topic)
    return accepted


# After the choice -------------------------------------------------------------------------------------

def _ambassador(round_id: UUID, application_id: UUID) -> tuple[AmbassadorRound, Application]:
    """Both locked, the round first: every change of places waits for the one before it."""
    found = rounds.locked_round(round_id)
    if not found.chosen_at or found.state not in (R.CHOOSING, R.RUNNING):
        raise Refusal(_("Places change only between the choice and the end of the round."))
    theirs = db.session.execute(sa.select(Application).filter_by(id=application_id, round_id=round_id)
                                .with_for_update().execution_options(populate_existing=True)).scalar_one_or_none()
    if theirs is None:
        raise NotFound(_("There is no such application in this round."))
    return found, theirs


def free_places(found: AmbassadorRound) -> int:
    """Of a locked round, so that the last place is given once."""
    taken = db.session.scalar(sa.select(sa.func.count()).select_from(Application).where(
        Application.round_id == found.id, Application.state == A.ACCEPTED)) or 0
    return found.places - taken


def step_back(round_id: UUID, application_id: UUID, by: Person, why: str = "") -> Application | None:
    """An ambassador goes, by themselves or with the creator's reason; the place goes to the first who waits. Returns who
    got it."""
    with transaction():
        found, theirs = _ambassador(round_id, application_id)
        is_own = theirs.person_id == by.id
        if not is_own and not why.strip():
            raise BadInput(_("Say why: the ambassador is told."), "why")
        if not theirs.is_ambassador:
            raise Refusal(_("This person is not an ambassador of the round now."))
        theirs.move(A.LEFT, by_id=by.id, why=why.strip()[:300] or "stepped back")
        if not is_own:
            audit.note("sharing:take_out_ambassador", "application", theirs.id, by_id=by.id,
                       project_id=found.project_id)
            mail.post("sharing/application_decided", application_id=theirs.id, state=A.LEFT.value)
        db.session.flush()
        touch(found.project.topic)
        return _fill(found, theirs.region, theirs.channel)


def _fill(found: AmbassadorRound, region: str, channel: str) -> Application | None:
    """The first of the same region who waits; then of the same channel; then of all: by score, then by application. The
    place of somebody from elsewhere was no region's."""
    if free_places(found) < 1:
        return None
    first = db.session.scalar(
        sa.select(Application).where(Application.round_id == found.id, Application.state == A.WAITING)
        .order_by(sa.and_(Application.region == region, Application.region != "").desc(), (Application.channel == channel).desc(),
                  Application.score.desc().nulls_last(), Application.applied_at, Application.id).limit(1)
        .with_for_update())
    if first is not None:
        first.move(A.ACCEPTED, why="a place came free")
        mail.post("sharing/application_decided", application_id=first.id, state="free_place")
        db.session.flush()
    return first


def take_in(round_id: UUID, application_id: UUID, by: Person, why: str) -> Application:
    """The creator gives a free place to somebody by hand, with a reason; the last place once."""
    with transaction():
        found, theirs = _ambassador(round_id, application_id)
        if not why.strip():
            raise BadInput(_("Say why. The reason is kept."), "why")
        if theirs.state not in (A.WAITING, A.DECLINED):
            raise Refusal(_("This person cannot be taken in now."))
        if free_places(found) < 1:
            raise Refusal(_("All places are taken. Somebody must step back first."))
        theirs.move(A.ACCEPTED, by_id=by.id, why=why.strip()[:300])
        audit.note("sharing:take_in_ambassador", "application", theirs.id, by_id=by.id, project_id=found.project_id)
        mail.post("sharing/application_decided", application_id=theirs.id, state="free_place")
        touch(found.project.topic)
    return theirs
