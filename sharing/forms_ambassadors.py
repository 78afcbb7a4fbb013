"""What is typed about ambassador rounds: shape only; what is true of a round is asked in its services."""

import re
from datetime import date, datetime, time
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from flask_babel import format_decimal
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l
from flask_wtf import FlaskForm
from flask_wtf.file import FileField
from wtforms import (
    BooleanField,
    FieldList,
    Form,
    FormField,
    IntegerField,
    RadioField,
    SelectField,
    StringField,
    TextAreaField,
)
from wtforms.validators import DataRequired, InputRequired, Length, NumberRange, Optional, StopValidation
from wtforms.widgets import HiddenInput

from core.errors import BadInput
from core.fields import DayField
from people.models import Person
from projects.deadlines import moment_of
from projects.models import Project
from sharing.applications import ELSEWHERE, LONGEST, SHOWN, Wish
from sharing.kit import Piece
from sharing.missions import Task
from sharing.models_rounds import (
    AmbassadorRound,
    Application,
    KitKind,
    Mission,
    QuestionKind,
    RoundState,
)
from sharing.rounds import DATES, FIXED, MOST_QUESTIONS, Plan, Question

FIRST = time(0, 0)  # a day that something begins on counts from here; one that it ends on, to its last second
_LINE = re.compile(r"^(.{1,60}?)[\s:,;=–-]+(\d{1,4})$")


class WholeField(IntegerField):
    """A whole number, told in words when it is none."""

    def process_formdata(self, valuelist: list[Any]) -> None:
        try:
            super().process_formdata(valuelist)
        except ValueError:
            raise ValueError(_("Write a whole number.")) from None

    def pre_validate(self, form: Any) -> None:
        """What is no number is told once: its range is not asked as well."""
        if self.process_errors:
            raise StopValidation


def day_of(moment: datetime | None, zone: str) -> date | None:
    return moment.astimezone(ZoneInfo(zone)).date() if moment else None


def read_day(field: DayField, at: time | None, zone: str) -> datetime | None:
    """The moment that a typed day means; what the calendar there refuses is told beside the field."""
    if not field.data or field.errors:
        return None
    try:
        return moment_of(field.data, at, zone).moment
    except BadInput as refusal:
        field.errors = [*field.errors, refusal.sentence]
        return None


class QuestionForm(Form):
    """One question; an empty one is left out."""

    label = StringField(_l("Question"), [Length(max=200, message=_l("At most 200 characters."))])
    kind = SelectField(_l("Answer"), choices=[
        (QuestionKind.SHORT, _l("Short text")), (QuestionKind.LONG, _l("Long text")),
        (QuestionKind.CHOICE, _l("One choice")), (QuestionKind.LINK, _l("Link"))])
    options = StringField(_l("Choices, with commas between"))
    is_public = BooleanField(_l("Shown to voters"))

    def validate(self, extra_validators: Any = None) -> bool:
        good = super().validate(extra_validators)
        if self.label.data and self.kind.data == QuestionKind.CHOICE and not 2 <= len(self.several) <= 20:
            self.options.errors = [*self.options.errors, _("Write two to twenty choices, with commas between.")]
            return False
        if any(len(option) > 100 for option in self.several):
            self.options.errors = [*self.options.errors, _("At most %(most)s characters.", most=100)]
            return False
        return good

    @property
    def several(self) -> tuple[str, ...]:
        words = [word.strip() for word in (self.options.data or "").split(",")]
        return tuple(dict.fromkeys(word for word in words if word))


