"""Three smaller projects that fill the front page."""

from ..model import Person, Project, Question, Reward, Update

BOAT_STORY = """\
The *Tweede Druk* carried gravel for sixty years. Since March she carries books: four thousand of them, on shelves \
that lean a little when a barge goes by. We moor in a different place every fortnight, in the villages along the \
canal where the library closed.

You can borrow without a card. You write your name in a notebook, and the book comes back when we do. In the first \
season 2,310 books went ashore, and all but nineteen returned. We think those nineteen are being read slowly.

> A library that comes to you, and then leaves, is one you hurry to use.

## Why we ask

The hull is sound, the roof is not. When it rains hard, poetry gets wet first. We want to put a new deck over the \
hold, with glass along both sides, before winter, so that we can stay open all year.

- **Deck and glass:** made and fitted by the yard in Zoutkamp.
- **A stove:** small, safe and inspected.
- **A ramp:** so that everyone can come aboard, also on wheels.

## What could go wrong

The yard may find rust when it opens the old frame. We have kept a tenth of the sum for that. If the work runs late, \
we lend from the quay, under an awning, as we did in the first month.
"""

BOAT = Project(
    key="boat",
    title="A winter roof for the library boat",
    blurb="Four thousand books, twelve villages and a hold that leaks on the poets. Help us stay open all year.",
    story=BOAT_STORY,
    category="city",
    place="Groningen",
    country="NL",
    goal=650_000,
    cover="boat-cover",
    creator=Person(
        "Tjitske",
        "Rozema",
        "tweededruk",
        "tjitske.rozema@example.org",
        "Skipper and librarian of the Tweede Druk. Before that, twenty years of one of the two.",
    ),
    state="live",
    percent=38,
    days=35,
    days_left=21,
    rewards=(
        Reward(
            "Your name in a book",
            1500,
            ("A bookplate with your name", "In a book that you choose or we do", "A photo when it is lent"),
            2,
            ships=False,
        ),
        Reward("Deck bag", 3500, ("A canvas bag with the boat on it", "The bookplate", "Room for nine paperbacks"), 3),
        Reward(
            "A day aboard",
            9500,
            ("Sail along between two villages", "Coffee from the new stove", "Take the wheel on the straight part"),
            6,
            quantity=24,
            ships=False,
        ),
    ),
    updates=(
        Update("The first plank", "The yard has put the oak aside. It lies under a sheet with our name in chalk.", 4),
        Update("Wet Tuesday", "Forty minutes of hail, three buckets, no losses. The poets have moved to the bow.", 9),
        Update(
            "Two villages more",
            "Garnwerd and Aduarderzijl asked us to moor there in winter. We said yes, with the roof.",
            13,
        ),
    ),
    faq=(
        Question(
            "Can I give books instead?",
            "Gladly, when you see us. At most ten at a time: she sits low in the water already.",
        ),
        Question("Is the boat heated?", "Not yet. The stove is part of this project."),
        Question(
            "Where are you now?", "The timetable is painted on the wheelhouse and sent to all backers each month."
        ),
    ),
)

SILO_STORY = """\
The grain elevator on the Duluth waterfront has not held wheat since 1988. It has held pigeons, rainwater and, since \
last fall, four of us with ropes. Inside are three round towers, each ninety feet high. The concrete is dry and good. \
The engineer who came to tell us no stayed until dark, and then asked where she could rent shoes.

We want to open them as a climbing hall that belongs to its members, with one price for everyone under eighteen: \
nothing.

> Winter here is five months long. We would like to spend it going up.

## What is done, what is left

We have the lease, the permit and the drawings. Volunteers have carried out eleven tons of dust. What is left:

- **Anchors and ropes:** forty lines, tested and certified.
- **Holds:** two thousand, and a single orange one six feet wide that you can sit on.
- **The floor:** soft, everywhere, wall to wall.

## What could go wrong

Heating ninety feet of air is hard. We warm the floor and not the air, and we will open with coats on if we must. If \
we do not reach the goal, nobody is charged, and we will begin with one tower instead of three.
"""

