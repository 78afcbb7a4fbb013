"""First and last touch of every pledge, and its place in the tree."""

from alembic import op

revision = "0031_attribution"
down_revision = "0030_share_links"


def upgrade() -> None:
    op.execute("""
ALTER TABLE share_link VALIDATE CONSTRAINT ck_share_link_has_n;
ALTER TABLE share_link ALTER COLUMN n SET NOT NULL;
-- The column says the same now.
-- squawk-ignore ban-drop-constraint
ALTER TABLE share_link DROP CONSTRAINT ck_share_link_has_n;
ALTER TABLE share_touch ADD COLUMN first_link_id UUID;
ALTER TABLE share_touch ADD COLUMN first_at TIMESTAMP WITH TIME ZONE;
ALTER TABLE share_touch ADD COLUMN utm JSONB DEFAULT '{}' NOT NULL;
ALTER TABLE share_touch ADD CONSTRAINT fk_share_touch_first_link_id
    FOREIGN KEY (first_link_id) REFERENCES share_link (id) NOT VALID;
CREATE TABLE attribution (
    pledge_id UUID NOT NULL,
    project_id UUID NOT NULL,
    first_link_id UUID,
    first_at TIMESTAMP WITH TIME ZONE,
    last_link_id UUID,
    last_at TIMESTAMP WITH TIME ZONE,
    utm JSONB DEFAULT '{}' NOT NULL,
    refused TEXT,
    at TIMESTAMP WITH TIME ZONE DEFAULT clock_now() NOT NULL,
    CONSTRAINT pk_attribution PRIMARY KEY (pledge_id),
    CONSTRAINT fk_attribution_pledge_id FOREIGN KEY(pledge_id) REFERENCES pledge (id),
    CONSTRAINT fk_attribution_project_id FOREIGN KEY(project_id) REFERENCES project (id),
    CONSTRAINT fk_attribution_first_link_id FOREIGN KEY(first_link_id) REFERENCES share_link (id),
    CONSTRAINT fk_attribution_last_link_id FOREIGN KEY(last_link_id) REFERENCES share_link (id)
);
CREATE INDEX ix_attribution_project_id ON attribution (project_id);
-- Older code meets a NULL only after a newer one has made a tag.
-- squawk-ignore ban-drop-not-null
ALTER TABLE recruit ALTER COLUMN recruiter_id DROP NOT NULL;
ALTER TABLE recruit ADD COLUMN path INTEGER[] DEFAULT '{}' NOT NULL;
ALTER TABLE recruit ADD COLUMN struck_at TIMESTAMP WITH TIME ZONE;
ALTER TABLE recruit ADD COLUMN struck_why TEXT;
ALTER TABLE recruit ADD COLUMN tallied_path INTEGER[] DEFAULT '{}' NOT NULL;
ALTER TABLE recruit ADD COLUMN tallied_state VARCHAR(32);
ALTER TABLE recruit ADD COLUMN tallied_amount BIGINT DEFAULT 0 NOT NULL;
""")


def downgrade() -> None:
    op.execute("""
ALTER TABLE recruit DROP COLUMN tallied_amount;
ALTER TABLE recruit DROP COLUMN tallied_state;
ALTER TABLE recruit DROP COLUMN tallied_path;
ALTER TABLE recruit DROP COLUMN struck_why;
ALTER TABLE recruit DROP COLUMN struck_at;
ALTER TABLE recruit DROP COLUMN path;
DROP TABLE attribution;
ALTER TABLE share_touch DROP COLUMN utm;
ALTER TABLE share_touch DROP COLUMN first_at;
ALTER TABLE share_touch DROP COLUMN first_link_id;
""")
