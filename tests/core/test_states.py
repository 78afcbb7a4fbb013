"""States move by their table only, and every move leaves a row."""

import itertools

import pytest
import sqlalchemy as sa

from backing.models import ACTIVE, STANDING, Pledge, PledgeState
from core.db import db, transaction
from core.states import IllegalMove
from payments.models import Payment, PaymentState
from projects.models import Project, ProjectState
from tests.factories import make_person, make_pledge, make_project, scalar


@pytest.mark.parametrize(("model", "states"), [(Pledge, PledgeState), (Payment, PaymentState), (Project, ProjectState)])
def test_every_state_has_its_moves_and_they_lead_to_states(model, states):
    assert set(model.MOVES) == set(states)
    assert all(to in states for moves in model.MOVES.values() for to in moves)
    assert all(state not in moves for state, moves in model.MOVES.items())


@pytest.mark.parametrize(("was", "to"), [
    (was, to) for was, to in itertools.product(PledgeState, PledgeState) if to not in Pledge.MOVES[was]])
def test_an_illegal_move_is_refused_and_changes_nothing(was, to):
    pledge = Pledge(state=was)
    with pytest.raises(IllegalMove, match=f"from {was} to {to}"):
        pledge.move(to)
    assert pledge.state is was


def test_a_move_writes_who_when_and_why_with_the_change(app):
    person = make_person()
    pledge = make_pledge(make_project(), person)
    with transaction():
        pledge.move(PledgeState.CANCELLED, by_id=person.id, why="money")
    row = db.session.execute(sa.text("SELECT from_state, to_state, by_id, why, at <= clock_now() AS is_past "
                                     "FROM pledge_move")).one()
    assert tuple(row) == ("pledged", "cancelled", person.id, "money", True)


def test_a_move_that_is_rolled_back_leaves_no_row(app):
    pledge = make_pledge(make_project())
    with pytest.raises(ZeroDivisionError), transaction():
        pledge.move(PledgeState.CANCELLED)
        db.session.flush()
        raise ZeroDivisionError
    assert scalar("SELECT count(*) FROM pledge_move") == 0 and scalar("SELECT state FROM pledge") == "pledged"


def test_what_is_paid_for_good_cannot_be_undone_by_a_move():
    assert Payment.MOVES[PaymentState.SUCCEEDED] == set()
    for end in (PledgeState.CANCELLED, PledgeState.LAPSED, PledgeState.DROPPED):
        assert Pledge.MOVES[end] == set()
    assert Pledge.MOVES[PledgeState.REFUNDED] == {PledgeState.COLLECTED}, "a bank may send a refund back"


def test_only_what_stands_counts():
    assert set(STANDING) < set(ACTIVE)
    assert PledgeState.HELD in ACTIVE and PledgeState.HELD not in STANDING


def test_the_database_knows_the_states_too(app):
    make_pledge(make_project())
    with pytest.raises(sa.exc.IntegrityError), transaction() as session:
        session.execute(sa.text("UPDATE pledge SET state = 'paid'"))
