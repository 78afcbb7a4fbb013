"""Links, visits, recruits."""

from alembic import op

revision = "0010_sharing"
down_revision = "0009_backing"


def upgrade() -> None:
    op.execute("""
CREATE TABLE share_link (
    id UUID DEFAULT uuidv7() NOT NULL,
    code TEXT NOT NULL,
    project_id UUID NOT NULL,
    person_id UUID NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT clock_now() NOT NULL,
    CONSTRAINT pk_share_link PRIMARY KEY (id),
    CONSTRAINT uq_share_link_project_id_person_id UNIQUE (project_id, person_id),
    CONSTRAINT uq_share_link_code UNIQUE (code),
    CONSTRAINT fk_share_link_project_id FOREIGN KEY(project_id) REFERENCES project (id),
    CONSTRAINT fk_share_link_person_id FOREIGN KEY(person_id) REFERENCES person (id)
);
CREATE INDEX ix_share_link_person_id ON share_link (person_id);
CREATE TABLE share_visit (
    id BIGINT GENERATED ALWAYS AS IDENTITY,
    link_id UUID NOT NULL,
    project_id UUID NOT NULL,
    visitor BYTEA NOT NULL,
    half_hour TIMESTAMP WITH TIME ZONE NOT NULL,
    at TIMESTAMP WITH TIME ZONE DEFAULT clock_now() NOT NULL,
    CONSTRAINT pk_share_visit PRIMARY KEY (id),
    CONSTRAINT uq_share_visit_link_id_visitor_half_hour UNIQUE (link_id, visitor, half_hour),
    CONSTRAINT fk_share_visit_link_id FOREIGN KEY(link_id) REFERENCES share_link (id)
);
CREATE INDEX ix_share_visit_project_id ON share_visit (project_id);
CREATE TABLE visit_salt (
    day DATE NOT NULL,
    salt BYTEA NOT NULL,
    CONSTRAINT pk_visit_salt PRIMARY KEY (day)
);
CREATE TABLE share_touch (
    person_id UUID NOT NULL,
    project_id UUID NOT NULL,
    link_id UUID NOT NULL,
    at TIMESTAMP WITH TIME ZONE DEFAULT clock_now() NOT NULL,
    CONSTRAINT pk_share_touch PRIMARY KEY (person_id, project_id),
    CONSTRAINT fk_share_touch_person_id FOREIGN KEY(person_id) REFERENCES person (id),
    CONSTRAINT fk_share_touch_project_id FOREIGN KEY(project_id) REFERENCES project (id),
    CONSTRAINT fk_share_touch_link_id FOREIGN KEY(link_id) REFERENCES share_link (id)
);
CREATE TABLE recruit (
    pledge_id UUID NOT NULL,
    project_id UUID NOT NULL,
    link_id UUID NOT NULL,
    recruiter_id UUID NOT NULL,
    backer_id UUID NOT NULL,
    at TIMESTAMP WITH TIME ZONE DEFAULT clock_now() NOT NULL,
    CONSTRAINT pk_recruit PRIMARY KEY (pledge_id),
    CONSTRAINT fk_recruit_pledge_id FOREIGN KEY(pledge_id) REFERENCES pledge (id),
    CONSTRAINT fk_recruit_project_id FOREIGN KEY(project_id) REFERENCES project (id),
    CONSTRAINT fk_recruit_link_id FOREIGN KEY(link_id) REFERENCES share_link (id),
    CONSTRAINT fk_recruit_recruiter_id FOREIGN KEY(recruiter_id) REFERENCES person (id),
    CONSTRAINT fk_recruit_backer_id FOREIGN KEY(backer_id) REFERENCES person (id)
);
CREATE INDEX ix_recruit_link_id ON recruit (link_id);
CREATE INDEX ix_recruit_project_id ON recruit (project_id);
CREATE INDEX ix_recruit_recruiter_id ON recruit (recruiter_id);
""")


def downgrade() -> None:
    op.execute("""
DROP TABLE recruit;
DROP TABLE share_touch;
DROP TABLE visit_salt;
DROP TABLE share_visit;
DROP TABLE share_link;
""")
