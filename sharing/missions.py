"""Missions, and the proof of having done them: nothing counts until the organiser has accepted it."""

from dataclasses import dataclass
from datetime import datetime
from typing import IO, Any
from uuid import UUID

import sqlalchemy as sa
from flask_babel import gettext as _

from core import audit, clock, mail, media
from core.db import db, transaction
from core.errors import BadInput, NotFound, Refusal
from core.pages import touch
from people.models import Person
from projects.deadlines import database_now
from sharing import rounds
from sharing.applications import is_link
from sharing.models_rounds import (
    AmbassadorRound,
    Application,
    ApplicationState,
    Mission,
    MissionProof,
    ProofState,
    RoundState,
)

R, P = RoundState, ProofState
ON = (P.HANDED_IN, P.ACCEPTED)  # these take one of the mission's numbers


@dataclass(frozen=True)
class Task:
    """A mission as it was typed."""

    title: str
    about: str
    starts_at: datetime
    ends_at: datetime
    points: int
    most: int
    region: str = ""


@dataclass(frozen=True)
class Evidence:
    """A proof as it was typed."""

    text: str = ""
    link: str = ""
    picture: IO[bytes] | None = None


def mission_of(found: AmbassadorRound, mission_id: UUID) -> Mission:
    mission = db.session.get(Mission, mission_id)
    if mission is None or mission.round_id != found.id:
        raise NotFound(_("There is no such mission in this round."))
    return mission


def missions_of(found: AmbassadorRound, region: str | None = None) -> list[Mission]:
    """All missions, or those of one region's ambassadors; what ends first stands first."""
    those = sa.select(Mission).where(Mission.round_id == found.id)
    if region is not None:
        those = those.where(Mission.region.in_(("", region)))
    return list(db.session.scalars(those.order_by(Mission.ends_at, Mission.id)))


def publish_mission(round_id: UUID, task: Task, by: Person, mission_id: UUID | None = None) -> Mission:
    """A new mission, or another wording of one; points change only what is accepted afterwards."""
    with transaction() as session:
        found = rounds.locked_round(round_id)
        if found.state in (R.ENDED, R.CANCELLED):
            raise Refusal(_("This round is over. Missions cannot be changed any more."))
        _check(found, task)
        mission = mission_of(found, mission_id) if mission_id else Mission(
            round_id=round_id, project_id=found.project_id, made_by_id=by.id)
        for name in ("title", "about", "starts_at", "ends_at", "points", "most", "region"):
            setattr(mission, name, getattr(task, name))
        session.add(mission)
        session.flush()
        audit.note("sharing:publish_mission", "mission", mission.id, by_id=by.id, project_id=found.project_id,
                   points=task.points, most=task.most)
    return mission


def _check(found: AmbassadorRound, task: Task) -> None:
    if task.ends_at <= task.starts_at:
        raise BadInput(_("The mission ends after it begins. Choose a later day."), "ends")
    if task.starts_at < found.runs_from:
        raise BadInput(_("The round begins later. Choose a day within it."), "starts")
    if task.ends_at > found.runs_until:
        raise BadInput(_("The round ends earlier. Choose a day within it."), "ends")
    if task.region and task.region not in found.quota_names("region"):
        raise BadInput(_("Choose one from the list."), "region")


def remove_mission(round_id: UUID, mission_id: UUID, by: Person) -> None:
    """Only while nobody has handed in a proof: what was earned is not taken away by this way."""
    with transaction() as session:
        found = rounds.locked_round(round_id)
        mission = mission_of(found, mission_id)
        if session.scalar(sa.select(sa.exists().where(MissionProof.mission_id == mission_id))):
            raise Refusal(_("Somebody has handed in a proof. Let the mission end instead of taking it away."))
        session.delete(mission)
        audit.note("sharing:remove_mission", "mission", mission_id, by_id=by.id, project_id=found.project_id)


# Proof ------------------------------------------------------------------------------------------------

def is_on(mission: Mission, found: AmbassadorRound) -> bool:
    return found.state is R.RUNNING and mission.starts_at <= clock.now() < mission.ends_at


def proofs_by(application_id: UUID) -> dict[UUID, list[MissionProof]]:
    """One ambassador's proofs by mission, oldest first."""
    by: dict[UUID, list[MissionProof]] = {}
    for proof in db.session.scalars(sa.select(MissionProof).filter_by(application_id=application_id)
                                    .options(sa.orm.joinedload(MissionProof.picture)).order_by(MissionProof.id)):
        by.setdefault(proof.mission_id, []).append(proof)
    return by


def _own(application_id: UUID) -> Application:
    """The ambassador, locked: two proofs at once are one after the other."""
    return db.session.execute(sa.select(Application).filter_by(id=application_id).with_for_update()
                              .execution_options(populate_existing=True)).scalar_one()


def hand_in(mission_id: UUID, application_id: UUID, evidence: Evidence) -> MissionProof:
    """Show that it is done. At most as many as the mission accepts, waiting ones included."""
    with transaction() as session:
        mine, mission = _own(application_id), session.get(Mission, mission_id)
        if mission is None or mission.round_id != mine.round_id:
            raise NotFound(_("There is no such mission in this round."))
        _require_time(mission, mine)
        on = session.scalar(sa.select(sa.func.count()).select_from(MissionProof).where(
            MissionProof.application_id == mine.id, MissionProof.mission_id == mission_id, MissionProof.state.in_(ON)))
        if (on or 0) >= mission.most:
            raise Refusal(_("This mission takes no more proofs from you."))
        proof = MissionProof(mission_id=mission_id, round_id=mine.round_id, project_id=mine.project_id,
                             application_id=mine.id)
        _fill_in(proof, evidence, mine.person_id)
        session.add(proof)
    return proof


