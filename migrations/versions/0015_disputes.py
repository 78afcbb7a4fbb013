"""What a backer's bank takes back, and what it fears."""

from alembic import op

revision = "0015_disputes"
down_revision = "0014_transfers"


def upgrade() -> None:
    op.execute("""
CREATE TABLE dispute (
    id UUID DEFAULT uuidv7() NOT NULL,
    stripe_id TEXT NOT NULL,
    payment_id UUID NOT NULL,
    project_id UUID NOT NULL,
    amount BIGINT NOT NULL,
    currency TEXT NOT NULL,
    fee BIGINT DEFAULT '0' NOT NULL,
    status VARCHAR(32) NOT NULL,
    reason TEXT DEFAULT '' NOT NULL,
    is_withdrawn BOOLEAN DEFAULT false NOT NULL,
    evidence_due_at TIMESTAMP WITH TIME ZONE,
    evidence_sent_at TIMESTAMP WITH TIME ZONE,
    opened_at TIMESTAMP WITH TIME ZONE DEFAULT clock_now() NOT NULL,
    closed_at TIMESTAMP WITH TIME ZONE,
    changed_at TIMESTAMP WITH TIME ZONE DEFAULT clock_now() NOT NULL,
    CONSTRAINT pk_dispute PRIMARY KEY (id),
    CONSTRAINT ck_dispute_amount_positive CHECK (amount > 0),
    CONSTRAINT uq_dispute_stripe_id UNIQUE (stripe_id),
    CONSTRAINT fk_dispute_payment_id FOREIGN KEY(payment_id) REFERENCES payment (id),
    CONSTRAINT fk_dispute_project_id FOREIGN KEY(project_id) REFERENCES project (id),
    CONSTRAINT ck_dispute_disputestatus CHECK (status IN ('warning_needs_response', 'warning_under_review', 'warning_closed', 'needs_response', 'under_review', 'won', 'lost', 'prevented', 'appeal_needs_response', 'appeal_under_review'))
);
CREATE INDEX ix_dispute_payment_id ON dispute (payment_id);
CREATE INDEX ix_dispute_project_id ON dispute (project_id);
CREATE TABLE dispute_move (
    id BIGINT GENERATED ALWAYS AS IDENTITY,
    dispute_id UUID NOT NULL,
    project_id UUID NOT NULL,
    from_status TEXT,
    to_status TEXT NOT NULL,
    at TIMESTAMP WITH TIME ZONE DEFAULT clock_now() NOT NULL,
    by_id UUID,
    why TEXT DEFAULT '' NOT NULL,
    CONSTRAINT pk_dispute_move PRIMARY KEY (id),
    CONSTRAINT fk_dispute_move_dispute_id FOREIGN KEY(dispute_id) REFERENCES dispute (id)
);
CREATE INDEX ix_dispute_move_dispute_id ON dispute_move (dispute_id);
CREATE TABLE fraud_warning (
    id UUID DEFAULT uuidv7() NOT NULL,
    stripe_id TEXT NOT NULL,
    payment_id UUID NOT NULL,
    project_id UUID NOT NULL,
    fraud_type TEXT DEFAULT '' NOT NULL,
    is_actionable BOOLEAN NOT NULL,
    decide_until TIMESTAMP WITH TIME ZONE NOT NULL,
    decision TEXT,
    decided_by_id UUID,
    decided_at TIMESTAMP WITH TIME ZONE,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT clock_now() NOT NULL,
    CONSTRAINT pk_fraud_warning PRIMARY KEY (id),
    CONSTRAINT uq_fraud_warning_stripe_id UNIQUE (stripe_id),
    CONSTRAINT fk_fraud_warning_payment_id FOREIGN KEY(payment_id) REFERENCES payment (id),
    CONSTRAINT fk_fraud_warning_project_id FOREIGN KEY(project_id) REFERENCES project (id)
);
CREATE INDEX ix_fraud_warning_payment_id ON fraud_warning (payment_id);
CREATE INDEX ix_fraud_warning_project_id ON fraud_warning (project_id);
CREATE TRIGGER only_added BEFORE UPDATE OR DELETE OR TRUNCATE ON dispute_move
    FOR EACH STATEMENT EXECUTE FUNCTION only_added();
REVOKE UPDATE, DELETE, TRUNCATE ON dispute_move FROM achterban_app;
REVOKE DELETE, TRUNCATE ON dispute, fraud_warning FROM achterban_app;
""")


def downgrade() -> None:
    op.execute("""
DROP TABLE fraud_warning;
DROP TABLE dispute_move;
DROP TABLE dispute;
""")
