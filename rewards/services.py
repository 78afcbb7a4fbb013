"""Adding to the catalogue and changing it; what somebody chose is a promise (peers: nobody lowers a quantity)."""

from datetime import date
from typing import IO, Any
from uuid import UUID

import sqlalchemy as sa
from flask_babel import gettext as _

from core import clock, media, money
from core.db import transaction
from core.errors import BadInput, NotFound, Refusal
from core.i18n import show_money
from core.pages import touch
from people.models import Person
from projects.models import Project, ProjectState
from rewards.models import Reward, RewardKind, RewardTotal

S = ProjectState
OPEN = (S.DRAFT, S.SUBMITTED, S.APPROVED, S.LIVE)
MOST = 60  # rewards of one project
MOST_LINES = 12
MOST_OF_ONE = 1_000_000


def _open_project(session: Any, project: Project, states: tuple[ProjectState, ...] = OPEN) -> Project:
    locked: Project = session.get_one(Project, project.id, with_for_update={"read": True}, populate_existing=True)
    if locked.state not in states:
        raise Refusal(_("This project has ended, so its rewards stay as they are."))
    return locked


def _checked(project: Project, title: str, description: str, price: int, quantity: int | None,
             kind: RewardKind) -> tuple[str, str]:
    title = " ".join(title.split())
    if not title:
        raise BadInput(_("Give the reward a name."), "title")
    if len(title) > 60:
        raise BadInput(_("A name has at most 60 characters. This one has %(n)s.", n=len(title)), "title")
    lines = [" ".join(line.split()) for line in description.splitlines() if line.strip()]
    if len(lines) > MOST_LINES or any(len(line) > 200 for line in lines):
        raise BadInput(_("At most %(n)s lines, each of at most 200 characters.", n=MOST_LINES), "description")
    if kind is RewardKind.PLEDGE and price < money.SMALLEST[project.currency]:
        raise BadInput(_("The least that can be charged is %(amount)s.", amount=show_money(
            money.SMALLEST[project.currency], project.currency)), "price")
    if price > money.LARGEST:
        raise BadInput(_("The most that can be charged is %(amount)s.", amount=show_money(
            money.LARGEST, project.currency)), "price")
    if quantity is not None and not 1 <= quantity <= MOST_OF_ONE:
        raise BadInput(_("Write a whole number from 1, or leave it empty when there is no limit."), "quantity")
    return title, "\n".join(lines)


def _require_ahead(month: date | None) -> None:
    if month and month < clock.now().date().replace(day=1):
        raise BadInput(_("This month has passed. Choose a later one."), "delivery_on")


def add_reward(project: Project, title: str, price: int, *, description: str = "", quantity: int | None = None,
               delivery_on: date | None = None, picture: IO[bytes] | None = None, picture_alt: str = "",
               by: Person | None = None, kind: RewardKind = RewardKind.PLEDGE) -> Reward:
    """A new reward at the end of the list of its kind. One for pledges is made with its total row."""
    with transaction() as session:
        project = _open_project(session, project)
        title, description = _checked(project, title, description, price, quantity, kind)
        _require_ahead(delivery_on)
        last, number = session.execute(sa.select(
            sa.func.coalesce(sa.func.max(Reward.position), 0), sa.func.count()).where(
            Reward.project_id == project.id, Reward.kind == kind)).one()
        if number >= MOST:
            raise Refusal(_("A project has at most %(n)s rewards.", n=MOST))
        reward = Reward(project_id=project.id, kind=kind, title=title, description=description, price=price, quantity=quantity,
                        delivery_on=delivery_on, position=last + 1)
        _set_picture(reward, picture, picture_alt, by)
        session.add(reward)
        session.flush()
        if kind is RewardKind.PLEDGE:
            session.add(RewardTotal(reward_id=reward.id, project_id=project.id))
        touch(project.topic)
    return reward


def _set_picture(reward: Reward, picture: IO[bytes] | None, alt: str, by: Person | None) -> None:
    alt = " ".join(alt.split())[:300]
    if picture is not None:
        reward.picture_id = media.store(picture, by.id if by else None).id
    if reward.picture_id is not None and not alt:
        raise BadInput(_("Describe the picture for people who do not see it."), "picture_alt")
    reward.picture_alt = alt


