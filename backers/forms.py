"""What an organiser may ask of the list."""

import re
from typing import Any
from uuid import UUID

from flask_babel import gettext as _
from flask_babel import lazy_gettext as __
from flask_wtf import FlaskForm
from wtforms import BooleanField, RadioField, SearchField, SelectField, StringField, ValidationError
from wtforms.validators import Length

from backers.queries import SORTS, Wanted


class FilterForm(FlaskForm):
    """Search, filters, order and page, all in the address: nothing changes, so no token."""

    class Meta:
        csrf = False

    q = SearchField(__("Name, e-mail or number"), [Length(max=200, message=__("Search for less than 200 characters."))])
    status = SelectField(__("Status"), default="", validate_choice=False)
    reward = SelectField(__("Reward"), default="", validate_choice=False)
    brought = BooleanField(__("Brought someone"))
    sort = StringField(__("Sorted by"))
    page = StringField(__("Page"))

    def offer(self, states: dict[str, str], rewards: dict[UUID, str]) -> None:
        """The choices of this project."""
        self.status.choices = [("", _("Any status")), *states.items()]
        self.reward.choices = [("", _("Any reward")), *((str(id_), title) for id_, title in rewards.items()),
                               ("none", _("Without a reward"))]

    def validate_q(self, field: Any) -> None:
        if re.search(r"[\x00-\x08\x0e-\x1f]", field.data or ""):
            raise ValidationError(_("The search holds a sign that cannot be typed. Write it again."))

    def validate_status(self, field: Any) -> None:
        if field.data and field.data not in dict(field.choices):
            raise ValidationError(_("There is no status of this name. Choose one from the list."))

    def validate_reward(self, field: Any) -> None:
        if field.data and field.data not in dict(field.choices):
            raise ValidationError(_("This project has no such reward. Choose one from the list."))

    def validate_sort(self, field: Any) -> None:
        if field.data and field.data not in SORTS:
            raise ValidationError(_("The list cannot be sorted by that. Use the heads of the columns."))

    def validate_page(self, field: Any) -> None:
        if field.data and not re.fullmatch(r"[1-9][0-9]{0,6}", field.data):
            raise ValidationError(_("There is no such page."))

    def wanted(self) -> Wanted:
        """The question as values, once it is valid."""
        return Wanted(q=(self.q.data or "").strip(), status=self.status.data or "", reward=self.reward.data or "",
                      brought=bool(self.brought.data), sort=self.sort.data or "-number", page=int(self.page.data or 1))


class ExportForm(FlaskForm):
    format = RadioField(__("Format"), choices=[("csv", "CSV"), ("xlsx", "XLSX")])
