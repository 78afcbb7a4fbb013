"""Pledges follow their money: paid, refused, or, when it was our own mistake, back to where they waited."""

from collections.abc import Sequence

import sqlalchemy as sa
from flask import current_app

from backing.running import REQUESTS, pull_brake
from core.db import db
from payments.hooks import PaymentNews
from payments.models import PaymentState

# Back to where it waited: for its first charge, or, errored, for its backer. Nobody is told, nothing happened to it.
WAIT_AGAIN = sa.text("""
    WITH back AS (
        UPDATE pledge SET state = CASE WHEN fix_until IS NULL THEN 'collecting' ELSE 'errored' END, leased_until = NULL
         WHERE payment_id = ANY(CAST(:payments AS uuid[])) AND state = 'collecting' RETURNING id, project_id, state)
    INSERT INTO pledge_move (pledge_id, project_id, from_state, to_state, why)
    SELECT id, project_id, 'collecting', 'errored', 'not tried' FROM back WHERE state = 'errored'""")
# One statement for all pledges of a batch that go to one state; the mail and the totals go with it.
_NEWS = sa.text("""
    WITH news AS (
        SELECT * FROM unnest(CAST(:payments AS uuid[]), CAST(:whys AS text[]), CAST(:attempts AS int[]),
                             CAST(:hours AS int[]), CAST(:told AS boolean[]))
                      AS n(payment_id, why, attempt, hours, is_told)),
    before AS (
        SELECT p.id, p.state, n.why, n.attempt, n.is_told,
               -- A card that was saved while another one was tried is tried at once.
               CASE WHEN EXISTS (SELECT 1 FROM payment_attempt a JOIN card_setup c ON c.id = p.card_id
                                  WHERE a.payment_id = p.payment_id AND a.number = n.attempt AND c.dead_at IS NULL
                                    AND a.payment_method_id <> c.payment_method_id)
                    THEN clock_now() ELSE clock_now() + make_interval(hours => n.hours) END AS again,
               coalesce(p.fix_from, clock_now()) AS fix_from,
               coalesce(p.fix_until, clock_now() + make_interval(days => :days)) AS fix_until
          FROM pledge p JOIN news n ON n.payment_id = p.payment_id
         WHERE p.state = ANY(CAST(:was AS text[])) ORDER BY p.id FOR NO KEY UPDATE OF p),
    now AS (
        UPDATE pledge p SET state = CAST(:state AS text), leased_until = NULL,
               collected_at = CASE WHEN CAST(:state AS text) = 'collected' THEN clock_now() ELSE collected_at END,
               fix_from = CASE WHEN CAST(:state AS text) = 'errored' THEN before.fix_from ELSE p.fix_from END,
               fix_until = CASE WHEN CAST(:state AS text) = 'errored' THEN before.fix_until ELSE p.fix_until END,
               retry_at = CASE WHEN CAST(:state AS text) = 'errored' AND before.again < before.fix_until THEN before.again END
          FROM before WHERE p.id = before.id
        RETURNING p.id, p.project_id, p.reward_id, p.amount, before.state AS was, before.why, before.attempt,
                  before.is_told),
    moved AS (
        INSERT INTO pledge_move (pledge_id, project_id, from_state, to_state, why)
        SELECT id, project_id, was, CAST(:state AS text), why FROM now WHERE was <> CAST(:state AS text)),
    counted AS (
        INSERT INTO pledge_delta (project_id, reward_id, backers, raised, collected)
        SELECT project_id, reward_id, 0, 0, sum(amount) FROM now WHERE CAST(:state AS text) = 'collected' GROUP BY 1, 2)
    INSERT INTO mail (name, about, dedupe)
    SELECT CAST(:mail AS text), jsonb_build_object('pledge_id', id),
           concat_ws(':', CAST(:mail AS text), id, CASE WHEN CAST(:by_attempt AS boolean) THEN attempt END)
      FROM now WHERE is_told
    ON CONFLICT (dedupe) DO NOTHING""")
_PROJECTS = sa.text("SELECT DISTINCT project_id FROM payment WHERE id = ANY(CAST(:payments AS uuid[]))")


def follow_payments(news: Sequence[PaymentNews]) -> None:
    """Hooked to payments.payments_changed, in its transaction: the pledges follow the money."""
    paid = [one for one in news if one.state is PaymentState.SUCCEEDED]
    failed = [one for one in news if one.state is PaymentState.FAILED and one.way != "ours"]
    asked = [one for one in news if one.state is PaymentState.REQUIRES_ACTION]
    if paid:
        _settle(paid, "collected", ["collecting", "errored"], "backing/collected")
    if failed:  # errored too: the backer's own press was refused
        _settle(failed, "errored", ["collecting", "errored"], "backing/card_problem", by_attempt=True)
    if asked:
        _settle(asked, "errored", ["collecting"], "backing/card_problem", by_attempt=True)
    if ours := [one.payment_id for one in news if one.way == "ours"]:
        db.session.execute(WAIT_AGAIN, {"payments": ours})
        for project_id in db.session.scalars(_PROJECTS, {"payments": ours}).all():
            pull_brake(project_id, REQUESTS)


def _settle(news: Sequence[PaymentNews], state: str, was: list[str], mail: str, by_attempt: bool = False) -> None:
    db.session.execute(_NEWS, {
        "payments": [one.payment_id for one in news], "whys": [one.decline_class or "" for one in news],
        "attempts": [one.attempts for one in news], "hours": [one.hours for one in news],
        "told": [one.is_told for one in news], "state": state, "was": was, "mail": mail, "by_attempt": by_attempt,
        "days": current_app.config["FIX_DAYS"]})
