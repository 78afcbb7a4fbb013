"""`flask db upgrade`: numbered migrations, one lock, short timeouts (O-05).

Alembic is imported by whoever migrates: it is a tenth of what every other command and worker would start with.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import click
import sqlalchemy as sa
from flask import Flask, current_app

from core.commands import Commands
from core.db import db, sqlalchemy_url

if TYPE_CHECKING:
    from alembic.config import Config

FOLDER = Path(__file__).parent.parent / "migrations"
cli = Commands("db", help="Look after the database.")


def alembic_config(url: str) -> Config:
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(FOLDER))
    config.set_main_option("path_separator", "os")
    config.set_main_option("sqlalchemy.url", sqlalchemy_url(url).replace("%", "%%"))
    return config


def upgrade(url: str, to: str = "head") -> None:
    """Bring the database of this address to the newest migration, as its owner; waits for others who do the same."""
    from alembic import command

    command.upgrade(alembic_config(url), to)


@cache
def head() -> str:
    from alembic.script import ScriptDirectory

    return ScriptDirectory(str(FOLDER)).get_current_head() or ""


def current() -> str:
    """The revision the database is at; empty before the first."""
    return db.session.scalar(sa.text("SELECT version_num FROM alembic_version")) or ""


@cli.command("upgrade")
def upgrade_command() -> None:
    """Run the migrations that are missing."""
    upgrade(current_app.config["DATABASE_URL"])
    click.echo(f"The database is at {head()}.")


def init_app(app: Flask) -> None:
    app.cli.add_command(cli)
