"""Who gets what for the friends they brought: derived from the pledges, as often as anybody asks.

Nothing here adds to what was there before: each pass counts a link's friends anew and moves its grants to where they
belong. So a pass that was killed, or that runs twice, loses and doubles nothing. Two things are scarce and guarded: one
row per step and link (unique), and the stock, by one UPDATE that never gives more than there is.
"""

import time
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

import sqlalchemy as sa
from flask import current_app

from backing.models import STANDING
from core import clock
from core.crash import crashpoint
from core.db import db, transaction
from core.jobs import every
from core.mail import post
from payments.hooks import dispute_changed
from payments.models import Dispute
from sharing import tallies
from sharing.models_milestones import KEPT, Grant, GrantMove, GrantState, Milestone

S = GrantState
AT_ONCE = 200  # links that one transaction looks at
PASSES = 10  # of one transaction over those who were given something
PATIENCE = 3.0  # seconds of one tick; what is left comes with the next
_STANDING = ", ".join(f"'{state}'" for state in STANDING)
# While a bank holds the money of a payment, its pledge brings nobody anything.
_DISPUTED = "EXISTS (SELECT 1 FROM dispute d WHERE d.payment_id = {pledge}.payment_id AND d.is_withdrawn)"


@dataclass(frozen=True)
class Link:
    """What counts for the steps of one link; the times as far as the highest step looks."""

    link_id: UUID
    project_id: UUID
    standing: list[datetime]  # when each friend pledged whose pledge stands, oldest first
    collected: list[datetime]  # when each of them paid whose money is there and undisputed
    disputed: int
    refunded: int
    struck: int
    own: str | None  # the state of the person's own pledge, if it stands
    is_on: bool  # the project was not given up

    def why(self) -> str:
        """Why something is let go, in a word: what weighs most first."""
        found = {"project": not self.is_on, "own": self.own is None, "dispute": self.disputed, "refund": self.refunded,
                 "struck": self.struck}
        return next((word for word, is_so in found.items() if is_so), "left")


_PROJECTS = sa.text("""
    SELECT DISTINCT l.project_id FROM share_link l
     WHERE l.id = ANY(:links) AND coalesce(l.person_id, l.alias_of_id) IS NOT NULL
       AND EXISTS (SELECT 1 FROM milestone m WHERE m.project_id = l.project_id) ORDER BY 1""")
_LOCK = sa.text("SELECT pg_advisory_xact_lock(hashtextextended('milestones:' || :project, 0))")
_LINKS = sa.text(f"""
    SELECT l.id AS link_id, l.project_id, p.state IN ('live', 'suspended', 'successful') AS is_on,
           coalesce(f.standing[1:m.most], '{{}}') AS standing, coalesce(f.collected[1:m.most], '{{}}') AS collected,
           f.disputed, f.refunded, f.struck,
           (SELECT own.state FROM pledge own WHERE own.project_id = l.project_id AND own.backer_id = l.person_id
               AND own.state IN ({_STANDING}) AND NOT {_DISPUTED.format(pledge='own')}) AS own
      FROM share_link l JOIN project p ON p.id = l.project_id
     CROSS JOIN LATERAL (SELECT max(friends) AS most FROM milestone WHERE project_id = l.project_id) m
     CROSS JOIN LATERAL (
           SELECT array_agg(b.pledged_at ORDER BY b.pledged_at) FILTER (WHERE b.stands) AS standing,
                  array_agg(b.paid_at ORDER BY b.paid_at) FILTER (WHERE b.stands AND b.state = 'collected') AS collected,
                  count(*) FILTER (WHERE b.is_disputed) AS disputed,
                  count(*) FILTER (WHERE b.state = 'refunded') AS refunded,
                  count(*) FILTER (WHERE b.is_struck) AS struck
             FROM (SELECT b.pledged_at, coalesce(b.collected_at, b.pledged_at) AS paid_at, b.state,
                          r.struck_at IS NOT NULL AS is_struck, x.is_disputed,
                          r.struck_at IS NULL AND b.state IN ({_STANDING}) AND NOT x.is_disputed AS stands
                     FROM recruit r JOIN pledge b ON b.id = r.pledge_id
                    CROSS JOIN LATERAL (SELECT {_DISPUTED.format(pledge='b')} AS is_disputed) x
                    WHERE r.link_id = l.id) b) f
     WHERE l.id = ANY(:links) AND l.project_id = ANY(:projects) AND coalesce(l.person_id, l.alias_of_id) IS NOT NULL
     ORDER BY l.n""")  # noqa: S608 -- states of our own


