"""Refunding everybody of a project: how far it has come, so that it goes on where it stopped."""

from alembic import op

revision = "0022_refund_everyone"
down_revision = "0021_placing"


def upgrade() -> None:
    op.execute("""
CREATE TABLE refund_run (
    id UUID DEFAULT uuidv7() NOT NULL,
    project_id UUID NOT NULL,
    reason TEXT NOT NULL,
    note TEXT DEFAULT '' NOT NULL,
    by_id UUID,
    last_payment_id UUID,
    asked INTEGER DEFAULT 0 NOT NULL,
    skipped INTEGER DEFAULT 0 NOT NULL,
    started_at TIMESTAMP WITH TIME ZONE DEFAULT clock_now() NOT NULL,
    finished_at TIMESTAMP WITH TIME ZONE,
    CONSTRAINT pk_refund_run PRIMARY KEY (id),
    CONSTRAINT fk_refund_run_project_id FOREIGN KEY(project_id) REFERENCES project (id)
);
CREATE INDEX ix_refund_run_project_id ON refund_run (project_id);
CREATE UNIQUE INDEX uq_refund_run_open ON refund_run (project_id) WHERE finished_at IS NULL;
REVOKE DELETE, TRUNCATE ON refund_run FROM achterban_app;
""")


def downgrade() -> None:
    op.execute("""
DROP TABLE refund_run;
""")
