"""C-01 to C-14: a limited reward is never sold once too often, and never refused once too early."""

import ast
import re
import threading
import time
import uuid
from datetime import timedelta
from pathlib import Path

import psycopg
import pytest
import sqlalchemy as sa

from backing import changes, texts
from backing.changes import Change, change_pledge
from backing.models import Pledge, PledgeState
from backing.placing import AlreadyBacking, Choice, SoldOut, place_pledge
from core import clock
from core.db import db, transaction
from core.errors import Refusal
from payments import gateway
from tests.factories import (
    back,
    check_money,
    csrf_token,
    hold,
    make_person,
    make_project,
    make_reward,
    save_card,
    scalar,
    sign_in,
)
from tests.races import forked, make_crowd, threads

S = PledgeState
PROCESSES, TRIES, CAP = 16, 20, 50


def _buy(project_id, backer_id, reward_id, **more):
    return place_pledge(Choice(project_id, backer_id, reward_id, 0, uuid.uuid4(), **more))


def _states():
    return dict(db.session.execute(sa.text("SELECT state, count(*) FROM pledge GROUP BY 1")).all())


def test_sixteen_processes_sell_exactly_the_fifty_there_are_and_all_others_read_sold_out(app):
    project = make_project()
    reward_id, project_id = make_reward(project, quantity=CAP).id, project.id
    crowd = make_crowd(PROCESSES * TRIES)

    def shop(i):
        seen = []
        for backer_id in crowd[i * TRIES:(i + 1) * TRIES]:
            try:
                seen.append("held" if _buy(project_id, backer_id, reward_id).is_new else "again")
            except SoldOut:
                seen.append("sold out")
        return seen

    seen = [one for answer in forked(app, PROCESSES, shop) for one in answer]
    assert seen.count("held") == CAP
    assert seen.count("sold out") == PROCESSES * TRIES - CAP
    assert scalar("SELECT claimed FROM reward WHERE id = :r", r=reward_id) == CAP
    assert _states() == {"held": CAP}
    assert scalar("SELECT count(DISTINCT backer_id) FROM pledge") == CAP
    check_money()


def test_the_same_race_oversells_when_stock_is_counted_instead_of_guarded(app, database_url):
    """The positive control (C-05): if this never oversells, the test above proves nothing."""
    project = make_project()
    reward_id, project_id = make_reward(project, quantity=CAP).id, project.id
    crowd = make_crowd(PROCESSES * TRIES)

    def shop(i):
        with psycopg.connect(database_url, autocommit=True) as connection:
            for backer_id in crowd[i * TRIES:(i + 1) * TRIES]:
                with connection.transaction():
                    sold = connection.execute("SELECT count(*) FROM pledge WHERE reward_id = %s", [reward_id]).fetchone()
                    if sold[0] < CAP:
                        connection.execute(
                            "INSERT INTO pledge (project_id, backer_id, reward_id, amount, currency, token, held_until) "
                            "VALUES (%s, %s, %s, 2500, 'EUR', gen_random_uuid(), clock_now() + interval '1 hour')",
                            [project_id, backer_id, reward_id])
        return None

    sold = []
    for _ in range(5):
        forked(app, PROCESSES, shop)
        sold.append(scalar("SELECT count(*) FROM pledge"))
        if sold[-1] > CAP:
            break
        with transaction() as session:
            session.execute(sa.text("DELETE FROM pledge"))
    assert max(sold) > CAP, sold
    with transaction() as session:
        session.execute(sa.text("DELETE FROM pledge"))


@pytest.mark.parametrize("statement", [
    "UPDATE reward SET claimed = quantity + 1",
    "UPDATE reward SET claimed = claimed + 1000",
    "UPDATE reward SET quantity = 1",
    "UPDATE reward SET claimed = -1",
])
def test_sql_by_hand_in_the_apps_role_cannot_oversell(app, database_url, statement):
    project = make_project()
    reward = make_reward(project, quantity=2)
    for _ in range(2):
        hold(project, make_person(), reward)
    with psycopg.connect(database_url) as connection:
        connection.execute("SET ROLE achterban_app")
        with pytest.raises(psycopg.errors.CheckViolation, match="not_oversold"):
            connection.execute(statement)
    check_money()


def test_the_apps_role_can_neither_take_the_guard_away_nor_switch_it_off(app, database_url):
    for statement in ("ALTER TABLE reward DROP CONSTRAINT ck_reward_not_oversold", "DROP TABLE pledge",
                      "SET session_replication_role = replica", "ALTER TABLE reward DISABLE TRIGGER ALL"):
        with psycopg.connect(database_url) as connection:
            connection.execute("SET ROLE achterban_app")
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                connection.execute(statement)


