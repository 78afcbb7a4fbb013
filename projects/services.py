"""What can be done with a project; each verb lives in the file of its thing."""

from projects.closing import CLOSING_LOCK, PLEDGING_LOCK, close, close_due
from projects.deadlines import Deadline, moment_of
from projects.launching import cancel, launch, steps_of
from projects.news import publish_update
from projects.pitch import (
    add_story_picture,
    create_project,
    edit_basics,
    edit_faq,
    edit_story,
    set_picture,
    slug_from,
    story_line,
)
from projects.team import add_member, remove_member

__all__ = [
    "CLOSING_LOCK",
    "PLEDGING_LOCK",
    "Deadline",
    "add_member",
    "add_story_picture",
    "cancel",
    "close",
    "close_due",
    "create_project",
    "edit_basics",
    "edit_faq",
    "edit_story",
    "launch",
    "moment_of",
    "publish_update",
    "remove_member",
    "set_picture",
    "slug_from",
    "steps_of",
    "story_line",
]