def hand_in_again(proof_id: UUID, application_id: UUID, evidence: Evidence) -> MissionProof:
    """A proof that was sent back, mended."""
    with transaction() as session:
        mine = _own(application_id)
        proof = session.get(MissionProof, proof_id, with_for_update=True, populate_existing=True)
        if proof is None or proof.application_id != mine.id:
            raise NotFound(_("There is no such proof."))
        if proof.state is not P.SENT_BACK:
            raise Refusal(_("This proof was not sent back, so it cannot be handed in again."))
        _require_time(proof.mission, mine)
        proof.move(P.HANDED_IN, by_id=mine.person_id)
        _fill_in(proof, evidence, mine.person_id)
        proof.handed_in_at = clock.now()
    return proof


def _require_time(mission: Mission, mine: Application) -> None:
    if mine.state is not ApplicationState.ACCEPTED:
        raise NotFound(_("This page is for the ambassadors of this round."))
    if mission.region and mission.region != mine.region:
        raise NotFound(_("There is no such mission in this round."))
    found = db.session.get_one(AmbassadorRound, mission.round_id)
    now = database_now()
    if found.state is not R.RUNNING or now < mission.starts_at:
        raise Refusal(_("This mission has not begun."))
    if now >= mission.ends_at:
        raise Refusal(_("This mission has ended. Proofs are not taken any more."))


def _fill_in(proof: MissionProof, evidence: Evidence, person_id: UUID) -> None:
    text, link = evidence.text.strip(), evidence.link.strip()
    if len(text) > 2_000:
        raise BadInput(_("At most %(most)s characters.", most=2_000), "text")
    if (link and not is_link(link)) or len(link) > 500:
        raise BadInput(_("Write the whole address, beginning with https://."), "link")
    if not text and not link and evidence.picture is None and proof.picture_id is None:
        raise BadInput(_("Show something: a few words, a link or a picture."), "text")
    if evidence.picture is not None:
        try:
            proof.picture_id = media.store(evidence.picture, person_id).id
        except BadInput as refusal:
            raise BadInput(refusal.sentence, "picture") from None
    proof.text, proof.link = text, link


def waiting(found: AmbassadorRound) -> int:
    """How many proofs wait for the organiser."""
    return db.session.scalar(sa.select(sa.func.count()).select_from(MissionProof).filter_by(
        round_id=found.id, state=P.HANDED_IN)) or 0


def proofs_of(found: AmbassadorRound, state: ProofState | None, page: int, per_page: int) -> tuple[list[Any], int]:
    """For the organisers: what waits first, oldest first."""
    those = [MissionProof.round_id == found.id]
    if state:
        those.append(MissionProof.state == state)
    of_all = db.session.scalar(sa.select(sa.func.count()).select_from(MissionProof).where(*those)) or 0
    rows = db.session.scalars(
        sa.select(MissionProof).where(*those).options(
            sa.orm.joinedload(MissionProof.mission), sa.orm.joinedload(MissionProof.picture),
            sa.orm.joinedload(MissionProof.application).joinedload(Application.person))
        .order_by((MissionProof.state == P.HANDED_IN).desc(), MissionProof.handed_in_at, MissionProof.id)
        .limit(per_page).offset((page - 1) * per_page))
    return list(rows), of_all


def decide_proof(round_id: UUID, proof_id: UUID, to: str, why: str, by: Person) -> MissionProof:
    """Accept, send back or take an acceptance back; the last two with a reason. The ambassador is told by mail.

    The ambassador's row is locked before the proof, so that two desks accept no more than the mission takes.
    """
    why = why.strip()[:300]
    if to not in (P.ACCEPTED, P.SENT_BACK, P.TAKEN_BACK):
        raise BadInput(_("Choose what to do."), "why")
    with transaction() as session:
        known = session.get(MissionProof, proof_id)
        if known is None or known.round_id != round_id:
            raise NotFound(_("There is no such proof."))
        theirs = _own(known.application_id)
        proof = session.get_one(MissionProof, proof_id, with_for_update=True, populate_existing=True)
        if theirs.person_id == by.id:
            raise Refusal(_("Nobody decides about their own proof. Ask somebody else of the team."))
        if not proof.can_move(ProofState(to)):
            raise Refusal(_("This proof was decided in the meantime. Nothing was changed."))
        if to != P.ACCEPTED and not why:
            raise BadInput(_("Say why: the ambassador is told."), "why")
        if to == P.ACCEPTED:
            counted = session.scalar(sa.select(sa.func.count()).select_from(MissionProof).filter_by(
                application_id=theirs.id, mission_id=proof.mission_id, state=P.ACCEPTED)) or 0
            if counted >= proof.mission.most:
                raise Refusal(_("This mission counts no more proofs of this ambassador."))
        proof.move(ProofState(to), by_id=by.id, why=why)
        proof.points = proof.mission.points if to == P.ACCEPTED else 0
        proof.why = why
        session.flush()
        audit.note("sharing:decide_proof", "mission_proof", proof.id, by_id=by.id, project_id=proof.project_id,
                   to=to, points=proof.points)
        touch(session.get_one(AmbassadorRound, round_id).project.topic)  # the public score
        mail.post("sharing/proof_decided", proof_id=proof.id, state=to,
                  dedupe=str(session.scalar(sa.text("SELECT max(id) FROM proof_move WHERE proof_id = :p"), {"p": proof.id})))
    return proof
