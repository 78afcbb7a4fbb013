"""One button."""

from flask_babel import lazy_gettext as _l
from flask_wtf import FlaskForm
from wtforms import SubmitField


class MakeLinkForm(FlaskForm):
    submit = SubmitField(_l("Make my link"))
