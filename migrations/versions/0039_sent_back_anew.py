"""A second charge can be sent back anew when its refund failed."""

from alembic import op

revision = "0039_sent_back_anew"
down_revision = "0038_in_common"


def upgrade() -> None:
    with op.get_context().autocommit_block():
        op.execute("SET statement_timeout = 0")
        op.execute("CREATE UNIQUE INDEX CONCURRENTLY IF NOT EXISTS uq_refund_duplicate ON refund (duplicate_charge_id) "
                   "WHERE state NOT IN ('failed', 'canceled')")
        op.execute("SET statement_timeout = '5s'")
    # The index above keeps what it kept, but for refunds that failed.
    op.execute("""
-- squawk-ignore ban-drop-constraint
ALTER TABLE refund DROP CONSTRAINT uq_refund_duplicate_charge_id;
""")


def downgrade() -> None:
    op.execute("""
ALTER TABLE refund ADD CONSTRAINT uq_refund_duplicate_charge_id UNIQUE (duplicate_charge_id);
DROP INDEX uq_refund_duplicate;
""")
