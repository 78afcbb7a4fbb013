"""The catalogue: what a backer may choose."""

from flask import Flask


def init_app(app: Flask) -> None:
    from projects import hooks
    from rewards import views

    app.register_blueprint(views.bp)
    hooks.page_shown.connect(views.show_on_page)
    hooks.steps_asked.connect(views.add_step)
    hooks.tabs_asked.connect(views.add_tab)
