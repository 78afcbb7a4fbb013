"""The books at the command line."""

import sys

import click
import sqlalchemy as sa

from core import money
from core.commands import BadCall
from core.db import db
from payments import payouts, statements
from payments.cli import cli
from projects.models import Project
from projects.rules import project_of


@cli.command("statement")
@click.argument("slug")
@click.option("--csv", "as_csv", is_flag=True, help="Every movement instead, as CSV.")
def statement(slug: str, as_csv: bool) -> None:
    """Where every cent of a project is."""
    project = _project(slug)
    if as_csv:
        return _write(statements.project_file(_conninfo(), project.id))
    known = statements.statement(project)
    for label, amount in (
            ("came in", known.came_in), ("platform", -known.platform_fee), ("processing", -known.processing_fee),
            ("refunds", -known.refunded), ("disputes", -known.disputed), ("dispute fees", -known.dispute_fees),
            ("transferred", -known.transferred), ("on its way", -known.on_its_way), ("owed by creator", known.debt),
            ("to come", known.owed), ("  of it reserve", known.reserve), ("  of it disputed", known.held)):
        click.echo(f"{label:<16} {money.to_decimal(amount, known.currency):>16} {known.currency}")
    if known.next_at:
        click.echo(f"next payout      {known.next_at:%Y-%m-%d %H:%M} UTC {known.why}".rstrip())
    elif known.free:
        click.echo(f"next payout      when nothing is in its way: {known.why}")


@cli.command("books")
@click.option("--csv", "as_csv", is_flag=True, help="Every entry of the ledger instead, as CSV.")
def books(as_csv: bool) -> None:
    """The trial balance: each account and currency; exit 1 if a currency does not sum to zero."""
    if as_csv:
        return _write(statements.books_file(_conninfo()))
    sums: dict[str, int] = {}
    for row in statements.trial_balance():
        sums[row.currency] = sums.get(row.currency, 0) + int(row.balance)
        click.echo(f"{row.account:<20} {money.to_decimal(row.balance, row.currency):>18} {row.currency} {row.n:>9}")
    for currency, amount in sums.items():
        click.echo(f"{'together':<20} {money.to_decimal(amount, currency):>18} {currency}")
    sys.exit(1 if any(sums.values()) else 0)


@cli.command("transfer")
@click.argument("slug", required=False)
def transfer(slug: str | None) -> None:
    """Pay out what is due: of one project, or of all."""
    wanted = sa.select(Project.id, Project.slug).where(Project.state == "successful").order_by(Project.deadline)
    rows = [(_project(slug).id, slug)] if slug else [(row.id, row.slug) for row in db.session.execute(wanted)]
    db.session.rollback()
    for project_id, name in rows:
        tried = payouts.pay_out(project_id)
        why = payouts.waits_for(project_id)
        db.session.rollback()
        click.echo(f"{name}: {tried} transfers{f', waits for {why}' if why else ''}.")


def _project(slug: str) -> Project:
    from core.errors import NotFound

    try:
        return project_of(slug)
    except NotFound as error:
        raise BadCall(f"There is no project {slug}.") from error


def _conninfo() -> str:
    from flask import current_app

    from core.postgres import conninfo

    return conninfo(current_app._get_current_object())  # type: ignore[attr-defined]


def _write(pieces: object) -> None:
    for piece in pieces:  # type: ignore[attr-defined]
        sys.stdout.buffer.write(piece)
    sys.stdout.buffer.flush()
