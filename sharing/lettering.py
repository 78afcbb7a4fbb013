"""Words on drawn pictures: our faces first, the system's for signs that they lack, and nothing for what nobody has.

Our faces (sharing/fonts) hold Latin, Greek and Cyrillic. Hebrew, Arabic, Chinese, Japanese and Korean come from what the
machine has installed (fonts-noto-core, fonts-noto-cjk, fonts-dejavu); emoji are left out.
"""

import unicodedata
from functools import cache, lru_cache
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont, features

FONTS = Path(__file__).parent / "fonts"
SYSTEM = (Path("/usr/share/fonts"), Path("/usr/local/share/fonts"))
# Tried in this order; a file that is not there costs one look at the start of the process.
LENT = ("NotoSerifHebrew-Regular.ttf", "NotoSansHebrew-Regular.ttf", "NotoNaskhArabic-Regular.ttf",
        "NotoSansArabic-Regular.ttf", "NotoSansCJK-Regular.ttc", "NotoSerifCJK-Regular.ttc", "NotoSansDevanagari-Regular.ttf",
        "NotoSansThai-Regular.ttf", "DroidSansFallbackFull.ttf", "wqy-microhei.ttc", "DejaVuSans.ttf")
SPARED = 12  # letters of a begun word that are given up so that the text ends with a whole one
LENT_BOLD = {"NotoSansCJK-Regular.ttc": "NotoSansCJK-Bold.ttc", "DejaVuSans.ttf": "DejaVuSans-Bold.ttf"}


@cache
def _can_turn() -> bool:
    """Is there what shapes Arabic and turns Hebrew round?"""
    return bool(features.check("raqm") and features.check("fribidi"))


@cache
def _lent() -> tuple[Path, ...]:
    there = {path.name: path for folder in SYSTEM if folder.is_dir() for path in folder.rglob("*.tt[fc]")}
    return tuple(there[name] for name in LENT if name in there)


@lru_cache(200)
def _open(path: Path, size: int, can_shape: bool) -> ImageFont.FreeTypeFont:
    engine = ImageFont.Layout.RAQM if can_shape else ImageFont.Layout.BASIC
    return ImageFont.truetype(str(path), size, layout_engine=engine)


@lru_cache(20_000)
def _has(path: Path, sign: str) -> bool:
    """Does this font draw this sign, and not the box that stands for what it lacks?"""
    font = _open(path, 16, can_shape=False)
    return bytes(font.getmask(sign)) != bytes(font.getmask("\uffff"))


class Face:
    """One of ours at one size: `sans`, `sans-bold`, `serif`."""

    def __init__(self, name: str, size: int):
        self.size = size
        self.advances: dict[str, float] = {}
        self.paths = (FONTS / f"{name}.ttf", *_lent())

    def runs(self, text: str, leftward: bool) -> list[tuple[ImageFont.FreeTypeFont, str, bool]]:
        """The text in pieces of one font each, in the order in which they are drawn; whether a piece reads leftwards."""
        made: list[tuple[int, str]] = []
        for sign in text:
            at = self.font_of(sign)
            if at is None:
                continue
            before = made[-1][0] if made else at
            if made and (before == at or (leftward and sign.isspace()) or (  # a comma stays with the script it stands in
                    unicodedata.bidirectional(sign) not in ("L", "R", "AL", "WS") and _has(self.paths[before], sign))):
                made[-1] = (before, made[-1][1] + sign)
            else:
                made.append((at, sign))
        pieces = [(_open(self.paths[at], self.size, can_shape=at > 0 and _can_turn()), part, at > 0 and is_leftward(part))
                  for at, part in made]
        return pieces[::-1] if leftward else pieces

    def font_of(self, sign: str) -> int | None:
        if sign.isspace():
            return 0
        if unicodedata.category(sign) in ("Cf", "Cc", "Cs"):
            return None
        return next((n for n, path in enumerate(self.paths) if _has(path, sign)), None)

    def _advance(self, sign: str) -> float:
        known = self.advances.get(sign)
        if known is None:
            at = self.font_of(sign)
            known = 0.0 if at is None else _open(self.paths[at], self.size, can_shape=False).getlength(sign)
            self.advances[sign] = known
        return known

    def width(self, text: str) -> float:
        """Sign by sign: exact for our own faces, which do not kern, and never too small for those that join letters."""
        return sum(map(self._advance, text))

    def draw(self, pen: ImageDraw.ImageDraw, x: float, y: float, text: str, fill: str, *, until: float = 0,
             leftward: bool | None = None) -> None:
        """`y` is the base line, so that pieces of several fonts stand on one; what reads leftwards ends at `until`."""
        leftward = is_leftward(text) if leftward is None else leftward
        runs = self.runs(text, leftward)
        if leftward and until:
            x = until - sum(font.getlength(part) for font, part, _turned in runs)
        for font, part, turned in runs:
            if turned and not _can_turn():
                part = part[::-1]
            pen.text((x, y), part, font=font, fill=fill, anchor="ls")
            x += font.getlength(part)


