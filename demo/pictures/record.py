"""Pictures for the rooftop band: the cover and the tape machine of the story."""

from __future__ import annotations

import math
from random import Random

from PIL import Image

from .people import back, standing
from .shapes import COVER, FLAME, ORANGE, SKINS, Sheet, around, curve, mix, veil

NIGHT = "#1C1440"
PLUM = "#4B1F5E"
ROSE = "#B03A68"
PEACH = "#FFB487"
GLOW = "#FFE0B0"
DARK = "#150E2E"


def _windows(sheet: Sheet, x: float, y: float, columns: int, rows: int, step: float, lit: str, dice: Random) -> None:
    for row in range(rows):
        for column in range(columns):
            if dice.random() < 0.45:
                sheet.rect(x + column * step, y + row * step * 1.35, step * 0.46, step * 0.72, lit, step * 0.06)


def gable(sheet: Sheet, x: float, y: float, width: float, colour: str, kind: int) -> None:
    """The top of a house, from y upwards: stepped, pointed, bell or flat."""
    if kind == 0:
        step = width / 7
        for number in range(3):
            sheet.rect(
                x + step * (number + 1) - step * 0.5,
                y - step * (number + 1),
                width - step * (2 * number + 1),
                step * 1.1,
                colour,
            )
        sheet.rect(x + step * 3, y - step * 4, step, step * 1.5, colour)
    elif kind == 1:
        sheet.poly([(x, y + 1), (x + width / 2, y - width * 0.62), (x + width, y + 1)], colour)
        sheet.rect(x + width * 0.7, y - width * 0.5, width * 0.12, width * 0.4, colour)
    elif kind == 2:
        sheet.pie(x + width / 2, y + 2, width * 0.36, 180, 360, colour)
        sheet.rect(x, y - width * 0.1, width, width * 0.12, colour)
        sheet.rect(x + width * 0.36, y - width * 0.5, width * 0.28, width * 0.3, colour, width * 0.1)
    else:
        sheet.rect(x - width * 0.04, y - width * 0.07, width * 1.08, width * 0.09, colour)
        sheet.rect(x + width * 0.15, y - width * 0.3, width * 0.14, width * 0.3, colour)


def skyline(
    sheet: Sheet, ground: float, low: float, high: float, colour: str, lit: str, seed: int, step: float
) -> None:
    """A row of houses with some of their windows lit."""
    dice = Random(seed)
    x = -30.0
    while x < sheet.size[0]:
        width = dice.uniform(step * 3.2, step * 5)
        top = ground - dice.uniform(low, high)
        sheet.rect(x, top, width + 1, ground - top + 400, colour)
        gable(sheet, x, top + 1, width, colour, dice.randrange(4))
        columns = int(width / step)
        rows = int((ground - top) / (step * 1.35))
        _windows(
            sheet, x + (width - columns * step + step * 0.54) / 2, top + step * 0.5, columns, rows, step, lit, dice
        )
        x += width


def towers(sheet: Sheet, ground: float, colour: str) -> None:
    """Three old towers, a long way off."""
    sheet.rect(180, ground - 420, 96, 420, colour)
    sheet.poly([(170, ground - 415), (228, ground - 600), (286, ground - 415)], colour)
    for x in (180, 264):
        sheet.poly([(x - 10, ground - 415), (x + 6, ground - 480), (x + 22, ground - 415)], colour)
    sheet.rect(425, ground - 350, 120, 350, colour)
    for number in range(4):
        sheet.rect(425 + number * 33, ground - 372, 20, 30, colour)
    sheet.rect(1540, ground - 450, 84, 450, colour)
    sheet.pie(1582, ground - 448, 56, 180, 360, colour)
    sheet.rect(1562, ground - 540, 40, 60, colour)
    sheet.poly([(1556, ground - 535), (1582, ground - 640), (1608, ground - 535)], colour)


def festoon(
    sheet: Sheet, start: tuple[float, float], end: tuple[float, float], sag: float, lamps: int, lit: str
) -> None:
    """A hanging string of lamps."""
    points = []
    for step in range(41):
        t = step / 40
        points.append((start[0] + (end[0] - start[0]) * t, start[1] + (end[1] - start[1]) * t + sag * 4 * t * (1 - t)))
    sheet.line(points, 4, DARK)
    for lamp in range(1, lamps):
        x, y = points[round(lamp * 40 / lamps)]
        sheet.disc(x, y + 15, 30, veil(lit, 38))
        sheet.rect(x - 4, y, 8, 8, DARK)
        sheet.disc(x, y + 16, 10, lit)


def sunset(sheet: Sheet, x: float, y: float, radius: float) -> None:
    """The evening sky of this record: a low sun that sends out rings like sound."""
    sheet.fade(0, sheet.size[1], [(0, NIGHT), (0.3, PLUM), (0.55, ROSE), (0.72, PEACH), (1, GLOW)])
    for number in range(7, 0, -1):
        sheet.disc(x, y, radius * (1 + 0.24 * number), veil(ROSE, 34))
    sheet.disc(x, y, radius, FLAME)


