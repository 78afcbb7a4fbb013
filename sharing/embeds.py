"""The lines that somebody pastes into their own site: a frame, and a badge. Both carry the link, so that they count.

An ambassador's disclosure stands in the lines; what they show says it again by itself (views_widgets.py).
"""

from dataclasses import dataclass
from urllib.parse import urlencode

from flask import current_app, url_for
from flask_babel import gettext as _
from markupsafe import Markup

WIDE, TALL = 480, 560


def _said(name: str, disclosure: str) -> str:
    return f"{name}. {disclosure}" if disclosure else name


def _told(disclosure: str) -> Markup:
    """For whoever reads the page around it."""
    return Markup('<p dir="auto"><small>{}</small></p>').format(disclosure) if disclosure else Markup("")


def frame_code(slug: str, title: str, code: str | None, wide: int = WIDE, tall: int = TALL, lang: str = "",
               disclosure: str = "") -> Markup:
    address = current_app.config["BASE_URL"] + url_for("sharing.widget", slug=slug)
    asked = urlencode({key: value for key, value in (("via", code), ("lang", lang)) if value})
    return Markup('<iframe src="{}" title="{}" width="{}" height="{}" loading="lazy" style="border:0;max-width:100%"></iframe>'
                  ).format(f"{address}?{asked}" if asked else address, _said(title, disclosure), wide, tall) + _told(disclosure)


def badge_code(slug: str, title: str, code: str | None, target: str, lang: str = "", disclosure: str = "") -> Markup:
    address = current_app.config["BASE_URL"] + url_for("sharing.badge", slug=slug)
    asked = urlencode({key: value for key, value in (("via", code), ("lang", lang)) if value})
    # With a disclosure in it the badge is as high as that needs; a fixed height would make the line too small to read.
    high = Markup("") if disclosure else Markup(' height="32"')
    return Markup('<a href="{}"><img src="{}" alt="{}"{}></a>').format(
        target, f"{address}?{asked}" if asked else address,
        _said(_("Stand behind “%(title)s”", title=title), disclosure), high) + _told(disclosure)


@dataclass(frozen=True)
class Embed:
    """For `_embed.html`: one's own link, ready to be pasted."""

    slug: str
    title: str
    code: str
    link_url: str
    lang: str
    disclosure: str = ""  # of an ambassador

    @property
    def frame(self) -> str:
        return str(frame_code(self.slug, self.title, self.code, lang=self.lang, disclosure=self.disclosure))

    @property
    def badge(self) -> str:
        return str(badge_code(self.slug, self.title, self.code, self.link_url, self.lang, self.disclosure))

    @property
    def widget_url(self) -> str:
        return url_for("sharing.widget", slug=self.slug, via=self.code, lang=self.lang)

    @property
    def badge_url(self) -> str:
        return url_for("sharing.badge", slug=self.slug, via=self.code, lang=self.lang)
