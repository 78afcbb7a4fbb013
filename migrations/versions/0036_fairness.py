"""Devices, flags and bans, so that what counts is earned."""

from alembic import op

revision = "0036_fairness"
down_revision = "0035_ambassadors"


def upgrade() -> None:
    op.execute("""
CREATE TABLE person_device (
    person_id UUID NOT NULL,
    device BYTEA NOT NULL,
    first_day DATE NOT NULL,
    last_day DATE NOT NULL,
    CONSTRAINT pk_person_device PRIMARY KEY (person_id, device),
    CONSTRAINT fk_person_device_person_id FOREIGN KEY(person_id) REFERENCES person (id)
);
CREATE TABLE person_network (
    person_id UUID NOT NULL,
    day DATE NOT NULL,
    network BYTEA NOT NULL,
    CONSTRAINT pk_person_network PRIMARY KEY (person_id, day, network),
    CONSTRAINT fk_person_network_person_id FOREIGN KEY(person_id) REFERENCES person (id)
);
CREATE TABLE share_watch (
    link_id UUID NOT NULL,
    has_money_back BOOLEAN DEFAULT false NOT NULL,
    at TIMESTAMP WITH TIME ZONE DEFAULT clock_now() NOT NULL,
    CONSTRAINT pk_share_watch PRIMARY KEY (link_id),
    CONSTRAINT fk_share_watch_link_id FOREIGN KEY(link_id) REFERENCES share_link (id)
);
CREATE TABLE share_flag (
    id UUID DEFAULT uuidv7() NOT NULL,
    project_id UUID NOT NULL,
    link_id UUID NOT NULL,
    rule TEXT NOT NULL,
    subject TEXT DEFAULT '' NOT NULL,
    severity TEXT NOT NULL,
    facts JSONB DEFAULT '{}' NOT NULL,
    opened_at TIMESTAMP WITH TIME ZONE DEFAULT clock_now() NOT NULL,
    decision TEXT,
    decided_at TIMESTAMP WITH TIME ZONE,
    decided_by_id UUID,
    reason TEXT DEFAULT '' NOT NULL,
    decisions INTEGER DEFAULT '0' NOT NULL,
    appealed_at TIMESTAMP WITH TIME ZONE,
    appeal TEXT DEFAULT '' NOT NULL,
    answered_at TIMESTAMP WITH TIME ZONE,
    CONSTRAINT pk_share_flag PRIMARY KEY (id),
    CONSTRAINT ck_share_flag_severity CHECK (severity IN ('low', 'medium', 'high')),
    CONSTRAINT ck_share_flag_decision CHECK (decision IN ('credit', 'strike')),
    CONSTRAINT ck_share_flag_decided_whole CHECK ((decision IS NULL) = (decided_at IS NULL)),
    CONSTRAINT fk_share_flag_project_id FOREIGN KEY(project_id) REFERENCES project (id),
    CONSTRAINT fk_share_flag_link_id FOREIGN KEY(link_id) REFERENCES share_link (id)
);
CREATE UNIQUE INDEX uq_share_flag_open ON share_flag (link_id, rule, subject) WHERE decision IS NULL;
CREATE INDEX ix_share_flag_project ON share_flag (project_id, opened_at);
CREATE INDEX ix_share_flag_appeal ON share_flag (appealed_at) WHERE appealed_at IS NOT NULL AND answered_at IS NULL;
CREATE TABLE flagged_pledge (
    flag_id UUID NOT NULL,
    pledge_id UUID NOT NULL,
    project_id UUID NOT NULL,
    CONSTRAINT pk_flagged_pledge PRIMARY KEY (flag_id, pledge_id),
    CONSTRAINT fk_flagged_pledge_flag_id FOREIGN KEY(flag_id) REFERENCES share_flag (id),
    CONSTRAINT fk_flagged_pledge_pledge_id FOREIGN KEY(pledge_id) REFERENCES pledge (id)
);
CREATE INDEX ix_flagged_pledge_pledge_id ON flagged_pledge (pledge_id);
CREATE TABLE share_ban (
    id UUID DEFAULT uuidv7() NOT NULL,
    person_id UUID NOT NULL,
    project_id UUID,
    reason TEXT NOT NULL,
    until TIMESTAMP WITH TIME ZONE,
    has_struck BOOLEAN DEFAULT false NOT NULL,
    by_id UUID,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT clock_now() NOT NULL,
    lifted_at TIMESTAMP WITH TIME ZONE,
    lifted_by_id UUID,
    CONSTRAINT pk_share_ban PRIMARY KEY (id),
    CONSTRAINT fk_share_ban_person_id FOREIGN KEY(person_id) REFERENCES person (id),
    CONSTRAINT fk_share_ban_project_id FOREIGN KEY(project_id) REFERENCES project (id)
);
CREATE UNIQUE INDEX uq_share_ban_on ON share_ban (person_id, coalesce(project_id, person_id)) WHERE lifted_at IS NULL;
CREATE INDEX ix_share_ban_project ON share_ban (project_id);
""")
    with op.get_context().autocommit_block():
        op.execute("SET statement_timeout = 0")
        op.execute("CREATE INDEX CONCURRENTLY IF NOT EXISTS ix_card_setup_card_fingerprint ON card_setup (card_fingerprint)")
        op.execute("CREATE INDEX CONCURRENTLY IF NOT EXISTS ix_recruit_link_id_at ON recruit (link_id, at)")
        op.execute("SET statement_timeout = '5s'")


def downgrade() -> None:
    op.execute("""
DROP INDEX ix_recruit_link_id_at;
DROP INDEX ix_card_setup_card_fingerprint;
DROP TABLE share_ban;
DROP TABLE flagged_pledge;
DROP TABLE share_flag;
DROP TABLE share_watch;
DROP TABLE person_network;
DROP TABLE person_device;
""")