def _drummer(sheet: Sheet, x: float, y: float) -> None:
    standing(sheet, x, y - 60, 385, PLUM, DARK, SKINS[1], "#150E2E", ((-0.3, 0.62), (0.34, 0.78)))
    sheet.line([(x - 118, y - 298), (x - 176, y - 252)], 6, GLOW)
    sheet.line([(x + 132, y - 360), (x + 190, y - 418)], 6, GLOW)
    for cx, high in ((x - 212, 272), (x + 212, 300)):
        sheet.line([(cx, y), (cx, y - high)], 7, DARK)
        sheet.poly([(cx - 84, y - high + 12), (cx, y - high - 18), (cx + 84, y - high + 4), (cx, y - high + 8)], GLOW)
    for cx in (x - 128, x + 128):
        sheet.rect(cx - 66, y - 162, 132, 118, ROSE, 12)
        sheet.rect(cx - 70, y - 168, 140, 18, GLOW, 8)
        sheet.line([(cx - 38, y - 46), (cx - 50, y)], 7, DARK)
        sheet.line([(cx + 38, y - 46), (cx + 50, y)], 7, DARK)
    sheet.disc(x, y - 106, 110, DARK)
    sheet.disc(x, y - 106, 96, GLOW)
    sheet.disc(x, y - 106, 66, NIGHT)
    sheet.disc(x, y - 106, 24, GLOW)


def _guitar(sheet: Sheet, x: float, y: float, body: str, left: bool, length: float = 190) -> None:
    side = -1 if left else 1
    sheet.disc(x - side * 18, y + 8, 49, body)
    sheet.disc(x + side * 28, y - 6, 38, body)
    sheet.disc(x + side * 5, y + 2, 15, DARK)
    end = (x + side * length, y - length * 0.34)
    sheet.line([(x, y), end], 13, DARK)
    sheet.line([end, (end[0] + side * 34, end[1] - 12)], 23, DARK)


def _band(sheet: Sheet, y: float) -> None:
    _drummer(sheet, 1110, y)
    # The bass, to the left of the drums, and the guitar to the right: necks point outwards.
    standing(sheet, 560, y + 12, 450, GLOW, DARK, SKINS[3], "#150E2E", ((-0.42, 0.66), (0.1, 0.5)))
    _guitar(sheet, 572, y - 216, PLUM, True, 276)
    standing(sheet, 1490, y + 12, 440, PLUM, DARK, SKINS[0], "#4A2B1C", ((-0.08, 0.5), (0.4, 0.64)))
    _guitar(sheet, 1478, y - 220, GLOW, False, 240)
    # The singer in front, with the microphone on its stand.
    sheet.line([(786, y + 34), (786, y - 342)], 8, DARK)
    sheet.line([(738, y + 40), (786, y + 10), (834, y + 40)], 8, DARK)
    standing(sheet, 818, y + 34, 436, ROSE, DARK, SKINS[4], "#8A4B25", ((-0.07, 0.76), (0.33, 1.02)))
    sheet.disc(786, y - 352, 19, GLOW)


def _roof(sheet: Sheet, y: float) -> None:
    sheet.rect(0, y, 1800, 400, NIGHT)
    sheet.rect(0, y, 1800, 14, mix(ROSE, PEACH, 0.35))
    for x in range(0, 1800, 120):
        sheet.line([(x, y + 14), (900 + (x - 900) * 1.8, y + 300)], 3, veil(PLUM, 150))
    for x, tall, wide in ((60, 210, 120), (1640, 170, 110)):
        sheet.rect(x, y - tall, wide, tall, DARK)
        sheet.rect(x - 12, y - tall, wide + 24, 22, DARK)
        for pot in range(2):
            sheet.rect(x + 14 + pot * (wide - 58), y - tall - 46, 30, 50, ROSE, 4)
    for x in (330, 410, 1600):
        sheet.rect(x - 46, y - 104, 92, 112, DARK, 6)
        sheet.disc(x, y - 46, 34, PLUM)
        sheet.disc(x, y - 46, 13, DARK)
        sheet.disc(x, y - 88, 10, PLUM)


