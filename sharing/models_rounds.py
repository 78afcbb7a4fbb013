"""Ambassador rounds: a call, applications, a vote and a jury, then missions with proof, and a kit."""

import enum
from datetime import datetime
from decimal import Decimal
from typing import Any, ClassVar
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import mapped_column, relationship

from core.db import Base, Born, Id, Mapped, Serial, unchecked
from core.media import Picture
from core.states import Stateful
from people.models import Person
from projects.models import Project


class RoundState(enum.StrEnum):
    DRAFT = "draft"  # being written, or announced for a day to come
    OPEN = "open"  # applications are taken
    VOTING = "voting"  # everybody votes, the jury marks
    CHOOSING = "choosing"  # the vote is over, the creator decides
    RUNNING = "running"  # missions, kit, score
    ENDED = "ended"
    CANCELLED = "cancelled"


class ApplicationState(enum.StrEnum):
    SENT = "sent"
    WITHDRAWN = "withdrawn"
    ACCEPTED = "accepted"  # an ambassador
    WAITING = "waiting"  # gets the next place that comes free
    DECLINED = "declined"
    LEFT = "left"  # was an ambassador


class ProofState(enum.StrEnum):
    HANDED_IN = "handed_in"
    ACCEPTED = "accepted"  # counts
    SENT_BACK = "sent_back"  # with a reason; may be handed in again
    TAKEN_BACK = "taken_back"  # counted once, and does not any more


class QuestionKind(enum.StrEnum):
    SHORT = "short"
    LONG = "long"
    CHOICE = "choice"
    LINK = "link"


class KitKind(enum.StrEnum):
    TEXT = "text"  # ready to pass on
    EARLY = "early"  # only for ambassadors until `early_until`, then ready to pass on
    PICTURE = "picture"
    LINK = "link"


R, A, P = RoundState, ApplicationState, ProofState
UNDER_WAY = (R.DRAFT, R.OPEN, R.VOTING, R.CHOOSING, R.RUNNING)
PUBLIC_ROUND = (R.OPEN, R.VOTING, R.CHOOSING, R.RUNNING, R.ENDED)
VOTES = 3  # of one voter: with a single one everybody votes for the friend who asked, with three also for the best


class AmbassadorRound(Stateful, Base):
    """One round of a project; at most one is under way. The days are chosen in the project's zone."""

    MOVES: ClassVar[dict[Any, set[Any]]] = {
        R.DRAFT: {R.OPEN, R.CANCELLED},
        R.OPEN: {R.VOTING, R.CANCELLED},
        R.VOTING: {R.CHOOSING, R.CANCELLED},
        R.CHOOSING: {R.RUNNING, R.ENDED, R.CANCELLED},
        R.RUNNING: {R.ENDED, R.CANCELLED},
        R.ENDED: set(),
        R.CANCELLED: set(),
    }
    __tablename__ = "ambassador_round"
    __table_args__ = (
        sa.Index("uq_ambassador_round_under_way", "project_id", unique=True,
                 postgresql_where=sa.text("state NOT IN ('ended', 'cancelled')")),
        sa.Index("ix_ambassador_round_due", "state",
                 postgresql_where=sa.text("state NOT IN ('ended', 'cancelled')")),
        sa.Index("ix_ambassador_round_project_id", "project_id", sa.text("created_at DESC")),
        sa.CheckConstraint("places BETWEEN 1 AND 1000", name="places"),
        sa.CheckConstraint("public_percent BETWEEN 0 AND 100", name="public_percent"),
        sa.CheckConstraint("points_each BETWEEN 0 AND 1000", name="points_each"),
        sa.CheckConstraint("char_length(title) BETWEEN 1 AND 80 AND char_length(disclosure) BETWEEN 1 AND 200",
                           name="words"),
        sa.CheckConstraint("call_from < call_until AND call_until < vote_until AND vote_until < runs_from "
                           "AND runs_from < runs_until", name="dates_in_turn"),
    )

    id: Mapped[Id]
    project_id: Mapped[UUID] = mapped_column(sa.ForeignKey("project.id"))
    state: Mapped[RoundState] = mapped_column(default=R.DRAFT, server_default="draft")
    title: Mapped[str]
    about: Mapped[str] = mapped_column(server_default="")  # Markdown: what an ambassador does and gets
    places: Mapped[int] = mapped_column(sa.Integer)
    call_from: Mapped[datetime]
    call_until: Mapped[datetime]
    vote_until: Mapped[datetime]
    runs_from: Mapped[datetime]
    runs_until: Mapped[datetime]
    public_percent: Mapped[int] = mapped_column(sa.Integer)  # weight of the public vote; the rest is the jury's
    points_each: Mapped[int] = mapped_column(sa.Integer)  # for a recruit whose pledge is collected
    disclosure: Mapped[str]  # stands under every text that we prepare
    announced_at: Mapped[datetime | None]  # the creator published it; it opens at `call_from`
    chosen_at: Mapped[datetime | None]  # the creator confirmed who is in
    made_by_id: Mapped[UUID | None] = mapped_column(sa.ForeignKey("person.id"))
    created_at: Mapped[Born]
    edition: Mapped[int] = mapped_column(sa.Integer, server_default="1")  # tells two tabs apart

    project: Mapped[Project] = relationship()
    quotas: Mapped[list["RoundQuota"]] = relationship(order_by="RoundQuota.position", cascade="all, delete-orphan")
    questions: Mapped[list["RoundQuestion"]] = relationship(
        order_by="RoundQuestion.position", cascade="all, delete-orphan")

    def history_row(self, **columns: Any) -> "RoundMove":
        return RoundMove(round_id=self.id, project_id=self.project_id, **columns)

    @property
    def jury_percent(self) -> int:
        return 100 - self.public_percent

    @property
    def has_vote(self) -> bool:
        return self.public_percent > 0

    def quota_names(self, kind: str) -> list[str]:
        """The regions or the channels over which the places are spread."""
        return [quota.name for quota in self.quotas if quota.kind == kind]


