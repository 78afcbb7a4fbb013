"""Where Stripe and our books differ, how far we looked, and whether money may move."""

from alembic import op

revision = "0018_worklist"
down_revision = "0017_two_phases_proved"


def upgrade() -> None:
    op.execute("""
CREATE TABLE mismatch (
    id UUID DEFAULT uuidv7() NOT NULL,
    kind TEXT NOT NULL,
    stripe_id TEXT NOT NULL,
    payment_id UUID,
    project_id UUID,
    ours JSONB DEFAULT '{}' NOT NULL,
    theirs JSONB DEFAULT '{}' NOT NULL,
    found_at TIMESTAMP WITH TIME ZONE DEFAULT clock_now() NOT NULL,
    seen_at TIMESTAMP WITH TIME ZONE DEFAULT clock_now() NOT NULL,
    settled_at TIMESTAMP WITH TIME ZONE,
    settled_by_id UUID,
    how TEXT DEFAULT '' NOT NULL,
    CONSTRAINT pk_mismatch PRIMARY KEY (id),
    CONSTRAINT fk_mismatch_payment_id FOREIGN KEY(payment_id) REFERENCES payment (id),
    CONSTRAINT fk_mismatch_project_id FOREIGN KEY(project_id) REFERENCES project (id)
);
CREATE INDEX ix_mismatch_project_id ON mismatch (project_id);
CREATE UNIQUE INDEX uq_mismatch_open ON mismatch (kind, stripe_id) WHERE settled_at IS NULL;
CREATE TABLE stripe_cursor (
    name TEXT NOT NULL,
    object_id TEXT,
    at TIMESTAMP WITH TIME ZONE,
    run_at TIMESTAMP WITH TIME ZONE,
    CONSTRAINT pk_stripe_cursor PRIMARY KEY (name)
);
CREATE TABLE money_mode (
    id INTEGER NOT NULL,
    is_safe_mode BOOLEAN DEFAULT false NOT NULL,
    why TEXT DEFAULT '' NOT NULL,
    since TIMESTAMP WITH TIME ZONE DEFAULT clock_now() NOT NULL,
    by_id UUID,
    system_id TEXT,
    timeline INTEGER,
    CONSTRAINT pk_money_mode PRIMARY KEY (id),
    CONSTRAINT ck_money_mode_one_row CHECK (id = 1)
);
INSERT INTO money_mode (id) VALUES (1);
REVOKE DELETE, TRUNCATE ON mismatch, money_mode FROM achterban_app;
""")


def downgrade() -> None:
    op.execute("""
DROP TABLE money_mode;
DROP TABLE stripe_cursor;
DROP TABLE mismatch;
""")
