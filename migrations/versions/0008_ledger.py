"""Double entry that only grows."""

from alembic import op

revision = "0008_ledger"
down_revision = "0007_payments"


def upgrade() -> None:
    op.execute("""
CREATE TABLE ledger_transaction (
    id UUID DEFAULT uuidv7() NOT NULL,
    kind TEXT NOT NULL,
    external_id TEXT NOT NULL,
    part TEXT DEFAULT '' NOT NULL,
    project_id UUID,
    subject_id UUID,
    reverses_id UUID,
    posted_at TIMESTAMP WITH TIME ZONE DEFAULT clock_now() NOT NULL,
    CONSTRAINT pk_ledger_transaction PRIMARY KEY (id),
    CONSTRAINT uq_ledger_transaction_kind_external_id_part UNIQUE (kind, external_id, part),
    CONSTRAINT fk_ledger_transaction_project_id FOREIGN KEY(project_id) REFERENCES project (id),
    CONSTRAINT uq_ledger_transaction_reverses_id UNIQUE (reverses_id),
    CONSTRAINT fk_ledger_transaction_reverses_id FOREIGN KEY(reverses_id) REFERENCES ledger_transaction (id)
);
CREATE INDEX ix_ledger_transaction_project_id ON ledger_transaction (project_id);
CREATE INDEX ix_ledger_transaction_subject_id ON ledger_transaction (subject_id);
CREATE TABLE ledger_entry (
    id BIGINT GENERATED ALWAYS AS IDENTITY,
    transaction_id UUID NOT NULL,
    project_id UUID,
    account VARCHAR(32) NOT NULL,
    amount BIGINT NOT NULL,
    currency TEXT NOT NULL,
    what TEXT DEFAULT '' NOT NULL,
    CONSTRAINT pk_ledger_entry PRIMARY KEY (id),
    CONSTRAINT ck_ledger_entry_not_zero CHECK (amount <> 0),
    CONSTRAINT fk_ledger_entry_transaction_id FOREIGN KEY(transaction_id) REFERENCES ledger_transaction (id),
    CONSTRAINT ck_ledger_entry_account CHECK (account IN ('stripe_pending', 'stripe_available', 'stripe_fees', 'backer_receivable', 'creator_payable', 'platform_fee', 'refunds_payable', 'disputes_held', 'creator_debt', 'fx'))
);
CREATE INDEX ix_ledger_entry_account ON ledger_entry (account);
CREATE INDEX ix_ledger_entry_transaction_id ON ledger_entry (transaction_id);

-- Sum zero per transaction and currency, proved at COMMIT (C-25).
CREATE FUNCTION ledger_balanced() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT FROM ledger_entry WHERE transaction_id = NEW.transaction_id
                GROUP BY currency HAVING sum(amount) <> 0) THEN
        RAISE EXCEPTION 'ledger transaction % does not balance', NEW.transaction_id USING ERRCODE = 'check_violation';
    END IF;
    RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER ledger_balanced AFTER INSERT ON ledger_entry
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION ledger_balanced();

-- What is written stays written: for everybody, by trigger; for the app's role, by missing rights as well.
CREATE FUNCTION only_added() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% is only ever added to', TG_TABLE_NAME USING ERRCODE = 'restrict_violation';
END $$;
CREATE TRIGGER only_added BEFORE UPDATE OR DELETE OR TRUNCATE ON ledger_transaction
    FOR EACH STATEMENT EXECUTE FUNCTION only_added();
CREATE TRIGGER only_added BEFORE UPDATE OR DELETE OR TRUNCATE ON ledger_entry
    FOR EACH STATEMENT EXECUTE FUNCTION only_added();
CREATE TRIGGER only_added BEFORE UPDATE OR DELETE OR TRUNCATE ON payment_move
    FOR EACH STATEMENT EXECUTE FUNCTION only_added();
CREATE TRIGGER only_added BEFORE UPDATE OR DELETE OR TRUNCATE ON project_move
    FOR EACH STATEMENT EXECUTE FUNCTION only_added();
REVOKE UPDATE, DELETE, TRUNCATE ON ledger_transaction, ledger_entry, payment_move, project_move FROM achterban_app;
""")


def downgrade() -> None:
    op.execute("""
DROP TABLE ledger_entry;
DROP TABLE ledger_transaction;
DROP TRIGGER only_added ON payment_move;
DROP TRIGGER only_added ON project_move;
DROP FUNCTION ledger_balanced;
DROP FUNCTION only_added;
""")
