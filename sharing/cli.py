"""`flask sharing report SLUG`: who brought whom, for the terminal or a sheet."""

import csv
import sys

import click
import sqlalchemy as sa
from flask.cli import AppGroup

from core.db import db
from core.money import show, to_decimal
from projects.models import Project
from sharing import queries

cli = AppGroup("sharing", help="Sharing links and what they brought.")
HEADS = ("Recruiter", "Backer number", "Code", "Visits", "Recruits", "Pledged", "Collected")


@cli.command("report")
@click.argument("slug")
@click.option("--format", "form", type=click.Choice(["table", "csv"]), default="table", show_default=True)
def report(slug: str, form: str) -> None:
    """Print who brought whom to the project SLUG."""
    project = db.session.scalar(sa.select(Project).where(Project.slug == slug))
    if project is None:
        raise click.UsageError(f"There is no project “{slug}”.")
    found, _all = queries.recruits_by_person(project.id)
    if form == "csv":
        sheet = csv.writer(sys.stdout)
        sheet.writerow(HEADS)
        for one in found:
            sheet.writerow([defused(one.name), one.number or "", one.code, one.visits, one.recruits,
                            to_decimal(one.pledged, project.currency), to_decimal(one.collected, project.currency)])
        return
    rows = [(printable(one.name), str(one.number or ""), one.code, str(one.visits), str(one.recruits),
             show(one.pledged, project.currency), show(one.collected, project.currency)) for one in found]
    widths = [max(len(row[i]) for row in (HEADS, *rows)) for i in range(len(HEADS))]
    for row in (HEADS, *rows):
        click.echo("  ".join(cell.ljust(width) if i in (0, 2) else cell.rjust(width)
                             for i, (cell, width) in enumerate(zip(row, widths, strict=True))).rstrip())
    click.echo()
    for source in queries.sources(project.id):
        click.echo(f"{source.source}: {source.pledges} pledges, {show(source.amount, project.currency)}")


def defused(text: str) -> str:
    """A name that no sheet takes for a formula (W-15)."""
    start = text.lstrip(" \"'")[:1]
    return f"'{text}" if start and start in "=+-@\t\r\n＝＋－＠" else text


def printable(text: str) -> str:
    """A name without what would move the terminal's cursor."""
    return "".join(sign if sign.isprintable() else "?" for sign in text)