class RoundForm(FlaskForm):
    """A whole round. Days are days of the project's zone."""

    edition = IntegerField(widget=HiddenInput(), validators=[Optional()])
    title = StringField(_l("Name of the round"), [DataRequired(_l("Give the round a name.")),
                                                  Length(max=80, message=_l("At most 80 characters."))])
    about = TextAreaField(_l("What an ambassador does"), [
        DataRequired(_l("Say what an ambassador does, and what it brings.")),
        Length(max=5_000, message=_l("At most 5,000 characters."))])
    places = WholeField(_l("Places"), [InputRequired(_l("Choose how many places there are.")),
                                       NumberRange(1, 1000, _l("Between 1 and 1,000 places."))])
    regions = TextAreaField(_l("Spread over regions"))
    channels = TextAreaField(_l("Spread over channels"))
    call_from = DayField(_l("The call opens"), [InputRequired(_l("Choose a day."))])
    call_until = DayField(_l("Last day of the call"), [InputRequired(_l("Choose a day."))])
    vote_until = DayField(_l("Last day of the vote"), [InputRequired(_l("Choose a day."))])
    runs_from = DayField(_l("First day of the round"), [InputRequired(_l("Choose a day."))])
    runs_until = DayField(_l("Last day of the round"), [InputRequired(_l("Choose a day."))])
    public_percent = WholeField(_l("Weight of the public vote"), [
        InputRequired(_l("Write a number from 0 to 100.")), NumberRange(0, 100, _l("Write a number from 0 to 100."))])
    points_each = WholeField(_l("Points for a friend whose pledge is collected"), [
        InputRequired(_l("Write a number from 0 to 1,000.")), NumberRange(0, 1000, _l("Write a number from 0 to 1,000."))])
    disclosure = StringField(_l("Disclosure line"), [
        DataRequired(_l("This line is needed: readers must know who speaks.")),
        Length(max=200, message=_l("At most 200 characters."))])
    questions = FieldList(FormField(QuestionForm), min_entries=MOST_QUESTIONS, max_entries=MOST_QUESTIONS)

    def __init__(self, project: Project, found: AmbassadorRound | None = None, **kwargs: Any):
        super().__init__(data=_shown(project, found), **kwargs)
        self.zone, self.found = project.zone, found
        self.is_fixed = found is not None and found.state is not RoundState.DRAFT
        self.moments: dict[str, datetime] = {}
        self.spread: dict[str, tuple[tuple[str, int], ...]] = {"regions": (), "channels": ()}
        if self.is_fixed:
            for name in (*FIXED, "regions", "channels", "questions"):
                del self[name]

    def validate(self, extra_validators: Any = None) -> bool:
        """Also read the days and the lists, so that every wrong field is told at once."""
        good = super().validate(extra_validators)
        for name in ("regions", "channels"):
            if name in self:
                good = self._read_spread(name) and good
        for name in DATES:
            if name in self and (moment := read_day(self[name], FIRST if name.endswith("from") else None, self.zone)):
                self.moments[name] = moment
        return good and not self.errors

    def _read_spread(self, name: str) -> bool:
        rows = []
        for line in (self[name].data or "").splitlines():
            if not line.strip():
                continue
            match = _LINE.match(" ".join(line.split()))
            if match is None or not 1 <= int(match[2]) <= 1000:
                self[name].errors = [*self[name].errors, _("“%(line)s” has no number of places. Write it like: Ghent 3",
                                                           line=line.strip()[:60])]
                return False
            rows.append((match[1].strip(), int(match[2])))
        self.spread[name] = tuple(rows)
        return True

    @property
    def plan(self) -> Plan:
        """As it was typed; what is fixed stays as it is."""
        was = self.found

        def kept(name: str) -> Any:
            return self.moments.get(name) or getattr(was, name) if name in DATES else \
                self[name].data if name in self else getattr(was, name)
        for name in DATES:  # a day that was not touched keeps its exact moment
            if was is not None and name in self and self[name].data == day_of(getattr(was, name), self.zone):
                self.moments[name] = getattr(was, name)
        questions = () if self.is_fixed else tuple(
            Question(entry.label.data.strip(), QuestionKind(entry.kind.data),
                     entry.several if entry.kind.data == QuestionKind.CHOICE else (), bool(entry.is_public.data))
            for entry in (field.form for field in self.questions.entries) if (entry.label.data or "").strip())
        return Plan(title=self.title.data.strip(), about=self.about.data.strip(), questions=questions,
                    regions=self.spread["regions"], channels=self.spread["channels"],
                    **{name: kept(name) for name in (*DATES, "places", "public_percent", "points_each", "disclosure")})


