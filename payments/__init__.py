"""Money and nothing else. Opens with a hook for rooms above: `card_saved`, `payment_changed`."""

from flask import Flask, url_for
from flask_babel import gettext as _

from core.jobs import every
from payments import accounts, charging, emails, inbox
from payments.cli import cli
from payments.views import bp
from people.models import Person
from projects.hooks import Step, Tab, steps_asked, tabs_asked
from projects.models import Project

every(20, "payments:resolve_unknown")(charging.resolve_unknown)


def init_app(app: Flask) -> None:
    app.register_blueprint(bp)
    app.cli.add_command(cli)
    steps_asked.connect(_step)
    tabs_asked.connect(_tab)


def _step(project: Project, steps: list[Step]) -> None:
    account = accounts.account_of(project.creator_id)
    steps.append(Step("payouts", _("Payout account"), url_for("payments.payouts", slug=project.slug),
                      bool(account and account.is_active), _("Tell Stripe where the money goes"), 80))


def _tab(project: Project, person: Person, tabs: list[Tab]) -> None:
    if person.is_authenticated and person.id == project.creator_id:
        tabs.append(Tab("payouts", _("Payouts"), url_for("payments.payouts", slug=project.slug), None, 80))


__all__ = ["emails", "inbox", "init_app"]
