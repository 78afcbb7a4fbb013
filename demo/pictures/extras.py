"""Covers of the three smaller projects."""

from __future__ import annotations

from random import Random

from PIL import Image

from .people import standing
from .record import gable
from .shapes import COVER, FLAME, HAIRS, ORANGE, SKINS, Sheet, around, mix, veil

BLUE = "#142B52"
CREAM = "#FFF0D6"
LIGHT = "#FFD98A"
RED = "#B5433B"


def boat(scale: int = 2) -> Image.Image:
    """A canal boat full of books, at night; the moon is orange and lies in the water too."""
    sheet = Sheet(COVER, BLUE, scale)
    sheet.fade(0, 760, [(0, "#0B1733"), (0.6, BLUE), (1, "#3B5C86")])
    dice = Random(19)
    for _ in range(80):
        sheet.disc(dice.uniform(0, 1800), dice.uniform(0, 420), dice.choice((1.5, 2, 3)), CREAM)
    for radius, strength in ((310, 16), (250, 22), (205, 28)):
        sheet.disc(1390, 260, radius, veil(FLAME, strength))
    sheet.disc(1390, 260, 160, FLAME)
    x = -40.0
    number = 0
    while x < 1800:
        width = dice.uniform(130, 200)
        top = dice.uniform(400, 520)
        wall = mix("#0B1733", "#3B5C86", dice.choice((0.25, 0.4, 0.55)))
        sheet.rect(x, top, width + 1, 400, wall)
        gable(sheet, x, top + 1, width, wall, number % 3)
        for row in range(3):
            for column in range(3):
                lit = dice.random() < 0.35
                sheet.rect(
                    x + width * (0.14 + column * 0.28),
                    top + 30 + row * 74,
                    width * 0.15,
                    46,
                    LIGHT if lit else mix(wall, "#0B1733", 0.5),
                )
        x += width
        number += 1
    sheet.rect(0, 710, 1800, 60, "#5B4A5A")
    for x in range(0, 1800, 70):
        sheet.rect(x, 728, 62, 16, "#6E5A68")
        sheet.rect(x + 35, 748, 62, 16, "#6E5A68")
    for x in (90, 620, 1120, 1700):
        sheet.rect(x - 9, 480, 18, 240, "#2A2238")
        for dx, dy, r in ((0, -60, 92), (-64, 0, 66), (66, -6, 70), (10, 30, 60)):
            sheet.disc(x + dx, 440 + dy, r, "#2F5B57")
        for dx, dy, r in ((-20, -84, 40), (-70, -16, 28), (50, -30, 34)):
            sheet.disc(x + dx, 440 + dy, r, "#447A6C")
    sheet.fade(770, 430, [(0, "#23406B"), (1, "#081228")])
    for row in range(26):
        y = 790 + row * 15.5
        for _ in range(6):
            sheet.rect(dice.uniform(-60, 1800), y, dice.uniform(40, 150), 4, mix("#23406B", "#7FA3C7", 0.3), 2)
        for _ in range(2):
            sheet.rect(1390 + dice.gauss(-30, 50), y, dice.uniform(30, 110), 6, FLAME, 3)
        for _ in range(4):
            sheet.rect(dice.uniform(240, 1180), y, dice.uniform(20, 70), 5, mix(BLUE, LIGHT, 0.7), 3)
    _hull(sheet)
    return sheet.finish()


