"""Which list to take along."""

from flask_babel import lazy_gettext as _l
from flask_wtf import FlaskForm
from wtforms import RadioField


class ExportForm(FlaskForm):
    what = RadioField(_l("List"), choices=[("recruiters", _l("Recruiters")), ("pledges", _l("Recruited pledges"))])
    format = RadioField(_l("Format"), choices=[("csv", "CSV"), ("xlsx", "XLSX")])
