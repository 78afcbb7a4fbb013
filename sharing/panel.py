"""What a person sees of their own link: address, QR code, plain links to pass it on, and what came of it."""

from dataclasses import dataclass, field
from functools import cached_property
from typing import Any
from urllib.parse import quote, urlencode
from uuid import UUID

from flask import current_app
from flask_babel import gettext as _
from flask_babel import ngettext

from core.i18n import show_money
from projects.models import Project
from sharing import kit, queries
from sharing.lengths import Way, sorted_out
from sharing.milestones import Way as Steps
from sharing.milestones import way_of
from sharing.models import ShareLink
from sharing.queries import Brought, Results
from sharing.words import word_of

IN_TREE = 12  # people on the first level of the drawing; the sentence above it counts all
ON_BRANCH = 6
WORDLESS = ("facebook", "linkedin")  # they take an address and no words
FIRST = 3  # plain links that stand at once; the others unfold


@dataclass(frozen=True)
class Panel:
    """Ready for the macros of `_share.html` and `_tree.html`.

    It holds facts; words are made when it is shown, since a mail is written in its reader's language.
    """

    link_url: str
    short_text: str
    qr_url: str  # for pages
    qr_png_url: str  # whole, for mails
    results: Results
    title: str  # the project's
    currency: str
    person_id: UUID | None  # None: a tag
    code: str = ""
    word: str | None = None
    is_open: bool = True  # the project is live: what comes by the link can count
    number: int | None = None
    sender: dict[str, Any] | None = None  # who brought this person: name, seed
    people: list[Brought] = field(default_factory=list)
    further: dict[UUID, list[Brought]] = field(default_factory=dict)
    disclosure: str = ""  # an ambassador's line, in every text that we prepare for them
    steps: Steps = field(default_factory=lambda: Steps([]))  # what friends unlock
    part: str = "sharing/_panel.html"

    @property
    def words(self) -> str:
        """What stands before the link wherever we write a text for this person."""
        return " ".join(part for part in (self.disclosure.strip(), invitation(self.title)) if part)

    @property
    def _sorted_out(self) -> tuple[list[Way], list[str]]:
        """For an ambassador without those that take an address alone, and would leave the disclosure out."""
        ways = plain_links(self.link_url, self.title, self.words)
        if self.disclosure:
            ways = [way for way in ways if way[2] not in WORDLESS]
        return sorted_out(ways, self.message, self.link_url)

    @property
    def _ways(self) -> list[Way]:
        return self._sorted_out[0]

    @property
    def left_out(self) -> list[str]:
        """Where one post does not hold all the words."""
        return self._sorted_out[1]

    @property
    def links(self) -> list[Way]:
        """The first few, and the poster to print."""
        return [*self._ways[:FIRST], (_("Poster"), self.poster_url, "printer")]

    @property
    def more_links(self) -> list[Way]:
        return [*self._ways[FIRST:],
                (_("QR code, to print"), f"{self.qr_url}?download=1", "qr-code"),
                (_("QR code, as a picture"), f"/s/{self.code}.png?download=1", "qr-code")]

    @property
    def message(self) -> str:
        """For what takes no text from a page: to be copied, then pasted there."""
        return f"{self.words} {self.link_url}"

    @property
    def poster_url(self) -> str:
        return f"/s/{self.code}/poster.pdf"

    @property
    def brought(self) -> list[dict[str, Any]]:
        """First names and amounts, in the order in which they came: the form told each of them so."""
        return [{"first_name": first_name(b.name), "amount": b.amount} for b in self.people]

    @cached_property
    def tree(self) -> dict[str, Any] | None:
        if not self.people and not self.sender:
            return None
        return {"name": _("You"), "you": True, "seed": str(self.person_id),
                "amount_text": _("backer %(number)s", number=self.number) if self.number else "",
                "children": [leaf(b, self.currency, self.further) for b in self.people[:IN_TREE]]}

    @property
    def visits(self) -> int:
        return self.results.visits

    @property
    def recruits(self) -> int:
        return self.results.recruits

    @property
    def pledged(self) -> int:
        return self.results.pledged

    @property
    def collected(self) -> int:
        return self.results.collected

    @property
    def headline(self) -> str:
        if self.is_open and (said := self.steps.headline):
            return said
        if self.recruits:
            return ngettext("You brought one backer", "You brought %(num)s backers", self.recruits)
        if self.visits:
            return ngettext("One visit by your link so far", "%(num)s visits by your link so far", self.visits)
        return _("Who should hear about this?")

    @property
    def text(self) -> str:
        return _("This link is yours. Whoever pledges through it counts for you.")

    @property
    def result_text(self) -> str:
        return result_text(self.results, self.currency)


