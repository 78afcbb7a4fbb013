"""Indexes on tables that grow, built while they are written to."""

from alembic import op

revision = "0020_indexes"
down_revision = "0019_recovery"


def upgrade() -> None:
    with op.get_context().autocommit_block():
        op.execute("SET statement_timeout = 0")
        op.execute("CREATE UNIQUE INDEX CONCURRENTLY IF NOT EXISTS uq_ledger_transaction_resolves_id "
                   "ON ledger_transaction (resolves_id)")
        op.execute("CREATE INDEX CONCURRENTLY IF NOT EXISTS ix_payment_attempt_payment_method_id "
                   "ON payment_attempt (payment_method_id, sent_at)")
        op.execute("CREATE INDEX CONCURRENTLY IF NOT EXISTS ix_pledge_retry ON pledge (retry_at) "
                   "WHERE state = 'errored' AND retry_at IS NOT NULL")
        op.execute("SET statement_timeout = '5s'")


def downgrade() -> None:
    op.execute("DROP INDEX ix_pledge_retry")
    op.execute("DROP INDEX ix_payment_attempt_payment_method_id")
    op.execute("DROP INDEX uq_ledger_transaction_resolves_id")
