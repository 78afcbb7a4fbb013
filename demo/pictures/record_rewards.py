"""What backers of the record receive."""

from __future__ import annotations

from random import Random

from PIL import Image

from .people import bust
from .record import DARK, GLOW, NIGHT, PEACH, PLUM, ROSE, festoon, skyline, sunset
from .shapes import FLAME, HAIRS, ORANGE, REWARD, SKINS, Sheet, around, curve, mix, veil

LINEN = "#FFF1DC"
INKY = "#0E0920"


def artwork(size: float, scale: int) -> Sheet:
    """The sleeve of the record as a small sheet: the sun between two layers of roofs."""
    art = Sheet((size, size), NIGHT, scale)
    sunset(art, size * 0.5, size * 0.5, size * 0.27)
    skyline(art, size * 0.78, size * 0.02, size * 0.15, mix(PLUM, ROSE, 0.3), PEACH, 4, size * 0.05)
    skyline(art, size * 0.94, size * 0.03, size * 0.14, NIGHT, GLOW, 9, size * 0.055)
    return art


def vinyl(sheet: Sheet, x: float, y: float, radius: float, colour: str, label: str) -> None:
    """A record from above with grooves and two shines."""
    sheet.disc(x, y, radius, colour)
    groove = mix(colour, "#7A2000", 0.2)
    for step in range(1, 22):
        sheet.ring(x, y, radius * (0.97 - step * 0.026), radius * 0.006, groove)
    for angle in (28, 208):
        sheet.pie(x, y, radius * 0.97, angle, angle + 22, veil(GLOW, 90))
    sheet.disc(x, y, radius * 0.36, label)
    sheet.pie(x, y, radius * 0.29, 180, 360, NIGHT)
    sheet.disc(x, y, radius * 0.035, NIGHT)


def digital(scale: int = 2) -> Image.Image:
    """Headphones around the orange sun, and the sound as bars."""
    sheet = Sheet(REWARD, "#F6D9CC", scale)
    dice = Random(21)
    for number in range(31):
        x = 30 + number * 38
        far = abs(x - 600) / 600
        tall = (40 + 330 * (1 - far) ** 0.5) * dice.uniform(0.45, 1)
        sheet.rect(x - 11, 480 - tall, 22, tall * 2, mix("#F6D9CC", ROSE, 0.34), 11)
    sheet.disc(600, 480, 210, FLAME)
    sheet.arc(600, 440, 330, 180, 360, 46, NIGHT)
    sheet.arc(600, 440, 318, 195, 345, 8, PLUM)
    for side in (-1, 1):
        x = 600 + side * 306
        sheet.rect(x - 23, 420, 46, 120, NIGHT)
        sheet.rect(x - 62 + side * 12, 440, 124, 250, PLUM, 56)
        sheet.rect(x - 46 - side * 40, 452, 78, 226, NIGHT, 36)
        sheet.rect(x + side * 44 - 8, 500, 16, 130, ROSE, 8)
    sheet.line(curve([(294, 690), (300, 790), (420, 820), (560, 770), (700, 810), (760, 910)]), 12, NIGHT)
    return sheet.finish()


def signed_cd(scale: int = 2) -> Image.Image:
    """A CD half out of its sleeve and a pen that has just signed it."""
    sheet = Sheet(REWARD, "#CFE3E0", scale)
    for y in range(-600, 1200, 90):
        sheet.line([(0, y), (1200, y + 500)], 34, "#C4DAD7", caps=False)
    sheet.disc(770, 450, 290, "#F3EEE6")
    for number, colour in enumerate((ROSE, PEACH, "#A9CFE0", GLOW)):
        for angle in (-62 + number * 14, 118 + number * 14):
            sheet.pie(770, 450, 278, angle, angle + 14, veil(colour, 120))
    sheet.ring(770, 450, 290, 6, "#FFFFFF")
    sheet.disc(770, 450, 92, "#FFFFFF")
    sheet.disc(770, 450, 42, "#CFE3E0")
    sheet.rect(176, 146, 612, 612, DARK, 8)
    sheet.lay(artwork(596, scale), 482, 452)
    sheet.rect(184, 154, 26, 596, veil("#FFFFFF", 46))
    scribble = [
        (300, 660),
        (330, 560),
        (352, 660),
        (392, 590),
        (404, 660),
        (446, 610),
        (470, 656),
        (520, 600),
        (540, 660),
        (600, 590),
        (574, 680),
        (700, 610),
    ]
    sheet.line(curve(scribble), 9, "#FFFFFF")
    pen = Sheet((430, 60), None, scale)
    pen.poly([(0, 30), (58, 12), (58, 48)], GLOW)
    pen.rect(50, 8, 270, 44, ORANGE, 6)
    pen.rect(300, 8, 120, 44, NIGHT, 14)
    pen.rect(330, 2, 84, 9, ROSE, 4)
    sheet.lay(pen, 868, 500, 38)
    return sheet.finish()


