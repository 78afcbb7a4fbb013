"""Invented projects, people and drawings to fill a fresh Achterban with, and the page of tools to play with them."""

from flask import Flask


def init_app(app: Flask) -> None:
    from demo import sandbox_clock
    from demo.cli import cli
    from demo.views import bp

    if app.config["ENV_NAME"] != "production":
        app.cli.add_command(cli)
        app.register_blueprint(bp)
        sandbox_clock.init_app(app)
