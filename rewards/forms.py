"""The form of a reward."""

from datetime import date
from typing import Any

from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from flask_wtf import FlaskForm
from flask_wtf.file import FileField
from wtforms import StringField, TextAreaField
from wtforms.validators import DataRequired, Length

from core import money
from core.errors import Refusal


def hand_back(form: FlaskForm, refusal: Refusal, field: str | None = None) -> None:
    """Put a refusal's sentence beside the field that it is about."""
    name = {"delivery_on": "delivery"}.get(refusal.field or "", refusal.field or field)
    if name and name in form:
        form[name].errors = [*form[name].errors, refusal.sentence]
    else:
        form.form_errors.append(refusal.sentence)


class RewardForm(FlaskForm):
    title = StringField(_l("Name"), [DataRequired(_l("Give the reward a name.")), Length(
        max=60, message=_l("A name has at most 60 characters."))])
    price = StringField(_l("Price"), [DataRequired(_l("Write the price as a number, like 25."))])
    description = TextAreaField(_l("What is in it"))
    quantity = StringField(_l("How many there are"))
    delivery = StringField(_l("Arrives in"))
    picture = FileField(_l("Picture"))
    picture_alt = StringField(_l("Describe the picture"), [Length(max=300, message=_l("At most 300 characters."))])

    def __init__(self, currency: str, **kwargs: Any):
        super().__init__(**kwargs)
        self.project_currency = currency
        self.amount = 0
        self.number: int | None = None
        self.month: date | None = None

    def validate(self, extra_validators: Any = None) -> bool:
        good = super().validate(extra_validators)
        if self.price.data and not self.price.errors:
            try:
                self.amount = money.parse(self.price.data, self.project_currency)
            except ValueError:
                self.price.errors = [*self.price.errors, _("Write the price as a number, like 25.")]
                good = False
        typed = (self.quantity.data or "").strip()
        if typed:
            if typed.isascii() and typed.isdigit() and len(typed) < 10:
                self.number = int(typed)
            else:
                self.quantity.errors = [*self.quantity.errors, _(
                    "Write a whole number from 1, or leave it empty when there is no limit.")]
                good = False
        month = (self.delivery.data or "").strip()
        if month:
            try:
                self.month = date.fromisoformat(f"{month[:7]}-01")
            except ValueError:
                self.delivery.errors = [*self.delivery.errors, _("Write the month like 2027-03.")]
                good = False
        return good


class PlainForm(FlaskForm):
    """Only the token: for buttons."""
