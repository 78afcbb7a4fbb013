"""Pictures for the board game: the polder as a board, and its weather cards."""

from __future__ import annotations

import math
from random import Random

from PIL import Image

from .shapes import COVER, FLAME, Point, Sheet, around, mix, veil

DUSK = "#12305A"
WATER = "#1F5E8C"
FOAM = "#8EC3D9"
GRASS = "#6FA05A"
REED = "#3F7550"
SOIL = "#6B3E3A"
PINK = "#E0568A"
SUNNY = "#F7C548"
CREAM = "#FFF2DA"
ROOF = "#B8453A"
NIGHT = "#0B1D3A"


def corners(x: float, y: float, size: float, squash: float = 0.58) -> list[Point]:
    """The six corners of a pointed hexagon that lies flat."""
    return [around(x, y, size, 60 * number - 30, squash) for number in range(6)]


def tile(sheet: Sheet, x: float, y: float, size: float, kind: str, lift: float = 0) -> None:
    """One tile with its thickness; what stands on it is drawn after, by `stand`."""
    y -= lift
    top = corners(x, y, size)
    thick = size * 0.2 + lift
    grounds = {"water": WATER, "grass": GRASS, "tulip": SOIL, "mill": GRASS, "village": "#D9BE86", "wood": REED}
    colour = grounds[kind]
    side = "#A9764A"
    low = [(px, py + thick) for px, py in top]
    sheet.poly([top[0], top[1], top[2], top[3], low[3], low[2], low[1], low[0]], mix(side, NIGHT, 0.35))
    sheet.poly([top[1], top[2], low[2], low[1]], mix(side, NIGHT, 0.5))
    sheet.poly([top[1], top[0], low[0], low[1]], side)
    sheet.poly(top, mix(colour, CREAM, 0.3))
    inner = corners(x, y, size * 0.93)
    sheet.poly(inner, colour)
    if kind == "water":
        for row in range(5):
            wide = size * (0.5 - abs(row - 2) * 0.13)
            at = y + (row - 2) * size * 0.2
            for part in (-1, 1):
                middle = x + part * wide * 0.5 + (row % 2) * size * 0.12
                sheet.line([(middle - wide * 0.3, at), (middle + wide * 0.3, at)], size * 0.035, FOAM)
    if kind == "tulip":
        for row in range(-4, 5):
            reach = size * 0.8 * (1 - max(0, abs(row) - 1) * 0.17)
            slant = size * 0.11
            colour = (PINK, SUNNY, CREAM, ROOF)[(row + round(x)) % 4]
            cx, cy = x + row * slant * 1.3, y + row * slant * 0.1
            reach = min(reach, size * 0.62 * (1 - abs(row) / 5.6) + size * 0.2) * 0.78
            sheet.line(
                [(cx - reach * 0.5, cy + reach * 0.55), (cx + reach * 0.5, cy - reach * 0.55)], size * 0.075, colour
            )
    if kind == "grass":
        for row in range(-2, 3):
            wide = size * (0.72 - abs(row) * 0.16)
            sheet.line([(x - wide, y + row * size * 0.19), (x + wide, y + row * size * 0.19)], size * 0.025, FOAM)


def mill(sheet: Sheet, x: float, y: float, size: float, turn: float) -> None:
    """A windmill, y at its foot."""
    s = size
    sheet.disc(x + s * 0.14, y, s * 0.42, veil(NIGHT, 70), 0.3)
    sheet.poly([(x - s * 0.3, y), (x + s * 0.3, y), (x + s * 0.18, y - s * 0.85), (x - s * 0.18, y - s * 0.85)], CREAM)
    sheet.poly(
        [(x + s * 0.02, y), (x + s * 0.3, y), (x + s * 0.18, y - s * 0.85), (x + s * 0.02, y - s * 0.85)],
        mix(CREAM, SOIL, 0.25),
    )
    sheet.rect(x - s * 0.4, y - s * 0.34, s * 0.8, s * 0.07, SOIL)
    sheet.rect(x - s * 0.07, y - s * 0.2, s * 0.14, s * 0.2, SOIL)
    sheet.rect(x - s * 0.05, y - s * 0.62, s * 0.1, s * 0.13, SUNNY)
    sheet.pie(x, y - s * 0.84, s * 0.23, 180, 360, ROOF)
    hub = (x, y - s * 0.92)
    for number in range(4):
        angle = turn + number * 90
        tip = around(*hub, s * 0.95, angle)
        sheet.line([hub, tip], s * 0.045, SOIL)
        start, side = around(*hub, s * 0.2, angle), angle + 90
        sail = [start, around(*start, s * 0.2, side), around(*tip, s * 0.2, side), tip]
        sheet.poly(sail, ROOF if number % 2 else CREAM)
        for step in (0.4, 0.6, 0.8):
            bar = around(*hub, s * step, angle)
            sheet.line([bar, around(*bar, s * 0.2, side)], s * 0.018, SOIL)
        sheet.line([around(*start, s * 0.1, side), around(*tip, s * 0.1, side)], s * 0.018, SOIL)
    sheet.disc(*hub, s * 0.06, SOIL)


