"""What was paid out to the operator's own bank has an account of its own."""

from alembic import op

revision = "0028_bank"
down_revision = "0027_cards_by_id"


def upgrade() -> None:
    op.execute("""
-- The new rule allows all that the old one did.
-- squawk-ignore ban-drop-constraint
ALTER TABLE ledger_entry DROP CONSTRAINT ck_ledger_entry_account;
ALTER TABLE ledger_entry ADD CONSTRAINT ck_ledger_entry_account CHECK (account IN (
    'stripe_pending', 'stripe_available', 'stripe_fees', 'backer_receivable', 'creator_payable', 'platform_fee',
    'refunds_payable', 'transfers_payable', 'disputes_held', 'creator_debt', 'fx', 'bank')) NOT VALID;
""")


def downgrade() -> None:
    op.execute("""
SELECT 1;
""")
