"""Outbox, pictures, sessions, page versions, rate buckets."""

from alembic import op

revision = "0003_core"
down_revision = "0002_jobs"


def upgrade() -> None:
    op.execute("""
CREATE TABLE mail (
    id UUID DEFAULT uuidv7() NOT NULL,
    name TEXT NOT NULL,
    about JSONB NOT NULL,
    dedupe TEXT NOT NULL,
    state VARCHAR(32) DEFAULT 'queued' NOT NULL,
    attempts INTEGER DEFAULT '0' NOT NULL,
    due_at TIMESTAMP WITH TIME ZONE DEFAULT clock_now() NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT clock_now() NOT NULL,
    sent_at TIMESTAMP WITH TIME ZONE,
    recipient TEXT,
    subject TEXT,
    text TEXT,
    html TEXT,
    CONSTRAINT pk_mail PRIMARY KEY (id),
    CONSTRAINT uq_mail_dedupe UNIQUE (dedupe),
    CONSTRAINT ck_mail_mailstate CHECK (state IN ('queued', 'sending', 'sent', 'failed', 'dropped'))
);
CREATE INDEX ix_mail_due ON mail (due_at) WHERE state IN ('queued', 'sending');
CREATE TABLE picture (
    id UUID DEFAULT uuidv7() NOT NULL,
    key TEXT NOT NULL,
    width INTEGER NOT NULL,
    height INTEGER NOT NULL,
    uploaded_by UUID,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT clock_now() NOT NULL,
    CONSTRAINT pk_picture PRIMARY KEY (id)
);
CREATE INDEX ix_picture_key ON picture (key);
CREATE TABLE web_session (
    id_hash BYTEA NOT NULL,
    person_id UUID,
    content TEXT NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT clock_now() NOT NULL,
    seen_at TIMESTAMP WITH TIME ZONE DEFAULT clock_now() NOT NULL,
    authenticated_at TIMESTAMP WITH TIME ZONE,
    CONSTRAINT pk_web_session PRIMARY KEY (id_hash)
);
CREATE INDEX ix_web_session_person_id ON web_session (person_id);
CREATE INDEX ix_web_session_seen_at ON web_session (seen_at);
CREATE TABLE page_version (
    topic TEXT NOT NULL,
    version BIGINT DEFAULT '1' NOT NULL,
    CONSTRAINT pk_page_version PRIMARY KEY (topic)
);
CREATE TABLE rate_bucket (
    name TEXT NOT NULL,
    free_at TIMESTAMP WITH TIME ZONE NOT NULL,
    CONSTRAINT pk_rate_bucket PRIMARY KEY (name)
);
""")


def downgrade() -> None:
    op.execute("""
DROP TABLE rate_bucket;
DROP TABLE page_version;
DROP TABLE web_session;
DROP TABLE picture;
DROP TABLE mail;
""")