def shirt(scale: int = 2) -> Image.Image:
    """A dark tour shirt on a hanger with the sun and the roofs printed on it."""
    sheet = Sheet(REWARD, "#F7E3BE", scale)
    for row in range(7):
        for column in range(9):
            x, y = column * 150 + (row % 2) * 75, row * 150
            sheet.pie(x, y + 20, 34, 180, 360, "#F0D5A2")
    sheet.rect(0, 96, 1200, 12, PLUM)
    sheet.arc(600, 112, 30, 180, 90, 9, DARK)
    sheet.line([(600, 138), (600, 192)], 9, DARK)
    sheet.line([(430, 262), (600, 186), (770, 262)], 16, ROSE)
    body = [
        (455, 222),
        (520, 200),
        (560, 236),
        (600, 246),
        (640, 236),
        (680, 200),
        (745, 222),
        (960, 372),
        (880, 500),
        (800, 452),
        (800, 836),
        (400, 836),
        (400, 452),
        (320, 500),
        (240, 372),
    ]
    sheet.poly(body, NIGHT)
    sheet.poly([(320, 500), (240, 372), (254, 350), (336, 480)], PLUM)
    sheet.poly([(880, 500), (960, 372), (946, 350), (864, 480)], PLUM)
    sheet.line([(400, 452), (412, 380)], 5, PLUM)
    sheet.line([(800, 452), (788, 380)], 5, PLUM)
    sheet.line(curve([(520, 200), (556, 244), (600, 258), (644, 244), (680, 200)]), 15, PLUM)
    sheet.within(lambda mask: mask.poly(body, "#FFFFFF"), _print)
    return sheet.finish()


def _print(sheet: Sheet) -> None:
    for number in range(7, 0, -1):
        sheet.ring(600, 500, 104 + number * 24, 5, mix(NIGHT, ROSE, 0.16 + 0.1 * (7 - number)))
    sheet.disc(600, 500, 104, FLAME)
    roofs = Sheet((420, 200), None, sheet.scale)
    skyline(roofs, 170, 20, 90, ROSE, GLOW, 33, 19)
    sheet.lay(roofs, 600, 620)
    sheet.rect(390, 690, 420, 146, NIGHT)
    for number in range(4):
        sheet.rect(390, 706 + number * 20, 420, 8 - number * 1.6, ROSE)


def orange_vinyl(scale: int = 2) -> Image.Image:
    """A record player from above, the orange record turning, its sleeve beside it."""
    sheet = Sheet(REWARD, "#D9CFEA", scale)
    for y in range(0, 900, 50):
        sheet.rect(0, y, 1200, 3, "#CBBFE0")
    sleeve = Sheet((520, 520), DARK, scale)
    sleeve.lay(artwork(508, scale), 260, 260)
    turned = Sheet((520, 520), None, scale)
    turned.lay(sleeve, 260, 260)
    sheet.lay(turned, 110, 500, 14)
    sheet.rect(282, 92, 846, 726, mix("#D9CFEA", NIGHT, 0.22), 30)
    sheet.rect(270, 76, 846, 726, PLUM, 30)
    sheet.rect(286, 92, 814, 694, mix(PLUM, ROSE, 0.25), 22)
    sheet.disc(636, 439, 322, DARK)
    vinyl(sheet, 636, 439, 306, FLAME, GLOW)
    sheet.disc(1014, 190, 62, NIGHT)
    sheet.disc(1014, 190, 44, GLOW)
    sheet.line([(1014, 190), (1024, 450), (900, 598)], 15, GLOW)
    sheet.line([(1014, 190), (1010, 128)], 24, DARK)
    head = Sheet((96, 48), None, scale)
    head.rect(4, 6, 88, 36, DARK, 6)
    sheet.lay(head, 884, 616, 50)
    for number in range(2):
        sheet.disc(1000 + number * 62, 728, 20, GLOW if number else ROSE)
    sheet.rect(1046, 420, 14, 190, NIGHT, 7)
    sheet.rect(1032, 500, 42, 24, GLOW, 5)
    return sheet.finish()


