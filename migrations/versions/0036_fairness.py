"""Devices, flags and bans, so that what counts is earned."""

from alembic import op

revision = "0036_fairness"
down_revision = "0035_ambassadors"


def upgrade() -> None:
    op.execute("""
SELECT 1;
""")


def downgrade() -> None:
    op.execute("""
SELECT 1;
""")
