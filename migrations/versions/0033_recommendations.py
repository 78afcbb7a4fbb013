"""Why somebody stands behind a project, in their own words."""

from alembic import op

revision = "0033_recommendations"
down_revision = "0032_tallies"


def upgrade() -> None:
    op.execute("""
SELECT 1;
""")


def downgrade() -> None:
    op.execute("""
SELECT 1;
""")
