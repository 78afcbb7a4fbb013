"""Two accounts of one person become one."""

from alembic import op

revision = "0037_merging"
down_revision = "0036_fairness"


def upgrade() -> None:
    op.execute("""
ALTER TABLE person ADD COLUMN merged_into_id UUID;
ALTER TABLE person ADD CONSTRAINT fk_person_merged_into_id FOREIGN KEY (merged_into_id) REFERENCES person (id) NOT VALID;
-- A link that became another name for a link: of an account that is no more.
ALTER TABLE share_link ADD COLUMN alias_of_id UUID;
ALTER TABLE share_link ADD CONSTRAINT fk_share_link_alias_of_id FOREIGN KEY (alias_of_id) REFERENCES share_link (id) NOT VALID;
ALTER TABLE share_link ADD CONSTRAINT ck_share_link_alias CHECK (alias_of_id IS NULL OR person_id IS NULL) NOT VALID;
CREATE OR REPLACE FUNCTION link_of_code(a_code text, a_project uuid) RETURNS uuid LANGUAGE sql STABLE
RETURN (SELECT coalesce(alias_of_id, id) FROM share_link WHERE code = a_code AND project_id = a_project);
""")
    with op.get_context().autocommit_block():
        op.execute("ALTER TABLE person VALIDATE CONSTRAINT fk_person_merged_into_id")
        op.execute("ALTER TABLE share_link VALIDATE CONSTRAINT fk_share_link_alias_of_id")
        op.execute("ALTER TABLE share_link VALIDATE CONSTRAINT ck_share_link_alias")


def downgrade() -> None:
    op.execute("""
CREATE OR REPLACE FUNCTION link_of_code(a_code text, a_project uuid) RETURNS uuid LANGUAGE sql STABLE
RETURN (SELECT id FROM share_link WHERE code = a_code AND project_id = a_project);
ALTER TABLE share_link DROP COLUMN alias_of_id;
ALTER TABLE person DROP COLUMN merged_into_id;
""")
