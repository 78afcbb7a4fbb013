"""Who may do what with a pledge; each rule leaves it in `g.subject`."""

from typing import Any
from uuid import UUID

from flask_babel import gettext as _

from backing.models import Pledge
from backing.queries import Offering, offering_of, pledge_of
from core.errors import NotAllowed, NotFound
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


@rule("project:send-pledge")
def send_pledge(person: Any, slug: str, **_rest: Any) -> Offering:
    """The same, for the form that comes back: what it needs of the project, in one statement."""
    if not person.is_authenticated:
        raise SignInFirst
    offering = offering_of(slug, person.id)
    if offering is None or not offering.is_public:
        project_rules.see(person, slug)  # a draft is there for those who work on it
        offering = offering_of(slug, person.id)
    if offering is None:
        raise NotFound(_("There is no project at this address."))
    return offering


def may_refund(person: Any, project: Project) -> bool:
    """Money goes back by the creator's word or by staff's; organisers and collaborators ask them."""
    return bool(person.is_authenticated and (person.id == project.creator_id or person.is_staff))


@rule("pledge:refund")
def refund(person: Any, pledge_id: UUID, **_rest: Any) -> Pledge:
    """For whoever has no part in the project the pledge does not exist."""
    if not person.is_authenticated:
        raise SignInFirst
    pledge = pledge_of(pledge_id)
    if pledge is None or project_rules.role_of(person, pledge.project) is None:
        raise NotFound(_("There is no pledge at this address."))
    if not may_refund(person, pledge.project):
        raise NotAllowed(_("Only the creator of the project can refund a pledge."))
    return pledge


@rule("project:collection")
def collection(person: Any, slug: str, **_rest: Any) -> Project:
    """The creator and staff, as with refunds."""
    return refunds(person, slug)


@rule("project:refunds")
def refunds(person: Any, slug: str, **_rest: Any) -> Project:
    if not person.is_authenticated:
        raise SignInFirst
    project = project_rules.project_of(slug)
    if may_refund(person, project):
        return project
    if not project.is_public and project_rules.role_of(person, project) is None:
        raise NotFound(_("There is no project at this address."))
    raise NotAllowed(_("This page is for the creator of this project."))
