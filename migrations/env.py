"""Runs the numbered migrations one by one, under one lock, with short timeouts (O-05)."""

import sqlalchemy as sa
from alembic import context

TIMEOUTS = ("SET lock_timeout = '1s'", "SET statement_timeout = '5s'")
KEY = 7_309_944_071  # any number: whoever migrates takes this advisory lock

config = context.config
if context.is_offline_mode():
    context.configure(url=config.get_main_option("sqlalchemy.url"), literal_binds=True, transaction_per_migration=True)
    with context.begin_transaction():
        for line in TIMEOUTS:
            context.execute(line)
        context.run_migrations()
else:
    engine = sa.create_engine(config.get_main_option("sqlalchemy.url") or "", poolclass=sa.pool.NullPool)
    with engine.connect() as connection:
        connection.execute(sa.text(f"SELECT pg_advisory_lock({KEY})"))
        for line in TIMEOUTS:
            connection.execute(sa.text(line))
        connection.commit()
        context.configure(connection=connection, transaction_per_migration=True)
        with context.begin_transaction():
            context.run_migrations()
