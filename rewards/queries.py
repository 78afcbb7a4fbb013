"""What may be chosen in a project, as plain rows."""

from dataclasses import dataclass
from datetime import date
from functools import cached_property
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from babel.dates import format_date

from core.db import fetch_all
from core.i18n import locale_name, show_money
from rewards.models import Reward, RewardKind


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

    @cached_property
    def price_text(self) -> str:
        return show_money(self.price, self.currency, exact=False)

    @property
    def delivery(self) -> str:
        return format_date(self.delivery_on, "MMMM y", locale=locale_name()) if self.delivery_on else ""


_OFFERS = sa.text("""
    SELECT r.id, r.title, r.description, r.price, CAST(:currency AS text) AS currency, r.quantity, r.claimed,
           coalesce(t.backers, 0) AS backers, coalesce(t.raised, 0) AS raised, r.delivery_on, p.key AS picture_key,
           r.picture_alt
      FROM reward r LEFT JOIN reward_total t ON t.reward_id = r.id LEFT JOIN picture p ON p.id = r.picture_id
     WHERE r.project_id = :project_id AND r.kind = 'pledge' ORDER BY r.position, r.price, r.id""")


def rewards_of(project: Any) -> list[Offer]:
    """The rewards that a project's pledges may choose, in its order, with totals, picture and what is left: one statement."""
    return [Offer(**row._mapping) for row in fetch_all(_OFFERS, project_id=project.id, currency=project.currency)]


def has_rewards(project: Any) -> bool:
    return bool(fetch_all(sa.select(sa.exists().where(
        Reward.project_id == project.id, Reward.kind == RewardKind.PLEDGE)))[0][0])
