"""Who gets what for the friends they brought, and what becomes of it when friends or money go."""

from datetime import timedelta

import pytest
import sqlalchemy as sa

from core import clock
from core.db import db, transaction
from core.states import IllegalMove
from payments.checks import run_checks
from projects.models import ProjectState
from sharing import granting, milestones, steps, tallies
from sharing.models_milestones import Grant, GrantState
from sharing.services import link_of
from tests.factories import make_person, make_pledge, make_project, scalar, square
from tests.sharing.steps import (
    become,
    bring,
    claimed,
    follow,
    history_of,
    mails,
    make_sharer,
    make_step,
    state_of,
)

S = GrantState


@pytest.fixture
def project(app):
    with app.test_request_context():
        yield make_project()
    assert milestones.check() == []


def reach(project, noor, n=3):
    friends = bring(project, noor, n)
    follow(noor, project=project)
    return friends


def test_a_step_is_kept_when_so_many_friends_pledged_and_not_before(project):
    step, noor = make_step(project, 3, quantity=5), make_sharer(project)
    reach(project, noor, 2)
    assert state_of(project, noor) is None and claimed(step) == 0 and mails() == []
    reach(project, noor, 1)
    assert state_of(project, noor) == "pending" and claimed(step) == 1
    assert history_of(project, noor) == ["waiting", "pending"] and mails() == ["pending"]


def test_following_twice_gives_once(project):
    step, noor = make_step(project), make_sharer(project)
    reach(project, noor)
    follow(noor, project=project)
    follow(noor, project=project)
    assert claimed(step) == 1 and mails() == ["pending"] and history_of(project, noor) == ["waiting", "pending"]


def test_it_is_earned_a_fortnight_after_so_many_friends_and_the_sharer_paid(project, app):
    step, noor = make_step(project), make_sharer(project)
    friends = reach(project, noor)
    become(friends[:2], "collected", days_ago=20)
    follow(noor, project=project)
    assert state_of(project, noor) == "pending"
    become(friends[2:], "collected", days_ago=13.9)
    follow(noor, project=project)
    granting.settle()
    assert state_of(project, noor) == "pending" and mails() == ["pending"]
    clock.move_clock(timedelta(days=0.2))
    granting.settle()
    assert state_of(project, noor) == "pending"  # her own pledge is not paid
    own = db.session.scalars(sa.text("SELECT id FROM pledge WHERE backer_id = :p"), {"p": noor.id}).all()
    with transaction() as session:
        session.execute(sa.text("UPDATE pledge SET state = 'collected', collected_at = clock_now() WHERE id = ANY(:i)"),
                        {"i": own})
    granting.settle()
    assert state_of(project, noor) == "earned" and mails() == ["pending", "earned"] and claimed(step) == 1


def test_the_days_are_a_setting(project, app, monkeypatch):
    noor = make_sharer(project)
    make_step(project)
    friends = reach(project, noor)
    become([*friends, own_of(project, noor)], "collected", days_ago=3)
    follow(noor, project=project)
    assert state_of(project, noor) == "pending"
    monkeypatch.setitem(app.config, "MILESTONE_DAYS", 2)
    granting.settle()
    assert state_of(project, noor) == "earned"


def own_of(project, person):
    from backing.queries import active_pledge

    return active_pledge(project.id, person.id)


def earn(project, noor, n=3):
    friends = reach(project, noor, n)
    become([*friends, own_of(project, noor)], "collected", days_ago=15)
    follow(noor, project=project)
    assert state_of(project, noor, n) == "earned"
    return friends


@pytest.mark.parametrize("state", ["cancelled", "dropped", "lapsed", "refunded"])
def test_a_friend_who_drops_out_before_takes_it_along(project, state):
    step, noor = make_step(project, quantity=1), make_sharer(project)
    friends = reach(project, noor)
    become(friends[:1], state)
    follow(noor, project=project)
    assert state_of(project, noor) == "lost" and claimed(step) == 0
    assert scalar("SELECT why FROM milestone_grant") == ("refund" if state == "refunded" else "left")
    assert mails() == ["pending", "taken_back"]
    bring(project, noor, 1)
    follow(noor, project=project)
    assert state_of(project, noor) == "pending" and claimed(step) == 1
    assert mails() == ["pending", "taken_back"]  # never twice for the same step


