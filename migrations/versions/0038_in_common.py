"""What a recruiter and a backer have in common is said where the credit begins: one statement less for each."""

from alembic import op

revision = "0038_in_common"
down_revision = "0037_merging"


def upgrade() -> None:
    # The begin_credit of six arguments stays for processes that still run the release before this one.
    op.execute("""
-- Mailboxes, a ban, a card or a browser that both have used: each EXISTS is an index's look.
CREATE FUNCTION in_common(a_project uuid, a_pledge uuid, a_backer uuid, a_recruiter uuid, everybodys text[],
    OUT theirs text, OUT mine text, OUT is_banned boolean, OUT is_one_card boolean, OUT is_one_device boolean)
LANGUAGE plpgsql STABLE AS $$
BEGIN
    SELECT r.email, b.email,
           EXISTS (SELECT FROM share_ban x WHERE x.person_id = r.id AND x.lifted_at IS NULL
                      AND (x.until IS NULL OR x.until > clock_now())
                      AND (x.project_id IS NULL OR x.project_id = a_project)),
           EXISTS (SELECT FROM card_setup c JOIN card_setup o
                       ON o.card_fingerprint = c.card_fingerprint AND o.person_id = r.id
                    WHERE c.subject_id = a_pledge AND c.card_last4 <> ALL (everybodys)),
           EXISTS (SELECT FROM person_device d JOIN person_device e USING (device)
                    WHERE d.person_id = b.id AND e.person_id = r.id)
      INTO theirs, mine, is_banned, is_one_card, is_one_device
      FROM person r, person b WHERE r.id = a_recruiter AND b.id = a_backer;
END $$;
-- begin_credit as 0031 made it, and then what its two people have in common.
CREATE FUNCTION begin_credit(a_pledge uuid, a_project uuid, a_backer uuid, a_ref text, placed timestamptz, fresh_code text,
    days integer, everybodys text[],
    OUT own_link uuid, OUT own_n integer, OUT first_link uuid, OUT first_moment timestamptz, OUT last_link uuid,
    OUT last_moment timestamptz, OUT marks jsonb, OUT credited uuid, OUT recruiter uuid, OUT above integer[],
    OUT theirs text, OUT mine text, OUT is_banned boolean, OUT is_one_card boolean, OUT is_one_device boolean)
LANGUAGE plpgsql AS $$
BEGIN
    SELECT b.* INTO own_link, own_n, first_link, first_moment, last_link, last_moment, marks, credited, recruiter, above
      FROM begin_credit(a_project, a_backer, a_ref, placed, fresh_code, days) b;
    IF recruiter IS NOT NULL THEN
        SELECT c.* INTO theirs, mine, is_banned, is_one_card, is_one_device
          FROM in_common(a_project, a_pledge, a_backer, recruiter, everybodys) c;
    END IF;
END $$;
""")


def downgrade() -> None:
    op.execute("""
DROP FUNCTION begin_credit(uuid, uuid, uuid, text, timestamptz, text, integer, text[]);
DROP FUNCTION in_common(uuid, uuid, uuid, uuid, text[]);
""")
