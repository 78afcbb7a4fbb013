"""`flask sharing check` and `flask sharing rebuild SLUG`: do the tallies say what the pledges say?"""

import sys

import click
import sqlalchemy as sa

from core.db import db
from projects.models import Project
from sharing import checks, tallies
from sharing.cli import cli


def _project(slug: str) -> Project:
    project = db.session.scalar(sa.select(Project).where(Project.slug == slug))
    if project is None:
        raise click.UsageError(f"There is no project “{slug}”.")
    return project


@cli.command("check")
@click.argument("slug", required=False)
def check(slug: str | None) -> None:
    """Compare the tree and all tallies with the pledges, of the project SLUG or of all; exit 1 if they differ."""
    found = checks.broken(_project(slug).id if slug else None)
    for name, rows in found.items():
        click.echo(f"{'wrong' if rows else 'ok   '}  {name}{f': {rows} rows' if rows else ''}")
    if any(found.values()):
        sys.exit(1)


@cli.command("rebuild")
@click.argument("slug")
def rebuild(slug: str) -> None:
    """Make the tree and the tallies of the project SLUG anew from its pledges."""
    project = _project(slug)
    tallies.rebuild(project.id)
    wrong = tallies.check(project.id)
    click.echo("\n".join(wrong) or "All tallies of this project are what its pledges say.")
    if wrong:
        sys.exit(1)
