"""Money at the command line."""

import sys

import click
from flask.cli import AppGroup

from payments import charging
from payments.checks import run_checks

cli = AppGroup("payments", help="Look after the money.")


@cli.command("check")
def check() -> None:
    """Prove the invariants of money; exit 1 and name the rows where one does not hold."""
    broken = 0
    for name, rows in run_checks():
        click.echo(f"{'ok  ' if not rows else 'WRONG'} {name}")
        for row in rows:
            broken += 1
            click.echo(f"      {tuple(str(value) for value in row)}", err=True)
    sys.exit(1 if broken else 0)


@cli.command("reconcile")
def reconcile() -> None:
    """Ask Stripe about every payment that has no answer yet."""
    known = charging.resolve_unknown()
    click.echo(f"{known} payments became known.")
