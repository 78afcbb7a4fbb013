"""Achterban: `create_app()` puts the rooms on their floors."""
# ruff: noqa: E402

import gc

# What is imported stays for good. To look for garbage among it, again and again while it grows, was two fifths of the
# time in which any process of ours starts, and a pause now and then for as long as it runs.
_collects = gc.isenabled()
gc.disable()

from typing import Any

from flask import Flask
from flask_bootstrap import Bootstrap5

import backers
import backing
import config
import core
import demo
import insights
import payments
import people
import projects
import rewards
import sharing
from core import policy, postgres, templates
from core.templates import Templates

gc.freeze()
if _collects:
    gc.enable()

# The drawing of the house: imports and foreign keys point down only. Rooms in one tuple stand on one floor.
FLOORS = (("core", "config"), ("people",), ("projects",), ("rewards", "payments"), ("backing",),
          ("sharing",), ("backers", "insights"), ("demo",))
ROOMS = (core, people, projects, rewards, payments, backing, sharing, backers, insights, demo)


def create_app(env: dict[str, str] | None = None, **overrides: Any) -> Flask:
    """The whole application, configured from the environment; keyword arguments win over it."""
    app = Flask(__name__)
    app.jinja_environment = Templates  # before anything looks at it
    try:
        app.config.from_mapping(config.load(env) | overrides)
    except config.Refused as refused:
        import sys

        print(f"achterban: {refused.sentence}", file=sys.stderr)
        raise
    if not app.config["DATABASE_URL"]:
        app.config["DATABASE_URL"] = postgres.ensure_running(app.config["INSTANCE"] / "postgres")
    Bootstrap5(app)
    for room in ROOMS:
        room.init_app(app)
    templates.init_app(app)
    policy.check_rules(app)
    return app
