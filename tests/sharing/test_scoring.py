from datetime import timedelta

import pytest
import sqlalchemy as sa

from core import clock
from core.db import transaction
from sharing import missions, scoring
from sharing.models_rounds import RoundState
from tests.factories import make_person, make_pledge, make_project
from tests.sharing.round_scenes import make_application, make_round, until
from tests.sharing.scenes import refund
from tests.sharing.test_granting import dispute
from tests.sharing.test_missions import DONE, task

R = RoundState


@pytest.fixture
def two(app):
    found = make_round(make_project(), questions=())
    people = [make_person("Noor Bakker"), make_person("=Mo El Idrissi")]
    made = [make_application(found, person, is_named=True) for person in people]
    until(found, R.RUNNING)
    return found, people, made


def points(found):
    return {one.first_name: one.points for one in scoring.scores(found)}


def test_points_are_collected_recruits_of_the_round_and_accepted_proofs(two):
    found, (noor, _mo), (hers, _his) = two
    make_pledge(found.project, state="collected", recruiter=noor, amount=4_000)
    make_pledge(found.project, state="pledged", recruiter=noor)
    make_pledge(found.project, state="refunded", recruiter=noor)
    make_pledge(found.project, state="dropped", recruiter=noor)
    make_pledge(found.project, state="collected", recruiter=noor, at=found.runs_from - timedelta(hours=1))
    make_pledge(found.project, state="collected", recruiter=noor, at=found.runs_until)
    make_pledge(make_project(), state="collected", recruiter=noor)
    mission = missions.publish_mission(found.id, task(found, most=2), found.project.creator)
    proof = missions.hand_in(mission.id, hers.id, DONE)
    [first, second] = scoring.scores(found)
    assert (first.first_name, first.recruits, first.amount, first.pending, first.points) == ("Noor", 1, 4_000, 1, 10)
    missions.decide_proof(found.id, proof.id, "accepted", "", found.project.creator)
    assert points(found) == {"Noor": 30, "=Mo": 0} and second.place == 2
    missions.decide_proof(found.id, proof.id, "taken_back", "No", found.project.creator)
    assert points(found)["Noor"] == 10


def test_money_that_a_bank_has_taken_back_brings_no_points_until_it_returns(two):
    found, (noor, _mo), _made = two
    friend = make_pledge(found.project, state="collected", recruiter=noor, amount=4_000)
    assert points(found)["Noor"] == 10
    dispute(friend)
    [first] = [one for one in scoring.scores(found) if one.first_name == "Noor"]
    assert (first.points, first.recruits, first.amount, first.pending) == (0, 0, 0, 0)
    dispute(friend, is_withdrawn=False)
    assert points(found)["Noor"] == 10
    refund(friend, 1_500)
    [first] = [one for one in scoring.scores(found) if one.first_name == "Noor"]
    assert (first.points, first.amount) == (10, 2_500)


def test_visits_and_clicks_are_worth_nothing(two):
    from sharing import services

    found, (noor, _mo), _made = two
    link = services.link_of(noor, found.project)
    with transaction() as session:
        session.execute(sa.text("INSERT INTO share_visit (link_id, project_id, visitor, half_hour) "
                                "SELECT :l, :p, decode(md5(n::text), 'hex'), clock_now() FROM generate_series(1, 500) n"),
                        {"l": link.id, "p": found.project_id})
    assert points(found) == {"Noor": 0, "=Mo": 0}


def test_struck_recruits_count_for_nobody(two):
    found, (noor, _mo), _made = two
    make_pledge(found.project, state="collected", recruiter=noor)
    with transaction() as session:
        session.execute(sa.text("UPDATE recruit SET struck_at = clock_now(), struck_why = 'x'"))
    assert points(found)["Noor"] == 0


def test_equals_share_a_place_and_who_left_stands_in_the_report_only(two):
    from sharing import choosing

    found, (noor, mo), (hers, _his) = two
    for person in (noor, mo):
        make_pledge(found.project, state="collected", recruiter=person)
    assert [one.place for one in scoring.scores(found)] == [1, 1]
    choosing.step_back(found.id, hers.id, noor)
    assert list(points(found)) == ["=Mo"]
    report = scoring.report_of(scoring.scores(found, with_left=True))
    assert (report.ambassadors, report.left, report.recruits, report.points, report.active) == (1, 1, 2, 20, 2)


def test_the_csv_holds_everybody_and_no_formula(two):
    found, (noor, _mo), _made = two
    make_pledge(found.project, state="collected", recruiter=noor, amount=4_050)
    head, first, second = b"".join(scoring.pieces(found)).decode("utf-8-sig").splitlines()
    assert head.startswith("Place,Name,") and first.startswith("1,Noor Bakker,") and ",1,40.50,EUR," in first
    assert "'=Mo El Idrissi" in second
    assert clock.now() < found.runs_until