class RoundMove(Base):
    """One change of a round's state: who, when, why. Only ever added."""

    __tablename__ = "round_move"

    id: Mapped[Serial]
    round_id: Mapped[UUID] = mapped_column(sa.ForeignKey("ambassador_round.id"), index=True)
    project_id: Mapped[UUID]
    from_state: Mapped[RoundState] = mapped_column(unchecked(RoundState))
    to_state: Mapped[RoundState]
    at: Mapped[Born]
    by_id: Mapped[UUID | None] = mapped_column(sa.ForeignKey("person.id"))
    why: Mapped[str] = mapped_column(server_default="")


class RoundQuota(Base):
    """So many places for a region or a channel."""

    __tablename__ = "round_quota"
    __table_args__ = (
        sa.Index("uq_round_quota_name", "round_id", "kind", sa.text("lower(name)"), unique=True),
        sa.CheckConstraint("kind IN ('region', 'channel')", name="kind"),
        sa.CheckConstraint("number BETWEEN 1 AND 1000 AND char_length(name) BETWEEN 1 AND 60", name="number"),
    )

    id: Mapped[Id]
    round_id: Mapped[UUID] = mapped_column(sa.ForeignKey("ambassador_round.id"))
    project_id: Mapped[UUID]
    kind: Mapped[str]
    position: Mapped[int] = mapped_column(sa.Integer)
    name: Mapped[str]
    number: Mapped[int] = mapped_column(sa.Integer)


class RoundQuestion(Base):
    """What applicants are asked; answers that are public stand beside their first name during the vote."""

    __tablename__ = "round_question"
    __table_args__ = (
        sa.UniqueConstraint("round_id", "position"),
        sa.CheckConstraint("position BETWEEN 1 AND 8", name="eight_at_most"),
        sa.CheckConstraint("char_length(label) BETWEEN 1 AND 200", name="label_length"),
    )

    id: Mapped[Id]
    round_id: Mapped[UUID] = mapped_column(sa.ForeignKey("ambassador_round.id"))
    project_id: Mapped[UUID]
    position: Mapped[int] = mapped_column(sa.Integer)
    label: Mapped[str]
    kind: Mapped[QuestionKind]
    options: Mapped[list[str]] = mapped_column(ARRAY(sa.Text), server_default="{}")
    is_public: Mapped[bool] = mapped_column(server_default=sa.false())


class Application(Stateful, Base):
    """Somebody who wants to be an ambassador, and, once accepted, is one."""

    MOVES: ClassVar[dict[Any, set[Any]]] = {
        A.SENT: {A.WITHDRAWN, A.ACCEPTED, A.WAITING, A.DECLINED},
        A.WITHDRAWN: {A.SENT},
        A.ACCEPTED: {A.LEFT},
        A.WAITING: {A.ACCEPTED, A.DECLINED, A.WITHDRAWN},
        A.DECLINED: {A.ACCEPTED},  # a swap after the choice, with a reason
        A.LEFT: set(),
    }
    __tablename__ = "application"
    __table_args__ = (
        sa.UniqueConstraint("round_id", "person_id"),
        sa.Index("ix_application_state", "round_id", "state"),
    )

    id: Mapped[Id]
    round_id: Mapped[UUID] = mapped_column(sa.ForeignKey("ambassador_round.id"))
    project_id: Mapped[UUID] = mapped_column(sa.ForeignKey("project.id"), index=True)
    person_id: Mapped[UUID] = mapped_column(sa.ForeignKey("person.id"), index=True)
    state: Mapped[ApplicationState] = mapped_column(default=A.SENT, server_default="sent")
    region: Mapped[str] = mapped_column(server_default="")
    channel: Mapped[str] = mapped_column(server_default="")
    is_shown: Mapped[bool] = mapped_column(server_default=sa.false())  # first name and public answers, for the vote
    is_named: Mapped[bool] = mapped_column(server_default=sa.false())  # first name, in the score and among ambassadors
    applied_at: Mapped[Born]
    edited_at: Mapped[Born]
    votes: Mapped[int | None] = mapped_column(sa.Integer)  # these three as they stood when the creator chose
    jury_mark: Mapped[Decimal | None] = mapped_column(sa.Numeric(4, 3))
    score: Mapped[Decimal | None] = mapped_column(sa.Numeric(6, 3))

    person: Mapped[Person] = relationship()
    answers: Mapped[list["ApplicationAnswer"]] = relationship(cascade="all, delete-orphan")

    def history_row(self, **columns: Any) -> "ApplicationMove":
        return ApplicationMove(application_id=self.id, project_id=self.project_id, **columns)

    @property
    def is_ambassador(self) -> bool:
        return self.state is A.ACCEPTED