@lru_cache(64)
def face(name: str, size: int) -> Face:
    return Face(name, size)


def is_leftward(text: str) -> bool:
    """Hebrew, Arabic and the like: by the first sign that has a direction."""
    return next((side in ("R", "AL") for sign in text
                 if (side := unicodedata.bidirectional(sign)) in ("L", "R", "AL")), False)


def can_draw(text: str) -> str:
    """The text without signs that no font here has; nothing if that leaves less than half of its letters."""
    probe = face("serif", 16)
    kept = "".join(sign for sign in text if sign.isspace() or probe.font_of(sign) is not None)
    letters = [sum(map(str.isalnum, some)) for some in (text, kept)]
    return " ".join(kept.split()) if letters[1] and 2 * letters[1] >= letters[0] else ""


def cut(text: str, kind: Face, width: float) -> str:
    """As much of the text as there is room for."""
    if kind.width(text) <= width:
        return text
    while text and kind.width(text + "…") > width:
        text = text[:-1]
    return text.rstrip(" ,.;:") + "…"


def wrap(text: str, kind: Face, width: float, most: int) -> list[str] | None:
    """The text in at most so many lines of this width; None if it does not fit. Words too long for a line are broken."""
    lines, line = [], ""
    for word in text.split():
        longer = f"{line} {word}" if line else word
        if kind.width(longer) <= width:
            line = longer
            continue
        if line:
            lines.append(line)
        line = word
        while kind.width(line) > width:
            fits = next(n for n in range(len(line), 0, -1) if n == 1 or kind.width(line[:n]) <= width)
            lines.append(line[:fits])
            line = line[fits:]
            if len(lines) > most:
                return None
    lines = [*lines, line] if line else lines
    return lines if len(lines) <= most else None


def fit(text: str, name: str, sizes: tuple[int, ...], width: float, most: int) -> tuple[Face, list[str]]:
    """The largest of the sizes in which the text fits; in the smallest it is cut, with an ellipsis."""
    text = can_draw(text)
    longest = max(text.split(), key=len, default="")
    spares = face(name, sizes[-1]).width(longest) <= width  # not Chinese, whose “words” are whole sentences
    for size in sizes:
        if spares and face(name, size).width(longest) > width:
            continue  # a smaller size keeps the word in one piece
        if (lines := wrap(text, face(name, size), width, most)) is not None:
            return face(name, size), balanced(lines, text, face(name, size), width)
    kind = face(name, sizes[-1])
    low, high = 0, len(text)
    while low < high:  # the longest beginning that fits
        middle = (low + high + 1) // 2
        if wrap(text[:middle].rstrip(" ,.;:") + "…", kind, width, most) is not None:
            low = middle
        else:
            high = middle - 1
    if low < len(text) and not text[low].isspace() and low - text.rfind(" ", 0, low) <= SPARED:
        low = text.rfind(" ", 0, low)  # the beginning of a word says less than its absence
    return kind, wrap(text[:low].rstrip(" ,.;:") + "…", kind, width, most) or []


def balanced(lines: list[str], text: str, kind: Face, width: float) -> list[str]:
    """As many lines, but even ones: no last word stands alone."""
    low, high = width / 2, width
    while len(lines) > 1 and high - low > 4:
        middle = (low + high) / 2
        if max(map(kind.width, text.split())) <= middle and (even := wrap(text, kind, middle, len(lines))) is not None:
            lines, high = even, middle
        else:
            low = middle
    return lines


def blank(width: int, height: int, ground: str) -> Image.Image:
    return Image.new("RGB", (width, height), ground)