def test_a_refund_after_it_was_earned_takes_it_back_with_its_reason(project):
    step, noor = make_step(project, quantity=1), make_sharer(project)
    friends = earn(project, noor)
    become(friends[:1], "refunded")
    follow(noor, project=project)
    assert state_of(project, noor) == "taken_back" and claimed(step) == 0
    assert scalar("SELECT why FROM milestone_grant") == "refund"
    assert history_of(project, noor)[-1] == "taken_back" and mails() == ["pending", "earned", "taken_back"]


def test_a_struck_friend_takes_it_back_and_an_unstruck_one_gives_it_again(project):
    step, noor = make_step(project), make_sharer(project)
    friends = earn(project, noor)
    strike(friends[0], "clock_now()")
    follow(noor, project=project)
    assert state_of(project, noor) == "taken_back" and claimed(step) == 0
    assert scalar("SELECT why FROM milestone_grant") == "struck"
    strike(friends[0], "NULL")
    follow(noor, project=project)
    assert state_of(project, noor) == "earned" and claimed(step) == 1


def strike(pledge, moment):
    with transaction() as session:
        session.execute(sa.text(f"UPDATE recruit SET struck_at = {moment} WHERE pledge_id = :id"), {"id": pledge.id})


def dispute(pledge, is_withdrawn=True):
    """A bank holds this pledge's money, or gives it back; told as payments tells it."""
    from payments.hooks import dispute_changed
    from payments.models import Dispute

    with transaction() as session:
        payment = session.scalar(sa.text("SELECT payment_id FROM pledge WHERE id = :id"), {"id": pledge.id})
        if payment is None:
            payment = session.scalar(sa.text("""
                INSERT INTO payment (project_id, subject_id, person_id, amount, currency, fee_bp, state)
                SELECT project_id, id, backer_id, amount, currency, 500, 'succeeded' FROM pledge WHERE id = :id
                RETURNING id"""), {"id": pledge.id})
            session.execute(sa.text("UPDATE pledge SET payment_id = :m WHERE id = :id"), {"m": payment, "id": pledge.id})
            one = Dispute(stripe_id=f"du_{pledge.number}", payment_id=payment, project_id=pledge.project_id, amount=100,
                          currency="EUR", status="needs_response")
            session.add(one)
        else:
            one = session.scalar(sa.select(Dispute).where(Dispute.payment_id == payment))
        one.is_withdrawn = is_withdrawn
        session.flush()
        granting.note_dispute(one)
    assert granting.note_dispute in dispute_changed._ears
    granting.settle()
    db.session.expire_all()


def test_a_dispute_takes_it_back_and_a_won_one_gives_it_again(project):
    step, noor = make_step(project), make_sharer(project)
    friends = earn(project, noor)
    dispute(friends[0])
    assert state_of(project, noor) == "taken_back" and claimed(step) == 0
    assert scalar("SELECT why FROM milestone_grant") == "dispute"
    dispute(friends[0], is_withdrawn=False)
    assert state_of(project, noor) == "earned" and claimed(step) == 1


def test_a_later_friend_stands_in_for_one_who_left_and_nothing_is_taken_back(project):
    make_step(project)
    noor = make_sharer(project)
    friends = earn(project, noor)
    become(bring(project, noor, 1), "collected")
    become(friends[:1], "refunded")
    follow(noor, project=project)
    assert state_of(project, noor) == "earned"  # three paid, one of them today: what is earned stays earned


def test_whoever_shares_without_a_pledge_gets_it_when_pledging(project):
    step, noor = make_step(project, quantity=1), make_sharer(project, pledged=False)
    reach(project, noor)
    assert state_of(project, noor) == "waiting" and claimed(step) == 0 and mails() == ["waiting"]
    held = make_pledge(project, noor, state="held")
    granting.settle()
    assert state_of(project, noor) == "waiting"
    with transaction() as session:  # the card is saved: this is what confirming does
        session.execute(sa.text("UPDATE pledge SET state = 'pledged', number = 99 WHERE id = :id"), {"id": held.id})
    assert granting.settle() == 1
    assert state_of(project, noor) == "pending" and claimed(step) == 1 and mails() == ["waiting", "pending"]


