"""Refunds at the command line."""

import sys
from typing import NoReturn
from uuid import UUID

import click
import sqlalchemy as sa

from core import money
from core.db import db
from core.errors import Refusal
from payments.cli import cli
from payments.models import Payment
from payments.refunds import REASONS, ask_refund


@cli.command("refund")
@click.argument("pledge_id")
@click.option("--amount", help="As people write it, like 12.50; without it all that is left.")
@click.option("--reason", required=True, help=f"One of: {', '.join(REASONS)}.")
def refund(pledge_id: str, amount: str | None, reason: str) -> None:
    """Give money back to a backer; a worker tells Stripe."""
    try:
        subject = UUID(pledge_id)
    except ValueError:
        _end(f"“{pledge_id}” is not the id of a pledge.")
    payment = db.session.scalar(sa.select(Payment).where(Payment.subject_id == subject))
    if payment is None:
        _end(f"There is no payment for a pledge {pledge_id}.")
    if reason not in REASONS:
        _end(f"The reason must be one of: {', '.join(REASONS)}.")
    try:
        wanted = None if amount is None else money.parse(amount, payment.currency)
    except ValueError:
        _end(f"“{amount}” is not an amount; write it like 12.50.")
    payment_id = payment.id
    db.session.rollback()
    try:
        made = ask_refund(payment_id, wanted, reason)
    except Refusal as refusal:
        _end(refusal.sentence)
    click.echo(f"{money.show(made.amount, made.currency)} asked for; refund {made.id}.")


def _end(sentence: str) -> NoReturn:
    click.echo(sentence, err=True)
    sys.exit(2)
