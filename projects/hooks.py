"""What projects tells, and asks, the rooms above it."""

from dataclasses import dataclass
from typing import Any

from core.hooks import Hook
from people.models import Person
from projects.models import Project, Update


@dataclass(frozen=True)
class Step:
    """One line of the checklist before launch."""

    key: str
    label: str
    url: str
    is_done: bool
    missing: str = ""  # what to do, when it is not done
    order: int = 50
    is_needed: bool = True  # False: good to have, launching does not wait for it


@dataclass(frozen=True)
class Tab:
    """One tab of a project's work pages."""

    key: str
    label: str
    url: str
    count: int | None = None
    order: int = 50


page_shown: Hook[[Project, dict[str, Any]]] = Hook(
    "The public page is being made: rooms add what they know to the template's context.")
steps_asked: Hook[[Project, list[Step]]] = Hook("The checklist is being made: rooms add their steps.")
launch_asked: Hook[[Project]] = Hook(
    "The creator wants to launch, and no transaction is open: rooms look again at what lies outside of the database, so "
    "that the checklist tells the truth, and raise Unavailable when they cannot.")
tabs_asked: Hook[[Project, Person, list[Tab]]] = Hook(
    "The strip of a work page is being made: rooms add the tabs that this person may open.")
project_launched: Hook[[Project]] = Hook("A project went live, in this transaction.")
project_closed: Hook[[Project, bool]] = Hook(
    "The deadline passed and the sum decided, in this transaction: True if the goal was met.")
sum_asked: Hook[[Project, dict[str, int]]] = Hook(
    "The deadline has passed and nobody can pledge any more: fill in `raised` and `backers` from the standing pledges, "
    "read in this transaction. The answer decides and is kept for ever.")
project_cancelled: Hook[[Project]] = Hook("A project was stopped before its deadline, in this transaction.")
update_published: Hook[[Project, Update]] = Hook("The creator published news, in this transaction.")