def _shown(project: Project, found: AmbassadorRound | None) -> dict[str, Any]:
    if found is None:
        return {"public_percent": 50, "points_each": 10, "places": 12,
                "disclosure": _("I am an ambassador of this project and may get something for it.")}
    shown = {name: getattr(found, name) for name in ("edition", "title", "about", "places", "public_percent",
                                                     "points_each", "disclosure")}
    for name, kind in (("regions", "region"), ("channels", "channel")):
        shown[name] = "\n".join(f"{q.name} {q.number}" for q in found.quotas if q.kind == kind)
    questions = [{"label": q.label, "kind": q.kind, "options": ", ".join(q.options), "is_public": q.is_public}
                 for q in found.questions]
    return shown | {"questions": questions} | {name: day_of(getattr(found, name), project.zone) for name in DATES}


class WordForm(FlaskForm):
    """A reason."""

    why = StringField(_l("Reason"), [Length(max=300, message=_l("At most 300 characters."))])


class JurorForm(FlaskForm):
    email = StringField(_l("E-mail address"), [DataRequired(_l("Write the address they use here."))])


class MarkForm(FlaskForm):
    mark = RadioField(_l("Mark"), choices=[(str(n), str(n)) for n in range(1, 6)], validate_choice=False)
    note = StringField(_l("Note for the creator"), [Length(max=500, message=_l("At most 500 characters."))])

    @property
    def given(self) -> int | None:
        return int(self.mark.data) if self.mark.data in ("1", "2", "3", "4", "5") else None


class MissionForm(FlaskForm):
    title = StringField(_l("Mission"), [DataRequired(_l("Give the mission a name.")),
                                        Length(max=80, message=_l("At most 80 characters."))])
    about = TextAreaField(_l("What to do, and what proves it"), [
        DataRequired(_l("Say what is to be done.")), Length(max=2_000, message=_l("At most 2,000 characters."))])
    starts = DayField(_l("First day"), [InputRequired(_l("Choose a day."))])
    ends = DayField(_l("Last day"), [InputRequired(_l("Choose a day."))])
    points = WholeField(_l("Points for an accepted proof"), [
        InputRequired(_l("Write a number from 1 to 1,000.")), NumberRange(1, 1000, _l("Write a number from 1 to 1,000."))])
    most = WholeField(_l("Accepted proofs of one ambassador, at most"), [
        InputRequired(_l("Write a number from 1 to 100.")), NumberRange(1, 100, _l("Write a number from 1 to 100."))])
    region = SelectField(_l("For whom"))

    def __init__(self, found: AmbassadorRound, mission: Mission | None = None, **kwargs: Any):
        zone = found.project.zone
        shown: dict[str, Any] = {"points": 20, "most": 1, "starts": day_of(found.runs_from, zone),
                                 "ends": day_of(found.runs_until, zone)}
        if mission:
            shown = {name: getattr(mission, name) for name in ("title", "about", "points", "most", "region")} | {
                "starts": day_of(mission.starts_at, zone), "ends": day_of(mission.ends_at, zone)}
        super().__init__(data=shown, **kwargs)
        self.found = found
        self.region.choices = [("", _("All ambassadors")), *((name, name) for name in found.quota_names("region"))]
        self.moments: dict[str, datetime] = {}

    def validate(self, extra_validators: Any = None) -> bool:
        """Also read the days: a first or last day of the round means its own first or last moment."""
        good = super().validate(extra_validators)
        zone, found = self.found.project.zone, self.found
        for field, own, at in ((self.starts, found.runs_from, FIRST), (self.ends, found.runs_until, None)):
            moment = own if field.data == day_of(own, zone) else read_day(field, at, zone)
            if moment:
                self.moments[field.name] = moment
        return good and not self.errors

    @property
    def task(self) -> Task:
        return Task(self.title.data.strip(), self.about.data.strip(), self.moments["starts"], self.moments["ends"],
                    self.points.data, self.most.data, self.region.data or "")


class ProofForm(FlaskForm):
    text = TextAreaField(_l("What you did"), [Length(max=2_000, message=_l("At most 2,000 characters."))])
    link = StringField(_l("Link"), [Length(max=500, message=_l("At most 500 characters."))])
    picture = FileField(_l("Picture"))


