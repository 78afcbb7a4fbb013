"""What a person decides about their own link."""

from flask_babel import lazy_gettext as _l
from flask_wtf import FlaskForm
from wtforms import BooleanField, StringField, SubmitField
from wtforms.validators import Length

from core.errors import Refusal


def hand_back(form: FlaskForm, refusal: Refusal) -> None:
    """Put a refusal's sentence beside the field that it is about."""
    if refusal.field and refusal.field in form:
        form[refusal.field].errors = [*form[refusal.field].errors, refusal.sentence]
    else:
        form.form_errors.append(refusal.sentence)


class MakeLinkForm(FlaskForm):
    submit = SubmitField(_l("Make my link"))


class WordForm(FlaskForm):
    word = StringField(_l("A word of your own"), [Length(max=60, message=_l("Write 3 to 30 letters and digits."))])


class NameForm(FlaskForm):
    is_named = BooleanField(_l("Show my first name"))
