from flask import Flask


def init_app(app: Flask) -> None:
    from insights import views
    from projects.hooks import tabs_asked

    app.register_blueprint(views.bp)
    tabs_asked.connect(views.add_tab)
