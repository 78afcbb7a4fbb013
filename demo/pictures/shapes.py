"""A drawing sheet with smooth edges: Pillow at a multiple of the size, shrunk at the end."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from itertools import pairwise

from PIL import Image, ImageDraw

Point = tuple[float, float]

# What Pillow takes as a colour: #RRGGBB, or numbers when it is see-through.
Fill = str | tuple[int, ...]

COVER = (1800, 1200)
REWARD = (1200, 900)

ORANGE = "#F55000"
FLAME = "#FF6F2C"
INK = "#1A1613"
PAPER = "#FAF6EE"

# Skins, hair and clothes for the small people in the pictures.
SKINS = ("#F0C4A0", "#D9A27A", "#A86F4A", "#6E4530", "#E3B48E")
HAIRS = ("#1F1714", "#4A2B1C", "#8A4B25", "#C99A4E", "#2B2030")


def rgb(colour: str) -> tuple[int, int, int]:
    """Read #RRGGBB."""
    return int(colour[1:3], 16), int(colour[3:5], 16), int(colour[5:7], 16)


def mix(first: str, second: str, share: float) -> str:
    """The colour that lies `share` of the way from first to second."""
    pairs = zip(rgb(first), rgb(second), strict=True)
    return "#" + "".join(f"{round(a + (b - a) * share):02X}" for a, b in pairs)


def veil(colour: str, strength: int) -> tuple[int, int, int, int]:
    """A see-through colour, 0 to 255; only for sheets with a ground."""
    return (*rgb(colour), strength)


def curve(points: Sequence[Point], steps: int = 16) -> list[Point]:
    """A soft line through all points (Catmull-Rom)."""
    ends = [points[0], *points, points[-1]]
    out: list[Point] = []
    for a, b, c, d in zip(ends, ends[1:], ends[2:], ends[3:], strict=False):
        for step in range(steps):
            t = step / steps
            out.append(tuple(_between(a[i], b[i], c[i], d[i], t) for i in (0, 1)))  # type: ignore[arg-type]
    return [*out, points[-1]]


def _between(a: float, b: float, c: float, d: float, t: float) -> float:
    return 0.5 * (2 * b + (c - a) * t + (2 * a - 5 * b + 4 * c - d) * t**2 + (3 * b - a - 3 * c + d) * t**3)


def around(x: float, y: float, radius: float, degrees: float, squash: float = 1.0) -> Point:
    """The point on a circle, clockwise from three o'clock."""
    angle = math.radians(degrees)
    return x + radius * math.cos(angle), y + radius * squash * math.sin(angle)


class Sheet:
    """Takes sizes in final pixels; without a ground it is transparent and can be laid on another sheet."""

    def __init__(self, size: tuple[float, float], ground: str | None = None, scale: int = 2) -> None:
        self.size, self.scale = size, scale
        pixels = round(size[0] * scale), round(size[1] * scale)
        self.image = Image.new("RGB", pixels, ground) if ground else Image.new("RGBA", pixels, (0, 0, 0, 0))
        self.pen = ImageDraw.Draw(self.image, "RGBA")

    def _many(self, points: Iterable[Point]) -> list[Point]:
        return [(x * self.scale, y * self.scale) for x, y in points]

    def rect(self, x: float, y: float, width: float, height: float, fill: Fill, radius: float = 0) -> None:
        """A rectangle from its upper left corner."""
        if width <= 0 or height <= 0:
            return
        s = self.scale
        box = (x * s, y * s, max(x * s, (x + width) * s - 1), max(y * s, (y + height) * s - 1))
        if radius:
            self.pen.rounded_rectangle(box, radius * s, fill=fill)
        else:
            self.pen.rectangle(box, fill=fill)

    def disc(self, x: float, y: float, radius: float, fill: Fill, squash: float = 1.0) -> None:
        """A filled circle, or an ellipse when squashed."""
        s = self.scale
        high = radius * squash
        self.pen.ellipse(((x - radius) * s, (y - high) * s, (x + radius) * s, (y + high) * s), fill=fill)

    def ring(self, x: float, y: float, radius: float, width: float, fill: Fill, squash: float = 1.0) -> None:
        """A circle's outline, drawn inwards."""
        s = self.scale
        high = radius * squash
        box = ((x - radius) * s, (y - high) * s, (x + radius) * s, (y + high) * s)
        self.pen.ellipse(box, outline=fill, width=max(1, round(width * s)))

    def pie(self, x: float, y: float, radius: float, start: float, end: float, fill: Fill) -> None:
        """A slice of a circle, in degrees clockwise from three o'clock."""
        s = self.scale
        box = ((x - radius) * s, (y - radius) * s, (x + radius) * s, (y + radius) * s)
        self.pen.pieslice(box, start, end, fill=fill)

    def arc(self, x: float, y: float, radius: float, start: float, end: float, width: float, fill: Fill) -> None:
        """A part of a ring."""
        s = self.scale
        box = ((x - radius) * s, (y - radius) * s, (x + radius) * s, (y + radius) * s)
        self.pen.arc(box, start, end, fill=fill, width=max(1, round(width * s)))

    def poly(self, points: Iterable[Point], fill: Fill) -> None:
        """A filled outline."""
        self.pen.polygon(self._many(points), fill=fill)

    def line(self, points: Sequence[Point], width: float, fill: Fill, caps: bool = True) -> None:
        """A line with round joints and, unless told otherwise, round ends."""
        thick = max(1, round(width * self.scale))
        self.pen.line(self._many(points), fill=fill, width=thick, joint="curve")
        if caps and width > 1:
            for x, y in (points[0], points[-1]):
                self.disc(x, y, width / 2, fill)

    def fade(self, y: float, height: float, stops: Sequence[tuple[float, str]]) -> None:
        """A vertical run of colours over the full width; stops from 0 to 1."""
        rows = round(height * self.scale)
        strip = Image.new("RGB", (1, rows))
        for row in range(rows):
            strip.putpixel((0, row), rgb(_stop(stops, row / max(1, rows - 1))))
        wide = strip.resize((self.image.width, rows), Image.Resampling.NEAREST)
        self.image.paste(wide, (0, round(y * self.scale)))

    def lay(self, other: Sheet, x: float, y: float, angle: float = 0) -> None:
        """Put a transparent sheet down by its centre, turned anticlockwise."""
        image = other.image
        if angle:
            image = image.rotate(angle, Image.Resampling.BILINEAR, expand=True)
        corner = round(x * self.scale - image.width / 2), round(y * self.scale - image.height / 2)
        self.image.paste(image, corner, image if image.mode == "RGBA" else None)

    def within(self, stencil: Callable[[Sheet], None], paint: Callable[[Sheet], None]) -> None:
        """Paint, but keep only what falls inside the stencil."""
        before = self.image.copy()
        mask = Sheet(self.size, "#000000", self.scale)
        stencil(mask)
        paint(self)
        self.image.paste(Image.composite(self.image, before, mask.image.convert("L")))

    def finish(self) -> Image.Image:
        """The picture at its real size."""
        image = self.image if self.scale == 1 else self.image.reduce(self.scale)
        return image.convert("RGB")


def _stop(stops: Sequence[tuple[float, str]], share: float) -> str:
    for (low, first), (high, second) in pairwise(stops):
        if share <= high:
            return mix(first, second, (share - low) / (high - low))
    return stops[-1][1]
