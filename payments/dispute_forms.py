"""What staff type about disputes and warnings."""

from typing import Any

from flask_babel import lazy_gettext as _
from flask_wtf import FlaskForm
from wtforms import BooleanField, RadioField, TextAreaField
from wtforms.validators import InputRequired, Length

from payments.answering import FIELDS, SHORT
from payments.gateway_disputes import TEXT_LIMIT

_LABELS = {
    "product_description": _("What was promised"),
    "customer_name": _("Name of the backer"),
    "customer_email_address": _("E-mail address of the backer"),
    "service_date": _("When it was, or will be, delivered"),
    "access_activity_log": _("What the backer did on this site, with times"),
    "refund_policy_disclosure": _("How the backer was told about refunds"),
    "cancellation_policy_disclosure": _("How the backer could cancel before the charge"),
    "refund_refusal_explanation": _("Why no refund is due"),
    "duplicate_charge_explanation": _("Why this is no second charge for the same thing"),
    "shipping_carrier": _("Who delivered it"),
    "shipping_tracking_number": _("Number of the parcel"),
    "shipping_date": _("Day on which it was sent"),
    "uncategorized_text": _("Everything else that the bank should read"),
}


class _Evidence(FlaskForm):
    """One text per field of Stripe's; the fields are added below, since their names are a list."""

    def texts(self) -> dict[str, str]:
        return {name: getattr(self, name).data or "" for name in FIELDS}


def _field(name: str) -> Any:
    rows = 1 if name in SHORT else 12 if name == "uncategorized_text" else 4
    return TextAreaField(_LABELS[name], [Length(max=TEXT_LIMIT)], render_kw={"rows": rows})


EvidenceForm: type[_Evidence] = type("EvidenceForm", (_Evidence,), {name: _field(name) for name in FIELDS})


class AcceptForm(FlaskForm):
    """Giving money up takes a second look."""

    sure = BooleanField(_("I know that this cannot be undone"), [
        InputRequired(_("Tick the box if you want to give this money up."))])


class DecisionForm(FlaskForm):
    decision = RadioField(_("What to do"), validate_choice=False)
