"""Who is not credited, and why: nobody recruits themselves (W-27). The pledge always stands; only the credit is in doubt."""

from collections.abc import Sequence
from typing import Any, Protocol
from uuid import UUID

import sqlalchemy as sa
from flask import current_app

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
    """What the people at both ends have in common: a row of `credit_pledge`."""

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
    @property
    def is_one_address(self) -> bool | None: ...


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
        "address" if found.is_one_address else None
    if why and link.id:
        flags.open_flag(project_id=pledge.project_id, link_id=link.id, rule=why, severity="high", pledges=[pledge.id],
                        subject=pledge.id.hex)
    return why


# Credits that stand and were given before this card was known to both: the backer changed cards, or the recruiter did.
_SAME_CARD_LATER = sa.text("""
    SELECT r.pledge_id, r.project_id, r.link_id FROM recruit r
     WHERE r.pledge_id = :subject AND r.recruiter_id <> :person
       AND EXISTS (SELECT FROM card_setup o WHERE o.card_fingerprint = :card AND o.person_id = r.recruiter_id)
    UNION
    SELECT r.pledge_id, r.project_id, r.link_id FROM card_setup c JOIN recruit r ON r.pledge_id = c.subject_id
     WHERE c.card_fingerprint = :card AND c.person_id <> :person AND r.recruiter_id = :person""")
_SAME_ADDRESS_LATER = sa.text("""
    SELECT r.pledge_id, r.project_id, r.link_id FROM recruit r
     WHERE r.pledge_id = :subject AND have_one_address(r.pledge_id, r.recruiter_id, :crowd)
    UNION
    SELECT r.pledge_id, r.project_id, r.link_id FROM card_setup c JOIN recruit r ON r.pledge_id = c.subject_id
     WHERE c.address_digest = :address AND r.recruiter_id = :person AND have_one_address(r.pledge_id, :person, :crowd)""")
_SEEN = sa.text("""
    SELECT DISTINCT g.pledge_id FROM flagged_pledge g JOIN share_flag f ON f.id = g.flag_id
     WHERE g.pledge_id = ANY(CAST(:pledges AS uuid[])) AND f.rule = ANY(CAST(:rules AS text[]))""")
# Who looked at two people because of a card or a browser has seen the household that an address speaks of.
_COVERED_BY = {"address": ("address", "card", "device")}


def follow_card(setup: CardSetup) -> None:
    """A card was saved, or is another one now: whoever is credited for somebody who pays with it too, or who gave the
    same address, is looked at, once."""
    config = current_app.config
    if setup.card_fingerprint and setup.card_last4 not in config["EVERYBODYS_CARDS"]:
        doubt("card", db.session.execute(_SAME_CARD_LATER, {
            "subject": setup.subject_id, "person": setup.person_id, "card": setup.card_fingerprint}).all())
    if setup.address_digest:
        doubt("address", db.session.execute(_SAME_ADDRESS_LATER, {
            "subject": setup.subject_id, "person": setup.person_id, "address": setup.address_digest,
            "crowd": config["ADDRESS_CROWD"]}).all())


def doubt(rule: str, rows: Sequence[Any]) -> None:
    """Open a flag for each of these credits that was not looked at for this reason before; they count no more until it
    is decided."""
    if not rows:
        return
    seen = set(db.session.scalars(_SEEN, {"pledges": [row.pledge_id for row in rows],
                                            "rules": list(_COVERED_BY.get(rule, (rule,)))}))
    fresh = [row for row in rows if row.pledge_id not in seen]
    for row in fresh:
        flags.open_flag(project_id=row.project_id, link_id=row.link_id, rule=rule, severity="high",
                        pledges=[row.pledge_id], subject=row.pledge_id.hex)
    flags.settle(row.pledge_id for row in fresh)
