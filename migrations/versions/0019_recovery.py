"""What a refused charge leads to: dead cards, timed tries, paused runs."""

from alembic import op

revision = "0019_recovery"
down_revision = "0018_worklist"


def upgrade() -> None:
    op.execute("""
ALTER TABLE card_setup ADD COLUMN dead_at TIMESTAMP WITH TIME ZONE;
ALTER TABLE card_setup ADD COLUMN dead_why TEXT;
ALTER TABLE payment_attempt ADD COLUMN is_automatic BOOLEAN DEFAULT true NOT NULL;
ALTER TABLE pledge ADD COLUMN retry_at TIMESTAMP WITH TIME ZONE;
ALTER TABLE collection_run ADD COLUMN paused_at TIMESTAMP WITH TIME ZONE;
""")


def downgrade() -> None:
    op.execute("""
ALTER TABLE collection_run DROP COLUMN paused_at;
ALTER TABLE pledge DROP COLUMN retry_at;
ALTER TABLE payment_attempt DROP COLUMN is_automatic;
ALTER TABLE card_setup DROP COLUMN dead_why;
ALTER TABLE card_setup DROP COLUMN dead_at;
""")
