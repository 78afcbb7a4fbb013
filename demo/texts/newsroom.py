"""De Zeven Straten, a newsroom for one neighbourhood."""

from ..model import Person, Project, Question, Reward, Update

STORY = """\
Our part of Rotterdam has seven streets, four thousand letterboxes and, until last year, no reporter. The regional \
paper came by when something burned. What was decided about our school, our rents and the bus that no longer stops, \
we heard from each other in the queue at the bakery, usually after the vote.

So in January five of us began a letter. We went to the meetings that nobody goes to, wrote down what was said and \
put it through the doors on Friday. We printed two hundred. The second week people stood at the copy shop asking \
whether there were any left.

> If nobody takes notes, it did not happen.

## The shop on the corner

The old tobacconist on the corner has been empty for three years. The owner will let it to us for two, at a fair \
rent, if we repair the window. It has a door on the street, a room at the back for talks that need quiet, and a \
counter where you can tell a reporter that she got it wrong.

![The seven streets from above, with the shop in the middle](picture:newsroom-streets)

From there we want to make three things:

- **A letter every Friday,** on paper and by e-mail, free for everyone in the seven streets.
- **A paper four times a year,** sixteen pages, with the long stories: who owns our houses, where the water goes.
- **An open table on Tuesday evenings,** where people bring a question and leave with a way to find the answer.

## What the money is for

Half pays one reporter, Hafsa, three days a week for a year. A quarter is rent and the new window. The rest is \
printing, a lawyer we hope not to need, and a cargo bicycle. We publish the accounts every quarter, to the euro.

## Who decides what we write

The editors do, and nobody else. Members may come to the table, read the drafts of our rules and vote for the board. \
No member, advertiser or council can see a story before it is printed, and gifts above 500 euros are listed by name.

## What could go wrong

We could be dull. We could be wrong; then we print the correction on page one, as large as the mistake. And one day \
the money of this year will be spent: by then we need six hundred members at four euros a month. We have asked \
around, at the bakery and elsewhere, and we believe they are there.
"""

HAFSA = Person(
    "Hafsa",
    "El Mansouri",
    "zevenstraten",
    "hafsa.elmansouri@example.org",
    "Reporter in Rotterdam. Grew up above the bakery in the third of the seven streets.",
)
GERARD = Person(
    "Gerard", "Stolwijk", "gstolwijk", "gerard.stolwijk@example.com", "Retired typesetter, keeps the books."
)
AGNIESZKA = Person(
    "Agnieszka", "Wrona", "awrona", "agnieszka.wrona@example.net", "Photographs the streets, answers the post."
)

PROJECT = Project(
    key="newsroom",
    title="A newsroom for our seven streets",
    blurb="One reporter, a shop on the corner and a letter through four thousand doors every Friday.",
    story=STORY,
    category="journalism",
    place="Rotterdam",
    country="NL",
    goal=1_100_000,
    cover="newsroom-cover",
    creator=HAFSA,
    state="successful",
    percent=118,
    days=40,
    days_left=-35,
    collaborators=((GERARD, "Keeps the books"), (AGNIESZKA, "Answers questions")),
    rewards=(
        Reward(
            "The Friday letter",
            1500,
            (
                "A year of letters, by post or e-mail",
                "Anywhere in the country",
                "Your name in the first one, if you like",
            ),
            1,
            picture="newsroom-letter",
        ),
        Reward(
            "The paper, four times",
            4000,
            (
                "Four issues of sixteen pages, by post",
                "The Friday letter by e-mail",
                "The accounts, before the meeting",
            ),
            3,
            picture="newsroom-paper",
        ),
        Reward(
            "Paper and proof mug",
            6000,
            (
                "Four issues by post and the letter",
                "An orange mug, made by a potter in street five",
                "A proof page of issue one, with our corrections",
            ),
            3,
            quantity=150,
            picture="newsroom-mug",
        ),
        Reward(
            "An evening at the table",
            12000,
            (
                "Sit in while we plan an issue, with dinner",
                "Ask what you want, suggest what we miss",
                "Everything in the tier above",
            ),
            4,
            quantity=32,
            picture="newsroom-table",
            ships=False,
        ),
    ),
    updates=(
        Update(
            "We knocked on every door",
            "Four evenings, seven streets, eleven volunteers and one bite from a very small dog. "
            "Every household now has the plan on paper, in Dutch, Turkish, Arabic and Polish.",
            6,
        ),
        Update(
            "Your most asked question",
            "*Will you be against the council?* No. We will be at the council, every time, with a "
            "notebook. That turns out to be rarer.",
            18,
        ),
        Update(
            "The goal, on a Tuesday",
            "It happened during the open table. Gerard was explaining depreciation when somebody's "
            "telephone made a sound, and then he did not finish his sentence.\n\nWhat comes in now pays for a fourth "
            "reporting day.",
            33,
        ),
        Update(
            "Collected, and the glass is ordered",
            "The pledges have been collected. Fourteen cards needed a second try and "
            "all but two went through. The window comes in three weeks; it is one pane, so that you can see us work.",
            46,
        ),
    ),
    faq=(
        Question(
            "I do not live in the seven streets. Is there anything in it for me?",
            "We write down how we find things out, "
            "so that you can do the same in yours. About a third of our backers live elsewhere.",
        ),
        Question(
            "Do you take advertisements?", "From shops in the neighbourhood, at most one page in eight, always marked."
        ),
        Question(
            "What happens if Hafsa falls ill?",
            "Two freelance reporters have agreed to stand in, and a month of pay is set aside for it.",
        ),
    ),
)
