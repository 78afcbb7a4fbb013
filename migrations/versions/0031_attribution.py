"""First and last touch of every pledge, and its place in the tree."""

from alembic import op

revision = "0031_attribution"
down_revision = "0030_share_links"


def upgrade() -> None:
    op.execute("""
ALTER TABLE share_link VALIDATE CONSTRAINT ck_share_link_has_n;
ALTER TABLE share_link ALTER COLUMN n SET NOT NULL;
-- The column says the same now.
-- squawk-ignore ban-drop-constraint
ALTER TABLE share_link DROP CONSTRAINT ck_share_link_has_n;
-- Older code meets a NULL only where somebody came by an address with marks and no link.
-- squawk-ignore ban-drop-not-null
ALTER TABLE share_touch ALTER COLUMN link_id DROP NOT NULL;
ALTER TABLE share_touch ADD COLUMN first_link_id UUID;
ALTER TABLE share_touch ADD COLUMN first_at TIMESTAMP WITH TIME ZONE;
ALTER TABLE share_touch ADD COLUMN utm JSONB DEFAULT '{}' NOT NULL;
ALTER TABLE share_touch ADD CONSTRAINT fk_share_touch_first_link_id
    FOREIGN KEY (first_link_id) REFERENCES share_link (id) NOT VALID;
CREATE TABLE attribution (
    pledge_id UUID NOT NULL,
    project_id UUID NOT NULL,
    first_link_id UUID,
    first_at TIMESTAMP WITH TIME ZONE,
    last_link_id UUID,
    last_at TIMESTAMP WITH TIME ZONE,
    utm JSONB DEFAULT '{}' NOT NULL,
    refused TEXT,
    at TIMESTAMP WITH TIME ZONE DEFAULT clock_now() NOT NULL,
    CONSTRAINT pk_attribution PRIMARY KEY (pledge_id),
    CONSTRAINT fk_attribution_pledge_id FOREIGN KEY(pledge_id) REFERENCES pledge (id),
    CONSTRAINT fk_attribution_project_id FOREIGN KEY(project_id) REFERENCES project (id),
    CONSTRAINT fk_attribution_first_link_id FOREIGN KEY(first_link_id) REFERENCES share_link (id),
    CONSTRAINT fk_attribution_last_link_id FOREIGN KEY(last_link_id) REFERENCES share_link (id)
);
CREATE INDEX ix_attribution_project_id ON attribution (project_id);
-- Older code meets a NULL only after a newer one has made a tag.
-- squawk-ignore ban-drop-not-null
ALTER TABLE recruit ALTER COLUMN recruiter_id DROP NOT NULL;
ALTER TABLE recruit ADD COLUMN path INTEGER[] DEFAULT '{}' NOT NULL;
ALTER TABLE recruit ADD COLUMN struck_at TIMESTAMP WITH TIME ZONE;
ALTER TABLE recruit ADD COLUMN struck_why TEXT;
ALTER TABLE recruit ADD COLUMN tallied_path INTEGER[] DEFAULT '{}' NOT NULL;
ALTER TABLE recruit ADD COLUMN tallied_state VARCHAR(32);
ALTER TABLE recruit ADD COLUMN tallied_amount BIGINT DEFAULT 0 NOT NULL;
-- What was tallied is written beside each row again and again: with room on its page, no index hears of it.
ALTER TABLE recruit SET (fillfactor = 60);

-- The link that a code stands for.
CREATE FUNCTION link_of_code(a_code text, a_project uuid) RETURNS uuid LANGUAGE sql STABLE
RETURN (SELECT id FROM share_link WHERE code = a_code AND project_id = a_project);

-- What a browser remembers enters the account: what was left goes first; then the newer touch is the last, the older the
-- first, in whatever order they arrive. A first touch that is too old gives way.
CREATE FUNCTION carry_touches(a_person uuid, memory jsonb, days integer) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    DELETE FROM share_touch t USING jsonb_to_recordset(memory) AS c (project uuid, left_at timestamptz)
     WHERE t.person_id = a_person AND t.project_id = c.project AND t.at <= c.left_at;
    UPDATE share_touch t SET first_link_id = t.link_id, first_at = t.at
      FROM jsonb_to_recordset(memory) AS c (project uuid, left_at timestamptz)
     WHERE t.person_id = a_person AND t.project_id = c.project AND t.first_at <= c.left_at;
    INSERT INTO share_touch AS t (person_id, project_id, link_id, at, first_link_id, first_at, utm)
    SELECT a_person, p.id, coalesce(l.id, f.id), CASE WHEN l.id IS NULL AND f.id IS NOT NULL THEN c.first_at ELSE c.at END,
           coalesce(f.id, l.id), CASE WHEN f.id IS NOT NULL THEN c.first_at WHEN l.id IS NOT NULL THEN c.at END, c.utm
      FROM jsonb_to_recordset(memory) AS c (project uuid, last text, at timestamptz, first text, first_at timestamptz, utm jsonb)
      JOIN project p ON p.id = c.project
      LEFT JOIN share_link l ON l.id = link_of_code(c.last, c.project) AND l.person_id IS DISTINCT FROM a_person
      LEFT JOIN share_link f ON f.id = link_of_code(c.first, c.project) AND f.person_id IS DISTINCT FROM a_person
     WHERE c.at IS NOT NULL AND (l.id IS NOT NULL OR f.id IS NOT NULL OR c.utm <> '{}')
     ORDER BY p.id
    ON CONFLICT (person_id, project_id) DO UPDATE
       SET link_id = CASE WHEN excluded.link_id IS NOT NULL AND (t.link_id IS NULL OR excluded.at > t.at)
                          THEN excluded.link_id ELSE t.link_id END,
           at = CASE WHEN excluded.link_id IS NOT NULL AND t.link_id IS NULL THEN excluded.at
                     WHEN (excluded.link_id IS NULL) = (t.link_id IS NULL) THEN greatest(excluded.at, t.at) ELSE t.at END,
           (first_link_id, first_at) = (SELECT link, moment FROM (VALUES
                (t.first_link_id, t.first_at, t.first_at > clock_now() - make_interval(days => days)),
                (excluded.first_link_id, excluded.first_at, true)) AS v (link, moment, is_fresh)
             WHERE moment IS NOT NULL ORDER BY is_fresh DESC, moment LIMIT 1),
           utm = CASE WHEN excluded.utm <> '{}' AND (excluded.at >= t.at OR t.utm = '{}') THEN excluded.utm ELSE t.utm END;
END $$;

-- By which links somebody stands in this project's tree, from the root to the one that brought her last; none if nobody
-- did, or if that was found unfair.
CREATE FUNCTION path_of(a_project uuid, a_person uuid) RETURNS integer[] LANGUAGE sql STABLE
RETURN coalesce((SELECT CASE WHEN struck_at IS NULL THEN path END FROM recruit
                  WHERE project_id = a_project AND backer_id = a_person ORDER BY at DESC, pledge_id DESC LIMIT 1), '{}');

-- Whoever stands below this link gets a new beginning of the path.
CREATE FUNCTION replant(a_project uuid, a_link uuid, a_n integer, above integer[]) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT FROM recruit WHERE link_id = a_link) THEN
        UPDATE recruit r SET path = c.path FROM (
            SELECT pledge_id, above || path[(array_positions(path, a_n))[cardinality(array_positions(path, a_n))]:] AS path
              FROM recruit WHERE path @> ARRAY[a_n] AND project_id = a_project ORDER BY pledge_id FOR NO KEY UPDATE) c
         WHERE r.pledge_id = c.pledge_id AND r.path <> c.path;
    END IF;
END $$;

-- The two halves of crediting a pledge. The first makes the backer's own link and says by whose links this pledge came:
-- `ref` is the code it came by last, as the form was sent; the account knows when, and which link was the first. The
-- lock, one per project, is held until the end: two who pledge by each other's links come one after the other.
CREATE FUNCTION begin_credit(a_project uuid, a_backer uuid, a_ref text, placed timestamptz, fresh_code text, days integer,
    OUT own_link uuid, OUT own_n integer, OUT first_link uuid, OUT first_moment timestamptz, OUT last_link uuid,
    OUT last_moment timestamptz, OUT marks jsonb, OUT credited uuid, OUT recruiter uuid, OUT above integer[]) LANGUAGE plpgsql AS $$
DECLARE
    known share_touch;
    since timestamptz := placed - make_interval(days => days);
BEGIN
    SELECT id, n INTO own_link, own_n FROM share_link WHERE project_id = a_project AND person_id = a_backer;
    IF own_n IS NULL THEN
        INSERT INTO share_link (code, project_id, person_id) VALUES (fresh_code, a_project, a_backer)
        ON CONFLICT DO NOTHING RETURNING id, n INTO own_link, own_n;
    END IF;
    SELECT * INTO known FROM share_touch WHERE person_id = a_backer AND project_id = a_project;
    marks := CASE WHEN known.at > since THEN known.utm ELSE '{}' END;
    IF a_ref IS NULL THEN
        RETURN;
    END IF;
    last_link := link_of_code(a_ref, a_project);
    IF last_link IS NULL THEN
        RETURN;
    END IF;
    last_moment := CASE WHEN known.link_id = last_link THEN least(known.at, placed) ELSE placed END;
    IF known.first_at BETWEEN since AND last_moment THEN
        first_link := known.first_link_id;
        first_moment := known.first_at;
    ELSE
        first_link := last_link;
        first_moment := last_moment;
    END IF;
    IF marks = '{}' THEN
        SELECT utm INTO marks FROM share_tag WHERE link_id = last_link;
    END IF;
    credited := CASE WHEN (SELECT counts FROM share_settings WHERE project_id = a_project) = 'first' THEN first_link
                     ELSE last_link END;
    PERFORM pg_advisory_xact_lock(hashtextextended(a_project::text, 4));
    SELECT person_id, CASE WHEN person_id IS NULL THEN '{}' ELSE path_of(a_project, person_id) END || n
      INTO recruiter, above FROM share_link WHERE id = credited;
END $$;

-- The second writes it down: both touches always, the credit unless it was refused.
CREATE FUNCTION finish_credit(a_pledge uuid, a_project uuid, a_backer uuid, own_link uuid, own_n integer,
    a_first uuid, first_moment timestamptz, a_last uuid, last_moment timestamptz, marks jsonb, why text,
    credited uuid, recruiter uuid, above integer[]) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO attribution (pledge_id, project_id, first_link_id, first_at, last_link_id, last_at, utm, refused)
    VALUES (a_pledge, a_project, a_first, first_moment, a_last, last_moment, coalesce(marks, '{}'), why)
    ON CONFLICT DO NOTHING;
    IF credited IS NULL OR why IS NOT NULL OR NOT FOUND THEN
        RETURN false;
    END IF;
    INSERT INTO recruit (pledge_id, project_id, link_id, recruiter_id, backer_id, path)
    VALUES (a_pledge, a_project, credited, recruiter, a_backer, above) ON CONFLICT DO NOTHING;
    PERFORM replant(a_project, own_link, own_n, above);
    RETURN true;
END $$;
""")


def downgrade() -> None:
    op.execute("""
DROP FUNCTION finish_credit(uuid, uuid, uuid, uuid, integer, uuid, timestamptz, uuid, timestamptz, jsonb, text, uuid, uuid,
                            integer[]);
DROP FUNCTION begin_credit(uuid, uuid, text, timestamptz, text, integer);
DROP FUNCTION replant(uuid, uuid, integer, integer[]);
DROP FUNCTION path_of(uuid, uuid);
DROP FUNCTION carry_touches(uuid, jsonb, integer);
DROP FUNCTION link_of_code(text, uuid);
ALTER TABLE recruit RESET (fillfactor);
ALTER TABLE recruit DROP COLUMN tallied_amount;
ALTER TABLE recruit DROP COLUMN tallied_state;
ALTER TABLE recruit DROP COLUMN tallied_path;
ALTER TABLE recruit DROP COLUMN struck_why;
ALTER TABLE recruit DROP COLUMN struck_at;
ALTER TABLE recruit DROP COLUMN path;
DROP TABLE attribution;
ALTER TABLE share_touch DROP COLUMN utm;
ALTER TABLE share_touch DROP COLUMN first_at;
ALTER TABLE share_touch DROP COLUMN first_link_id;
""")
