"""Who may do what with a project; each rule leaves the project in `g.subject`."""

from typing import Any

import sqlalchemy as sa
from flask import g, has_request_context
from flask_babel import gettext as _

from core.db import db, fetch_one, known_by
from core.errors import NotAllowed, NotFound
from core.media import Picture
from core.policy import SignInFirst, rule
from people.models import Person
from projects.models import Category, MemberRole, Project, ProjectMember, ProjectState, ProjectTotal

_ONE = sa.select(Project).where(Project.slug == sa.bindparam("slug"))
# Everything of the head of a public page, and the version that its pages are kept under, from one snapshot.
_WHOLE = sa.text("""
    SELECT p.id, p.slug, p.creator_id, p.state, p.title, p.blurb, p.story, p.category, p.place, p.picture_id, p.picture_alt,
           p.goal, p.currency, p.deadline, p.zone, p.launched_at, p.closed_at, p.raised_at_close, p.backers_at_close,
           c.name, c.handle, c.bio, c.picture_key, i.key, t.raised, t.backers, v.version
      FROM project p JOIN person c ON c.id = p.creator_id JOIN project_total t ON t.project_id = p.id
      LEFT JOIN picture i ON i.id = p.picture_id LEFT JOIN page_version v ON v.topic = 'project:' || p.slug
     WHERE p.slug = :slug""")
_HEAD = ("id", "slug", "creator_id", "title", "blurb", "story", "place", "picture_id", "picture_alt", "goal", "currency",
         "deadline", "zone", "launched_at", "closed_at", "raised_at_close", "backers_at_close")


def project_of(slug: str) -> Project:
    """The project of this address; NotFound otherwise."""
    found = db.session.scalar(_ONE, {"slug": slug})
    if found is None:
        raise NotFound(_("There is no project at this address."))
    return found


def whole_project(slug: str) -> tuple[Project, int]:
    """The project with its creator, picture and totals, and the version of its pages: one statement."""
    row = fetch_one(_WHOLE, slug=slug)
    if row is None:
        raise NotFound(_("There is no project at this address."))
    creator = known_by(Person, {"id": row.creator_id, "name": row.name, "handle": row.handle, "bio": row.bio,
                                "picture_key": row.picture_key})
    picture = known_by(Picture, {"id": row.picture_id, "key": row.key}) if row.picture_id else None
    total = known_by(ProjectTotal, {"project_id": row.id, "raised": row.raised, "backers": row.backers})
    project: Project = known_by(Project, {
        **{column: getattr(row, column) for column in _HEAD}, "state": ProjectState(row.state),
        "category": Category(row.category) if row.category else None, "creator": creator, "picture": picture, "total": total})
    return project, row.version or 0


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


@rule("project:stop")
def stop(person: Any, slug: str, **_rest: Any) -> Project:
    """Whose project it is, and staff for what should not be there."""
    return _for_members(person, slug, ("creator", "staff"))


@rule("project:backers")
def backers(person: Any, slug: str, **_rest: Any) -> Project:
    return _for_members(person, slug, ("creator", "organiser"))


@rule("project:money")
def money(person: Any, slug: str, **_rest: Any) -> Project:
    """What came in, what it cost and what was paid out: for the creator and for staff; not for the team."""
    if person.is_authenticated and person.is_staff:
        return project_of(slug)
    return own(person, slug)
