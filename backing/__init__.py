"""The pledge, its whole life: form, hold, change, cancel, collect, mend."""

from typing import Any

from flask import Flask, url_for
from flask_babel import gettext as _
from flask_login import current_user

from backing import (
    checks,
    cli_refunds,
    closing,
    confirming,
    emails,
    emails_refunds,
    evidence,
    fix_words,
    following,
    jobs,
    merging,
    refund_words,
    refunding,
    rules,
    texts,
    totals,
    views_collection,
    views_refunds,
)
from backing.cli import cli
from backing.queries import active_pledge, pledges_of
from backing.views import bp
from core.platform import pages_asked
from payments.hooks import (
    bundle_asked,
    card_saved,
    evidence_asked,
    payments_changed,
    payout_asked,
    refund_changed,
    subjects_asked,
)
from people.hooks import me_shown, merge_asked, people_merged
from people.models import Person
from projects.hooks import Tab, page_shown, project_cancelled, project_closed, sum_asked, tabs_asked
from projects.models import Project, ProjectState


def init_app(app: Flask) -> None:
    app.register_blueprint(bp)
    app.cli.add_command(cli)
    texts.init_app(app)
    refund_words.init_app(app)
    fix_words.init_app(app)
    checks.register_checks()
    card_saved.connect(confirming.follow_card)
    payments_changed.connect(following.follow_payments)
    sum_asked.connect(closing.tell_sum)
    project_closed.connect(closing.follow_close)
    project_cancelled.connect(closing.follow_cancel)
    payout_asked.connect(closing.hold_payout)
    refund_changed.connect(refunding.follow_refund)
    subjects_asked.connect(evidence.name_subjects)
    evidence_asked.connect(evidence.fill_texts)
    bundle_asked.connect(evidence.add_files)
    tabs_asked.connect(_tab)
    tabs_asked.connect(views_collection.add_tab)
    pages_asked.connect(views_collection.add_page)
    page_shown.connect(_on_page)
    me_shown.connect(_on_me)
    merge_asked.connect(merging.look_at_pledges)
    people_merged.connect(merging.move_pledges)


def _on_page(project: Project, context: dict[str, Any]) -> None:
    context["my_pledge"] = active_pledge(project.id, current_user.id) if current_user.is_authenticated else None


def _tab(project: Project, person: Person, tabs: list[Tab]) -> None:
    """Refunds, once there is money that could go back."""
    if project.state is ProjectState.SUCCESSFUL and rules.may_refund(person, project):
        tabs.append(Tab("refunds", _("Refunds"), url_for("backing.refunds", slug=project.slug), None, 85))


def _on_me(person: Person, context: dict[str, Any]) -> None:
    context["pledges"] = pledges_of(person.id)
    context.setdefault("parts", []).append("backing/_me.html")


__all__ = ["cli_refunds", "emails", "emails_refunds", "init_app", "jobs", "rules", "totals", "views_refunds"]
