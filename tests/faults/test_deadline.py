"""C-15, end to end: cards that come in while the deadline passes, over the real HTTP, and every cent charged afterwards."""

import itertools
import os
import time

import sqlalchemy as sa

from backing.collecting import run_collection
from core.db import db, transaction
from payments import cards
from payments.models import CardSetup
from projects import closing
from tests.factories import hold, make_project, make_reward, scalar
from tests.faults.operations import agree
from tests.races import make_crowd, threads

N = 200 if os.environ.get("FAULTS") == "all" else 30
SAVERS = 3


def test_the_sum_that_decided_is_the_sum_that_is_charged(app, stripe):
    from people.models import Person

    project = make_project(goal=1)
    project_id, reward = project.id, make_reward(project, 500, quantity=N)
    sessions = []
    for n, person_id in enumerate(make_crowd(N)):
        person = db.session.get_one(Person, person_id)
        placed = hold(project, person, reward if n % 2 else None, bonus=1_000 + n)
        cards.open_card_form(subject_id=placed.pledge_id, project_id=project_id, person=person, currency="EUR",
                             description="x", locale="en", return_url="http://localhost/back", cancel_url="http://localhost/")
        session_id = scalar("SELECT session_id FROM card_setup WHERE subject_id = :p", p=placed.pledge_id)
        stripe.post(f"checkout/{session_id}/complete")
        sessions.append(session_id)
    began = time.monotonic()
    cards.settle_card(sessions[0])
    span = (time.monotonic() - began) * N / SAVERS  # how long all of them will take together, about
    with transaction() as session:
        session.execute(sa.text("UPDATE project SET deadline = clock_now() + make_interval(secs => :half) WHERE id = :p"),
                        {"half": min(5.0, max(0.3, span / 3)), "p": project_id})

    def save(mine):
        for session_id in mine:
            cards.settle_card(session_id)
            time.sleep(0.02)

    def shut():
        while not scalar("SELECT state <> 'live' FROM project WHERE id = :p", p=project_id):
            db.session.rollback()
            closing.close_due()

    mine = [list(itertools.islice(sessions[1:], i, None, SAVERS)) for i in range(SAVERS)]
    answers = threads(app, *(lambda some=some: save(some) for some in mine), shut, shut)
    assert answers == [None] * (SAVERS + 2), answers
    decided, backers, deadline = db.session.execute(sa.text(
        "SELECT raised_at_close, backers_at_close, deadline FROM project WHERE id = :p"), {"p": project_id}).one()
    assert 1 <= backers < N, backers
    db.session.rollback()
    run_collection(project_id)
    charged = [one["amount"] for one in stripe.get("state/charge") if one["status"] == "succeeded"]
    assert (sum(charged), len(charged)) == (decided, backers)
    assert scalar("SELECT max(completed_at) FROM card_setup c JOIN pledge p ON p.card_id = c.id AND p.state = 'collected'") < deadline
    assert scalar("SELECT count(*) FROM pledge WHERE state = 'expired'") == N - backers
    assert scalar("SELECT count(*) FROM mail WHERE name = 'backing/too_late'") \
        == db.session.scalar(sa.select(sa.func.count()).select_from(CardSetup).where(CardSetup.state == "complete")) - backers
    agree(stripe)
