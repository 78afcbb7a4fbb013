"""Where a prepared text fits into one post: what is too long is cut by hand, and with it the disclosure or the link."""

from collections.abc import Callable

ADDRESS = 23  # what X and Mastodon count for an address, however long it is
LIGHT = ((0, 4351), (8192, 8205), (8208, 8223), (8242, 8247))  # twitter-text, configuration 3: other signs count twice
Way = tuple[str, str, str]  # label, address, sign


def _on_x(text: str, link_url: str) -> int:
    shown = text.replace(link_url, "x" * ADDRESS)
    return sum(1 if any(a <= ord(sign) <= b for a, b in LIGHT) else 2 for sign in shown)


# The most of one post, and how it is counted; Bluesky counts an address in full.
MOST: dict[str, tuple[int, Callable[[str, str], int]]] = {
    "twitter-x": (280, _on_x),
    "bluesky": (300, lambda text, _link_url: len(text)),
    "mastodon": (500, lambda text, link_url: len(text.replace(link_url, "x" * ADDRESS))),
}


def sorted_out(ways: list[Way], text: str, link_url: str) -> tuple[list[Way], list[str]]:
    """The ways that take the whole text, its link included; and the names of those that do not."""
    left = [way for way in ways if way[2] in MOST and MOST[way[2]][1](text, link_url) > MOST[way[2]][0]]
    return [way for way in ways if way not in left], [label for label, _url, _sign in left]