def _hull(sheet: Sheet) -> None:
    """The boat: a glazed hold with shelves from end to end."""
    dice = Random(77)
    sheet.rect(180, 560, 1130, 240, LIGHT)
    books = (RED, BLUE, "#2F5B57", CREAM, "#D98A3D", "#7A3B5E")
    for row in range(2):
        floor = 668 + row * 110
        x = 196.0
        while x < 1296:
            if dice.random() < 0.07:
                x += 26
                continue
            wide, tall = dice.uniform(10, 22), dice.uniform(56, 90)
            sheet.rect(x, floor - tall, wide, tall, dice.choice(books))
            x += wide + 1.5
        sheet.rect(180, floor, 1130, 10, "#8A5A3A")
    for x, coat, hair in ((430, "#2F5B57", HAIRS[1]), (700, RED, HAIRS[0]), (1010, BLUE, HAIRS[3])):
        standing(sheet, x, 830, 250, coat, "#1B2440", SKINS[x % 5], hair, ((-0.14, 0.56), (0.16, 0.6)))
        sheet.poly([(x - 34, 676), (x, 688), (x + 38, 670), (x + 38, 700), (x, 716), (x - 34, 704)], CREAM)
    sheet.poly([(90, 800), (1570, 800), (1650, 730), (1620, 900), (1540, 960), (170, 960), (110, 900)], RED)
    sheet.poly([(104, 880), (1626, 880), (1612, 906), (112, 906)], CREAM)
    sheet.rect(180, 786, 1130, 20, RED)
    for number in range(8):
        sheet.rect(176 + number * 161, 552, 12, 250, BLUE)
    sheet.rect(150, 536, 1190, 26, CREAM, 8)
    for number in range(9):
        sheet.rect(200 + number * 130, 524, 54, 14, "#2F5B57", 5)
        for stem in range(3):
            sheet.disc(210 + number * 130 + stem * 17, 514, 14, ("#447A6C", RED, "#447A6C")[stem])
    sheet.rect(1340, 620, 170, 190, CREAM, 8)
    sheet.rect(1324, 604, 202, 26, BLUE, 8)
    sheet.rect(1366, 656, 118, 74, LIGHT, 6)
    sheet.line([(1560, 800), (1560, 600)], 8, CREAM)
    sheet.poly([(1560, 604), (1650, 628), (1560, 652)], RED)
    for x in range(200, 1560, 150):
        sheet.disc(x, 840, 21, BLUE)
        sheet.disc(x, 840, 13, LIGHT)


STONE = "#E9DCC6"
MINT = "#8FC7B4"
PINE = "#1D4A4A"
SKY = "#BFE0DF"
VIOLET = "#5A4B8C"
HOLDS = (PINE, VIOLET, MINT, "#E7B53C", "#D9607A")


def silo(scale: int = 2) -> Image.Image:
    """The inside of three grain silos as climbing walls; one hold is as large as a sun."""
    sheet = Sheet(COVER, PINE, scale)
    sheet.fade(0, 1200, [(0, "#123236"), (1, PINE)])
    dice = Random(62)
    for left, colour in ((60, STONE), (640, "#DCCBB0"), (1220, STONE)):
        _wall(sheet, left, 520, colour, dice)
    sheet.disc(1010, 440, 152, mix("#DCCBB0", PINE, 0.4))
    sheet.disc(996, 426, 148, FLAME)
    sheet.disc(962, 388, 46, veil("#FFFFFF", 50))
    sheet.disc(996, 426, 16, PINE)
    climbers = (
        (330, 560, RED, VIOLET, 0, 3),
        (800, 700, MINT, PINE, 3, 0),
        (1000, 250, "#E7B53C", VIOLET, 1, 1),
        (1480, 420, "#D9607A", PINE, 2, 2),
    )
    for x, y, coat, trousers, skin, hair in climbers:
        sheet.line([(x, y - 30), (x + 30, -10)], 5, CREAM)
        _climber(sheet, x, y, coat, trousers, SKINS[skin], HAIRS[hair])
    sheet.rect(0, 1060, 1800, 140, VIOLET)
    sheet.rect(0, 1060, 1800, 16, mix(VIOLET, "#FFFFFF", 0.25))
    for x in range(0, 1800, 200):
        sheet.rect(x, 1076, 4, 124, mix(VIOLET, PINE, 0.5))
    for x, coat, hands, skin in (
        (250, "#E7B53C", ((-0.02, 0.72), (0.1, 0.5)), 1),
        (880, "#D9607A", ((-0.12, 0.46), (0.02, 0.74)), 3),
        (1560, MINT, ((-0.04, 0.74), (0.1, 0.48)), 0),
    ):
        standing(sheet, x, 1110, 250, coat, "#123236", SKINS[skin], HAIRS[(skin + 1) % 5], hands)
    for x, y0 in ((250, 590), (880, 730), (1560, 450)):
        sheet.line([(x, 930), (x + (70 if x < 900 else -60), y0 - 590)], 4, CREAM)
    return sheet.finish()


