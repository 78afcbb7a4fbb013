"""What a creator tells us before Stripe asks the rest."""

from flask_babel import lazy_gettext as _
from flask_wtf import FlaskForm
from wtforms import SelectField


class PayoutForm(FlaskForm):
    country = SelectField(_("Country of your bank account"))
