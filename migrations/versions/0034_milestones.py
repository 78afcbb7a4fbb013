"""Steps that friends unlock, and what was granted for them."""

from alembic import op

revision = "0034_milestones"
down_revision = "0033_recommendations"

# place_pledge as 0021 made it; only a reward for pledges may be chosen.
PLACE = """
CREATE OR REPLACE FUNCTION place_pledge(
    a_project uuid, a_backer uuid, a_reward uuid, a_price bigint, a_bonus bigint, a_currency text, a_token uuid,
    a_ref text, a_source text, a_locale text, a_minutes integer, a_most_holds integer, is_replacing boolean,
    OUT outcome text, OUT pledge_id uuid, OUT held_until timestamptz,
    OUT form_id uuid, OUT form_url text, OUT form_at timestamptz, OUT customer_id text)
LANGUAGE plpgsql AS $$
DECLARE
    v_title text; v_limited uuid; v_freed uuid; v_cancelled uuid; v_now timestamptz;
BEGIN
    PERFORM pg_advisory_xact_lock_shared(hashtextextended(a_project::text, 0));
    -- Nobody closes the project now. Whatever the choice was judged by must still be so; else it is judged anew.
    SELECT r.title, CASE WHEN r.quantity IS NOT NULL THEN r.id END, clock_now() INTO v_title, v_limited, v_now
      FROM project p LEFT JOIN reward r ON r.id = a_reward AND r.project_id = p.id {only_tiers}
     WHERE p.id = a_project AND p.state = 'live' AND p.deadline > clock_now() AND p.currency = a_currency
       AND r.id IS NOT DISTINCT FROM a_reward AND coalesce(r.price, 0) = a_price
       AND (SELECT count(*) FROM pledge h WHERE h.backer_id = a_backer AND h.state = 'held'
               AND h.project_id <> a_project) < a_most_holds;
    IF NOT FOUND THEN
        outcome := 'changed';
        RETURN;
    END IF;

    -- The backer's own hold gives way; if the new one fails, it stays (C-07).
    IF is_replacing THEN
        UPDATE pledge g SET state = 'cancelled', cancel_reason = 'replaced'
         WHERE g.project_id = a_project AND g.backer_id = a_backer AND g.state = 'held'
        RETURNING g.id, g.reward_id INTO v_cancelled, v_freed;
        INSERT INTO pledge_move (pledge_id, project_id, from_state, to_state, by_id, why)
        SELECT v_cancelled, a_project, 'held', 'cancelled', a_backer, 'replaced by a new choice'
         WHERE v_cancelled IS NOT NULL;
    END IF;

    INSERT INTO pledge (project_id, backer_id, reward_id, amount, bonus, currency, token, ref, source, locale, placed_at,
                        held_until)
    VALUES (a_project, a_backer, a_reward, a_price + a_bonus, a_bonus, a_currency, a_token, a_ref, a_source, a_locale, v_now,
            v_now + make_interval(mins => a_minutes))
    ON CONFLICT (backer_id, token) DO NOTHING
    RETURNING pledge.id, pledge.held_until INTO pledge_id, held_until;
    IF pledge_id IS NULL AND v_cancelled IS NOT NULL THEN
        RAISE unique_violation USING MESSAGE = 'uq_pledge_active: the same form, beside another choice';
    ELSIF pledge_id IS NULL THEN
        outcome := 'repeated';
        RETURN;
    END IF;
    outcome := 'placed';
    INSERT INTO pledge_line (pledge_id, project_id, kind, reward_id, title, amount)
    SELECT place_pledge.pledge_id, a_project, line.kind, line.reward_id, line.title, line.amount
      FROM (VALUES ('reward', a_reward, v_title, a_price), ('bonus', NULL, '', a_bonus))
        AS line(kind, reward_id, title, amount)
     WHERE line.amount > 0;
    INSERT INTO pledge_move (pledge_id, project_id, to_state, at, by_id)
    VALUES (place_pledge.pledge_id, a_project, 'held', v_now, a_backer);
    SELECT f.form_id, f.form_url, f.form_at, f.customer_id INTO form_id, form_url, form_at, customer_id
      FROM open_card_form(place_pledge.pledge_id, a_project, a_backer, a_currency) f;

    -- The stock, in the order of the rewards' ids, so that two who swap crosswise never wait in a ring (C-10).
    IF v_freed IS NOT NULL AND (v_limited IS NULL OR v_freed < v_limited) THEN
        UPDATE reward SET claimed = claimed - 1 WHERE id = v_freed AND quantity IS NOT NULL;
    END IF;
    IF v_limited IS NOT NULL AND v_limited IS DISTINCT FROM v_freed THEN
        UPDATE reward SET claimed = claimed + 1 WHERE id = v_limited AND claimed < quantity;
        IF NOT FOUND THEN
            RAISE no_data_found USING MESSAGE = 'sold out';
        END IF;
    END IF;
    IF v_freed > v_limited THEN
        UPDATE reward SET claimed = claimed - 1 WHERE id = v_freed AND quantity IS NOT NULL;
    END IF;
END $$;
"""


