"""Who may share, and who sees what came of it."""

from typing import Any

from flask_babel import gettext as _

from core.errors import NotAllowed, NotFound
from core.policy import SignInFirst, rule
from projects.models import Project
from projects.rules import project_of, role_of, see


@rule("sharing:share")
def share(person: Any, slug: str, **_rest: Any) -> Project:
    """Everybody who is signed in has a link for every public project."""
    if not person.is_authenticated:
        raise SignInFirst
    project = see(person, slug)
    if not project.is_public:
        raise NotFound(_("Sharing begins when the project is live."))
    return project


def may_moderate(person: Any, project: Project) -> bool:
    """The creator, organisers and staff; a collaborator edits the pitch and is not told who backs."""
    return person.is_authenticated and (person.is_staff or role_of(person, project) in ("creator", "organiser"))


@rule("sharing:public")
def public(person: Any, slug: str, **_rest: Any) -> Project:
    """What only a project that was launched has; on a draft there is nothing to see for anybody."""
    project = see(person, slug)
    if not project.is_public:
        raise NotFound(_("There is nothing here before the project is live."))
    return project


@rule("sharing:moderate")
def moderate(person: Any, slug: str, **_rest: Any) -> Project:
    """Hiding what a backer wrote: for those who answer for the page."""
    if not person.is_authenticated:
        raise SignInFirst
    project = project_of(slug)
    if may_moderate(person, project):
        return project
    if not project.is_public and role_of(person, project) is None:
        raise NotFound(_("There is no project at this address."))
    raise NotAllowed(_("This page is for the people who work on this project."))
