"""The creator's forms: shape only; what is true of a project is asked in services."""

from datetime import date
from datetime import time as clock_time
from typing import Any
from zoneinfo import ZoneInfo

from babel import Locale
from flask_babel import get_locale
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from flask_wtf import FlaskForm
from flask_wtf.file import FileField
from wtforms import BooleanField, IntegerField, SelectField, StringField, TextAreaField
from wtforms.validators import DataRequired, InputRequired, Length, Optional
from wtforms.widgets import HiddenInput

from core import money
from core.errors import Refusal
from core.fields import ClockField, DayField
from projects.deadlines import Deadline, moment_of, zones
from projects.models import Category, MemberRole, Project

CATEGORIES: dict[Category, Any] = {
    Category.MUSIC: _l("Music"), Category.SPORT: _l("Sport"), Category.JOURNALISM: _l("Journalism"),
    Category.CITY: _l("City"), Category.THEATRE: _l("Theatre"), Category.GAMES: _l("Games"),
    Category.TECHNOLOGY: _l("Technology"), Category.FOOD: _l("Food")}


def hand_back(form: FlaskForm, refusal: Refusal, field: str | None = None) -> None:
    """Put a refusal's sentence beside the field that it is about."""
    name = refusal.field or field
    if name and name in form and name != "edition":
        form[name].errors = [*form[name].errors, refusal.sentence]
    else:
        form.form_errors.append(refusal.sentence)


def category_choices() -> list[tuple[str, Any]]:
    return [("", _("Choose one")), *((c.value, label) for c, label in CATEGORIES.items())]


class EditionForm(FlaskForm):
    """A form that knows from which edition of the project it was made, so that two tabs cannot undo each other."""

    edition = IntegerField(widget=HiddenInput(), validators=[Optional()])

    def now_from(self, edition: int) -> None:
        """From here on the form is about this edition."""
        self.edition.raw_data, self.edition.data = None, edition


class NewProjectForm(FlaskForm):
    title = StringField(_l("Title"), [DataRequired(_l("Give your project a title.")),
                                      Length(max=60, message=_l("A title has at most 60 characters."))])
    blurb = TextAreaField(_l("In one sentence"), [Length(max=135, message=_l("At most 135 characters."))])
    category = SelectField(_l("Category"), [InputRequired(_l("Choose the category that fits best."))])
    place = StringField(_l("Place"), [Length(max=80, message=_l("At most 80 characters."))])

    def __init__(self, *args: Any, **kwargs: Any):
        super().__init__(*args, **kwargs)
        self.category.choices = category_choices()

    @property
    def chosen_category(self) -> Category | None:
        return Category(self.category.data) if self.category.data else None


class BasicsForm(EditionForm):
    title = StringField(_l("Title"), [DataRequired(_l("Give your project a title."))])
    blurb = TextAreaField(_l("In one sentence"))
    category = SelectField(_l("Category"))
    place = StringField(_l("Place"), [Length(max=80, message=_l("At most 80 characters."))])
    country = SelectField(_l("Country"))
    goal = StringField(_l("Goal"))
    currency = SelectField(_l("Currency"))
    day = DayField(_l("Last day"), [Optional()])
    time = ClockField(_l("Time"), [Optional()])
    zone = SelectField(_l("Time zone"))

    FIXED = ("goal", "currency", "day", "time", "zone")  # promises since the launch

    def __init__(self, project: Project, **kwargs: Any):
        super().__init__(**kwargs)
        names = Locale.parse(str(get_locale() or "en")).territories
        countries = [(code, name) for code, name in names.items() if len(code) == 2 and code not in ("EU", "UN", "ZZ", "XA", "XB", "EZ", "QO")]
        self.country.choices = sorted(countries, key=lambda pair: pair[1])
        self.category.choices = category_choices()
        self.currency.choices = [(c, c) for c in money.EXPONENTS]
        self.zone.choices = [(z, z.replace("_", " ")) for z in zones()]
        self.amount: int | None = None
        self.moment: Deadline | None = None
        if project.is_public:
            for name in self.FIXED:
                del self[name]

    @classmethod
    def of(cls, project: Project) -> "BasicsForm":
        """The form as the project stands, or as it was sent."""
        shown: dict[str, Any] = {
            "title": project.title, "blurb": project.blurb, "place": project.place, "country": project.country,
            "category": project.category.value if project.category else "", "currency": project.currency,
            "zone": project.zone, "edition": project.edition}
        if project.goal:
            value = money.to_decimal(project.goal, project.currency)
            shown["goal"] = str(int(value) if value == value.to_integral_value() else value)
        if project.deadline:
            local = project.deadline.astimezone(ZoneInfo(project.zone))
            shown["day"] = local.date()
            shown["time"] = None if local.time() == clock_time(23, 59, 59) else local.time()
        return cls(project, data=shown)

    def validate(self, extra_validators: Any = None) -> bool:
        """Also read the goal and the moment, so that every wrong field is told at once."""
        good = super().validate(extra_validators)
        if "goal" in self and self.goal.data and self.goal.data.strip():
            try:
                self.amount = money.parse(self.goal.data, self.currency.data or "EUR")
            except (ValueError, KeyError):
                self.goal.errors = [*self.goal.errors, _("Write the goal as a number, like 24000.")]
                good = False
        if "day" in self and not self.day.errors and not self.time.errors and not self.zone.errors:
            good = self._read_moment(self.day.data, self.time.data) and good
        return good

    def _read_moment(self, day: date | None, at: clock_time | None) -> bool:
        if day is None:
            if at is not None:
                self.day.errors = [*self.day.errors, _("Choose a day as well.")]
            return at is None
        try:
            self.moment = moment_of(day, at, self.zone.data)
        except Refusal as refusal:
            hand_back(self, refusal)
            return False
        return True

    @property
    def chosen_category(self) -> Category | None:
        return Category(self.category.data) if self.category.data else None


class StoryForm(EditionForm):
    story = TextAreaField(_l("Your story"))
    picture = FileField(_l("Add a picture to the story"))
    picture_alt = StringField(_l("Describe this picture"))


class PictureForm(EditionForm):
    picture = FileField(_l("Picture"))
    picture_alt = StringField(_l("Describe the picture"), [DataRequired(_l(
        "Describe the picture for people who do not see it.")), Length(max=300, message=_l("At most 300 characters."))])


class FaqForm(EditionForm):
    """Pairs are read from `question-0`, `answer-0` and so on, since their number grows."""


class UpdateForm(FlaskForm):
    title = StringField(_l("Title"), [DataRequired(_l("Give your update a title."))])
    body = TextAreaField(_l("What you have to tell"), [DataRequired(_l("Write what you have to tell."))])


class MemberForm(FlaskForm):
    email = StringField(_l("E-mail address"), [DataRequired(_l("Write the address they use here."))])
    role = SelectField(_l("What they may do"), choices=[
        (MemberRole.COLLABORATOR.value, _l("Collaborator: writes the pitch and updates")),
        (MemberRole.ORGANISER.value, _l("Organiser: also sees and exports the backers"))])


class StopForm(FlaskForm):
    """Two things to do before a live project ends for everybody: say why, and say that one knows."""

    why = TextAreaField(_l("Why do you stop?"), [
        DataRequired(_l("Tell those who stand behind you why; one sentence is enough.")),
        Length(max=500, message=_l("At most 500 characters."))])
    sure = BooleanField(_l("I know that this cannot be undone: every pledge lapses and everybody is told."), [
        DataRequired(_l("Tick this to stop the project; nothing has happened yet."))])


class PlainForm(FlaskForm):
    """Only the token: for buttons."""
