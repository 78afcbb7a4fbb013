"""The pitch: story, pictures, goal, deadline, and its life from draft to result."""

from flask import Flask


def init_app(app: Flask) -> None:
    import people.hooks
    from projects import cli, editor, emails, hooks, jobs, launching, merging, views  # noqa: F401

    app.register_blueprint(views.bp)
    app.cli.add_command(cli.cli)
    app.jinja_env.globals.update(work_tabs=views.work_tabs, money_of=views.money_of, ends_text=views.ends_text)
    hooks.steps_asked.connect(launching.add_steps)
    hooks.tabs_asked.connect(views.add_tabs)
    people.hooks.me_shown.connect(views.on_me)
    people.hooks.person_shown.connect(views.on_person)
    people.hooks.people_merged.connect(merging.move_projects)
