"""Reading pledges: for their backers and for their mails."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from flask import current_app
from flask_babel import gettext as _
from sqlalchemy.orm import joinedload

from backing.models import ACTIVE, LineKind, Pledge, PledgeLine
from core import money
from core.db import ask, db
from core.i18n import locale_name
from projects.models import PUBLIC, Project


def pledge_of(pledge_id: UUID) -> Pledge | None:
    """With all that its pages show, in one statement."""
    return db.session.scalar(sa.select(Pledge).where(Pledge.id == pledge_id).options(
        joinedload(Pledge.project).joinedload(Project.picture), joinedload(Pledge.backer), joinedload(Pledge.reward),
        joinedload(Pledge.card), joinedload(Pledge.payment)))


def pledges_of(person_id: UUID) -> list[Pledge]:
    """Newest first; a hold that came to nothing and was replaced is not worth showing."""
    return list(db.session.scalars(
        sa.select(Pledge).where(Pledge.backer_id == person_id,
                                sa.or_(Pledge.cancel_reason.is_(None), Pledge.cancel_reason != "replaced"))
        .options(joinedload(Pledge.project).joinedload(Project.picture), joinedload(Pledge.reward))
        .order_by(Pledge.placed_at.desc()).limit(200)))


def active_pledge(project_id: UUID, person_id: UUID) -> Pledge | None:
    return db.session.scalar(sa.select(Pledge).where(
        Pledge.project_id == project_id, Pledge.backer_id == person_id, Pledge.state.in_(ACTIVE)))


def lines_of(pledge: Pledge) -> list[tuple[str, str]]:
    """What the pledge is made of, as words and amounts in the reader's language."""
    rows = db.session.scalars(sa.select(PledgeLine).where(
        PledgeLine.pledge_id == pledge.id, PledgeLine.version == pledge.version).order_by(PledgeLine.id))
    return [(_("Bonus") if row.kind is LineKind.BONUS and pledge.reward_id else
             _("Support without a reward") if row.kind is LineKind.BONUS else row.title,
             money.show(row.amount, pledge.currency, locale_name())) for row in rows]


@dataclass(frozen=True)
class Offer:
    """One reward in the pledge form."""

    id: UUID
    title: str
    price: int
    currency: str
    left: int | None
    quantity: int | None
    delivery_on: Any
    picture_key: str | None
    is_mine: bool

    @property
    def price_text(self) -> str:
        return money.show(self.price, self.currency, locale_name(), exact=False)

    @property
    def is_gone(self) -> bool:
        return self.left == 0 and not self.is_mine

    @property
    def value(self) -> str:
        """What the form sends: the reward and the price that was seen."""
        return f"{self.id}:{self.price}"


def offers_of(project: Project, mine: Pledge | None = None) -> list[Offer]:
    """The project's rewards as the form shows them, the backer's own one always available."""
    rows = db.session.execute(sa.text("""
        SELECT r.id, r.title, r.price, r.quantity, r.claimed, r.delivery_on, p.key
          FROM reward r LEFT JOIN picture p ON p.id = r.picture_id
         WHERE r.project_id = :project AND r.kind = 'pledge' ORDER BY r.price, r.position, r.id"""), {"project": project.id})
    offers = []
    for row in rows:
        is_mine = bool(mine and mine.reward_id == row.id)
        price = mine.amount - mine.bonus if mine and is_mine else row.price
        offers.append(Offer(row.id, row.title, price, project.currency,
                            None if row.quantity is None else max(0, row.quantity - row.claimed), row.quantity,
                            row.delivery_on, row.key, is_mine))
    return offers


@dataclass(frozen=True)
class Seen:
    """What a choice is judged by: the project, the wished reward if it has one, the backer's holds elsewhere."""

    state: str
    is_open: bool
    currency: str
    creator_id: UUID
    reward_id: UUID | None
    title: str | None
    price: int | None
    holds: int


@dataclass(frozen=True)
class Offering:
    """A project as its pledge form is sent to it, with its rewards."""

    id: UUID
    slug: str
    title: str
    state: str
    is_open: bool
    currency: str
    creator_id: UUID
    holds: int
    offers: list[Offer]

    @property
    def is_public(self) -> bool:
        return self.state in PUBLIC

    def seen(self, chosen: Offer | None) -> Seen:
        return Seen(self.state, self.is_open, self.currency, self.creator_id, chosen.id if chosen else None,
                    chosen.title if chosen else None, chosen.price if chosen else None, self.holds)


_OFFERING = sa.text("""
    SELECT p.id, p.slug, p.title, p.state, p.deadline > clock_now() AS is_open, p.currency, p.creator_id,
           (SELECT count(*) FROM pledge h WHERE h.backer_id = :backer AND h.state = 'held' AND h.project_id <> p.id) AS holds,
           r.id AS reward_id, r.title AS reward, r.price, r.quantity, r.claimed, r.delivery_on, k.key
      FROM project p LEFT JOIN reward r ON r.project_id = p.id AND r.kind = 'pledge'
      LEFT JOIN picture k ON k.id = r.picture_id
     WHERE p.slug = :slug ORDER BY r.price, r.position, r.id""")


def offering_of(slug: str, backer_id: UUID) -> Offering | None:
    """All that a sent form needs, in one statement."""
    rows = ask(_OFFERING, slug=slug, backer=backer_id)
    if not rows:
        return None
    offers = [Offer(row.reward_id, row.reward, row.price, row.currency,
                    None if row.quantity is None else max(0, row.quantity - row.claimed), row.quantity, row.delivery_on,
                    row.key, False) for row in rows if row.reward_id]
    first = rows[0]
    return Offering(first.id, first.slug, first.title, first.state, first.is_open, first.currency, first.creator_id,
                    first.holds, offers)


def hold_minutes() -> int:
    return int(current_app.config["HOLD_MINUTES"])
