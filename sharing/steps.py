"""The creator's steps: adding, changing, closing and taking out; what somebody reached is a promise."""

from datetime import date
from typing import IO, Any
from uuid import UUID

import sqlalchemy as sa
from flask_babel import gettext as _
from flask_babel import ngettext

from core.audit import note
from core.db import transaction
from core.errors import BadInput, NotFound, Refusal
from people.models import Person
from projects.models import Project
from rewards import services as rewards
from rewards.models import RewardKind
from sharing import granting
from sharing.models_milestones import MOST_FRIENDS, Milestone

K = RewardKind.MILESTONE
MOST = 20  # steps of one project
# Who is there already, in the order of having come there; each is looked at again within a second.
_LOOK_AGAIN = sa.text("""
    INSERT INTO milestone_due (link_id)
    SELECT link_id FROM link_tally WHERE project_id = :project AND is_person AND recruits >= :friends
     ORDER BY reached_at, link_id""")
_FIRST_IN_LINE = sa.text("""
    INSERT INTO milestone_due (link_id)
    SELECT link_id FROM milestone_grant WHERE milestone_id = :step AND state = 'waiting'""")
_IS_REACHED = sa.text("SELECT EXISTS (SELECT 1 FROM milestone_grant WHERE milestone_id = :step)")


def add_step(project: Project, friends: int, title: str, *, by: Person | None = None, description: str = "",
             quantity: int | None = None, delivery_on: date | None = None, picture: IO[bytes] | None = None,
             picture_alt: str = "") -> Milestone:
    """A new step with a reward of its own. Who has brought so many already is given it like everybody else."""
    with transaction() as session:
        granting.wait_turn(project.id)
        if (session.scalar(sa.select(sa.func.count()).where(Milestone.project_id == project.id)) or 0) >= MOST:
            raise Refusal(_("A project has at most %(n)s steps.", n=MOST))
        _require_free(session, project, friends)
        reward = rewards.add_reward(project, title, 0, description=description, quantity=quantity,
                                    delivery_on=delivery_on, picture=picture, picture_alt=picture_alt, by=by, kind=K)
        step = Milestone(project_id=project.id, reward_id=reward.id, friends=friends)
        session.add(step)
        session.flush()
        session.execute(_LOOK_AGAIN, {"project": project.id, "friends": friends})
        _note("add", step, by, friends=friends)
    return step


def edit_step(project: Project, step_id: UUID, friends: int, title: str, *, by: Person | None = None,
              description: str = "", quantity: int | None = None, delivery_on: date | None = None,
              picture: IO[bytes] | None = None, picture_alt: str = "") -> Milestone:
    """While nobody reached it, anything that the stock allows; afterwards it may only become easier, or more of it."""
    with transaction() as session:
        step, reached = _locked(session, project, step_id)
        if friends != step.friends:
            _require_free(session, project, friends)
        if reached:
            if friends > step.friends:
                raise BadInput(ngettext("Somebody reached this step, so it can only become easier: one friend.",
                                        "Somebody reached this step, so it can only become easier: at most %(num)s "
                                        "friends.", step.friends), "friends")
            lines = "\n".join(" ".join(line.split()) for line in description.splitlines() if line.strip())
            said = {"title": " ".join(title.split()), "description": lines, "delivery_on": delivery_on}
            for name, value in said.items():
                if getattr(step.reward, name) != value:
                    raise BadInput(_("Somebody reached this step, so this is a promise now. You can still make it "
                                     "easier, change its picture and give more."), name)
        if quantity is not None and quantity < step.reward.claimed:
            raise BadInput(_("%(n)s are given already; there cannot be fewer.", n=step.reward.claimed), "quantity")
        was = step.friends
        step.friends = friends
        session.flush()
        rewards.edit_reward(project, step.reward_id, title=title, price=0, description=description, quantity=quantity,
                            delivery_on=delivery_on, picture=picture, picture_alt=picture_alt, by=by, kind=K)
        if friends < was:
            session.execute(_LOOK_AGAIN, {"project": project.id, "friends": friends})
        session.execute(_FIRST_IN_LINE, {"step": step.id})
        _note("change", step, by, friends=friends, quantity=quantity)
    return step


def remove_step(project: Project, step_id: UUID, by: Person | None = None) -> None:
    """Take a step out that nobody ever reached."""
    with transaction() as session:
        step, reached = _locked(session, project, step_id)
        if reached:
            raise Refusal(_("Somebody reached this step, so it stays. You can close it to newcomers."))
        reward_id = step.reward_id
        _note("remove", step, by, friends=step.friends)
        session.delete(step)
        session.flush()
        rewards.remove_reward(project, reward_id, K)


def close_step(project: Project, step_id: UUID, is_closed: bool, by: Person | None = None) -> None:
    """Closed to newcomers: who reached it keeps it, or keeps waiting; nobody else comes to it until it opens again."""
    with transaction() as session:
        step, _reached = _locked(session, project, step_id)
        if (step.closed_at is not None) == is_closed:
            return
        step.closed_at = sa.func.clock_now() if is_closed else None  # type: ignore[assignment]
        if not is_closed:
            session.execute(_LOOK_AGAIN, {"project": project.id, "friends": step.friends})
        _note("close" if is_closed else "open", step, by)


def _locked(session: Any, project: Project, step_id: UUID) -> tuple[Milestone, bool]:
    """The step, and whether anybody ever reached it; nobody is granted anything meanwhile."""
    granting.wait_turn(project.id)
    step = session.scalar(sa.select(Milestone).where(Milestone.id == step_id, Milestone.project_id == project.id)
                          .with_for_update().execution_options(populate_existing=True))
    if step is None:
        raise NotFound(_("This step is not there any more."))
    session.refresh(step.reward)
    return step, bool(session.scalar(_IS_REACHED, {"step": step.id}))


def _require_free(session: Any, project: Project, friends: int) -> None:
    if not 1 <= friends <= MOST_FRIENDS:
        raise BadInput(_("Write a whole number from 1 to 10,000."), "friends")
    if session.scalar(sa.select(Milestone.id).where(Milestone.project_id == project.id, Milestone.friends == friends)):
        raise BadInput(_("There is a step at this number already. Choose another number, or change that one."), "friends")


def _note(act: str, step: Milestone, by: Person | None, **facts: Any) -> None:
    note(f"sharing:{act}_milestone", "milestone", step.id, by_id=by.id if by else None, project_id=step.project_id, **facts)
