"""Rows that milestones look at: a step, and friends who came by somebody's link, past attribution and its rules."""

from datetime import timedelta
from typing import Any

import sqlalchemy as sa

from core import clock
from core.db import db, transaction
from people.models import Person
from projects.models import Project
from sharing import granting, steps
from sharing.services import link_of
from tests.factories import make_person, make_pledge

STATES = "SELECT state FROM milestone_grant g JOIN milestone m ON m.id = g.milestone_id WHERE link_id = :link AND friends = :at"


def make_step(project: Project, friends: int = 3, quantity: int | None = None, title: str = "", **said: Any) -> Any:
    return steps.add_step(project, friends, title or f"For {friends}", quantity=quantity, **said)


def make_sharer(project: Project, name: str = "", pledged: bool = True, **columns: Any) -> Person:
    """Somebody with a link, and with a pledge unless told otherwise."""
    person = make_person(name, **columns)
    link_of(person, project)
    if pledged:
        make_pledge(project, person)
    return person


def bring(project: Project, person: Person, n: int = 1, state: str = "pledged", **pledge: Any) -> list[Any]:
    """So many friends by this person's link; what they change is not yet followed."""
    return [make_pledge(project, state=state, recruiter=person, **pledge) for _ in range(n)]


def become(pledges: list[Any], state: str, days_ago: float = 0) -> None:
    """These pledges reach another state; when it is `collected`, so long ago."""
    with transaction() as session:
        session.execute(sa.text("""
            UPDATE pledge SET state = CAST(:state AS varchar), collected_at = CASE WHEN CAST(:state AS varchar) = 'collected' THEN CAST(:at AS timestamptz) ELSE collected_at END
             WHERE id = ANY(:ids)"""), {"state": state, "ids": [p.id for p in pledges],
                                        "at": clock.now() - timedelta(days=days_ago)})
    db.session.expire_all()


def follow(*people: Person, project: Project) -> None:
    """As the roll-up tells it."""
    with transaction():
        granting.follow([link_of(person, project).id for person in people])
    db.session.expire_all()


def state_of(project: Project, person: Person, at: int = 3) -> str | None:
    return db.session.execute(sa.text(STATES), {"link": link_of(person, project).id, "at": at}).scalar()


def history_of(project: Project, person: Person, at: int = 3) -> list[str]:
    return list(db.session.scalars(sa.text("""
        SELECT v.to_state FROM milestone_grant_move v JOIN milestone_grant g ON g.id = v.grant_id
          JOIN milestone m ON m.id = g.milestone_id WHERE g.link_id = :link AND m.friends = :at ORDER BY v.id"""),
        {"link": link_of(person, project).id, "at": at}))


def mails(person: Person | None = None) -> list[str]:
    """The names of the mails about steps, oldest first."""
    return [name.removeprefix("sharing/milestone_") for name in db.session.scalars(sa.text("""
        SELECT x.name FROM mail x JOIN milestone_grant g ON g.id = CAST(x.about->>'grant_id' AS uuid)
          JOIN share_link l ON l.id = g.link_id
         WHERE x.name LIKE 'sharing/milestone_%' AND (CAST(:person AS uuid) IS NULL OR l.person_id = :person)
         ORDER BY x.id"""), {"person": person.id if person else None})]


def claimed(step: Any) -> int:
    return int(db.session.scalar(sa.text("SELECT claimed FROM reward WHERE id = :id"), {"id": step.reward_id}))
