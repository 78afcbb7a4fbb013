"""Cards saved, payments, accounts paid out to, news from Stripe."""

from alembic import op

revision = "0007_payments"
down_revision = "0006_rewards"


def upgrade() -> None:
    op.execute("""
CREATE TABLE stripe_customer (
    person_id UUID NOT NULL,
    stripe_id TEXT NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT clock_now() NOT NULL,
    CONSTRAINT pk_stripe_customer PRIMARY KEY (person_id),
    CONSTRAINT fk_stripe_customer_person_id FOREIGN KEY(person_id) REFERENCES person (id),
    CONSTRAINT uq_stripe_customer_stripe_id UNIQUE (stripe_id)
);
CREATE TABLE card_setup (
    id UUID DEFAULT uuidv7() NOT NULL,
    project_id UUID NOT NULL,
    subject_id UUID NOT NULL,
    person_id UUID NOT NULL,
    state VARCHAR(32) DEFAULT 'open' NOT NULL,
    currency TEXT NOT NULL,
    session_id TEXT,
    url TEXT,
    payment_method_id TEXT,
    card_brand TEXT,
    card_last4 TEXT,
    card_exp TEXT,
    card_fingerprint TEXT,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT clock_now() NOT NULL,
    completed_at TIMESTAMP WITH TIME ZONE,
    CONSTRAINT pk_card_setup PRIMARY KEY (id),
    CONSTRAINT fk_card_setup_project_id FOREIGN KEY(project_id) REFERENCES project (id),
    CONSTRAINT fk_card_setup_person_id FOREIGN KEY(person_id) REFERENCES person (id),
    CONSTRAINT ck_card_setup_cardsetupstate CHECK (state IN ('open', 'complete', 'expired')),
    CONSTRAINT uq_card_setup_session_id UNIQUE (session_id)
);
CREATE INDEX ix_card_setup_open ON card_setup (created_at) WHERE state = 'open';
CREATE INDEX ix_card_setup_person_id ON card_setup (person_id);
CREATE INDEX ix_card_setup_subject_id ON card_setup (subject_id);
CREATE TABLE payment (
    id UUID DEFAULT uuidv7() NOT NULL,
    project_id UUID NOT NULL,
    subject_id UUID NOT NULL,
    person_id UUID NOT NULL,
    amount BIGINT NOT NULL,
    currency TEXT NOT NULL,
    fee_bp INTEGER NOT NULL,
    state VARCHAR(32) DEFAULT 'created' NOT NULL,
    stripe_id TEXT,
    charge_id TEXT,
    attempts INTEGER DEFAULT '0' NOT NULL,
    decline_class TEXT,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT clock_now() NOT NULL,
    changed_at TIMESTAMP WITH TIME ZONE DEFAULT clock_now() NOT NULL,
    CONSTRAINT pk_payment PRIMARY KEY (id),
    CONSTRAINT ck_payment_amount_positive CHECK (amount > 0),
    CONSTRAINT fk_payment_project_id FOREIGN KEY(project_id) REFERENCES project (id),
    CONSTRAINT uq_payment_subject_id UNIQUE (subject_id),
    CONSTRAINT fk_payment_person_id FOREIGN KEY(person_id) REFERENCES person (id),
    CONSTRAINT ck_payment_paymentstate CHECK (state IN ('created', 'confirming', 'processing', 'requires_action', 'succeeded', 'failed', 'unknown')),
    CONSTRAINT uq_payment_stripe_id UNIQUE (stripe_id),
    CONSTRAINT uq_payment_charge_id UNIQUE (charge_id)
);
CREATE INDEX ix_payment_project_id ON payment (project_id);
CREATE INDEX ix_payment_unsettled ON payment (project_id) WHERE state IN ('confirming', 'unknown', 'processing');
CREATE TABLE payment_move (
    id BIGINT GENERATED ALWAYS AS IDENTITY,
    payment_id UUID NOT NULL,
    project_id UUID NOT NULL,
    from_state VARCHAR(32) NOT NULL,
    to_state VARCHAR(32) NOT NULL,
    at TIMESTAMP WITH TIME ZONE DEFAULT clock_now() NOT NULL,
    by_id UUID,
    why TEXT DEFAULT '' NOT NULL,
    CONSTRAINT pk_payment_move PRIMARY KEY (id),
    CONSTRAINT fk_payment_move_payment_id FOREIGN KEY(payment_id) REFERENCES payment (id),
    CONSTRAINT ck_payment_move_paymentstate CHECK (to_state IN ('created', 'confirming', 'processing', 'requires_action', 'succeeded', 'failed', 'unknown'))
);
CREATE INDEX ix_payment_move_payment_id ON payment_move (payment_id);
CREATE TABLE payment_attempt (
    id UUID DEFAULT uuidv7() NOT NULL,
    payment_id UUID NOT NULL,
    project_id UUID NOT NULL,
    number INTEGER NOT NULL,
    payment_method_id TEXT NOT NULL,
    is_on_session BOOLEAN DEFAULT false NOT NULL,
    sent_at TIMESTAMP WITH TIME ZONE DEFAULT clock_now() NOT NULL,
    answered_at TIMESTAMP WITH TIME ZONE,
    outcome TEXT,
    code TEXT,
    decline_code TEXT,
    advice_code TEXT,
    network_decline_code TEXT,
    CONSTRAINT pk_payment_attempt PRIMARY KEY (id),
    CONSTRAINT uq_payment_attempt_payment_id_number UNIQUE (payment_id, number),
    CONSTRAINT fk_payment_attempt_payment_id FOREIGN KEY(payment_id) REFERENCES payment (id)
);
CREATE TABLE payout_account (
    person_id UUID NOT NULL,
    stripe_id TEXT,
    country TEXT NOT NULL,
    is_active BOOLEAN DEFAULT false NOT NULL,
    wanted JSONB DEFAULT '[]' NOT NULL,
    checked_at TIMESTAMP WITH TIME ZONE,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT clock_now() NOT NULL,
    CONSTRAINT pk_payout_account PRIMARY KEY (person_id),
    CONSTRAINT fk_payout_account_person_id FOREIGN KEY(person_id) REFERENCES person (id),
    CONSTRAINT uq_payout_account_stripe_id UNIQUE (stripe_id)
);
CREATE TABLE stripe_event (
    event_id TEXT NOT NULL,
    type TEXT NOT NULL,
    account TEXT,
    api_version TEXT,
    payload JSONB NOT NULL,
    received_at TIMESTAMP WITH TIME ZONE DEFAULT clock_now() NOT NULL,
    handled_at TIMESTAMP WITH TIME ZONE,
    CONSTRAINT pk_stripe_event PRIMARY KEY (event_id)
);
CREATE INDEX ix_stripe_event_received_at ON stripe_event (received_at);
""")


def downgrade() -> None:
    op.execute("""
DROP TABLE stripe_event;
DROP TABLE payout_account;
DROP TABLE payment_attempt;
DROP TABLE payment_move;
DROP TABLE payment;
DROP TABLE card_setup;
DROP TABLE stripe_customer;
""")
