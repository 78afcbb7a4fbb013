"""The picture that stands under a link in a chat: the project, how far it is, and who sent it. 1200 × 630."""

import io
from collections import OrderedDict
from dataclasses import astuple, dataclass
from functools import lru_cache
from hashlib import sha256
from threading import Lock

import fsspec
from flask import current_app
from PIL import Image, ImageDraw

from core.templates import tone
from sharing.lettering import blank, can_draw, face, fit, is_leftward

WIDTH, HEIGHT = 1200, 630
SIDE = 630  # the picture is a square at the left, the words stand beside it
LEFT, RIGHT, TOP, BOTTOM = SIDE + 46, WIDTH - 46, 50, HEIGHT - 50
LINE = 30  # from line to line of the quotation
KEPT = 48  # pictures in this process, some 150 kB each
# The light half of static/tokens.css, which a test holds against it: a picture follows no scheme.
PAPER, INK, SOFT, EDGE, ORANGE, TINT, RAISE = "#FAF6EE", "#1A1613", "#5E554C", "#857A6D", "#F55000", "#FDE6D6", "#F1EADD"
# Discs of people without a picture (theme/share.css), ground and letters.
TONES = (("#C9E4DE", "#0E3B31"), ("#F7D3C0", "#6A2605"), ("#DCD4F0", "#3A2470"), ("#F5E1A0", "#4F3B00"),
         ("#CBDCF5", "#173C73"))
GROUNDS = (("#0E3B31", "#A9EBD8"), ("#1B2E7A", "#CBDCF5"), ("#5C2436", "#F5E1A0"))  # where a project has no picture
FINE = 4  # round things are drawn this much larger, then made smaller


@dataclass(frozen=True)
class Card:
    """All that the picture says, in words of its language; what is not here makes no new picture."""

    language: str
    seed: str
    title: str
    picture_key: str | None
    percent: int
    percent_label: str
    figure: str  # the second figure and its label: 9, days left
    figure_label: str
    sent: str  # "Noor sent you this"; empty on the project's own card
    sender: str = ""  # the first name alone, where it may be shown
    sender_seed: str = ""
    quote: str = ""

    @property
    def etag(self) -> str:
        return sha256(repr(astuple(self)).encode()).hexdigest()[:24]


_kept: OrderedDict[str, bytes] = OrderedDict()
_lock = Lock()


def kept(card: Card) -> bytes | None:
    """The picture, if this process has drawn it."""
    with _lock:
        if (made := _kept.get(card.etag)) is not None:
            _kept.move_to_end(card.etag)
        return made


def png_of(card: Card) -> bytes:
    """The picture as PNG, drawn once per process for the same content."""
    if (known := kept(card)) is not None:
        return known
    made = encode(draw(card))
    with _lock:
        _kept[card.etag] = made
        while len(_kept) > KEPT:
            _kept.popitem(last=False)
    return made


def encode(image: Image.Image) -> bytes:
    """Photographs in 256 colours: whole they would be a megabyte, and chats take less than 600 kB (WhatsApp: 300)."""
    out = io.BytesIO()
    image.quantize(256, Image.Quantize.FASTOCTREE, dither=Image.Dither.FLOYDSTEINBERG).save(out, "PNG", compress_level=6)
    return out.getvalue()


def draw(card: Card) -> Image.Image:
    image = blank(WIDTH, HEIGHT, PAPER)
    image.paste(_picture(card), (0, 0))
    pen = ImageDraw.Draw(image)
    image.paste(_mark(66, 39, INK, ORANGE), (LEFT, TOP), _mark(66, 39, INK, ORANGE))
    face("sans-bold", 29).draw(pen, LEFT + 78, TOP + 30, current_app.config["OPERATOR_NAME"] or "Achterban", INK)
    top = _sender(image, pen, card, TOP + 78)
    _figures(image, pen, card)
    _words(pen, card, top, BOTTOM - 119)
    return image


