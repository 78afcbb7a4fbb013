"""What went back of a collected pledge, by a refund or to its bank, is refunded in the tallies and no longer collected."""

from alembic import op

revision = "0044_money_back"
down_revision = "0043_one_credit"


def upgrade() -> None:
    # A process that still runs the release before this one takes `tallied_amount` for all that was added, and adds the
    # whole pledge: what it touches meanwhile is right again with the next change, or by `flask sharing rebuild`.
    op.execute("""
ALTER TABLE recruit ADD COLUMN tallied_refunded BIGINT DEFAULT 0 NOT NULL;

-- What is no longer there of a payment: what arrived at the backer, and what their bank took and keeps. A second charge
-- that was sent back was never the pledge's.
CREATE VIEW money_back AS
SELECT payment_id, project_id, amount FROM refund WHERE state = 'succeeded' AND duplicate_charge_id IS NULL
 UNION ALL
SELECT payment_id, project_id, held FROM dispute WHERE status IN ('lost', 'prevented') AND held > 0;

CREATE FUNCTION note_money_due() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO share_due (pledge_id, project_id)
    SELECT r.pledge_id, r.project_id FROM pledge p JOIN recruit r ON r.pledge_id = p.id WHERE p.payment_id = NEW.payment_id;
    RETURN NULL;
END $$;
CREATE TRIGGER note_money_due AFTER INSERT OR UPDATE OF state ON refund
    FOR EACH ROW WHEN (NEW.state IN ('succeeded', 'failed')) EXECUTE FUNCTION note_money_due();
CREATE TRIGGER note_money_due AFTER INSERT OR UPDATE OF status, held ON dispute
    FOR EACH ROW EXECUTE FUNCTION note_money_due();
INSERT INTO share_due (pledge_id, project_id)
SELECT r.pledge_id, r.project_id FROM pledge p JOIN recruit r ON r.pledge_id = p.id
 WHERE p.state = 'collected' AND p.payment_id IN (SELECT payment_id FROM money_back);
""")
    with op.get_context().autocommit_block():
        op.execute("SET statement_timeout = 0")
        # Pledges that came by marked addresses and nobody's link: few beside those with links.
        op.execute("""CREATE INDEX CONCURRENTLY IF NOT EXISTS ix_attribution_marks ON attribution (project_id)
                          WHERE first_link_id IS NULL AND last_link_id IS NULL AND utm <> '{}'""")
        op.execute("SET statement_timeout = '5s'")


def downgrade() -> None:
    op.execute("""
DROP INDEX ix_attribution_marks;
DROP TRIGGER note_money_due ON dispute;
DROP TRIGGER note_money_due ON refund;
DROP FUNCTION note_money_due();
DROP VIEW money_back;
ALTER TABLE recruit DROP COLUMN tallied_refunded;
""")
