"""What may be chosen in a project, as plain rows."""

from dataclasses import dataclass
from datetime import date
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from babel.dates import format_date

from core.db import fetch_all
from core.i18n import locale_name, show_money
from core.media import Picture, picture_url
from rewards.models import Reward, RewardTotal


@dataclass(frozen=True)
class Offer:
    """A reward as people see it: price in minor units, `left` None when there is no limit."""

    id: UUID
    title: str
    description: str
    price: int
    currency: str
    quantity: int | None
    claimed: int
    backers: int
    raised: int
    delivery_on: date | None
    picture_key: str | None
    picture_alt: str

    @property
    def lines(self) -> list[str]:
        return [line.strip() for line in self.description.splitlines() if line.strip()]

    @property
    def left(self) -> int | None:
        return None if self.quantity is None else max(0, self.quantity - self.claimed)

    @property
    def is_gone(self) -> bool:
        return self.left == 0

    @property
    def is_scarce(self) -> bool:
        return self.left is not None and self.quantity is not None and self.left <= max(10, self.quantity // 5)

    @property
    def is_chosen(self) -> bool:
        """Somebody holds or was promised one: from here on it is a promise."""
        return self.claimed > 0 or self.backers > 0

    @property
    def price_text(self) -> str:
        return show_money(self.price, self.currency, exact=False)

    @property
    def delivery(self) -> str:
        return format_date(self.delivery_on, "MMMM y", locale=locale_name()) if self.delivery_on else ""

    def picture_url(self, width: int = 800) -> str | None:
        return picture_url(self.picture_key, width)

    def as_tier(self) -> dict[str, Any]:
        """As the macros `tier` and `tier_small` want it."""
        return {"id": self.id, "title": self.title, "price": self.price_text, "description_lines": self.lines,
                "picture_url": self.picture_url(), "picture_alt": self.picture_alt, "left": self.left,
                "quantity": self.quantity, "backers": self.backers, "delivery": self.delivery,
                "is_sold_out": self.is_gone, "is_scarce": self.is_scarce}


_OFFERS = (
    sa.select(Reward.id, Reward.title, Reward.description, Reward.price, sa.bindparam("currency", type_=sa.Text).label("currency"),
              Reward.quantity, Reward.claimed, sa.func.coalesce(RewardTotal.backers, 0).label("backers"),
              sa.func.coalesce(RewardTotal.raised, 0).label("raised"), Reward.delivery_on,
              Picture.key.label("picture_key"), Reward.picture_alt)
    .outerjoin(RewardTotal, RewardTotal.reward_id == Reward.id)
    .outerjoin(Picture, Picture.id == Reward.picture_id)
    .where(Reward.project_id == sa.bindparam("project_id")).order_by(Reward.position, Reward.price, Reward.id))


def rewards_of(project: Any) -> list[Offer]:
    """The rewards of a project in its order, with totals, picture and what is left: one statement."""
    return [Offer(**row._mapping) for row in fetch_all(_OFFERS, project_id=project.id, currency=project.currency)]


def has_rewards(project: Any) -> bool:
    return bool(fetch_all(sa.select(sa.exists().where(Reward.project_id == project.id)))[0][0])