def test_nobody_reads_sold_out_while_those_who_hold_the_lock_roll_back(app):
    """C-03: fifty who fail after their claim, beside fifty who buy: all fifty are sold."""
    project = make_project()
    reward_id, project_id = make_reward(project, quantity=40).id, project.id
    crowd = make_crowd(80)

    def shop(i):
        seen = []
        for n, backer_id in enumerate(crowd[i * 10:(i + 1) * 10]):
            if i % 2:
                try:
                    with transaction():
                        _buy(project_id, backer_id, reward_id)
                        raise ZeroDivisionError
                except (ZeroDivisionError, SoldOut):
                    pass
            else:
                try:
                    _buy(project_id, backer_id, reward_id)
                    seen.append("held")
                except SoldOut:
                    seen.append(f"sold out at {n}")
        return seen

    seen = [one for answer in forked(app, 8, shop) for one in answer]
    assert seen == ["held"] * 40
    check_money()


def test_the_last_one_is_there_for_whoever_holds_it(app, stripe):
    project = make_project()
    last, me = make_reward(project, quantity=1), make_person()
    hold(project, me, last)
    with pytest.raises(SoldOut):
        hold(project, make_person(), last)
    again = hold(project, me, last, bonus=500)
    assert again.is_new and again.amount == 3_000
    save_card(stripe, again.pledge_id)
    assert db.session.get(Pledge, again.pledge_id).state is S.PLEDGED
    assert scalar("SELECT claimed FROM reward") == 1
    assert _states() == {"cancelled": 1, "pledged": 1}
    check_money()


def test_who_reaches_for_a_sold_out_reward_keeps_the_one_they_hold(app):
    project = make_project()
    mine, gone, me = make_reward(project, quantity=1), make_reward(project, quantity=1), make_person()
    held = hold(project, me, mine)
    hold(project, make_person(), gone)
    with pytest.raises(SoldOut):
        hold(project, me, gone)
    assert db.session.get(Pledge, held.pledge_id, populate_existing=True).state is S.HELD
    assert scalar("SELECT claimed FROM reward WHERE id = :r", r=mine.id) == 1
    check_money()


def test_another_choice_moves_the_hold_and_the_stock_with_it(app):
    project = make_project()
    first, second, me = make_reward(project, quantity=1), make_reward(project, quantity=1), make_person()
    hold(project, me, first)
    hold(project, me, second)
    assert scalar("SELECT claimed FROM reward WHERE id = :r", r=first.id) == 0
    assert scalar("SELECT claimed FROM reward WHERE id = :r", r=second.id) == 1
    assert hold(project, make_person(), first).is_new
    check_money()


def test_a_backer_who_chooses_twice_at_once_holds_one_pledge(app):
    project = make_project()
    rewards = [make_reward(project, quantity=9).id for _ in range(4)]
    project_id, me = project.id, make_person().id
    answers = threads(app, *(lambda r=r: _buy(project_id, me, r) for r in rewards * 2))
    assert all(isinstance(a, Refusal) or a.is_new for a in answers), answers
    assert _states()["held"] == 1
    assert scalar("SELECT sum(claimed) FROM reward") == 1
    check_money()


def test_a_hold_lasts_fifteen_minutes_and_the_sweep_frees_it(app, stripe):
    project = make_project()
    reward, fan = make_reward(project, quantity=1), make_person()
    placed = hold(project, fan, reward)
    assert placed.held_until - db.session.get(Pledge, placed.pledge_id).placed_at == timedelta(minutes=15)
    clock.move_clock(timedelta(minutes=14, seconds=50))
    assert changes.end_holds() == 0 and scalar("SELECT claimed FROM reward") == 1
    clock.move_clock(timedelta(seconds=11))
    assert changes.end_holds() == 1 and scalar("SELECT claimed FROM reward") == 0
    assert scalar("SELECT to_state FROM pledge_move ORDER BY id DESC LIMIT 1") == "expired"
    assert hold(project, make_person(), reward).is_new
    check_money()


def test_the_sweep_runs_often_enough_to_free_a_hold_within_a_minute():
    from core.jobs import ticks

    assert next(t.seconds for t in ticks() if t.name == "backing:end_holds") <= 30


def test_without_the_sweep_whoever_wants_the_stock_takes_it_back(app, stripe):
    project = make_project()
    reward = make_reward(project, quantity=3)
    old = [hold(project, make_person(), reward).pledge_id for _ in range(3)]
    with pytest.raises(SoldOut):
        hold(project, make_person(), reward)
    clock.move_clock(timedelta(minutes=15, seconds=1))
    assert hold(project, make_person(), reward).is_new
    assert {db.session.get(Pledge, p, populate_existing=True).state for p in old} == {S.EXPIRED}
    check_money()


