"""Sharing: who told whom, and what came of it."""

from flask import Flask


def init_app(app: Flask) -> None:
    import backing.hooks
    import core.platform
    import people.hooks
    import projects.hooks
    from sharing import (  # noqa: F401 -- jobs and rules register themselves
        checks,
        cli_review,
        cli_rounds,
        cli_tags,
        cli_tallies,
        drawing,
        ears,
        emails_ambassadors,
        emails_fairness,
        emails_milestones,
        emails_recommendations,
        granting,
        jobs,
        jobs_rounds,
        landing,
        merging,
        models_fairness,
        recommendations,
        rounds,
        rules,
        rules_rounds,
        shortcut,
        views,
        views_ambassadors,
        views_ambassadors_desk,
        views_milestones,
        views_print,
        views_recommendations,
        views_reports,
        views_review,
        views_share,
        views_tags,
        views_widgets,
        watching,
    )
    from sharing.cli import cli

    app.register_blueprint(views.bp)
    app.cli.add_command(cli)
    app.add_template_filter(drawing.cut_to)
    app.add_template_filter(drawing.letters_wide)
    app.before_request(ears.keep_marks)
    app.after_request(ears.carry_cookie)
    app.url_defaults(ears.carry_code)
    app.after_request(ears.note_device)
    watching.connect()
    granting.connect()
    core.platform.pages_asked.connect(views_review.add_page)
    checks.register_checks()
    shortcut.init_app(app)
    projects.hooks.page_shown.connect(ears.on_page)
    projects.hooks.page_shown.connect(landing.on_page)
    projects.hooks.tabs_asked.connect(ears.on_tabs)
    projects.hooks.project_cancelled.connect(rounds.follow_cancel)
    projects.hooks.project_closed.connect(rounds.follow_close)
    backing.hooks.backing_asked.connect(ears.on_pledge_form)
    backing.hooks.backing_asked.connect(landing.on_pledge_form)
    backing.hooks.pledge_confirmed.connect(ears.on_confirmed)
    backing.hooks.pledge_shown.connect(ears.on_pledge_shown)
    backing.hooks.pledge_shown.connect(landing.on_pledge_shown)
    people.hooks.me_shown.connect(ears.on_me)
    people.hooks.signed_in.connect(ears.on_sign_in)
    people.hooks.merge_asked.connect(merging.look_at_rounds)
    people.hooks.people_merged.connect(merging.move_sharing)
    backing.hooks.pledge_changed.connect(recommendations.on_pledge_changed)
