"""Rows that sharing looks at: pledges as backing leaves them, confirmed through the hook it sends."""

import uuid
from typing import Any

import sqlalchemy as sa

from backing.hooks import pledge_confirmed
from backing.models import Pledge, PledgeState
from core import clock, later
from core.db import db, transaction
from payments.models import Dispute, DisputeStatus, Refund, RefundState
from people.models import Person
from projects.models import Project
from sharing import flags
from tests.factories import make_person

FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"


def make_pledge(project: Project, backer: Person | None = None, amount: int = 2_500, *, ref: str | None = None,
                state: PledgeState = PledgeState.PLEDGED, **columns: Any) -> Pledge:
    """A pledge whose card was saved just now, told to the rooms above, then moved to `state`."""
    backer = backer or make_person()
    with transaction() as session:
        number = session.scalar(sa.text("SELECT coalesce(max(number), 0) + 1 FROM pledge WHERE project_id = :p"),
                                {"p": project.id})
        pledge = Pledge(**({"project_id": project.id, "backer_id": backer.id, "amount": amount, "number": number,
                            "currency": project.currency, "token": uuid.uuid4(), "ref": ref,
                            "state": PledgeState.PLEDGED, "source": "share" if ref else "direct",
                            "pledged_at": clock.now()} | columns))
        session.add(pledge)
        session.flush()
        pledge_confirmed.send(pledge)
        session.flush()
        pledge.state = state
    return pledge


def open_link(client: Any, code: str, *, agent: str = FIREFOX, **headers: str) -> Any:
    answer = client.get(f"/s/{code}", headers={"User-Agent": agent, **headers})
    assert answer.status_code < 500
    return answer


def count(table: str) -> int:
    later.flush_all()
    return db.session.execute(sa.text(f"SELECT count(*) FROM {table}")).scalar_one()


def payment_of(pledge: Pledge) -> Any:
    """The id of the payment of a pledge whose money is there."""
    with transaction() as session:
        session.execute(sa.text("""
            WITH m AS (INSERT INTO payment (project_id, subject_id, person_id, amount, currency, fee_bp, state)
                       SELECT project_id, id, backer_id, amount, currency, 500, 'succeeded' FROM pledge
                        WHERE id = :id AND payment_id IS NULL RETURNING id)
            UPDATE pledge SET payment_id = m.id FROM m WHERE pledge.id = :id"""), {"id": pledge.id})
        return session.scalar(sa.text("SELECT payment_id FROM pledge WHERE id = :id"), {"id": pledge.id})


def refund(pledge: Pledge, amount: int, state: str = "succeeded", **columns: Any) -> Refund:
    """So much of a collected pledge went back, as payments writes it down."""
    payment = payment_of(pledge)
    with transaction() as session:
        found = Refund(payment_id=payment, project_id=pledge.project_id, amount=amount, currency="EUR", reason="asked",
                       state=RefundState(state), **columns)
        session.add(found)
    return found


def dispute(pledge: Pledge, held: int, status: str = "lost") -> Dispute:
    """A backer's bank holds so much of a collected pledge; by default it keeps it."""
    payment = payment_of(pledge)
    with transaction() as session:
        found = Dispute(payment_id=payment, project_id=pledge.project_id, stripe_id=f"du_{uuid.uuid4().hex}", currency="EUR",
                        amount=max(held, 1), held=held, is_withdrawn=held > 0, status=DisputeStatus(status))
        session.add(found)
    return found


def strike(pledge_id: Any, rule: str = "card") -> int:
    """This credit is gravely doubted, and counts for nobody; returns whether that changed anything."""
    with transaction() as session:
        project, link = session.execute(sa.text("SELECT project_id, link_id FROM recruit WHERE pledge_id = :p"),
                                        {"p": pledge_id}).one()
        flags.open_flag(project_id=project, link_id=link, rule=rule, severity="high", pledges=[pledge_id],
                        subject=pledge_id.hex)
        return flags.settle([pledge_id])


def unstrike(pledge_id: Any) -> int:
    """Somebody looked at every doubt about it and found nothing."""
    with transaction() as session:
        session.execute(sa.text("""
            UPDATE share_flag SET decision = 'credit', decided_at = clock_now()
             WHERE decision IS NULL AND id IN (SELECT flag_id FROM flagged_pledge WHERE pledge_id = :p)"""), {"p": pledge_id})
        return flags.settle([pledge_id])