class KitForm(FlaskForm):
    kind = RadioField(_l("What it is"), default=KitKind.TEXT, choices=[
        (KitKind.TEXT, _l("Ready text")), (KitKind.EARLY, _l("Early information")), (KitKind.PICTURE, _l("Picture")),
        (KitKind.LINK, _l("Link"))])
    title = StringField(_l("Name"), [DataRequired(_l("Give it a name.")), Length(max=80, message=_l("At most 80 characters."))])
    text = TextAreaField(_l("Text"), [Length(max=2_000, message=_l("At most 2,000 characters."))])
    early_until = DayField(_l("Stays among ambassadors until the end of"), [Optional()])
    url = StringField(_l("Link"), [Length(max=500, message=_l("At most 500 characters."))])
    picture = FileField(_l("Picture"))

    def __init__(self, zone: str, **kwargs: Any):
        super().__init__(**kwargs)
        self.zone = zone
        self.until: datetime | None = None

    def validate(self, extra_validators: Any = None) -> bool:
        good = super().validate(extra_validators)
        self.until = read_day(self.early_until, None, self.zone)
        return good and not self.errors

    @property
    def piece(self) -> Piece:
        file = self.picture.data
        return Piece(KitKind(self.kind.data), self.title.data, self.text.data or "", self.url.data or "", self.until,
                     file.stream if file else None)


def application_form(found: AmbassadorRound, mine: Application | None, person: Person) -> Any:
    """The form of this round: its questions as `q1` to `q8`, with what was answered before. What is missing is told at
    once for all fields; the service asks the same again."""
    answered = {answer.question_id: answer.text for answer in mine.answers} if mine else {}

    class ApplicationForm(FlaskForm):
        is_named = BooleanField(_l("Show my first name among the ambassadors and in the score"))

        def wish(self) -> Wish:
            return Wish(self["region"].data if "region" in self else "", self["channel"].data if "channel" in self else "",
                        "is_shown" in self and bool(self["is_shown"].data), bool(self.is_named.data),
                        {q.id: self[f"q{q.position}"].data or "" for q in found.questions})

    shown: dict[str, Any] = {"is_shown": bool(mine and mine.is_shown), "is_named": bool(mine and mine.is_named)}
    for kind, label in (("region", _("Your region")), ("channel", _("Your channel"))):
        if names := found.quota_names(kind):
            offered = [("", _("Choose one")), *((n, n) for n in names)]
            if kind == "region":  # a region has a number of places; who lives in none of them may still be the best
                offered.append((ELSEWHERE, _("Elsewhere")))
            setattr(ApplicationForm, kind, SelectField(label, [DataRequired(_("Choose one from the list."))], choices=offered))
            shown[kind] = (getattr(mine, kind) or (ELSEWHERE if kind == "region" else "")) if mine else ""
    for q in found.questions:
        setattr(ApplicationForm, f"q{q.position}", _question_field(q, found))
        shown[f"q{q.position}"] = answered.get(q.id, "")
    if found.has_vote:
        ApplicationForm.is_shown = BooleanField(  # type: ignore[attr-defined]
            _("Show my first name and my public answers to everybody during the vote"), [DataRequired(SHOWN)])
    return ApplicationForm(data=shown)


def _question_field(q: Any, found: AmbassadorRound) -> Any:
    """A question says who reads its answer: nothing is public in a round without a vote, and not each has a jury."""
    if q.is_public and found.has_vote:
        note = _("Public: voters see it.")
    elif found.jury_percent:
        note = _("Only the creator and the jury see it.")
    else:
        note = _("Only the creator and the organisers see it.")
    asked = DataRequired(_("Answer this question."))
    longest = Length(max=LONGEST[q.kind], message=_("At most %(most)s characters.", most=format_decimal(LONGEST[q.kind])))
    if q.kind is QuestionKind.LONG:
        return TextAreaField(q.label, [asked, longest], description=note, render_kw={"rows": 5})
    if q.kind is QuestionKind.CHOICE:
        return RadioField(q.label, [asked], choices=[(option, option) for option in q.options], description=note, validate_choice=False)
    return StringField(q.label, [asked, longest], description=note)


def ids_in(values: list[str]) -> list[UUID]:
    """The ids that were sent; anything else is somebody's play, and is told as an unknown id."""
    try:
        return [UUID(value) for value in values]
    except ValueError:
        raise BadInput(_("One of them is not a candidate any more. Look at the list again."), "chosen") from None
