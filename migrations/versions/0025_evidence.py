"""What speaks for us when a bank asks: consents as they were given, answers as they were sent, what is held meanwhile."""

from alembic import op

revision = "0025_evidence"
down_revision = "0024_transfers_due"


def upgrade() -> None:
    op.execute("""
ALTER TABLE dispute ADD COLUMN held BIGINT DEFAULT 0 NOT NULL;
ALTER TABLE dispute ADD COLUMN read_at TIMESTAMP WITH TIME ZONE;
CREATE TABLE dispute_answer (
    id UUID DEFAULT uuidv7() NOT NULL,
    dispute_id UUID NOT NULL,
    project_id UUID NOT NULL,
    number INTEGER NOT NULL,
    kind TEXT NOT NULL,
    texts JSONB DEFAULT '{}' NOT NULL,
    submissions INTEGER DEFAULT 0 NOT NULL,
    by_id UUID,
    asked_at TIMESTAMP WITH TIME ZONE DEFAULT clock_now() NOT NULL,
    sent_at TIMESTAMP WITH TIME ZONE,
    refused_at TIMESTAMP WITH TIME ZONE,
    failure TEXT,
    CONSTRAINT pk_dispute_answer PRIMARY KEY (id),
    CONSTRAINT uq_dispute_answer_dispute_id_number UNIQUE (dispute_id, number),
    CONSTRAINT fk_dispute_answer_dispute_id FOREIGN KEY(dispute_id) REFERENCES dispute (id)
);
CREATE UNIQUE INDEX uq_dispute_answer_open ON dispute_answer (dispute_id) WHERE sent_at IS NULL AND refused_at IS NULL;
CREATE TABLE consent (
    id BIGINT GENERATED ALWAYS AS IDENTITY,
    pledge_id UUID NOT NULL,
    project_id UUID NOT NULL,
    text_version TEXT NOT NULL,
    locale TEXT NOT NULL,
    project TEXT NOT NULL,
    amount BIGINT NOT NULL,
    currency TEXT NOT NULL,
    charge_from TIMESTAMP WITH TIME ZONE NOT NULL,
    network TEXT NOT NULL,
    browser TEXT NOT NULL,
    given_at TIMESTAMP WITH TIME ZONE DEFAULT clock_now() NOT NULL,
    CONSTRAINT pk_consent PRIMARY KEY (id),
    CONSTRAINT fk_consent_pledge_id FOREIGN KEY(pledge_id) REFERENCES pledge (id)
);
CREATE INDEX ix_consent_pledge_id ON consent (pledge_id);
CREATE TRIGGER only_added BEFORE UPDATE OR DELETE OR TRUNCATE ON consent
    FOR EACH STATEMENT EXECUTE FUNCTION only_added();
REVOKE UPDATE, DELETE, TRUNCATE ON consent FROM achterban_app;
REVOKE DELETE, TRUNCATE ON dispute_answer FROM achterban_app;
""")


def downgrade() -> None:
    op.execute("""
DROP TABLE consent;
DROP TABLE dispute_answer;
ALTER TABLE dispute DROP COLUMN read_at;
ALTER TABLE dispute DROP COLUMN held;
""")
