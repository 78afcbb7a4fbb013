"""Money and nothing else. Opens with a hook for rooms above: `card_saved`, `payments_changed`."""

from flask import Flask, url_for
from flask_babel import gettext as _

from core import health
from core.jobs import every, starting
from core.platform import StaffPage, pages_asked
from payments import (
    accounts,
    charging,
    cli_books,
    cli_disputes,
    cli_refunds,
    cli_worklist,
    dispute_mails,
    emails,
    figures,
    hooks,
    inbox,
    merging,
    payout_checks,
    payouts,
    reconciling,
    refund_checks,
    refunds,
    safety,
    shortcut,
    steps,
    sweeping,
    transfers,
    views_books,
    views_disputes,
    views_worklist,
    warnings,
)
from payments.cli import cli
from payments.models import Dispute, Refund, RefundState
from payments.views import bp
from people.hooks import people_merged
from people.models import Person
from projects.hooks import Tab, launch_asked, project_closed, steps_asked, tabs_asked
from projects.models import Project, ProjectState

every(20, "payments:resolve_unknown", lane="stripe")(charging.resolve_unknown)


def init_app(app: Flask) -> None:
    app.register_blueprint(bp)
    app.cli.add_command(cli)
    steps_asked.connect(steps.add_steps)
    tabs_asked.connect(_tab)
    launch_asked.connect(accounts.look_before_launch)
    project_closed.connect(accounts.follow_close)
    pages_asked.connect(_desk)
    payout_checks.init_app(app)
    shortcut.init_app(app)
    pages_asked.connect(views_disputes.add_page)
    pages_asked.connect(views_worklist.add_page)
    health.ready_asked.connect(safety.tell_ready)
    health.measured.connect(figures.measure)
    starting.connect(safety.look_at_start)
    hooks.dispute_changed.connect(warnings.follow_dispute)
    hooks.dispute_changed.connect(_look_again)
    hooks.refund_changed.connect(warnings.follow_refund)
    hooks.refund_changed.connect(_look_again_at)
    people_merged.connect(merging.move_money)


def _look_again(dispute: Dispute) -> None:
    """What a bank held may be owed to the creator again."""
    transfers.look_again(dispute.project_id)


def _look_again_at(refund: Refund) -> None:
    """What did not arrive at the backer is the creator's again."""
    if refund.state in (RefundState.FAILED, RefundState.CANCELED):
        transfers.look_again(refund.project_id)


def _tab(project: Project, person: Person, tabs: list[Tab]) -> None:
    if person.is_authenticated and (person.id == project.creator_id or person.is_staff):
        label = _("Money") if project.state is ProjectState.SUCCESSFUL else _("Payouts")
        tabs.append(Tab("payouts", label, url_for("payments.payouts", slug=project.slug), None, 80))


def _desk(pages: list[StaffPage]) -> None:
    pages.append(StaffPage("books", _("Books"), url_for("payments.books"), _("Where every cent is"), order=90))


__all__ = [
    "cli_books",
    "cli_disputes",
    "cli_refunds",
    "cli_worklist",
    "dispute_mails",
    "emails",
    "inbox",
    "init_app",
    "payouts",
    "reconciling",
    "refund_checks",
    "refunds",
    "sweeping",
    "transfers",
    "views_books",
]
