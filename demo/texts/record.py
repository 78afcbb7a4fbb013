"""Kassei Noord and their record of songs for flat roofs."""

from ..model import Person, Project, Question, Reward, Update

STORY = """\
Three summers ago our rehearsal room in Ghent was sold. We carried the drums up to the roof of Wannes's building \
because it was the only place left, and we played one song, softly, because of the neighbours. Somebody across the \
street opened a window. Then somebody else did. By the last verse there were eleven windows open and a man in a \
dressing gown conducting with a wooden spoon.

We have played on roofs ever since: a school, a laundry, two car parks, the flat where our bass player was born. We \
always ask first, we stop at ten, and we are always given soup. The ten songs on this record were written up there, \
and you can hear it. There is a tram in the second one and a great many swifts in the seventh.

> You cannot play loud on a roof. You have to play clear.

## How it was recorded

We used an eight-track tape machine that weighs as much as a washing machine and went up six flights of stairs on a \
plank. Everything was played by four people at the same time, between seven in the evening and sunset. If a siren \
came by, it stayed in when it was in key.

![Our tape machine, the one that went up the stairs](picture:record-tape)

The mixes are finished. Ilse Vandamme made them in her kitchen over six weeks in spring, and they sound the way the \
roofs did: a little wind, a lot of room.

## What the money is for

- **Pressing:** 600 records on orange vinyl and 400 CDs, at a plant two hours from here.
- **Sleeves:** printed in three inks on uncoated board by a press in Ghent that still mixes its own orange.
- **The evening:** one concert on the roof of an old textile mill, with a proper stair, a proper railing and soup.
- **Post and fees:** boxes that survive, stamps, and what the bank takes.

Nobody in the band is paid from this. If we pass the goal we will press the eleventh song, the one about the \
lift, as a small extra disc for everyone who chose vinyl.

## What could go wrong

Pressing plants are busy before Christmas. We have a reserved slot and the test pressing is approved, so the risk is \
weeks and not months. If it rains on the evening of the concert, we move one floor down: the mill has a hall with \
the same view and a very good echo. We shipped our first record ourselves, 280 parcels, and four of them came back \
because of our handwriting. This time the labels are printed.

Thank you for reading this far. Open your window when you hear us.
"""

WANNES = Person(
    "Wannes",
    "Lievrouw",
    "kasseinoord",
    "wannes.lievrouw@example.org",
    "Sings in Kassei Noord, a four-piece from Ghent that plays on roofs. Teaches geography on weekdays.",
)
SELMA = Person("Selma", "Aydoğan", "selmadrums", "selma.aydogan@example.net", "Drums, and the van.")
JORIS = Person("Joris", "Callewier", "joriscallewier", "joris.callewier@example.com", "Looks after the parcels.")

PROJECT = Project(
    key="record",
    title="Platte Daken: ten songs for flat roofs",
    blurb="A record played on the rooftops of Ghent between seven and sunset, pressed on orange vinyl.",
    story=STORY,
    category="music",
    place="Ghent",
    country="BE",
    goal=800_000,
    cover="record-cover",
    creator=WANNES,
    state="live",
    percent=71,
    days=30,
    days_left=9,
    milestones=(
        (1, "Your name in the booklet", "On the last page, as you spell it", None),
        (3, "Signed photo", "Of the whole band, with a line for you", 40),
        (10, "Sound-check", "You and a friend, an hour before the doors open", 5),
    ),
    collaborators=((SELMA, "Answers questions"), (JORIS, "Sends the rewards")),
    rewards=(
        Reward(
            "Digital album",
            1000,
            ("All ten songs as FLAC and MP3", "The words as a small book to print", "Two weeks before everyone else"),
            2,
            picture="record-digital",
            ships=False,
        ),
        Reward(
            "Signed CD",
            2500,
            ("The CD, signed by the four of us", "A folded map of every roof", "Download, two weeks early"),
            3,
            picture="record-cd",
        ),
        Reward(
            "Tour shirt",
            3000,
            (
                "Dark blue organic cotton, three inks",
                "We ask your size after the deadline",
                "Download, two weeks early",
            ),
            3,
            picture="record-shirt",
            sizes=("XS", "S", "M", "L", "XL", "XXL"),
        ),
        Reward(
            "Orange vinyl",
            4500,
            (
                "LP on orange vinyl, numbered",
                "Sleeve printed in Ghent, with the map of roofs",
                "Your name on the inner sleeve",
                "Download, two weeks early",
            ),
            4,
            picture="record-vinyl",
        ),
        Reward(
            "Meet & greet before the show",
            8000,
            (
                "Soup and bread with the band on the roof, at six",
                "A place at the concert, near the front",
                "The orange LP, signed while you eat",
            ),
            4,
            quantity=20,
            picture="record-meet",
            ships=False,
        ),
        Reward(
            "Soundcheck",
            15000,
            (
                "Two hours in the empty hall while we set up",
                "Choose one old song; we will play it",
                "Meet & greet, concert and the signed LP",
            ),
            4,
            quantity=5,
            picture="record-soundcheck",
            ships=False,
        ),
    ),
    updates=(
        Update(
            "The first weekend",
            "We watched the number together in Selma's kitchen until the pan boiled dry. A hundred and "
            "four of you in two days. **Thank you.** We have written the first names on the wall of the stairwell, in "
            "pencil, because the landlord asked.",
            2,
        ),
        Update(
            "The test pressing is here",
            "We played it three times, the third time with the window open. Side B was a touch "
            "quiet at the start, so the plant cut it again; the new one is right.\n\n"
            "The hiss before track two is the wind. It stays.",
            9,
        ),
        Update(
            "Half way, and a word about post",
            "A parcel to the Netherlands turned out cheaper than we had written, so we "
            "lowered it, also for everyone who had already pledged. Post to Germany stays the same.",
            15,
        ),
        Update(
            "The roof has a date",
            "The mill said yes, the fire brigade said yes, and the soup is lentil. People with "
            "*Meet & greet* come at six by the north stair. There is a goods lift for those who prefer it; tell us and "
            "somebody will ride with you.",
            20,
        ),
    ),
    faq=(
        Question(
            "Does the vinyl come with a download?", "Yes. Every tier does, and you get it two weeks before the release."
        ),
        Question(
            "When do you ask for my shirt size?",
            "After the deadline, in one short form. You can change it until we print.",
        ),
        Question(
            "Can I come to the roof with a wheelchair?",
            "Yes. The goods lift reaches the roof and the floor is level. "
            "Write to us and we will keep a good place for you.",
        ),
    ),
)
