"""Accounts, sign-in and what people say of themselves."""

from flask import Flask

from people import accounts, emails, views
from people.cli import cli


def init_app(app: Flask) -> None:
    accounts.init_app(app)
    app.register_blueprint(views.bp)
    app.cli.add_command(cli)


__all__ = ["emails", "init_app"]
