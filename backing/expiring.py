"""Cards that will have run out when they are needed: said at once on the pledge's page, mailed twice (S-26)."""

import calendar
from datetime import UTC, datetime, timedelta

import sqlalchemy as sa

from backing.models import Pledge, PledgeState
from core.db import ask, db, transaction
from core.jobs import every
from core.mail import post

MARGIN = timedelta(days=14)  # the charge, and the time to mend it


def ends_too_soon(pledge: Pledge) -> bool:
    """The card's last month is over before the money could still be asked for."""
    if pledge.state is not PledgeState.PLEDGED or pledge.card is None or pledge.project.deadline is None:
        return False
    if pledge.card.dead_at is not None:
        return True
    last = last_moment(pledge.card.card_exp)
    return last is not None and last < pledge.project.deadline + MARGIN


def last_moment(exp: str | None) -> datetime | None:
    """A card of 2027-04 works to the end of April."""
    if not exp or "-" not in exp:
        return None
    year, month = (int(part) for part in exp.split("-"))
    return datetime(year, month, calendar.monthrange(year, month)[1], 23, 59, 59, tzinfo=UTC)


# Seven days before the deadline and again one day before it; a card exchanged in between ends the matter.
_WARN = sa.text("""
    SELECT p.id, CASE WHEN project.deadline <= clock_now() + interval '1 day' THEN '1' ELSE '7' END AS days
      FROM project JOIN pledge p ON p.project_id = project.id AND p.state = 'pledged'
      JOIN card_setup c ON c.id = p.card_id
     WHERE project.state = 'live' AND project.deadline > clock_now()
       AND project.deadline <= clock_now() + interval '7 days'
       AND (c.dead_at IS NOT NULL OR (c.card_exp ~ '^[0-9]{4}-[0-9]{2}$'
            AND to_date(c.card_exp, 'YYYY-MM') + interval '1 month' < project.deadline + interval '14 days'))
       AND NOT EXISTS (SELECT 1 FROM mail m WHERE m.dedupe = 'backing/card_expires:' || p.id || ':'
             || CASE WHEN project.deadline <= clock_now() + interval '1 day' THEN '1' ELSE '7' END)
     LIMIT 500""")


@every(300, "backing:warn_of_expiring_cards")
def warn_of_expiring_cards() -> int:
    """Mail those whose card will not last; each of the two mails leaves once."""
    rows = ask(_WARN)
    with transaction():
        for row in rows:
            post("backing/card_expires", dedupe=row.days, pledge_id=row.id)
    db.session.rollback()
    return len(rows)