def test_whoever_withdraws_the_own_pledge_is_kept_nothing_and_earns_nothing(project):
    step, noor = make_step(project, quantity=1), make_sharer(project)
    reach(project, noor)
    become([own_of(project, noor)], "cancelled")
    granting.settle()
    assert state_of(project, noor) == "waiting" and claimed(step) == 0 and scalar("SELECT why FROM milestone_grant") == "own"
    mo = make_sharer(project)
    reach(project, mo)
    assert state_of(project, mo) == "pending"  # she stands first in the line, and may not have it


def test_an_own_refund_takes_back_what_was_earned(project):
    step, noor = make_step(project), make_sharer(project)
    earn(project, noor)
    become([own_of(project, noor)], "refunded")
    granting.settle()
    assert state_of(project, noor) == "taken_back" and scalar("SELECT why FROM milestone_grant") == "own"
    granting.settle()
    follow(noor, project=project)
    assert state_of(project, noor) == "taken_back" and claimed(step) == 0


def test_the_next_in_line_gets_what_comes_free_in_the_order_of_reaching(project):
    step = make_step(project, 2, quantity=1)
    first, second, third = (make_sharer(project, name) for name in ("Anna Bos", "Bram Kok", "Coen Dam"))
    friends = reach(project, first, 2)
    now = clock.now()
    for person, hours in ((third, 1), (second, 2)):  # Bram was there an hour before Coen, who is heard of first
        bring(project, person, 2, at=now - timedelta(hours=hours))
        follow(person, project=project)
    assert [state_of(project, p, 2) for p in (first, second, third)] == ["pending", "waiting", "waiting"]
    assert [milestones.way_of(project.id, p.id).stages[0].place for p in (first, second, third)] == [0, 1, 2]
    become(friends, "cancelled")
    follow(first, project=project)
    assert [state_of(project, p, 2) for p in (first, second, third)] == ["lost", "pending", "waiting"]
    assert claimed(step) == 1 and mails(second) == ["waiting", "pending"] and mails(third) == ["waiting"]


def test_the_next_in_line_whose_friends_paid_long_ago_has_it_at_once(project):
    make_step(project, 1, quantity=1)
    first, second = make_sharer(project), make_sharer(project)
    friends = reach(project, first, 1)
    become([*reach(project, second, 1), own_of(project, second)], "collected", days_ago=30)
    follow(second, project=project)
    assert state_of(project, second, 1) == "waiting"
    become(friends, "cancelled")
    follow(first, project=project)
    assert state_of(project, second, 1) == "earned" and mails(second) == ["waiting", "earned"]


def test_more_stock_reaches_the_line_and_a_new_step_those_who_are_there(project, tallied):
    step = make_step(project, 2, quantity=1)
    people = [make_sharer(project) for _ in range(3)]
    for person in people:
        reach(project, person, 2)
    assert sorted(state_of(project, p, 2) for p in people) == ["pending", "waiting", "waiting"]
    steps.edit_step(project, step.id, 2, step.reward.title, quantity=2)
    granting.settle()
    assert sorted(state_of(project, p, 2) for p in people) == ["pending", "pending", "waiting"] and claimed(step) == 2
    tallied(project)
    new = make_step(project, 1)
    granting.settle()
    assert {state_of(project, p, 1) for p in people} == {"pending"} and claimed(new) == 3


@pytest.fixture
def tallied():
    """Fill the tallies as the roll-up would."""
    def fill(project):
        with transaction() as session:
            session.execute(sa.text("""
                INSERT INTO link_tally (link_id, project_id, n, is_person, recruits)
                SELECT l.id, l.project_id, l.n, true, count(*) FROM share_link l JOIN recruit r ON r.link_id = l.id
                 WHERE l.project_id = :p GROUP BY l.id ON CONFLICT (link_id) DO UPDATE SET recruits = excluded.recruits"""),
                {"p": project.id})
    return fill


def test_a_closed_step_takes_no_newcomer_and_keeps_who_is_there(project, tallied):
    step, noor, mo = make_step(project, 1), make_sharer(project), make_sharer(project)
    reach(project, noor, 1)
    steps.close_step(project, step.id, True)
    reach(project, mo, 1)
    assert (state_of(project, noor, 1), state_of(project, mo, 1)) == ("pending", None)
    tallied(project)
    steps.close_step(project, step.id, False)
    granting.settle()
    assert state_of(project, mo, 1) == "pending"


