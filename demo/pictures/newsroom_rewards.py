"""What members of the newsroom receive."""

from __future__ import annotations

from random import Random

from PIL import Image

from .newsroom import BRICK, DEEP, LAMP, MIST, SAND, SEA, TEAL, WINE
from .shapes import FLAME, HAIRS, ORANGE, REWARD, SKINS, Sheet, around, mix, veil


def letter(scale: int = 2) -> Image.Image:
    """An envelope with an orange seal, among the letterboxes it is meant for."""
    sheet = Sheet(REWARD, SEA, scale)
    for row in range(5):
        for column in range(6):
            x, y = column * 206 - 12, row * 190 - 20
            sheet.rect(x, y, 190, 174, mix(SEA, TEAL, 0.55), 8)
            sheet.rect(x + 26, y + 34, 138, 24, DEEP, 6)
            sheet.rect(x + 26, y + 34, 138, 7, TEAL, 3)
            sheet.rect(x + 60, y + 112, 70, 22, mix(TEAL, MIST, 0.35), 3)
    body = Sheet((820, 580), None, scale)
    body.rect(14, 22, 800, 552, DEEP, 12)
    body.rect(0, 0, 800, 552, LAMP, 12)
    body.poly([(6, 548), (400, 240), (794, 548)], mix(LAMP, SAND, 0.6))
    body.poly([(4, 6), (4, 540), (370, 270)], mix(LAMP, SAND, 0.3))
    body.poly([(796, 6), (796, 540), (430, 270)], mix(LAMP, SAND, 0.3))
    body.poly([(4, 8), (400, 340), (796, 8)], mix(SAND, BRICK, 0.22))
    body.poly([(10, 0), (400, 324), (790, 0)], "#FFF3D6")
    for turn in range(14):
        body.disc(*around(400, 318, 82, turn * 360 / 14), 22, ORANGE)
    body.disc(400, 318, 92, FLAME)
    body.ring(400, 318, 66, 7, ORANGE)
    body.rect(366, 300, 68, 8, WINE, 4)
    body.rect(366, 318, 68, 8, WINE, 4)
    body.rect(366, 336, 44, 8, WINE, 4)
    sheet.lay(body, 604, 454, 7)
    return sheet.finish()


def page(sheet: Sheet, x: float, y: float, width: float, height: float, ink: str, seed: int) -> None:
    """A newspaper page: a head, a picture with an orange disc, columns as bars."""
    dice = Random(seed)
    sheet.rect(x + 36, y + 34, width * 0.5, 40, ink)
    sheet.rect(x + 36, y + 92, width - 72, 5, ink)
    sheet.rect(x + 36, y + 104, width - 72, 2, ink)
    picture = width * 0.62
    sheet.rect(x + 36, y + 128, picture, 250, TEAL)
    sheet.disc(x + 36 + picture * 0.66, y + 262, 78, FLAME)
    for number in range(6):
        tall = dice.uniform(50, 120)
        sheet.rect(x + 36 + number * picture / 6, y + 378 - tall, picture / 6 + 1, tall, (DEEP, SEA)[number % 2])
        sheet.rect(x + 52 + number * picture / 6, y + 396 - tall, 12, 16, LAMP)
    column = (width - 72 - 2 * 24) / 3
    for number in range(3):
        left = x + 36 + number * (column + 24)
        line = y + 128 if number == 2 else y + 410
        if number == 2:
            sheet.rect(left, line, column, 18, ink)
            sheet.rect(left, line + 26, column * 0.7, 18, ink)
            line += 64
        while line < y + height - 40:
            sheet.rect(
                left, line, column * (dice.uniform(0.5, 0.8) if dice.random() < 0.16 else 1), 6, mix(ink, MIST, 0.45)
            )
            line += 17


def paper(scale: int = 2) -> Image.Image:
    """The printed paper on a doormat, folded once."""
    sheet = Sheet(REWARD, SAND, scale)
    for row in range(10):
        for column in range(13):
            x, y = column * 100, row * 100
            tile = (mix(SAND, BRICK, 0.16), mix(SAND, "#FFFFFF", 0.2))[(row + column) % 2]
            sheet.rect(x, y, 98, 98, tile)
            sheet.poly([(x + 49, y + 24), (x + 74, y + 49), (x + 49, y + 74), (x + 24, y + 49)], mix(tile, BRICK, 0.16))
    sheet.rect(90, 640, 1020, 360, WINE, 8)
    for number in range(34):
        sheet.rect(102 + number * 30, 652, 8, 260, mix(WINE, BRICK, 0.4))
    folded = Sheet((700, 860), None, scale)
    folded.rect(40, 40, 640, 810, veil(DEEP, 110))
    folded.rect(20, 14, 650, 812, mix(MIST, TEAL, 0.25))
    folded.rect(8, 6, 650, 812, "#FBF4E4")
    page(folded, 8, 6, 650, 812, SEA, 5)
    folded.rect(8, 404, 650, 8, mix("#FBF4E4", SAND, 0.6))
    sheet.lay(folded, 600, 452, -9)
    return sheet.finish()


