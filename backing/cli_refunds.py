"""Refunding everybody at the command line."""

import sys
from typing import NoReturn

import click

from backing.cli import cli
from backing.refund_queries import refundable
from backing.refunding import refund_everyone, run_refunds
from core import money
from core.db import db
from core.errors import Refusal
from payments.refunds import REASONS
from projects.models import Project


@cli.command("refund-everyone")
@click.argument("slug")
@click.option("--reason", default="other", show_default=True, help=f"One of: {', '.join(REASONS)}.")
@click.option("--note", default="", help="A word to the backers.")
@click.option("--yes", is_flag=True, help="Do it. Without this the sum is shown and nothing happens.")
def refund_all(slug: str, reason: str, note: str, yes: bool) -> None:
    """Ask for a refund of all that is left of every payment of a project; workers tell Stripe. Goes on where it stopped."""
    project = db.session.scalar(db.select(Project).where(Project.slug == slug))
    if project is None:
        _end(f"There is no project “{slug}”.")
    if reason not in REASONS:
        _end(f"The reason must be one of: {', '.join(REASONS)}.")
    what, currency = refundable(project.id), project.currency
    if not yes:
        _end(f"{what.count} payments, {money.show(what.amount, currency)}. Say --yes to refund them.")
    try:
        run_id = refund_everyone(project, reason, note, None)
    except Refusal as refusal:
        _end(refusal.sentence)
    asked = run_refunds(run_id)
    click.echo(f"{asked} refunds asked for, {money.show(what.amount, currency)}; {what.disputed} left to their banks.")


def _end(sentence: str) -> NoReturn:
    click.echo(sentence, err=True)
    sys.exit(2)
