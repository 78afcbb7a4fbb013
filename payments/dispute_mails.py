"""What creators and staff are told of disputes and warnings: creators in neutral words, staff in plain ones."""

from typing import Any
from uuid import UUID

from flask import current_app, url_for
from flask_babel import force_locale
from flask_babel import gettext as _

from core import money
from core.db import db
from core.i18n import locale_name
from core.mail import Letter, author
from payments import cases
from payments.alerts import alert_kind
from payments.disputes import CLOSED, LOSSES
from payments.models import Dispute, Payment
from projects.models import Project


def _letter(dispute: Dispute, **more: Any) -> Letter:
    project = db.session.get_one(Project, dispute.project_id)
    payment = db.session.get_one(Payment, dispute.payment_id)
    creator, base = project.creator, current_app.config["BASE_URL"]
    with current_app.test_request_context(base_url=base), force_locale(creator.locale):
        context = {
            "project": project, "backer": cases.name_subjects([payment.subject_id])[payment.subject_id],
            "amount": money.show(dispute.held or dispute.amount, dispute.currency, creator.locale),
            "fee": money.show(dispute.fee, dispute.currency, creator.locale) if dispute.fee else "",
            "money_url": base + url_for("payments.payouts", slug=project.slug), "lang": creator.locale, **more}
    return Letter(creator.email, creator.name, creator.locale, context)


@author("payments/dispute_frozen")
def dispute_frozen(dispute_id: str) -> Letter | None:
    dispute = db.session.get(Dispute, UUID(dispute_id))
    if dispute is None or dispute.status in CLOSED or not dispute.is_withdrawn:
        return None
    return _letter(dispute)


@author("payments/dispute_returned")
def dispute_returned(dispute_id: str) -> Letter | None:
    dispute = db.session.get(Dispute, UUID(dispute_id))
    if dispute is None or dispute.is_withdrawn:
        return None
    return _letter(dispute)


@author("payments/dispute_lost")
def dispute_lost(dispute_id: str) -> Letter | None:
    dispute = db.session.get(Dispute, UUID(dispute_id))
    if dispute is None or dispute.status not in LOSSES or not dispute.is_withdrawn:
        return None
    return _letter(dispute)


def _sum(facts: dict[str, str]) -> str:
    return money.show(int(facts["amount"]), facts["currency"], locale_name())


def _page(facts: dict[str, str]) -> str:
    return url_for("payments.dispute", dispute_id=facts["dispute_id"])


@alert_kind("dispute_opened")
def dispute_opened(facts: dict[str, str]) -> tuple[str, str]:
    dispute = db.session.get(Dispute, UUID(facts["dispute_id"]))
    why = cases.reason_words(dispute.reason) if dispute else ""
    if facts["is_inquiry"] == "1":
        return _("a bank asks about a charge of %(amount)s (%(why)s)", amount=_sum(facts), why=why), _page(facts)
    return _("a bank took back %(amount)s (%(why)s)", amount=_sum(facts), why=why), _page(facts)


@alert_kind("evidence_due")
def evidence_due(facts: dict[str, str]) -> tuple[str, str]:
    dispute = db.session.get(Dispute, UUID(facts["dispute_id"]))
    day = f"{dispute.evidence_due_at:%Y-%m-%d %H:%M} UTC" if dispute and dispute.evidence_due_at else ""
    return _("the bank waits for evidence about %(amount)s until %(day)s", amount=_sum(facts), day=day), _page(facts)


@alert_kind("fraud_warning")
def fraud_warning(facts: dict[str, str]) -> tuple[str, str]:
    return _("a card network fears fraud: refund %(amount)s or keep it, within a day", amount=_sum(facts)), \
        url_for("payments.disputes", show="warnings")


@alert_kind("fraud_warning_late")
def fraud_warning_late(facts: dict[str, str]) -> tuple[str, str]:
    return _("a warning of fraud about %(amount)s waits for more than a day", amount=_sum(facts)), \
        url_for("payments.disputes", show="warnings")


