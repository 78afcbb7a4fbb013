"""Invented projects, people and drawings to fill a fresh Achterban with."""

from flask import Flask


def init_app(app: Flask) -> None:
    from demo import sandbox_clock
    from demo.cli import cli

    if app.config["ENV_NAME"] != "production":
        app.cli.add_command(cli)
        sandbox_clock.init_app(app)
