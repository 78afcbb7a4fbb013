"""Steps that friends unlock, and what was granted for them."""

from alembic import op

revision = "0034_milestones"
down_revision = "0033_recommendations"


def upgrade() -> None:
    op.execute("""
SELECT 1;
""")


def downgrade() -> None:
    op.execute("""
SELECT 1;
""")