def meet(scale: int = 2) -> Image.Image:
    """A long table on the roof at dusk; everybody sits down before the show."""
    sheet = Sheet(REWARD, NIGHT, scale)
    sunset(sheet, 600, 360, 150)
    skyline(sheet, 520, 10, 130, mix(PLUM, ROSE, 0.28), PEACH, 18, 30)
    skyline(sheet, 590, 10, 80, mix(NIGHT, PLUM, 0.5), GLOW, 25, 30)
    festoon(sheet, (-20, 90), (620, 60), 90, 9, GLOW)
    festoon(sheet, (580, 60), (1220, 100), 90, 9, GLOW)
    coats = (GLOW, ROSE, NIGHT, PEACH, PLUM, ROSE, GLOW, NIGHT)
    for number, coat in enumerate(coats):
        bust(
            sheet,
            92 + number * 146,
            536 + (number % 3) * 10,
            46,
            coat,
            SKINS[(number * 3) % 5],
            HAIRS[(number * 2) % 5],
            number % 4,
        )
    sheet.rect(0, 648, 1200, 252, LINEN)
    sheet.rect(0, 648, 1200, 12, "#FFFFFF")
    for x in range(0, 1200, 60):
        sheet.rect(x, 790, 30, 110, mix(LINEN, ROSE, 0.28))
    sheet.rect(0, 782, 1200, 8, mix(LINEN, ROSE, 0.28))
    for number in range(8):
        x = 92 + number * 146
        sheet.disc(x, 712, 50, mix(LINEN, PLUM, 0.2), 0.36)
        sheet.disc(x, 708, 48, "#FFFFFF", 0.36)
        sheet.disc(x, 706, 30, (PEACH, ROSE, "#6D8B4E")[number % 3], 0.34)
        if number < 7:
            glass = x + 73
            sheet.poly(
                [(glass - 15, 624), (glass + 15, 624), (glass + 11, 694), (glass - 11, 694)], veil("#FFFFFF", 150)
            )
            sheet.poly(
                [(glass - 14, 646), (glass + 14, 646), (glass + 11, 694), (glass - 11, 694)],
                ROSE if number % 2 else "#E9B34D",
            )
    return sheet.finish()


def soundcheck(scale: int = 2) -> Image.Image:
    """An empty hall seen from the stage: a microphone, two beams and five chairs."""
    sheet = Sheet(REWARD, DARK, scale)
    sheet.fade(0, 620, [(0, DARK), (1, PLUM)])
    for row in range(3):
        y = 250 + row * 100
        sheet.rect(0, y + 62, 1200, 12, mix(DARK, ROSE, 0.35))
        for column in range(18):
            sheet.rect(column * 70 + (row % 2) * 35 - 20, y, 50, 62, mix(PLUM, ROSE, 0.05 + row * 0.14), 14)
    for x in (130, 370, 830, 1070):
        top = 90
        sheet.poly(
            [(x - 20, top), (x + 20, top), (400 + (x - 600) * 0.2 + 210, 800), (400 + (x - 600) * 0.2 - 210, 800)],
            veil(PEACH, 40),
        )
    sheet.rect(0, 56, 1200, 14, mix(DARK, PLUM, 0.4))
    for x in (130, 370, 830, 1070):
        sheet.rect(x - 34, 62, 68, 48, NIGHT, 10)
        sheet.rect(x - 26, 102, 52, 14, GLOW, 6)
    sheet.rect(0, 620, 1200, 280, mix(PLUM, ROSE, 0.35))
    for x in range(-600, 1800, 100):
        sheet.line([(600 + (x - 600) * 0.7, 620), (x, 900)], 4, mix(PLUM, ROSE, 0.15), caps=False)
    sheet.disc(400, 770, 390, mix(ROSE, PEACH, 0.35), 0.22)
    for number in range(5):
        x = 130 + number * 135
        y = 760 + abs(number - 2) * 22
        for leg in (-40, 40):
            sheet.line([(x + leg, y - 90), (x + leg, y)], 7, DARK)
            sheet.line([(x + leg * 0.8, y - 90), (x + leg * 0.8, y - 20)], 6, DARK)
        sheet.rect(x - 44, y - 200, 88, 84, GLOW, 14)
        sheet.rect(x - 30, y - 120, 60, 30, DARK)
        sheet.rect(x - 50, y - 106, 100, 22, GLOW, 9)
    sheet.line([(930, 900), (930, 400)], 18, INKY)
    sheet.rect(860, 400, 140, 40, INKY, 12)
    sheet.poly([(872, 410), (988, 410), (958, 560), (902, 560)], INKY)
    sheet.disc(930, 290, 132, FLAME)
    mesh = mix(FLAME, DARK, 0.25)
    for number in range(-4, 5):
        sheet.line([around(930, 290, 128, 90 + number * 19), around(930, 290, 128, 270 - number * 19)], 3, mesh)
        sheet.line([around(930, 290, 128, number * 19), around(930, 290, 128, 180 - number * 19)], 3, mesh)
    sheet.rect(790, 358, 280, 62, INKY, 22)
    sheet.rect(790, 372, 280, 8, ROSE)
    return sheet.finish()
