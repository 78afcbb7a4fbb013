"""Why somebody stands behind a project, in their own words."""

from alembic import op

revision = "0033_recommendations"
down_revision = "0032_tallies"


def upgrade() -> None:
    op.execute("""
CREATE TABLE recommendation (
    id UUID DEFAULT uuidv7() NOT NULL,
    project_id UUID NOT NULL,
    person_id UUID NOT NULL,
    pledge_id UUID NOT NULL,
    text TEXT NOT NULL,
    is_shown BOOLEAN DEFAULT false NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT clock_now() NOT NULL,
    changed_at TIMESTAMP WITH TIME ZONE DEFAULT clock_now() NOT NULL,
    changes INTEGER DEFAULT 1 NOT NULL,
    counted_from TIMESTAMP WITH TIME ZONE DEFAULT clock_now() NOT NULL,
    hidden_at TIMESTAMP WITH TIME ZONE,
    hidden_by_id UUID,
    hidden_why TEXT,
    hidden_note TEXT DEFAULT '' NOT NULL,
    CONSTRAINT pk_recommendation PRIMARY KEY (id),
    CONSTRAINT uq_recommendation_project_id_person_id UNIQUE (project_id, person_id),
    CONSTRAINT ck_recommendation_length CHECK (char_length(text) BETWEEN 10 AND 280 OR (text = '' AND NOT is_shown)),
    CONSTRAINT ck_recommendation_has_reason CHECK ((hidden_at IS NULL) = (hidden_why IS NULL)),
    CONSTRAINT fk_recommendation_project_id FOREIGN KEY(project_id) REFERENCES project (id),
    CONSTRAINT fk_recommendation_person_id FOREIGN KEY(person_id) REFERENCES person (id),
    CONSTRAINT fk_recommendation_pledge_id FOREIGN KEY(pledge_id) REFERENCES pledge (id),
    CONSTRAINT fk_recommendation_hidden_by_id FOREIGN KEY(hidden_by_id) REFERENCES person (id)
);
CREATE INDEX ix_recommendation_shown ON recommendation (project_id, created_at DESC)
    WHERE is_shown AND hidden_at IS NULL;
CREATE INDEX ix_recommendation_pledge_id ON recommendation (pledge_id);
CREATE INDEX ix_recommendation_person_id ON recommendation (person_id);
""")


def downgrade() -> None:
    op.execute("""
DROP TABLE recommendation;
""")
