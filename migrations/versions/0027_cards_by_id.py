"""Cards are found by Stripe's id: when news of one comes, and before each charge."""

from alembic import op

revision = "0027_cards_by_id"
down_revision = "0026_resumed"


def upgrade() -> None:
    with op.get_context().autocommit_block():
        op.execute("SET statement_timeout = 0")
        op.execute("CREATE INDEX CONCURRENTLY IF NOT EXISTS ix_card_setup_payment_method_id "
                   "ON card_setup (payment_method_id)")
        op.execute("SET statement_timeout = '5s'")


def downgrade() -> None:
    op.execute("DROP INDEX ix_card_setup_payment_method_id")
