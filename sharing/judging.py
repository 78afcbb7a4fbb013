"""Credits that look odd together: many at once, from one place, of one card, made in a row. A rule only asks a person to
look; it knows no addresses, cards or networks afterwards, only how many there were."""

from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from flask import current_app

from core.db import db, transaction
from payments.models import Dispute, Refund
from sharing import flags, tallies
from sharing.mailboxes import one_mailbox, stem

LOOK_BACK = 2  # days of credits that are looked at together; the networks are known no longer
MOST = 500  # newest credits of a link: more are a burst in any case
BATCH = 100  # links judged in one transaction
ASKED_BACK = ("asked", "fraud")  # refunds that the backer or a bank wanted; what a creator gives back says nothing

_WATCH = sa.text("""
    INSERT INTO share_watch (link_id, has_money_back)
    SELECT id, :money FROM share_link WHERE id = ANY(CAST(:links AS uuid[])) AND person_id IS NOT NULL ORDER BY id
    ON CONFLICT (link_id) DO UPDATE SET has_money_back = true
     WHERE excluded.has_money_back AND NOT share_watch.has_money_back""")
_TAKE = sa.text("""
    DELETE FROM share_watch WHERE link_id IN (SELECT link_id FROM share_watch ORDER BY at LIMIT :most FOR UPDATE SKIP LOCKED)
    RETURNING link_id, has_money_back""")
_IS_DUE = sa.text("SELECT EXISTS (SELECT FROM share_watch)")
# The newest credits of these links. A pledge that was looked at once for a reason is not brought up for it again.
_CREDITS = sa.text("""
    SELECT r.link_id, r.project_id, r.pledge_id, p.backer_id, p.pledged_at AS at, n.email, n.created_at AS born,
           CASE WHEN c.card_last4 <> ALL(CAST(:everybodys AS text[])) THEN c.card_fingerprint END AS card,
           c.address_digest AS address,
           ARRAY(SELECT w.network FROM person_network w WHERE w.person_id = p.backer_id AND w.day = CAST(r.at AS date))
               AS networks,
           ARRAY(SELECT f.rule FROM flagged_pledge g JOIN share_flag f ON f.id = g.flag_id
                  WHERE g.pledge_id = r.pledge_id AND f.decision IS NOT NULL) AS seen
      FROM unnest(CAST(:links AS uuid[])) AS k (id)
     CROSS JOIN LATERAL (SELECT * FROM recruit x WHERE x.link_id = k.id
                            AND x.at > clock_now() - make_interval(days => :days) ORDER BY x.at DESC LIMIT :most) r
      JOIN pledge p ON p.id = r.pledge_id AND p.state IN ('pledged', 'collecting', 'collected', 'errored')
      JOIN person n ON n.id = p.backer_id
      LEFT JOIN card_setup c ON c.id = p.card_id
     ORDER BY r.link_id, p.pledged_at""")
_MONEY_BACK = sa.text("""
    SELECT r.link_id, r.project_id, r.pledge_id,
           ARRAY(SELECT f.rule FROM flagged_pledge g JOIN share_flag f ON f.id = g.flag_id
                  WHERE g.pledge_id = r.pledge_id AND f.decision IS NOT NULL) AS seen
      FROM recruit r JOIN payment y ON y.subject_id = r.pledge_id
     WHERE r.link_id = ANY(CAST(:links AS uuid[]))
       AND (EXISTS (SELECT FROM dispute d WHERE d.payment_id = y.id AND d.status <> 'won')
            OR EXISTS (SELECT FROM refund f WHERE f.payment_id = y.id AND f.reason = ANY(CAST(:reasons AS text[]))
                          AND f.duplicate_charge_id IS NULL AND f.state NOT IN ('failed', 'canceled')))
     ORDER BY r.link_id LIMIT 5000""")


@dataclass(frozen=True)
class Doubt:
    """What a rule found about the credits of one link."""

    rule: str
    severity: str
    pledges: frozenset[UUID]
    facts: dict[str, Any]


def watch(links: Iterable[UUID], *, has_money_back: bool = False) -> None:
    """These links' credits moved: judge them soon. Links of organisers gain nothing by it and are left out."""
    if wanted := list(links):
        db.session.execute(_WATCH, {"links": wanted, "money": has_money_back})


def follow_dispute(dispute: Dispute) -> None:
    _watch_payment(dispute.payment_id)


def follow_refund(refund: Refund) -> None:
    if refund.reason in ASKED_BACK:
        _watch_payment(refund.payment_id)


def _watch_payment(payment_id: UUID) -> None:
    watch(db.session.scalars(sa.text("""
        SELECT r.link_id FROM payment y JOIN recruit r ON r.pledge_id = y.subject_id WHERE y.id = :payment"""),
        {"payment": payment_id}), has_money_back=True)


def judge_due() -> int:
    """Judge the links whose credits moved; returns how many.

    Never beside a roll-up, which has the credits and then notes the links: here it is the other way round. What it is busy
    with is judged by the next tick.
    """
    count = 0
    while True:
        with transaction() as session:
            if not session.scalar(_IS_DUE) or not tallies.take_turn():
                return count
            rows = session.execute(_TAKE, {"most": BATCH}).all()
            judge([row.link_id for row in rows], [row.link_id for row in rows if row.has_money_back])
        count += len(rows)
        if len(rows) < BATCH:
            return count


