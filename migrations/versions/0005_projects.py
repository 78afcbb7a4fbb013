"""The pitch and its life."""

from alembic import op

revision = "0005_projects"
down_revision = "0004_people"


def upgrade() -> None:
    op.execute("""
CREATE TABLE project (
    id UUID DEFAULT uuidv7() NOT NULL,
    slug TEXT NOT NULL,
    creator_id UUID NOT NULL,
    state VARCHAR(32) DEFAULT 'draft' NOT NULL,
    title TEXT NOT NULL,
    blurb TEXT DEFAULT '' NOT NULL,
    story TEXT DEFAULT '' NOT NULL,
    category VARCHAR(32),
    place TEXT DEFAULT '' NOT NULL,
    country TEXT DEFAULT 'NL' NOT NULL,
    picture_id UUID,
    picture_alt TEXT DEFAULT '' NOT NULL,
    goal BIGINT,
    currency TEXT DEFAULT 'EUR' NOT NULL,
    deadline TIMESTAMP WITH TIME ZONE,
    zone TEXT DEFAULT 'Europe/Amsterdam' NOT NULL,
    fee_bp INTEGER,
    launched_at TIMESTAMP WITH TIME ZONE,
    closed_at TIMESTAMP WITH TIME ZONE,
    raised_at_close BIGINT,
    backers_at_close BIGINT,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT clock_now() NOT NULL,
    edited_at TIMESTAMP WITH TIME ZONE DEFAULT clock_now() NOT NULL,
    edition INTEGER DEFAULT '1' NOT NULL,
    search TSVECTOR GENERATED ALWAYS AS (setweight(to_tsvector('simple'::regconfig, title), 'A') || setweight(to_tsvector('simple'::regconfig, blurb), 'B') || setweight(to_tsvector('simple'::regconfig, place), 'C') || setweight(to_tsvector('simple'::regconfig, story), 'D')) STORED NOT NULL,
    CONSTRAINT pk_project PRIMARY KEY (id),
    CONSTRAINT ck_project_goal_positive CHECK (goal > 0),
    CONSTRAINT ck_project_title_length CHECK (char_length(title) <= 60),
    CONSTRAINT ck_project_blurb_length CHECK (char_length(blurb) <= 135),
    CONSTRAINT ck_project_complete_when_live CHECK (state NOT IN ('live', 'successful', 'unsuccessful') OR (goal IS NOT NULL AND deadline IS NOT NULL AND launched_at IS NOT NULL AND fee_bp IS NOT NULL)),
    CONSTRAINT uq_project_slug UNIQUE (slug),
    CONSTRAINT fk_project_creator_id FOREIGN KEY(creator_id) REFERENCES person (id),
    CONSTRAINT ck_project_projectstate CHECK (state IN ('draft', 'submitted', 'approved', 'live', 'suspended', 'successful', 'unsuccessful', 'cancelled')),
    CONSTRAINT ck_project_category CHECK (category IN ('music', 'sport', 'journalism', 'city', 'theatre', 'games', 'technology', 'food')),
    CONSTRAINT fk_project_picture_id FOREIGN KEY(picture_id) REFERENCES picture (id)
);
CREATE INDEX ix_project_creator_id ON project (creator_id);
CREATE INDEX ix_project_due ON project (deadline) WHERE state = 'live';
CREATE INDEX ix_project_picture_id ON project (picture_id);
CREATE INDEX ix_project_search ON project USING gin (search);
CREATE TABLE project_move (
    id BIGINT GENERATED ALWAYS AS IDENTITY,
    project_id UUID NOT NULL,
    from_state VARCHAR(32) NOT NULL,
    to_state VARCHAR(32) NOT NULL,
    at TIMESTAMP WITH TIME ZONE DEFAULT clock_now() NOT NULL,
    by_id UUID,
    why TEXT DEFAULT '' NOT NULL,
    CONSTRAINT pk_project_move PRIMARY KEY (id),
    CONSTRAINT fk_project_move_project_id FOREIGN KEY(project_id) REFERENCES project (id),
    CONSTRAINT ck_project_move_projectstate CHECK (to_state IN ('draft', 'submitted', 'approved', 'live', 'suspended', 'successful', 'unsuccessful', 'cancelled')),
    CONSTRAINT fk_project_move_by_id FOREIGN KEY(by_id) REFERENCES person (id)
);
CREATE INDEX ix_project_move_project_id ON project_move (project_id);
CREATE TABLE project_total (
    project_id UUID NOT NULL,
    raised BIGINT DEFAULT '0' NOT NULL,
    backers BIGINT DEFAULT '0' NOT NULL,
    collected BIGINT DEFAULT '0' NOT NULL,
    CONSTRAINT pk_project_total PRIMARY KEY (project_id),
    CONSTRAINT ck_project_total_not_negative CHECK (raised >= 0 AND backers >= 0 AND collected >= 0),
    CONSTRAINT fk_project_total_project_id FOREIGN KEY(project_id) REFERENCES project (id)
);
CREATE TABLE project_member (
    project_id UUID NOT NULL,
    person_id UUID NOT NULL,
    role VARCHAR(32) NOT NULL,
    added_at TIMESTAMP WITH TIME ZONE DEFAULT clock_now() NOT NULL,
    CONSTRAINT pk_project_member PRIMARY KEY (project_id, person_id),
    CONSTRAINT fk_project_member_project_id FOREIGN KEY(project_id) REFERENCES project (id),
    CONSTRAINT fk_project_member_person_id FOREIGN KEY(person_id) REFERENCES person (id),
    CONSTRAINT ck_project_member_memberrole CHECK (role IN ('organiser', 'collaborator'))
);
CREATE INDEX ix_project_member_person_id ON project_member (person_id);
CREATE TABLE project_update (
    id UUID DEFAULT uuidv7() NOT NULL,
    project_id UUID NOT NULL,
    number INTEGER NOT NULL,
    title TEXT NOT NULL,
    body TEXT NOT NULL,
    author_id UUID NOT NULL,
    published_at TIMESTAMP WITH TIME ZONE DEFAULT clock_now() NOT NULL,
    CONSTRAINT pk_project_update PRIMARY KEY (id),
    CONSTRAINT uq_project_update_project_id_number UNIQUE (project_id, number),
    CONSTRAINT fk_project_update_project_id FOREIGN KEY(project_id) REFERENCES project (id),
    CONSTRAINT fk_project_update_author_id FOREIGN KEY(author_id) REFERENCES person (id)
);
CREATE TABLE project_faq (
    id UUID DEFAULT uuidv7() NOT NULL,
    project_id UUID NOT NULL,
    position INTEGER NOT NULL,
    question TEXT NOT NULL,
    answer TEXT NOT NULL,
    CONSTRAINT pk_project_faq PRIMARY KEY (id),
    CONSTRAINT fk_project_faq_project_id FOREIGN KEY(project_id) REFERENCES project (id)
);
CREATE INDEX ix_project_faq_project_id ON project_faq (project_id);
CREATE TABLE story_picture (
    project_id UUID NOT NULL,
    picture_id UUID NOT NULL,
    added_at TIMESTAMP WITH TIME ZONE DEFAULT clock_now() NOT NULL,
    CONSTRAINT pk_story_picture PRIMARY KEY (project_id, picture_id),
    CONSTRAINT fk_story_picture_project_id FOREIGN KEY(project_id) REFERENCES project (id),
    CONSTRAINT fk_story_picture_picture_id FOREIGN KEY(picture_id) REFERENCES picture (id)
);
""")


def downgrade() -> None:
    op.execute("""
DROP TABLE story_picture;
DROP TABLE project_faq;
DROP TABLE project_update;
DROP TABLE project_member;
DROP TABLE project_total;
DROP TABLE project_move;
DROP TABLE project;
""")
