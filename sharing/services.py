"""Making links, carrying touches into the account, and saying who brought whom."""

from uuid import UUID

import sqlalchemy as sa

from backing.models import Pledge
from core.db import transaction
from people.models import Person
from projects.models import Project
from sharing import queries
from sharing.codes import make_code
from sharing.cookie import Via
from sharing.models import ShareLink

DOTLESS = ("gmail.com", "googlemail.com")  # where a.b@ and ab@ are one mailbox

_MAKE = sa.text("""
    INSERT INTO share_link (code, project_id, person_id) VALUES (:code, :project, :person) ON CONFLICT DO NOTHING""")


def link_of(person: Person | UUID, project: Project | UUID) -> ShareLink:
    """The one link of this person for this project, made when first asked for."""
    person_id = person if isinstance(person, UUID) else person.id
    project_id = project if isinstance(project, UUID) else project.id
    with transaction() as session:
        link = queries.link_between(person_id, project_id)
        while link is None:  # a second round only if somebody else was given the same 64 bits
            session.execute(_MAKE, {"code": make_code(), "project": project_id, "person": person_id})
            link = queries.link_between(person_id, project_id)
    return link


# The account takes a touch over only if it is newer than its own: the last one wins, in whatever order they arrive.
_CARRY = sa.text("""
    INSERT INTO share_touch AS t (person_id, project_id, link_id, at)
    SELECT CAST(:person AS uuid), l.project_id, l.id, c.at
      FROM unnest(CAST(:codes AS text[]), CAST(:projects AS uuid[]), CAST(:times AS timestamptz[]))
           AS c (code, project_id, at)
      JOIN share_link l ON l.code = c.code AND l.project_id = c.project_id AND l.person_id <> :person
     ORDER BY l.project_id
    ON CONFLICT (person_id, project_id) DO UPDATE SET link_id = excluded.link_id, at = excluded.at
     WHERE t.at < excluded.at""")
_LEAVE = sa.text("""
    DELETE FROM share_touch t
     USING unnest(CAST(:projects AS uuid[]), CAST(:times AS timestamptz[])) AS c (project_id, at)
     WHERE t.person_id = :person AND t.project_id = c.project_id AND t.at <= c.at""")


def carry(person_id: UUID, memory: dict[UUID, Via]) -> None:
    """Copy what the browser remembers into the account, so that it holds on another device too."""
    came = [(via.code, project_id, via.at) for project_id, via in memory.items() if via.code]
    left = [(project_id, via.at) for project_id, via in memory.items() if not via.code]
    if not came and not left:
        return
    with transaction() as session:
        if left:
            projects, times = zip(*left, strict=True)
            session.execute(_LEAVE, {"person": person_id, "projects": list(projects), "times": list(times)})
        if came:
            codes, places, moments = zip(*came, strict=True)
            session.execute(_CARRY, {"person": person_id, "codes": list(codes), "projects": list(places),
                                     "times": list(moments)})


def one_mailbox(email: str) -> str:
    """The mailbox behind an address: no case, no +tag, no dots where they mean nothing (W-27)."""
    local, _at, domain = email.strip().lower().rpartition("@")
    local = local.split("+", 1)[0]
    if domain in DOTLESS:
        local, domain = local.replace(".", ""), DOTLESS[0]
    return f"{local}@{domain}"


_RECRUITER = sa.text("""
    SELECT l.id, l.person_id, n.email FROM share_link l JOIN person n ON n.id = l.person_id
     WHERE l.code = :code AND l.project_id = :project""")
# Upwards from the recruiter along the pledges that are on: nobody is brought by somebody whom they brought.
_IS_ABOVE = sa.text(f"""
    WITH RECURSIVE above (person_id) AS (
        SELECT CAST(:recruiter AS uuid)
        UNION
        SELECT r.recruiter_id FROM above
          JOIN pledge p ON p.project_id = :project AND p.backer_id = above.person_id AND p.state IN ({queries.ACTIVE_SQL})
          JOIN recruit r ON r.pledge_id = p.id)
    SELECT EXISTS (SELECT FROM above WHERE person_id = :backer)""")  # noqa: S608
_RECRUIT = sa.text("""
    INSERT INTO recruit (pledge_id, project_id, link_id, recruiter_id, backer_id)
    VALUES (:pledge, :project, :link, :recruiter, :backer) ON CONFLICT (pledge_id) DO NOTHING""")


def credit_pledge(pledge: Pledge) -> None:
    """Say whose link brought this pledge, in the transaction in which it begins to count, and give it its own link."""
    with transaction() as session:
        link_of(pledge.backer_id, pledge.project_id)
        found = session.execute(_RECRUITER, {"code": pledge.ref, "project": pledge.project_id}).first() \
            if pledge.ref else None
        if found is None or found.person_id == pledge.backer_id:
            return
        backer = session.get_one(Person, pledge.backer_id)
        if one_mailbox(backer.email) == one_mailbox(found.email):
            return
        ids = {"project": pledge.project_id, "recruiter": found.person_id, "backer": pledge.backer_id}
        if not session.scalar(_IS_ABOVE, ids):
            session.execute(_RECRUIT, ids | {"pledge": pledge.id, "link": found.id})

