"""Shape only of what reviewers and recruiters type; `reviewing` and `bans` know what is true."""

from typing import Any

from flask_babel import lazy_gettext as _l
from flask_wtf import FlaskForm
from wtforms import BooleanField, IntegerField, StringField, TextAreaField
from wtforms.validators import DataRequired, Length, NumberRange, Optional

from sharing.bans import LONGEST, SHORTEST
from sharing.reviewing import APPEAL, REASON


def _plain(text: str | None) -> str | None:
    """Without signs that no keyboard has and no table takes."""
    return "".join(sign for sign in text if sign.isprintable() or sign in "\r\n\t") if text else text


def _one_line(text: str | None) -> str | None:
    return " ".join(text.split()) if text else text


class _Days(IntegerField):
    """A number of days; anything else is said in our words."""

    def process_formdata(self, valuelist: list[Any]) -> None:
        try:
            super().process_formdata([value.strip()[:9] for value in valuelist])
        except ValueError:
            raise ValueError(_l("Write a number of days, or leave it empty for no end.")) from None


class DecisionForm(FlaskForm):
    decision = StringField(_l("Decision"))
    reason = StringField(_l("Why"), [Length(max=REASON, message=_l("At most 300 characters."))], filters=[_plain],
                         description=_l("Kept with the decision. The recruiter does not read it."))


class AppealForm(FlaskForm):
    text = TextAreaField(_l("What should we know?"), [
        DataRequired(_l("Say in a sentence or two what we should know.")),
        Length(max=APPEAL, message=_l("At most 1,000 characters."))], filters=[_plain])


class _BanForm(FlaskForm):
    reason = StringField(_l("Why"), [DataRequired(_l("Say in a few words why. It is kept with the ban.")),
                                     Length(SHORTEST, message=_l("Say in a few words why. It is kept with the ban.")),
                                     Length(max=REASON, message=_l("At most 300 characters."))], filters=[_plain, _one_line],
                         description=_l("Kept with the ban. They do not read it."))
    days = _Days(_l("For how many days"), [Optional(), NumberRange(1, LONGEST, _l(
        "Write a number of days from 1 to %(n)s, or leave it empty for no end.", n=LONGEST))], description=_l("Empty means without an end."))
    has_struck = BooleanField(_l("What was credited before does not count any more either."))


class BanByLinkForm(_BanForm):
    link = StringField(_l("Their sharing link or its code"), [DataRequired(_l("Paste a sharing link, or type its code.")),
                                                              Length(max=200, message=_l("This is too long for a link."))],
                       filters=[_plain])


class BanByMailForm(_BanForm):
    email = StringField(_l("Their e-mail address"), [DataRequired(_l("Type the e-mail address of an account.")),
                                                     Length(max=320, message=_l("This is too long for an address."))],
                        filters=[_plain])


__all__ = ["AppealForm", "BanByLinkForm", "BanByMailForm", "DecisionForm"]
