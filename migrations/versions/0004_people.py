"""Accounts."""

from alembic import op

revision = "0004_people"
down_revision = "0003_core"


def upgrade() -> None:
    op.execute("""
CREATE TABLE person (
    id UUID DEFAULT uuidv7() NOT NULL,
    email TEXT NOT NULL,
    name TEXT NOT NULL,
    handle TEXT NOT NULL,
    bio TEXT DEFAULT '' NOT NULL,
    locale TEXT DEFAULT 'en' NOT NULL,
    picture_key TEXT,
    password TEXT,
    fs_uniquifier TEXT NOT NULL,
    active BOOLEAN DEFAULT true NOT NULL,
    is_staff BOOLEAN DEFAULT false NOT NULL,
    confirmed_at TIMESTAMP WITH TIME ZONE,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT clock_now() NOT NULL,
    CONSTRAINT pk_person PRIMARY KEY (id),
    CONSTRAINT ck_person_name_length CHECK (char_length(name) BETWEEN 1 AND 80),
    CONSTRAINT uq_person_fs_uniquifier UNIQUE (fs_uniquifier)
);
CREATE INDEX ix_person_search ON person USING gin (to_tsvector('simple'::regconfig, name));
CREATE UNIQUE INDEX uq_person_email ON person (lower(email));
CREATE UNIQUE INDEX uq_person_handle ON person (lower(handle));
""")


def downgrade() -> None:
    op.execute("""
DROP TABLE person;
""")
