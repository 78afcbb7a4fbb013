"""What backers of the board game receive."""

from __future__ import annotations

from random import Random

from PIL import Image

from .game import (
    CREAM,
    DUSK,
    FOAM,
    GRASS,
    NIGHT,
    PINK,
    REED,
    ROOF,
    SOIL,
    SUNNY,
    WATER,
    clouds,
    mill,
    polder,
    stand,
    tile,
)
from .people import bust
from .shapes import FLAME, HAIRS, ORANGE, REWARD, SKINS, Sheet, around, mix, veil


def print_and_play(scale: int = 2) -> Image.Image:
    """Sheets of paper with flat tiles to cut out, and scissors with orange handles."""
    sheet = Sheet(REWARD, "#CFE0C4", scale)
    for x in range(0, 1200, 60):
        sheet.rect(x, 0, 2, 900, "#BFD4B2")
    for y in range(0, 900, 60):
        sheet.rect(0, y, 1200, 2, "#BFD4B2")
    for turn, x, seed in ((12, 660, 1), (-5, 480, 2)):
        page = Sheet((600, 790), None, scale)
        page.rect(12, 14, 584, 772, veil(NIGHT, 80), 4)
        page.rect(0, 0, 584, 772, "#FFFDF6", 4)
        dice = Random(seed)
        for row in range(4):
            for column in range(3):
                px, py = 104 + column * 178 + (row % 2) * 34 - 8, 112 + row * 182
                colour = dice.choice((WATER, GRASS, SOIL, REED, "#D9BE86"))
                page.poly([around(px, py, 96, 60 * n - 30) for n in range(6)], mix(colour, CREAM, 0.45))
                page.poly([around(px, py, 84, 60 * n - 30) for n in range(6)], colour)
                _sign(page, px, py, colour)
        sheet.lay(page, x, 452, turn)
    loose = [around(1010, 640, 104, 60 * n - 20) for n in range(6)]
    sheet.poly([(x + 10, y + 14) for x, y in loose], veil(NIGHT, 90))
    sheet.poly(loose, mix(WATER, CREAM, 0.45))
    sheet.poly([around(1010, 640, 90, 60 * n - 20) for n in range(6)], WATER)
    _sign(sheet, 1010, 640, WATER)
    # Two blades that cross, two round handles.
    sheet.poly([(700, 330), (960, 226), (974, 254)], "#DCE3E6")
    sheet.poly([(712, 240), (972, 262), (962, 290)], "#B9C6CC")
    for x, y in ((1052, 212), (1048, 318)):
        sheet.line([(950, 262), (x - 30, y)], 30, ORANGE)
        sheet.ring(x, y, 62, 24, FLAME)
    sheet.disc(930, 256, 11, NIGHT)
    return sheet.finish()


def _sign(page: Sheet, x: float, y: float, colour: str) -> None:
    if colour == WATER:
        for row in (-24, 0, 24):
            page.line([(x - 34, y + row), (x - 6, y + row)], 6, FOAM)
            page.line([(x + 10, y + row), (x + 36, y + row)], 6, FOAM)
    elif colour == SOIL:
        for number in range(-2, 3):
            page.line(
                [(x + number * 22 - 14, y + 34), (x + number * 22 + 14, y - 34)], 11, (PINK, SUNNY, CREAM)[number % 3]
            )
    elif colour == GRASS:
        mill(page, x, y + 44, 66, 30)
    elif colour == REED:
        for dx, dy in ((-22, 12), (22, 14), (0, -18)):
            page.disc(x + dx, y + dy, 20, GRASS)
    else:
        page.rect(x - 26, y - 4, 52, 36, CREAM)
        page.poly([(x - 36, y - 2), (x, y - 38), (x + 36, y - 2)], ROOF)


def game(scale: int = 2) -> Image.Image:
    """The box standing up, with tiles and orange pump discs before it."""
    sheet = Sheet(REWARD, "#F4CDB4", scale)
    sheet.rect(0, 640, 1200, 260, mix("#F4CDB4", ROOF, 0.32))
    art = Sheet((560, 560), DUSK, scale)
    art.fade(0, 250, [(0, "#2B4C86"), (0.5, "#C9708A"), (1, "#FFD9A0")])
    art.disc(360, 190, 104, FLAME)
    clouds(art, ((70, 80, 130), (400, 60, 110)), "#F9C7A6")
    art.fade(240, 320, [(0, WATER), (1, NIGHT)])
    polder(art, 280, 290, 84, 4)
    art.rect(0, 0, 560, 12, CREAM)
    art.rect(0, 548, 560, 12, CREAM)
    art.rect(0, 0, 12, 560, CREAM)
    art.rect(548, 0, 12, 560, CREAM)
    sheet.poly([(240, 690), (860, 690), (1010, 640), (1010, 700), (860, 760), (240, 760)], veil(NIGHT, 60))
    sheet.poly([(800, 140), (920, 104), (920, 664), (800, 700)], NIGHT)
    sheet.poly([(800, 300), (920, 264), (920, 290), (800, 326)], SUNNY)
    sheet.poly([(240, 140), (360, 104), (920, 104), (800, 140)], mix(DUSK, FOAM, 0.4))
    sheet.lay(art, 520, 420)
    for x, y, kind, number in ((250, 780, "tulip", 0), (470, 796, "water", 1), (990, 760, "mill", 5)):
        tile(sheet, x, y, 122, kind)
        stand(sheet, x, y, 122, kind, number)
    for x, y, count in ((690, 830, 3), (790, 800, 1), (118, 690, 2)):
        for layer in range(count):
            at = y - layer * 26
            sheet.disc(x, at + 22, 52, mix(ORANGE, SOIL, 0.45), 0.5)
            sheet.rect(x - 52, at, 104, 22, mix(ORANGE, SOIL, 0.45))
            sheet.disc(x, at, 52, FLAME, 0.5)
            sheet.disc(x, at, 30, ORANGE, 0.5)
    return sheet.finish()


