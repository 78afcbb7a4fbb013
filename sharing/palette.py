"""A project's colours, read from its picture: a ground to print on, what stands out on it, and ink that can be read.

Ratios follow the formula of WCAG 2.2. A project without a picture has the colours of the house.
"""

import io
from colorsys import hls_to_rgb, rgb_to_hls
from dataclasses import dataclass

from PIL import Image

Colour = tuple[int, int, int]
PAPER, INK, ORANGE, SOFT = (250, 246, 238), (26, 22, 19), (245, 80, 0), (94, 85, 76)
READ, SEEN = 7.0, 3.0  # ratios: text on the ground, a shape on the ground


@dataclass(frozen=True)
class Palette:
    ground: Colour
    ink: Colour
    accent: Colour


HOUSE = Palette(PAPER, INK, ORANGE)


def luminance(colour: Colour) -> float:
    parts = [part / 255 for part in colour]
    red, green, blue = (part / 12.92 if part <= .04045 else ((part + .055) / 1.055) ** 2.4 for part in parts)
    return .2126 * red + .7152 * green + .0722 * blue


def contrast(one: Colour, other: Colour) -> float:
    high, low = sorted((luminance(one), luminance(other)), reverse=True)
    return (high + .05) / (low + .05)


def palette_of(picture: bytes | None) -> Palette:
    """The colours of a picture; those of the house without one, or if it cannot be read."""
    if not picture:
        return HOUSE
    try:
        with Image.open(io.BytesIO(picture)) as opened:
            small = opened.convert("RGB").resize((64, 64))
    except OSError:
        return HOUSE
    counted = small.quantize(8, Image.Quantize.MEDIANCUT).convert("RGB").getcolors(64 * 64) or []
    colours: list[tuple[int, Colour]] = [(many, (colour[0], colour[1], colour[2])) for many, colour in counted
                                         if isinstance(colour, tuple)]
    if not colours:
        return HOUSE
    # The ground is the darkest of the larger parts, so that the white tile of the QR code stands on it in peace.
    large = [colour for many, colour in colours if many >= 64 * 64 / 12] or [max(colours)[1]]
    ground = _darkened(min(large, key=luminance))
    accent = max((colour for _many, colour in colours), key=lambda colour: _vivid(colour) * (contrast(colour, ground) >= SEEN))
    if contrast(accent, ground) < SEEN or _vivid(accent) < .2:
        accent = ORANGE if contrast(ORANGE, ground) >= SEEN else PAPER
    return Palette(ground, PAPER, accent)


def _vivid(colour: Colour) -> float:
    return (max(colour) - min(colour)) / 255


def _darkened(colour: Colour) -> Colour:
    """The same hue, as dark as light text needs."""
    hue, light, rich = rgb_to_hls(*(part / 255 for part in colour))
    while contrast(colour, PAPER) < READ and light > 0:
        light = max(0.0, light - .02)
        colour = tuple(round(255 * part) for part in hls_to_rgb(hue, light, min(rich, .7)))  # type: ignore[assignment]
    return colour