@pytest.mark.parametrize("kind", ["500_before", "drop_before"])
def test_while_stripe_is_silent_an_ended_hold_stays_but_its_stock_can_be_taken(app, stripe, kind):
    """The form may still be open over there, so the sweep waits; nobody else has to (C-08)."""
    project = make_project()
    reward, slow = make_reward(project, quantity=1), make_person()
    placed = hold(project, slow, reward)
    _open_form(placed.pledge_id)
    clock.move_clock(timedelta(minutes=16))
    stripe.post("faults", match="POST */expire", kind=kind, times=None)
    assert changes.end_holds() == 0
    assert db.session.get(Pledge, placed.pledge_id, populate_existing=True).state is S.HELD
    assert hold(project, make_person(), reward).is_new
    assert db.session.get(Pledge, placed.pledge_id, populate_existing=True).state is S.EXPIRED
    check_money()


def test_one_silence_of_stripe_ends_the_sweeps_round_so_that_other_work_is_not_kept_waiting(app, stripe):
    project = make_project()
    for _ in range(4):
        _open_form(hold(project, make_person()).pledge_id)
    clock.move_clock(timedelta(minutes=16))
    stripe.post("faults", match="POST */expire", kind="500_before", times=None)
    before = len(stripe.get("log?method=POST&status=500"))
    changes.end_holds()
    assert len(stripe.get("log?method=POST&status=500")) - before == 3  # one call and its two repeats
    stripe.call("DELETE", "faults")
    assert changes.end_holds() == 4
    check_money()


def test_a_lost_answer_to_the_closing_of_a_form_frees_the_hold_all_the_same(app, stripe):
    project = make_project()
    reward = make_reward(project, quantity=1)
    placed = hold(project, make_person(), reward)
    session_id = _open_form(placed.pledge_id)
    clock.move_clock(timedelta(minutes=16))
    stripe.post("faults", match="POST */expire", kind="drop_after", times=1)
    assert changes.end_holds() == 1
    assert stripe.get(f"state/checkout.session/{session_id}")["status"] == "expired"
    assert scalar("SELECT claimed FROM reward") == 0
    check_money()


def _open_form(pledge_id):
    from payments import cards

    pledge = db.session.get(Pledge, pledge_id)
    cards.open_card_form(subject_id=pledge.id, project_id=pledge.project_id, person=pledge.backer, currency="EUR",
                         description="x", locale="en", return_url="http://localhost/back", cancel_url="http://localhost/")
    return scalar("SELECT session_id FROM card_setup WHERE subject_id = :p", p=pledge_id)


def test_more_time_is_given_once(app):
    project = make_project()
    placed = hold(project, make_person(), make_reward(project, quantity=1))
    clock.move_clock(timedelta(minutes=10))
    assert changes.extend_hold(placed.pledge_id, 15)
    assert not changes.extend_hold(placed.pledge_id, 15)
    clock.move_clock(timedelta(minutes=14))
    assert changes.end_holds() == 0
    clock.move_clock(timedelta(minutes=2))
    assert changes.end_holds() == 1
    assert not changes.extend_hold(placed.pledge_id, 15)


def test_more_time_is_given_once_in_the_first_minute_as_well(app):
    project = make_project()
    placed = hold(project, make_person(), make_reward(project, quantity=1))
    clock.move_clock(timedelta(seconds=10))
    assert changes.extend_hold(placed.pledge_id, 15)
    clock.move_clock(timedelta(seconds=10))
    assert not texts.may_extend(db.session.get_one(Pledge, placed.pledge_id))
    assert not changes.extend_hold(placed.pledge_id, 15)


def test_many_who_swap_two_rewards_crosswise_never_wait_in_a_ring(app, stripe):
    """C-10: all in sorted order, all or nothing, no deadlock."""
    project = make_project()
    one, two = make_reward(project, quantity=8).id, make_reward(project, quantity=8).id
    crowd = [make_person() for _ in range(8)]
    pledges = [hold(project, person, bonus=1_000).pledge_id for person in crowd]
    with transaction() as session:
        session.execute(sa.text("UPDATE pledge SET state = 'pledged', number = n FROM "
                                "(SELECT id, row_number() OVER () AS n FROM pledge) s WHERE s.id = pledge.id"))
        session.execute(sa.text("INSERT INTO pledge_move (pledge_id, project_id, from_state, to_state) "
                                "SELECT id, project_id, 'held', 'pledged' FROM pledge"))
        session.execute(sa.text("INSERT INTO pledge_delta (project_id, backers, raised) "
                                "SELECT project_id, 1, amount FROM pledge"))
    people = [person.id for person in crowd]

    def swap(i):
        for n in range(12):
            version = scalar("SELECT version FROM pledge WHERE id = :p", p=pledges[i])
            db.session.rollback()
            change_pledge(pledges[i], Change((one, two)[(i + n) % 2], 1_000 + n, version), people[i])
        return "done"

    answers = forked(app, 8, swap)
    assert answers == ["done"] * 8, answers
    assert scalar("SELECT sum(claimed) FROM reward") == 8
    check_money()


