"""Money at the command line."""

import sys

import click

from core.commands import Commands
from payments.checks import run_all

cli = Commands("payments", help="Look after the money.")


@cli.command("check")
def check() -> None:
    """Prove the invariants of money, each with what was looked at; exit 1 and name the rows where one does not hold."""
    broken = 0
    for result in run_all():
        click.echo(f"{'ok  ' if not result.rows else 'WRONG'} {result.name} ({result.figure()})")
        for row in result.rows:
            broken += 1
            click.echo(f"      {tuple(str(value) for value in row)}", err=True)
    sys.exit(1 if broken else 0)