def test_a_tag_earns_nothing_and_another_projects_friends_do_not_count(project):
    make_step(project, 1)
    other, noor = make_project(), make_sharer(project)
    bring(other, noor, 1)
    with transaction() as session:
        tag = session.scalar(sa.text("INSERT INTO share_link (code, project_id) VALUES ('tag', :p) RETURNING id"),
                             {"p": project.id})
        session.execute(sa.text("UPDATE recruit SET link_id = :tag, recruiter_id = NULL, project_id = :p"),
                        {"tag": tag, "p": project.id})
        granting.follow([tag, link_of(noor, project).id])
    assert scalar("SELECT count(*) FROM milestone_grant") == 0


def test_grants_move_only_where_the_table_says(project):
    make_step(project, 1)
    noor = make_sharer(project)
    reach(project, noor, 1)
    grant = db.session.scalar(sa.select(Grant))
    for state in (S.TAKEN_BACK, S.PENDING):
        with pytest.raises(IllegalMove):
            grant.move(state)
    db.session.rollback()


def test_a_project_that_misses_its_goal_lets_all_go_without_a_word(project):
    make_step(project, 1, quantity=1)
    noor = make_sharer(project)
    friends = reach(project, noor, 1)
    with transaction() as session:
        session.execute(sa.text("UPDATE project SET state = 'unsuccessful' WHERE id = :p"), {"p": project.id})
    become([*friends, own_of(project, noor)], "lapsed")
    granting.settle()
    follow(noor, project=project)
    assert state_of(project, noor, 1) == "lost" and scalar("SELECT why FROM milestone_grant") == "project"
    from core.mail import AUTHORS

    assert AUTHORS["sharing/milestone_taken_back"](str(scalar("SELECT id FROM milestone_grant"))) is None


def test_the_stock_of_steps_is_none_of_the_money_checks_business(project):
    make_step(project, 1, quantity=3)
    noor = make_sharer(project)
    reach(project, noor, 1)
    square()
    assert [rows for name, rows in run_checks() if name.startswith("stock")] == [[]]


def test_the_check_names_what_is_wrong(project):
    step, noor = make_step(project, 1, quantity=5), make_sharer(project)
    reach(project, noor, 1)
    for wrong, mend in (
            ("UPDATE reward SET claimed = 2 WHERE id = :r", "UPDATE reward SET claimed = 1 WHERE id = :r"),
            ("UPDATE milestone_grant SET state = 'earned' WHERE :r IS NOT NULL",
             "UPDATE milestone_grant SET state = 'pending' WHERE :r IS NOT NULL"),
            ("UPDATE milestone SET friends = 2 WHERE reward_id = :r", "UPDATE milestone SET friends = 1 WHERE reward_id = :r")):
        with transaction() as session:
            session.execute(sa.text("DELETE FROM share_due"))
            session.execute(sa.text(wrong), {"r": step.reward_id})
        assert milestones.check(), wrong
        with transaction() as session:
            session.execute(sa.text(mend), {"r": step.reward_id})


def test_what_is_earned_or_kept_is_there_for_the_backer_list(project):
    _step, noor, mo = make_step(project, 1, title="Signed photo"), make_sharer(project), make_sharer(project)
    reach(project, mo, 1)
    earn(project, noor, 1)
    assert milestones.titles_of(project.id, [noor.id, mo.id]) == {
        noor.id: [("Signed photo", True)], mo.id: [("Signed photo", False)]}


def test_a_project_without_steps_costs_one_statement(app):
    project, noor = make_project(), make_person()
    bring(project, noor, 3)
    link, seen = link_of(noor, project).id, []
    sa.event.listen(db.engine, "before_cursor_execute", lambda *a: seen.append(a[2]))
    with transaction():
        granting.follow([link])
    assert len(seen) == 1 and project.state is ProjectState.LIVE


def test_the_roll_up_notes_whose_steps_want_looking_at_and_the_next_tick_looks(project):
    step, noor = make_step(project, 2, quantity=1), make_sharer(project)
    friends = bring(project, noor, 2)
    tallies.rebuild(project.id)
    assert scalar("SELECT count(*) FROM milestone_due") >= 1 and state_of(project, noor, 2) is None
    granting.settle()
    assert state_of(project, noor, 2) == "pending" and claimed(step) == 1
    become(friends[:1], "cancelled")
    tallies.roll_up()
    granting.settle()
    assert state_of(project, noor, 2) == "lost" and claimed(step) == 0 and scalar("SELECT count(*) FROM milestone_due") == 0
