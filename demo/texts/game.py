"""Polderpeil, the board game about water."""

from ..model import Person, Project, Question, Reward, Update

STORY = """\
My grandfather kept a mill near Schermerhorn. In wet years he slept in his boots. He used to say that a polder is an \
agreement: everybody's feet stay dry, or nobody's do. Polderpeil is that agreement, as a game for two to five people \
who would quite like to win it.

You build one landscape together, tile by tile. Each of you owns some of the land: tulips, cows, a village. All of \
you share the water. Every round a weather card is turned, the ditches fill, and you decide whose mills will turn \
and who pays for the wind. If the water passes the top of the dike, all of you lose. If it does not, the one with \
the best harvest wins.

> You win alone, but you can only lose together.

## How it plays

- **Place** a tile. Where it touches water, it drinks or it drains.
- **Turn** a weather card. There are forty; spring is kind, autumn is not.
- **Pump.** Put orange discs on the mills. A disc spent for your neighbour is a favour, and the game counts favours.

A game takes about fifty minutes. The rules fit on four pages, and the fifth is a drawing of how a mill works because \
I could not leave it out.

![Five of the forty weather cards](picture:game-cards)

## Where it stands

The game is finished. In two years 340 people have tested it, among them a class of eleven-year-olds who broke the \
market in one afternoon; there is now a rule named after them. Bram Oosterling drew every tile. The files are \
with the printer in Germany, who has made us a sample, and it closes with the soft sigh that a good box makes.

## What the money is for

Eight hundred boxes, printed on recycled board, without plastic film. Wooden pieces from a workshop in Drenthe. The \
safety tests a game must have. Freight by rail, and post to you. Our own hours are not in it.

## What could go wrong

Wood is a natural thing, and the painted mills may be two weeks later than the boxes; in that case we wait and send \
all at once. The rules exist in English and Dutch today. German and French follow as a download in the month after, \
each read by a player who was not in the room when it was written. If we find a mistake after printing, we post \
everyone the corrected card, as we did with our small card game in 2022.

Come and keep it dry with us.
"""

MARIJE = Person(
    "Marije",
    "Kuipersma",
    "polderpeil",
    "marije.kuipersma@example.org",
    "Hydrologist in Alkmaar who makes board games in the evening. Granddaughter of a miller.",
)
BRAM = Person(
    "Bram", "Oosterling", "bramtekent", "bram.oosterling@example.net", "Drew the tiles, the cards and the cows."
)

PROJECT = Project(
    key="game",
    title="Polderpeil, a board game about keeping dry",
    blurb="Build a polder together, share the water and try to win before it does. Two to five players.",
    story=STORY,
    category="games",
    place="Alkmaar",
    country="NL",
    goal=1_000_000,
    cover="game-cover",
    creator=MARIJE,
    state="live",
    percent=90,
    days=28,
    days_left=3,
    collaborators=((BRAM, "Writes updates"),),
    rewards=(
        Reward(
            "Print and play",
            800,
            ("All tiles and cards as a PDF", "Rules in English and Dutch", "Scissors and patience not included"),
            1,
            picture="game-print",
            ships=False,
        ),
        Reward(
            "The game",
            3900,
            (
                "Polderpeil in its box, for two to five",
                "61 tiles, 40 weather cards, 30 orange discs",
                "The print and play files at once",
            ),
            6,
            picture="game-box",
        ),
        Reward(
            "The game in wood",
            6900,
            (
                "The game, with mills and houses in painted wood",
                "An oak tray that fits the box",
                "The large first-player disc",
            ),
            7,
            quantity=200,
            picture="game-wooden",
        ),
        Reward(
            "An evening of Polderpeil",
            12000,
            (
                "Play with Marije and Bram in Alkmaar",
                "Soup, and a visit to a working mill",
                "The game in wood, handed over by us",
            ),
            7,
            quantity=12,
            picture="game-evening",
            ships=False,
        ),
    ),
    updates=(
        Update(
            "A thousand euros an hour",
            "For four hours, and then it became an ordinary Tuesday. Thank you for those four "
            "hours. The PDF is already with everyone who chose print and play; please tell us what you find.",
            1,
        ),
        Update(
            "You found a hole in the rules",
            "Three of you asked what happens when two dikes break in the same round. We had "
            "never seen it. It is now on page three, with your initials.",
            8,
        ),
        Update(
            "The sample box",
            "It came by post and Bram carried it home under his coat. The tiles are two millimetres thick "
            "and lie flat. The blue was a shade too green; the printer has corrected it.",
            16,
        ),
        Update(
            "Six days, and a calm sea",
            "We are at 84 %. If you have a friend who says *just one more round*, your own link "
            "is at the top of your pledge. It helps more than anything we can write here.",
            22,
        ),
    ),
    faq=(
        Question("How old should players be?", "Ten and up. With a grown-up who knows it, eight works well."),
        Question("Can I play it alone?", "Yes. Page four has a version for one, against a stubborn water board."),
        Question("Is there text on the cards?", "Only numbers and signs, so any language plays with any box."),
    ),
)