def _wall(sheet: Sheet, left: float, width: float, colour: str, dice: Random) -> None:
    """One silo, rounded by strips that grow darker to its sides, with panels and holds."""
    strips = 26
    for number in range(strips):
        share = abs(number - 11) / 15
        x = left + width * number / strips
        sheet.rect(x, 0, width / strips + 1, 1070, mix(colour, PINE, 0.5 * share**2))
    for seam in range(90, 1060, 140):
        sheet.rect(left, seam, width, 4, mix(colour, PINE, 0.25))
    for number in range(5):
        # Volumes: a light and a shaded half meet in a ridge.
        x, y = left + dice.uniform(90, width - 90), 130 + number * 200 + dice.uniform(-30, 30)
        hue, size, turn = HOLDS[(number + round(left)) % 4 + 1], dice.uniform(60, 96), dice.uniform(0, 120)
        tips = [around(x, y, size, turn + n * 120) for n in range(3)]
        sheet.poly([(px + 10, py + 16) for px, py in tips], mix(colour, PINE, 0.4))
        for n, shade in enumerate((0, 0.16, 0.34)):
            sheet.poly([(x, y), tips[n], tips[(n + 1) % 3]], mix(mix(hue, colour, 0.35), PINE, shade))
    for _ in range(58):
        x, y = left + dice.uniform(34, width - 34), dice.uniform(20, 1030)
        size, hue = dice.uniform(10, 26), dice.choice(HOLDS)
        turn = dice.uniform(0, 90)
        shape = [around(x, y, size * dice.uniform(0.7, 1.15), turn + n * 60) for n in range(6)]
        sheet.poly([(px + 4, py + 7) for px, py in shape], mix(colour, PINE, 0.45))
        sheet.poly(shape, hue)
        sheet.disc(x, y, 3.5, PINE)


def _climber(sheet: Sheet, x: float, y: float, coat: str, trousers: str, skin: str, hair: str) -> None:
    """Seen from behind: one arm high, one leg bent."""
    sheet.line([(x - 14, y + 50), (x - 74, y + 92), (x - 62, y + 164)], 32, trousers)
    sheet.line([(x + 14, y + 50), (x + 44, y + 122), (x + 30, y + 206)], 32, trousers)
    for fx, fy in ((x - 64, y + 172), (x + 30, y + 214)):
        sheet.rect(fx - 26, fy - 8, 46, 22, CREAM, 9)
    sheet.line([(x - 26, y - 54), (x - 84, y - 92), (x - 70, y - 164)], 26, skin)
    sheet.line([(x + 28, y - 54), (x + 88, y - 60), (x + 108, y - 122)], 26, skin)
    sheet.rect(x - 42, y - 80, 84, 146, coat, 26)
    sheet.rect(x - 40, y + 36, 80, 14, CREAM)
    sheet.disc(x + 4, y - 112, 34, hair)
    sheet.disc(x + 24, y - 140, 15, hair)


def deck(scale: int = 2) -> Image.Image:
    """A parking deck cut open: cars below, a garden with glasshouses on top, the sun behind."""
    sheet = Sheet(COVER, SKY, scale)
    sheet.fade(0, 700, [(0, "#F7C9B0"), (1, "#FDEBCB")])
    sheet.disc(520, 330, 218, FLAME)
    dice = Random(4)
    x = -20.0
    while x < 1800:
        width, top = dice.uniform(90, 190), dice.uniform(300, 470)
        sheet.rect(x, top, width, 500, "#E5AFA0")
        for row in range(7):
            for column in range(int(width / 34)):
                sheet.rect(x + 14 + column * 34, top + 22 + row * 40, 14, 20, "#F3C9B6")
        x += width + dice.choice((0, 0, 30))
    sheet.rect(0, 640, 1800, 560, "#4A5B66")
    for level in range(3):
        y = 690 + level * 180
        sheet.rect(0, y, 1800, 140, "#26353F")
        for number in range(10):
            sheet.rect(30 + number * 200, y + 12, 100, 8, LIGHT, 4)
        for number in range(7):
            if (number * 3 + level * 5) % 4 == 1:
                continue
            _car(
                sheet,
                150 + number * 252,
                y + 140,
                ("#D8DDD6", "#A9473F", "#5E8C8A", "#E2B55B")[(number + level * 3) % 4],
            )
        for number in range(8):
            sheet.rect(8 + number * 252, y, 26, 140, "#5B6D78")
        sheet.rect(0, y + 140, 1800, 40, "#6C7F89")
        sheet.rect(0, y + 140, 1800, 7, "#8798A0")
        for number in range(0, 1800, 60):
            sheet.rect(number, y + 104, 5, 38, "#8798A0")
        sheet.rect(0, y + 100, 1800, 8, "#8798A0")
    sheet.rect(0, 634, 1800, 56, "#6C7F89")
    sheet.rect(0, 634, 1800, 8, "#8798A0")
    _garden(sheet)
    return sheet.finish()


