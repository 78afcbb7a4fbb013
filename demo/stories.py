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