def _cottage(sheet: Sheet, x: float, y: float, size: float) -> None:
    s = size
    sheet.poly(
        [
            (x - s * 0.3, y),
            (x - s * 0.3, y - s * 0.3),
            (x - s * 0.08, y - s * 0.56),
            (x + s * 0.14, y - s * 0.3),
            (x + s * 0.14, y),
        ],
        CREAM,
    )
    sheet.poly(
        [(x + s * 0.14, y), (x + s * 0.14, y - s * 0.3), (x + s * 0.5, y - s * 0.42), (x + s * 0.5, y - s * 0.12)],
        mix(CREAM, SOIL, 0.35),
    )
    sheet.poly(
        [
            (x - s * 0.08, y - s * 0.58),
            (x + s * 0.17, y - s * 0.28),
            (x + s * 0.55, y - s * 0.4),
            (x + s * 0.3, y - s * 0.68),
        ],
        ROOF,
    )
    sheet.rect(x - s * 0.14, y - s * 0.24, s * 0.13, s * 0.24, DUSK)
    sheet.rect(x + s * 0.24, y - s * 0.28, s * 0.12, s * 0.12, SUNNY)


def _tree(sheet: Sheet, x: float, y: float, size: float) -> None:
    sheet.rect(x - size * 0.05, y - size * 0.3, size * 0.1, size * 0.32, SOIL)
    sheet.disc(x, y - size * 0.52, size * 0.3, REED, 1.2)
    sheet.disc(x - size * 0.08, y - size * 0.6, size * 0.16, GRASS, 1.2)


def _cow(sheet: Sheet, x: float, y: float, size: float) -> None:
    s = size
    for leg in (-0.2, -0.1, 0.14, 0.24):
        sheet.rect(x + leg * s, y - s * 0.18, s * 0.06, s * 0.18, NIGHT)
    sheet.rect(x - s * 0.28, y - s * 0.42, s * 0.6, s * 0.28, CREAM, s * 0.1)
    sheet.disc(x - s * 0.1, y - s * 0.34, s * 0.09, NIGHT)
    sheet.disc(x + s * 0.18, y - s * 0.26, s * 0.08, NIGHT)
    sheet.rect(x - s * 0.46, y - s * 0.48, s * 0.22, s * 0.19, NIGHT, s * 0.07)
    sheet.rect(x - s * 0.47, y - s * 0.39, s * 0.1, s * 0.1, PINK, s * 0.04)


def stand(sheet: Sheet, x: float, y: float, size: float, kind: str, number: int, lift: float = 0) -> None:
    """What rises above a tile."""
    y -= lift
    if kind == "mill":
        mill(sheet, x, y + size * 0.2, size * 0.95, 18 + number * 23)
    elif kind == "village":
        for dx, dy in ((-0.3, -0.14), (0.26, -0.1), (-0.08, 0.24)):
            _cottage(sheet, x + dx * size, y + dy * size, size * 0.56)
    elif kind == "wood":
        for dx, dy in (
            (-0.3, -0.2),
            (0.2, -0.24),
            (0.5, 0.02),
            (-0.5, 0.06),
            (-0.06, 0.06),
            (0.28, 0.24),
            (-0.26, 0.3),
        ):
            _tree(sheet, x + dx * size, y + dy * size, size * 0.5)
    elif kind == "grass":
        for dx, dy in ((-0.3, -0.04), (0.3, 0.16), (0.16, -0.2))[: 1 + number % 3]:
            _cow(sheet, x + dx * size, y + dy * size, size * 0.42)


PLAN = (
    ("wood", "tulip", "water", "mill", "grass", "tulip", "village"),
    ("tulip", "mill", "grass", "water", "tulip", "wood"),
    ("water", "grass", "tulip", "village", "water", "mill", "tulip"),
    ("village", "water", "mill", "tulip", "grass", "water"),
    ("tulip", "grass", "water", "wood", "tulip", "mill", "grass"),
)


def polder(sheet: Sheet, x: float, y: float, size: float, rows: int = 5) -> None:
    """The board: rows of tiles from far to near."""
    step, deep = size * math.sqrt(3), size * 1.5 * 0.58
    places = []
    for row, kinds in enumerate(PLAN[:rows]):
        for column, kind in enumerate(kinds):
            places.append((x + (column - (len(kinds) - 1) / 2) * step, y + row * deep, kind, row * 7 + column))
    for px, py, kind, number in places:
        lift = size * 0.16 if (number * 5) % 4 == 0 and kind != "water" else 0
        tile(sheet, px, py, size * 0.985, kind, lift)
        stand(sheet, px, py, size, kind, number, lift)


def clouds(sheet: Sheet, places: tuple[tuple[float, float, float], ...], colour: str) -> None:
    """Flat clouds as stacked bars."""
    for x, y, wide in places:
        sheet.rect(x, y, wide, 26, colour, 13)
        sheet.rect(x + wide * 0.16, y - 22, wide * 0.5, 34, colour, 17)
        sheet.rect(x - wide * 0.2, y + 20, wide * 0.9, 20, colour, 10)


