"""What is typed to give money back: how much, why, and a word to the backer."""

from typing import Any

from flask_babel import gettext
from flask_babel import lazy_gettext as _
from flask_wtf import FlaskForm
from wtforms import HiddenField, RadioField, StringField, TextAreaField
from wtforms.validators import Length, ValidationError

from backing.models import LineKind
from backing.refund_queries import Part
from backing.refund_words import reason_words
from backing.refunding import LONGEST_NOTE, Wish
from core import money
from core.i18n import locale_name
from payments.refunds import REASONS

WHOLE, LINES, AMOUNT = "whole", "lines", "amount"


class ReasonForm(FlaskForm):
    """Why, and a word to whom it concerns."""

    reason = RadioField(_("Why?"), validate_choice=False)
    note = TextAreaField(_("A word to the backer"), [Length(max=LONGEST_NOTE, message=_(
        "Keep it under a thousand characters."))])

    def __init__(self, **kwargs: Any):
        super().__init__(**kwargs)
        self.reason.choices = list(reason_words().items())

    def validate_reason(self, field: Any) -> None:
        if field.data not in REASONS:
            raise ValidationError(gettext("Choose one of these reasons."))


class RefundForm(ReasonForm):
    """All that is left, some of each line, or an amount; `seen` is what had gone back when this was looked at."""

    how = RadioField(_("How much?"), validate_choice=False, default=WHOLE)
    amount = StringField(_("Amount"), [Length(max=20)])
    seen = HiddenField("")

    parts: list[Part] = []
    currency, left = "", 0

    def begin(self, parts: list[Part], currency: str, left: int, seen: int) -> None:
        """For this payment."""
        self.parts, self.currency, self.left = parts, currency, left
        self.how.choices = [(WHOLE, gettext("Everything that is left, %(amount)s", amount=self._shown(left))),
                            (LINES, gettext("Some of each line")), (AMOUNT, gettext("An amount"))]
        if not self.is_submitted():
            self.seen.data = str(seen)

    def _shown(self, amount: int) -> str:
        return money.show(amount, self.currency, locale_name())

    def line_fields(self) -> list[Any]:
        return [self[f"line_{n}"] for n in range(len(self.parts))]

    def validate_how(self, field: Any) -> None:
        if field.data not in (WHOLE, LINES, AMOUNT):
            raise ValidationError(gettext("Choose how much goes back."))

    def validate_amount(self, field: Any) -> None:
        typed = (field.data or "").strip()
        if self.how.data != AMOUNT:
            if typed:
                raise ValidationError(gettext("Choose “An amount” above, or leave this empty."))
            return
        amount = self._parsed(typed)
        if amount > self.left:
            raise ValidationError(gettext("At most %(amount)s is left.", amount=self._shown(self.left)))

    def _parsed(self, typed: str) -> int:
        try:
            amount = money.parse(typed, self.currency)
        except ValueError:
            amount = 0
        if amount < 1:
            raise ValidationError(gettext("Write the amount as a number, like 10 or 12.50."))
        return amount

    def validate_lines(self) -> bool:
        """The fields of the lines, each with its own sentence."""
        good, total = True, 0
        for part, field in zip(self.parts, self.line_fields(), strict=True):
            typed = (field.data or "").strip()
            if not typed:
                continue
            try:
                if self.how.data != LINES:
                    raise ValidationError(gettext("Choose “Some of each line” above, or leave this empty."))
                amount = self._parsed(typed)
                if amount > part.left:
                    raise ValidationError(gettext("At most %(amount)s is left of this line.", amount=self._shown(part.left)))
                total += amount
            except ValidationError as error:
                field.errors, good = [str(error)], False
        if good and self.how.data == LINES and not 0 < total <= self.left:
            self.how.errors = [gettext("Write an amount beside at least one line.") if not total else
                               gettext("At most %(amount)s is left.", amount=self._shown(self.left))]
            return False
        return good

    def validate(self, extra_validators: Any = None) -> bool:
        good = super().validate(extra_validators)
        return self.validate_lines() and good

    def wish(self) -> Wish:
        """What was typed, once it is valid."""
        lines = [(part.title, self._parsed(field.data.strip()))
                 for part, field in zip(self.parts, self.line_fields(), strict=True) if (field.data or "").strip()]
        seen = self.seen.data or ""
        return Wish(self.reason.data, self._parsed(self.amount.data.strip()) if self.how.data == AMOUNT else None,
                    lines if self.how.data == LINES else (), (self.note.data or "").strip(),
                    int(seen) if seen.isascii() and seen.isdigit() else -1)


def refund_form(parts: list[Part], currency: str, left: int, seen: int) -> RefundForm:
    """A form with one field for each line of the pledge."""
    fields = {f"line_{n}": StringField(part_word(part), [Length(max=20)]) for n, part in enumerate(parts)}
    form: RefundForm = type("RefundFormOfLines", (RefundForm,), fields)()
    form.begin(parts, currency, left, seen)
    return form


def part_word(part: Part) -> str:
    return part.title if part.kind is not LineKind.BONUS else gettext("Bonus")


class EveryoneForm(ReasonForm):
    """The second of two confirmations: the project's title, typed."""

    title = StringField(_("Type the title of the project"), [Length(max=200)])

    def validate_against(self, title: str) -> bool:
        if " ".join((self.title.data or "").split()).casefold() == " ".join(title.split()).casefold():
            return True
        self.title.errors = [gettext("That is not the title. Write it as it stands above.")]
        return False
