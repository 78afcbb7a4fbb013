"""What a line of the worklist says: plain words for each kind, and both sides beside each other."""

from typing import Any

from flask_babel import gettext as _

from core.i18n import show_money
from payments.worklist import Item


def title(kind: str) -> str:
    """What is the matter, in a few words."""
    return {
        "duplicate_charge": _("Charged twice"),
        "unknown_charge": _("A charge that we do not know"),
        "stray_intent": _("A second payment was begun"),
        "amount": _("The amounts differ"),
        "status": _("The states differ"),
        "refunded": _("The refunded sums differ"),
        "unknown_refund": _("A refund that we do not know"),
        "stranger_refunded": _("A charge that we did not know went back"),
        "refund_failed": _("A refund did not arrive"),
        "refund_twice": _("Refunded twice"),
        "unknown_transfer": _("A transfer that we do not know"),
        "reversed": _("The reversed sums differ"),
        "unknown_dispute": _("A dispute that we could not take in"),
        "unknown_warning": _("A fraud warning that we could not take in"),
        "unknown_movement": _("Money came or went without a reason that we know"),
        "fee": _("Stripe’s fee differs"),
        "missing_there": _("Stripe does not have it"),
        "balance": _("The balances differ"),
    }.get(kind, kind)


def advice(kind: str) -> str:
    """What it means, and what the act on it does."""
    return {
        "duplicate_charge": _("The backer paid a second time. Sending it back leaves the pledge as it is."),
        "unknown_charge": _("Booked, it is owed to whoever paid. Refund it at Stripe, then book that as well."),
        "stray_intent": _("It was not paid. Asked again, it is called off."),
        "unknown_refund": _("Somebody refunded at Stripe instead of here. Taken in, it counts like any other."),
        "stranger_refunded": _("It was booked as owed to whoever paid. Booked as well, nothing is owed for it any more."),
        "refund_failed": _("The bank sent the money back, and it is owed to the backer again. Refund it anew from the pledge, "
                           "or pay by other means."),
        "refund_twice": _("More went back than was asked for. Ask the backer, or book it as your loss."),
        "unknown_transfer": _("Booked, it counts as paid out to the creator."),
        "unknown_movement": _("Booked, it counts as cost or gain of the platform."),
        "fee": _("Booked, the difference is borne by the creator as every processing fee is."),
        "missing_there": _("Our books name an object that Stripe denies. Ask Stripe before anything else."),
        "balance": _("All other lines explain it, or a row of ours is missing. Reconcile everything, then look again."),
    }.get(kind, _("Stripe is asked again, and what it says goes the usual way."))


def button(action: str) -> str:
    return {"refund": _("Send the second charge back"), "adopt": _("Take it in"), "book": _("Book it as it is"),
            "again": _("Ask Stripe again")}[action]


def settled(how: str) -> str:
    """How a line was settled."""
    word, _colon, reason = how.partition(": ")
    return {"gone": _("No longer differs"), "healed": _("Agrees since it was asked again"), "refunded": _("Sent back"),
            "adopted": _("Taken in"), "booked": _("Booked as it is"), "explained": reason}.get(word, how)


def sides(item: Item) -> list[tuple[str, str, str]]:
    """Both sides, line by line: what, ours, theirs."""
    rows = []
    for key, label in (("amount", _("Amount")), ("reversed", _("Taken back")), ("fee", _("Fee")), ("state", _("State"))):
        ours, theirs = item.ours.get(key), item.theirs.get("status" if key == "state" else key)
        if ours is None and theirs is None:
            continue
        currency = str(item.theirs.get("currency") or item.ours.get("currency") or "")
        if key == "state":
            rows.append((label, state(ours), state(theirs)))
        elif key != "reversed" or ours or theirs:
            rows.append((label, _money(ours, item.ours.get("currency") or currency), _money(theirs, currency)))
    return rows or [(_("Known"), _yes(bool(item.ours)), _yes(item.kind != "missing_there"))]


def _money(amount: Any, currency: str) -> str:
    return show_money(int(amount), currency) if amount is not None and currency else "–"


def _yes(it_is: bool) -> str:
    return _("Yes") if it_is else _("No")


def state(word: Any) -> str:
    """A state of ours or of Stripe's, in one word."""
    return {
        None: "–", "created": _("Not begun"), "confirming": _("Under way"), "processing": _("Under way"),
        "requires_action": _("Waits for the backer"), "succeeded": _("Done"), "failed": _("Refused"),
        "unknown": _("Not known yet"), "requires_payment_method": _("Not paid"), "requires_confirmation": _("Not begun"),
        "requires_capture": _("Held"), "canceled": _("Called off"), "pending": _("Under way"),
    }.get(word, str(word).replace("_", " "))
