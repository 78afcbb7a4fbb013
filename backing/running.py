"""Steering collections: pause, go on, one pledge again, each written down; and the brake that pulls itself (S-38, O-20).

A paused run keeps everything: no pledge is leased, tried again by itself or dropped, and the time to mend a charge
stands still until staff let it go on.
"""

from uuid import UUID

import sqlalchemy as sa
import structlog
from flask import url_for
from flask_babel import gettext as _

from core.audit import note
from core.db import ask, db, transaction
from core.errors import Refusal
from core.jobs import defer, every
from payments import caps, safety
from payments.alerts import alert, alert_kind

log = structlog.get_logger()
STAFF, DECLINES, REQUESTS = "staff", "declines", "requests"  # why a run is paused
MANY, TOO_MUCH, MINUTES = 50, 15, 10  # attempts; per cent of them that fail; in the last so many minutes

_PAUSE = sa.text("""
    UPDATE collection_run r SET state = 'paused', why = :why, paused_at = clock_now() FROM project p
     WHERE r.project_id = :project AND r.state <> 'paused' AND p.id = r.project_id RETURNING r.paused_at, p.slug, p.title""")
_RESUME = sa.text("""
    UPDATE collection_run SET state = 'running', why = '', finished_at = NULL, paused_at = NULL, resumed_at = clock_now()
     WHERE project_id = :project AND state = 'paused' RETURNING old.why AS why, old.paused_at AS paused_at""")
# The time to mend stood still. What was refused in the bad window is tried once more, an hour from now so that the brake
# can see first how the others fare, unless its card is dead or its bank asked for the backer.
_EXTEND = sa.text("""
    UPDATE pledge g SET fix_from = g.fix_from + (clock_now() - CAST(:paused_at AS timestamptz)),
           fix_until = g.fix_until + (clock_now() - CAST(:paused_at AS timestamptz)),
           retry_at = CASE WHEN s.is_again THEN clock_now() + interval '1 hour' ELSE g.retry_at END,
           last_try_at = CASE WHEN s.is_again THEN NULL ELSE g.last_try_at END
      FROM (SELECT g.id, :why = 'declines' AND c.dead_at IS NULL AND y.decline_class IS DISTINCT FROM 'authenticate'
                         AND y.changed_at > CAST(:paused_at AS timestamptz) - make_interval(mins => :minutes) AS is_again
              FROM pledge g JOIN card_setup c ON c.id = g.card_id JOIN payment y ON y.id = g.payment_id
             WHERE g.project_id = :project AND g.state = 'errored') s
     WHERE g.id = s.id""")


def pull_brake(project_id: UUID, why: str, by_id: UUID | None = None, said: str = "", code: str = "") -> bool:
    """Pause a run, inside the caller's transaction; staff are told unless they did it. False when it stands already."""
    row = db.session.execute(_PAUSE, {"project": project_id, "why": why}).first()
    if row is None:
        return False
    more = {name: value for name, value in (("said", said.strip()[:300]), ("code", code)) if value}
    note("backing:pause_run", "project", project_id, by_id=by_id, project_id=project_id, why=why, **more)
    if why != STAFF:
        alert("run_paused", dedupe=f"{project_id}:{row.paused_at.isoformat()}", slug=row.slug, title=row.title, why=why,
              code=code)
    log.warning("collection paused", project=str(project_id), why=why, **more)
    return True


def pause_run(project_id: UUID, said: str = "", by_id: UUID | None = None) -> bool:
    """Staff stop a run; what is in the air ends, and nothing more begins."""
    with transaction():
        return pull_brake(project_id, STAFF, by_id, said)


def resume_run(project_id: UUID, by_id: UUID | None = None) -> bool:
    """paused → running, once what it was paused for is mended; False when it is not paused."""
    with transaction() as session:
        row = session.execute(_RESUME, {"project": project_id}).first()
        if row is None:
            return False
        if row.paused_at is not None:
            session.execute(_EXTEND, {"project": project_id, "why": row.why, "paused_at": row.paused_at, "minutes": MINUTES})
        note("backing:resume_run", "project", project_id, by_id=by_id, project_id=project_id, why=row.why)
        defer("backing:run_collection", project_id=str(project_id))
    return True


