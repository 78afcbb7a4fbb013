"""A credit that no rule can doubt is given by the statement that begins it."""

from alembic import op

revision = "0043_one_credit"
down_revision = "0042_one_address"


def upgrade() -> None:
    # The functions in which a credit began so far stay for processes that still run the release before this one.
    op.execute("""
-- Two addresses that nobody delivers to one mailbox, whatever a provider leaves out or adds: other letters and digits in
-- front of @ and +. What is not plain ASCII, or may name the mailbox in its domain, is for sharing/mailboxes.py to say.
CREATE FUNCTION are_two_mailboxes(a text, b text) RETURNS boolean LANGUAGE sql IMMUTABLE
RETURN octet_length(a || b) = length(a || b) AND a || b !~* 'fastmail'
   AND regexp_replace(split_part(split_part(lower(a), '@', 1), '+', 1), '[^a-z0-9]', '', 'g')
    <> regexp_replace(split_part(split_part(lower(b), '@', 1), '+', 1), '[^a-z0-9]', '', 'g');

-- Makes the backer's own link, says by whose links this pledge came, and writes it down, where no rule can speak against
-- it: `is_credited` then says whether it was credited. Where that is NULL, fairness has to judge by what the people at
-- both ends have in common, and `finish_credit` writes. `ref` is the code it came by last, as the form was sent; the
-- account knows when, and which link was the first. The lock, one per project, is held until the end: two who pledge by
-- each other's links come one after the other.
CREATE FUNCTION credit_pledge(a_pledge uuid, a_project uuid, a_backer uuid, a_ref text, placed timestamptz, fresh_code text,
    days integer, everybodys text[], crowd integer,
    OUT own_link uuid, OUT own_n integer, OUT first_link uuid, OUT first_moment timestamptz, OUT last_link uuid,
    OUT last_moment timestamptz, OUT marks jsonb, OUT credited uuid, OUT recruiter uuid, OUT above integer[],
    OUT theirs text, OUT mine text, OUT is_banned boolean, OUT is_one_card boolean, OUT is_one_device boolean,
    OUT is_one_address boolean, OUT is_credited boolean)
LANGUAGE plpgsql AS $$
DECLARE
    known share_touch;
    since timestamptz := placed - make_interval(days => days);
BEGIN
    SELECT id, n INTO own_link, own_n FROM share_link WHERE project_id = a_project AND person_id = a_backer;
    IF own_n IS NULL THEN
        INSERT INTO share_link (code, project_id, person_id) VALUES (fresh_code, a_project, a_backer)
        ON CONFLICT DO NOTHING RETURNING id, n INTO own_link, own_n;
        IF own_n IS NULL THEN  -- somebody else has this code
            RETURN;
        END IF;
    END IF;
    SELECT * INTO known FROM share_touch WHERE person_id = a_backer AND project_id = a_project;
    marks := CASE WHEN known.at > since THEN known.utm ELSE '{}' END;
    IF a_ref IS NOT NULL THEN
        last_link := link_of_code(a_ref, a_project);
    END IF;
    IF last_link IS NULL THEN
        is_credited := false;
        IF marks <> '{}' THEN
            PERFORM finish_credit(a_pledge, a_project, a_backer, own_link, own_n, NULL, NULL, NULL, NULL, marks, NULL, NULL,
                                  NULL, NULL);
        END IF;
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
    IF recruiter IS NOT NULL THEN
        SELECT c.* INTO theirs, mine, is_banned, is_one_card, is_one_device
          FROM in_common(a_project, a_pledge, a_backer, recruiter, everybodys) c;
        is_one_address := have_one_address(a_pledge, recruiter, crowd);
        IF (recruiter = a_backer OR is_banned OR is_one_card OR is_one_device OR is_one_address
            OR NOT are_two_mailboxes(theirs, mine)) IS NOT FALSE THEN
            RETURN;
        END IF;
    END IF;
    IF NOT own_n = ANY (above) THEN
        is_credited := finish_credit(a_pledge, a_project, a_backer, own_link, own_n, first_link, first_moment, last_link,
                                     last_moment, marks, NULL, credited, recruiter, above);
    END IF;
END $$;
""")


def downgrade() -> None:
    op.execute("""
DROP FUNCTION credit_pledge(uuid, uuid, uuid, text, timestamptz, text, integer, text[], integer);
DROP FUNCTION are_two_mailboxes(text, text);
""")
