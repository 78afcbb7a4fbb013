"""Two accounts of one person become one: what Stripe knows of them."""

import sqlalchemy as sa
from flask_babel import gettext as _

from core.db import db
from core.errors import Refusal
from people.models import Person

_BOTH = sa.text("""
    SELECT (SELECT count(*) FROM payout_account WHERE person_id IN (:into, :gone)) > 1 AS are_paid,
           (SELECT count(*) FROM stripe_customer WHERE person_id IN (:into, :gone)) > 1 AS are_customers""")
_ACCOUNT = sa.text("UPDATE payout_account SET person_id = :into WHERE person_id = :gone")
_CARDS = sa.text("UPDATE card_setup SET person_id = :into WHERE person_id = :gone")
# A charge goes to the customer of its payment's person: what was paid under the other account stays with that customer.
_CUSTOMER = (sa.text("UPDATE payment SET person_id = :into WHERE person_id = :gone"),
             sa.text("UPDATE stripe_customer SET person_id = :into WHERE person_id = :gone"))


def move_money(into: Person, gone: Person) -> None:
    """Hooked to people.people_merged."""
    ids = {"into": into.id, "gone": gone.id}
    both = db.session.execute(_BOTH, ids).one()
    if both.are_paid:
        raise Refusal(_("Both accounts are paid through Stripe, each by an account of its own there. They cannot become "
                        "one; nothing was changed."))
    db.session.execute(_ACCOUNT, ids)
    db.session.execute(_CARDS, ids)
    if not both.are_customers:
        for statement in _CUSTOMER:
            db.session.execute(statement, ids)
