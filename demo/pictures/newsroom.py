"""Pictures for the neighbourhood newsroom: the street at dusk and the map of its seven streets."""

from __future__ import annotations

from itertools import pairwise
from random import Random

from PIL import Image

from .people import standing
from .record import gable
from .shapes import COVER, FLAME, HAIRS, ORANGE, SKINS, Sheet, mix, veil

SEA = "#0C2B33"
TEAL = "#17505A"
MIST = "#BFD8CE"
BRICK = "#9C4030"
WINE = "#5E2630"
SAND = "#EBCB98"
LAMP = "#FFE3A3"
DEEP = "#081C22"


def _sash(sheet: Sheet, x: float, y: float, wide: float, tall: float, glass: str) -> None:
    sheet.rect(x - 6, y - 6, wide + 12, tall + 12, MIST)
    sheet.rect(x, y, wide, tall, glass)
    sheet.rect(x, y + tall * 0.42, wide, 5, MIST)
    sheet.rect(x + wide / 2 - 2.5, y, 5, tall, MIST)
    sheet.rect(x - 12, y + tall + 6, wide + 24, 9, SAND)


def _house(sheet: Sheet, x: float, width: float, top: float, ground: float, wall: str, kind: int, dice: Random) -> None:
    sheet.rect(x, top, width + 1, ground - top, wall)
    if width < 400:
        gable(sheet, x, top + 1, width, wall, kind)
    else:
        sheet.rect(x - 12, top - 18, width + 24, 26, SAND)
        for chimney in (0.14, 0.7):
            sheet.rect(x + width * chimney, top - 92, 76, 76, wall)
            sheet.rect(x + width * chimney - 8, top - 100, 92, 16, WINE)
            for pot in (10, 44):
                sheet.rect(x + width * chimney + pot, top - 128, 22, 30, WINE, 4)
    course = mix(wall, DEEP, 0.16)
    for row in range(int((ground - top) / 24)):
        for _ in range(int(width / 36)):
            sheet.rect(x + dice.uniform(4, width - 34), top + row * 24, dice.choice((18, 28)), 7, course)
    columns = 2 if width < 260 else 3
    gap = width / columns
    # Below the last windows a house keeps room for its door, the wide one for its shop window.
    for row in range(int((ground - (300 if width < 400 else 400) - top) / 165)):
        for column in range(columns):
            wide = gap * 0.46
            glass = dice.choice((LAMP, LAMP, TEAL, SEA, SEA))
            left, high = x + gap * (column + 0.5) - wide / 2, top + 44 + row * 165
            _sash(sheet, left, high, wide, 108, glass)
            if glass == LAMP:
                what = dice.randrange(4)
                if what == 0:
                    sheet.disc(left + wide * 0.5, high + 76, wide * 0.17, WINE)
                    sheet.rect(left + wide * 0.22, high + 88, wide * 0.56, 20, WINE, 8)
                elif what == 1:
                    sheet.rect(left, high, wide * 0.26, 108, SAND)
                    sheet.rect(left + wide * 0.74, high, wide * 0.26, 108, SAND)
                elif what == 2:
                    sheet.rect(left + wide * 0.6, high + 80, wide * 0.26, 28, BRICK)
                    sheet.disc(left + wide * 0.73, high + 66, wide * 0.2, TEAL)


def _door(sheet: Sheet, x: float, ground: float, colour: str) -> None:
    sheet.rect(x - 12, ground - 250, 124, 250, MIST)
    sheet.rect(x, ground - 196, 100, 196, colour)
    sheet.rect(x, ground - 240, 100, 36, LAMP)
    for y in (ground - 178, ground - 90):
        sheet.rect(x + 16, y, 68, 70, mix(colour, DEEP, 0.3), 4)
    sheet.disc(x + 86, ground - 100, 6, LAMP)
    sheet.rect(x - 22, ground - 12, 144, 14, MIST)