def judge(links: list[UUID], money_back: list[UUID] | None = None) -> int:
    """Open flags for what is odd about these links' credits; returns how many. In one transaction."""
    if not links:
        return 0
    limits, session = current_app.config, db.session
    rows = session.execute(_CREDITS, {"links": links, "days": LOOK_BACK, "most": MOST,
                                      "everybodys": limits["EVERYBODYS_CARDS"]}).all()
    by_link: dict[UUID, list[Any]] = defaultdict(list)
    for row in rows:
        by_link[row.link_id].append(row)
    opened = 0
    for link_id, credits in by_link.items():
        for found in doubts(credits, limits):
            opened += _open(link_id, credits[0].project_id, found)
    asked: dict[UUID, list[Any]] = defaultdict(list)
    for row in session.execute(_MONEY_BACK, {"links": money_back, "reasons": list(ASKED_BACK)}) if money_back else ():
        asked[row.link_id].append(row)
    for link_id, credits in asked.items():
        fresh = [row for row in credits if "money_back" not in row.seen]
        if len(fresh) >= limits["MONEY_BACK"]:
            opened += _open(link_id, credits[0].project_id, Doubt(
                "money_back", "high" if len(fresh) >= 2 * limits["MONEY_BACK"] else "medium",
                frozenset(row.pledge_id for row in fresh), {"count": len(fresh)}))
    return opened


def _open(link_id: UUID, project_id: UUID, found: Doubt) -> int:
    flags.open_flag(project_id=project_id, link_id=link_id, rule=found.rule, severity=found.severity,
                    pledges=found.pledges, **found.facts)
    if found.severity == "high":
        flags.settle(found.pledges)
    return 1


def doubts(credits: list[Any], limits: dict[str, Any]) -> list[Doubt]:
    """What is odd about one link's newest credits, oldest first."""
    found = [_burst(_unseen(credits, "burst"), limits["BURST_PLEDGES"], limits["BURST_MINUTES"]),
             _shared(_unseen(credits, "network"), "network", limits["BURST_FROM_NETWORK"] + 1, "medium",
                     lambda row: {bytes(network) for network in row.networks}),
             _shared(_unseen(credits, "mailboxes"), "mailboxes", 2, "high", lambda row: {one_mailbox(row.email)}),
             _shared(_unseen(credits, "mails"), "mails", limits["SIMILAR_MAILS"], "medium",
                     lambda row: {stem(row.email)} - {""}),
             _shared(_unseen(credits, "cards"), "cards", 2, "high", lambda row: {row.card} - {None}),
             _shared(_unseen(credits, "addresses"), "addresses", limits["ONE_ADDRESS"] + 1, "medium",
                     lambda row: {row.address} - {None}),
             _newcomers(_unseen(credits, "newcomers"), limits["NEW_ACCOUNTS"], timedelta(minutes=limits["NEW_MINUTES"]))]
    return [doubt for doubt in found if doubt]


def _unseen(credits: list[Any], rule: str) -> list[Any]:
    return [row for row in credits if rule not in row.seen]


def _burst(credits: list[Any], most: int, minutes: int) -> Doubt | None:
    """The fullest stretch of so many minutes, if more than `most` pledges lie in it."""
    best: list[Any] = []
    first = 0
    for last, row in enumerate(credits):
        while credits[first].at <= row.at - timedelta(minutes=minutes):
            first += 1
        if last - first + 1 > len(best):
            best = credits[first:last + 1]
    if len(best) <= most:
        return None
    return Doubt("burst", "low" if len(best) <= 3 * most else "medium", frozenset(row.pledge_id for row in best),
                 {"count": len(best), "minutes": minutes, "since": _text(best[0].at)})


def _shared(credits: list[Any], rule: str, least: int, severity: str, keys: Any) -> Doubt | None:
    """Backers who have something in common that so many should not; the common thing itself is not kept."""
    having: dict[Any, dict[UUID, list[UUID]]] = defaultdict(lambda: defaultdict(list))
    for row in credits:
        for key in keys(row):
            having[key][row.backer_id].append(row.pledge_id)
    groups = [people for people in having.values() if len(people) >= least]
    if not groups:
        return None
    pledges = frozenset(pledge for people in groups for several in people.values() for pledge in several)
    return Doubt(rule, severity, pledges, {"count": max(len(people) for people in groups), "groups": len(groups)})


def _newcomers(credits: list[Any], most: int, within: timedelta) -> Doubt | None:
    """Friends often register in order to pledge, so this asks for many of them within a day."""
    new = [row for row in credits if timedelta(0) <= row.at - row.born <= within]
    days = Counter(row.at.date() for row in new)
    day, count = max(days.items(), key=lambda pair: pair[1], default=(None, 0))
    if count <= most:
        return None
    return Doubt("newcomers", "low", frozenset(row.pledge_id for row in new if row.at.date() == day),
                 {"count": count, "minutes": int(within.total_seconds() // 60)})


def _text(at: datetime) -> str:
    return at.isoformat(timespec="minutes")
