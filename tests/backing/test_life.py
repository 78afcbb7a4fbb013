"""A pledge from the hold to the money, over the real HTTP of the sandbox."""

import pytest
from factories import back, check_money, end_project, hold, make_person, make_project, make_reward, save_card, scalar

from backing.models import PledgeState as S
from core.errors import Refusal
from core.jobs import drain


def test_a_saved_card_makes_a_hold_a_pledge_with_a_number(app, stripe):
    project = make_project()
    reward = make_reward(project, 2_500, quantity=5)
    first = back(stripe, project, reward=reward, bonus=500)
    second = back(stripe, project)
    assert (first.state, first.number, first.amount) == (S.PLEDGED, 1, 3_000)
    assert second.number == 2
    assert scalar("SELECT claimed FROM reward") == 1
    drain(app)
    assert scalar("SELECT raised FROM project_total") == 4_000
    assert scalar("SELECT backers FROM reward_total") == 1
    check_money()


def test_a_funded_project_is_collected_once_and_booked(app, stripe):
    project = make_project(goal=5_000)
    pledges = [back(stripe, project, bonus=2_000) for _ in range(3)]
    end_project(app, project)
    assert project.state == "successful" and project.raised_at_close == 6_000
    assert {p.state for p in pledges} == {S.COLLECTED}
    assert stripe.get("counts")["charges_succeeded"] == 3
    assert scalar("SELECT -sum(amount) FROM ledger_entry WHERE account = 'platform_fee'") == 300
    assert scalar("SELECT state FROM collection_run") == "done"
    drain(app)
    assert stripe.get("counts")["charges_succeeded"] == 3
    check_money()


def test_a_project_that_misses_its_goal_charges_nobody(app, stripe):
    project = make_project(goal=100_000)
    pledge = back(stripe, project)
    end_project(app, project)
    assert project.state == "unsuccessful" and pledge.state is S.LAPSED
    assert stripe.get("counts").get("payment_intent", 0) == 0
    assert scalar("SELECT state FROM mail WHERE name = 'backing/lapsed'") == "sent"
    check_money()


@pytest.mark.parametrize(("number", "kind"), [("4000000000000341", "later"), ("4000002760003184", "authenticate")])
def test_a_failed_charge_waits_for_its_backer_and_is_mended_by_another_card(app, stripe, number, kind):
    project = make_project(goal=1_000)
    pledge = back(stripe, project, number=number)
    end_project(app, project)
    assert pledge.state is S.ERRORED and pledge.payment.decline_class == kind
    assert scalar("SELECT count(*) FROM mail WHERE name = 'backing/card_problem'") == 1
    save_card(stripe, pledge.id)
    drain(app)
    from core.db import db
    db.session.expire_all()
    assert pledge.state is S.COLLECTED
    assert stripe.get("counts").get("payment_intent", 0) == 1
    check_money()


def test_the_sold_out_reward_is_refused_with_a_sentence_and_nothing_is_written(app, stripe):
    project = make_project()
    reward = make_reward(project, quantity=1)
    hold(project, make_person(), reward)
    with pytest.raises(Refusal, match="somebody else"):
        hold(project, make_person(), reward)
    assert scalar("SELECT count(*) FROM pledge") == 1
