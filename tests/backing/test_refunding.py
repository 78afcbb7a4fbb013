"""Money goes back to backers: by whom, how much, what follows for the pledge, and how it is told (S-65 to S-67)."""

import re
from datetime import timedelta

import pytest
import sqlalchemy as sa

from backing import refund_queries
from backing.models import Pledge
from backing.refunding import Wish, refund_everyone, refund_pledge, run_refunds, watch_refund_runs
from backing.totals import roll_up
from core import clock
from core.db import db, transaction
from core.errors import Refusal
from core.jobs import drain
from payments import refunds
from projects.models import MemberRole
from tests.factories import (
    back,
    check_money,
    csrf_token,
    end_project,
    make_member,
    make_person,
    make_project,
    make_reward,
    scalar,
    sign_in,
)
from tests.races import crashed, threads

FINE, SLOW, FAILS = "4242424242424242", "4000000000007726", "4000000000005126"


def funded(app, stripe, n=1, number=FINE, **columns):
    """A project whose pledges (a reward at 25 and a bonus of 15 each) are collected."""
    project = make_project(goal=1_000, **columns)
    reward = make_reward(project, price=2_500, quantity=10)
    for _ in range(n):
        back(stripe, project, reward=reward, bonus=1_500, number=number)
    end_project(app, project)
    return project


def pledge_of(project):
    return db.session.scalars(sa.select(Pledge).where(Pledge.project_id == project.id).order_by(Pledge.number)).first()


def settle(app):
    drain(app, ticking=False)
    roll_up()
    db.session.expire_all()


def totals():
    return db.session.execute(sa.text("SELECT raised, backers, collected FROM project_total")).one()


def mails(name):
    return scalar("SELECT count(*) FROM mail WHERE name = :n", n=f"backing/{name}")


def test_a_pledge_is_refunded_when_all_of_it_has_arrived_and_the_totals_follow(app, stripe):
    project = funded(app, stripe)
    roll_up()
    assert tuple(totals()) == (4_000, 1, 4_000)
    refund_pledge(pledge_of(project).id, Wish("asked"), project.creator_id)
    assert pledge_of(project).state == "collected"  # asked for is not refunded
    settle(app)
    assert pledge_of(project).state == "refunded" and tuple(totals()) == (0, 0, 0)
    assert scalar("SELECT claimed FROM reward") == 1  # sold stays sold
    assert [tuple(row) for row in db.session.execute(sa.text(
        "SELECT from_state, to_state, why FROM pledge_move ORDER BY id DESC LIMIT 1"))] == [
            ("collected", "refunded", "refunded")]
    assert mails("refund_asked") == mails("refund_done") == 1
    check_money()


def test_a_part_leaves_the_pledge_standing_and_collected_less(app, stripe):
    project = funded(app, stripe)
    refund_pledge(pledge_of(project).id, Wish("change", lines=[("", 1_000)]), project.creator_id)
    settle(app)
    assert pledge_of(project).state == "collected" and tuple(totals()) == (4_000, 1, 3_000)
    check_money()
    refund_pledge(pledge_of(project).id, Wish("asked"), project.creator_id)
    settle(app)
    assert pledge_of(project).state == "refunded" and tuple(totals()) == (0, 0, 0)
    check_money()


def test_a_slow_refund_is_not_called_refunded_before_it_is(app, stripe, client):
    project = funded(app, stripe, number=SLOW)
    pledge = pledge_of(project)
    refund_pledge(pledge.id, Wish("asked"), project.creator_id)
    settle(app)
    page = sign_in(client, pledge.backer).get(f"/pledges/{pledge.id}").text
    assert "Under way" in page and "Refunded" not in page and "Your money is back" not in page
    assert "processing" not in page  # no codes to backers
    clock.move_clock(timedelta(minutes=2))
    drain(app)
    assert scalar("SELECT subject FROM mail WHERE name = 'backing/refund_asked'") == "€40.00 is on its way back to you"
    clock.move_clock(timedelta(days=6))
    stripe.post("clock", advance=6 * 86_400)
    drain(app)
    drain(app)
    page = sign_in(client, pledge_of(project).backer).get(f"/pledges/{pledge.id}").text
    assert "Refunded" in page and "Your money is back" in page
    check_money()


def test_a_refund_that_fails_after_all_had_gone_back_makes_the_pledge_stand_again(app, stripe, client):
    project = funded(app, stripe, number=FAILS)
    pledge = pledge_of(project)
    refund_pledge(pledge.id, Wish("asked"), project.creator_id)
    settle(app)
    assert pledge_of(project).state == "refunded"
    clock.move_clock(timedelta(days=11))
    stripe.post("clock", advance=11 * 86_400)
    refunds.hear_of_refund(scalar("SELECT stripe_id FROM refund"))
    settle(app)
    assert pledge_of(project).state == "collected" and tuple(totals()) == (4_000, 1, 4_000)
    assert mails("refund_failed") == 1
    page = sign_in(client, pledge.backer).get(f"/pledges/{pledge.id}").text
    assert "Did not arrive" in page and "expired_or_canceled_card" not in page and "need to do nothing" in page
    check_money()


