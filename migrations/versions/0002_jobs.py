"""The queue: Procrastinate's own schema, as the locked version ships it."""

from importlib.resources import files

from alembic import op

revision = "0002_jobs"
down_revision = "0001_clock"


def upgrade() -> None:
    # Read from the package, which the lock file pins by hash; later versions bring migrations of their own.
    schema = files("procrastinate").joinpath("sql/schema.sql").read_text()
    if not op.get_context().as_sql:
        # Through the driver, since the text is full of percent signs and semicolons.
        driver = op.get_bind().connection.driver_connection
        assert driver is not None
        driver.execute(schema)


def downgrade() -> None:
    op.execute("""
DROP TABLE procrastinate_events, procrastinate_periodic_defers, procrastinate_jobs, procrastinate_workers CASCADE;
DROP TYPE procrastinate_job_to_defer_v1, procrastinate_job_event_type, procrastinate_job_status CASCADE;
""")
