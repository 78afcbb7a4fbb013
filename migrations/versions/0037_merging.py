"""Two accounts of one person become one."""

from alembic import op

revision = "0037_merging"
down_revision = "0036_fairness"


def upgrade() -> None:
    op.execute("""
SELECT 1;
""")


def downgrade() -> None:
    op.execute("""
SELECT 1;
""")