def retry_pledge(pledge_id: UUID, by_id: UUID | None = None) -> None:
    """Try one errored pledge now, with the card it has; Refusal when that cannot be."""
    if safety.look().is_safe_mode:
        raise Refusal(_("Money-safe mode is on: nothing is charged anywhere until staff release it."))
    with transaction() as session:
        row = session.execute(sa.text("""
            SELECT g.state, g.project_id, c.payment_method_id, r.state AS run
              FROM pledge g JOIN card_setup c ON c.id = g.card_id JOIN collection_run r ON r.project_id = g.project_id
             WHERE g.id = :id FOR UPDATE OF g"""), {"id": pledge_id}).first()
        if row is None or row.state != "errored":
            raise Refusal(_("There is nothing to try on this pledge."))
        if row.run == "paused":
            raise Refusal(_("The collection is paused. Let it go on first."))
        if not caps.may_try(row.payment_method_id, automatic=True):
            raise Refusal(_("This card was tried as often as card networks allow. Only its backer can mend it, with another "
                            "card."))
        note("backing:retry_pledge", "pledge", pledge_id, by_id=by_id, project_id=row.project_id)
        defer("backing:collect_pledge", pledge_id=str(pledge_id))


# First tries only: a card that was refused yesterday fails again today without anything being wrong with us. Ids are
# made by the real clock, so they narrow the search; what counts is the virtual one.
_FAILING = sa.text("""
    WITH tried AS (
        SELECT a.project_id, a.outcome IN ('requires_payment_method', 'canceled') AS is_refused
          FROM payment_attempt a LEFT JOIN collection_run r ON r.project_id = a.project_id
         WHERE a.id > (SELECT uuidv7(make_interval(mins => -2 * :minutes))) AND a.number = 1 AND a.is_automatic
           AND a.answered_at > greatest(
                 clock_now() - make_interval(mins => :minutes), coalesce(r.resumed_at, '-infinity'))),
    counted AS (
        SELECT project_id, count(*) AS n, count(*) FILTER (WHERE is_refused) AS refused FROM tried
         GROUP BY GROUPING SETS ((project_id), ())),
    wrong AS (SELECT project_id FROM counted WHERE n >= :many AND refused * 100 > n * :too_much)
    SELECT r.project_id FROM collection_run r
     WHERE r.state <> 'paused' AND (
           r.project_id IN (SELECT project_id FROM wrong)
           OR (EXISTS (SELECT 1 FROM wrong WHERE project_id IS NULL)
               AND (r.state = 'running' OR r.project_id IN (SELECT project_id FROM tried))))""")


@every(5, "backing:watch_declines")
def watch_declines() -> int:
    """Pause what fails in masses: the platform's runs or one project's. Then it is not the cards (S-38)."""
    rows = ask(_FAILING, minutes=MINUTES, many=MANY, too_much=TOO_MUCH)
    for row in rows:
        with transaction():
            pull_brake(row.project_id, DECLINES)
    return len(rows)


_IS_RUNNING = sa.text("SELECT 1 FROM collection_run WHERE project_id = :project AND state = 'running'")


def is_running(project_id: UUID) -> bool:
    return bool(ask(_IS_RUNNING, project=project_id))


@alert_kind("run_paused")
def _run_paused(facts: dict[str, str]) -> tuple[str, str]:
    title, why = facts.get("title", ""), facts.get("why", "")
    page = url_for("backing.collection", slug=facts.get("slug", ""))
    if why == DECLINES:
        return _("The collection of “%(title)s” paused itself: more than %(p)s%% of its charges were refused within "
                 "%(n)s minutes. Nobody is dropped meanwhile. Find out why, then let it go on.",
                 title=title, p=TOO_MUCH, n=MINUTES), page
    return _("The collection of “%(title)s” paused itself: Stripe did not accept our requests (%(code)s). It is nobody's "
             "card, and no backer was told that it is. Once it is mended, let it go on.", title=title,
             code=facts.get("code") or "?"), page