def wooden(scale: int = 2) -> Image.Image:
    """A tray with wooden mills, houses and cows in rows and one big orange disc."""
    sheet = Sheet(REWARD, REED, scale)
    for row in range(12):
        sheet.rect(0, row * 80, 1200, 3, mix(REED, NIGHT, 0.2))
    wood, deep = "#D7A468", "#8A5A3A"
    sheet.rect(92, 84, 1040, 764, veil(NIGHT, 110), 30)
    sheet.rect(70, 60, 1040, 764, wood, 30)
    for number in range(9):
        sheet.rect(84, 90 + number * 84, 1012, 4, mix(wood, deep, 0.25))
    for x, y, wide, tall in ((104, 94, 440, 330), (578, 94, 498, 330), (104, 458, 560, 332), (698, 458, 378, 332)):
        sheet.rect(x, y, wide, tall, deep, 16)
        sheet.rect(x, y + 16, wide, tall - 16, mix(deep, wood, 0.35), 16)
    for number in range(6):
        mill(sheet, 176 + (number % 3) * 148, 244 + (number // 3) * 146, 68, 20 + number * 15)
    for row in range(3):
        for column in range(6):
            x, y = 622 + column * 80, 150 + row * 98
            colour = (CREAM, SUNNY, ROOF)[(row + column) % 3]
            sheet.rect(x - 25, y, 50, 42, mix(colour, SOIL, 0.15))
            sheet.poly([(x - 32, y + 2), (x, y - 36), (x + 32, y + 2)], colour if colour != CREAM else "#FFFFFF")
    for row in range(4):
        for column in range(7):
            x, y = 150 + column * 78, 506 + row * 72
            sheet.disc(x + 4, y + 7, 27, mix(NIGHT, deep, 0.5))
            sheet.disc(x, y, 27, (WATER, FOAM)[(row + column) % 2])
            sheet.disc(x, y, 16, (FOAM, WATER)[(row + column) % 2])
    sheet.disc(896, 634, 140, mix(deep, NIGHT, 0.5))
    sheet.disc(887, 622, 138, FLAME)
    sheet.ring(887, 622, 138, 14, ORANGE)
    for turn in range(6):
        a = turn * 60
        sheet.poly([around(887, 622, 30, a), around(887, 622, 104, a + 8), around(887, 622, 104, a + 40)], CREAM)
    sheet.disc(887, 622, 24, SOIL)
    return sheet.finish()


def evening(scale: int = 2) -> Image.Image:
    """An evening of play under an orange lamp, rain on the window behind."""
    sheet = Sheet(REWARD, DUSK, scale)
    for x in range(0, 1200, 48):
        sheet.rect(x, 0, 24, 900, mix(DUSK, WATER, 0.22))
    for x in (110, 790):
        sheet.rect(x - 16, 84, 332, 392, CREAM)
        sheet.rect(x, 100, 300, 360, NIGHT)
        dice = Random(x)
        for _ in range(46):
            dx, dy = dice.uniform(10, 280), dice.uniform(6, 320)
            sheet.line([(x + dx + 8, 100 + dy), (x + dx, 128 + dy)], 4, WATER)
        for number in range(4):
            tall = (70, 110, 56, 90)[number]
            sheet.rect(x + number * 75, 460 - tall, 75, tall, mix(NIGHT, WATER, 0.3))
            sheet.rect(x + 28 + number * 75, 474 - tall, 16, 20, SUNNY)
        sheet.rect(x + 144, 100, 12, 360, CREAM)
        sheet.rect(x, 270, 300, 12, CREAM)
        sheet.rect(x - 30, 470, 360, 22, CREAM)
    sheet.poly([(520, 240), (680, 240), (1080, 700), (120, 700)], veil(SUNNY, 60))
    sheet.rect(596, 0, 8, 110, NIGHT)
    sheet.disc(600, 204, 108, FLAME)
    sheet.rect(570, 88, 60, 24, NIGHT, 8)
    coats = (ROOF, FOAM, SUNNY, REED, PINK)
    for number, coat in enumerate(coats):
        x = 150 + number * 225
        y = 590 - (number % 2) * 24
        bust(sheet, x, y, 58, coat, SKINS[(number * 2 + 1) % 5], HAIRS[(number * 3) % 5], (number + 1) % 4)
    sheet.rect(0, 702, 1200, 198, SOIL)
    sheet.rect(0, 702, 1200, 14, mix(SOIL, SUNNY, 0.4))
    for number in range(len(coats)):
        # The one in the middle has laid all cards down.
        if number == 2:
            continue
        for card in range(3):
            hand = Sheet((64, 92), None, scale)
            hand.rect(0, 0, 62, 90, CREAM, 8)
            hand.rect(7, 7, 48, 76, (WATER, ROOF, REED)[card], 5)
            sheet.lay(hand, 150 + number * 225 + (card - 1) * 30, 662 + abs(card - 1) * 8, (1 - card) * 16)
        sheet.disc(150 + number * 225, 704, 22, SKINS[(number * 2 + 1) % 5])
    for number, kind in enumerate(("tulip", "water", "mill", "wood", "grass")):
        x, y = 336 + number * 132, 772
        tile(sheet, x, y, 76, kind)
        stand(sheet, x, y, 76, kind, number)
    for number, kind in enumerate(("grass", "village", "water", "tulip")):
        x, y = 402 + number * 132, 838
        tile(sheet, x, y, 76, kind)
        stand(sheet, x, y, 76, kind, number)
    return sheet.finish()
