"""A pledge in one statement: what is held, and the form where its card is typed."""

from alembic import op

revision = "0021_placing"
down_revision = "0020_indexes"


def upgrade() -> None:
    op.execute("""
-- The open form of this subject, or a new row. A row without an address is one that a crash left, or one that waits for
-- Stripe's answer; young ones are resumed under the same key.
CREATE FUNCTION open_card_form(
    a_subject uuid, a_project uuid, a_person uuid, a_currency text,
    OUT form_id uuid, OUT form_url text, OUT form_at timestamptz, OUT customer_id text)
LANGUAGE plpgsql AS $$
BEGIN
    SELECT f.id, f.url, f.created_at INTO form_id, form_url, form_at FROM card_setup f
     WHERE f.subject_id = a_subject AND f.state = 'open' AND f.created_at > clock_now() - interval '30 minutes'
     ORDER BY f.created_at DESC LIMIT 1;
    IF form_id IS NULL OR (form_url IS NULL AND form_at < clock_now() - interval '45 seconds') THEN
        INSERT INTO card_setup (subject_id, project_id, person_id, currency)
        VALUES (a_subject, a_project, a_person, a_currency) RETURNING id, created_at INTO form_id, form_at;
    END IF;
    SELECT c.stripe_id INTO customer_id FROM stripe_customer c WHERE c.person_id = a_person;
END $$;

-- Hold a pledge and its reward: all of it or nothing, and the stock's row last before the commit (C-04).
CREATE FUNCTION place_pledge(
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
      FROM project p LEFT JOIN reward r ON r.id = a_reward AND r.project_id = p.id
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
""")


def downgrade() -> None:
    op.execute("""
DROP FUNCTION place_pledge;
DROP FUNCTION open_card_form;
""")
