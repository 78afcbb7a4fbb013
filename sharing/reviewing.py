"""People look at what rules doubt: credit it or strike it, take that back, and look once more when the recruiter asks."""

from uuid import UUID

import sqlalchemy as sa
from flask_babel import gettext as _

from core import audit
from core.db import db, transaction
from core.errors import BadInput, NotAllowed, NotFound, Refusal
from core.mail import post
from payments.alerts import alert
from sharing import attribution, flags
from sharing.models import Recruit, ShareLink
from sharing.models_fairness import FlaggedPledge, ShareFlag

REASON = 300
APPEAL = 1_000


def flag_of(flag_id: UUID, project_id: UUID | None = None) -> ShareFlag:
    """The flag, locked; of this project only where one is named (a foreign one is as unknown as none)."""
    flag = db.session.get(ShareFlag, flag_id, with_for_update=True, populate_existing=True)
    if flag is None or (project_id is not None and flag.project_id != project_id):
        raise NotFound(_("There is nothing to look at under this address."))
    return flag


def decide(flag_id: UUID, decision: str, reason: str, *, by_id: UUID | None, project_id: UUID | None = None,
           is_staff: bool = False) -> ShareFlag:
    """Credit these pledges or strike them. Organisers decide what is open; staff may also decide anew.

    The recruiter is told by mail, in words that accuse nobody.
    """
    reason = " ".join(reason.split())
    if decision not in ("credit", "strike"):
        raise BadInput(_("Choose whether these pledges count."), "decision")
    if decision == "strike" and len(reason) < 3:
        raise BadInput(_("Say in a few words why they do not count. It is kept with the decision."), "reason")
    if len(reason) > REASON:
        raise BadInput(_("At most %(n)s characters.", n=REASON), "reason")
    with transaction() as session:
        flag = flag_of(flag_id, project_id)
        _not_ones_own(flag, by_id)
        is_answer = flag.appealed_at is not None and flag.answered_at is None
        if flag.decision is not None and not is_staff:
            if flag.decision == decision:
                return flag
            raise Refusal(_("Somebody has decided this in the meantime. Take that decision back first."))
        if flag.decision == decision and not is_answer:
            return flag
        moment = session.scalar(sa.text("SELECT clock_now()"))
        flag.decision, flag.reason, flag.decided_by_id, flag.decided_at = decision, reason, by_id, moment
        flag.decisions += 1
        if is_answer:
            flag.answered_at = moment
        session.flush()
        pledges = pledges_of(flag.id)
        if decision == "credit" and flag.rule in flags.REFUSED:
            for pledge_id in pledges:
                _credit(pledge_id)
        flags.settle(pledges)
        audit.note("sharing:decide_flag", "share_flag", flag.id, by_id=by_id, project_id=flag.project_id,
                   decision=decision, rule=flag.rule, reason=reason, pledges=len(pledges), is_answer=is_answer)
        post("sharing/decided", dedupe=str(flag.decisions), flag_id=flag.id)
    return flag


def _credit(pledge_id: UUID) -> None:
    """What was refused is credited after all, unless the tree forbids it by now."""
    if db.session.get(Recruit, pledge_id) is None and not attribution.credit_after_all(pledge_id):
        raise Refusal(_("This pledge cannot be credited: by now its backer stands above the recruiter. You may still "
                        "decide that it does not count."))


def reopen(flag_id: UUID, *, by_id: UUID | None, project_id: UUID | None = None) -> ShareFlag:
    """Take a decision back: it is open again, as it was found."""
    with transaction() as session:
        flag = flag_of(flag_id, project_id)
        _not_ones_own(flag, by_id)
        if flag.decision is None:
            return flag
        if session.scalar(sa.select(ShareFlag.id).filter_by(link_id=flag.link_id, rule=flag.rule, subject=flag.subject)
                          .where(ShareFlag.decision.is_(None))):
            raise Refusal(_("The same is being looked at anew already. Decide that one instead."))
        was, flag.decision, flag.decided_at, flag.decided_by_id = flag.decision, None, None, None
        flag.decisions += 1
        session.flush()
        pledges = pledges_of(flag.id)
        flags.settle(pledges)
        audit.note("sharing:reopen_flag", "share_flag", flag.id, by_id=by_id, project_id=flag.project_id, was=was,
                   rule=flag.rule)
        post("sharing/decided", dedupe=str(flag.decisions), flag_id=flag.id)
    return flag


def appeal(flag_id: UUID, person_id: UUID, text: str) -> None:
    """The recruiter asks the people who run the site for another look, once per decision that struck something."""
    text = text.strip()
    if len(text) < 3:
        raise BadInput(_("Say in a sentence or two what we should know."), "text")
    if len(text) > APPEAL:
        raise BadInput(_("At most %(n)s characters.", n=APPEAL), "text")
    with transaction() as session:
        flag = flag_of(flag_id)
        if session.scalar(sa.select(ShareLink.person_id).where(ShareLink.id == flag.link_id)) != person_id:
            raise NotFound(_("There is nothing to look at under this address."))
        if flag.appealed_at is not None:
            raise Refusal(_("You have asked for another look already. That decision is the last one."))
        if flag.decision != "strike":
            raise Refusal(_("These pledges count, or are still being looked at. There is nothing to ask for."))
        moment = session.scalar(sa.text("SELECT clock_now()"))
        flag.appeal, flag.appealed_at = text, moment
        audit.note("sharing:appeal", "share_flag", flag.id, by_id=person_id, project_id=flag.project_id)
        alert("share_appeal", dedupe=str(flag.id))


def pledges_of(flag_id: UUID) -> list[UUID]:
    return list(db.session.scalars(sa.select(FlaggedPledge.pledge_id).filter_by(flag_id=flag_id)
                                   .order_by(FlaggedPledge.pledge_id)))


def _not_ones_own(flag: ShareFlag, by_id: UUID | None) -> None:
    """Nobody judges their own link, organiser or staff."""
    if by_id is not None and flag.link.person_id == by_id:
        raise NotAllowed(_("This is about your own link. Somebody else decides it."))
