"""Where a friend lands: what the sender says, and what a chat or another site shows of the link before anybody opens it."""

from dataclasses import dataclass
from functools import cache
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

import sqlalchemy as sa
from flask import Response, current_app, make_response, render_template, url_for
from flask_babel import force_locale, ngettext
from flask_babel import gettext as _

from backing.models import Pledge
from core.db import fetch_one
from core.i18n import locale_name, show_left
from projects.models import Project
from projects.rules import whole_project
from sharing import cards, recommendations
from sharing.queries import STANDING_SQL, Found
from sharing.recommendations import ON_PAGE, Quote, first_word

LOCALES = {"en": "en_GB", "nl": "nl_NL"}  # Open Graph wants a land


@dataclass(frozen=True)
class Sender:
    """Whose link it is, as far as everybody may know: a name only by consent, of a tag never anything."""

    person_id: UUID | None
    first_name: str
    number: int | None
    quote: str
    locale: str

    @property
    def sent(self) -> str:
        """The line on the card."""
        if self.first_name:
            return _("%(name)s sent you this", name=self.first_name)
        return _("A backer sent you this") if self.number else ""


# A first name is shown if its owner put it on the link, or on words that are shown.
_SENDER = sa.text(f"""
    SELECT l.person_id, n.name, p.number, l.is_named, coalesce(q.text, '') AS text, coalesce(n.locale, c.locale) AS locale
      FROM share_link l JOIN project j ON j.id = l.project_id JOIN person c ON c.id = j.creator_id
      LEFT JOIN person n ON n.id = l.person_id
      LEFT JOIN pledge p ON p.project_id = l.project_id AND p.backer_id = l.person_id AND p.state IN ({STANDING_SQL})
      LEFT JOIN recommendation q ON q.project_id = l.project_id AND q.person_id = l.person_id AND q.pledge_id = p.id
                                AND q.is_shown AND q.hidden_at IS NULL
     WHERE l.id = :link""")  # noqa: S608


def sender_of(link_id: UUID) -> Sender | None:
    """Who stands behind a link, in one statement."""
    row = fetch_one(_SENDER, link=link_id)
    if row is None:
        return None
    name = first_word(row.name or "") if row.is_named or row.text else ""
    return Sender(row.person_id, name, row.number, row.text, row.locale)


@dataclass(frozen=True)
class Progress:
    """How far a project is, in words."""

    percent: int
    backers: int
    figure: str
    label: str

    @property
    def text(self) -> str:
        """`77% of the goal, 9 days left`."""
        return _("%(percent)s%% of the goal, %(more)s", percent=self.percent, more=f"{self.figure} {self.label}".strip())


def progress_of(project: Project) -> Progress:
    raised = project.total.raised if project.raised_at_close is None else project.raised_at_close
    backers = project.total.backers if project.backers_at_close is None else project.backers_at_close
    percent = raised * 100 // project.goal if project.goal else 0
    if project.is_live and project.deadline:
        figure, _space, label = show_left(project.deadline).partition(" ")
        if label:
            return Progress(percent, backers, figure, label)
    return Progress(percent, backers, str(backers), ngettext("backer", "backers", backers))


def card_of(project: Project, sender: Sender | None) -> cards.Card:
    """What the picture says, in the language of now."""
    far = progress_of(project)
    return cards.Card(
        language=locale_name(), seed=project.slug, title=project.title,
        picture_key=project.picture.key if project.picture else None, percent=far.percent,
        percent_label=_("of the goal"), figure=far.figure, figure_label=far.label, sent=sender.sent if sender else "",
        sender=sender.first_name if sender else "", sender_seed=str(sender.person_id) if sender else "",
        quote=sender.quote if sender else "")


@dataclass(frozen=True)
class Meta:
    """What stands in the head of a page for those who show it elsewhere."""

    title: str
    description: str
    url: str  # what is shared: the link itself, or the project
    canonical: str
    image: str
    image_alt: str
    oembed: str

    @property
    def locale(self) -> str:
        return LOCALES.get(locale_name(), locale_name())

    @property
    def other_locales(self) -> list[str]:
        return [LOCALES.get(code, code) for code in current_app.config["LANGUAGES"] if code != locale_name()]


def meta_of(project: Project, code: str = "", sender: Sender | None = None) -> Meta:
    """For the project's own page, or for the link of this code."""
    base, far = current_app.config["BASE_URL"], progress_of(project)
    canonical = f"{base}/projects/{project.slug}"  # without the code that `ears.carry_code` would put into it
    # The share of the goal makes a new address, so that a chat that keeps pictures asks again when there is news.
    asked: dict[str, Any] = {"lang": locale_name(), "v": far.percent}
    if code:
        image, url = url_for("sharing.link_card", code=code, **asked), f"{base}/s/{code}"
    else:
        image, url = url_for("sharing.project_card", slug=project.slug, **asked), canonical
    said = project.blurb
    if sender and sender.quote:
        said = _("“%(text)s” %(name)s, backer %(number)s", text=sender.quote, name=sender.first_name, number=sender.number)
    return Meta(project.title, said, url, canonical, base + image, f"{project.title}. {far.text}.",
                f"{base}/oembed?{urlencode({'url': url, 'format': 'json'})}")


def preview_page(found: Found) -> Response:
    """For robots that make previews, at `/s/<code>`: they follow no redirect with a cookie, and want the sender's card.

    In the sender's language, since their friends read it.
    """
    sender = sender_of(found.link_id)
    project, _version = whole_project(found.slug)
    with force_locale(sender.locale if sender else locale_name()):
        response = make_response(render_template(
            "sharing/preview.html", project=project, meta=meta_of(project, found.code, sender), sender=sender,
            far=progress_of(project)))
    response.vary.add("User-Agent")
    return response


def on_page(project: Project, context: dict[str, Any]) -> None:
    """The project's page: why backers stand behind it, what the sender says, and the head for previews. After `ears`."""
    if not project.is_public:
        return
    context["meta"] = meta_of(project)
    quotes = recommendations.newest_of(project, ON_PAGE + 1)
    if sent := context.get("sent_by"):
        sent["quote"] = said = _said(project, sent, quotes)
        context["quotes"] = [quote for quote in quotes if quote != said][:ON_PAGE]
    else:
        context["quotes"] = quotes[:ON_PAGE]
    if len(quotes) > ON_PAGE or (quotes and context.get("may_edit")):
        context["quotes_url"] = url_for("sharing.recommendation_list", slug=project.slug)


def on_pledge_form(person: Any, project: Any, context: dict[str, Any]) -> None:
    """The pledge form: the same words, asked for only when the page shows them, since sending costs as little as it can."""
    if sent := context.get("sent_by"):
        sent["quote_of"] = cache(lambda: _said(project, sent, []))


def on_pledge_shown(pledge: Pledge, context: dict[str, Any]) -> None:
    """The page of a pledge that stands: the field for its backer's words, which reads them only when it is shown."""
    if pledge.stands:
        context["recommendation"] = recommendations.Field(pledge.backer_id, pledge.project)


def _said(project: Project, sent: dict[str, Any], quotes: list[Quote]) -> Quote | None:
    try:
        person_id = UUID(str(sent.get("seed")))
    except ValueError:
        return None
    return next((quote for quote in quotes if quote.person_id == person_id), None) \
        or recommendations.of_person(project.id, person_id)
