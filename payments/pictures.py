"""The flow of a project's money, as the drawing wants it, and the words of the books."""

from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from babel.dates import format_datetime
from flask_babel import gettext as _

from core.i18n import locale_name, show_day, show_money
from payments.statements import Statement

ROW = 68  # pixels: each part's line of words beside the drawing
LEFT, RIGHT = 0.0, 1000.0  # the drawing's width is stretched to whatever there is


@dataclass(frozen=True)
class Band:
    """One part of what came in, from the bar on the left to its words on the right."""

    key: str  # the colour: paid | later | held | fee | back
    label: str
    note: str
    amount: int
    text: str
    percent: int
    path: str
    y: float
    height: float


@dataclass(frozen=True)
class Flow:
    total: str
    height: int
    bands: list[Band]


def flow_of(known: Statement, is_creator: bool) -> Flow | None:
    """Where all that came in is now: the parts are the whole, by the ledger's own arithmetic."""
    when = show_day(known.next_at) if known.next_at else ""
    parts = [
        ("paid", _("At your account") if is_creator else _("At the creator's account"), _("transferred"), known.transferred),
        ("paid", _("On its way"), _("sent, not confirmed yet"), known.on_its_way),
        ("later", _("Next payout"), _("on %(day)s", day=when) if when else _("as soon as nothing is in its way"), known.free),
        ("held", _("Reserve"), _("until %(day)s", day=show_day(known.reserve_at)) if known.reserve_at else "", known.reserve),
        ("held", _("Held for a dispute"), _("until the bank decides"), known.held),
        ("back", _("Refunded to backers"), _("of this not confirmed: %(money)s", money=show_money(
            known.refunding, known.currency)) if known.refunding else "", known.refunded),
        ("back", _("Lost to disputes"), "", known.disputed),
        ("fee", _("This site"), "", known.platform_fee),
        ("fee", _("Stripe's fees"), _("for charges and disputes"), known.fees),
    ]
    shown = [part for part in parts if part[3] > 0]
    total = sum(amount for _key, _label, _note, amount in shown)
    if not total:
        return None
    height, bands, at = ROW * len(shown), [], 0.0
    inner = height - 8.0
    for number, (key, label, note, amount) in enumerate(shown):
        thick = inner * amount / total
        # On the right a part is as thick as on the left, as far as its line has room.
        end = max(3.0, min(thick, ROW - 20.0))
        top, bottom = 4 + at, 4 + at + thick
        to = number * ROW + (ROW - end) / 2
        path = (f"M{LEFT:.0f} {top:.1f}C450 {top:.1f} 550 {to:.1f} {RIGHT:.0f} {to:.1f}V{to + end:.1f}"
                f"C550 {to + end:.1f} 450 {bottom:.1f} {LEFT:.0f} {bottom:.1f}z")
        bands.append(Band(key, label, note, amount, show_money(amount, known.currency), round(100 * amount / total), path,
                          round(to, 1), round(end, 1)))
        at += thick
    return Flow(show_money(known.came_in, known.currency), height, bands)


def words(is_creator: bool = False) -> dict[str, str]:
    """What each kind of movement is called, to the creator or to staff."""
    return {"charge": _("Charge"), "refund": _("Refund"), "dispute": _("Dispute"),
            "transfer": _("Transfer to you") if is_creator else _("Transfer"),
            "reversal": _("Taken back"), "debt": _("Owed by you") if is_creator else _("Owed by the creator"), "shortfall": _("Fees not given back"),
            "set off": _("Set off against a payout"), "available": _("Became available"),
            "duplicate": _("Second charge"), "payout": _("Payout to the bank"), "fee": _("Stripe’s fee"),
            "stripe_fee": _("Stripe’s fee for the platform"), "adjustment": _("Booked by the people who run this site")}


def part_word(part: str) -> str:
    """What the part of a movement is called; a bare number says nothing to anybody."""
    said = {"pending": _("asked for"), "posted": _("confirmed"), "void": _("called off"), "withdrawn": _("taken by the bank"),
            "reinstated": _("given back by the bank"), "lost": _("lost"), "corrected": _("corrected"), "": ""}
    if part.endswith("reversed"):
        return _("corrected")
    word = part.split(":")[0]
    return "" if word.isdigit() else said.get(word, word)


def wanted_words(wanted: list[str]) -> list[str]:
    """What Stripe asks for, in words; its own are paths into its objects."""
    known = (("destination", _("a bank account")), ("document", _("a document")), ("email", _("an e-mail address")),
             ("date_of_birth", _("a date of birth")), ("id_number", _("a number that says who you are")),
             ("phone", _("a phone number")), ("address", _("an address")), ("name", _("a name")),
             ("tos_", _("consent to its terms")), ("terms", _("consent to its terms")))
    said = [next((word for part, word in known if part in path), _("some more about you")) for path in wanted]
    return list(dict.fromkeys(said))


def moment(at: datetime, zone: str) -> str:
    """Short, for a column: `24 Nov 2026, 02:27`."""
    return format_datetime(at.astimezone(ZoneInfo(zone)), "d MMM y, HH:mm", locale=locale_name())


def account_words() -> dict[str, str]:
    """What each account of the ledger is."""
    return {"stripe_pending": _("at Stripe, not available yet"), "stripe_available": _("at Stripe, available"),
            "stripe_fees": _("fees that the platform bears"), "backer_receivable": _("owed to backers, second charges"),
            "creator_payable": _("owed to creators"), "platform_fee": _("the platform's share"),
            "refunds_payable": _("refunds on their way"), "transfers_payable": _("transfers on their way"),
            "disputes_held": _("held by banks"), "creator_debt": _("owed by creators"), "fx": _("changes of money"),
            "bank": _("paid out to, or taken from, the platform's bank")}
