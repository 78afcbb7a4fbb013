"""The drawings of the demo projects, by name."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from PIL import Image

from . import extras, game, game_rewards, newsroom, newsroom_rewards, record, record_rewards
from .shapes import COVER, REWARD


@dataclass(frozen=True)
class Picture:
    """A drawing, its size and what it shows, for people who cannot see it."""

    draw: Callable[[int], Image.Image]
    alt: str
    size: tuple[int, int]


def _cover(draw: Callable[[int], Image.Image], alt: str) -> Picture:
    return Picture(draw, alt, COVER)


def _reward(draw: Callable[[int], Image.Image], alt: str) -> Picture:
    return Picture(draw, alt, REWARD)


PICTURES: dict[str, Picture] = {
    "record-cover": _cover(
        record.cover,
        "Four musicians play on a flat roof at dusk, a huge orange sun behind the drums, a crowd in front.",
    ),
    "record-tape": _cover(record.tape, "A tape machine on a table; one of its two reels is orange."),
    "record-digital": _reward(record_rewards.digital, "Headphones around an orange disc, with sound drawn as bars."),
    "record-cd": _reward(
        record_rewards.signed_cd, "A CD half out of its sleeve and the orange pen that just signed it."
    ),
    "record-shirt": _reward(
        record_rewards.shirt, "A dark shirt on a hanger, printed with an orange sun over rooftops."
    ),
    "record-vinyl": _reward(
        record_rewards.orange_vinyl, "An orange record on a turntable, seen from above, its sleeve beside it."
    ),
    "record-meet": _reward(
        record_rewards.meet, "Eight people at a long table on a roof, lamps above them and the sun going down."
    ),
    "record-soundcheck": _reward(
        record_rewards.soundcheck, "An empty hall with five chairs in the light and a large orange microphone."
    ),
    "newsroom-cover": _cover(
        newsroom.cover, "A row of old houses at dusk; people work late behind a lit shop window under an orange globe."
    ),
    "newsroom-streets": _cover(
        newsroom.streets, "The neighbourhood from above: roofs, gardens, a canal, and one place marked in orange."
    ),
    "newsroom-letter": _reward(
        newsroom_rewards.letter, "An envelope closed with an orange seal, in front of letterboxes."
    ),
    "newsroom-paper": _reward(
        newsroom_rewards.paper, "A newspaper on a doormat; its picture shows an orange sun over roofs."
    ),
    "newsroom-mug": _reward(
        newsroom_rewards.mug, "An orange mug of coffee from above, beside a page marked for correction."
    ),
    "newsroom-table": _reward(
        newsroom_rewards.table, "People around a round orange table, seen from above; one chair is free."
    ),
    "game-cover": _cover(
        game.cover, "A polder made of hexagons, with windmills, tulips and cows, before a low orange sun."
    ),
    "game-cards": _cover(game.cards, "A fan of five weather cards; the one in the middle is an orange sun."),
    "game-print": _reward(
        game_rewards.print_and_play, "Printed sheets of hexagons and scissors with round orange handles."
    ),
    "game-box": _reward(game_rewards.game, "The game's box with a few tiles and stacks of orange discs in front."),
    "game-wooden": _reward(
        game_rewards.wooden, "A wooden tray of small mills, houses and discs, one disc large and orange."
    ),
    "game-evening": _reward(game_rewards.evening, "Five people play under a round orange lamp while it rains outside."),
    "boat-cover": _cover(extras.boat, "A canal boat full of bookshelves at night, an orange moon above the houses."),
    "silo-cover": _cover(
        extras.silo, "Climbers on the walls of three grain silos, one hold as large and orange as a sun."
    ),
    "deck-cover": _cover(
        extras.deck, "A parking deck with cars below and a garden with glasshouses on top, an orange sun behind."
    ),
}


def draw(name: str, scale: int = 2) -> Image.Image:
    """The picture of that name; a higher scale gives smoother edges, the size stays."""
    return PICTURES[name].draw(scale)