def test_fifty_copies_of_one_form_sent_at_once_make_one_pledge(app, stripe):
    """C-14, through the whole web application: double click, impatient clicking, two tabs."""
    project, fan = make_project(), make_person()
    reward = make_reward(project, 2_500, quantity=20)
    path = f"/projects/{project.slug}/pledge"
    browser = sign_in(app.test_client(), fan)
    form = {"csrf_token": csrf_token(browser, path), "token": str(uuid.uuid4()), "reward": f"{reward.id}:2500",
            "bonus": "5"}

    cookie = browser.get_cookie("session").value

    def send():  # as many at a time as one gunicorn worker has threads
        tab = app.test_client()
        tab.set_cookie("session", cookie, domain="localhost")
        return [tab.post(path, data=form).status_code for _ in range(10)]

    assert threads(app, *[send] * 5) == [[303] * 10] * 5
    assert scalar("SELECT count(*) FROM pledge") == 1
    assert scalar("SELECT amount FROM pledge") == 3_000
    assert scalar("SELECT claimed FROM reward") == 1
    assert stripe.get("counts")["customer"] == 1
    assert scalar("SELECT count(*) FROM pledge_line") == 2
    check_money()


def test_a_second_form_does_not_make_a_second_pledge(app, stripe):
    project = make_project()
    mine = back(stripe, project)
    with pytest.raises(AlreadyBacking) as refused:
        hold(project, mine.backer)
    assert refused.value.pledge_id == mine.id
    check_money()


def test_a_form_of_one_project_is_worth_nothing_in_another(app):
    token, fan = uuid.uuid4(), make_person()
    hold(make_project(), fan, token=token)
    with pytest.raises(Refusal, match="used before"):
        hold(make_project(), fan, token=token)
    assert scalar("SELECT count(*) FROM pledge") == 1


def test_a_call_to_stripe_inside_a_transaction_is_refused(app, stripe):
    """C-04 as it runs: core.db.no_transaction."""
    with pytest.raises(AssertionError, match="outside world"), transaction():
        gateway.create_customer(key="customer:x", email="a@example.org", name="A", person_id="x")
    assert stripe.get("log?method=POST") == []


def test_no_transaction_waits_and_no_lock_is_held_while_stripe_takes_its_time(app, stripe, database_url):
    """C-04 as the database sees it, while a pledge of a limited reward waits for the card form."""
    project, fan = make_project(), make_person()
    reward = make_reward(project, quantity=1)
    path = f"/projects/{project.slug}/pledge"
    browser = sign_in(app.test_client(), fan)
    form = {"csrf_token": csrf_token(browser, path), "token": str(uuid.uuid4()), "reward": f"{reward.id}:2500"}
    stripe.post("faults", match="POST /v1/c*", kind="delay", seconds=1.5, times=2)
    sent, reward_id = threading.Thread(target=lambda: browser.post(path, data=form)), reward.id
    db.session.rollback()
    sent.start()
    samples = 0
    with psycopg.connect(database_url, autocommit=True) as watch:
        while sent.is_alive():
            if not [f for f in stripe.get("faults") if f["hits"]]:
                continue
            rows = watch.execute("""
                SELECT state, query FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()
                   AND state LIKE 'idle in transaction%' AND state_change < clock_timestamp() - interval '0.3 s'""").fetchall()
            assert rows == []
            watch.execute("SELECT 1 FROM reward WHERE id = %s FOR UPDATE NOWAIT", [reward_id])
            samples += 1
            time.sleep(0.02)
    sent.join()
    assert samples > 20
    assert scalar("SELECT claimed FROM reward") == 1


def test_no_line_of_code_talks_to_stripe_inside_a_transaction():
    """C-04 as it is written, in every room."""
    root, found = Path(__file__).parents[2], []
    for path in [*root.glob("payments/*.py"), *root.glob("backing/*.py")]:
        for block in ast.walk(ast.parse(path.read_text())):
            if isinstance(block, ast.With) and any("transaction()" in ast.unparse(item) for item in block.items):
                found += [f"{path.name}:{call.lineno}" for line in block.body for call in ast.walk(line)
                          if isinstance(call, ast.Call) and re.match(r"gateway\.[a-z]", ast.unparse(call.func))]
    assert found == []