def result_text(results: Results, currency: str) -> str:
    """`14 visits, 3 pledges, €130 pledged`; money is called collected only once it is."""
    said = [ngettext("%(num)s visit", "%(num)s visits", results.visits),
            ngettext("%(num)s pledge", "%(num)s pledges", results.recruits)]
    if results.collected:
        said.append(_("%(amount)s collected", amount=show_money(results.collected, currency, exact=False)))
    if results.pledged:
        said.append(_("%(amount)s pledged", amount=show_money(results.pledged, currency, exact=False)))
    return ", ".join(said)


def link_url(code: str) -> str:
    return f"{current_app.config['BASE_URL']}/s/{code}"


def short_text(code: str) -> str:
    return link_url(code).split("://", 1)[-1]


@dataclass(frozen=True)
class Mailed:
    """A reader's own link as the layout of mails takes it."""

    link_url: str
    short_text: str
    is_open: bool  # something can still come of it


def mailed(person_id: UUID, project: Project) -> Mailed | None:
    """For every mail about a project: its reader's own link, if they have one."""
    link = queries.link_between(person_id, project.id)
    if link is None:
        return None
    said = word_of(link.id) or link.code
    return Mailed(link_url(said), short_text(said), project.is_live)


def invitation(title: str) -> str:
    return _("I stand behind “%(title)s”. Have a look:", title=title)


def plain_links(url: str, title: str, words: str = "") -> list[Way]:
    """Where the link can be passed on by a plain address: label, address, sign. Nothing of theirs is loaded.

    Signal is not here: it has no such address (signalapp/Signal-Android#8578); its text is copied (`Panel.message`).
    """
    words = words or invitation(title)
    both = f"{words} {url}"
    mail = urlencode({"subject": title, "body": both}, quote_via=quote)
    return [
        ("WhatsApp", f"https://wa.me/?{urlencode({'text': both}, quote_via=quote)}", "whatsapp"),
        (_("E-mail"), f"mailto:?{mail}", "envelope"),
        ("Mastodon", f"https://share.joinmastodon.org/#text={quote(both, safe='')}", "mastodon"),
        ("Bluesky", f"https://bsky.app/intent/compose?{urlencode({'text': both}, quote_via=quote)}", "bluesky"),
        ("Facebook", f"https://www.facebook.com/sharer/sharer.php?{urlencode({'u': url})}", "facebook"),
        ("LinkedIn", f"https://www.linkedin.com/sharing/share-offsite/?{urlencode({'url': url})}", "linkedin"),
        ("X", f"https://x.com/intent/post?{urlencode({'text': words, 'url': url}, quote_via=quote)}", "twitter-x"),
    ]


def panel_of(link: ShareLink, project: Project, *, number: int | None = None, pledge_id: UUID | None = None) -> Panel:
    """All about one link: six statements, one more for whom it brought on, one for who sent the pledge."""
    results = queries.link_results(link.id)
    brought: list[Brought] = []
    further: dict[UUID, list[Brought]] = {}
    if results.recruits and link.person_id:
        brought = queries.brought_by(project.id, [link.person_id]).get(link.person_id, [])
        further = queries.brought_by(project.id, [b.person_id for b in brought[:IN_TREE]], ON_BRANCH)
    sender = queries.recruiter_of(pledge_id) if pledge_id else None
    word = word_of(link.id)
    url = link_url(word or link.code)
    return Panel(
        link_url=url, short_text=short_text(word or link.code), qr_url=f"/s/{link.code}.svg",
        qr_png_url=f"{link_url(link.code)}.png", code=link.code, word=word, is_open=project.is_live,
        results=results, title=project.title, currency=project.currency, person_id=link.person_id, number=number,
        sender={"name": first_name(sender.name), "seed": str(sender.id)} if sender else None,
        disclosure=kit.disclosure_of(link.person_id, project.id) if link.person_id else "",
        people=brought, further=further, steps=way_of(project.id, link.person_id))


def first_name(name: str) -> str:
    return name.split()[0] if name.split() else name


def leaf(brought: Brought, currency: str, further: dict[UUID, list[Brought]], is_friend: bool = True) -> dict[str, Any]:
    """A person in the tree of `_tree.html`; whom a friend brought on has a name only with consent."""
    is_known = is_friend or brought.is_named
    return {"name": first_name(brought.name) if is_known else _("A backer"), "seed": str(brought.person_id),
            "nobody": not is_known, "amount_text": show_money(brought.amount, currency, exact=False),
            "children": [leaf(b, currency, {}, False) for b in further.get(brought.person_id, [])]}
