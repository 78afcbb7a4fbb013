"""The time to mend a charge knows when it began, whatever the setting says later."""

from alembic import op

revision = "0040_fix_from"
down_revision = "0039_sent_back_anew"


def upgrade() -> None:
    op.execute("ALTER TABLE pledge ADD COLUMN fix_from TIMESTAMP WITH TIME ZONE")


def downgrade() -> None:
    op.execute("ALTER TABLE pledge DROP COLUMN fix_from")
