"""Links with a number for the tree, tags of organisers, words instead of codes, what a project decided."""

from alembic import op

revision = "0030_share_links"
down_revision = "0029_bank_proved"


def upgrade() -> None:
    op.execute("""
CREATE SEQUENCE share_link_n AS integer;
ALTER TABLE share_link ADD COLUMN n INTEGER;
ALTER TABLE share_link ALTER COLUMN n SET DEFAULT nextval('share_link_n');
ALTER SEQUENCE share_link_n OWNED BY share_link.n;
UPDATE share_link SET n = nextval('share_link_n');
ALTER TABLE share_link ADD CONSTRAINT ck_share_link_has_n CHECK (n IS NOT NULL) NOT VALID;
ALTER TABLE share_link ADD COLUMN is_named BOOLEAN DEFAULT false NOT NULL;
-- Older code meets a NULL only after a newer one has made a tag.
-- squawk-ignore ban-drop-not-null
ALTER TABLE share_link ALTER COLUMN person_id DROP NOT NULL;
ALTER TABLE share_visit ADD COLUMN is_tallied BOOLEAN DEFAULT false NOT NULL;
CREATE TABLE share_tag (
    link_id UUID NOT NULL,
    project_id UUID NOT NULL,
    name TEXT NOT NULL,
    channel TEXT DEFAULT '' NOT NULL,
    utm JSONB DEFAULT '{}' NOT NULL,
    made_by_id UUID,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT clock_now() NOT NULL,
    archived_at TIMESTAMP WITH TIME ZONE,
    CONSTRAINT pk_share_tag PRIMARY KEY (link_id),
    CONSTRAINT ck_share_tag_name_length CHECK (char_length(name) BETWEEN 1 AND 60 AND char_length(channel) <= 40),
    CONSTRAINT fk_share_tag_link_id FOREIGN KEY(link_id) REFERENCES share_link (id),
    CONSTRAINT fk_share_tag_project_id FOREIGN KEY(project_id) REFERENCES project (id),
    CONSTRAINT fk_share_tag_made_by_id FOREIGN KEY(made_by_id) REFERENCES person (id)
);
CREATE UNIQUE INDEX uq_share_tag_name ON share_tag (project_id, lower(channel), lower(name));
CREATE TABLE share_word (
    word TEXT NOT NULL,
    link_id UUID NOT NULL,
    project_id UUID NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT clock_now() NOT NULL,
    CONSTRAINT pk_share_word PRIMARY KEY (word),
    CONSTRAINT uq_share_word_link_id UNIQUE (link_id),
    CONSTRAINT ck_share_word_shape CHECK (word ~ '^[a-z0-9](-?[a-z0-9]){2,29}$'),
    CONSTRAINT fk_share_word_link_id FOREIGN KEY(link_id) REFERENCES share_link (id)
);
CREATE TABLE share_settings (
    project_id UUID NOT NULL,
    counts TEXT DEFAULT 'last' NOT NULL,
    has_ranking BOOLEAN DEFAULT true NOT NULL,
    CONSTRAINT pk_share_settings PRIMARY KEY (project_id),
    CONSTRAINT ck_share_settings_counts CHECK (counts IN ('first', 'last')),
    CONSTRAINT fk_share_settings_project_id FOREIGN KEY(project_id) REFERENCES project (id)
);
""")


def downgrade() -> None:
    op.execute("""
DROP TABLE share_settings;
DROP TABLE share_word;
DROP TABLE share_tag;
ALTER TABLE share_visit DROP COLUMN is_tallied;
ALTER TABLE share_link DROP COLUMN is_named;
ALTER TABLE share_link DROP COLUMN n;
""")
