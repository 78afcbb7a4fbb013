"""A creator stops a live project: everybody is let go, nobody is charged."""

from factories import back, check_money, hold, make_person, make_project, make_reward, scalar

from backing.models import PledgeState as S
from core.db import db
from core.jobs import drain
from projects.launching import cancel


def test_stopping_a_live_project_lets_its_pledges_lapse_and_frees_its_holds(app, stripe):
    project = make_project()
    reward = make_reward(project, quantity=2)
    pledge = back(stripe, project, reward=reward)
    hold(project, make_person(), reward)
    cancel(project, project.creator, "we lost the hall")
    db.session.expire_all()
    drain(app)
    assert pledge.state is S.LAPSED
    assert scalar("SELECT count(*) FROM pledge WHERE state = 'expired'") == 1
    assert "stopped" in scalar("SELECT subject FROM mail WHERE name = 'backing/lapsed'")
    assert stripe.get("counts").get("payment_intent", 0) == 0
    check_money()
