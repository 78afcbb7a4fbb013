"""When a payout goes on: of each project, and of each transfer and reversal."""

from alembic import op

revision = "0023_payout_runs"
down_revision = "0022_refund_everyone"


def upgrade() -> None:
    op.execute("""
CREATE TABLE payout_run (
    project_id UUID NOT NULL,
    next_at TIMESTAMP WITH TIME ZONE DEFAULT clock_now() NOT NULL,
    run_at TIMESTAMP WITH TIME ZONE,
    why TEXT DEFAULT '' NOT NULL,
    CONSTRAINT pk_payout_run PRIMARY KEY (project_id),
    CONSTRAINT fk_payout_run_project_id FOREIGN KEY(project_id) REFERENCES project (id)
);
ALTER TABLE transfer ADD COLUMN sent_at TIMESTAMP WITH TIME ZONE;
ALTER TABLE transfer ADD COLUMN next_at TIMESTAMP WITH TIME ZONE;
ALTER TABLE transfer_reversal ADD COLUMN sent_at TIMESTAMP WITH TIME ZONE;
ALTER TABLE transfer_reversal ADD COLUMN next_at TIMESTAMP WITH TIME ZONE;
""")


def downgrade() -> None:
    op.execute("""
ALTER TABLE transfer_reversal DROP COLUMN next_at;
ALTER TABLE transfer_reversal DROP COLUMN sent_at;
ALTER TABLE transfer DROP COLUMN next_at;
ALTER TABLE transfer DROP COLUMN sent_at;
DROP TABLE payout_run;
""")
