"""Who did what, only ever added to."""

from alembic import op

revision = "0012_audit"
down_revision = "0011_backers"


def upgrade() -> None:
    op.execute("""
CREATE TABLE audit_entry (
    id BIGINT GENERATED ALWAYS AS IDENTITY,
    at TIMESTAMP WITH TIME ZONE DEFAULT clock_now() NOT NULL,
    by_id UUID,
    action TEXT NOT NULL,
    object_kind TEXT NOT NULL,
    object_id TEXT NOT NULL,
    project_id UUID,
    facts JSONB DEFAULT '{}' NOT NULL,
    CONSTRAINT pk_audit_entry PRIMARY KEY (id)
);
CREATE INDEX ix_audit_entry_object ON audit_entry (object_kind, object_id);
CREATE INDEX ix_audit_entry_project_id ON audit_entry (project_id);
CREATE TRIGGER only_added BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_entry
    FOR EACH STATEMENT EXECUTE FUNCTION only_added();
REVOKE UPDATE, DELETE, TRUNCATE ON audit_entry FROM achterban_app;
""")


def downgrade() -> None:
    op.execute("""
DROP TABLE audit_entry;
""")
