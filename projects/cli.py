"""Commands about projects."""

import click
import sqlalchemy as sa

from core.commands import Commands
from core.db import fetch_all
from projects import services

cli = Commands("projects", help="Projects: list them, close those whose time is up.")


@cli.command("close-due")
def close_due() -> None:
    """Close every project whose deadline has passed."""
    number = services.close_due()
    click.echo("1 project closed." if number == 1 else f"{number} projects closed.")


@cli.command("list")
def listing() -> None:
    """Every project: state, address, goal, pledged, deadline."""
    rows = fetch_all(sa.text("""
        SELECT p.state, p.slug, p.goal, p.currency, p.deadline, coalesce(p.raised_at_close, t.raised, 0) AS raised
          FROM project p LEFT JOIN project_total t ON t.project_id = p.id ORDER BY p.created_at"""))
    for row in rows:
        end = f"{row.deadline:%Y-%m-%d %H:%M} UTC" if row.deadline else "no deadline"
        click.echo(f"{row.state:<13} {row.slug:<40} {row.raised} of {row.goal or 0} {row.currency}  {end}")
