"""Draws the PNG icons and the mark for e-mail from the geometry of the mark (run it when that changes)."""

from pathlib import Path

from PIL import Image, ImageDraw

STATIC = Path(__file__).resolve().parent.parent
INK, ORANGE, EDGE, PAPER = "#1A1613", "#F55000", "#857A6D", "#FAF6EE"
FINE = 8  # drawn this much larger, then made smaller, for smooth edges


def disc(layer: Image.Image, x: float, y: float, r: float, fill) -> None:
    ImageDraw.Draw(layer).ellipse((x - r, y - r, x + r, y + r), fill=fill)


def crescent(size: tuple[int, int], x: float, y: float, r: float, step: float, gap: float) -> Image.Image:
    """A disc covered by the next one and a gap of ground around that."""
    mask = Image.new("L", size, 0)
    disc(mask, x, y, r, 255)
    disc(mask, x + step, y, r + gap, 0)
    return mask


def mark(
    width: int,
    height: int,
    back: str,
    front: str,
    discs: int,
    r: float,
    step: float,
    gap: float,
    first: float,
    unit: float,
    ground: str | None = None,
) -> Image.Image:
    size = (width * FINE, height * FINE)
    scale = width * FINE / unit
    picture = Image.new("RGBA", size, ground or (0, 0, 0, 0))
    y = size[1] / 2
    for place in range(discs - 1):
        mask = crescent(size, (first + place * step) * scale, y, r * scale, step * scale, gap * scale)
        picture.paste(Image.new("RGBA", size, back), (0, 0), mask)
    mask = Image.new("L", size, 0)
    disc(mask, (first + (discs - 1) * step) * scale, y, r * scale, 255)
    picture.paste(Image.new("RGBA", size, front), (0, 0), mask)
    return picture.resize((width, height), Image.Resampling.LANCZOS)


if __name__ == "__main__":
    (STATIC / "mail").mkdir(exist_ok=True)
    mark(162, 96, EDGE, ORANGE, 3, 14, 11, 2.5, 16, 54).save(STATIC / "mail" / "mark.png", optimize=True)
    mark(32, 32, EDGE, ORANGE, 2, 11, 8.5, 2.2, 12, 32).save(STATIC / "favicon-32.png", optimize=True)
    for side in (180, 512):
        mark(side, side, INK, ORANGE, 2, 11, 8.5, 2.2, 15.75, 40, PAPER).save(
            STATIC / f"favicon-{side}.png", optimize=True
        )
