"""The pledge, its whole life: form, hold, change, cancel, collect, mend."""

from typing import Any

from flask import Flask
from flask_login import current_user

from backing import checks, closing, collecting, confirming, emails, jobs, rules, texts, totals
from backing.cli import cli
from backing.queries import active_pledge, pledges_of
from backing.views import bp
from payments.hooks import card_saved, payment_changed
from people.hooks import me_shown
from people.models import Person
from projects.hooks import page_shown, project_cancelled, project_closed, sum_asked
from projects.models import Project


def init_app(app: Flask) -> None:
    app.register_blueprint(bp)
    app.cli.add_command(cli)
    texts.init_app(app)
    checks.register_checks()
    card_saved.connect(confirming.follow_card)
    payment_changed.connect(collecting.follow_payment)
    sum_asked.connect(closing.tell_sum)
    project_closed.connect(closing.follow_close)
    project_cancelled.connect(closing.follow_cancel)
    page_shown.connect(_on_page)
    me_shown.connect(_on_me)


def _on_page(project: Project, context: dict[str, Any]) -> None:
    context["my_pledge"] = active_pledge(project.id, current_user.id) if current_user.is_authenticated else None


def _on_me(person: Person, context: dict[str, Any]) -> None:
    context["pledges"] = pledges_of(person.id)
    context.setdefault("parts", []).append("backing/_me.html")


__all__ = ["emails", "init_app", "jobs", "rules", "totals"]
