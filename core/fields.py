"""Fields of forms that tell a wrong day or time in words."""

from typing import Any

from flask_babel import gettext as _
from wtforms import DateField, TimeField


class DayField(DateField):
    def process_formdata(self, valuelist: list[Any]) -> None:
        try:
            super().process_formdata(valuelist)
        except ValueError:
            raise ValueError(_("Write the day like 2026-12-31.")) from None


class ClockField(TimeField):
    def process_formdata(self, valuelist: list[Any]) -> None:
        try:
            super().process_formdata(valuelist)
        except ValueError:
            raise ValueError(_("Write the time like 20:00.")) from None
