"""Doubts about credits: opened by rules, settled by people; what counts follows from them at once.

Whether a credit is struck is never edited by hand: `settle` reads it off the flags and bans, so that every decision can
be taken back and two of them about one pledge do not fight.
"""

import json
from collections.abc import Iterable
from typing import Any
from uuid import UUID

import sqlalchemy as sa

from core.db import db

# What may be in doubt, and how grave it is. `high` counts for nobody until a person has looked.
REFUSED = ("device", "card", "address")  # a credit that was refused, and may be given after all
BY_LINK = ("burst", "network", "mails", "mailboxes", "cards", "addresses", "newcomers", "money_back")
RULES = (*REFUSED, *BY_LINK)

_OPEN = sa.text("""
    WITH flag AS (
        INSERT INTO share_flag AS f (project_id, link_id, rule, subject, severity, facts)
        VALUES (:project, :link, :rule, :subject, :severity, CAST(:facts AS jsonb))
        ON CONFLICT (link_id, rule, subject) WHERE decision IS NULL
        DO UPDATE SET severity = excluded.severity, facts = excluded.facts RETURNING id, project_id),
    about AS (
        INSERT INTO flagged_pledge (flag_id, pledge_id, project_id)
        SELECT flag.id, p, flag.project_id FROM flag, unnest(CAST(:pledges AS uuid[])) p ON CONFLICT DO NOTHING)
    SELECT id FROM flag""")


def open_flag(*, project_id: UUID, link_id: UUID, rule: str, severity: str, pledges: Iterable[UUID], subject: str = "",
              **facts: Any) -> UUID:
    """Put a doubt in the queue, or add to the open one of this link and rule. Inside the caller's transaction."""
    return db.session.execute(_OPEN, {  # type: ignore[no-any-return]
        "project": project_id, "link": link_id, "rule": rule, "subject": subject, "severity": severity,
        "facts": json.dumps(facts), "pledges": list(pledges)}).scalar_one()


# A credit that is struck moves people in its tree, whose lock comes before its rows: so it is when somebody pledges.
_TREES = sa.text("""
    SELECT pg_advisory_xact_lock(hashtextextended(CAST(project_id AS text), 4)) FROM (
           SELECT DISTINCT project_id FROM recruit WHERE pledge_id = ANY(CAST(:pledges AS uuid[])) ORDER BY 1) p""")


def lock_trees(pledges: list[UUID]) -> None:
    """One at a time moves people in the trees of these credits, until the end of the transaction."""
    db.session.execute(_TREES, {"pledges": pledges})


# Struck by a decision, by a grave doubt that nobody has decided, or by a ban: by one that is over, what came before its
# end. What others struck (a merge of accounts) is theirs and stays.
_SETTLE = sa.text("""
    WITH mine AS (
        SELECT r.pledge_id FROM recruit r WHERE r.pledge_id = ANY(CAST(:pledges AS uuid[])) ORDER BY 1 FOR NO KEY UPDATE),
    truth AS (
        SELECT r.pledge_id, coalesce(
               (SELECT f.rule FROM flagged_pledge g JOIN share_flag f ON f.id = g.flag_id
                 WHERE g.pledge_id = r.pledge_id AND f.link_id = r.link_id
                   AND (f.decision = 'strike' OR (f.decision IS NULL AND f.severity = 'high'))
                 ORDER BY f.decision NULLS LAST, f.opened_at LIMIT 1),
               (SELECT 'banned' FROM share_ban b
                 WHERE b.person_id = r.recruiter_id AND b.lifted_at IS NULL AND b.has_struck
                   AND (b.until IS NULL OR r.at < b.until)
                   AND (b.project_id IS NULL OR b.project_id = r.project_id) LIMIT 1)) AS why
          FROM recruit r JOIN mine USING (pledge_id))
    UPDATE recruit r SET struck_why = t.why,
           struck_at = CASE WHEN t.why IS NULL THEN NULL ELSE coalesce(r.struck_at, clock_now()) END
      FROM truth t
     WHERE r.pledge_id = t.pledge_id AND r.struck_why IS DISTINCT FROM t.why
       AND (r.struck_why IS NULL OR r.struck_why = ANY(CAST(:ours AS text[])))
    RETURNING r.pledge_id""")


def settle(pledges: Iterable[UUID]) -> int:
    """Let these credits count, or not, as the flags and bans say now; returns how many changed."""
    wanted = list(pledges)
    lock_trees(wanted)
    return len(db.session.execute(_SETTLE, {"pledges": wanted, "ours": [*RULES, "banned"]}).all())
