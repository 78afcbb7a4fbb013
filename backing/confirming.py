"""A card was saved: the pledge counts from now on, gets its backer number, and is thanked (DESIGN 3, step 5)."""

import sqlalchemy as sa
from sqlalchemy.orm.attributes import set_committed_value

from backing.hooks import pledge_changed, pledge_confirmed
from backing.models import Pledge, PledgeState
from backing.placing import SHARE_PROJECT, claim, release
from backing.totals import add_delta
from core.db import db, run
from core.jobs import defer
from core.mail import post
from payments.models import CardSetup

S = PledgeState
_COUNT = sa.text("""
    WITH counter AS (
        INSERT INTO backer_counter AS c (project_id, last) VALUES (:project, 1)
        ON CONFLICT (project_id) DO UPDATE SET last = c.last + 1 RETURNING last)
    UPDATE pledge SET state = 'pledged', number = counter.last, card_id = :card, pledged_at = :at
      FROM counter WHERE id = :pledge RETURNING number""")


def follow_card(setup: CardSetup) -> None:
    """Hooked to payments.card_saved; runs in the transaction that took the card, once per card."""
    session = db.session
    session.execute(SHARE_PROJECT, {"project": setup.project_id})
    pledge = session.get(Pledge, setup.subject_id, with_for_update=True, populate_existing=True)
    if pledge is None or pledge.backer_id != setup.person_id:
        return
    if pledge.state in (S.HELD, S.EXPIRED):
        _confirm(pledge, setup)
    elif pledge.state is S.PLEDGED:
        pledge.card_id = setup.id
        pledge_changed.send(pledge)
    elif pledge.state in (S.ERRORED, S.COLLECTING):
        pledge.card_id = setup.id
        defer("backing:collect_pledge", pledge_id=str(pledge.id), automatic=False)


def _confirm(pledge: Pledge, setup: CardSetup) -> None:
    """held → pledged, if the project still runs; an ended hold counts if its reward can be had again (S-25)."""
    session = db.session
    is_open = session.scalar(sa.text(
        "SELECT state = 'live' AND deadline > clock_now() FROM project WHERE id = :project"), {"project": pledge.project_id})
    was_held = pledge.state is S.HELD
    if not is_open:
        if was_held:
            pledge.move(S.EXPIRED, why="the deadline passed before the card was saved")
            session.flush()
            release(pledge.reward_id)
        post("backing/too_late", pledge_id=pledge.id)
        return
    if not was_held:
        rival = session.scalar(sa.text("""
            SELECT 1 FROM pledge WHERE project_id = :project AND backer_id = :backer AND id <> :id
               AND state IN ('held', 'pledged', 'collecting', 'collected', 'errored')"""),
            {"project": pledge.project_id, "backer": pledge.backer_id, "id": pledge.id})
        if rival or (pledge.reward_id and not claim(pledge.reward_id)):
            post("backing/reward_gone", pledge_id=pledge.id)
            return
    add_delta(pledge.project_id, pledge.reward_id, backers=1, raised=pledge.amount)
    post("backing/thanks", pledge_id=pledge.id)
    pledge.check_move(S.PLEDGED)
    session.add(pledge.history_row(from_state=pledge.state, to_state=S.PLEDGED, by_id=pledge.backer_id))
    session.flush()
    # The counter's row is a queue of all who confirm in this project: as little as may be comes after it. What sharing
    # does must, since the queue also keeps two from becoming each other's recruiter.
    number = run(_COUNT, project=pledge.project_id, pledge=pledge.id, card=setup.id, at=setup.completed_at)[0].number
    written = {"state": S.PLEDGED, "number": number, "card_id": setup.id, "pledged_at": setup.completed_at}
    for key, value in written.items():
        set_committed_value(pledge, key, value)
    session.expire(pledge, ["card"])
    pledge_confirmed.send(pledge)


