"""Scenes of payouts: a collected project whose creator has an account, at any day after its deadline."""

from datetime import timedelta
from typing import Any

import sqlalchemy as sa

from core import clock
from core.db import db, transaction
from core.jobs import drain
from payments import accounts
from payments.models import PayoutAccount
from tests.factories import back, end_project, make_project, scalar


def make_account(stripe: Any, person: Any, country: str = "NL") -> str:
    """An account at the sandbox that may receive transfers, and our row of it; its id."""
    accounts.onboarding(person, country, "http://localhost/back", "http://localhost/again")
    stripe_id = scalar("SELECT stripe_id FROM payout_account WHERE person_id = :p", p=person.id)
    stripe.post(f"accounts/{stripe_id}/activate")
    accounts.refresh_account(person.id)
    return str(stripe_id)


def follow(stripe: Any) -> None:
    """Stripe's clock goes where ours is."""
    stripe.post("clock", offset=clock.shift().total_seconds())


def go(stripe: Any, days: float = 0, **span: float) -> None:
    clock.move_clock(timedelta(days=days, **span))
    follow(stripe)
    db.session.expire_all()


def collected(app: Any, stripe: Any, *amounts: int, days: float = 0, **columns: Any) -> Any:
    """A project whose backers were charged these amounts, `days` after its deadline."""
    amounts = amounts or (5_000, 10_000)
    project = make_project(goal=1_000, **columns)
    if db.session.get(PayoutAccount, project.creator_id) is None:
        make_account(stripe, project.creator)
    for amount in amounts:
        back(stripe, project, bonus=amount)
    end_project(app, project)
    follow(stripe)
    assert scalar("SELECT count(*) FROM payment WHERE state = 'succeeded'") >= len(amounts)
    if days:
        go(stripe, days)
    return project


def work(app: Any) -> None:
    """What the worker does: ticks and jobs, twice, so that what the first round asks for is done."""
    drain(app)
    drain(app)
    db.session.expire_all()


def books(stripe: Any, account: str) -> int:
    """What an account has at the sandbox, in euro cents."""
    return int(stripe.get("books")["accounts"].get(account, {}).get("eur", 0))


def empty_account(stripe: Any, account: str, leave: int = 0) -> None:
    """The creator's bank account took it all."""
    amount = books(stripe, account) - leave
    if amount > 0:
        stripe.post("payouts", amount=amount, currency="eur", account=account)


def ripen() -> None:
    """As if a dead worker's two minutes, or a wait, were over."""
    with transaction() as session:
        for table in ("transfer", "transfer_reversal"):
            session.execute(sa.text(f"UPDATE {table} SET next_at = clock_now() WHERE next_at IS NOT NULL"))
        session.execute(sa.text("UPDATE payout_run SET next_at = clock_now()"))
