"""What links brought, kept as counters that are rolled up about once a second from what changed."""

from alembic import op

revision = "0032_tallies"
down_revision = "0031_attribution"


def upgrade() -> None:
    op.execute("""
ALTER TABLE share_touch VALIDATE CONSTRAINT fk_share_touch_first_link_id;
CREATE TABLE share_due (
    id BIGINT GENERATED ALWAYS AS IDENTITY,
    pledge_id UUID NOT NULL,
    project_id UUID NOT NULL,
    CONSTRAINT pk_share_due PRIMARY KEY (id)
);
CREATE TABLE link_tally (
    link_id UUID NOT NULL,
    project_id UUID NOT NULL,
    n INTEGER NOT NULL,
    is_person BOOLEAN NOT NULL,
    visits BIGINT DEFAULT 0 NOT NULL,
    recruits BIGINT DEFAULT 0 NOT NULL,
    pledged BIGINT DEFAULT 0 NOT NULL,
    collected BIGINT DEFAULT 0 NOT NULL,
    dropped BIGINT DEFAULT 0 NOT NULL,
    refunded BIGINT DEFAULT 0 NOT NULL,
    further_recruits BIGINT DEFAULT 0 NOT NULL,
    further_pledged BIGINT DEFAULT 0 NOT NULL,
    further_collected BIGINT DEFAULT 0 NOT NULL,
    reached_at TIMESTAMP WITH TIME ZONE DEFAULT clock_now() NOT NULL,
    CONSTRAINT pk_link_tally PRIMARY KEY (link_id),
    CONSTRAINT uq_link_tally_n UNIQUE (n),
    CONSTRAINT ck_link_tally_not_negative CHECK (visits >= 0 AND recruits >= 0 AND pledged >= 0 AND collected >= 0
        AND dropped >= 0 AND refunded >= 0 AND further_recruits >= 0 AND further_pledged >= 0 AND further_collected >= 0),
    CONSTRAINT fk_link_tally_link_id FOREIGN KEY(link_id) REFERENCES share_link (id),
    CONSTRAINT fk_link_tally_project_id FOREIGN KEY(project_id) REFERENCES project (id)
);
CREATE INDEX ix_link_tally_ranking ON link_tally
    (project_id, is_person, recruits DESC, (pledged + collected) DESC, reached_at, link_id);
CREATE TABLE week_tally (
    project_id UUID NOT NULL,
    week DATE NOT NULL,
    link_id UUID NOT NULL,
    recruits BIGINT DEFAULT 0 NOT NULL,
    amount BIGINT DEFAULT 0 NOT NULL,
    reached_at TIMESTAMP WITH TIME ZONE DEFAULT clock_now() NOT NULL,
    CONSTRAINT pk_week_tally PRIMARY KEY (project_id, week, link_id),
    CONSTRAINT ck_week_tally_not_negative CHECK (recruits >= 0 AND amount >= 0),
    CONSTRAINT fk_week_tally_link_id FOREIGN KEY(link_id) REFERENCES share_link (id)
);
CREATE INDEX ix_week_tally_ranking ON week_tally
    (project_id, week, recruits DESC, amount DESC, reached_at, link_id);
CREATE TABLE day_tally (
    project_id UUID NOT NULL,
    day DATE NOT NULL,
    generation INTEGER NOT NULL,
    visits BIGINT DEFAULT 0 NOT NULL,
    recruits BIGINT DEFAULT 0 NOT NULL,
    pledged BIGINT DEFAULT 0 NOT NULL,
    collected BIGINT DEFAULT 0 NOT NULL,
    dropped BIGINT DEFAULT 0 NOT NULL,
    refunded BIGINT DEFAULT 0 NOT NULL,
    CONSTRAINT pk_day_tally PRIMARY KEY (project_id, day, generation),
    CONSTRAINT ck_day_tally_not_negative CHECK (visits >= 0 AND recruits >= 0 AND pledged >= 0 AND collected >= 0
        AND dropped >= 0 AND refunded >= 0),
    CONSTRAINT fk_day_tally_project_id FOREIGN KEY(project_id) REFERENCES project (id)
);

-- Whatever moves a pledge, by whatever way, is noticed here: no code path can forget it.
CREATE FUNCTION note_share_due() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO share_due (pledge_id, project_id)
    SELECT r.pledge_id, r.project_id FROM new_rows n JOIN old_rows o USING (id) JOIN recruit r ON r.pledge_id = n.id
     WHERE (n.state, n.amount, n.project_id) IS DISTINCT FROM (o.state, o.amount, o.project_id);
    RETURN NULL;
END $$;
CREATE TRIGGER note_share_due AFTER UPDATE ON pledge
    REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION note_share_due();
CREATE FUNCTION note_recruit_due() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO share_due (pledge_id, project_id) SELECT pledge_id, project_id FROM new_rows;
    RETURN NULL;
END $$;
CREATE TRIGGER note_recruit_due AFTER INSERT ON recruit
    REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION note_recruit_due();
CREATE FUNCTION note_recruit_moved() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO share_due (pledge_id, project_id)
    SELECT n.pledge_id, n.project_id FROM new_rows n JOIN old_rows o USING (pledge_id)
     WHERE n.path <> o.path OR (n.struck_at IS NULL) <> (o.struck_at IS NULL);
    RETURN NULL;
END $$;
CREATE TRIGGER note_recruit_moved AFTER UPDATE ON recruit
    REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION note_recruit_moved();
""")
    with op.get_context().autocommit_block():
        op.execute("SET statement_timeout = 0")
        op.execute("CREATE UNIQUE INDEX CONCURRENTLY IF NOT EXISTS uq_share_link_n ON share_link (n)")
        op.execute("CREATE INDEX CONCURRENTLY IF NOT EXISTS ix_share_visit_due ON share_visit (id) WHERE NOT is_tallied")
        op.execute("CREATE INDEX CONCURRENTLY IF NOT EXISTS ix_recruit_path ON recruit USING gin (path)")
        op.execute("SET statement_timeout = '5s'")


def downgrade() -> None:
    op.execute("""
DROP INDEX ix_recruit_path;
DROP INDEX ix_share_visit_due;
DROP INDEX uq_share_link_n;
DROP TRIGGER note_recruit_moved ON recruit;
DROP TRIGGER note_recruit_due ON recruit;
DROP TRIGGER note_share_due ON pledge;
DROP FUNCTION note_recruit_moved();
DROP FUNCTION note_recruit_due();
DROP FUNCTION note_share_due();
DROP TABLE day_tally;
DROP TABLE week_tally;
DROP TABLE link_tally;
DROP TABLE share_due;
""")