def _locked(session: Any, project: Project, reward_id: UUID, kind: RewardKind) -> tuple[Reward, bool]:
    """The reward, and whether somebody chose it; the row lock keeps pledges out meanwhile."""
    reward = session.scalar(sa.select(Reward).where(Reward.id == reward_id, Reward.project_id == project.id,
                                                     Reward.kind == kind)
                            .with_for_update().execution_options(populate_existing=True))
    if reward is None:
        raise NotFound(_("This reward is not there any more."))
    backers = session.scalar(sa.select(RewardTotal.backers).where(RewardTotal.reward_id == reward.id)) or 0
    return reward, reward.claimed > 0 or backers > 0


def edit_reward(project: Project, reward_id: UUID, *, title: str, price: int, description: str = "",
                quantity: int | None = None, delivery_on: date | None = None, picture: IO[bytes] | None = None,
                picture_alt: str = "", by: Person | None = None, kind: RewardKind = RewardKind.PLEDGE) -> Reward:
    """While nobody chose it, anything; afterwards only a new picture and a higher quantity.

    More of a milestone's reward may also be given when the project has made it.
    """
    with transaction() as session:
        project = _open_project(session, project, OPEN if kind is RewardKind.PLEDGE else (*OPEN, S.SUCCESSFUL))
        reward, chosen = _locked(session, project, reward_id, kind)
        title, description = _checked(project, title, description, price, quantity, kind)
        if chosen:
            fixed = {"title": title, "description": description, "price": price, "delivery_on": delivery_on}
            for name, value in fixed.items():
                if getattr(reward, name) != value:
                    raise BadInput(_("Somebody chose this reward, so this is a promise now. You can still change its "
                                     "picture and raise the quantity."), name)
        if delivery_on != reward.delivery_on:
            _require_ahead(delivery_on)
        if project.is_public or chosen:
            _require_not_lower(reward, quantity)
        reward.title, reward.description, reward.price = title, description, price
        reward.quantity, reward.delivery_on = quantity, delivery_on
        _set_picture(reward, picture, picture_alt, by)
        session.flush()
        touch(project.topic)
    return reward


def _require_not_lower(reward: Reward, quantity: int | None) -> None:
    if quantity is not None and (reward.quantity is None or quantity < reward.quantity):
        now = _("no limit") if reward.quantity is None else str(reward.quantity)
        raise BadInput(_("Since the launch the quantity can only go up. It is %(now)s.", now=now), "quantity")


def remove_reward(project: Project, reward_id: UUID, kind: RewardKind = RewardKind.PLEDGE) -> None:
    """Take a reward out that nobody chose."""
    with transaction() as session:
        project = _open_project(session, project)
        reward, chosen = _locked(session, project, reward_id, kind)
        if chosen:
            raise Refusal(_("Somebody chose this reward, so it stays."))
        try:
            with session.begin_nested():
                session.execute(sa.delete(RewardTotal).where(RewardTotal.reward_id == reward.id))
                session.execute(sa.delete(Reward).where(Reward.id == reward.id))
        except sa.exc.IntegrityError:  # a pledge that ended still names it
            raise Refusal(_("Somebody chose this reward once, so it stays.")) from None
        session.expunge(reward)
        touch(project.topic)


def move_reward(project: Project, reward_id: UUID, up: bool) -> None:
    """One place up or down in the list; at the end of the list nothing happens."""
    with transaction() as session:
        project = session.get_one(Project, project.id, with_for_update=True, populate_existing=True)
        rewards = list(session.scalars(sa.select(Reward).where(
            Reward.project_id == project.id, Reward.kind == RewardKind.PLEDGE)
                                       .order_by(Reward.position, Reward.price, Reward.id)))
        at = next((n for n, reward in enumerate(rewards) if reward.id == reward_id), None)
        if at is None:
            raise NotFound(_("This reward is not there any more."))
        to = at - 1 if up else at + 1
        if 0 <= to < len(rewards):
            rewards[at], rewards[to] = rewards[to], rewards[at]
        for position, reward in enumerate(rewards, 1):
            reward.position = position
        touch(project.topic)
