"""The rule of the accounts, proved on what is there."""

from alembic import op

revision = "0029_bank_proved"
down_revision = "0028_bank"


def upgrade() -> None:
    op.execute("""
ALTER TABLE ledger_entry VALIDATE CONSTRAINT ck_ledger_entry_account;
""")


def downgrade() -> None:
    op.execute("""
SELECT 1;
""")
