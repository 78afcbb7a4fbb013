"""`flask backers`: the backer list for those who run the site."""

import os
import sys
import tempfile
from pathlib import Path

import click
import sqlalchemy as sa
from flask import current_app

from backers import services
from backers.exports import FORMATS
from core.commands import Commands
from core.db import db
from projects.models import Project

cli = Commands("backers", help="Backer lists.")


@cli.command("export")
@click.argument("slug")
@click.option("--format", "kind", type=click.Choice(FORMATS), default="csv", show_default=True)
@click.option("--output", default="-", show_default=True, help="A file, or - for the standard output.")
def export(slug: str, kind: str, output: str) -> None:
    """Write the backer list of the project SLUG; a file appears whole or not at all."""
    project = db.session.scalar(sa.select(Project).where(Project.slug == slug))
    if project is None:
        click.echo(f"There is no project “{slug}”.", err=True)
        sys.exit(2)
    target = Path(output)
    if output != "-" and not target.parent.is_dir():
        click.echo(f"There is no folder “{target.parent}”.", err=True)
        sys.exit(2)
    app = current_app._get_current_object()  # type: ignore[attr-defined]
    parts = services.export(app, project, None, kind)
    db.session.rollback()  # nothing is held while the list leaves
    if output == "-":
        sys.stdout.buffer.writelines(parts)
        sys.stdout.buffer.flush()
        return
    handle, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.writelines(parts)
            file.flush()
            os.fsync(file.fileno())
        Path(name).replace(target)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
