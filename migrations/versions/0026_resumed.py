"""A run that was paused knows when it went on: what failed before does not pull its brake again."""

from alembic import op

revision = "0026_resumed"
down_revision = "0025_evidence"


def upgrade() -> None:
    op.execute("""
ALTER TABLE collection_run ADD COLUMN resumed_at TIMESTAMP WITH TIME ZONE;
""")


def downgrade() -> None:
    op.execute("""
ALTER TABLE collection_run DROP COLUMN resumed_at;
""")
