"""A poster of a link on A6, to print and hang up: picture, title, QR code, short address, in the project's colours.

Letters come from the faces in `fonts/`, of which fpdf2 embeds only the letters that are used.
"""

import hashlib
import io
import logging
from dataclasses import astuple, dataclass
from functools import lru_cache
from pathlib import Path

import fsspec
from flask import current_app
from flask_babel import gettext as _
from fontTools.ttLib import TTFont
from fpdf import FPDF
from PIL import Image, ImageOps

from core.i18n import show_moment
from projects.models import Project
from sharing.palette import Colour, palette_of
from sharing.qr import DARK, qr_rows

WIDTH, HEIGHT, MARGIN = 105.0, 148.0, 8.0  # millimetres
PICTURE, TILE, QUIET = 58.0, 40.0, 4  # the quiet zone in modules
FONTS = Path(__file__).parent / "fonts"
TOLD = 8.5  # for a disclosure of the longest that a round takes, in small letters
EDITION = 2  # raise it when the drawing changes, so that nobody keeps the old one
logging.getLogger("fontTools").setLevel(logging.WARNING)


@dataclass(frozen=True)
class Poster:
    """All that is on it, in the reader's language."""

    title: str
    line: str
    place: str
    until: str
    address: str
    url: str
    call: str
    signed: str
    picture_key: str | None
    told: str = ""  # an ambassador's disclosure

    @property
    def etag(self) -> str:
        return hashlib.sha256(repr((EDITION, astuple(self))).encode()).hexdigest()[:24]


def poster_of(project: Project, url: str, shown_url: str, told: str = "") -> Poster:
    """`url` is what the QR code holds, `shown_url` what a person types."""
    operator = current_app.config["OPERATOR_NAME"] or "Achterban"
    return Poster(
        title=project.title, line=project.blurb, place=project.place, url=url, address=shown_url.split("://", 1)[-1],
        until=_("Until %(moment)s", moment=show_moment(project.deadline, project.zone, name_zone=False))
        if project.is_live and project.deadline else "",
        call=_("Scan it, look at it, stand behind it."), signed=operator,
        picture_key=project.picture.key if project.picture else None, told=told)


def draw(poster: Poster) -> bytes:
    """The PDF: one page."""
    picture = _picture(poster.picture_key)
    colours = palette_of(picture)
    pdf = FPDF(unit="mm", format=(WIDTH, HEIGHT))
    pdf.set_auto_page_break(False)
    pdf.set_margin(0)
    pdf.c_margin = 0
    for face in ("sans", "sans-bold", "serif"):
        pdf.add_font(face, fname=str(FONTS / f"{face}.ttf"))
    pdf.set_title(shown(poster.title))
    pdf.set_creator("Achterban")
    pdf.add_page()
    pdf.set_fill_color(*colours.ground)
    pdf.rect(0, 0, WIDTH, HEIGHT, style="F")
    top = 14.0
    if picture:
        pdf.image(_cropped(picture, WIDTH / PICTURE), 0, 0, WIDTH, PICTURE)
        top = PICTURE + 8
    pdf.set_fill_color(*colours.accent)
    pdf.rect(MARGIN, top - 4 if picture else top - 6, 14, 1.4, style="F")
    tile_top = HEIGHT - MARGIN - TILE
    room = tile_top - 6 - top
    if poster.told:
        room -= TOLD
        _written(pdf, poster.told, "sans", 8, 5, tile_top - 4 - TOLD, TOLD, colours.ink)
    title_height = _written(pdf, poster.title, "serif", 22 if picture else 32, 13, top, room * .64, colours.ink)
    if poster.line:
        _written(pdf, poster.line, "sans", 10 if picture else 13, 8, top + title_height + 2, room - title_height - 2,
                 colours.ink)
    _tile(pdf, poster.url, MARGIN, tile_top)
    left = MARGIN + TILE + 6
    width = WIDTH - MARGIN - left
    height = _written(pdf, poster.call, "sans-bold", 12, 9, tile_top + .5, 15, colours.ink, left, width)
    _written(pdf, poster.address, "sans-bold", 9, 7, tile_top + height + 2, 8, colours.ink, left, width)
    foot = [(part, most) for part, most in ((poster.until, 2), (poster.place, 1)) if part]  # a moment is told whole
    size = min((_fit(pdf, part, "sans", 8, 6, 3.4 * most, width)[0] for part, most in foot), default=8)
    lines = [line for part, most in foot for line in _fit(pdf, part, "sans", size, 6, 3.4 * most, width)[1]]
    for n, line in enumerate(lines):
        _written(pdf, line, "sans", size, 6, HEIGHT - MARGIN - 5 - 3.5 * (len(lines) - n), 3.4, colours.ink, left, width)
    _mark(pdf, left, HEIGHT - MARGIN - 3.2, 3.2, colours.ink, colours.accent)
    _written(pdf, poster.signed, "sans-bold", 8, 6, HEIGHT - MARGIN - 3.4, 4, colours.ink, left + 6.4, width - 6.4)
    return bytes(pdf.output())