class ApplicationMove(Base):
    """One change of an application's state: who, when, why. Only ever added."""

    __tablename__ = "application_move"

    id: Mapped[Serial]
    application_id: Mapped[UUID] = mapped_column(sa.ForeignKey("application.id"), index=True)
    project_id: Mapped[UUID]
    from_state: Mapped[ApplicationState] = mapped_column(unchecked(ApplicationState))
    to_state: Mapped[ApplicationState]
    at: Mapped[Born]
    by_id: Mapped[UUID | None] = mapped_column(sa.ForeignKey("person.id"))
    why: Mapped[str] = mapped_column(server_default="")


class ApplicationAnswer(Base):
    """What was answered to one question."""

    __tablename__ = "application_answer"

    application_id: Mapped[UUID] = mapped_column(sa.ForeignKey("application.id"), primary_key=True)
    question_id: Mapped[UUID] = mapped_column(sa.ForeignKey("round_question.id"), primary_key=True, index=True)
    project_id: Mapped[UUID]
    text: Mapped[str]


class ApplicationVote(Base):
    """One vote. A mailbox has three in a round, whatever accounts it has: the key says so, not only the code (W-27).

    `mailbox` is a hash with the round in it: it tells two rounds apart and names nobody.
    """

    __tablename__ = "application_vote"
    __table_args__ = (
        sa.UniqueConstraint("round_id", "mailbox", "application_id"),
        sa.CheckConstraint(f"slot BETWEEN 1 AND {VOTES}", name="slot"),
        sa.Index("ix_application_vote_voter_id", "voter_id"),
        sa.Index("ix_application_vote_application_id", "application_id"),
    )

    round_id: Mapped[UUID] = mapped_column(sa.ForeignKey("ambassador_round.id"), primary_key=True)
    mailbox: Mapped[bytes] = mapped_column(sa.LargeBinary, primary_key=True)
    slot: Mapped[int] = mapped_column(sa.Integer, primary_key=True, autoincrement=False)
    project_id: Mapped[UUID]
    voter_id: Mapped[UUID] = mapped_column(sa.ForeignKey("person.id"))
    application_id: Mapped[UUID] = mapped_column(sa.ForeignKey("application.id"))
    at: Mapped[Born]


class JuryMember(Base):
    """Somebody from outside whom the creator asked to judge; who works on the project is in the jury without a row."""

    __tablename__ = "jury_member"

    round_id: Mapped[UUID] = mapped_column(sa.ForeignKey("ambassador_round.id"), primary_key=True)
    person_id: Mapped[UUID] = mapped_column(sa.ForeignKey("person.id"), primary_key=True, index=True)
    project_id: Mapped[UUID] = mapped_column(index=True)
    added_at: Mapped[Born]

    person: Mapped[Person] = relationship()


class JuryMark(Base):
    """What one juror thinks of one application."""

    __tablename__ = "jury_mark"
    __table_args__ = (sa.CheckConstraint("mark BETWEEN 1 AND 5 AND char_length(note) <= 500", name="mark"),)

    application_id: Mapped[UUID] = mapped_column(sa.ForeignKey("application.id"), primary_key=True)
    juror_id: Mapped[UUID] = mapped_column(sa.ForeignKey("person.id"), primary_key=True, index=True)
    project_id: Mapped[UUID]
    mark: Mapped[int] = mapped_column(sa.Integer)
    note: Mapped[str] = mapped_column(server_default="")
    at: Mapped[Born]


