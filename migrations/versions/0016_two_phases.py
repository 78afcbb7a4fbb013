"""The ledger in two phases: pending, then posted or void (C-27)."""

from alembic import op

revision = "0016_two_phases"
down_revision = "0015_disputes"


def upgrade() -> None:
    op.execute("""
ALTER TABLE ledger_transaction ADD COLUMN resolves_id UUID;
ALTER TABLE ledger_transaction ADD COLUMN is_pending BOOLEAN DEFAULT false NOT NULL;
ALTER TABLE ledger_transaction ADD CONSTRAINT fk_ledger_transaction_resolves_id
    FOREIGN KEY (resolves_id) REFERENCES ledger_transaction (id) NOT VALID;
-- The new rule allows all that the old one did.
-- squawk-ignore ban-drop-constraint
ALTER TABLE ledger_entry DROP CONSTRAINT ck_ledger_entry_account;
ALTER TABLE ledger_entry ADD CONSTRAINT ck_ledger_entry_account CHECK (account IN (
    'stripe_pending', 'stripe_available', 'stripe_fees', 'backer_receivable', 'creator_payable', 'platform_fee',
    'refunds_payable', 'transfers_payable', 'disputes_held', 'creator_debt', 'fx')) NOT VALID;
""")


def downgrade() -> None:
    op.execute("""
ALTER TABLE ledger_transaction DROP COLUMN is_pending;
ALTER TABLE ledger_transaction DROP COLUMN resolves_id;
""")
