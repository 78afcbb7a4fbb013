"""How far the clock is to go."""

from datetime import timedelta
from typing import Any

from flask_babel import gettext as _
from flask_babel import lazy_gettext as __
from flask_wtf import FlaskForm
from wtforms import StringField, ValidationError

from core import clock
from core.clock_cli import parse_span
from demo.queries import next_to_end

NEXT_DEADLINE = "deadline"
LONGEST = timedelta(days=400)
FARTHEST = timedelta(days=3650)  # cards and certificates end some day, and PostgreSQL's years do too


class ClockForm(FlaskForm):
    """A span like 15m, 3h, 9d or 1d12h, or `deadline`."""

    span = StringField(__("How far"), description=__("Write 15m, 3h, 9d or 1d12h."))
    by = timedelta(0)

    def validate_span(self, field: Any) -> None:
        said = (field.data or "").strip().lower()
        if said == NEXT_DEADLINE:
            project = next_to_end()
            if project is None or project.deadline is None:
                raise ValidationError(_("No project is running, so there is no next deadline."))
            self.by = project.deadline - clock.now() + timedelta(seconds=1)
            return
        try:
            self.by = parse_span(said)
        except ValueError:
            raise ValidationError(_("“%(span)s” is no span of time. Write 15m, 3h, 9d or 1d12h.",
                                    span=said[:40])) from None
        if not timedelta(0) < self.by <= LONGEST:
            raise ValidationError(_("Write a span between one second and %(days)s days.", days=LONGEST.days))
        if clock.shift() + self.by > FARTHEST:
            raise ValidationError(_("The clock is years ahead already. Delete the instance folder to begin anew."))
