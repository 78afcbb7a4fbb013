"""The shape of the demo content: plain data, so that any seeding code can read it."""

from __future__ import annotations

from dataclasses import dataclass, field

CATEGORIES = ("music", "sport", "journalism", "city", "theatre", "games", "technology", "food")


@dataclass(frozen=True)
class Person:
    """An invented person."""

    first: str
    last: str
    handle: str
    email: str
    bio: str = ""

    @property
    def name(self) -> str:
        """First and last name."""
        return f"{self.first} {self.last}"


@dataclass(frozen=True)
class Reward:
    """A tier; the price is in minor units, quantity None means as many as people want."""

    title: str
    price: int
    lines: tuple[str, ...]
    months: int
    quantity: int | None = None
    picture: str | None = None
    sizes: tuple[str, ...] = ()
    ships: bool = True


@dataclass(frozen=True)
class Update:
    """News from the creator, a number of days after the launch."""

    title: str
    text: str
    day: int


@dataclass(frozen=True)
class Question:
    """A question people ask and the creator's answer."""

    ask: str
    answer: str


@dataclass(frozen=True)
class Project:
    """A project as its creator wrote it, and the state the demo should bring it to.

    `state` is live, successful or unsuccessful. `percent` is what has been pledged, `days_left` is
    negative once the project has ended, `days` its whole run.
    """

    key: str
    title: str
    blurb: str
    story: str
    category: str
    place: str
    country: str
    goal: int
    cover: str
    creator: Person
    state: str
    percent: int
    days: int
    days_left: int
    rewards: tuple[Reward, ...]
    updates: tuple[Update, ...]
    faq: tuple[Question, ...]
    currency: str = "EUR"
    collaborators: tuple[tuple[Person, str], ...] = field(default=())
    milestones: tuple[tuple[int, str, str, int | None], ...] = ()  # friends, what they unlock, what is in it, how many
