"""Who took which list out of the house."""

from alembic import op

revision = "0011_backers"
down_revision = "0010_sharing"


def upgrade() -> None:
    op.execute("""
CREATE TABLE export_log (
    id UUID DEFAULT uuidv7() NOT NULL,
    project_id UUID NOT NULL,
    person_id UUID,
    format TEXT NOT NULL,
    rows BIGINT,
    started_at TIMESTAMP WITH TIME ZONE DEFAULT clock_now() NOT NULL,
    finished_at TIMESTAMP WITH TIME ZONE,
    CONSTRAINT pk_export_log PRIMARY KEY (id),
    CONSTRAINT fk_export_log_project_id FOREIGN KEY(project_id) REFERENCES project (id),
    CONSTRAINT fk_export_log_person_id FOREIGN KEY(person_id) REFERENCES person (id)
);
CREATE INDEX ix_export_log_project_id ON export_log (project_id);
""")


def downgrade() -> None:
    op.execute("""
DROP TABLE export_log;
""")
