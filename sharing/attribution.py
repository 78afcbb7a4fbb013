"""Who is credited with a pledge: decided once, in the transaction in which it begins to count.

One statement (`credit_pledge` of 0043_one_credit) makes the backer's own link, says by whose links the pledge came, and
writes it down, unless one of fairness' rules may speak against it: then Python judges, and a second one writes.
What comes afterwards, other links or other touches, changes nothing of a credit that was given.
"""

import json
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import sqlalchemy as sa
from flask import current_app

from backing.models import Pledge
from core.db import db, run, transaction
from sharing import fairness
from sharing.codes import make_code
from sharing.models import Attribution, Recruit, ShareLink

_CREDIT = sa.text("""
    SELECT * FROM credit_pledge(:pledge, :project, :backer, CAST(:ref AS text), :placed, :code, CAST(:days AS integer),
                                CAST(:everybodys AS text[]), CAST(:crowd AS integer))""")
_FINISH = sa.text("""
    SELECT finish_credit(:pledge, :project, :backer, :own_link, CAST(:own_n AS integer), :first_link, :first_moment, :last_link,
                         :last_moment, CAST(:marks AS jsonb), CAST(:why AS text), :credited, :recruiter,
                         CAST(:above AS integer[])) AS is_credited""")
_ABOVE = sa.text("""
    SELECT CASE WHEN l.person_id IS NULL THEN '{}' ELSE path_of(l.project_id, l.person_id) END || l.n
      FROM share_link l WHERE l.id = :link""")


@dataclass(frozen=True)
class Came:
    """By which links a pledge came, and whom crediting it would put above its backer."""

    own_link: UUID | None
    own_n: int | None
    first_link: UUID | None
    first_moment: datetime | None
    last_link: UUID | None
    last_moment: datetime | None
    marks: dict[str, str] | None
    credited: UUID | None
    recruiter: UUID | None
    above: list[int] | None
    theirs: str | None = None
    mine: str | None = None
    is_banned: bool | None = None
    is_one_card: bool | None = None
    is_one_device: bool | None = None
    is_one_address: bool | None = None
    is_credited: bool | None = None  # None: not decided

    # As fairness sees the link that counts.
    @property
    def id(self) -> UUID | None:
        return self.credited

    @property
    def person_id(self) -> UUID | None:
        return self.recruiter


def credit_pledge(pledge: Pledge) -> bool:
    """Give this backer a link, keep by which links the pledge came, and credit the one that counts; True if one was.

    Hooked to backing's `pledge_confirmed`: part of the sender's transaction, in which the pledge is locked.
    """
    came = _credit(pledge)
    while came.own_n is None:  # somebody else was given the same 64 bits
        came = _credit(pledge)
    if came.is_credited is not None:
        return came.is_credited
    # The tree before fairness, which asks people to look at what it doubts: they should not look for nothing.
    why = "account" if came.recruiter == pledge.backer_id else "loop" if came.own_n in (came.above or ()) else \
        fairness.refusal(pledge, came, came)
    return bool(run(_FINISH, pledge=pledge.id, project=pledge.project_id, backer=pledge.backer_id, why=why,
                    **vars(came) | {"marks": json.dumps(came.marks or {})})[0].is_credited)


def _credit(pledge: Pledge) -> Came:
    config = current_app.config
    return Came(**run(_CREDIT, pledge=pledge.id, project=pledge.project_id, backer=pledge.backer_id, ref=pledge.ref or None,
                      placed=pledge.placed_at, code=make_code(), days=config["SHARE_DAYS"],
                      everybodys=config["EVERYBODYS_CARDS"], crowd=config["ADDRESS_CROWD"])[0]._mapping)


def credit_after_all(pledge_id: UUID) -> bool:
    """A credit that was refused is given: people looked, and found nothing wrong. False if it cannot be any more."""
    with transaction() as session:
        pledge = session.get(Pledge, pledge_id)
        if pledge is None:
            return False
        lock_tree(pledge.project_id)  # before the row, as whoever pledges or merges accounts does
        said = session.get(Attribution, pledge_id, with_for_update=True, populate_existing=True)
        if said is None or said.refused is None:
            return False
        counts = session.scalar(sa.text("SELECT counts FROM share_settings WHERE project_id = :p"), {"p": said.project_id})
        link = session.get(ShareLink, said.first_link_id if counts == "first" else said.last_link_id)
        own = session.scalar(sa.select(ShareLink).filter_by(project_id=said.project_id, person_id=pledge.backer_id))
        above = session.scalar(_ABOVE, {"link": link.id}) if link else []
        if link is None or own is None or own.n in above \
                or session.scalar(sa.select(Recruit.pledge_id).filter_by(pledge_id=pledge_id)):
            return False
        said.refused = None
        session.add(Recruit(pledge_id=pledge_id, project_id=said.project_id, link_id=link.id,
                            recruiter_id=link.person_id, backer_id=pledge.backer_id, path=above))
        session.flush()
        session.execute(sa.text("SELECT replant(:project, :link, :n, path_of(:project, :backer))"), {
            "project": said.project_id, "link": own.id, "n": own.n, "backer": pledge.backer_id})
    return True


def lock_tree(project_id: UUID) -> None:
    """One at a time moves people in a project's tree, until the end of the transaction."""
    db.session.execute(sa.text("SELECT pg_advisory_xact_lock(hashtextextended(CAST(:project AS text), 4))"),
                       {"project": str(project_id)})
