"""Who may do what with a pledge; each rule leaves it in `g.subject`."""

from typing import Any
from uuid import UUID

from flask_babel import gettext as _

from backing.models import Pledge
from backing.queries import pledge_of
from core.errors import NotFound
from core.policy import SignInFirst, rule
from projects import rules as project_rules
from projects.models import Project


@rule("pledge:own")
def own(person: Any, pledge_id: UUID, **_rest: Any) -> Pledge:
    """The backer alone; for everybody else the pledge does not exist."""
    if not person.is_authenticated:
        raise SignInFirst
    pledge = pledge_of(pledge_id)
    if pledge is None or pledge.backer_id != person.id:
        raise NotFound(_("There is no pledge at this address."))
    return pledge


@rule("project:pledge")
def pledge(person: Any, slug: str, **_rest: Any) -> Project:
    """Anyone signed in, on a project that they may see."""
    if not person.is_authenticated:
        raise SignInFirst
    return project_rules.see(person, slug)  # type: ignore[no-any-return]
