"""News of a saved card: the bank gave out a new one under the same id, or it is gone (S-26)."""

import sqlalchemy as sa

from core.db import db, transaction
from payments.gateway import Card, GatewayError, Silence, _Call, _client

_UPDATED = sa.text("""
    UPDATE card_setup SET card_brand = :brand, card_last4 = :last4, card_exp = :exp, card_fingerprint = :fingerprint
     WHERE payment_method_id = :method AND (card_last4, card_exp) IS DISTINCT FROM (:last4, :exp)""")
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
    face = method.card
    if method.customer is None or face is None:
        return None
    return Card(method.id, face.brand, face.last4, f"{face.exp_year}-{face.exp_month:02d}", face.fingerprint)


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
        else:
            session.execute(_UPDATED, {"method": stripe_id, "brand": card.brand, "last4": card.last4, "exp": card.exp,
                                       "fingerprint": card.fingerprint})
    return True
