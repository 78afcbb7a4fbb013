"""Money that goes back, never more than came."""

from alembic import op

revision = "0013_refunds"
down_revision = "0012_audit"


def upgrade() -> None:
    op.execute("""
CREATE TABLE refund (
    id UUID DEFAULT uuidv7() NOT NULL,
    payment_id UUID NOT NULL,
    project_id UUID NOT NULL,
    amount BIGINT NOT NULL,
    fee_back BIGINT DEFAULT '0' NOT NULL,
    currency TEXT NOT NULL,
    reason TEXT NOT NULL,
    lines JSONB DEFAULT '[]' NOT NULL,
    note TEXT DEFAULT '' NOT NULL,
    duplicate_charge_id TEXT,
    state VARCHAR(32) DEFAULT 'created' NOT NULL,
    stripe_id TEXT,
    failure TEXT,
    by_id UUID,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT clock_now() NOT NULL,
    changed_at TIMESTAMP WITH TIME ZONE DEFAULT clock_now() NOT NULL,
    CONSTRAINT pk_refund PRIMARY KEY (id),
    CONSTRAINT ck_refund_amount_positive CHECK (amount > 0),
    CONSTRAINT fk_refund_payment_id FOREIGN KEY(payment_id) REFERENCES payment (id),
    CONSTRAINT fk_refund_project_id FOREIGN KEY(project_id) REFERENCES project (id),
    CONSTRAINT uq_refund_duplicate_charge_id UNIQUE (duplicate_charge_id),
    CONSTRAINT ck_refund_refundstate CHECK (state IN ('created', 'unknown', 'pending', 'requires_action', 'succeeded', 'failed', 'canceled')),
    CONSTRAINT uq_refund_stripe_id UNIQUE (stripe_id)
);
CREATE INDEX ix_refund_open ON refund (changed_at) WHERE state IN ('created', 'unknown', 'pending', 'requires_action');
CREATE INDEX ix_refund_payment_id ON refund (payment_id);
CREATE INDEX ix_refund_project_id ON refund (project_id);
CREATE TABLE refund_move (
    id BIGINT GENERATED ALWAYS AS IDENTITY,
    refund_id UUID NOT NULL,
    project_id UUID NOT NULL,
    from_state VARCHAR(32) NOT NULL,
    to_state VARCHAR(32) NOT NULL,
    at TIMESTAMP WITH TIME ZONE DEFAULT clock_now() NOT NULL,
    by_id UUID,
    why TEXT DEFAULT '' NOT NULL,
    CONSTRAINT pk_refund_move PRIMARY KEY (id),
    CONSTRAINT fk_refund_move_refund_id FOREIGN KEY(refund_id) REFERENCES refund (id),
    CONSTRAINT ck_refund_move_refundstate CHECK (to_state IN ('created', 'unknown', 'pending', 'requires_action', 'succeeded', 'failed', 'canceled'))
);
CREATE INDEX ix_refund_move_refund_id ON refund_move (refund_id);
ALTER TABLE payment ADD COLUMN processing_fee BIGINT;
ALTER TABLE payment ADD COLUMN refunded BIGINT DEFAULT 0 NOT NULL;
ALTER TABLE payment ADD CONSTRAINT ck_payment_refunded_within_amount CHECK (refunded BETWEEN 0 AND amount) NOT VALID;

-- The sum is kept by the database itself and the CHECK above refuses the refund that would be too much, whoever asks
-- and however many at once: the update locks the payment (S-67). A duplicate charge is refunded beside the payment.
CREATE FUNCTION refund_counted() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    gone CONSTANT text[] := ARRAY['failed', 'canceled'];
    was bigint := 0;
    now bigint := 0;
BEGIN
    IF TG_OP = 'UPDATE' THEN
        IF NEW.amount <> OLD.amount OR NEW.payment_id <> OLD.payment_id
           OR NEW.duplicate_charge_id IS DISTINCT FROM OLD.duplicate_charge_id THEN
            RAISE EXCEPTION 'a refund keeps its amount and its payment' USING ERRCODE = 'restrict_violation';
        END IF;
        was := CASE WHEN OLD.state = ANY(gone) THEN 0 ELSE OLD.amount END;
    END IF;
    now := CASE WHEN NEW.state = ANY(gone) THEN 0 ELSE NEW.amount END;
    IF NEW.duplicate_charge_id IS NULL AND now <> was THEN
        UPDATE payment SET refunded = refunded + now - was WHERE id = NEW.payment_id;
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER refund_counted AFTER INSERT OR UPDATE ON refund FOR EACH ROW EXECUTE FUNCTION refund_counted();
CREATE TRIGGER only_added BEFORE UPDATE OR DELETE OR TRUNCATE ON refund_move
    FOR EACH STATEMENT EXECUTE FUNCTION only_added();
REVOKE UPDATE, DELETE, TRUNCATE ON refund_move FROM achterban_app;
REVOKE DELETE, TRUNCATE ON refund FROM achterban_app;
""")


def downgrade() -> None:
    op.execute("""
DROP TABLE refund_move;
DROP TABLE refund;
DROP FUNCTION refund_counted;
ALTER TABLE payment DROP COLUMN refunded;
ALTER TABLE payment DROP COLUMN processing_fee;
""")
