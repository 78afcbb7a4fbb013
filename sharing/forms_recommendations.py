"""What a backer says of a project, and why a text is hidden. Explicit fields only (W-21)."""

from flask_babel import lazy_gettext as _l
from flask_wtf import FlaskForm
from wtforms import BooleanField, RadioField, StringField, TextAreaField
from wtforms.validators import InputRequired, Length

from sharing.recommendations import LONGEST, NOTE_LENGTH, REASONS


class RecommendationForm(FlaskForm):
    text = TextAreaField(_l("Why do you stand behind this?"), render_kw={"rows": 3, "maxlength": LONGEST})
    is_shown = BooleanField(_l("Show this with my first name"))


class HideForm(FlaskForm):
    why = RadioField(_l("Why is it hidden?"), [InputRequired(_l("Say why: the author is told."))],
                     choices=list(REASONS.items()))
    note = StringField(_l("A line to the author"), [Length(max=NOTE_LENGTH, message=_l("Use at most %(max)d characters."))],
                       render_kw={"maxlength": NOTE_LENGTH})