def wait_turn(project_id: UUID) -> None:
    """Nobody is granted anything in this project, and no step is changed, until the end of this transaction."""
    db.session.execute(_LOCK, {"project": str(project_id)})


def follow(links: Iterable[UUID]) -> None:
    """What these links brought may have changed: give, earn, let go and take back, inside the caller's transaction.

    All of a project's steps are moved by one transaction at a time. Tags earn nothing; the link of an account that was
    merged into another one lets go of what it had.
    """
    wanted = list(links)
    projects = list(db.session.scalars(_PROJECTS, {"links": wanted}))
    if not projects:
        return
    for project_id in projects:
        wait_turn(project_id)
    was: dict[UUID, GrantState | None] = {}
    for _again in range(PASSES):  # whoever gets what another let go is looked at as well
        wanted = _pass(wanted, projects, was)
        if not wanted:
            break
    else:
        note_links(wanted)  # a long line of people who let go in their turn: the next tick goes on
    db.session.flush()
    crashpoint("grants")
    _tell(was)


def _pass(wanted: list[UUID], projects: list[UUID], was: dict[UUID, GrantState | None]) -> list[UUID]:
    """Move the grants of these links and fill what came free; the links that were given something."""
    steps: dict[UUID, list[Milestone]] = {}
    for step in db.session.scalars(sa.select(Milestone).where(Milestone.project_id.in_(projects))
                                   .order_by(Milestone.friends).execution_options(populate_existing=True)):
        steps.setdefault(step.project_id, []).append(step)
    grants = {(grant.milestone_id, grant.link_id): grant for grant in db.session.scalars(
        sa.select(Grant).where(Grant.link_id.in_(wanted)).with_for_update()
        .execution_options(populate_existing=True))}
    freed: dict[UUID, int] = {}
    asked: set[UUID] = set()
    for row in db.session.execute(_LINKS, {"links": wanted, "projects": projects}):
        link = Link(**row._mapping)
        for step in steps[link.project_id]:
            grant = grants.get((step.id, link.link_id))
            if grant is None:
                grant = _reach(step, link, was)
            elif _move(grant, step, link, was):
                freed[step.id] = freed.get(step.id, 0) + 1
            if step.id in freed or (grant and grant.state is S.WAITING and link.own):
                asked.add(step.id)
    db.session.flush()
    found: list[UUID] = []
    for step in (step for several in steps.values() for step in several):
        if step.id in freed:
            db.session.execute(_GIVE_BACK, {"reward": step.reward_id, "n": freed[step.id]})
        if step.id in asked:
            found += _fill(step, was)
    return found


def _reach(step: Milestone, link: Link, was: dict[UUID, GrantState | None]) -> Grant | None:
    """The first time: into the line, by the moment at which the number was full."""
    if len(link.standing) < step.friends or step.closed_at or not link.is_on:
        return None
    grant = Grant(milestone_id=step.id, link_id=link.link_id, project_id=link.project_id, state=S.WAITING,
                  reached_at=link.standing[step.friends - 1])
    db.session.add(grant)
    db.session.flush()
    db.session.add(grant.history_row(from_state=None, to_state=S.WAITING))
    was[grant.id] = None
    return grant


def _move(grant: Grant, step: Milestone, link: Link, was: dict[UUID, GrantState | None]) -> bool:
    """One grant to where it belongs now; whether it let go of one of the stock."""
    was.setdefault(grant.id, grant.state)
    was_kept = grant.state in KEPT
    reached, paid = len(link.standing) >= step.friends, len(link.collected) >= step.friends
    if grant.state is S.PENDING and reached and link.own:
        # What is delivered goes to a backer who paid, for friends who paid, when a bank's first days of regret are over.
        grant.complete_at = link.collected[step.friends - 1] if paid and link.own == "collected" else None
        if grant.complete_at and grant.complete_at <= clock.now() - timedelta(days=_days()):
            grant.move(S.EARNED)
    elif grant.state is S.PENDING:
        _let_go(grant, S.WAITING if reached else S.LOST, link)
    elif grant.state is S.WAITING and not reached:
        _let_go(grant, S.LOST, link)
    elif grant.state is S.EARNED and not (paid and link.own):
        _let_go(grant, S.TAKEN_BACK, link)
    freed = was_kept and grant.state not in KEPT
    if grant.state in (S.LOST, S.TAKEN_BACK) and reached and link.own and not step.closed_at:
        grant.reached_at, grant.why = link.standing[step.friends - 1], None
        grant.move(S.WAITING)
    return freed