def test_a_second_charge_that_goes_back_leaves_the_pledge_alone(app, stripe):
    from tests.payments.test_second_charges import second_charge

    project = funded(app, stripe)
    payment = pledge_of(project).payment
    refunds.refund_duplicate(payment.id, second_charge(payment), payment.amount)
    settle(app)
    assert scalar("SELECT state FROM refund") == "succeeded"
    assert pledge_of(project).state == "collected" and tuple(totals()) == (4_000, 1, 4_000)
    check_money()


# The form ---------------------------------------------------------------------------------------------

def send(client, pledge, **values):
    path = f"/pledges/{pledge.id}/refund"
    page = client.get(path).text
    token, seen = csrf_token(client, path), re.search(r'name="seen"[^>]*value="(\d+)"', page)[1]
    return client.post(path, data={"csrf_token": token, "seen": seen, "how": "whole", "reason": "asked", **values})


def test_the_creator_refunds_some_of_each_line_with_a_word_to_the_backer(app, stripe, client):
    project = funded(app, stripe)
    pledge = pledge_of(project)
    sign_in(client, project.creator)
    page = client.get(f"/pledges/{pledge.id}/refund").text
    assert "€40.00" in page and pledge.backer.name in page and "Bonus" in page
    answer = send(client, pledge, how="lines", line_0="5", line_1="2.50", reason="delay", note="Sorry for the wait.")
    assert answer.status_code == 303 and answer.location == f"/projects/{project.slug}/refunds"
    assert scalar("SELECT amount FROM refund") == 750
    row = db.session.execute(sa.text("SELECT lines, note, reason, by_id FROM refund")).one()
    assert ([amount for _title, amount in row.lines], row.note, row.reason, row.by_id) == (
        [500, 250], "Sorry for the wait.", "delay", project.creator_id)
    drain(app)
    drain(app)
    mail = db.session.execute(sa.text("SELECT subject, text FROM mail WHERE name = 'backing/refund_done'")).one()
    clock.move_clock(timedelta(minutes=2))
    drain(app)
    assert scalar("SELECT state FROM mail WHERE name = 'backing/refund_asked'") == "dropped"  # one mail is enough
    assert mail.subject == "€7.50 was refunded to you" and "Sorry for the wait." in mail.text and "Bonus: €2.50" in mail.text
    assert "stands" in mail.text
    check_money()


@pytest.mark.parametrize(("typed", "sentence"), [
    ({"how": "amount", "amount": "ten"}, "as a number"),
    ({"how": "amount", "amount": "0"}, "as a number"),
    ({"how": "amount", "amount": "40.01"}, "At most €40.00 is left"),
    ({"how": "whole", "amount": "3"}, "Choose “An amount” above"),
    ({"how": "whole", "line_0": "3"}, "Choose “Some of each line” above"),
    ({"how": "lines"}, "beside at least one line"),
    ({"how": "lines", "line_0": "25.01"}, "is left of this line"),
    ({"how": "everything"}, "Choose how much goes back"),
    ({"reason": "because"}, "Choose one of these reasons"),
    ({"reason": ""}, "Choose one of these reasons"),
    ({"note": "x" * 1_001}, "under a thousand"),
])
def test_what_cannot_be_used_is_said_beside_its_field_and_nothing_happens(app, stripe, client, typed, sentence):
    project = funded(app, stripe)
    answer = send(sign_in(client, project.creator), pledge_of(project), **typed)
    assert answer.status_code == 422 and sentence in answer.text
    assert all(value in answer.text for key, value in typed.items() if key in ("amount", "line_0"))
    assert scalar("SELECT count(*) FROM refund") == 0
    check_money()


def test_the_same_form_sent_twice_is_one_refund(app, stripe, client):
    """Two windows, or the back button: what was seen is not what is left any more."""
    project = funded(app, stripe)
    pledge = pledge_of(project)
    sign_in(client, project.creator)
    path = f"/pledges/{pledge.id}/refund"
    form = {"csrf_token": csrf_token(client, path), "seen": "0", "how": "amount", "amount": "10", "reason": "asked"}
    assert client.post(path, data=form).status_code == 303
    second = client.post(path, data=form)
    assert second.status_code == 409 and "another window" in second.text
    assert scalar("SELECT count(*) FROM refund") == 1
    third = client.post(path, data=form | {"seen": re.search(r'name="seen"[^>]*value="(\d+)"', second.text)[1]})
    assert third.status_code == 303 and scalar("SELECT sum(amount) FROM refund") == 2_000


