"""What a person decides about their own link."""

from flask_babel import lazy_gettext as _l
from flask_wtf import FlaskForm
from wtforms import BooleanField, FieldList, StringField, SubmitField
from wtforms.validators import Length
from wtforms.widgets import HiddenInput

from core.errors import Refusal


def hand_back(form: FlaskForm, refusal: Refusal) -> None:
    """Put a refusal's sentence beside the field that it is about, else above all fields."""
    name = refusal.field
    if name and name in form and not isinstance(form[name].widget, HiddenInput) and not isinstance(form[name], FieldList):
        form[name].errors = [*form[name].errors, refusal.sentence]
    else:
        form.form_errors.append(refusal.sentence)


class PlainForm(FlaskForm):
    """Only the token: for buttons."""


class MakeLinkForm(FlaskForm):
    submit = SubmitField(_l("Make my link"))


class WordForm(FlaskForm):
    word = StringField(_l("A word of your own"), [Length(max=60, message=_l("Write 3 to 30 letters and digits."))])


class NameForm(FlaskForm):
    is_named = BooleanField(_l("Show my first name"))
