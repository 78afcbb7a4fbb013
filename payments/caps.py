"""How often one card may be tried: networks fine those who hammer, so we stop well below their line (S-36).

Per card and 30 days: 4 tries of ours and 6 of the backer's. A card of which the bank said "never again" is dead at
once, for everybody. `charging.begin` asks in the statement that writes the attempt, so that nothing gets round it; the
days are counted by the clock that stamped the attempts. Source: Visa allows 20 reattempts in 30 days (15 before April
2026).
"""

from uuid import UUID

import sqlalchemy as sa

from core.db import db

AUTOMATIC, BY_BACKER, DAYS = 4, 6, 30

# May `method` (of `step`) be tried once more, by us or by its owner? For whoever writes an attempt.
ALLOWED = f"""
    NOT EXISTS (SELECT 1 FROM card_setup c WHERE c.payment_method_id = step.method AND c.dead_at IS NOT NULL)
    AND (SELECT count(*) FROM payment_attempt a
          WHERE a.payment_method_id = step.method AND a.is_automatic = step.automatic
            AND a.sent_at > clock_timestamp() - interval '{DAYS} days')
        < CASE WHEN step.automatic THEN {AUTOMATIC} ELSE {BY_BACKER} END"""  # noqa: S608 -- numbers of ours
_ASK = sa.text(f"SELECT {ALLOWED} FROM (SELECT CAST(:method AS text) AS method, "  # noqa: S608 -- a constant of ours
               "CAST(:automatic AS boolean) AS automatic) step")


def may_try(payment_method_id: str, *, automatic: bool) -> bool:
    """Whether one more try of this card is allowed, by us or by its owner."""
    return bool(db.session.scalar(_ASK, {"method": payment_method_id, "automatic": automatic}))


def bury(payment_method_id: str, why: str) -> None:
    """This card is never tried again. Call inside transaction()."""
    db.session.execute(sa.text("""
        UPDATE card_setup SET dead_at = clock_now(), dead_why = :why
         WHERE payment_method_id = :method AND dead_at IS NULL"""), {"method": payment_method_id, "why": why})


def is_dead(setup_id: UUID) -> bool:
    return bool(db.session.scalar(sa.text("SELECT dead_at IS NOT NULL FROM card_setup WHERE id = :id"), {"id": setup_id}))