SILO = Project(
    key="silo",
    title="Three silos and a place to climb",
    blurb="A member-owned climbing hall inside an empty grain elevator, free for everyone under eighteen.",
    story=SILO_STORY,
    category="sport",
    place="Duluth",
    country="US",
    currency="USD",
    goal=2_000_000,
    cover="silo-cover",
    creator=Person(
        "Renee",
        "Halvorsen",
        "siloclimb",
        "renee.halvorsen@example.com",
        "Route setter and carpenter in Duluth, Minnesota. Afraid of heights until nineteen.",
    ),
    state="live",
    percent=57,
    days=45,
    days_left=17,
    rewards=(
        Reward(
            "Name a route",
            4000,
            ("You name it, we set it", "A painted tag at the start", "A picture of the first ascent"),
            5,
            quantity=90,
            ships=False,
        ),
        Reward(
            "Founding day pass",
            2500,
            ("One day of climbing, no date on it", "Shoes included", "A sticker of the orange hold"),
            5,
        ),
        Reward(
            "Founding member",
            24000,
            ("One year of climbing", "One vote, like every member", "The key ceremony, with chili"),
            5,
            ships=False,
        ),
    ),
    updates=(
        Update(
            "Eleven tons",
            "That was the dust. Thank you to the sixty-two people who swept, and to whoever brought pie.",
            5,
        ),
        Update("The engineer's letter", "It says that the towers will outlive us. She signed it and then joined.", 14),
        Update("Past the half", "Tower one is paid for. Tower two needs ropes; tower three needs everything.", 26),
    ),
    faq=(
        Question(
            "Is it really free for kids?",
            "Yes, with a grown-up or a teacher. Adult members pay for it, and voted for it.",
        ),
        Question("Do I have to know how to climb?", "No. The first evening is a lesson, and so is every Monday."),
        Question("Is it cold?", "In January, somewhat. The floor is warm. Bring socks."),
    ),
)

DECK_STORY = """\
The top of the parking deck behind Mechelen station is empty on every day of the year. Cars stop at level three. \
Above them lie two thousand square metres of concrete in full sun, with a view of the tower, and a drain that works.

We asked the city for it and the city said: for five years, if you bring your own soil. So this is about soil, \
sixty tons of it, and about the crane that would lift it.

> The tomatoes would have the best view in town.

## The plan

Forty beds for the people who live around the station and have no garden. Two glasshouses, second-hand, from a grower \
who is retiring. A kitchen in a container, open on Saturdays, that cooks what is ripe.

- **Beds:** 40, raised, so that nobody has to kneel.
- **Glasshouses:** taken down in Sint-Katelijne-Waver, put up again here.
- **Water:** from the roof of the station, in four tanks.

## What could go wrong

The weight. An engineer has calculated that the deck carries the beds along its beams and nowhere else, so that is \
where they stand. If we do not reach the sum, nothing is charged and we will look for a lower roof.
"""

DECK = Project(
    key="deck",
    title="A kitchen garden on the parking deck",
    blurb="Forty raised beds and two glasshouses on the empty top level behind Mechelen station.",
    story=DECK_STORY,
    category="food",
    place="Mechelen",
    country="BE",
    goal=1_600_000,
    cover="deck-cover",
    creator=Person(
        "Lotte",
        "Verbruggen",
        "dektuin",
        "lotte.verbruggen@example.net",
        "Cook in Mechelen, two balconies, forty-one pots.",
    ),
    state="unsuccessful",
    percent=46,
    days=30,
    days_left=-12,
    rewards=(
        Reward(
            "A bag of seeds", 1200, ("Five kinds that like wind", "How to sow them on a balcony", "Saved by hand"), 4
        ),
        Reward(
            "Saturday lunch",
            3500,
            ("A place at the long table", "Whatever is ripe", "Seeds to take home"),
            7,
            quantity=120,
            ships=False,
        ),
        Reward(
            "Half a bed",
            18000,
            ("Two square metres for one season", "Water, tools and advice", "Four Saturday lunches"),
            6,
            quantity=40,
            ships=False,
        ),
    ),
    updates=(
        Update("The crane man came to look", "He says two days, if the wind stays under five. He also wants a bed.", 5),
        Update(
            "A third",
            "We are at a third with twelve days to go. It is possible, and it will be close. Please pass it on.",
            18,
        ),
        Update(
            "We did not make it",
            "We reached 46 %. **No one has been charged** and no one will be. The grower keeps the "
            "glasshouses for us until spring. We have found a lower roof, half the size, and will be back with a "
            "smaller sum. Thank you for standing behind this one.",
            31,
        ),
    ),
    faq=(
        Question("Is the soil clean?", "It is new and tested, and the concrete under it is sealed."),
        Question(
            "Can I have a bed if I live elsewhere?", "Neighbours go first. What is left in February is for everyone."
        ),
        Question("How do I get up there?", "By the station lift, to level four. It is wide enough for a wheelbarrow."),
    ),
)