def test_two_who_send_the_form_at_the_same_moment_make_one(app, stripe):
    project = funded(app, stripe)
    id_ = pledge_of(project).id
    answers = threads(app, *[lambda: refund_pledge(id_, Wish("asked", amount=1_000, seen=0), None).id] * 8)
    assert sum(isinstance(answer, Refusal) for answer in answers) == 7


def test_only_the_creator_and_staff_may_refund(app, stripe, client):
    project = funded(app, stripe)
    pledge = pledge_of(project)
    funded_elsewhere = make_project().creator
    people = {
        404: [make_person(), funded_elsewhere, pledge.backer],
        403: [make_member(project, role=MemberRole.COLLABORATOR), make_member(project, role=MemberRole.ORGANISER)],
        200: [project.creator, make_person(is_staff=True)]}
    for status, those in people.items():
        for person in those:
            browser = sign_in(app.test_client(), person)
            assert browser.get(f"/pledges/{pledge.id}/refund").status_code == status, person.name
            if status != 200:
                token = csrf_token(browser, "/me/settings")
                data = {"csrf_token": token, "how": "whole", "reason": "asked", "seen": "0"}
                assert browser.post(f"/pledges/{pledge.id}/refund", data=data).status_code == status
                assert browser.post(f"/projects/{project.slug}/refunds/everyone/start",
                                    data=data | {"title": project.title}).status_code == 403
            wanted = 200 if status == 200 else 403
            for path in ("refunds", "refunds/everyone"):
                assert browser.get(f"/projects/{project.slug}/{path}").status_code == wanted
    assert client.get(f"/pledges/{pledge.id}/refund").status_code == 302
    assert scalar("SELECT count(*) FROM refund") == 0 and scalar("SELECT count(*) FROM refund_run") == 0


def test_staff_are_not_told_who_the_backer_is(app, stripe, client):
    """W-19."""
    project = funded(app, stripe)
    pledge = pledge_of(project)
    refund_pledge(pledge.id, Wish("asked", amount=100), project.creator_id)
    sign_in(client, make_person("Jip Maas", is_staff=True))
    for path in (f"/pledges/{pledge.id}/refund", f"/projects/{project.slug}/refunds"):
        page = client.get(path).text
        assert "Backer 1" in page and pledge.backer.name not in page and pledge.backer.email not in page


def test_what_was_never_paid_has_no_form(app, stripe, client):
    project = make_project()
    pledge = back(stripe, project)
    answer = sign_in(client, project.creator).get(f"/pledges/{pledge.id}/refund")
    assert answer.status_code == 409 and "Nothing was charged" in answer.text


def test_a_disputed_payment_is_refused_on_the_page(app, stripe, client):
    from payments import disputes

    project = funded(app, stripe)
    pledge = pledge_of(project)
    disputes.hear_of_dispute(stripe.post("disputes", charge=pledge.payment.charge_id)["id"])
    answer = send(sign_in(client, project.creator), pledge)
    assert answer.status_code == 409 and "bank decides" in answer.text and scalar("SELECT count(*) FROM refund") == 0


def test_the_list_of_backers_leads_the_creator_to_the_form(app, stripe, client):
    project = funded(app, stripe)
    organiser = make_member(project)
    path = f"/pledges/{pledge_of(project).id}/refund"
    assert path in sign_in(client, project.creator).get(f"/projects/{project.slug}/backers").text
    assert path not in sign_in(app.test_client(), organiser).get(f"/projects/{project.slug}/backers").text


# Everybody --------------------------------------------------------------------------------------------

def test_everybody_is_refunded_after_two_confirmations(app, stripe, client):
    project = funded(app, stripe, n=3)
    sign_in(client, project.creator)
    base = f"/projects/{project.slug}/refunds"
    page = client.get(f"{base}/everyone").text
    assert "Refund 3 backers, €120.00?" in page and "At Stripe, available" in page and "are missing" in page
    token = csrf_token(client, f"{base}/everyone")
    form = {"csrf_token": token, "reason": "delay", "note": "We stop."}
    assert client.post(f"{base}/everyone", data={"csrf_token": token}).status_code == 422
    first = client.post(f"{base}/everyone", data=form)
    assert first.status_code == 200 and "Type the title" in first.text and project.title in first.text
    for typed in ("", "Another title", project.title[:-1]):
        wrong = client.post(f"{base}/everyone/start", data=form | {"title": typed})
        assert wrong.status_code == 422 and "That is not the title" in wrong.text and "We stop." in wrong.text
    assert scalar("SELECT count(*) FROM refund_run") == 0
    right = client.post(f"{base}/everyone/start", data=form | {"title": f" {project.title.upper()} "})
    assert right.status_code == 303
    page = client.get(base).text
    assert "Everybody is being refunded" in page and "0 of 3 payments asked for" in page
    settle(app)
    settle(app)
    assert set(db.session.scalars(sa.text("SELECT state FROM refund"))) == {"succeeded"}
    assert {p.state for p in db.session.scalars(sa.select(Pledge))} == {"refunded"}
    assert scalar("SELECT count(DISTINCT id) FROM refund") == len(stripe.get("state/refund")) == 3
    assert scalar("SELECT action FROM audit_entry WHERE object_kind = 'project' AND action LIKE '%everyone'") == (
        "backing:refund_everyone")
    assert "Nothing is left to refund" in client.get(f"{base}/everyone").text
    assert tuple(totals()) == (0, 0, 0)
    check_money()


