"""Changing and withdrawing a pledge while the project runs (C-13), and letting go of holds."""

from dataclasses import dataclass
from uuid import UUID

import sqlalchemy as sa
import structlog
from flask_babel import gettext as _

from backing.hooks import pledge_changed
from backing.models import Pledge, PledgeState
from backing.placing import OWN_PROJECT, SHARE_PROJECT, SoldOut, check_amount, release
from backing.totals import SUMS, add_delta
from core.db import ask, db, transaction
from core.errors import BadInput, Refusal
from core.i18n import show_money
from core.jobs import every
from core.mail import post
from payments import cards
from payments.gateway import GatewayError, Silence

log = structlog.get_logger()
S = PledgeState
REASONS = ("price", "shipping", "doubt", "double", "money", "other")


@dataclass(frozen=True)
class Change:
    """What a backer wants instead; `version` is the one they looked at."""

    reward_id: UUID | None
    bonus: int
    version: int


def change_pledge(pledge_id: UUID, change: Change, by: UUID) -> Pledge:
    """Another reward or bonus, at today's prices: a new version, the stock and the totals, in one transaction."""
    with transaction() as session:
        pledge = _locked(pledge_id, lowering_allowed=False)
        if pledge.state is not S.PLEDGED:
            raise Refusal(_("This pledge cannot be changed any more."))
        if pledge.version != change.version:
            raise Refusal(_("You changed this pledge in another window. Look at it again before you go on."))
        new = None
        if change.reward_id:
            new = session.execute(sa.text("""
                SELECT id, title, price, quantity IS NOT NULL AS is_limited FROM reward
                 WHERE id = :reward AND project_id = :project AND kind = 'pledge'"""),
                {"reward": change.reward_id, "project": pledge.project_id}).first()
            if new is None:
                raise BadInput(_("This reward is no longer offered. Choose another one."), "reward")
        # A kept reward keeps the price it was promised at; a new one has today's.
        price = _kept_price(pledge) if change.reward_id == pledge.reward_id else int(new.price) if new else 0
        check_amount(price, change.bonus, pledge.currency)
        amount = price + change.bonus
        if (amount, change.reward_id) == (pledge.amount, pledge.reward_id):
            return pledge
        if amount < pledge.amount:
            _keep_the_goal(pledge, pledge.amount - amount)
        old_reward, old_amount = pledge.reward_id, pledge.amount
        pledge.reward_id, pledge.bonus, pledge.amount = change.reward_id, change.bonus, amount
        pledge.version += 1
        session.flush()
        session.execute(sa.text("""
            INSERT INTO pledge_line (pledge_id, project_id, version, kind, reward_id, title, amount)
            SELECT :pledge, :project, :version, kind, reward_id, title, amount
              FROM (VALUES ('reward', CAST(:reward AS uuid), CAST(:title AS text), CAST(:price AS bigint)),
                           ('bonus', NULL, '', CAST(:bonus AS bigint))) AS line(kind, reward_id, title, amount)
             WHERE amount > 0"""), {"pledge": pledge.id, "project": pledge.project_id, "version": pledge.version,
                                    "reward": change.reward_id, "title": new.title if new else "", "price": price,
                                    "bonus": change.bonus})
        if old_reward == change.reward_id:
            add_delta(pledge.project_id, old_reward, raised=amount - old_amount)
        else:
            add_delta(pledge.project_id, old_reward, backers=-1, raised=-old_amount)
            add_delta(pledge.project_id, change.reward_id, backers=1, raised=amount)
        post("backing/changed", dedupe=str(pledge.version), pledge_id=pledge.id)
        pledge_changed.send(pledge)
        session.flush()
        if old_reward != change.reward_id:
            _swap_stock(old_reward, change.reward_id, new.title if new else "")
    return pledge


def _kept_price(pledge: Pledge) -> int:
    return pledge.amount - pledge.bonus


def _swap_stock(old: UUID | None, new: UUID | None, title: str) -> None:
    """Give one back and take the other, in the order of their ids so that two who swap crosswise never wait in a ring
    (C-10); last before the commit."""
    for reward_id in sorted(filter(None, (old, new))):
        if reward_id == old:
            release(old)
        elif db.session.execute(sa.text("""
                UPDATE reward SET claimed = claimed + CASE WHEN quantity IS NULL THEN 0 ELSE 1 END
                 WHERE id = :reward AND (quantity IS NULL OR claimed < quantity) RETURNING 1"""),
                {"reward": new}).first() is None:
            raise SoldOut(_("“%(title)s” has just gone to somebody else. Your pledge is as it was.", title=title), "reward")


def cancel_pledge(pledge_id: UUID, by: UUID, reason: str = "") -> Pledge:
    """Withdraw a hold or a pledge before the deadline; its stock and its sum follow at once."""
    with transaction() as session:
        pledge = _locked(pledge_id, lowering_allowed=True)
        if pledge.state is S.CANCELLED:
            return pledge
        if pledge.state not in (S.HELD, S.PLEDGED):
            raise Refusal(_("This pledge cannot be cancelled any more."))
        was = pledge.state
        if was is S.PLEDGED:
            _keep_the_goal(pledge, pledge.amount)
        pledge.move(S.CANCELLED, by_id=by, why=reason)
        pledge.cancel_reason = reason or None
        session.flush()
        if was is S.PLEDGED:
            add_delta(pledge.project_id, pledge.reward_id, backers=-1, raised=-pledge.amount)
            post("backing/cancelled", pledge_id=pledge.id)
            pledge_changed.send(pledge)
            session.flush()
        release(pledge.reward_id)
    return pledge