def _let_go(grant: Grant, to: GrantState, link: Link) -> None:
    grant.why, grant.complete_at = link.why(), None
    grant.move(to, why=grant.why)


def _days() -> int:
    return int(current_app.config["MILESTONE_DAYS"])


_LINE = sa.text(f"""
    SELECT g.id FROM milestone_grant g JOIN share_link l ON l.id = g.link_id
     WHERE g.milestone_id = :step AND g.state = 'waiting' AND EXISTS (
           SELECT 1 FROM pledge own WHERE own.project_id = l.project_id AND own.backer_id = l.person_id
              AND own.state IN ({_STANDING}) AND NOT {_DISPUTED.format(pledge='own')})
     ORDER BY g.reached_at, l.n
     LIMIT (SELECT least(:most, coalesce(quantity - claimed, :most)) FROM reward WHERE id = :reward)""")  # noqa: S608
_TAKE = sa.text("""
    UPDATE reward SET claimed = claimed + least(:n, coalesce(quantity - claimed, :n))
     WHERE id = :reward AND (quantity IS NULL OR claimed < quantity) RETURNING new.claimed - old.claimed AS given""")
_GIVE_BACK = sa.text("UPDATE reward SET claimed = claimed - :n WHERE id = :reward")


def _fill(step: Milestone, was: dict[UUID, GrantState | None]) -> list[UUID]:
    """Give what there is to those who wait, in the order in which they reached the step; their links."""
    found: list[UUID] = []
    while line := list(db.session.scalars(_LINE, {"step": step.id, "reward": step.reward_id, "most": AT_ONCE})):
        given = db.session.scalar(_TAKE, {"reward": step.reward_id, "n": len(line)}) or 0
        for grant in db.session.scalars(sa.select(Grant).where(Grant.id.in_(line[:given])).with_for_update()):
            was.setdefault(grant.id, grant.state)
            grant.why = None
            grant.move(S.PENDING)
            found.append(grant.link_id)
        db.session.flush()
        if given < AT_ONCE:
            break
    return found


def _tell(was: dict[UUID, GrantState | None]) -> None:
    """A mail for what became of each, at most one of a kind per step and link; anew only for what was earned, and taken
    back, and is earned again, since who read the one must read the other."""
    for grant in db.session.scalars(sa.select(Grant).where(Grant.id.in_(was)).order_by(Grant.id)):
        before = was[grant.id]
        if grant.state == before:
            continue
        if grant.state is S.EARNED:
            post("sharing/milestone_earned", _again(grant), grant_id=grant.id)
        elif grant.state is S.PENDING:
            post("sharing/milestone_pending", grant_id=grant.id)
        elif before in KEPT:
            post("sharing/milestone_taken_back", _again(grant, but=1) if before is S.EARNED else "", grant_id=grant.id)
        elif grant.state is S.WAITING:
            post("sharing/milestone_waiting", grant_id=grant.id)


def _again(grant: Grant, but: int = 0) -> str:
    """What tells the second mail of a kind from the first: how often it was taken back before."""
    times = (db.session.scalar(sa.select(sa.func.count()).select_from(GrantMove).where(
        GrantMove.grant_id == grant.id, GrantMove.to_state == S.TAKEN_BACK)) or 0) - but
    return str(times) if times > 0 else ""


_NOTE_LINKS = sa.text("""
    INSERT INTO milestone_due (link_id)
    SELECT l.id FROM share_link l
     WHERE l.id = ANY(:links) AND EXISTS (SELECT 1 FROM milestone m WHERE m.project_id = l.project_id)""")


def note_links(links: Iterable[UUID]) -> None:
    """One of `tallies.FOLLOWERS`: look at these within a second. Written with the tallies, so it is never forgotten; not
    done with them, so that a project's end, when thousands of links change, keeps no tally waiting."""
    db.session.execute(_NOTE_LINKS, {"links": list(links)})


# What the link that goes had reached first counts as the other one's; the rest is derived again from the counts.
_MERGED = (
    """UPDATE milestone_grant g SET link_id = m.stays FROM merged_link m
        WHERE g.link_id = m.goes AND NOT EXISTS (
              SELECT 1 FROM milestone_grant k WHERE k.milestone_id = g.milestone_id AND k.link_id = m.stays)""",
    """UPDATE milestone_grant g SET reached_at = k.reached_at FROM merged_link m, milestone_grant k
        WHERE g.link_id = m.stays AND k.link_id = m.goes AND k.milestone_id = g.milestone_id AND k.reached_at < g.reached_at""",
    """INSERT INTO milestone_due (link_id) SELECT unnest(ARRAY[stays, goes]) FROM merged_link WHERE goes IS NOT NULL""")


