"""News of a saved card: the bank gave out a new one under the same id, its address is another, or it is gone (S-26)."""

import sqlalchemy as sa

from core.db import db, transaction
from core.jobs import every
from payments.gateway import Card, GatewayError, Silence, _Call, _client, read_card
from payments.hooks import card_changed
from payments.models import CardSetup

_UPDATED = sa.text("""
    UPDATE card_setup SET card_brand = :brand, card_last4 = :last4, card_exp = :exp, card_fingerprint = :fingerprint,
           address_digest = :address
     WHERE payment_method_id = :method
       AND (card_last4, card_exp, card_fingerprint, address_digest) IS DISTINCT FROM (:last4, :exp, :fingerprint, CAST(:address AS bytea))
    RETURNING id""")
KEPT_DAYS = 365  # that the scrambled address of a card is compared, as with browsers
_OLD = sa.text("""
    UPDATE card_setup SET address_digest = NULL
     WHERE id IN (SELECT id FROM card_setup WHERE address_digest IS NOT NULL
                     AND completed_at < clock_now() - make_interval(days => :days) LIMIT 1000 FOR UPDATE SKIP LOCKED)
    RETURNING 1""")
_GONE = sa.text("""
    UPDATE card_setup SET dead_at = clock_now(), dead_why = 'detached' WHERE payment_method_id = :method AND dead_at IS NULL""")


def read_method(stripe_id: str) -> Card | None:
    """The card as Stripe has it now; None when it is nobody's any more and cannot be charged."""
    try:
        with _Call("payment_methods"):
            method = _client(patient=True).v1.payment_methods.retrieve(stripe_id)
    except Silence:
        raise
    except GatewayError as error:
        if error.status == 404:
            return None
        raise
    return None if method.customer is None or method.card is None else read_card(method)


def hear_of_method(stripe_id: str) -> bool:
    """Read it and keep what changed. True also for a card that we do not know: nobody waits for it."""
    known = db.session.scalar(sa.text("SELECT 1 FROM card_setup WHERE payment_method_id = :method"), {"method": stripe_id})
    db.session.rollback()
    if not known:
        return True
    card = read_method(stripe_id)
    with transaction() as session:
        if card is None:
            session.execute(_GONE, {"method": stripe_id})
            return True
        changed = session.scalars(_UPDATED, {
            "method": stripe_id, "brand": card.brand, "last4": card.last4, "exp": card.exp,
            "fingerprint": card.fingerprint, "address": card.address}).all()
        for setup_id in changed:
            card_changed.send(session.get_one(CardSetup, setup_id, populate_existing=True))
    return True


@every(3600, "payments:forget_addresses", lane="books")
def forget_addresses() -> int:
    """People move, and a scrambled address is still one: it goes after a year. Returns how many went."""
    forgotten = 0
    while True:
        with transaction() as session:
            gone = session.execute(_OLD, {"days": KEPT_DAYS}).all()
        forgotten += len(gone)
        if len(gone) < 1000:
            return forgotten
