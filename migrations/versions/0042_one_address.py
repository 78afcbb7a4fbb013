"""A card's address, scrambled, so that recruiter and backer at one door are found as those with one card are."""

from alembic import op

revision = "0042_one_address"
down_revision = "0041_charge_of_attempt"


def upgrade() -> None:
    # The begin_credit of eight arguments stays for processes that still run the release before this one.
    op.execute("""
ALTER TABLE card_setup ADD COLUMN address_digest BYTEA;

-- Was this pledge's card saved with an address that the other one ever gave? What more than `crowd` people gave is a big
-- house, or a place where parcels wait, and says nothing of two of them.
CREATE FUNCTION have_one_address(a_pledge uuid, a_person uuid, crowd integer) RETURNS boolean
LANGUAGE sql STABLE AS $$
    SELECT EXISTS (
        SELECT FROM card_setup c JOIN card_setup o ON o.address_digest = c.address_digest AND o.person_id = a_person
         WHERE c.subject_id = a_pledge AND c.person_id <> a_person
           AND (SELECT count(*) FROM (SELECT DISTINCT x.person_id FROM card_setup x
                                       WHERE x.address_digest = c.address_digest LIMIT crowd + 1) p) <= crowd)
$$;
-- begin_credit as 0038 made it, and whether its two people gave one address.
CREATE FUNCTION begin_credit(a_pledge uuid, a_project uuid, a_backer uuid, a_ref text, placed timestamptz, fresh_code text,
    days integer, everybodys text[], crowd integer,
    OUT own_link uuid, OUT own_n integer, OUT first_link uuid, OUT first_moment timestamptz, OUT last_link uuid,
    OUT last_moment timestamptz, OUT marks jsonb, OUT credited uuid, OUT recruiter uuid, OUT above integer[],
    OUT theirs text, OUT mine text, OUT is_banned boolean, OUT is_one_card boolean, OUT is_one_device boolean,
    OUT is_one_address boolean)
LANGUAGE plpgsql AS $$
BEGIN
    SELECT b.* INTO own_link, own_n, first_link, first_moment, last_link, last_moment, marks, credited, recruiter, above,
                    theirs, mine, is_banned, is_one_card, is_one_device
      FROM begin_credit(a_pledge, a_project, a_backer, a_ref, placed, fresh_code, days, everybodys) b;
    IF recruiter IS NOT NULL THEN
        is_one_address := have_one_address(a_pledge, recruiter, crowd);
    END IF;
END $$;
""")
    with op.get_context().autocommit_block():
        op.execute("SET statement_timeout = 0")
        # With the day, so that those a year old are found without a look at their rows.
        op.execute("""CREATE INDEX CONCURRENTLY IF NOT EXISTS ix_card_setup_address_digest
                          ON card_setup (address_digest, completed_at) WHERE address_digest IS NOT NULL""")
        op.execute("SET statement_timeout = '5s'")


def downgrade() -> None:
    op.execute("""
DROP FUNCTION begin_credit(uuid, uuid, uuid, text, timestamptz, text, integer, text[], integer);
DROP FUNCTION have_one_address(uuid, uuid, integer);
DROP INDEX ix_card_setup_address_digest;
ALTER TABLE card_setup DROP COLUMN address_digest;
""")
