"""All demo content in one place: projects, backers, reasons to join and to leave."""

from __future__ import annotations

import re

from .model import CATEGORIES, Person, Project, Question, Reward, Update
from .texts.backers import BACKERS, CANCEL_REASONS, REASONS
from .texts.extras import BOAT, DECK, SILO
from .texts.game import PROJECT as GAME
from .texts.newsroom import PROJECT as NEWSROOM
from .texts.record import PROJECT as RECORD

PROJECTS: tuple[Project, ...] = (RECORD, GAME, NEWSROOM, BOAT, SILO, DECK)


def story_pictures(project: Project) -> list[str]:
    """The names behind `picture:` in a story."""
    return re.findall(r"\(picture:([a-z-]+)\)", project.story)


def picture_names(project: Project) -> list[str]:
    """Every picture a project needs: cover, rewards, story."""
    rewards = [reward.picture for reward in project.rewards if reward.picture]
    return [project.cover, *rewards, *story_pictures(project)]


__all__ = [
    "BACKERS",
    "CANCEL_REASONS",
    "CATEGORIES",
    "PROJECTS",
    "REASONS",
    "Person",
    "Project",
    "Question",
    "Reward",
    "Update",
    "picture_names",
    "story_pictures",
]


# The three accounts that the demo names; everybody in it has the same password.
PASSWORD = "stand behind it"  # noqa: S105 -- the demo's, refused nowhere because production has no demo
FAN = Person("Yara", "Adelmund", "yara", "fan@example.org", "Pledges for what she can hear, read or play.")
ORGANISER = Person("Sem", "Okafor", "sem", "organiser@example.org", "Keeps the lists straight.")
ACCOUNTS = {"creator": RECORD.creator.email, "fan": FAN.email, "organiser": ORGANISER.email}


def crowd(size: int = 300) -> list[Person]:
    """Invented backers: the named ones, then first and last names shuffled into new people."""
    people = list(BACKERS)
    for n in range(size - len(people)):
        first, last = BACKERS[n * 7 % len(BACKERS)], BACKERS[(n * 13 + 5) % len(BACKERS)]
        people.append(Person(first.first, last.last, f"{first.handle}{n + 2}", f"{first.handle}{n + 2}@example.net"))
    return people
