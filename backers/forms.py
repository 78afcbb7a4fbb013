"""What an organiser may ask of the list."""

import re
from typing import Any
from uuid import UUID

from flask_babel import gettext as _
from flask_babel import lazy_gettext as __
from flask_wtf import FlaskForm
from wtforms import BooleanField, IntegerField, RadioField, SearchField, SelectField, ValidationError
from wtforms.validators import Length, NumberRange, Optional

from backers.queries import SORTS, Wanted


class FilterForm(FlaskForm):
    """Search, filters, order and page, all in the address: nothing changes, so no token."""

    class Meta:
        csrf = False

    q = SearchField(__("Name, e-mail or number"), [Length(max=200, message=__("Search for less than 200 characters."))])
    status = SelectField(__("Status"), [Optional()], default="")
    reward = SelectField(__("Reward"), [Optional()], default="")
    brought = BooleanField(__("Brought someone"))
    sort = SelectField(__("Sorted by"), [Optional()], choices=[(name, name) for name in SORTS], default="-number")
    page = IntegerField(__("Page"), [Optional(), NumberRange(1, 1_000_000, __("There is no such page."))], default=1)

    def offer(self, states: dict[str, str], rewards: dict[UUID, str]) -> None:
        """The choices of this project."""
        self.status.choices = [("", _("Any status")), *states.items()]
        self.reward.choices = [("", _("Any reward")), *((str(id_), title) for id_, title in rewards.items()),
                               ("none", _("Without a reward"))]

    def validate_q(self, field: Any) -> None:
        if re.search(r"[\x00-\x08\x0e-\x1f]", field.data or ""):
            raise ValidationError(_("The search holds a sign that cannot be typed. Write it again."))

    def wanted(self) -> Wanted:
        """The question as values, once it is valid."""
        return Wanted(q=(self.q.data or "").strip(), status=self.status.data or "", reward=self.reward.data or "",
                      brought=bool(self.brought.data), sort=self.sort.data or "-number", page=self.page.data or 1)


class ExportForm(FlaskForm):
    format = RadioField(__("Format"), choices=[("csv", "CSV"), ("xlsx", "XLSX")])
