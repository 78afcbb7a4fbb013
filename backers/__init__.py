from flask import Flask


def init_app(app: Flask) -> None:
    from backers import cli, views
    from projects.hooks import tabs_asked

    app.register_blueprint(views.bp)
    app.cli.add_command(cli.cli)
    tabs_asked.connect(views.add_tab)
