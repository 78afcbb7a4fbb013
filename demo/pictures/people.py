"""Small flat people: busts seen from the front, figures from the side of the room, heads from above."""

from __future__ import annotations

from random import Random

from .shapes import HAIRS, SKINS, Point, Sheet


def bust(sheet: Sheet, x: float, y: float, size: float, coat: str, skin: str, hair: str, style: int = 0) -> None:
    """Head and shoulders, y at the chin; no face, only skin and hair."""
    r = size
    if style == 2:
        sheet.rect(x - r * 1.12, y - r * 1.3, r * 2.24, r * 1.75, hair, r * 0.9)
    sheet.rect(x - r * 1.75, y + r * 0.3, r * 3.5, r * 4, coat, r * 1.2)
    sheet.rect(x - r * 0.38, y - r * 0.3, r * 0.76, r * 0.95, skin, r * 0.35)
    if style == 1:
        sheet.disc(x, y - r * 2.05, r * 0.42, hair)
    sheet.disc(x, y - r * 0.92, r * 1.06, hair)
    sheet.disc(x, y - r * 0.62, r * 0.86, skin, 1.02)
    if style == 3:
        sheet.pie(x, y - r * 0.6, r * 0.87, 15, 165, hair)


def back(sheet: Sheet, x: float, y: float, size: float, coat: str, hair: str) -> None:
    """Someone seen from behind, y at the shoulders."""
    sheet.rect(x - size * 1.75, y, size * 3.5, size * 6, coat, size * 1.3)
    sheet.rect(x - size * 0.4, y - size * 0.7, size * 0.8, size * 1.2, coat)
    sheet.disc(x, y - size * 1.3, size, hair)


def standing(
    sheet: Sheet,
    x: float,
    y: float,
    height: float,
    coat: str,
    trousers: str,
    skin: str,
    hair: str,
    hands: tuple[Point, Point] = ((-0.16, 0.44), (0.16, 0.44)),
    stride: float = 0.09,
) -> None:
    """A whole figure, y at the ground; hands are given in heights from the feet."""
    h = height
    for side in (-1, 1):
        foot = (x + side * stride * h, y - 0.02 * h)
        sheet.line([(x + side * 0.045 * h, y - 0.48 * h), foot], 0.09 * h, trousers)
        sheet.rect(foot[0] - 0.05 * h, y - 0.035 * h, 0.11 * h, 0.035 * h, trousers, 0.015 * h)
    sheet.rect(x - 0.12 * h, y - 0.82 * h, 0.24 * h, 0.4 * h, coat, 0.07 * h)
    for side, (dx, dy) in zip((-1, 1), hands, strict=True):
        shoulder = (x + side * 0.095 * h, y - 0.77 * h)
        hand = (x + dx * h, y - dy * h)
        elbow = ((shoulder[0] + hand[0]) / 2 + side * 0.05 * h, (shoulder[1] + hand[1]) / 2 + 0.03 * h)
        sheet.line([shoulder, elbow, hand], 0.065 * h, coat)
        sheet.disc(*hand, 0.035 * h, skin)
    sheet.rect(x - 0.028 * h, y - 0.88 * h, 0.056 * h, 0.09 * h, skin)
    sheet.disc(x, y - 0.93 * h, 0.08 * h, hair)
    sheet.disc(x, y - 0.905 * h, 0.064 * h, skin)


def crowd(sheet: Sheet, y: float, size: float, coats: tuple[str, ...], seed: int, gap: float = 4.1) -> None:
    """A row of busts over the full width."""
    dice = Random(seed)
    x = -size
    while x < sheet.size[0] + size * 2:
        place = y + dice.uniform(-0.35, 0.35) * size
        bust(sheet, x, place, size, dice.choice(coats), dice.choice(SKINS), dice.choice(HAIRS), dice.randrange(4))
        x += size * gap * dice.uniform(0.9, 1.1)
