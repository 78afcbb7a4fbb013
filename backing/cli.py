"""Pledges at the command line."""

import sys

import click
import sqlalchemy as sa
from flask.cli import AppGroup

from backing.collecting import progress, run_collection
from core.db import db

cli = AppGroup("backing", help="Look after pledges.")


@cli.command("collect")
@click.argument("slug")
def collect(slug: str) -> None:
    """Collect what is left to collect of a successful project; safe beside running workers."""
    row = db.session.execute(sa.text("SELECT id, state FROM project WHERE slug = :slug"), {"slug": slug}).first()
    db.session.rollback()
    if row is None:
        click.echo(f"There is no project “{slug}”.", err=True)
        sys.exit(2)
    if row.state != "successful":
        click.echo(f"“{slug}” is {row.state}; only a successful project is collected.", err=True)
        sys.exit(2)
    tried = run_collection(row.id)
    click.echo(f"{tried} tried. " + ", ".join(f"{n} {state}" for state, n in sorted(progress(row.id).items())))