def cover(scale: int = 2) -> Image.Image:
    """Four musicians on a flat roof, a huge low sun behind the drums."""
    sheet = Sheet(COVER, NIGHT, scale)
    sunset(sheet, 1110, 540, 350)
    dice = Random(7)
    for _ in range(90):
        x, y = dice.uniform(0, 1800), dice.uniform(0, 330)
        if math.hypot(x - 1110, y - 540) > 365:
            sheet.disc(x, y, dice.choice((1.5, 2, 3)), GLOW)
    towers(sheet, 800, mix(ROSE, PLUM, 0.42))
    skyline(sheet, 820, 40, 190, mix(PLUM, ROSE, 0.28), mix(PEACH, ROSE, 0.2), 5, 34)
    skyline(sheet, 900, 40, 150, mix(NIGHT, PLUM, 0.62), GLOW, 12, 40)
    _roof(sheet, 905)
    for x in (290, 1745):
        sheet.line([(x, 920), (x, 300)], 9, DARK)
    festoon(sheet, (-40, 350), (290, 304), 70, 6, GLOW)
    festoon(sheet, (290, 304), (1745, 304), 90, 17, GLOW)
    _band(sheet, 945)
    dice = Random(3)
    for row, (y, size) in enumerate(((1105, 38), (1175, 50))):
        x = -20.0 - row * 50
        while x < 1850:
            coat = dice.choice((DARK, mix(DARK, PLUM, 0.5), PLUM, mix(NIGHT, ROSE, 0.5)))
            if dice.random() < 0.22:
                arm = dice.choice((-1, 1))
                top = (x + arm * size * 2.1, y - size * dice.uniform(2.6, 3.4))
                sheet.line([(x + arm * size * 1.2, y + size * 0.6), top], size * 0.62, coat)
                sheet.disc(*top, size * 0.36, dice.choice(SKINS))
            here = y + dice.uniform(-10, 10)
            back(sheet, x, here, size, coat, DARK)
            # The last light catches every head from the front.
            sheet.arc(x, here - size * 1.3, size, 205, 335, 4, mix(ROSE, PEACH, 0.5))
            x += size * dice.uniform(3.2, 3.9)
    return sheet.finish()


def tape(scale: int = 2) -> Image.Image:
    """A tape machine in the dark, one reel orange."""
    sheet = Sheet(COVER, "#EFD9C6", scale)
    for x in range(0, 1800, 60):
        sheet.rect(x, 0, 30, 960, "#E8CDB6")
    sheet.rect(0, 960, 1800, 240, PLUM)
    sheet.rect(0, 960, 1800, 16, mix(PLUM, ROSE, 0.5))
    for number, (colour, shift) in enumerate(((ROSE, 0), (PEACH, 14), (NIGHT, -8), (GLOW, 8))):
        sheet.rect(34 + shift, 900 - number * 62, 214, 58, colour, 6)
        sheet.rect(54 + shift, 918 - number * 62, 74, 22, mix(colour, "#FFFFFF", 0.55), 3)
    for angle, tall in ((-150, 190), (-120, 280), (-98, 350), (-72, 310), (-45, 220)):
        tip = around(1650, 800, tall, angle)
        sheet.line(curve([(1650, 800), (1650 + (tip[0] - 1650) * 0.3, 800 - tall * 0.45), tip]), 8, "#2F5D50")
        for leaf in (0.55, 0.8, 1.0):
            x, y = 1650 + (tip[0] - 1650) * leaf**1.3, 800 + (tip[1] - 800) * leaf
            sheet.disc(x, y, 44, "#2F5D50", 0.62)
            sheet.disc(x + 8, y - 6, 26, "#4C8570", 0.4)
    sheet.poly([(1570, 780), (1730, 780), (1706, 975), (1594, 975)], ROSE)
    sheet.rect(1560, 764, 180, 40, mix(ROSE, PLUM, 0.4), 6)
    sheet.rect(290, 110, 1220, 900, DARK, 44)
    sheet.rect(318, 138, 1164, 844, NIGHT, 30)
    sheet.line([(688, 664), (748, 822), (1052, 822), (1112, 664)], 7, GLOW)
    for x, rim, hub in ((620, GLOW, NIGHT), (1180, FLAME, DARK)):
        sheet.disc(x, 420, 262, mix(NIGHT, "#000000", 0.35))
        sheet.disc(x, 420, 250, rim)
        for turn in range(3):
            a = turn * 120 + (30 if rim == FLAME else -10)
            hole = [
                around(x, 420, r, a + d) for r, d in ((96, -30), (214, -40), (226, 0), (214, 40), (96, 30), (88, 0))
            ]
            sheet.poly(hole, PLUM)
            for radius in range(110, 205, 14):
                sheet.arc(x, 420, radius, a - 34, a + 34, 3, mix(PLUM, ROSE, 0.4))
        sheet.disc(x, 420, 62, hub)
        sheet.disc(x, 420, 20, rim)
    sheet.rect(800, 742, 200, 96, ROSE, 16)
    sheet.rect(836, 764, 128, 30, DARK, 8)
    for x in (760, 1040):
        sheet.disc(x, 800, 26, GLOW)
        sheet.disc(x, 800, 9, DARK)
    for x, angle in ((420, -120), (530, -70)):
        sheet.rect(x - 46, 760, 92, 74, GLOW, 10)
        sheet.line([(x, 824), around(x, 824, 52, angle)], 4, ORANGE)
        sheet.arc(x, 824, 54, 215, 325, 4, DARK)
    for number in range(5):
        sheet.rect(372 + number * 62, 880, 48, 54, ROSE if number == 4 else PLUM, 8)
    for number in range(4):
        x = 1190 + number * 76
        sheet.disc(x, 790, 27, GLOW)
        sheet.line([(x, 790), around(x, 790, 20, -140 + number * 50)], 6, DARK)
        sheet.rect(x - 6, 850, 12, 84, DARK, 6)
        sheet.rect(x - 20, 862 + (number * 29) % 50, 40, 20, PEACH, 5)
    return sheet.finish()