def upgrade() -> None:
    op.execute("""
ALTER TABLE reward ADD COLUMN kind VARCHAR(32) DEFAULT 'pledge' NOT NULL;
ALTER TABLE reward ADD CONSTRAINT ck_reward_rewardkind CHECK (kind IN ('pledge', 'milestone')) NOT VALID;
ALTER TABLE reward ADD CONSTRAINT ck_reward_price_of_kind
    CHECK (price > 0 AND kind = 'pledge' OR price = 0 AND kind = 'milestone') NOT VALID;
-- The constraint above says more.
-- squawk-ignore ban-drop-constraint
ALTER TABLE reward DROP CONSTRAINT ck_reward_price_positive;
CREATE TABLE milestone (
    id UUID DEFAULT uuidv7() NOT NULL,
    project_id UUID NOT NULL,
    reward_id UUID NOT NULL,
    friends INTEGER NOT NULL,
    closed_at TIMESTAMP WITH TIME ZONE,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT clock_now() NOT NULL,
    CONSTRAINT pk_milestone PRIMARY KEY (id),
    CONSTRAINT uq_milestone_project_id_friends UNIQUE (project_id, friends),
    CONSTRAINT uq_milestone_reward_id UNIQUE (reward_id),
    CONSTRAINT ck_milestone_friends CHECK (friends BETWEEN 1 AND 10000),
    CONSTRAINT fk_milestone_project_id FOREIGN KEY(project_id) REFERENCES project (id),
    CONSTRAINT fk_milestone_reward_id FOREIGN KEY(reward_id) REFERENCES reward (id)
);
CREATE TABLE milestone_grant (
    id UUID DEFAULT uuidv7() NOT NULL,
    milestone_id UUID NOT NULL,
    link_id UUID NOT NULL,
    project_id UUID NOT NULL,
    state VARCHAR(32) DEFAULT 'waiting' NOT NULL,
    reached_at TIMESTAMP WITH TIME ZONE NOT NULL,
    complete_at TIMESTAMP WITH TIME ZONE,
    why TEXT,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT clock_now() NOT NULL,
    CONSTRAINT pk_milestone_grant PRIMARY KEY (id),
    CONSTRAINT uq_milestone_grant_milestone_id_link_id UNIQUE (milestone_id, link_id),
    CONSTRAINT ck_milestone_grant_grantstate CHECK (state IN ('waiting', 'pending', 'earned', 'lost', 'taken_back')),
    CONSTRAINT ck_milestone_grant_why CHECK (why IN ('own', 'dispute', 'refund', 'struck', 'left', 'project')),
    CONSTRAINT fk_milestone_grant_milestone_id FOREIGN KEY(milestone_id) REFERENCES milestone (id),
    CONSTRAINT fk_milestone_grant_link_id FOREIGN KEY(link_id) REFERENCES share_link (id)
);
CREATE INDEX ix_milestone_grant_link_id ON milestone_grant (link_id);
CREATE INDEX ix_milestone_grant_project_id_state ON milestone_grant (project_id, state);
CREATE INDEX ix_milestone_grant_line ON milestone_grant (milestone_id, reached_at) WHERE state = 'waiting';
CREATE INDEX ix_milestone_grant_ripe ON milestone_grant (complete_at) WHERE state = 'pending' AND complete_at IS NOT NULL;
CREATE TABLE milestone_grant_move (
    id BIGINT GENERATED ALWAYS AS IDENTITY,
    grant_id UUID NOT NULL,
    project_id UUID NOT NULL,
    from_state VARCHAR(32),
    to_state VARCHAR(32) NOT NULL,
    at TIMESTAMP WITH TIME ZONE DEFAULT clock_now() NOT NULL,
    by_id UUID,
    why TEXT DEFAULT '' NOT NULL,
    CONSTRAINT pk_milestone_grant_move PRIMARY KEY (id),
    CONSTRAINT ck_milestone_grant_move_grantstate
        CHECK (to_state IN ('waiting', 'pending', 'earned', 'lost', 'taken_back')),
    CONSTRAINT fk_milestone_grant_move_grant_id FOREIGN KEY(grant_id) REFERENCES milestone_grant (id)
);
CREATE INDEX ix_milestone_grant_move_grant_id ON milestone_grant_move (grant_id);
CREATE TABLE milestone_due (
    id BIGINT GENERATED ALWAYS AS IDENTITY,
    link_id UUID NOT NULL,
    CONSTRAINT pk_milestone_due PRIMARY KEY (id)
);

-- A step is delivered to a backer: when her own pledge begins or ceases to stand, what she reached is looked at again.
CREATE FUNCTION note_milestone_due() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO milestone_due (link_id)
    SELECT DISTINCT g.link_id FROM new_rows n JOIN old_rows o USING (id)
      JOIN share_link l ON l.project_id = n.project_id AND l.person_id = n.backer_id
      JOIN milestone_grant g ON g.link_id = l.id
     WHERE (n.state, n.backer_id) IS DISTINCT FROM (o.state, o.backer_id);
    RETURN NULL;
END $$;
CREATE TRIGGER note_milestone_due AFTER UPDATE ON pledge
    REFERENCING OLD TABLE AS old_rows NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION note_milestone_due();
""")
    op.execute(PLACE.format(only_tiers="AND r.kind = 'pledge'"))
    with op.get_context().autocommit_block():
        op.execute("ALTER TABLE reward VALIDATE CONSTRAINT ck_reward_rewardkind")
        op.execute("ALTER TABLE reward VALIDATE CONSTRAINT ck_reward_price_of_kind")


def downgrade() -> None:
    op.execute("""
DROP TRIGGER note_milestone_due ON pledge;
DROP FUNCTION note_milestone_due();
DROP TABLE milestone_due;
DROP TABLE milestone_grant_move;
DROP TABLE milestone_grant;
DROP TABLE milestone;
DELETE FROM reward WHERE kind = 'milestone';
ALTER TABLE reward ADD CONSTRAINT ck_reward_price_positive CHECK (price > 0);
ALTER TABLE reward DROP COLUMN kind;
""")
    op.execute(PLACE.format(only_tiers=""))
