"""Invented projects, people and drawings to fill a fresh Achterban with."""

from flask import Flask


def init_app(app: Flask) -> None:
    from demo.cli import cli

    app.cli.add_command(cli)
