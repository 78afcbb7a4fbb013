"""Shape only of what organisers type about tags and settings; `tags` and `words` know what is true."""

from typing import Any

from flask_babel import lazy_gettext as _l
from flask_wtf import FlaskForm
from wtforms import BooleanField, Form, IntegerField, RadioField, StringField, TextAreaField
from wtforms.validators import DataRequired, Length, NumberRange, Optional

from sharing.cookie import LONGEST_MARK, MARKS
from sharing.tags import CHANNEL, NAME, SORTS, Tag, Wanted

_LONG = Length(max=LONGEST_MARK, message=_l("At most %(n)s characters.", n=LONGEST_MARK))


class TagForm(FlaskForm):
    name = StringField(_l("Name"), [DataRequired(_l("Give the tag a name, like “Poster in the hall”.")), Length(
        max=NAME, message=_l("A name has at most 60 characters."))])
    channel = StringField(_l("Channel"), [Length(max=CHANNEL, message=_l("A channel has at most 40 characters."))])
    word = StringField(_l("A word for its link"), [Length(max=60, message=_l("Write 3 to 30 letters and digits."))])
    utm_source = StringField(_l("Source"), [_LONG])
    utm_medium = StringField(_l("Medium"), [_LONG])
    utm_campaign = StringField(_l("Campaign"), [_LONG])
    utm_term = StringField(_l("Term"), [_LONG])
    utm_content = StringField(_l("Content"), [_LONG])

    @classmethod
    def about(cls, tag: Tag) -> "TagForm":
        return cls(data={"name": tag.name, "channel": tag.channel, "word": tag.word or ""}
                   | {key: tag.utm.get(key, "") for key in MARKS})

    @property
    def utm(self) -> dict[str, str]:
        return {key: self[key].data or "" for key in MARKS}

    @property
    def utm_fields(self) -> list[Any]:
        return [self[key] for key in MARKS]

    @property
    def has_utm(self) -> bool:
        return any(field.data or field.errors for field in self.utm_fields)


class ManyForm(FlaskForm):
    lines = TextAreaField(_l("One tag on each line"), [
        DataRequired(_l("Write one tag on each line, like “Poster in the hall;Posters”.")),
        Length(max=60_000, message=_l("At most 500 lines at a time."))])


class SettingsForm(FlaskForm):
    counts = RadioField(_l("Which link counts"), choices=[
        ("last", _l("The last link that somebody opened")), ("first", _l("The first link that somebody opened"))],
        validate_choice=True)
    has_ranking = BooleanField(_l("Show a ranking of who brought most"))


class FindForm(Form):
    """The question in the address; what cannot be asked is an error, not a guess."""

    q = StringField(_l("Name, channel or word"), [Length(max=100, message=_l("At most 100 characters."))])
    channel = StringField(_l("Channel"), [Length(max=CHANNEL, message=_l("A channel has at most 40 characters."))])
    sort = StringField(_l("Sort"))
    archived = StringField(_l("Archived"))
    page = IntegerField(_l("Page"), [Optional(), NumberRange(1, 10_000, message=_l("There is no such page."))])

    def wanted(self, has_channel: bool) -> Wanted:
        sort = self.sort.data or ""
        return Wanted(
            q=(self.q.data or "").replace("\0", "").strip(), sort=sort if sort in SORTS else "",
            channel=(self.channel.data or "").replace("\0", "") if has_channel else None,
            is_archived=self.archived.data == "1", page=self.page.data or 1)
