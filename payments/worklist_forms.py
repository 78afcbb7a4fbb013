"""Forms of the worklist."""

from flask_babel import lazy_gettext as _
from flask_wtf import FlaskForm
from wtforms import BooleanField, StringField
from wtforms.validators import DataRequired, Length


class ActForm(FlaskForm):
    """A button."""


class ExplainForm(FlaskForm):
    reason = StringField(_("Why this is as it should be"), validators=[
        DataRequired(_("Say in a few words why this is as it should be.")),
        Length(3, 300, _("Say in a few words why this is as it should be."))])


class EnterForm(FlaskForm):
    why = StringField(_("Why"), validators=[DataRequired(_("Say why money stops.")), Length(3, 200, _("Say why money stops."))])


class ReleaseForm(FlaskForm):
    """Two confirmations: one for the past, one for what comes."""

    is_read = BooleanField(_("I have read what the reconciliation healed and left."),
                           validators=[DataRequired(_("Confirm both."))])
    is_meant = BooleanField(_("Charges, refunds and payouts may leave from now on."),
                            validators=[DataRequired(_("Confirm both."))])
