"""A try of a card knows the charge that it made, paid or not."""

from alembic import op

revision = "0041_charge_of_attempt"
down_revision = "0040_fix_from"


def upgrade() -> None:
    op.execute("ALTER TABLE payment_attempt ADD COLUMN charge_id TEXT")


def downgrade() -> None:
    op.execute("ALTER TABLE payment_attempt DROP COLUMN charge_id")
