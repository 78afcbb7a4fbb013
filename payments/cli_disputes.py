"""Disputes at the command line."""

import sys
from uuid import UUID

import click

from core import money
from core.errors import Refusal
from payments import answering, cases
from payments.cli import cli


@cli.command("disputes")
@click.option("--all", "everything", is_flag=True, help="Also what nobody has to do anything about.")
def list_disputes(everything: bool) -> None:
    """Disputes and fraud warnings that wait for an answer or a decision, by their deadline."""
    page, shown = 1, 0
    while found := cases.cases("" if everything else "waiting", page):
        for case in found:
            due = f"until {case.due_at:%Y-%m-%d %H:%M} UTC" if case.due_at and case.is_waiting else ""
            click.echo("  ".join(part for part in (
                str(case.id), case.kind, case.slug, case.subject, money.show(case.amount, case.currency), case.status,
                case.reason, due, "LATE" if case.is_late else "") if part))
        shown, page = shown + len(found), page + 1
    if not shown:
        click.echo("Nothing waits.")


@cli.command("dispute-accept")
@click.argument("dispute_id", type=click.UUID)
@click.option("--yes", is_flag=True, help="Do not ask; there is no way back.")
def accept(dispute_id: UUID, yes: bool) -> None:
    """Accept the loss of a dispute."""
    dispute = cases.dispute_of(dispute_id)
    if dispute is None:
        click.echo("There is no such dispute.", err=True)
        sys.exit(2)
    amount = money.show(dispute.amount, dispute.currency)
    if not yes:
        click.confirm(f"Give up {amount} of {dispute.stripe_id}? There is no way back.", abort=True)
    try:
        answering.accept_dispute(dispute_id)
    except Refusal as refusal:
        click.echo(refusal.sentence, err=True)
        sys.exit(1)
    click.echo(f"The loss of {amount} is accepted; the worker tells Stripe.")