def _picture(key: str | None) -> bytes | None:
    if not key:
        return None
    system, root = fsspec.core.url_to_fs(current_app.config["MEDIA_URL"])
    try:
        return bytes(system.cat_file(f"{root}/{key[:2]}/{key}-1600.webp"))
    except FileNotFoundError:
        return None


def _cropped(picture: bytes, ratio: float) -> io.BytesIO:
    """As JPEG at the poster's ratio: 300 dots an inch on A6 are 1240 across."""
    out = io.BytesIO()
    with Image.open(io.BytesIO(picture)) as opened:
        ImageOps.fit(opened.convert("RGB"), (1240, round(1240 / ratio))).save(out, "JPEG", quality=85)
    out.seek(0)
    return out


@lru_cache(1)
def letters() -> frozenset[int]:
    """What our faces can draw."""
    with TTFont(FONTS / "serif.ttf", lazy=True) as font:
        return frozenset(font.getBestCmap())


def shown(text: str) -> str:
    """The text without what the faces lack, such as emoji; one line."""
    return " ".join("".join(sign if ord(sign) in letters() else " " for sign in text).split())


def _fit(pdf: FPDF, text: str, face: str, largest: float, least: float, height: float, width: float) -> tuple[float, list[str]]:
    """The largest size at which the text goes into the height, and its lines; what does not fit ends in …"""
    size = largest
    while True:
        pdf.set_font(face, size=size)
        lines = _broken(pdf, shown(text), width)
        most = max(1, int(height / _line(size)))
        if len(lines) <= most:
            return size, lines
        if size <= least:
            last = lines[most - 1]
            while last and pdf.get_string_width(last + " …") > width:
                last = last[:-1]
            return size, [*lines[:most - 1], last.rstrip(" ,.;:") + " …"]
        size = max(least, size - .5)


def _line(size: float) -> float:
    return size * .3528 * 1.2


def _broken(pdf: FPDF, text: str, width: float) -> list[str]:
    lines, line = [], ""
    for word in text.split():
        while pdf.get_string_width(word) > width:  # an address, or one long word
            cut = next((n for n in range(len(word), 1, -1) if pdf.get_string_width(word[:n]) <= width), 1)
            cut = max((n for n in range(cut // 3, cut + 1) if word[n - 1] in "/-"), default=cut) if "/" in word else cut
            lines += [line] if line else []
            line = ""
            lines.append(word[:cut])
            word = word[cut:]
        if line and pdf.get_string_width(f"{line} {word}") > width:
            lines.append(line)
            line = word
        else:
            line = f"{line} {word}".strip()
    return [*lines, line] if line else lines


def _written(pdf: FPDF, text: str, face: str, largest: float, least: float, top: float, height: float, colour: Colour,
             left: float = MARGIN, width: float = WIDTH - 2 * MARGIN) -> float:
    """Write it from the top down; returns how high it came out."""
    size, lines = _fit(pdf, text, face, largest, least, height, width)
    pdf.set_text_color(*colour)
    for n, line in enumerate(lines):
        pdf.set_xy(left, top + n * _line(size))
        pdf.cell(w=width, h=_line(size), text=line)
    return len(lines) * _line(size)


def _tile(pdf: FPDF, url: str, left: float, top: float) -> None:
    """The QR code as shapes on white, sharp at every size, with its quiet zone of four modules."""
    rows = qr_rows(url)
    pdf.set_fill_color(255, 255, 255)
    pdf.rect(left, top, TILE, TILE, style="F", round_corners=True, corner_radius=1.2)
    side = TILE / (len(rows) + 2 * QUIET)
    pdf.set_fill_color(*bytes.fromhex(DARK[1:]))
    for y, row in enumerate(rows):
        x = 0
        while x < len(row):
            run = next((n for n in range(x, len(row)) if not row[n]), len(row)) - x
            if run:
                pdf.rect(left + (QUIET + x) * side, top + (QUIET + y) * side, run * side, side * 1.02, style="F")
            x += run + 1


def _mark(pdf: FPDF, left: float, top: float, height: float, ink: Colour, accent: Colour) -> None:
    """The house's mark, small: a disc and one crescent behind it."""
    radius = height / 2
    pdf.set_fill_color(*ink)
    pdf.circle(left + radius, top + radius, radius, style="F")
    pdf.set_fill_color(*accent)
    pdf.circle(left + radius + 1.6, top + radius, radius, style="F")