class Mission(Base):
    """Something to do, with a proof; its points count once the organiser has accepted the proof."""

    __tablename__ = "mission"
    __table_args__ = (
        sa.CheckConstraint("points BETWEEN 1 AND 1000 AND most BETWEEN 1 AND 100", name="points"),
        sa.CheckConstraint("char_length(title) BETWEEN 1 AND 80", name="title_length"),
        sa.CheckConstraint("starts_at < ends_at", name="dates_in_turn"),
    )

    id: Mapped[Id]
    round_id: Mapped[UUID] = mapped_column(sa.ForeignKey("ambassador_round.id"), index=True)
    project_id: Mapped[UUID]
    title: Mapped[str]
    about: Mapped[str] = mapped_column(server_default="")
    starts_at: Mapped[datetime]
    ends_at: Mapped[datetime]
    points: Mapped[int] = mapped_column(sa.Integer)
    most: Mapped[int] = mapped_column(sa.Integer, server_default="1")  # accepted proofs of one ambassador
    region: Mapped[str] = mapped_column(server_default="")  # only for ambassadors of this region
    made_by_id: Mapped[UUID | None] = mapped_column(sa.ForeignKey("person.id"))
    created_at: Mapped[Born]


class MissionProof(Stateful, Base):
    """What an ambassador shows of a mission."""

    MOVES: ClassVar[dict[Any, set[Any]]] = {
        P.HANDED_IN: {P.ACCEPTED, P.SENT_BACK},
        P.SENT_BACK: {P.HANDED_IN},
        P.ACCEPTED: {P.TAKEN_BACK},
        P.TAKEN_BACK: {P.ACCEPTED},
    }
    __tablename__ = "mission_proof"
    __table_args__ = (
        sa.Index("ix_mission_proof_application_id", "application_id", "mission_id"),
        sa.Index("ix_mission_proof_waiting", "round_id", "state"),
        sa.CheckConstraint("text <> '' OR link <> '' OR picture_id IS NOT NULL", name="shows_something"),
    )

    id: Mapped[Id]
    mission_id: Mapped[UUID] = mapped_column(sa.ForeignKey("mission.id"), index=True)
    round_id: Mapped[UUID] = mapped_column(sa.ForeignKey("ambassador_round.id"))
    project_id: Mapped[UUID]
    application_id: Mapped[UUID] = mapped_column(sa.ForeignKey("application.id"))
    state: Mapped[ProofState] = mapped_column(default=P.HANDED_IN, server_default="handed_in")
    text: Mapped[str] = mapped_column(server_default="")
    link: Mapped[str] = mapped_column(server_default="")
    picture_id: Mapped[UUID | None] = mapped_column(sa.ForeignKey("picture.id"))
    points: Mapped[int] = mapped_column(sa.Integer, server_default="0")  # frozen when it was accepted
    why: Mapped[str] = mapped_column(server_default="")  # the organiser's reason, for the ambassador
    handed_in_at: Mapped[Born]

    mission: Mapped[Mission] = relationship()
    application: Mapped[Application] = relationship()
    picture: Mapped[Picture | None] = relationship()

    def history_row(self, **columns: Any) -> "ProofMove":
        return ProofMove(proof_id=self.id, project_id=self.project_id, **columns)


class ProofMove(Base):
    """One change of a proof's state: who, when, why. Only ever added."""

    __tablename__ = "proof_move"

    id: Mapped[Serial]
    proof_id: Mapped[UUID] = mapped_column(sa.ForeignKey("mission_proof.id"), index=True)
    project_id: Mapped[UUID]
    from_state: Mapped[ProofState] = mapped_column(unchecked(ProofState))
    to_state: Mapped[ProofState]
    at: Mapped[Born]
    by_id: Mapped[UUID | None] = mapped_column(sa.ForeignKey("person.id"))
    why: Mapped[str] = mapped_column(server_default="")


class KitItem(Base):
    """A text, picture or link for ambassadors; what is early is theirs alone until a moment."""

    __tablename__ = "kit_item"
    __table_args__ = (
        sa.CheckConstraint("char_length(title) BETWEEN 1 AND 80", name="title_length"),
        sa.CheckConstraint("(kind = 'early') = (early_until IS NOT NULL)", name="early_until"),
        sa.CheckConstraint("(kind = 'picture') = (picture_id IS NOT NULL)", name="picture"),
    )

    id: Mapped[Id]
    round_id: Mapped[UUID] = mapped_column(sa.ForeignKey("ambassador_round.id"), index=True)
    project_id: Mapped[UUID]
    kind: Mapped[KitKind]
    title: Mapped[str]
    text: Mapped[str] = mapped_column(server_default="")
    url: Mapped[str] = mapped_column(server_default="")
    picture_id: Mapped[UUID | None] = mapped_column(sa.ForeignKey("picture.id"))
    early_until: Mapped[datetime | None]
    made_by_id: Mapped[UUID | None] = mapped_column(sa.ForeignKey("person.id"))
    created_at: Mapped[Born]

    picture: Mapped[Picture | None] = relationship()
