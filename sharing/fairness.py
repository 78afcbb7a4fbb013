"""Who is not credited, and why: nobody recruits themselves (W-27). The pledge always stands; only the credit is in doubt."""

from collections.abc import Sequence
from typing import Any, Protocol
from uuid import UUID

import sqlalchemy as sa
from flask import current_app

from backing.hooks import addresses_asked
from core.db import db
from payments.models import CardSetup
from sharing import flags
from sharing.mailboxes import one_mailbox


class Credited(Protocol):
    """A pledge, as far as fairness asks."""

    @property
    def id(self) -> UUID: ...
    @property
    def project_id(self) -> UUID: ...
    @property
    def backer_id(self) -> UUID: ...


class Brings(Protocol):
    """A link: a row or an object of it; without a person it is a tag of the organisers."""

    @property
    def id(self) -> UUID | None: ...
    @property
    def person_id(self) -> UUID | None: ...


class InCommon(Protocol):
    """What the people at both ends have in common: a row of `in_common`."""

    @property
    def theirs(self) -> str | None: ...
    @property
    def mine(self) -> str | None: ...
    @property
    def is_banned(self) -> bool | None: ...
    @property
    def is_one_card(self) -> bool | None: ...
    @property
    def is_one_device(self) -> bool | None: ...


def refusal(pledge: Credited, link: Brings, found: InCommon) -> str | None:
    """Why this link is not credited with this pledge: account | mailbox | banned | card | device | address; or None.

    `loop` is the tree's own. Where a household may be the reason, a person is asked to look: the flag is opened here.
    """
    if link.person_id is None:
        return None
    if link.person_id == pledge.backer_id:
        return "account"
    if one_mailbox(found.mine or "") == one_mailbox(found.theirs or ""):
        return "mailbox"
    if found.is_banned:
        return "banned"
    why = "card" if found.is_one_card else "device" if found.is_one_device else \
        "address" if have_one_address(pledge.backer_id, link.person_id) else None
    if why and link.id:
        flags.open_flag(project_id=pledge.project_id, link_id=link.id, rule=why, severity="high", pledges=[pledge.id],
                        subject=pledge.id.hex)
    return why


def have_one_address(one: UUID, other: UUID) -> bool:
    """Are things sent to both at one place? Asked of the rooms that know addresses; as long as none does, no."""
    found: dict[UUID, list[str]] = {}
    addresses_asked.send([one, other], found)
    return bool({one_place(text) for text in found.get(one, ())} & {one_place(text) for text in found.get(other, ())})


def one_place(address: str) -> str:
    """An address without case, spaces and signs: `Kade 1-A, 3511 AB` and `kade 1a 3511ab`."""
    return "".join(sign for sign in address.casefold() if sign.isalnum())


# Credits that stand and were given before this card was known to both: the backer changed cards, or the recruiter did.
_SAME_CARD_LATER = sa.text("""
    SELECT r.pledge_id, r.project_id, r.link_id FROM recruit r
     WHERE r.pledge_id = :subject AND r.recruiter_id <> :person
       AND EXISTS (SELECT FROM card_setup o WHERE o.card_fingerprint = :card AND o.person_id = r.recruiter_id)
    UNION
    SELECT r.pledge_id, r.project_id, r.link_id FROM card_setup c JOIN recruit r ON r.pledge_id = c.subject_id
     WHERE c.card_fingerprint = :card AND c.person_id <> :person AND r.recruiter_id = :person""")
_SEEN = sa.text("""
    SELECT DISTINCT g.pledge_id FROM flagged_pledge g JOIN share_flag f ON f.id = g.flag_id
     WHERE g.pledge_id = ANY(CAST(:pledges AS uuid[])) AND f.rule = :rule""")


def follow_card(setup: CardSetup) -> None:
    """A card was saved: whoever is credited for somebody who pays with it too is looked at, once."""
    if not setup.card_fingerprint or setup.card_last4 in current_app.config["EVERYBODYS_CARDS"]:
        return
    doubt("card", db.session.execute(_SAME_CARD_LATER, {
        "subject": setup.subject_id, "person": setup.person_id, "card": setup.card_fingerprint}).all())


_CREDITS_OF = sa.text("""
    SELECT r.pledge_id, r.project_id, r.link_id, r.recruiter_id, r.backer_id FROM recruit r
     WHERE r.recruiter_id = :person OR r.pledge_id IN (SELECT id FROM pledge WHERE backer_id = :person)
     ORDER BY r.at DESC LIMIT 500""")


def follow_address(person_id: UUID) -> None:
    """Somebody said where things are to be sent: the same place as those whom they brought, or who brought them?"""
    found = [row for row in db.session.execute(_CREDITS_OF, {"person": person_id})
             if row.recruiter_id and have_one_address(row.recruiter_id, row.backer_id)]
    doubt("address", found)


def doubt(rule: str, rows: Sequence[Any]) -> None:
    """Open a flag for each of these credits that was not looked at for this reason before; they count no more until it
    is decided."""
    if not rows:
        return
    seen = set(db.session.scalars(_SEEN, {"pledges": [row.pledge_id for row in rows], "rule": rule}))
    fresh = [row for row in rows if row.pledge_id not in seen]
    for row in fresh:
        flags.open_flag(project_id=row.project_id, link_id=row.link_id, rule=rule, severity="high",
                        pledges=[row.pledge_id], subject=row.pledge_id.hex)
    flags.settle(row.pledge_id for row in fresh)
