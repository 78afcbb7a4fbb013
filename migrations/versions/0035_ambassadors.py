"""Ambassador rounds: calls, applications, votes, missions."""

from alembic import op

revision = "0035_ambassadors"
down_revision = "0034_milestones"


def upgrade() -> None:
    op.execute("""
CREATE TABLE ambassador_round (
    id UUID DEFAULT uuidv7() NOT NULL,
    project_id UUID NOT NULL,
    state VARCHAR(32) DEFAULT 'draft' NOT NULL,
    title TEXT NOT NULL,
    about TEXT DEFAULT '' NOT NULL,
    places INTEGER NOT NULL,
    call_from TIMESTAMP WITH TIME ZONE NOT NULL,
    call_until TIMESTAMP WITH TIME ZONE NOT NULL,
    vote_until TIMESTAMP WITH TIME ZONE NOT NULL,
    runs_from TIMESTAMP WITH TIME ZONE NOT NULL,
    runs_until TIMESTAMP WITH TIME ZONE NOT NULL,
    public_percent INTEGER NOT NULL,
    points_each INTEGER NOT NULL,
    disclosure TEXT NOT NULL,
    announced_at TIMESTAMP WITH TIME ZONE,
    chosen_at TIMESTAMP WITH TIME ZONE,
    made_by_id UUID,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT clock_now() NOT NULL,
    edition INTEGER DEFAULT '1' NOT NULL,
    CONSTRAINT pk_ambassador_round PRIMARY KEY (id),
    CONSTRAINT ck_ambassador_round_places CHECK (places BETWEEN 1 AND 1000),
    CONSTRAINT ck_ambassador_round_public_percent CHECK (public_percent BETWEEN 0 AND 100),
    CONSTRAINT ck_ambassador_round_points_each CHECK (points_each BETWEEN 0 AND 1000),
    CONSTRAINT ck_ambassador_round_words CHECK (char_length(title) BETWEEN 1 AND 80 AND char_length(disclosure) BETWEEN 1 AND 200),
    CONSTRAINT ck_ambassador_round_dates_in_turn CHECK (call_from < call_until AND call_until < vote_until AND vote_until < runs_from AND runs_from < runs_until),
    CONSTRAINT fk_ambassador_round_project_id FOREIGN KEY(project_id) REFERENCES project (id),
    CONSTRAINT ck_ambassador_round_roundstate CHECK (state IN ('draft', 'open', 'voting', 'choosing', 'running', 'ended', 'cancelled')),
    CONSTRAINT fk_ambassador_round_made_by_id FOREIGN KEY(made_by_id) REFERENCES person (id)
);
CREATE INDEX ix_ambassador_round_due ON ambassador_round (state) WHERE state NOT IN ('ended', 'cancelled');
CREATE INDEX ix_ambassador_round_project_id ON ambassador_round (project_id, created_at DESC);
CREATE UNIQUE INDEX uq_ambassador_round_under_way ON ambassador_round (project_id) WHERE state NOT IN ('ended', 'cancelled');
CREATE TABLE round_move (
    id BIGINT GENERATED ALWAYS AS IDENTITY,
    round_id UUID NOT NULL,
    project_id UUID NOT NULL,
    from_state VARCHAR(32) NOT NULL,
    to_state VARCHAR(32) NOT NULL,
    at TIMESTAMP WITH TIME ZONE DEFAULT clock_now() NOT NULL,
    by_id UUID,
    why TEXT DEFAULT '' NOT NULL,
    CONSTRAINT pk_round_move PRIMARY KEY (id),
    CONSTRAINT fk_round_move_round_id FOREIGN KEY(round_id) REFERENCES ambassador_round (id),
    CONSTRAINT ck_round_move_roundstate CHECK (to_state IN ('draft', 'open', 'voting', 'choosing', 'running', 'ended', 'cancelled')),
    CONSTRAINT fk_round_move_by_id FOREIGN KEY(by_id) REFERENCES person (id)
);
CREATE INDEX ix_round_move_round_id ON round_move (round_id);
CREATE TABLE round_quota (
    id UUID DEFAULT uuidv7() NOT NULL,
    round_id UUID NOT NULL,
    project_id UUID NOT NULL,
    kind TEXT NOT NULL,
    position INTEGER NOT NULL,
    name TEXT NOT NULL,
    number INTEGER NOT NULL,
    CONSTRAINT pk_round_quota PRIMARY KEY (id),
    CONSTRAINT ck_round_quota_kind CHECK (kind IN ('region', 'channel')),
    CONSTRAINT ck_round_quota_number CHECK (number BETWEEN 1 AND 1000 AND char_length(name) BETWEEN 1 AND 60),
    CONSTRAINT fk_round_quota_round_id FOREIGN KEY(round_id) REFERENCES ambassador_round (id)
);
CREATE UNIQUE INDEX uq_round_quota_name ON round_quota (round_id, kind, lower(name));
CREATE TABLE round_question (
    id UUID DEFAULT uuidv7() NOT NULL,
    round_id UUID NOT NULL,
    project_id UUID NOT NULL,
    position INTEGER NOT NULL,
    label TEXT NOT NULL,
    kind VARCHAR(32) NOT NULL,
    options TEXT[] DEFAULT '{}' NOT NULL,
    is_public BOOLEAN DEFAULT false NOT NULL,
    CONSTRAINT pk_round_question PRIMARY KEY (id),
    CONSTRAINT uq_round_question_round_id_position UNIQUE (round_id, position),
    CONSTRAINT ck_round_question_eight_at_most CHECK (position BETWEEN 1 AND 8),
    CONSTRAINT ck_round_question_label_length CHECK (char_length(label) BETWEEN 1 AND 200),
    CONSTRAINT fk_round_question_round_id FOREIGN KEY(round_id) REFERENCES ambassador_round (id),
    CONSTRAINT ck_round_question_questionkind CHECK (kind IN ('short', 'long', 'choice', 'link'))
);
CREATE TABLE application (
    id UUID DEFAULT uuidv7() NOT NULL,
    round_id UUID NOT NULL,
    project_id UUID NOT NULL,
    person_id UUID NOT NULL,
    state VARCHAR(32) DEFAULT 'sent' NOT NULL,
    region TEXT DEFAULT '' NOT NULL,
    channel TEXT DEFAULT '' NOT NULL,
    is_shown BOOLEAN DEFAULT false NOT NULL,
    is_named BOOLEAN DEFAULT false NOT NULL,
    applied_at TIMESTAMP WITH TIME ZONE DEFAULT clock_now() NOT NULL,
    edited_at TIMESTAMP WITH TIME ZONE DEFAULT clock_now() NOT NULL,
    votes INTEGER,
    jury_mark NUMERIC(4, 3),
    score NUMERIC(6, 3),
    CONSTRAINT pk_application PRIMARY KEY (id),
    CONSTRAINT uq_application_round_id_person_id UNIQUE (round_id, person_id),
    CONSTRAINT fk_application_round_id FOREIGN KEY(round_id) REFERENCES ambassador_round (id),
    CONSTRAINT fk_application_project_id FOREIGN KEY(project_id) REFERENCES project (id),
    CONSTRAINT fk_application_person_id FOREIGN KEY(person_id) REFERENCES person (id),
    CONSTRAINT ck_application_applicationstate CHECK (state IN ('sent', 'withdrawn', 'accepted', 'waiting', 'declined', 'left'))
);
CREATE INDEX ix_application_person_id ON application (person_id);
CREATE INDEX ix_application_project_id ON application (project_id);
CREATE INDEX ix_application_state ON application (round_id, state);
CREATE TABLE application_move (
    id BIGINT GENERATED ALWAYS AS IDENTITY,
    application_id UUID NOT NULL,
    project_id UUID NOT NULL,
    from_state VARCHAR(32) NOT NULL,
    to_state VARCHAR(32) NOT NULL,
    at TIMESTAMP WITH TIME ZONE DEFAULT clock_now() NOT NULL,
    by_id UUID,
    why TEXT DEFAULT '' NOT NULL,
    CONSTRAINT pk_application_move PRIMARY KEY (id),
    CONSTRAINT fk_application_move_application_id FOREIGN KEY(application_id) REFERENCES application (id),
    CONSTRAINT ck_application_move_applicationstate CHECK (to_state IN ('sent', 'withdrawn', 'accepted', 'waiting', 'declined', 'left')),
    CONSTRAINT fk_application_move_by_id FOREIGN KEY(by_id) REFERENCES person (id)
);
CREATE INDEX ix_application_move_application_id ON application_move (application_id);
CREATE TABLE application_answer (
    application_id UUID NOT NULL,
    question_id UUID NOT NULL,
    project_id UUID NOT NULL,
    text TEXT NOT NULL,
    CONSTRAINT pk_application_answer PRIMARY KEY (application_id, question_id),
    CONSTRAINT fk_application_answer_application_id FOREIGN KEY(application_id) REFERENCES application (id),
    CONSTRAINT fk_application_answer_question_id FOREIGN KEY(question_id) REFERENCES round_question (id)
);
CREATE INDEX ix_application_answer_question_id ON application_answer (question_id);
CREATE TABLE application_vote (
    round_id UUID NOT NULL,
    mailbox BYTEA NOT NULL,
    slot INTEGER NOT NULL,
    project_id UUID NOT NULL,
    voter_id UUID NOT NULL,
    application_id UUID NOT NULL,
    at TIMESTAMP WITH TIME ZONE DEFAULT clock_now() NOT NULL,
    CONSTRAINT pk_application_vote PRIMARY KEY (round_id, mailbox, slot),
    CONSTRAINT uq_application_vote_round_id_mailbox_application_id UNIQUE (round_id, mailbox, application_id),
    CONSTRAINT ck_application_vote_slot CHECK (slot BETWEEN 1 AND 3),
    CONSTRAINT fk_application_vote_round_id FOREIGN KEY(round_id) REFERENCES ambassador_round (id),
    CONSTRAINT fk_application_vote_voter_id FOREIGN KEY(voter_id) REFERENCES person (id),
    CONSTRAINT fk_application_vote_application_id FOREIGN KEY(application_id) REFERENCES application (id)
);
CREATE INDEX ix_application_vote_application_id ON application_vote (application_id);
CREATE INDEX ix_application_vote_voter_id ON application_vote (voter_id);
CREATE TABLE jury_member (
    round_id UUID NOT NULL,
    person_id UUID NOT NULL,
    project_id UUID NOT NULL,
    added_at TIMESTAMP WITH TIME ZONE DEFAULT clock_now() NOT NULL,
    CONSTRAINT pk_jury_member PRIMARY KEY (round_id, person_id),
    CONSTRAINT fk_jury_member_round_id FOREIGN KEY(round_id) REFERENCES ambassador_round (id),
    CONSTRAINT fk_jury_member_person_id FOREIGN KEY(person_id) REFERENCES person (id)
);
CREATE INDEX ix_jury_member_person_id ON jury_member (person_id);
CREATE INDEX ix_jury_member_project_id ON jury_member (project_id);
CREATE TABLE jury_mark (
    application_id UUID NOT NULL,
    juror_id UUID NOT NULL,
    project_id UUID NOT NULL,
    mark INTEGER NOT NULL,
    note TEXT DEFAULT '' NOT NULL,
    at TIMESTAMP WITH TIME ZONE DEFAULT clock_now() NOT NULL,
    CONSTRAINT pk_jury_mark PRIMARY KEY (application_id, juror_id),
    CONSTRAINT ck_jury_mark_mark CHECK (mark BETWEEN 1 AND 5 AND char_length(note) <= 500),
    CONSTRAINT fk_jury_mark_application_id FOREIGN KEY(application_id) REFERENCES application (id),
    CONSTRAINT fk_jury_mark_juror_id FOREIGN KEY(juror_id) REFERENCES person (id)
);
CREATE INDEX ix_jury_mark_juror_id ON jury_mark (juror_id);
CREATE TABLE mission (
    id UUID DEFAULT uuidv7() NOT NULL,
    round_id UUID NOT NULL,
    project_id UUID NOT NULL,
    title TEXT NOT NULL,
    about TEXT DEFAULT '' NOT NULL,
    starts_at TIMESTAMP WITH TIME ZONE NOT NULL,
    ends_at TIMESTAMP WITH TIME ZONE NOT NULL,
    points INTEGER NOT NULL,
    most INTEGER DEFAULT '1' NOT NULL,
    region TEXT DEFAULT '' NOT NULL,
    made_by_id UUID,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT clock_now() NOT NULL,
    CONSTRAINT pk_mission PRIMARY KEY (id),
    CONSTRAINT ck_mission_points CHECK (points BETWEEN 1 AND 1000 AND most BETWEEN 1 AND 100),
    CONSTRAINT ck_mission_title_length CHECK (char_length(title) BETWEEN 1 AND 80),
    CONSTRAINT ck_mission_dates_in_turn CHECK (starts_at < ends_at),
    CONSTRAINT fk_mission_round_id FOREIGN KEY(round_id) REFERENCES ambassador_round (id),
    CONSTRAINT fk_mission_made_by_id FOREIGN KEY(made_by_id) REFERENCES person (id)
);
CREATE INDEX ix_mission_round_id ON mission (round_id);
CREATE TABLE mission_proof (
    id UUID DEFAULT uuidv7() NOT NULL,
    mission_id UUID NOT NULL,
    round_id UUID NOT NULL,
    project_id UUID NOT NULL,
    application_id UUID NOT NULL,
    state VARCHAR(32) DEFAULT 'handed_in' NOT NULL,
    text TEXT DEFAULT '' NOT NULL,
    link TEXT DEFAULT '' NOT NULL,
    picture_id UUID,
    points INTEGER DEFAULT '0' NOT NULL,
    why TEXT DEFAULT '' NOT NULL,
    handed_in_at TIMESTAMP WITH TIME ZONE DEFAULT clock_now() NOT NULL,
    CONSTRAINT pk_mission_proof PRIMARY KEY (id),
    CONSTRAINT ck_mission_proof_shows_something CHECK (text <> '' OR link <> '' OR picture_id IS NOT NULL),
    CONSTRAINT fk_mission_proof_mission_id FOREIGN KEY(mission_id) REFERENCES mission (id),
    CONSTRAINT fk_mission_proof_round_id FOREIGN KEY(round_id) REFERENCES ambassador_round (id),
    CONSTRAINT fk_mission_proof_application_id FOREIGN KEY(application_id) REFERENCES application (id),
    CONSTRAINT ck_mission_proof_proofstate CHECK (state IN ('handed_in', 'accepted', 'sent_back', 'taken_back')),
    CONSTRAINT fk_mission_proof_picture_id FOREIGN KEY(picture_id) REFERENCES picture (id)
);
CREATE INDEX ix_mission_proof_application_id ON mission_proof (application_id, mission_id);
CREATE INDEX ix_mission_proof_mission_id ON mission_proof (mission_id);
CREATE INDEX ix_mission_proof_waiting ON mission_proof (round_id, state);
CREATE TABLE proof_move (
    id BIGINT GENERATED ALWAYS AS IDENTITY,
    proof_id UUID NOT NULL,
    project_id UUID NOT NULL,
    from_state VARCHAR(32) NOT NULL,
    to_state VARCHAR(32) NOT NULL,
    at TIMESTAMP WITH TIME ZONE DEFAULT clock_now() NOT NULL,
    by_id UUID,
    why TEXT DEFAULT '' NOT NULL,
    CONSTRAINT pk_proof_move PRIMARY KEY (id),
    CONSTRAINT fk_proof_move_proof_id FOREIGN KEY(proof_id) REFERENCES mission_proof (id),
    CONSTRAINT ck_proof_move_proofstate CHECK (to_state IN ('handed_in', 'accepted', 'sent_back', 'taken_back')),
    CONSTRAINT fk_proof_move_by_id FOREIGN KEY(by_id) REFERENCES person (id)
);
CREATE INDEX ix_proof_move_proof_id ON proof_move (proof_id);
CREATE TABLE kit_item (
    id UUID DEFAULT uuidv7() NOT NULL,
    round_id UUID NOT NULL,
    project_id UUID NOT NULL,
    kind VARCHAR(32) NOT NULL,
    title TEXT NOT NULL,
    text TEXT DEFAULT '' NOT NULL,
    url TEXT DEFAULT '' NOT NULL,
    picture_id UUID,
    early_until TIMESTAMP WITH TIME ZONE,
    made_by_id UUID,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT clock_now() NOT NULL,
    CONSTRAINT pk_kit_item PRIMARY KEY (id),
    CONSTRAINT ck_kit_item_title_length CHECK (char_length(title) BETWEEN 1 AND 80),
    CONSTRAINT ck_kit_item_early_until CHECK ((kind = 'early') = (early_until IS NOT NULL)),
    CONSTRAINT ck_kit_item_picture CHECK ((kind = 'picture') = (picture_id IS NOT NULL)),
    CONSTRAINT fk_kit_item_round_id FOREIGN KEY(round_id) REFERENCES ambassador_round (id),
    CONSTRAINT ck_kit_item_kitkind CHECK (kind IN ('text', 'early', 'picture', 'link')),
    CONSTRAINT fk_kit_item_picture_id FOREIGN KEY(picture_id) REFERENCES picture (id),
    CONSTRAINT fk_kit_item_made_by_id FOREIGN KEY(made_by_id) REFERENCES person (id)
);
CREATE INDEX ix_kit_item_round_id ON kit_item (round_id);
CREATE TRIGGER only_added BEFORE UPDATE OR DELETE OR TRUNCATE ON round_move
    FOR EACH STATEMENT EXECUTE FUNCTION only_added();
CREATE TRIGGER only_added BEFORE UPDATE OR DELETE OR TRUNCATE ON application_move
    FOR EACH STATEMENT EXECUTE FUNCTION only_added();
CREATE TRIGGER only_added BEFORE UPDATE OR DELETE OR TRUNCATE ON proof_move
    FOR EACH STATEMENT EXECUTE FUNCTION only_added();
REVOKE UPDATE, DELETE, TRUNCATE ON round_move, application_move, proof_move FROM achterban_app;
""")


def downgrade() -> None:
    op.execute("""
DROP TABLE kit_item;
DROP TABLE proof_move;
DROP TABLE mission_proof;
DROP TABLE mission;
DROP TABLE jury_mark;
DROP TABLE jury_member;
DROP TABLE application_vote;
DROP TABLE application_answer;
DROP TABLE application_move;
DROP TABLE application;
DROP TABLE round_question;
DROP TABLE round_quota;
DROP TABLE round_move;
DROP TABLE ambassador_round;
""")
