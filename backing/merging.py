"""Two accounts of one person become one: their pledges."""

import sqlalchemy as sa
from flask_babel import gettext as _

from backing.models import ACTIVE
from core.db import db
from core.errors import Refusal
from people.models import Person

_ACTIVE = ", ".join(f"'{state}'" for state in ACTIVE)
_BOTH_BACK = sa.text(f"""
    SELECT p.title FROM pledge a JOIN pledge b USING (project_id) JOIN project p ON p.id = project_id
     WHERE a.backer_id = :into AND b.backer_id = :gone AND a.state IN ({_ACTIVE}) AND b.state IN ({_ACTIVE})
     ORDER BY p.title LIMIT 1""")  # noqa: S608 -- states of our own
_BACKS_OWN = sa.text(f"""
    SELECT p.title FROM pledge g JOIN project p ON p.id = g.project_id
     WHERE g.state IN ({_ACTIVE})
       AND ((g.backer_id = :into AND p.creator_id = :gone) OR (g.backer_id = :gone AND p.creator_id = :into))
     ORDER BY p.title LIMIT 1""")  # noqa: S608
# A card saved by the other account belongs to its own customer at Stripe: it can be charged by that one only.
_CARD_ELSEWHERE = sa.text("""
    SELECT p.title FROM pledge g JOIN project p ON p.id = g.project_id
     WHERE g.backer_id = :gone AND g.state IN ('held', 'pledged', 'collecting', 'errored')
       AND (SELECT count(*) FROM stripe_customer WHERE person_id IN (:into, :gone)) > 1
     ORDER BY p.title LIMIT 1""")
_MOVE = sa.text("UPDATE pledge SET backer_id = :into WHERE backer_id = :gone")


def look_at_pledges(into: Person, gone: Person) -> None:
    """Hooked to people.merge_asked: refuses what cannot be joined, before anything moved."""
    ids = {"into": into.id, "gone": gone.id}
    for statement, sentence in (
            (_BOTH_BACK, _("Both accounts stand behind “%(title)s”. Cancel or refund one of the pledges first.")),
            (_BACKS_OWN, _("One account runs “%(title)s” and the other stands behind it. Cancel or refund that pledge "
                           "first.")),
            (_CARD_ELSEWHERE, _("The account that goes has a pledge to “%(title)s” that is not collected yet, with a card "
                                "that belongs to that account at Stripe. Merge them when it is collected."))):
        title = db.session.scalar(statement, ids)
        if title:
            raise Refusal(sentence % {"title": title})


def move_pledges(into: Person, gone: Person) -> None:
    """Hooked to people.people_merged."""
    db.session.execute(_MOVE, {"into": into.id, "gone": gone.id})