def _locked(pledge_id: UUID, *, lowering_allowed: bool) -> Pledge:
    """The pledge, locked, in a project that still runs. In the last 24 hours the whole project is locked, so that two
    who leave at once cannot together do what neither may do alone."""
    session = db.session
    project = session.execute(sa.text("""
        SELECT p.id, p.deadline - clock_now() < interval '24 hours' AS is_last_day
          FROM pledge JOIN project p ON p.id = pledge.project_id WHERE pledge.id = :id"""), {"id": pledge_id}).one()
    session.execute(OWN_PROJECT if project.is_last_day else SHARE_PROJECT, {"project": project.id})
    pledge = session.get_one(Pledge, pledge_id, with_for_update=True, populate_existing=True)
    is_open = session.scalar(sa.text("SELECT state = 'live' AND deadline > clock_now() FROM project WHERE id = :id"),
                             {"id": project.id})
    if not is_open and not (lowering_allowed and pledge.state in (S.HELD, S.CANCELLED)):
        raise Refusal(_("The project has ended; pledges stay as they are."))
    return pledge


def _keep_the_goal(pledge: Pledge, less: int) -> None:
    """In the last 24 hours nobody may take a project below the goal it has reached (Kickstarter's rule)."""
    session = db.session
    project = session.execute(sa.text("""
        SELECT goal, currency, deadline - clock_now() < interval '24 hours' AS is_last_day
          FROM project WHERE id = :id"""), {"id": pledge.project_id}).one()
    if not project.is_last_day:
        return
    session.execute(OWN_PROJECT, {"project": pledge.project_id})
    raised = session.execute(SUMS, {"project": pledge.project_id}).one().raised
    if raised >= project.goal > raised - less:
        raise Refusal(_("In the last 24 hours nobody can take a project below its goal of %(goal)s. Your pledge stays "
                        "as it is.", goal=show_money(project.goal, project.currency, exact=False)))


# Forms of pledges that need no card any more: replaced by another choice, cancelled, or ended by somebody else's claim or
# by the deadline. What Stripe has closed by itself is noticed by `settle_open_cards`.
_LEFT_OPEN = sa.text("""
    SELECT DISTINCT c.subject_id FROM card_setup c JOIN pledge p ON p.id = c.subject_id
     WHERE c.state = 'open' AND c.session_id IS NOT NULL AND c.created_at > clock_now() - interval '35 minutes'
       AND p.state NOT IN ('held', 'pledged', 'collecting', 'errored') LIMIT 100""")


@every(5, "backing:close_forms", lane="holds")
def close_forms() -> int:
    """Close Stripe's forms that nobody should fill in any more; after the commit that made them so, by a scan, so that a
    crash only delays it (S-24)."""
    ids = [row.subject_id for row in ask(_LEFT_OPEN)]
    db.session.rollback()
    for pledge_id in ids:
        try:
            cards.close_card_form(pledge_id)
        except Silence:
            log.warning("form not closed: stripe is silent", pledge=str(pledge_id))
            break
        except GatewayError as error:
            log.error("form not closed", pledge=str(pledge_id), code=error.code)
    return len(ids)


_OVER = sa.text(
    "SELECT id FROM pledge WHERE state = 'held' AND held_until <= clock_now() ORDER BY held_until LIMIT 100")


@every(5, "backing:end_holds", lane="holds")
def end_holds() -> int:
    """Free the stock of holds that are over: Stripe's form is closed first, so nobody types a card for nothing (S-24).

    If the card came in at the last moment, the pledge counts. If Stripe does not answer, the next round tries again
    (the other rhythms wait behind this one), and whoever wants the stock meanwhile takes it (C-08).
    """
    ids = [row.id for row in ask(_OVER)]
    db.session.rollback()
    ended = 0
    for pledge_id in ids:
        try:
            if cards.close_card_form(pledge_id):
                continue
        except Silence:
            log.warning("hold not ended: stripe is silent", pledge=str(pledge_id))
            break
        except GatewayError as error:
            log.error("hold: form not closed", pledge=str(pledge_id), code=error.code)
        ended += expire_hold(pledge_id)
    return ended


def expire_hold(pledge_id: UUID, why: str = "the hold ended") -> int:
    """held → expired, stock back; 0 when somebody was quicker."""
    with transaction() as session:
        pledge = session.get(Pledge, pledge_id, with_for_update=True, populate_existing=True)
        if pledge is None or pledge.state is not S.HELD:
            return 0
        pledge.move(S.EXPIRED, why=why)
        session.flush()
        release(pledge.reward_id)
    return 1


def extend_hold(pledge_id: UUID, minutes: int) -> bool:
    """“I need more time”: once, from now, while the hold still runs; False when it has ended."""
    with transaction() as session:
        return session.execute(sa.text("""
            UPDATE pledge SET held_until = clock_now() + make_interval(mins => :minutes)
             WHERE id = :id AND state = 'held' AND held_until > clock_now()
               AND held_until <= placed_at + make_interval(mins => :minutes)
            RETURNING 1"""), {"id": pledge_id, "minutes": minutes}).first() is not None
