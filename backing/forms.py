"""What a backer types: a reward, a bonus, a reason."""

import uuid
from typing import Any
from uuid import UUID

from flask_babel import lazy_gettext as _
from flask_wtf import FlaskForm
from wtforms import HiddenField, IntegerField, RadioField, StringField
from wtforms.validators import InputRequired, Length, ValidationError

from backing.changes import REASONS
from backing.queries import Offer
from core import money
from core.i18n import show_money

CHIPS = (0, 5, 10, 25)  # whole units of the currency


class PledgeForm(FlaskForm):
    """`reward` is `<id>:<price seen>` or empty; `other` wins over the chips of `bonus`."""

    class Meta(FlaskForm.Meta):
        csrf = False  # the token is asked for before any view (core.web); no second one is made for an answer without page

    reward = RadioField(_("Reward"), validate_choice=False)
    bonus = RadioField(_("Bonus"), validate_choice=False, default="0")
    other = StringField(_("Another amount"), [Length(max=20)])
    # No label: nobody sees these two, and WTForms would look one up in its own catalogue, read anew for each request.
    token = HiddenField("")
    amount = StringField("", [Length(max=20)])  # the whole amount, where a program sends it

    def __init__(self, offers: list[Offer], currency: str, **kwargs: Any):
        super().__init__(**kwargs)
        self.offers, self.currency = offers, currency
        self.reward.choices = [("", _("No reward")), *((offer.value, offer.title) for offer in offers)]
        self.bonus.choices = [(str(n), str(n)) for n in CHIPS]
        if not self.token.data:
            self.token.data = str(uuid.uuid4())
        self.chosen: Offer | None = None
        self.seen_price: int | None = None
        self.extra = 0

    def preset_bonus(self, amount: int) -> None:
        """Show this bonus: on its chip when there is one, else as typed."""
        whole, rest = divmod(amount, 10 ** money.exponent(self.currency))
        self.extra = amount
        if not rest and whole in CHIPS:
            self.bonus.data, self.other.data = str(whole), ""
        else:
            self.bonus.data, self.other.data = "0", str(money.to_decimal(amount, self.currency))

    @property
    def token_id(self) -> UUID:
        try:
            return UUID(self.token.data or "")
        except ValueError:
            return uuid.uuid4()

    def validate_reward(self, field: Any) -> None:
        value, _colon, price = (field.data or "").partition(":")
        if not value:
            return
        self.chosen = next((offer for offer in self.offers if str(offer.id) == value), None)
        if self.chosen is None:
            raise ValidationError(_("This reward is no longer offered. Choose another one."))
        if price.isascii() and price.isdigit():
            self.seen_price = int(price)

    def validate_other(self, field: Any) -> None:
        typed = (field.data or "").strip()
        try:
            if typed:
                self.extra = money.parse(typed, self.currency)
            else:
                self.extra = int(self.bonus.data or 0) * 10 ** money.exponent(self.currency)
                if not 0 <= self.extra <= money.LARGEST:
                    raise ValueError(self.bonus.data)
        except ValueError:
            raise ValidationError(_("Write the amount as a number, like 10 or 12.50.")) from None

    def validate_amount(self, field: Any) -> None:
        """A whole amount, sent by a program: at least the reward's price; what is over is the bonus."""
        typed = (field.data or "").strip()
        if not typed:
            return
        try:
            whole = money.parse(typed, self.currency)
        except ValueError:
            raise ValidationError(_("Write the amount as a number, like 10 or 12.50.")) from None
        price = self.chosen.price if self.chosen else 0
        if whole < price:
            raise ValidationError(_("This reward costs %(price)s; your amount is below it.",
                                    price=show_money(price, self.currency)))
        self.extra = whole - price

    @property
    def total(self) -> int:
        return (self.chosen.price if self.chosen else 0) + self.extra


class ChangeForm(PledgeForm):
    """The same, for the version of the pledge that was looked at."""

    version = IntegerField("", [InputRequired()])


class CancelForm(FlaskForm):
    """One reason, if the backer likes to give one."""

    reason = RadioField(_("Why?"), validate_choice=False, default="")

    def __init__(self, **kwargs: Any):
        super().__init__(**kwargs)
        words = {"price": _("It costs more than I want to spend"), "shipping": _("Shipping costs too much"),
                 "doubt": _("I doubt that it will work out"), "double": _("I pledged twice, or by mistake"),
                 "money": _("I need the money for something else"), "other": _("Another reason")}
        self.reason.choices = [*((key, words[key]) for key in REASONS), ("", _("I would rather not say"))]

    def validate_reason(self, field: Any) -> None:
        if field.data and field.data not in REASONS:
            raise ValidationError(_("Choose one of these reasons."))
