"""Who is not credited: in one project by its organisers, in the whole house by staff. Their links still lead there."""

from datetime import timedelta
from uuid import UUID

import sqlalchemy as sa
from flask_babel import gettext as _
from sqlalchemy.exc import IntegrityError

from core import audit
from core.clock import now
from core.db import db, transaction
from core.errors import BadInput, NotAllowed, NotFound, Refusal
from core.mail import post
from sharing import flags
from sharing.codes import read_code
from sharing.models import ShareLink, ShareWord
from sharing.models_fairness import ShareBan

SHORTEST, REASON, LONGEST = 3, 300, 3_650

_CREDITS = sa.text("""
    SELECT pledge_id FROM recruit WHERE recruiter_id = :person
       AND (CAST(:project AS uuid) IS NULL OR project_id = :project)""")


def ban(person_id: UUID, *, project_id: UUID | None, reason: str, days: int | None = None, has_struck: bool = False,
        by_id: UUID | None) -> ShareBan:
    """Nothing that comes by this person's links is credited from now on; with `has_struck`, nothing before either."""
    reason = " ".join(reason.split())
    if len(reason) < SHORTEST:
        raise BadInput(_("Say in a few words why. It is kept with the ban."), "reason")
    if len(reason) > REASON:
        raise BadInput(_("At most %(n)s characters.", n=REASON), "reason")
    if days is not None and not 1 <= days <= LONGEST:
        raise BadInput(_("Write a number of days from 1 to %(n)s, or leave it empty for no end.", n=LONGEST), "days")
    if person_id == by_id:
        raise NotAllowed(_("This is about your own link. Somebody else decides it."))
    made = ShareBan(person_id=person_id, project_id=project_id, reason=reason, has_struck=has_struck, by_id=by_id,
                    until=now() + timedelta(days=days) if days else None)
    try:
        with transaction() as session:
            session.execute(_OVER, {"person": person_id, "project": project_id})
            session.add(made)
            session.flush()
            if has_struck:
                session.execute(_TREES, {"person": person_id, "project": project_id})
                flags.settle(session.scalars(_CREDITS, {"person": person_id, "project": project_id}))
            audit.note("sharing:ban", "person", person_id, by_id=by_id, project_id=project_id, reason=reason, days=days,
                       has_struck=has_struck, ban=str(made.id))
            post("sharing/banned", ban_id=made.id)
    except IntegrityError as error:
        raise Refusal(_("This person is banned already. Lift that ban first.")) from error
    return made


# A pledge that asked before this ban was there holds its project's tree until its credit can be seen; one that comes later
# waits there, and asks then. Nobody is credited in a project where they have no link.
_TREES = sa.text("""
    SELECT pg_advisory_xact_lock(hashtextextended(CAST(project_id AS text), 4)) FROM (
           SELECT DISTINCT project_id FROM share_link WHERE person_id = :person
              AND (CAST(:project AS uuid) IS NULL OR project_id = :project) ORDER BY 1) p""")
# One that has ended by itself makes room; what it struck stays with the new one only if that says so.
_OVER = sa.text("""
    UPDATE share_ban SET lifted_at = until WHERE person_id = :person AND lifted_at IS NULL AND until <= clock_now()
       AND NOT has_struck AND project_id IS NOT DISTINCT FROM CAST(:project AS uuid)""")


def lift(ban_id: UUID, *, by_id: UUID | None, project_id: UUID | None = None) -> ShareBan:
    """The person is credited again; what the ban struck counts again, unless something else struck it too."""
    with transaction() as session:
        found = session.get(ShareBan, ban_id, with_for_update=True, populate_existing=True)
        if found is None or (project_id is not None and found.project_id != project_id):
            raise NotFound(_("There is no such ban."))
        if found.person_id == by_id:
            raise NotAllowed(_("This is about your own link. Somebody else decides it."))
        if found.lifted_at is not None:
            return found
        moment = session.scalar(sa.text("SELECT clock_now()"))
        found.lifted_at, found.lifted_by_id = moment, by_id
        session.flush()
        if found.has_struck:
            flags.settle(session.scalars(_CREDITS, {"person": found.person_id, "project": found.project_id}))
        audit.note("sharing:lift_ban", "person", found.person_id, by_id=by_id, project_id=found.project_id,
                   ban=str(found.id))
        post("sharing/ban_lifted", ban_id=found.id)
    return found


def person_of_link(text: str, project_id: UUID) -> UUID:
    """Whose link of this project it is: typed as an address, a code or a word."""
    said = text.strip().rstrip("/").rsplit("/s/", 1)[-1]
    code = read_code(said)
    link = db.session.scalar(sa.select(ShareLink).where(ShareLink.code == code)) if code else None
    if link is None:
        link = db.session.scalar(sa.select(ShareLink).join(ShareWord, ShareWord.link_id == ShareLink.id)
                                 .where(ShareWord.word == said.lower()))
    if link is not None and link.alias_of_id:  # of an account that was merged into another one
        link = db.session.get(ShareLink, link.alias_of_id)
    if link is None or link.project_id != project_id:
        raise BadInput(_("No link of this project has this code. Copy it from the list of recruiters."), "link")
    if link.person_id is None:
        raise BadInput(_("This link is one of your own tags and belongs to nobody."), "link")
    return link.person_id


def ban_on(person_id: UUID, project_id: UUID | None) -> UUID | None:
    """The ban of this person that is not lifted: in this project, or in the whole house."""
    return db.session.scalar(sa.select(ShareBan.id).where(
        ShareBan.person_id == person_id, ShareBan.lifted_at.is_(None),
        ShareBan.project_id == project_id if project_id else ShareBan.project_id.is_(None)))


def is_banned(person_id: UUID, project_id: UUID) -> bool:
    """Does a ban hold now, in this project or in the whole house?"""
    return bool(db.session.scalar(sa.select(sa.exists().where(
        ShareBan.person_id == person_id, ShareBan.lifted_at.is_(None),
        sa.or_(ShareBan.until.is_(None), ShareBan.until > sa.func.clock_now()),
        sa.or_(ShareBan.project_id.is_(None), ShareBan.project_id == project_id)))))
