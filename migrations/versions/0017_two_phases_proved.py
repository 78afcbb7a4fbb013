"""The rules of the two phases, proved on what is there."""

from alembic import op

revision = "0017_two_phases_proved"
down_revision = "0016_two_phases"


def upgrade() -> None:
    op.execute("""
ALTER TABLE ledger_transaction VALIDATE CONSTRAINT fk_ledger_transaction_resolves_id;
ALTER TABLE ledger_entry VALIDATE CONSTRAINT ck_ledger_entry_account;
""")


def downgrade() -> None:
    op.execute("""
SELECT 1;
""")
