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
-- Set against set, then by index: the plan of a trigger's first call is kept, and the next one may bring a hundred thousand.
CREATE FUNCTION note_share_due() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO share_due (pledge_id, project_id)
    SELECT r.pledge_id, r.project_id
      FROM (SELECT id, state, amount, project_id FROM new_rows EXCEPT SELECT id, state, amount, project_id FROM old_rows) n,
           LATERAL (SELECT pledge_id, project_id FROM recruit WHERE pledge_id = n.id OFFSET 0) r;
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
-- A credit that is struck takes its backer out from under her recruiter, with all whom she brought; and back again.
CREATE FUNCTION note_recruit_moved() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    one record;
BEGIN
    INSERT INTO share_due (pledge_id, project_id)
    SELECT pledge_id, project_id
      FROM (SELECT pledge_id, project_id, path, struck_at IS NULL FROM new_rows
            EXCEPT SELECT pledge_id, project_id, path, struck_at IS NULL FROM old_rows) n;
    FOR one IN SELECT DISTINCT l.project_id, l.person_id, l.id, l.n
                 FROM (SELECT pledge_id, project_id, backer_id FROM new_rows WHERE struck_at IS NULL
                       EXCEPT SELECT pledge_id, project_id, backer_id FROM old_rows WHERE struck_at IS NULL
                       UNION
                       (SELECT pledge_id, project_id, backer_id FROM new_rows WHERE struck_at IS NOT NULL
                       EXCEPT SELECT pledge_id, project_id, backer_id FROM old_rows WHERE struck_at IS NOT NULL)) n,
                      LATERAL (SELECT * FROM share_link WHERE project_id = n.project_id AND person_id = n.backer_id OFFSET 0) l
                ORDER BY l.project_id, l.n LOOP
        PERFORM pg_advisory_xact_lock(hashtextextended(one.project_id::text, 4));
        PERFORM replant(one.project_id, one.id, one.n, path_of(one.project_id, one.person_id));
    END LOOP;
    RETURN NULL;
END $$;
-- Somebody may have come to stand above her recruiter while it was struck: then it stays struck.
CREATE FUNCTION keep_loops_out() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF (SELECT n FROM share_link WHERE project_id = NEW.project_id AND person_id = NEW.backer_id) = ANY (NEW.path) THEN
        NEW.struck_at := OLD.struck_at;
        NEW.struck_why := 'loop';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER keep_loops_out BEFORE UPDATE OF struck_at ON recruit FOR EACH ROW
    WHEN (OLD.struck_at IS NOT NULL AND NEW.struck_at IS NULL) EXECUTE FUNCTION keep_loops_out();
CREATE TRIGGER note_recruit_moved AFTER UPDATE ON recruit
    REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION note_recruit_moved();

-- Whom this credit's backer stands under, it says itself: it is her newest one in the project, and not struck. By index,
-- whatever the planner thinks of a table that has just grown.
CREATE VIEW recruit_standing AS
SELECT r.project_id, r.backer_id, r.recruiter_id, r.link_id FROM recruit r
 WHERE r.struck_at IS NULL
   AND r.pledge_id = (SELECT o.pledge_id FROM recruit o WHERE o.backer_id = r.backer_id AND o.project_id = r.project_id
                       ORDER BY o.at DESC, o.pledge_id DESC LIMIT 1);
-- Every path of a project as it must be, from who brought whom alone: each credit is looked at once, by index.
CREATE FUNCTION true_paths(a_project uuid) RETURNS TABLE (pledge_id uuid, path integer[]) LANGUAGE sql STABLE
SET work_mem = '64MB' AS $$
    WITH RECURSIVE above (person_id, path) AS (
        SELECT s.backer_id, ARRAY[l.n] FROM recruit_standing s JOIN share_link l ON l.id = s.link_id
         WHERE s.project_id = a_project
           AND (SELECT u.struck_at IS NULL FROM recruit u WHERE u.project_id = a_project AND u.backer_id = s.recruiter_id
                 ORDER BY u.at DESC, u.pledge_id DESC LIMIT 1) IS NOT TRUE
        UNION ALL
        SELECT b.backer_id, a.path || b.n FROM above a, LATERAL (
               SELECT s.backer_id, l.n FROM recruit_standing s JOIN share_link l ON l.id = s.link_id
                WHERE s.recruiter_id = a.person_id AND s.project_id = a_project OFFSET 0) b)
    SELECT r.pledge_id, coalesce(a.path, '{}') || l.n FROM recruit r JOIN share_link l ON l.id = r.link_id
      LEFT JOIN above a ON a.person_id = r.recruiter_id WHERE r.project_id = a_project
$$;
UPDATE recruit r SET path = t.path FROM (SELECT DISTINCT project_id FROM recruit) p, true_paths(p.project_id) t
 WHERE r.pledge_id = t.pledge_id;
""")
    with op.get_context().autocommit_block():
        op.execute("SET statement_timeout = 0")
        op.execute("CREATE UNIQUE INDEX CONCURRENTLY IF NOT EXISTS uq_share_link_n ON share_link (n)")
        op.execute("CREATE INDEX CONCURRENTLY IF NOT EXISTS ix_share_visit_due ON share_visit (id) WHERE NOT is_tallied")
        op.execute("CREATE INDEX CONCURRENTLY IF NOT EXISTS ix_recruit_path ON recruit USING gin (path) "
                   "WITH (fastupdate = off)")  # a waiting list would be read through by every search
        op.execute("CREATE INDEX CONCURRENTLY IF NOT EXISTS ix_recruit_backer_id ON recruit (backer_id, project_id)")
        op.execute("SET statement_timeout = '5s'")


def downgrade() -> None:
    op.execute("""
DROP INDEX ix_recruit_backer_id;
DROP INDEX ix_recruit_path;
DROP INDEX ix_share_visit_due;
DROP INDEX uq_share_link_n;
DROP FUNCTION true_paths(uuid);
DROP VIEW recruit_standing;
DROP TRIGGER keep_loops_out ON recruit;
DROP FUNCTION keep_loops_out();
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