def cover(scale: int = 2) -> Image.Image:
    """A polder laid out in hexagons on dark water, a low orange sun behind it."""
    sheet = Sheet(COVER, DUSK, scale)
    sheet.fade(0, 470, [(0, "#2B4C86"), (0.4, "#C9708A"), (0.8, "#F9B488"), (1, "#FFD9A0")])
    for radius, strength in ((420, 22), (340, 26), (280, 30)):
        sheet.disc(1240, 380, radius, veil("#FFE0B0", strength))
    sheet.disc(1240, 380, 210, FLAME)
    clouds(sheet, ((170, 150, 320), (1440, 210, 300), (640, 96, 190)), "#F9C7A6")
    clouds(sheet, ((1010, 330, 240), (360, 290, 260)), "#E58E8C")
    sheet.fade(450, 750, [(0, "#5B7FA8"), (0.25, WATER), (1, NIGHT)])
    dice = Random(33)
    for _ in range(110):
        y = 455 + 740 * dice.random() ** 1.5
        near = (y - 440) / 760
        sheet.rect(dice.uniform(-100, 1800), y, 30 + 170 * near, 2 + 6 * near, veil(FOAM, 90), 2)
    for number in range(26):
        y = 456 + number * 6
        wide = 190 - number * 4
        sheet.rect(1240 - wide * dice.uniform(0.4, 1), y, wide * dice.uniform(0.7, 1.6), 4, FLAME, 2)
    birds = ((760, 230), (830, 260), (690, 270), (880, 214), (620, 250))
    for x, y in birds:
        sheet.arc(x - 13, y, 14, 200, 340, 4, NIGHT)
        sheet.arc(x + 13, y, 14, 200, 340, 4, NIGHT)
    polder(sheet, 900, 500, 150)
    return sheet.finish()


def cards(scale: int = 2) -> Image.Image:
    """Five weather cards in a fan; the middle one is the orange sun."""
    sheet = Sheet(COVER, REED, scale)
    for row in range(8):
        for column in range(9):
            x, y = column * 230.0 + (row % 2) * 115, row * 200.0
            sheet.poly([around(x, y, 128, 60 * n - 30) for n in range(6)], mix(REED, GRASS, 0.22))
            sheet.poly([around(x, y, 118, 60 * n - 30) for n in range(6)], REED)
    paints = (_rain, _wind, _ice, _storm, _sun)
    for number, paint in zip((0, 1, 4, 3, 2), paints, strict=True):
        card = Sheet((430, 640), None, scale)
        card.rect(10, 14, 418, 624, veil(NIGHT, 120), 36)
        card.rect(0, 0, 418, 624, CREAM, 36)
        paint(card)
        angle = (2 - number) * 17
        x, y = around(900, 1480, 900, -90 - angle)
        sheet.lay(card, x, y, angle)
    return sheet.finish()


def _panel(card: Sheet, colour: str) -> None:
    card.rect(26, 26, 366, 572, colour, 18)


def _rain(card: Sheet) -> None:
    _panel(card, DUSK)
    for number in range(40):
        x, y = 46 + (number * 83) % 310, 250 + (number * 57) % 310
        card.line([(x + 14, y), (x, y + 34)], 7, FOAM)
    card.rect(60, 130, 300, 90, CREAM, 45)
    card.disc(180, 130, 74, CREAM)
    card.disc(262, 146, 54, CREAM)


def _wind(card: Sheet) -> None:
    _panel(card, "#C8DDE0")
    for number in range(9):
        y = 80 + number * 60
        card.line([(50, y), (150 + (number * 71) % 130, y)], 12, WATER)
        card.line([(230 + (number * 71) % 100, y + 24), (366, y + 24)], 8, FOAM)
    mill(card, 209, 560, 240, 32)


def _ice(card: Sheet) -> None:
    _panel(card, FOAM)
    for turn in range(6):
        tip = around(209, 312, 168, turn * 60 + 30)
        card.line([(209, 312), tip], 18, CREAM)
        for far in (80, 128):
            branch = around(209, 312, far, turn * 60 + 30)
            for way in (-45, 45):
                card.line([branch, around(*branch, 50, turn * 60 + 30 + way)], 12, CREAM)


def _storm(card: Sheet) -> None:
    _panel(card, NIGHT)
    for row in range(6):
        for column in range(4):
            card.arc(98 + column * 74, 430 + row * 32, 44, 200, 340, 10, (WATER, FOAM)[row % 2])
    card.poly([(240, 60), (130, 270), (206, 270), (160, 420), (300, 210), (222, 210), (290, 60)], SUNNY)


def _sun(card: Sheet) -> None:
    _panel(card, "#F9B488")
    for turn in range(16):
        a = turn * 22.5
        card.poly([around(209, 280, 150, a - 5), around(209, 280, 190, a), around(209, 280, 150, a + 5)], CREAM)
    card.disc(209, 280, 132, FLAME)
    card.rect(26, 470, 366, 100, GRASS)
    card.rect(26, 560, 366, 38, GRASS, 18)
    for number in range(7):
        card.line([(60 + number * 50, 592), (209 + (number - 3) * 20, 474)], 7, (PINK, CREAM, SUNNY)[number % 3])
