"""`flask clock`: look at the one clock, and move it where that is allowed."""

import re
from datetime import timedelta

import click
from flask import Flask, current_app

from core import clock
from core.commands import Commands

cli = Commands("clock", help="The one clock of development and tests.")
UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}


def parse_span(text: str) -> timedelta:
    """`90s`, `15m`, `3h`, `9d`, or several: `1d12h`; ValueError otherwise."""
    if not re.fullmatch(r"(?:\d{1,5}[smhd])+", text):
        raise ValueError(text)
    return timedelta(**{UNITS[unit]: int(n) for n, unit in re.findall(r"(\d+)([smhd])", text)})


@cli.command("show")
def show() -> None:
    """Print the time the site goes by."""
    click.echo(clock.now().isoformat(timespec="seconds"))


@cli.command("move")
@click.argument("span")
def move(span: str) -> None:
    """Move the clock forward by SPAN: 15m, 3h, 9d, 1d12h."""
    if current_app.config["ENV_NAME"] == "production":
        raise click.UsageError("The clock cannot be moved in production.")
    try:
        by = parse_span(span)
    except ValueError:
        raise click.UsageError(f"“{span}” is no span of time; write 15m, 3h or 9d.") from None
    clock.move_clock(by)
    click.echo(clock.now().isoformat(timespec="seconds"))


def init_app(app: Flask) -> None:
    app.cli.add_command(cli)
