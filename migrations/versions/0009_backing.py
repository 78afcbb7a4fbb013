"""Pledges."""

from alembic import op

revision = "0009_backing"
down_revision = "0008_ledger"


def upgrade() -> None:
    op.execute("""
CREATE TABLE pledge (
    id UUID DEFAULT uuidv7() NOT NULL,
    project_id UUID NOT NULL,
    backer_id UUID NOT NULL,
    reward_id UUID,
    state VARCHAR(32) DEFAULT 'held' NOT NULL,
    number INTEGER,
    amount BIGINT NOT NULL,
    bonus BIGINT DEFAULT '0' NOT NULL,
    currency TEXT NOT NULL,
    version INTEGER DEFAULT '1' NOT NULL,
    token UUID NOT NULL,
    ref TEXT,
    source TEXT DEFAULT 'direct' NOT NULL,
    locale TEXT DEFAULT 'en' NOT NULL,
    placed_at TIMESTAMP WITH TIME ZONE DEFAULT clock_now() NOT NULL,
    held_until TIMESTAMP WITH TIME ZONE,
    pledged_at TIMESTAMP WITH TIME ZONE,
    collected_at TIMESTAMP WITH TIME ZONE,
    cancel_reason TEXT,
    card_id UUID,
    payment_id UUID,
    fix_until TIMESTAMP WITH TIME ZONE,
    reminders INTEGER DEFAULT '0' NOT NULL,
    last_try_at TIMESTAMP WITH TIME ZONE,
    leased_until TIMESTAMP WITH TIME ZONE,
    fence INTEGER DEFAULT '0' NOT NULL,
    CONSTRAINT pk_pledge PRIMARY KEY (id),
    CONSTRAINT ck_pledge_amounts CHECK (amount > 0 AND bonus >= 0),
    CONSTRAINT ck_pledge_held_has_end CHECK (held_until IS NOT NULL OR state <> 'held'),
    CONSTRAINT ck_pledge_standing_has_number CHECK (number IS NOT NULL OR state IN ('held', 'expired', 'cancelled')),
    CONSTRAINT uq_pledge_backer_id_token UNIQUE (backer_id, token),
    CONSTRAINT fk_pledge_project_id FOREIGN KEY(project_id) REFERENCES project (id),
    CONSTRAINT fk_pledge_backer_id FOREIGN KEY(backer_id) REFERENCES person (id),
    CONSTRAINT fk_pledge_reward_id FOREIGN KEY(reward_id) REFERENCES reward (id),
    CONSTRAINT ck_pledge_pledgestate CHECK (state IN ('held', 'pledged', 'collecting', 'collected', 'errored', 'dropped', 'expired', 'cancelled', 'lapsed', 'refunded')),
    CONSTRAINT fk_pledge_card_id FOREIGN KEY(card_id) REFERENCES card_setup (id),
    CONSTRAINT uq_pledge_payment_id UNIQUE (payment_id),
    CONSTRAINT fk_pledge_payment_id FOREIGN KEY(payment_id) REFERENCES payment (id)
);
CREATE INDEX ix_pledge_errored ON pledge (fix_until) WHERE state = 'errored';
CREATE INDEX ix_pledge_held ON pledge (held_until) WHERE state = 'held';
CREATE INDEX ix_pledge_reward_id ON pledge (reward_id);
CREATE INDEX ix_pledge_work ON pledge (project_id, id) WHERE state IN ('pledged', 'collecting');
CREATE UNIQUE INDEX uq_pledge_active ON pledge (project_id, backer_id) WHERE state IN ('held', 'pledged', 'collecting', 'collected', 'errored');
CREATE UNIQUE INDEX uq_pledge_number ON pledge (project_id, number);
CREATE TABLE pledge_move (
    id BIGINT GENERATED ALWAYS AS IDENTITY,
    pledge_id UUID NOT NULL,
    project_id UUID NOT NULL,
    from_state VARCHAR(32),
    to_state VARCHAR(32) NOT NULL,
    at TIMESTAMP WITH TIME ZONE DEFAULT clock_now() NOT NULL,
    by_id UUID,
    why TEXT DEFAULT '' NOT NULL,
    CONSTRAINT pk_pledge_move PRIMARY KEY (id),
    CONSTRAINT fk_pledge_move_pledge_id FOREIGN KEY(pledge_id) REFERENCES pledge (id),
    CONSTRAINT ck_pledge_move_pledgestate CHECK (to_state IN ('held', 'pledged', 'collecting', 'collected', 'errored', 'dropped', 'expired', 'cancelled', 'lapsed', 'refunded'))
);
CREATE INDEX ix_pledge_move_pledge_id ON pledge_move (pledge_id);
CREATE TABLE pledge_line (
    id BIGINT GENERATED ALWAYS AS IDENTITY,
    pledge_id UUID NOT NULL,
    project_id UUID NOT NULL,
    version INTEGER DEFAULT '1' NOT NULL,
    kind VARCHAR(32) NOT NULL,
    reward_id UUID,
    title TEXT NOT NULL,
    quantity INTEGER DEFAULT '1' NOT NULL,
    amount BIGINT NOT NULL,
    CONSTRAINT pk_pledge_line PRIMARY KEY (id),
    CONSTRAINT ck_pledge_line_positive CHECK (amount > 0 AND quantity > 0),
    CONSTRAINT fk_pledge_line_pledge_id FOREIGN KEY(pledge_id) REFERENCES pledge (id),
    CONSTRAINT ck_pledge_line_linekind CHECK (kind IN ('reward', 'add_on', 'shipping', 'bonus')),
    CONSTRAINT fk_pledge_line_reward_id FOREIGN KEY(reward_id) REFERENCES reward (id)
);
CREATE INDEX ix_pledge_line_pledge_id ON pledge_line (pledge_id);
CREATE TABLE pledge_delta (
    id BIGINT GENERATED ALWAYS AS IDENTITY,
    project_id UUID NOT NULL,
    reward_id UUID,
    backers INTEGER NOT NULL,
    raised BIGINT NOT NULL,
    collected BIGINT DEFAULT '0' NOT NULL,
    CONSTRAINT pk_pledge_delta PRIMARY KEY (id)
);
CREATE TABLE backer_counter (
    project_id UUID NOT NULL,
    last INTEGER DEFAULT '0' NOT NULL,
    CONSTRAINT pk_backer_counter PRIMARY KEY (project_id),
    CONSTRAINT fk_backer_counter_project_id FOREIGN KEY(project_id) REFERENCES project (id)
);
CREATE TABLE collection_run (
    project_id UUID NOT NULL,
    state VARCHAR(32) DEFAULT 'running' NOT NULL,
    started_at TIMESTAMP WITH TIME ZONE DEFAULT clock_now() NOT NULL,
    finished_at TIMESTAMP WITH TIME ZONE,
    why TEXT DEFAULT '' NOT NULL,
    CONSTRAINT pk_collection_run PRIMARY KEY (project_id),
    CONSTRAINT fk_collection_run_project_id FOREIGN KEY(project_id) REFERENCES project (id),
    CONSTRAINT ck_collection_run_runstate CHECK (state IN ('running', 'paused', 'done'))
);

CREATE TRIGGER only_added BEFORE UPDATE OR DELETE OR TRUNCATE ON pledge_move
    FOR EACH STATEMENT EXECUTE FUNCTION only_added();
CREATE TRIGGER only_added BEFORE UPDATE OR DELETE OR TRUNCATE ON pledge_line
    FOR EACH STATEMENT EXECUTE FUNCTION only_added();
REVOKE UPDATE, DELETE, TRUNCATE ON pledge_move, pledge_line FROM achterban_app;
""")


def downgrade() -> None:
    op.execute("""
DROP TABLE collection_run;
DROP TABLE backer_counter;
DROP TABLE pledge_delta;
DROP TABLE pledge_line;
DROP TABLE pledge_move;
DROP TABLE pledge;
""")
