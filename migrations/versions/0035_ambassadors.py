"""Ambassador rounds: calls, applications, votes, missions."""

from alembic import op

revision = "0035_ambassadors"
down_revision = "0034_milestones"


def upgrade() -> None:
    op.execute("""
SELECT 1;
""")


def downgrade() -> None:
    op.execute("""
SELECT 1;
""")
