"""The form of a step."""

from typing import Any

from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from flask_wtf import FlaskForm
from flask_wtf.file import FileField
from wtforms import IntegerField, MonthField, StringField, TextAreaField
from wtforms.validators import DataRequired, InputRequired, Length, NumberRange, Optional, StopValidation

from core.errors import Refusal
from sharing.models_milestones import MOST_FRIENDS

WHOLE = _l("Write a whole number from 1, or leave it empty when there is no limit.")
NUMBER = _l("Write a whole number from 1 to 10,000.")


class _Whole(IntegerField):
    """Its own sentence when what is typed is no number."""

    def __init__(self, label: Any, validators: Any, sentence: Any, **kwargs: Any):
        super().__init__(label, validators, **kwargs)
        self.sentence = sentence

    def process_formdata(self, valuelist: list[str]) -> None:
        if not valuelist or not valuelist[0].strip():
            return
        try:
            super().process_formdata(valuelist)
        except ValueError:
            raise ValueError(str(self.sentence)) from None

    def pre_validate(self, form: Any) -> None:
        """What is no number is told once: its range is not asked as well."""
        if self.process_errors:
            raise StopValidation


class _Month(MonthField):
    def process_formdata(self, valuelist: list[str]) -> None:
        if valuelist and not valuelist[0].strip():
            return
        try:
            super().process_formdata(valuelist)
        except ValueError:
            raise ValueError(_("Write the month like 2027-03.")) from None


class StepForm(FlaskForm):
    friends = _Whole(_l("Friends"), [InputRequired(NUMBER), NumberRange(1, MOST_FRIENDS, NUMBER)], NUMBER)
    title = StringField(_l("What they get"), [DataRequired(_l("Give the reward a name.")), Length(
        max=60, message=_l("A name has at most 60 characters."))])
    description = TextAreaField(_l("What is in it"))
    quantity = _Whole(_l("How many there are"), [Optional(), NumberRange(1, 1_000_000, WHOLE)], WHOLE)
    delivery_on = _Month(_l("Arrives in"), [Optional()])
    picture = FileField(_l("Picture"))
    picture_alt = StringField(_l("Describe the picture"), [Length(max=300, message=_l("At most 300 characters."))])

    def hand_back(self, refusal: Refusal) -> None:
        """Put a refusal's sentence beside the field that it is about; what names none is about the picture's file."""
        name = refusal.field or ("picture" if refusal.status == 422 else "")
        if name in self:
            self[name].errors = [*self[name].errors, refusal.sentence]
        else:
            self.form_errors.append(refusal.sentence)
