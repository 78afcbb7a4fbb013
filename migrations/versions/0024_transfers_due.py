"""The transfers of a project that are due, found without reading those that are done."""

from alembic import op

revision = "0024_transfers_due"
down_revision = "0023_payout_runs"


def upgrade() -> None:
    with op.get_context().autocommit_block():
        op.execute("SET statement_timeout = 0")
        op.execute("CREATE INDEX CONCURRENTLY IF NOT EXISTS ix_transfer_due ON transfer (project_id, next_at) "
                   "WHERE state IN ('created', 'unknown', 'failed')")
        op.execute("SET statement_timeout = '5s'")


def downgrade() -> None:
    op.execute("DROP INDEX ix_transfer_due")