def _reporter(sheet: Sheet, x: float, y: float, number: int) -> None:
    """Someone at a desk with a screen, behind the shop window."""
    coat = (TEAL, BRICK, SEA, "#D98A3D", WINE)[number % 5]
    sheet.rect(x - 40, y - 98, 80, 110, coat, 26)
    sheet.rect(x - 10, y - 112, 20, 26, SKINS[(number * 2) % 5])
    sheet.disc(x, y - 136, 31, HAIRS[number % 5])
    sheet.disc(x + 4, y - 128, 25, SKINS[(number * 2) % 5])
    sheet.rect(x + 34, y - 86, 84, 60, DEEP, 6)
    sheet.rect(x + 70, y - 30, 12, 32, DEEP)
    sheet.line([(x + 24, y - 48), (x + 52, y - 16)], 18, coat)


def _shop(sheet: Sheet, x: float, width: float, ground: float) -> None:
    """The newsroom itself: a wide lit window with people working late."""
    top = ground - 330
    sheet.rect(x, top - 44, width, 374, SEA)
    sheet.rect(x - 10, top - 60, width + 20, 22, SAND)
    inside = x + 30, top, width - 210, 258
    sheet.rect(*inside, LAMP)
    wall = mix(LAMP, "#D98A3D", 0.35)
    for number in range(7):
        sheet.rect(x + 56 + number * 62, top + 20 + (number * 37) % 24, 44, 34, wall if number % 3 else MIST)
    sheet.line([(x + 80, top + 40), (x + 205, top + 52), (x + 330, top + 34), (x + 450, top + 56)], 3, BRICK)
    for number in range(3):
        lamp = x + 110 + number * 165
        sheet.rect(lamp - 2, top, 4, 50, DEEP)
        sheet.pie(lamp, top + 82, 36, 180, 360, TEAL)
    for number in range(4):
        _reporter(sheet, x + 82 + number * 122, top + 228, number)
    sheet.rect(x + 30, top + 222, width - 210, 12, WINE)
    sheet.rect(x + 30, top + 234, width - 210, 30, BRICK)
    for number in range(1, 4):
        sheet.rect(x + 30 + number * (width - 210) / 4 - 4, top, 8, 264, SEA)
    sheet.rect(x + 16, top + 264, width - 182, 66, TEAL)
    sheet.rect(x + 16, top + 258, width - 182, 12, SAND)
    _door(sheet, x + width - 142, ground, BRICK)


def bicycle(sheet: Sheet, x: float, y: float, size: float, frame: str, tyre: str) -> None:
    """A town bicycle seen from the side, y at the ground; x at the middle."""
    r = size
    thin = r * 0.09
    rear, front = (x - r * 1.45, y - r), (x + r * 1.45, y - r)
    for hub in (rear, front):
        sheet.ring(*hub, r, r * 0.11, tyre)
        sheet.disc(*hub, r * 0.1, tyre)
    crank, seat, head = (x - r * 0.15, y - r * 0.9), (x - r * 0.65, y - r * 2.15), (x + r * 0.98, y - r * 2.15)
    sheet.line([rear, crank, head, front], thin, frame)
    sheet.line([crank, seat], thin, frame)
    sheet.line([rear, (x - r * 0.55, y - r * 1.9), (x + r * 1.0, y - r * 1.95)], thin, frame)
    sheet.line([(head[0], head[1]), (head[0] - r * 0.05, y - r * 2.5), (head[0] - r * 0.45, y - r * 2.6)], thin, tyre)
    sheet.rect(seat[0] - r * 0.35, seat[1] - r * 0.12, r * 0.65, r * 0.18, tyre, r * 0.08)
    sheet.disc(*crank, r * 0.2, tyre)
    sheet.line([(rear[0] - r * 0.5, y - r * 2.02), (rear[0] + r * 0.6, y - r * 2.02)], thin, tyre)


