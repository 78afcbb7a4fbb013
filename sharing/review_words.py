"""What a doubt is called, for those who decide it and, in milder words, for the one whose link it is."""

from flask_babel import gettext as _
from flask_babel import ngettext

from sharing.review_queries import Item, Mine


def head(item: Item) -> str:
    """What was seen, as a sentence with its number."""
    n = int(item.facts.get("count", item.count))
    minutes = int(item.facts.get("minutes", 0))
    return {
        "device": lambda: _("Backer and recruiter used the same browser."),
        "card": lambda: _("Backer and recruiter have the same card."),
        "address": lambda: _("Backer and recruiter gave the same address."),
        "burst": lambda: _("%(n)s pledges came within %(minutes)s minutes.", n=n, minutes=minutes),
        "network": lambda: _("%(n)s backers came from one network on one day.", n=n),
        "mails": lambda: _("%(n)s e-mail addresses differ by a number only.", n=n),
        "mailboxes": lambda: _("%(n)s accounts lead to one mailbox.", n=n),
        "cards": lambda: _("%(n)s backers have one card between them.", n=n),
        "addresses": lambda: _("%(n)s backers gave one address.", n=n),
        "newcomers": lambda: _("%(n)s accounts were made within %(minutes)s minutes of their pledges.", n=n,
                               minutes=minutes),
        "money_back": lambda: _("The money of %(n)s pledges was asked back.", n=n),
    }.get(item.rule, lambda: _("Something about these pledges looks odd."))()


def advice(item: Item) -> str:
    """What may be behind it, so that the innocent case is thought of first."""
    return {
        "device": lambda: _("Usual in a household or at work: two people, one laptop. If you know them both, count it."),
        "card": lambda: _("Usual among partners and in families. It may also be one person with two accounts."),
        "address": lambda: _("Usual in a household: couples and families bring each other. If they are two people, count it."),
        "burst": lambda: _("A message to many friends, or a mention somewhere, does this. Look whether the people are real."),
        "network": lambda: _("A school, an office or a concert hall does this. Look whether the people are real."),
        "mails": lambda: _("Addresses made in a row look like this; so do families with one name."),
        "mailboxes": lambda: _("Different spellings of one address. Hardly ever more than one person."),
        "cards": lambda: _("One card, several accounts. In a family that may be right."),
        "addresses": lambda: _("A big family, a shared house or an office. Look whether the people are real."),
        "newcomers": lambda: _("Friends often register in order to pledge. Many at once are worth a look."),
        "money_back": lambda: _("By the backers’ banks, or at their wish. Pledges that are only made to count look like this."),
    }.get(item.rule, lambda: "")()


def severity(item: Item) -> tuple[str, str, str]:
    """Word, sign and tone of its badge."""
    if item.is_appealed:
        return _("Asked to look again"), "arrow-repeat", "collecting"
    if item.decision == "credit":
        return _("Counts"), "check-lg", "good"
    if item.decision == "strike":
        return _("Does not count"), "x-lg", "dim"
    if item.severity == "high":
        return _("Does not count yet"), "hourglass-split", "held"
    return _("Counts until decided"), "bookmark-check-fill", "outline"


def mine(one: Mine) -> str:
    """To the recruiter: what happens with these pledges; no reason that accuses anybody."""
    if one.decision is None:
        return ngettext("One pledge by your link is being looked at. It may count a little later.",
                        "%(num)s pledges by your link are being looked at. They may count a little later.", one.count)
    if one.decision == "credit":
        return ngettext("One pledge by your link was looked at. It counts for you.",
                        "%(num)s pledges by your link were looked at. They count for you.", one.count)
    return ngettext("One pledge by your link is not counted for you. The pledge itself stands as it is.",
                    "%(num)s pledges by your link are not counted for you. The pledges themselves stand as they are.",
                    one.count)


def general_reason(rule: str) -> str:
    """Why something like this may not count, as a rule and not as a reproach."""
    if rule in ("device", "card", "address", "mails", "mailboxes", "cards", "addresses", "network"):
        return _("A link counts pledges of other people. Where backer and recruiter, or several backers, have much in "
                 "common, people of the project look and decide.")
    if rule == "money_back":
        return _("Only pledges that are paid and stay paid count.")
    return _("When many pledges come at once, people of the project look and decide.")
