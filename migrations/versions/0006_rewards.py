"""The catalogue."""

from alembic import op

revision = "0006_rewards"
down_revision = "0005_projects"


def upgrade() -> None:
    op.execute("""
CREATE TABLE reward (
    id UUID DEFAULT uuidv7() NOT NULL,
    project_id UUID NOT NULL,
    position INTEGER DEFAULT '0' NOT NULL,
    title TEXT NOT NULL,
    description TEXT DEFAULT '' NOT NULL,
    price BIGINT NOT NULL,
    quantity INTEGER,
    claimed INTEGER DEFAULT '0' NOT NULL,
    delivery_on DATE,
    picture_id UUID,
    picture_alt TEXT DEFAULT '' NOT NULL,
    created_at TIMESTAMP WITH TIME ZONE DEFAULT clock_now() NOT NULL,
    CONSTRAINT pk_reward PRIMARY KEY (id),
    CONSTRAINT ck_reward_price_positive CHECK (price > 0),
    CONSTRAINT ck_reward_quantity_positive CHECK (quantity IS NULL OR quantity > 0),
    CONSTRAINT ck_reward_not_oversold CHECK (claimed >= 0 AND (quantity IS NULL OR claimed <= quantity)),
    CONSTRAINT ck_reward_title_length CHECK (char_length(title) BETWEEN 1 AND 60),
    CONSTRAINT fk_reward_project_id FOREIGN KEY(project_id) REFERENCES project (id),
    CONSTRAINT fk_reward_picture_id FOREIGN KEY(picture_id) REFERENCES picture (id)
);
CREATE INDEX ix_reward_project_id ON reward (project_id);
CREATE TABLE reward_total (
    reward_id UUID NOT NULL,
    project_id UUID NOT NULL,
    backers BIGINT DEFAULT '0' NOT NULL,
    raised BIGINT DEFAULT '0' NOT NULL,
    CONSTRAINT pk_reward_total PRIMARY KEY (reward_id),
    CONSTRAINT ck_reward_total_not_negative CHECK (backers >= 0 AND raised >= 0),
    CONSTRAINT fk_reward_total_reward_id FOREIGN KEY(reward_id) REFERENCES reward (id),
    CONSTRAINT fk_reward_total_project_id FOREIGN KEY(project_id) REFERENCES project (id)
);
CREATE INDEX ix_reward_total_project_id ON reward_total (project_id);
""")


def downgrade() -> None:
    op.execute("""
DROP TABLE reward_total;
DROP TABLE reward;
""")