def _wet_street(sheet: Sheet, ground: float) -> None:
    sheet.fade(ground, 1200 - ground, [(0, TEAL), (1, DEEP)])
    sheet.rect(0, ground, 1800, 18, mix(TEAL, MIST, 0.45))
    sheet.rect(0, ground + 18, 1800, 8, DEEP)
    dice = Random(14)
    for row in range(13):
        y = ground + 44 + row * 15 + row * row * 0.3
        for _ in range(9):
            x = dice.gauss(900, 260)
            sheet.rect(x, y, dice.uniform(30, 130), 5 + row * 0.25, mix(TEAL, LAMP, dice.choice((0.35, 0.6, 0.8))), 3)
        for _ in range(10):
            sheet.rect(dice.uniform(-40, 1800), y + 6, dice.uniform(30, 110), 4, mix(TEAL, MIST, 0.22), 2)
        for _ in range(2):
            sheet.rect(1232 + dice.uniform(-70, 40), y, dice.uniform(30, 90), 6, FLAME, 3)


def cover(scale: int = 2) -> Image.Image:
    """A wet street at dusk; in the middle a shop full of light, an orange globe above its door."""
    sheet = Sheet(COVER, SEA, scale)
    sheet.fade(0, 960, [(0, SEA), (0.45, TEAL), (1, MIST)])
    dice = Random(41)
    for x, tall in ((-20, 330), (150, 390), (380, 320), (700, 420), (1010, 350), (1330, 410), (1600, 330)):
        sheet.rect(x, 560 - tall * 0.6, 250, 500, mix(TEAL, MIST, 0.22))
        gable(sheet, x, 561 - tall * 0.6, 250, mix(TEAL, MIST, 0.22), dice.randrange(3))
    ground = 960.0
    walls = (
        (-60, 250, 300, WINE, 1),
        (190, 240, 390, SAND, 0),
        (430, 170, 260, BRICK, 1),
        (600, 680, 350, mix(BRICK, WINE, 0.35), 3),
        (1280, 210, 250, SAND, 1),
        (1490, 240, 410, WINE, 0),
        (1730, 240, 320, BRICK, 2),
    )
    for x, width, top, wall, kind in walls:
        _house(sheet, x, width, top, ground, wall, kind, dice)
    for x, colour in ((40, TEAL), (262, BRICK), (470, SEA), (1338, TEAL), (1560, SAND)):
        _door(sheet, x, ground, colour)
    _shop(sheet, 600, 680, ground)
    _wet_street(sheet, ground)
    for x in (150, 1725):
        sheet.rect(x - 6, 590, 12, 380, DEEP)
        sheet.rect(x - 14, 930, 28, 40, DEEP, 4)
        sheet.disc(x, 560, 82, veil(LAMP, 46))
        sheet.poly([(x - 30, 530), (x + 30, 530), (x + 20, 592), (x - 20, 592)], LAMP)
        sheet.poly([(x - 38, 532), (x, 502), (x + 38, 532)], DEEP)
    # The globe hangs out over the pavement, so that the whole street sees where the newsroom is.
    sheet.line([(1188, 470), (1188, 438), (1262, 438)], 8, DEEP)
    sheet.line([(1188, 438), (1188, 480)], 5, DEEP)
    for radius, strength in ((210, 26), (160, 38), (125, 52)):
        sheet.disc(1188, 556, radius, veil(FLAME, strength))
    sheet.disc(1188, 556, 88, FLAME)
    sheet.rect(1162, 462, 52, 18, DEEP, 6)
    bicycle(sheet, 400, 1000, 52, MIST, DEEP)
    bicycle(sheet, 520, 1006, 52, BRICK, DEEP)
    standing(sheet, 1420, 1046, 330, BRICK, DEEP, SKINS[2], HAIRS[0], ((-0.2, 0.45), (0.14, 0.62)))
    sheet.rect(1428, 826, 66, 50, MIST, 3)
    sheet.rect(1436, 836, 50, 7, TEAL)
    sheet.rect(1436, 850, 34, 6, TEAL)
    bicycle(sheet, 1560, 1052, 62, SAND, DEEP)
    return sheet.finish()