def _car(sheet: Sheet, x: float, y: float, colour: str) -> None:
    sheet.poly([(x - 56, y - 60), (x - 36, y - 96), (x + 34, y - 96), (x + 62, y - 60)], colour)
    sheet.poly([(x - 44, y - 60), (x - 30, y - 86), (x - 2, y - 86), (x - 2, y - 60)], "#9FB8BE")
    sheet.poly([(x + 6, y - 60), (x + 6, y - 86), (x + 30, y - 86), (x + 48, y - 60)], "#9FB8BE")
    sheet.rect(x - 92, y - 64, 184, 44, colour, 16)
    sheet.rect(x + 78, y - 54, 14, 12, LIGHT, 4)
    for wheel in (-52, 54):
        sheet.disc(x + wheel, y - 20, 21, "#10181D")
        sheet.disc(x + wheel, y - 20, 9, "#8798A0")


LEAF, MOSS, FRESH = "#2F6B4F", "#1F4A3B", "#7DB36A"


def _garden(sheet: Sheet) -> None:
    dice = Random(26)
    for left, wide, high in ((1120, 560, 330), (120, 250, 210)):
        top = 634 - high
        roof = [(left, top + 110), (left + wide / 2, top), (left + wide, top + 110)]
        sheet.poly([*roof, (left + wide, 634), (left, 634)], veil("#DFF2EA", 215))
        for number in range(int(wide / 50)):
            x = left + 34 + number * 50
            tall = dice.uniform(90, 170)
            sheet.line([(x, 624), (x, 624 - tall)], 6, MOSS)
            for leaf in range(5):
                sheet.disc(x + (-16 if leaf % 2 else 16), 612 - leaf * tall / 5, 19, (LEAF, FRESH)[leaf % 2], 0.6)
            for fruit in range(2):
                sheet.disc(x + 10 - fruit * 20, 600 - fruit * 44, 9, RED)
        for number in range(int(wide / 70) + 1):
            sheet.rect(left + number * wide / int(wide / 70) - 4, top + 105, 8, 634 - top - 105, "#FFFFFF")
        sheet.line([*roof], 12, "#FFFFFF")
        sheet.rect(left, top + 106, wide, 8, "#FFFFFF")
        for share in (0.25, 0.75):
            sheet.line([(left + wide * share, top + 55), (left + wide * share, top + 110)], 6, "#FFFFFF")
    for number in range(6):
        x = 420 + number * 116
        for leaf in range(9):
            turn = -160 + leaf * 17.5
            sheet.line(
                [(x + 46, 590), around(x + 46, 590, dice.uniform(38, 84), turn)], 12, dice.choice((LEAF, FRESH, MOSS))
            )
        if number % 2:
            for flower in range(3):
                px, py = around(x + 46, 590, 76, -120 + flower * 30)
                sheet.disc(px, py, 13, ("#E2B55B", "#D9607A", CREAM)[flower])
        sheet.rect(x, 582, 98, 52, "#8A5A3A")
        sheet.rect(x, 598, 98, 4, "#6E452C")
        sheet.rect(x, 616, 98, 4, "#6E452C")
    for x, coat, skin, hands in (
        (470, "#5E8C8A", 2, ((-0.15, 0.46), (0.22, 0.4))),
        (760, RED, 0, ((-0.24, 0.42), (0.12, 0.62))),
        (1040, "#E2B55B", 3, ((-0.26, 0.5), (0.15, 0.46))),
    ):
        standing(sheet, x, 636, 210, coat, "#26353F", SKINS[skin], HAIRS[skin], hands)
    sheet.poly([(838, 556), (884, 556), (878, 604), (844, 604)], ORANGE)
    sheet.line([(840, 566), (806, 540)], 8, ORANGE)
    for x in (1720, 40):
        sheet.rect(x - 8, 470, 16, 166, "#6E452C")
        for dx, dy, r in ((0, -40, 74), (-44, 10, 50), (46, 6, 52)):
            sheet.disc(x + dx, 450 + dy, r, LEAF)
        for dx, dy, r in ((-14, -60, 32), (34, -8, 22)):
            sheet.disc(x + dx, 450 + dy, r, FRESH)
