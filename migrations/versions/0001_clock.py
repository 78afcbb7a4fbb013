"""The one clock, and the role of least rights that the app works under."""

from alembic import op

revision = "0001_clock"
down_revision = None


def upgrade() -> None:
    op.execute("""
CREATE TABLE clock (
    single boolean PRIMARY KEY DEFAULT true CHECK (single),
    shift interval NOT NULL DEFAULT interval '0' CHECK (shift >= interval '0')
);
INSERT INTO clock DEFAULT VALUES;

-- The time that decides: deadlines, holds. Nothing but development and tests ever shifts it.
CREATE FUNCTION clock_now() RETURNS timestamptz LANGUAGE plpgsql VOLATILE PARALLEL SAFE AS $$
BEGIN
    RETURN clock_timestamp() + (SELECT shift FROM clock);
END $$;

DO $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'achterban_app') THEN
        CREATE ROLE achterban_app NOLOGIN;
    END IF;
END $$;
GRANT USAGE ON SCHEMA public TO achterban_app;
GRANT SELECT, UPDATE ON clock TO achterban_app;
ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO achterban_app;
ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT USAGE ON SEQUENCES TO achterban_app;
GRANT SELECT ON alembic_version TO achterban_app;
""")


def downgrade() -> None:
    op.execute("""
ALTER DEFAULT PRIVILEGES IN SCHEMA public REVOKE ALL ON TABLES FROM achterban_app;
ALTER DEFAULT PRIVILEGES IN SCHEMA public REVOKE ALL ON SEQUENCES FROM achterban_app;
DROP FUNCTION clock_now;
DROP TABLE clock;
""")
