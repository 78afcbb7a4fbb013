"""Sharing: who told whom, and what came of it."""

from flask import Flask


def init_app(app: Flask) -> None:
    import backing.hooks
    import people.hooks
    import projects.hooks
    from sharing import ears, jobs, rules, views  # noqa: F401 -- jobs and rules register themselves
    from sharing.cli import cli

    app.register_blueprint(views.bp)
    app.cli.add_command(cli)
    app.after_request(ears.carry_cookie)
    projects.hooks.page_shown.connect(ears.on_page)
    projects.hooks.tabs_asked.connect(ears.on_tabs)
    backing.hooks.backing_asked.connect(ears.on_pledge_form)
    backing.hooks.pledge_confirmed.connect(ears.on_confirmed)
    backing.hooks.pledge_shown.connect(ears.on_pledge_shown)
    people.hooks.me_shown.connect(ears.on_me)
    people.hooks.signed_in.connect(ears.on_sign_in)