def test_a_run_that_was_killed_goes_on_where_it_stopped(app, stripe, monkeypatch):
    from backing import refunding

    monkeypatch.setattr(refunding, "BATCH", 1)
    project = funded(app, stripe, n=3)
    run = refund_everyone(project, "other", "", None)
    calls = iter(range(9))
    real = refunding._ask_one

    def dies_in_the_second(*args):
        if next(calls) == 1:
            import os
            import signal

            os.kill(os.getpid(), signal.SIGKILL)
        return real(*args)

    def work():
        refunding._ask_one = dies_in_the_second
        run_refunds(run)

    assert crashed(app, work, "nowhere") == -9
    assert scalar("SELECT count(*) FROM refund") == 1 == scalar("SELECT asked FROM refund_run")
    progress = refund_queries.latest_run(project.id)
    assert (progress.asked, progress.waiting, progress.whole) == (1, 2, 3)
    with transaction() as session:
        session.execute(sa.text("DELETE FROM procrastinate_jobs"))
    assert watch_refund_runs() == 1 and watch_refund_runs() == 0
    settle(app)
    clock.move_clock(timedelta(minutes=1))
    drain(app)  # the first refund's job was lost as well
    db.session.expire_all()
    assert scalar("SELECT count(*) FROM refund WHERE state = 'succeeded'") == 3 == scalar("SELECT asked FROM refund_run")
    assert scalar("SELECT finished_at IS NOT NULL FROM refund_run")
    check_money()


def test_four_workers_with_one_run_ask_for_each_payment_once(app, stripe):
    project = funded(app, stripe, n=4)
    run = refund_everyone(project, "other", "", None)
    assert refund_everyone(project, "other", "", None) == run  # asked for while it runs, it is that one
    answers = threads(app, *[lambda: run_refunds(run)] * 4)
    assert sum(answers) == 4 == scalar("SELECT count(*) FROM refund")
    settle(app)
    check_money()


def test_who_is_disputed_is_left_to_the_bank_and_a_part_that_went_back_is_not_sent_again(app, stripe):
    from payments import disputes

    project = funded(app, stripe, n=3)
    one, two, _three = db.session.scalars(sa.select(Pledge).order_by(Pledge.number)).all()
    disputes.hear_of_dispute(stripe.post("disputes", charge=one.payment.charge_id)["id"])
    refund_pledge(two.id, Wish("credit", amount=1_500), None)
    settle(app)
    what = refund_queries.refundable(project.id)
    assert (what.count, what.amount, what.disputed) == (2, 6_500, 1)
    run_refunds(refund_everyone(project, "other", "", None))
    assert scalar("SELECT skipped FROM refund_run") == 1
    assert sorted(db.session.scalars(sa.text("SELECT amount FROM refund"))) == [1_500, 2_500, 4_000]


def test_the_command_refunds_everybody_and_refuses_what_makes_no_sense(app, stripe, flask):
    project = funded(app, stripe, n=2)
    slug = project.slug
    db.session.rollback()
    for words in (("nothing", "--yes"), (slug,), (slug, "--yes", "--reason", "because")):
        done = flask("backing", "refund-everyone", *words, check=False)
        assert done.returncode == 2 and done.stderr.strip().count("\n") == 0
    assert scalar("SELECT count(*) FROM refund") == 0
    db.session.rollback()
    done = flask("backing", "refund-everyone", slug, "--yes", "--reason", "delay")
    assert "2 refunds asked for, €80.00" in done.stdout
    again = flask("backing", "refund-everyone", slug, "--yes", check=False)
    assert again.returncode == 2 and "Nothing is left" in again.stderr
    settle(app)
    assert scalar("SELECT count(*) FROM refund WHERE state = 'succeeded'") == 2
    check_money()


@pytest.mark.parametrize("path", ["refunds?page=0", "refunds?page=2", "refunds?page=x", "refunds?page=99999999999"])
def test_a_page_that_is_not_there_is_said_to_be_missing(app, stripe, client, path):
    project = funded(app, stripe)
    assert sign_in(client, project.creator).get(f"/projects/{project.slug}/{path}").status_code == 404