def _words(pen: ImageDraw.ImageDraw, card: Card, top: float, bottom: float) -> None:
    """The title, and if there is room what the sender said."""
    width = RIGHT - LEFT
    room = bottom - top
    # A title in a script that no font here has: the words of its address are better than a blank.
    title = card.title if can_draw(card.title) else card.seed.replace("-", " ").capitalize()
    has_quote = bool(can_draw(card.quote))
    kind, lines = fit(title, "serif", (46, 40) if has_quote else (58, 52, 46, 40), width, 4 if room > 280 else 3)
    step = kind.size * 1.1
    y = top + kind.size * 0.82
    for line in lines:
        kind.draw(pen, LEFT, y, line, INK, until=RIGHT)
        y += step
    begin = y - step + kind.size * 0.3 + 21  # under the last line's tails
    most = int((bottom - begin) // LINE)
    if has_quote and most >= 1:
        words, said = fit(f"“{card.quote}”", "serif", (24,), width - 22, min(most, 5))
        bar = RIGHT - 4 if is_leftward(card.quote) else LEFT
        pen.rectangle((bar, begin, bar + 4, begin + LINE * len(said)), fill=ORANGE)
        for n, line in enumerate(said):
            words.draw(pen, LEFT + 22, begin + 23 + LINE * n, line, SOFT, until=RIGHT - 22)


def _sender(image: Image.Image, pen: ImageDraw.ImageDraw, card: Card, top: int) -> int:
    """The tint line with who sent it; returns where the title may begin."""
    if not card.sent:
        return top + 18
    box = _rounded(RIGHT - LEFT, 68, 8, TINT, PAPER)
    image.paste(box, (LEFT, top))
    ground, letters = TONES[tone(card.sender_seed or card.seed)]
    x = LEFT + 14
    if card.sender:
        image.paste(_disc(44, ground, TINT), (x, top + 12))
        initial = card.sender[0].upper()
        bold = face("sans-bold", 22)
        bold.draw(pen, x + 22 - bold.width(initial) / 2, top + 42, initial, letters)
    else:
        small = _mark(47, 28, INK, ORANGE)
        image.paste(small, (x - 1, top + 20), small)
    kind, lines = fit(card.sent, "sans-bold", (26, 23, 20), RIGHT - x - 66 - 12, 1)
    for line in lines:
        kind.draw(pen, x + 60, top + 43, line, INK, leftward=False)
    return top + 68 + 24


def _figures(image: Image.Image, pen: ImageDraw.ImageDraw, card: Card) -> None:
    """The bar and two figures, at the foot; over the goal the bar is full and a tick shows where the goal was."""
    width, y = RIGHT - LEFT, BOTTOM - 106
    pen.rectangle((LEFT, y + 7, RIGHT, y + 8), fill=EDGE)
    share = min(card.percent, 100) / 100
    if share > 0:
        done = max(14, round(width * share))
        bar = Image.new("L", (done * FINE, 16 * FINE), 0)
        brush = ImageDraw.Draw(bar)
        brush.rounded_rectangle((0, 0, done * FINE - 1, 16 * FINE - 1), 8 * FINE, fill=255)
        brush.rectangle((0, 0, min(8, done // 2) * FINE, 16 * FINE), fill=255)
        if share == 1:
            brush.rectangle(((done - 9) * FINE, 0, done * FINE, 16 * FINE), fill=255)
        bar = bar.resize((done, 16), Image.Resampling.LANCZOS)
        image.paste(ORANGE, (LEFT, y), bar)
    if card.percent > 100:
        tick = LEFT + round(width * 100 / card.percent)
        pen.rectangle((tick - 1, y - 5, tick + 2, y + 20), fill=INK)
    large, small = face("sans-bold", 46), face("sans", 22)
    column = LEFT
    for figure, label in ((f"{card.percent}%", card.percent_label), (card.figure, card.figure_label)):
        if not figure:
            continue
        large.draw(pen, column, BOTTOM - 28, figure, INK)
        small.draw(pen, column, BOTTOM + 4, label, SOFT)
        column += max(width // 2, round(large.width(figure)) + 40)


def _picture(card: Card) -> Image.Image:
    """The project's picture, cut to the square around its middle; without one, or if it cannot be read, the mark."""
    square = _square(card.picture_key, current_app.config["MEDIA_URL"]) if card.picture_key else None
    return square or _ground(tone(card.seed) % len(GROUNDS))


@lru_cache(8)  # a megabyte each: the cards of all who share a project are made from one
def _square(key: str, media_url: str) -> Image.Image | None:
    system, root = fsspec.core.url_to_fs(media_url)
    try:
        with Image.open(io.BytesIO(system.cat_file(f"{root}/{key[:2]}/{key}-1600.webp")), formats=["WEBP"]) as whole:
            side = min(whole.size)
            left, top = (whole.width - side) / 2, (whole.height - side) / 2
            return whole.convert("RGB").resize((SIDE, SIDE), Image.Resampling.BICUBIC,
                                               box=(left, top, left + side, top + side))
    except (OSError, ValueError):
        return None  # a card without the picture is better than none


@lru_cache(4)
def _ground(which: int) -> Image.Image:
    back, front = GROUNDS[which]
    image = blank(SIDE, SIDE, back)
    mark = _mark(540, 320, front, ORANGE)
    image.paste(mark, ((SIDE - 540) // 2, (SIDE - 320) // 2), mark)
    return image


@lru_cache(16)
def _mark(width: int, height: int, back: str, front: str) -> Image.Image:
    """The mark by its geometry: 54 × 32, radius 14, step 11, gap 2.5 (LOOK 8)."""
    size, scale = (width * FINE, height * FINE), width * FINE / 54
    picture = Image.new("RGBA", size, (0, 0, 0, 0))
    middle = size[1] / 2
    for place in range(3):
        x, r = (16 + 11 * place) * scale, 14 * scale
        mask = Image.new("L", size, 0)
        brush = ImageDraw.Draw(mask)
        brush.ellipse((x - r, middle - r, x + r, middle + r), fill=255)
        if place < 2:
            gap = r + 2.5 * scale
            brush.ellipse((x + 11 * scale - gap, middle - gap, x + 11 * scale + gap, middle + gap), fill=0)
        picture.paste(Image.new("RGBA", size, front if place == 2 else back), (0, 0), mask)
    return picture.resize((width, height), Image.Resampling.LANCZOS)


@lru_cache(16)
def _disc(size: int, fill: str, ground: str) -> Image.Image:
    return _rounded(size, size, size // 2, fill, ground)


@lru_cache(16)
def _rounded(width: int, height: int, radius: int, fill: str, ground: str) -> Image.Image:
    large = blank(width * FINE, height * FINE, ground)
    ImageDraw.Draw(large).rounded_rectangle((0, 0, width * FINE - 1, height * FINE - 1), radius * FINE, fill=fill)
    return large.resize((width, height), Image.Resampling.LANCZOS)


def forget_here() -> None:
    """Drop the pictures that this process keeps."""
    with _lock:
        _kept.clear()
    _square.cache_clear()
