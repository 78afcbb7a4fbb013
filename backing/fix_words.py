"""What a backer reads when a charge was refused: what happened, what comes next, one button (S-35, S-37).

Four kinds of words, and no more: what the bank said stays between us and Stripe. Lost, stolen and suspected cards read
like any card that will not do.
"""

from dataclasses import dataclass

import sqlalchemy as sa
from flask import Flask
from flask_babel import gettext as _

from backing.models import Pledge, PledgeState
from core import clock, money
from core.db import db
from core.i18n import locale_name, show_moment
from payments import safety
from payments.breaker import breaker
from payments.caps import may_try
from payments.declines import AUTHENTICATE, CALL_BANK, LATER, NEW_CARD

_IS_PAUSED = sa.text("SELECT true FROM collection_run WHERE project_id = :project AND state = 'paused'")
CONFIRM, OTHER_CARD = "confirm", "other_card"


@dataclass(frozen=True)
class FixWords:
    """`button` is the one thing to press: confirm with the bank, or another card."""

    subject: str
    head: str
    what: str
    then: str
    button: str
    may_press: bool  # whether this very card may be tried by its owner once more

    @property
    def label(self) -> str:
        return _("Confirm with my bank") if self.button == CONFIRM else _("Use another card")


def fix_words(pledge: Pledge) -> FixWords:
    """The words for an errored pledge as it stands now."""
    assert pledge.project.deadline is not None
    kind = (pledge.payment.decline_class if pledge.payment else None) or LATER
    card = pledge.card
    is_gone = card is None or card.dead_at is not None
    if is_gone:
        kind = NEW_CARD
    may_press = not is_gone and card is not None and may_try(card.payment_method_id or "", automatic=False)
    if kind == AUTHENTICATE and not may_press:
        kind = NEW_CARD
    amount = money.show(pledge.amount, pledge.currency, locale_name())
    last4 = (card.card_last4 if card else None) or "····"
    title = pledge.project.title
    if kind == AUTHENTICATE:
        return FixWords(
            _("Your charge for %(title)s needs you", title=title), _("Your bank wants to see you."),
            _("Your bank asks you to confirm the %(amount)s yourself. It takes a minute, on the page of your bank.",
              amount=amount),
            _("We do not ask your bank again without you."), CONFIRM, False)
    if kind == NEW_CARD:
        return FixWords(
            _("Your charge for %(title)s needs you", title=title), _("This card will not do."),
            _("The card ending in %(last4)s cannot pay the %(amount)s.", last4=last4, amount=amount),
            _("We do not try this card again. Another card works at once.") if is_gone else
            _join(_again(pledge), _("Another card works at once.")),
            OTHER_CARD, False)
    if kind == CALL_BANK:
        return FixWords(
            _("Your charge for %(title)s needs you", title=title), _("Your bank said no."),
            _("The bank of the card ending in %(last4)s did not accept the %(amount)s. It does not tell us why; it will tell "
              "you.", last4=last4, amount=amount),
            _join(_("Ask your bank to allow it, or use another card."), _again(pledge)), OTHER_CARD, may_press)
    return FixWords(
        _("We could not collect your pledge to %(title)s yet", title=title), _("It did not work yet."),
        _("The bank of the card ending in %(last4)s did not accept the %(amount)s this time.", last4=last4, amount=amount),
        _join(_again(pledge), _("Another card works at once.")), OTHER_CARD, may_press)


def _again(pledge: Pledge) -> str:
    """When we try again by ourselves; empty when we do not."""
    zone = pledge.project.zone
    if safety.look().is_safe_mode or db.session.scalar(_IS_PAUSED, {"project": pledge.project_id}):
        return _("Our charges rest just now, while people look at them. Nobody is let go meanwhile, and we try again by "
                 "ourselves when they go on.")
    if pledge.retry_at is not None:
        if pledge.retry_at <= clock.now():
            return _("We try again by ourselves in a moment.")
        return _("We try again by ourselves on %(moment)s.", moment=show_moment(pledge.retry_at, zone))
    if pledge.last_try_at is not None or pledge.card is None \
            or not may_try(pledge.card.payment_method_id or "", automatic=True):
        return _("We do not try this card again by ourselves.")
    return _("We try once more by ourselves on the last day.")


def _join(*sentences: str) -> str:
    return " ".join(sentence for sentence in sentences if sentence)


def errored_words(pledge: Pledge) -> FixWords | None:
    """For templates that show pledges in every state."""
    return fix_words(pledge) if pledge.state is PledgeState.ERRORED else None


def init_app(app: Flask) -> None:
    app.jinja_env.globals.update(fix_words=errored_words, card_form_rests=lambda: breaker().rests())
