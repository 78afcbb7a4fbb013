"""Who may do what with a project; each rule leaves the project in `g.subject`."""

from typing import Any

import sqlalchemy as sa
from flask import g, has_request_context
from flask_babel import gettext as _
from sqlalchemy.orm import joinedload

from core.db import db
from core.errors import NotAllowed, NotFound
from core.pages import PageVersion
from core.policy import SignInFirst, rule
from projects.models import MemberRole, Project, ProjectMember

_ONE = sa.select(Project).where(Project.slug == sa.bindparam("slug"))
# Everything of the head of a public page, and the version that its pages are kept under, from one snapshot.
_WHOLE = (sa.select(Project, PageVersion.version)
          .outerjoin(PageVersion, PageVersion.topic == sa.literal("project:").concat(Project.slug))
          .where(Project.slug == sa.bindparam("slug"))
          .options(joinedload(Project.creator, innerjoin=True), joinedload(Project.picture),
                   joinedload(Project.total)))


def project_of(slug: str) -> Project:
    """The project of this address; NotFound otherwise."""
    found = db.session.scalar(_ONE, {"slug": slug})
    if found is None:
        raise NotFound(_("There is no project at this address."))
    return found


def whole_project(slug: str) -> tuple[Project, int]:
    """The project with its creator, picture and totals, and the version of its pages: one statement."""
    row = db.session.execute(_WHOLE, {"slug": slug}).first()
    if row is None:
        raise NotFound(_("There is no project at this address."))
    return row[0], row[1] or 0


def role_of(person: Any, project: Project) -> str | None:
    """`creator`, `organiser`, `collaborator`, `staff`, or None. Asked for every tab, so looked up once per request."""
    if not person.is_authenticated:
        return None
    if person.id == project.creator_id:
        return "creator"
    known: dict[Any, str | None] = g.setdefault("roles", {}) if has_request_context() else {}
    if (key := (person.id, project.id)) not in known:
        role = db.session.scalar(sa.select(ProjectMember.role).where(
            ProjectMember.project_id == project.id, ProjectMember.person_id == person.id))
        known[key] = role.value if role else "staff" if person.is_staff else None
    return known[key]


def may_edit(person: Any, project: Project) -> bool:
    return role_of(person, project) in ("creator", "collaborator", "organiser", "staff")


def may_see_backers(person: Any, project: Project) -> bool:
    """The creator and organisers; collaborators and staff are not told who backs (W-19)."""
    return role_of(person, project) in ("creator", MemberRole.ORGANISER)


@rule("project:see")
def see(person: Any, slug: str, **_rest: Any) -> Project:
    """Public states are for everyone; a draft exists only for those who work on it."""
    project, g.page_version = whole_project(slug)
    if not project.is_public and role_of(person, project) is None:
        raise NotFound(_("There is no project at this address."))
    return project


def _for_members(person: Any, slug: str, roles: tuple[str, ...]) -> Project:
    if not person.is_authenticated:
        raise SignInFirst
    project = project_of(slug)
    role = role_of(person, project)
    if role in roles:
        return project
    if role is None and not project.is_public:
        raise NotFound(_("There is no project at this address."))
    raise NotAllowed(_("This page is for the people who work on this project."))


@rule("project:edit")
def edit(person: Any, slug: str, **_rest: Any) -> Project:
    return _for_members(person, slug, ("creator", "collaborator", "organiser", "staff"))


@rule("project:own")
def own(person: Any, slug: str, **_rest: Any) -> Project:
    """What only the creator may do: launch, payouts, team."""
    return _for_members(person, slug, ("creator",))


@rule("project:backers")
def backers(person: Any, slug: str, **_rest: Any) -> Project:
    return _for_members(person, slug, ("creator", "organiser"))