def mug(scale: int = 2) -> Image.Image:
    """A round orange mug from above, on a page still being corrected."""
    sheet = Sheet(REWARD, TEAL, scale)
    for x in range(0, 1200, 110):
        sheet.rect(x, 0, 4, 900, mix(TEAL, DEEP, 0.35))
    proof = Sheet((720, 900), None, scale)
    proof.rect(16, 18, 690, 870, DEEP)
    proof.rect(0, 0, 690, 870, "#FBF4E4")
    page(proof, 0, 0, 690, 870, SEA, 9)
    # A disc in the page's picture would be a second round thing next to the mug: cover it with a night.
    proof.rect(36, 128, 428, 250, mix(TEAL, MIST, 0.3))
    for number in range(8):
        proof.rect(
            36 + number * 53.5, 378 - 60 - (number * 47) % 110, 54, 60 + (number * 47) % 110, (SEA, TEAL)[number % 2]
        )
    for y, wide in ((436, 180), (520, 190), (606, 120)):
        proof.line([(40, y), (40 + wide, y + 2)], 6, BRICK)
    proof.ring(580, 250, 90, 6, BRICK, 0.7)
    sheet.lay(proof, 360, 470, 8)
    sheet.disc(842, 520, 236, veil(DEEP, 120))
    sheet.lay(_handle(scale), 1030, 392, 38)
    sheet.disc(820, 490, 226, ORANGE)
    sheet.disc(820, 490, 208, FLAME)
    sheet.disc(820, 490, 184, mix(ORANGE, WINE, 0.55))
    sheet.disc(820, 496, 172, "#4A211C")
    sheet.disc(806, 510, 150, "#5F2C22")
    for turn, radius in ((200, 96), (40, 60), (120, 116), (310, 110)):
        sheet.arc(806, 510, radius, turn, turn + 70, 9, "#B5764A")
    pencil = Sheet((520, 40), None, scale)
    pencil.poly([(0, 20), (60, 4), (60, 36)], SAND)
    pencil.poly([(0, 20), (22, 14), (22, 26)], DEEP)
    pencil.rect(58, 4, 380, 32, LAMP)
    pencil.rect(58, 15, 380, 10, SAND)
    pencil.rect(430, 4, 30, 32, MIST)
    pencil.rect(458, 4, 52, 32, BRICK, 8)
    sheet.lay(pencil, 850, 816, 6)
    return sheet.finish()


def _handle(scale: int) -> Sheet:
    handle = Sheet((170, 84), None, scale)
    handle.rect(0, 0, 166, 80, ORANGE, 38)
    handle.rect(0, 22, 132, 36, TEAL, 16)
    return handle


def table(scale: int = 2) -> Image.Image:
    """The editors' round orange table from above, with a place kept free."""
    sheet = Sheet(REWARD, WINE, scale)
    for row in range(-2, 16):
        for column in range(-1, 9):
            x, y = column * 160.0 + (row % 2) * 80, row * 64.0
            sheet.poly(
                [(x, y), (x + 80, y + 32), (x, y + 64), (x - 80, y + 32)], mix(WINE, BRICK, 0.12 + 0.14 * (row % 2))
            )
    sheet.disc(600, 450, 430, mix(SEA, WINE, 0.15))
    sheet.ring(600, 450, 412, 10, mix(TEAL, SAND, 0.4))
    coats = (TEAL, LAMP, "", MIST, BRICK, SAND, SEA, "#D98A3D")
    for number, coat in enumerate(coats):
        angle = number * 45 + 8
        if not coat:
            # The free chair is pulled back a little.
            x, y = around(600, 450, 352, angle)
            sheet.disc(x, y, 62, SAND)
            sheet.disc(x, y, 50, mix(SAND, BRICK, 0.25))
            continue
        x, y = around(600, 450, 318, angle)
        side = angle + 90
        for way in (-1, 1):
            shoulder = around(x, y, 66 * way, side)
            hand = around(shoulder[0], shoulder[1], 96, angle + 180 + 14 * way)
            sheet.line([shoulder, hand], 38, coat)
            sheet.disc(*hand, 19, SKINS[(number * 2) % 5])
        sheet.line([around(x, y, -62, side), around(x, y, 62, side)], 84, coat)
    sheet.disc(600, 462, 252, veil(DEEP, 120))
    sheet.disc(600, 450, 252, FLAME)
    sheet.ring(600, 450, 252, 10, ORANGE)
    for number, (turn, distance, tilt) in enumerate(
        ((20, 150, 30), (78, 140, -12), (150, 150, 60), (215, 150, -30), (300, 150, 14))
    ):
        note = Sheet((104, 140), None, scale)
        note.rect(0, 0, 104, 140, "#FBF4E4", 3)
        note.rect(12, 14, 50, 12, SEA)
        for line in range(6):
            note.rect(12, 40 + line * 15, 80 if line % 3 else 60, 5, mix(SEA, MIST, 0.5))
        if number % 2:
            note.rect(12, 40, 80, 44, TEAL)
        sheet.lay(note, *around(600, 450, distance, turn), tilt)
    for turn, distance in ((110, 200), (255, 204), (345, 210), (50, 60)):
        x, y = around(600, 450, distance, turn)
        sheet.disc(x, y, 27, MIST)
        sheet.disc(x, y, 20, "#4A211C")
    for number, coat in enumerate(coats):
        if coat:
            x, y = around(600, 450, 310, number * 45 + 8)
            for way in (-1, 1):
                # Hands lie on the table, over the paper.
                shoulder = around(x, y, 66 * way, number * 45 + 98)
                hand = around(shoulder[0], shoulder[1], 104, number * 45 + 188 + 14 * way)
                sheet.line([shoulder, hand], 34, coat)
                sheet.disc(*hand, 18, SKINS[(number * 2) % 5])
            sheet.disc(x, y, 48, HAIRS[(number * 3) % 5])
            sheet.disc(*around(x, y, 12, number * 45 + 40), 26, mix(HAIRS[(number * 3) % 5], "#FFFFFF", 0.12))
    return sheet.finish()
