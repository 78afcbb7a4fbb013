"""What refunds are called: true to their state, neutral for who reads (S-37, S-66)."""

from typing import Any

from flask import Flask
from flask_babel import gettext as _

from payments.models import Refund, RefundState
from payments.refunds import REASONS

R = RefundState


def reason_words() -> dict[str, str]:
    """The seven that a creator chooses from."""
    words = (_("A reward or part of it was changed or taken out"), _("It comes too late"),
             _("A credit for the backer"), _("The backer paid too much"), _("The backer asked for it"),
             _("A matter of administration"), _("Something else"))
    return dict(zip(REASONS, words, strict=True))


def reason_word(refund: Refund) -> str:
    if refund.reason == "duplicate":
        return _("Charged twice")
    if refund.reason == "fraud":
        return _("Decided by the people who run this site")
    return reason_words().get(refund.reason, refund.reason)


def refund_sign(refund: Refund) -> tuple[str, str, str]:
    """Word, icon and tone of the badge. Nothing is called refunded before it is."""
    return {
        R.CREATED: (_("Asked for"), "hourglass-split", "outline"),
        R.UNKNOWN: (_("Under way"), "arrow-repeat", "outline"),
        R.PENDING: (_("Under way"), "arrow-repeat", "outline"),
        R.REQUIRES_ACTION: (_("Waits for the bank"), "hourglass-split", "outline"),
        R.SUCCEEDED: (_("Refunded"), "check-lg", "good"),
        R.FAILED: (_("Did not arrive"), "exclamation-triangle-fill", "bad"),
        R.CANCELED: (_("Called off"), "slash-circle", "dim"),
    }[refund.state]


def refund_line(refund: Refund) -> str:
    """One sentence for the backer: what happens, and that there is nothing to do."""
    if refund.state is R.SUCCEEDED:
        return _("Sent to the card that you paid with. Banks take five to ten days to show it.")
    if refund.state in (R.FAILED, R.CANCELED):
        return _("It did not reach your card. We look into it and tell you; you need to do nothing.")
    if refund.state is R.REQUIRES_ACTION:
        return _("Your bank has a question before it takes the money. Look for a message of theirs.")
    return _("On its way to the card that you paid with. We tell you when it is done.")


def init_app(app: Flask) -> None:
    names: dict[str, Any] = {"refund_sign": refund_sign, "refund_line": refund_line, "refund_reason": reason_word}
    app.jinja_env.globals.update(names)
