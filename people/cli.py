"""For whoever runs the site."""

import sys

import click
from email_validator import EmailNotValidError, validate_email
from flask_security.utils import hash_password

from core import clock
from core.commands import BadCall, Commands
from core.db import transaction
from core.errors import Refusal
from people import queries, services
from people.models import Person
from people.passwords import Passwords

cli = Commands("people", help="Accounts.")


@cli.command("make-staff")
@click.argument("email")
def make_staff(email: str) -> None:
    """Let the person with this address run the site."""
    try:
        person = services.make_staff(email)
    except Refusal as refusal:
        raise click.ClickException(refusal.sentence) from None
    click.echo(f"{person.name} <{person.email}> is staff.")


@cli.command("add")
@click.option("--name", required=True)
@click.option("--email", required=True)
@click.option("--password-stdin", is_flag=True, help="Read the password from standard input, else there is none yet.")
@click.option("--locale", default="en", type=click.Choice(["en", "nl"]))
def add(name: str, email: str, password_stdin: bool, locale: str) -> None:
    """Make an account with a confirmed address. Without a password its owner asks for one at /reset."""
    try:
        address = validate_email(email, check_deliverability=False).normalized
    except EmailNotValidError:
        raise BadCall("This is not an e-mail address.") from None
    hashed = None
    if password_stdin:
        from flask import current_app

        said = Person(name=name, email=address, handle="")
        wrong, text = Passwords(current_app).validate(sys.stdin.readline().rstrip("\r\n"), False, user=said)
        if wrong:
            raise BadCall(wrong[0])
        hashed = hash_password(text)
    try:
        with transaction():
            person = services.add_person(email=address, name=name, password=hashed, locale=locale,
                                         confirmed_at=clock.now())
    except Refusal:
        raise click.ClickException("There is an account with this address already.") from None
    click.echo(f"{person.name} <{person.email}> has an account: /people/{person.handle}")


@cli.command("merge")
@click.argument("gone", metavar="FROM")
@click.argument("into", metavar="INTO")
@click.option("--yes", is_flag=True, help="Do not ask.")
def merge(gone: str, into: str, yes: bool) -> None:
    """Two accounts of one person become one: all that FROM has goes to INTO, and FROM is closed. Both are addresses.

    This cannot be undone.
    """
    found = {address: queries.person_by_email(address) for address in (gone, into)}
    for address, person in found.items():
        if person is None:
            raise BadCall(f"Nobody has an account with the address {address}.")
    goes, stays = found[gone], found[into]
    assert goes is not None and stays is not None
    click.echo(f"Closes:  {goes.name} <{goes.email}>\nStays:   {stays.name} <{stays.email}>")
    if not yes:
        said = click.prompt("This cannot be undone. Type the address of the account that closes")
        if said.strip().lower() != goes.email.lower():
            raise click.ClickException("That is another address. Nothing was changed.")
    try:
        services.merge(stays, goes)
    except Refusal as refusal:
        raise click.ClickException(refusal.sentence) from None
    click.echo(f"{stays.name} <{stays.email}> has it all; nobody signs in as {goes.email} any more.")