def streets(scale: int = 2) -> Image.Image:
    """The seven streets from above: blocks, gardens, a canal and one orange place."""
    sheet = Sheet(COVER, "#F3E4C8", scale)
    dice = Random(8)
    town = Sheet((2070, 1620), "#F3E4C8", scale)
    for row in range(7):
        for column in range(8):
            x, y = column * 270.0 - 40, row * 250.0 - 90
            _block(town, x + 22, y + 22, 226, 206, dice)
    sheet.lay(town, 900, 600, 13)
    sheet.line([(-40, 980), (380, 900), (760, 1010), (1180, 840), (1860, 930)], 128, mix(TEAL, DEEP, 0.3), caps=False)
    sheet.line([(-40, 980), (380, 900), (760, 1010), (1180, 840), (1860, 930)], 108, TEAL, caps=False)
    for _ in range(60):
        x = dice.uniform(0, 1800)
        sheet.rect(x, _canal(x) + dice.uniform(-34, 34), dice.uniform(20, 60), 5, mix(TEAL, MIST, 0.35), 2)
    for x in (250.0, 1010.0, 1500.0):
        y = _canal(x)
        sheet.line([(x - 30, y - 86), (x + 14, y + 86)], 46, SAND, caps=False)
        sheet.line([(x - 52, y - 80), (x - 8, y + 92)], 6, WINE, caps=False)
        sheet.line([(x - 8, y - 92), (x + 36, y + 80)], 6, WINE, caps=False)
    for x, colour in ((560.0, LAMP), (640.0, BRICK), (1300.0, MIST)):
        y = _canal(x)
        sheet.rect(x, y - 14, 66, 28, colour, 12)
    sheet.disc(930, 470, 236, veil(ORANGE, 50))
    sheet.disc(930, 470, 168, veil(ORANGE, 70))
    sheet.disc(938, 482, 92, veil(DEEP, 90))
    sheet.disc(930, 470, 92, FLAME)
    sheet.disc(930, 470, 34, "#F3E4C8")
    return sheet.finish()


def _canal(x: float) -> float:
    places = ((-40, 980), (380, 900), (760, 1010), (1180, 840), (1860, 930))
    for (x0, y0), (x1, y1) in pairwise(places):
        if x <= x1:
            return y0 + (y1 - y0) * (x - x0) / (x1 - x0)
    return 930


def _block(town: Sheet, x: float, y: float, width: float, height: float, dice: Random) -> None:
    """Houses around a garden, each roof in two halves of light and shade."""
    if dice.random() < 0.1:
        town.rect(x, y, width, height, "#7FA884", 14)
        for _ in range(16):
            town.disc(
                x + dice.uniform(22, width - 22),
                y + dice.uniform(22, height - 22),
                dice.uniform(12, 22),
                dice.choice((TEAL, "#4E8268")),
            )
        return
    town.rect(x + 8, y + 10, width, height, mix("#F3E4C8", WINE, 0.25))
    town.rect(x, y, width, height, "#9DBB92")
    roofs = (BRICK, WINE, "#C4694A", SAND, BRICK)
    for side in (0, height - 62):
        at = x
        while at < x + width - 20:
            wide = min(dice.uniform(34, 60), x + width - at)
            colour = dice.choice(roofs)
            town.rect(at, y + side, wide, 31, colour)
            town.rect(at, y + side + 31, wide, 31, mix(colour, DEEP, 0.25))
            town.rect(at, y + side, 2, 62, mix(colour, DEEP, 0.45))
            if dice.random() < 0.4:
                town.rect(at + wide / 2 - 6, y + side + 18, 12, 12, SAND)
            at += wide
    for _ in range(5):
        town.disc(
            x + dice.uniform(20, width - 20),
            y + dice.uniform(78, height - 78),
            dice.uniform(9, 17),
            dice.choice((TEAL, "#4E8268", "#C9D3A4")),
        )
