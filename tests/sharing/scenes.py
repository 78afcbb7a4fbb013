"""Rows that sharing looks at: pledges as backing leaves them, confirmed through the hook it sends."""

import uuid
from typing import Any

import sqlalchemy as sa

from backing.hooks import pledge_confirmed
from backing.models import Pledge, PledgeState
from core import clock, later
from core.db import db, transaction
from people.models import Person
from projects.models import Project
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
    return client.get(f"/s/{code}", headers={"User-Agent": agent, **headers})


def count(table: str) -> int:
    later.flush_all()
    return db.session.execute(sa.text(f"SELECT count(*) FROM {table}")).scalar_one()
