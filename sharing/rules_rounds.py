"""Who judges."""

from typing import Any

from flask_babel import gettext as _

from core.errors import NotAllowed
from core.policy import rule
from projects.models import Project
from sharing import rounds
from sharing.rules import share


@rule("ambassadors:judge")
def judge(person: Any, slug: str, **_rest: Any) -> Project:
    """Who works on the project, and whom its creator asked; for the round that the public knows of."""
    project = share(person, slug)
    if not rounds.is_juror(rounds.round_here(project), person):
        raise NotAllowed(_("This page is for the jury of this round."))
    return project
