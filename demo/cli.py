"""`flask demo …`"""

import sys

import click
from flask import current_app

from core.commands import Commands
from demo import stories

cli = Commands("demo", help="Fill and run the demo.")


@cli.command("seed")
def seed() -> None:
    """Fill an empty database with invented projects; does nothing when there are some."""
    from demo import seed as making

    # Services that name addresses (the launch checklist) need a request to build them from.
    with current_app.test_request_context(base_url=current_app.config["BASE_URL"]):
        made = making.seed()
    click.echo("The demo is made." if made else "There are projects already; nothing was changed.", file=sys.stderr)


@cli.command("accounts")
def accounts() -> None:
    """Who can sign in, and with what."""
    for role, email in stories.ACCOUNTS.items():
        click.echo(f"{role:<10} {email:<32} {stories.PASSWORD}")
