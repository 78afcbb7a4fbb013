"""Shares on their way to creators, and back."""

from alembic import op

revision = "0014_transfers"
down_revision = "0013_refunds"


def upgrade() -> None:
    op.execute("""
CREATE TABLE transfer (
    id UUID DEFAULT uuidv7() NOT NULL,
    payment_id UUID NOT NULL,
    project_id UUID NOT NULL,
    part TEXT DEFAULT 'share' NOT NULL,
    amount BIGINT NOT NULL,
    currency TEXT NOT NULL,
    destination TEXT NOT NULL,
    state VARCHAR(32) DEFAULT 'created' NOT NULL,
    tries INTEGER DEFAULT '1' NOT NULL,
    stripe_id TEXT,
    failure TEXT,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT clock_now() NOT NULL,
    changed_at TIMESTAMP WITH TIME ZONE DEFAULT clock_now() NOT NULL,
    CONSTRAINT pk_transfer PRIMARY KEY (id),
    CONSTRAINT ck_transfer_amount_positive CHECK (amount > 0),
    CONSTRAINT uq_transfer_payment_id_part UNIQUE (payment_id, part),
    CONSTRAINT fk_transfer_payment_id FOREIGN KEY(payment_id) REFERENCES payment (id),
    CONSTRAINT fk_transfer_project_id FOREIGN KEY(project_id) REFERENCES project (id),
    CONSTRAINT ck_transfer_transferstate CHECK (state IN ('created', 'unknown', 'succeeded', 'failed')),
    CONSTRAINT uq_transfer_stripe_id UNIQUE (stripe_id)
);
CREATE INDEX ix_transfer_open ON transfer (changed_at) WHERE state IN ('created', 'unknown', 'failed');
CREATE INDEX ix_transfer_project_id ON transfer (project_id);
CREATE TABLE transfer_move (
    id BIGINT GENERATED ALWAYS AS IDENTITY,
    transfer_id UUID NOT NULL,
    project_id UUID NOT NULL,
    from_state VARCHAR(32) NOT NULL,
    to_state VARCHAR(32) NOT NULL,
    at TIMESTAMP WITH TIME ZONE DEFAULT clock_now() NOT NULL,
    by_id UUID,
    why TEXT DEFAULT '' NOT NULL,
    CONSTRAINT pk_transfer_move PRIMARY KEY (id),
    CONSTRAINT fk_transfer_move_transfer_id FOREIGN KEY(transfer_id) REFERENCES transfer (id),
    CONSTRAINT ck_transfer_move_transferstate CHECK (to_state IN ('created', 'unknown', 'succeeded', 'failed'))
);
CREATE INDEX ix_transfer_move_transfer_id ON transfer_move (transfer_id);
CREATE TABLE transfer_reversal (
    id UUID DEFAULT uuidv7() NOT NULL,
    transfer_id UUID NOT NULL,
    project_id UUID NOT NULL,
    cause_id UUID NOT NULL,
    amount BIGINT NOT NULL,
    currency TEXT NOT NULL,
    state VARCHAR(32) DEFAULT 'created' NOT NULL,
    tries INTEGER DEFAULT '1' NOT NULL,
    stripe_id TEXT,
    failure TEXT,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT clock_now() NOT NULL,
    changed_at TIMESTAMP WITH TIME ZONE DEFAULT clock_now() NOT NULL,
    CONSTRAINT pk_transfer_reversal PRIMARY KEY (id),
    CONSTRAINT ck_transfer_reversal_amount_positive CHECK (amount > 0),
    CONSTRAINT uq_transfer_reversal_transfer_id_cause_id UNIQUE (transfer_id, cause_id),
    CONSTRAINT fk_transfer_reversal_transfer_id FOREIGN KEY(transfer_id) REFERENCES transfer (id),
    CONSTRAINT fk_transfer_reversal_project_id FOREIGN KEY(project_id) REFERENCES project (id),
    CONSTRAINT ck_transfer_reversal_transferstate CHECK (state IN ('created', 'unknown', 'succeeded', 'failed')),
    CONSTRAINT uq_transfer_reversal_stripe_id UNIQUE (stripe_id)
);
CREATE INDEX ix_transfer_reversal_open ON transfer_reversal (changed_at) WHERE state IN ('created', 'unknown', 'failed');
CREATE INDEX ix_transfer_reversal_project_id ON transfer_reversal (project_id);
ALTER TABLE payment VALIDATE CONSTRAINT ck_payment_refunded_within_amount;
ALTER TABLE payout_account ADD COLUMN links INTEGER DEFAULT 0 NOT NULL;
ALTER TABLE project ADD COLUMN reserve_bp INTEGER DEFAULT 0 NOT NULL;
CREATE TRIGGER only_added BEFORE UPDATE OR DELETE OR TRUNCATE ON transfer_move
    FOR EACH STATEMENT EXECUTE FUNCTION only_added();
REVOKE UPDATE, DELETE, TRUNCATE ON transfer_move FROM achterban_app;
REVOKE DELETE, TRUNCATE ON transfer, transfer_reversal FROM achterban_app;
""")


def downgrade() -> None:
    op.execute("""
ALTER TABLE project DROP COLUMN reserve_bp;
ALTER TABLE payout_account DROP COLUMN links;
DROP TABLE transfer_reversal;
DROP TABLE transfer_move;
DROP TABLE transfer;
""")
