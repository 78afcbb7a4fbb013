"""What creators write: Markdown kept as source, HTML that cannot bite (W-11)."""

import html as entities
import re
from functools import lru_cache

import nh3
from markdown_it import MarkdownIt
from markupsafe import Markup

_reader = MarkdownIt("commonmark", {"html": False, "linkify": False}).enable(["table", "strikethrough"])
_TAGS = {"p", "br", "h2", "h3", "h4", "strong", "em", "s", "ul", "ol", "li", "blockquote", "code", "pre", "hr", "a",
         "img", "table", "thead", "tbody", "tr", "th", "td"}
_ATTRIBUTES = {"a": {"href", "title"}, "img": {"src", "alt", "width", "height", "loading"}}


@lru_cache(256)  # a page is made anew with every pledge, its story hardly ever
def render(source: str, *, media_prefix: str = "/media/") -> Markup:
    """HTML of a story or an update: headings start at h2, pictures only from our own media, links without credit."""
    html = _reader.render(source)
    html = re.sub(r"<(/?)h([1-6])", lambda m: f"<{m[1]}h{min(int(m[2]) + 1, 4) if m[2] == '1' else min(int(m[2]), 4)}",
                  html)

    def only_ours(tag: str, name: str, value: str) -> str | None:
        if tag == "img" and name == "src" and not value.startswith(media_prefix):
            return None
        return value

    clean = nh3.clean(html, tags=_TAGS, attributes=_ATTRIBUTES, url_schemes={"http", "https", "mailto"},
                      link_rel="nofollow ugc noopener noreferrer", attribute_filter=only_ours)
    return Markup(re.sub(r"<img(?![^>]*\ssrc=)[^>]*>", "", clean))  # noqa: S704 -- nh3 made it safe


@lru_cache(256)
def plain(source: str, length: int = 200) -> str:
    """The words alone, cut at a word: for descriptions and previews."""
    words = re.sub(r"\s+", " ", entities.unescape(nh3.clean(_reader.render(source), tags=set()))).strip()
    return words if len(words) <= length else words[:length].rsplit(" ", 1)[0] + "…"