def connect() -> None:
    """What granting hears: of tallies that changed and of banks that take money back."""
    dispute_changed.connect(note_dispute)
    if note_links not in tallies.FOLLOWERS:
        tallies.FOLLOWERS.append(note_links)


def wait_turns() -> None:
    """Nobody is granted anything where two links of one person become one (`merged_link` of sharing.merging), until the
    end of its transaction. Before the links are touched, since a grant refers to its link."""
    for project_id in db.session.scalars(sa.text("SELECT project_id FROM merged_link WHERE goes IS NOT NULL ORDER BY 1")).all():
        wait_turn(project_id)


def settle_merged() -> None:
    """What both links had reached is one link's; in the same transaction, after `wait_turns`."""
    for statement in _MERGED:
        db.session.execute(sa.text(statement))


_NOTE_DISPUTE = sa.text("""
    INSERT INTO milestone_due (link_id)
    SELECT r.link_id FROM pledge p JOIN recruit r ON r.pledge_id = p.id WHERE p.payment_id = :payment
    UNION
    SELECT l.id FROM pledge p JOIN share_link l ON l.project_id = p.project_id AND l.person_id = p.backer_id
     WHERE p.payment_id = :payment""")


def note_dispute(dispute: Dispute) -> None:
    """Hooked to payments.dispute_changed: no pledge moves, and yet it may count no more, or again."""
    db.session.execute(_NOTE_DISPUTE, {"payment": dispute.payment_id})


_TAKE_DUE = sa.text("""
    DELETE FROM milestone_due WHERE id IN (SELECT id FROM milestone_due ORDER BY id LIMIT :most FOR UPDATE SKIP LOCKED)
    RETURNING link_id""")
_RIPE = sa.text("""
    SELECT DISTINCT link_id FROM milestone_grant
     WHERE state = 'pending' AND complete_at <= clock_now() - make_interval(days => :days) LIMIT :most""")


@every(1, "sharing:settle_milestones")
def settle() -> int:
    """Look again at links whose friends, own pledge, disputes or steps changed, and at those whose days are over."""
    seen, begun = 0, time.monotonic()
    while time.monotonic() - begun < PATIENCE:
        with transaction() as session:
            links = set(session.scalars(_TAKE_DUE, {"most": AT_ONCE}))
            links |= set(session.scalars(_RIPE, {"most": AT_ONCE, "days": _days()}))
            follow(links)
        seen += len(links)
        if not links:
            break
    return seen


_OWN = f"""EXISTS (SELECT 1 FROM pledge own WHERE own.project_id = l.project_id AND own.backer_id = l.person_id
                   AND own.state IN ({_STANDING}) AND NOT {_DISPUTED.format(pledge='own')})"""  # noqa: S608
# Two transactions that look past each other leave a grant that neither has noted: a pledge confirmed or withdrawn while
# its step is being given, a step added while friends are being tallied.
_FORGOTTEN = sa.text(f"""
    INSERT INTO milestone_due (link_id)
    SELECT g.link_id FROM milestone_grant g JOIN milestone m ON m.id = g.milestone_id JOIN reward r ON r.id = m.reward_id
      JOIN share_link l ON l.id = g.link_id
     WHERE g.state = 'waiting' AND (r.quantity IS NULL OR r.claimed < r.quantity) AND {_OWN}
     UNION
    SELECT g.link_id FROM milestone_grant g JOIN share_link l ON l.id = g.link_id
     WHERE g.state IN ('pending', 'earned') AND NOT {_OWN}
     UNION
    SELECT t.link_id FROM milestone m JOIN project p ON p.id = m.project_id AND p.state IN ('live', 'successful')
      JOIN link_tally t ON t.project_id = m.project_id AND t.is_person AND t.recruits >= m.friends
     WHERE m.closed_at IS NULL AND NOT EXISTS (
           SELECT 1 FROM milestone_grant g WHERE g.milestone_id = m.id AND g.link_id = t.link_id)
    RETURNING link_id""")  # noqa: S608


@every(60, "sharing:sweep_milestones")
def sweep() -> int:
    """Note again whose steps are not where they belong although nobody said so; returns how many."""
    with transaction() as session:
        return len(session.scalars(_FORGOTTEN).all())
