"""The mails about money that goes back. Each says what is true when it leaves."""

from uuid import UUID

from flask_babel import force_locale, gettext

from backing.emails import _letter
from backing.models import Pledge, PledgeState
from backing.refund_words import reason_word, refund_line
from core import money
from core.db import db
from core.mail import Letter, author
from payments.models import Refund, RefundState
from payments.refunds import OPEN

R = RefundState


def _about(refund_id: str, *states: RefundState) -> Letter | None:
    refund = db.session.get(Refund, UUID(refund_id))
    if refund is None or refund.state not in states:
        return None
    pledge_id = db.session.scalar(db.select(Pledge.id).where(Pledge.payment_id == refund.payment_id))
    letter = _letter(str(pledge_id)) if pledge_id else None
    if letter is None:
        return None
    pledge = letter.context["pledge"]
    with force_locale(letter.locale):
        lines = [(title or gettext("Bonus"), money.show(int(amount), refund.currency, letter.locale)) for title, amount in refund.lines]
        letter.context.update(
            refund=refund, back=money.show(refund.amount, refund.currency, letter.locale), refund_lines=lines,
            reason=reason_word(refund), what_happens=refund_line(refund), note=refund.note,
            is_whole=pledge.state is PledgeState.REFUNDED)
    return letter


@author("backing/refund_asked")
def refund_asked(refund_id: str) -> Letter | None:
    """Only while it is on its way: most refunds are done before this leaves, and one mail is enough."""
    return _about(refund_id, *OPEN)


@author("backing/refund_done")
def refund_done(refund_id: str) -> Letter | None:
    return _about(refund_id, R.SUCCEEDED)


@author("backing/refund_failed")
def refund_failed(refund_id: str) -> Letter | None:
    return _about(refund_id, R.FAILED, R.CANCELED)
