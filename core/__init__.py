"""The ground floor: what every room stands on and none of them owns."""

from flask import Flask

from core import (
    audit,
    clock_cli,
    db,
    errors,
    health,
    i18n,
    jobs,
    logs,
    mailbox,
    media,
    migrate,
    pages,
    platform,
    policy,
    sessions,
    web,
)


def init_app(app: Flask) -> None:
    logs.init_app(app)
    db.init_app(app)
    pages.init_app(app)  # in front of the app, behind the proxy fix
    web.init_app(app)
    i18n.init_app(app)
    sessions.init_app(app)
    policy.init_app(app)
    errors.init_app(app)
    jobs.init_app(app)
    mailbox.init_app(app)
    media.init_app(app)
    migrate.init_app(app)
    health.init_app(app)
    clock_cli.init_app(app)
    audit.init_app(app)
    platform.init_app(app)
