import io
import uuid
from datetime import timedelta

import pytest
from PIL import Image

from core import clock
from core.errors import BadInput, NotFound, Refusal
from sharing import missions
from sharing.missions import Evidence, Task
from sharing.models_rounds import ProofState, RoundState
from tests.factories import make_person, make_project, scalar
from tests.races import threads
from tests.sharing.round_scenes import make_application, make_round, pass_to, until

P, R = ProofState, RoundState
DONE = Evidence("Hung twelve posters")


def task(found, **changes):
    return Task(**({"title": "Posters", "about": "Hang ten.", "starts_at": found.runs_from,
                    "ends_at": found.runs_from + timedelta(days=9), "points": 20, "most": 1} | changes))


@pytest.fixture
def found(app):
    found = make_round(make_project(), regions=(("Ghent", 1),), questions=())
    make_application(found, region="Ghent")
    return until(found, R.RUNNING)


@pytest.fixture
def mine(found):
    from core.db import db
    from sharing.models_rounds import Application

    return db.session.scalar(db.select(Application))


@pytest.fixture
def mission(found):
    return missions.publish_mission(found.id, task(found), found.project.creator)


def decide(found, proof, to, why="Because"):
    return missions.decide_proof(found.id, proof.id, to, why, found.project.creator)


def test_nothing_counts_until_it_is_accepted_and_an_acceptance_can_be_taken_back(found, mine, mission):
    proof = missions.hand_in(mission.id, mine.id, DONE)
    assert (proof.state, proof.points, missions.waiting(found)) == (P.HANDED_IN, 0, 1)
    decide(found, proof, "accepted")
    assert (proof.points, missions.waiting(found)) == (20, 0)
    decide(found, proof, "taken_back", "The posters were not hung")
    assert (proof.state, proof.points) == (P.TAKEN_BACK, 0)
    decide(found, proof, "accepted")
    assert proof.points == 20 and scalar("SELECT count(*) FROM proof_move") == 3
    assert scalar("SELECT count(*) FROM mail WHERE name = 'sharing/proof_decided'") == 3
    assert scalar("SELECT count(*) FROM audit_entry WHERE action = 'sharing:decide_proof'") == 3


def test_sent_back_with_a_reason_it_may_be_handed_in_again(found, mine, mission):
    from core import mail

    proof = missions.hand_in(mission.id, mine.id, DONE)
    with pytest.raises(BadInput) as refusal:
        decide(found, proof, "sent_back", " ")
    assert refusal.value.field == "why"
    decide(found, proof, "sent_back", "Add a photograph")
    letter = mail.AUTHORS["sharing/proof_decided"](proof_id=str(proof.id), state="sent_back")
    assert "Add a photograph" in mail.compose("sharing/proof_decided", letter)[1]
    missions.hand_in_again(proof.id, mine.id, Evidence("With a photograph", "https://example.org/p.jpg"))
    assert (proof.state, proof.text) == (P.HANDED_IN, "With a photograph")
    with pytest.raises(Refusal):
        missions.hand_in_again(proof.id, mine.id, DONE)


def test_a_mission_takes_no_more_proofs_than_it_accepts(app, found, mine, mission):
    there, who = mission.id, mine.id
    answers = threads(app, *[lambda: missions.hand_in(there, who, DONE)] * 4)
    assert sum(isinstance(answer, Refusal) for answer in answers) == 3
    assert scalar("SELECT count(*) FROM mission_proof") == 1


def test_two_desks_accept_no_more_than_the_mission_counts(app, found, mine, mission):
    first = missions.hand_in(mission.id, mine.id, DONE)
    decide(found, first, "accepted")
    decide(found, first, "taken_back")
    second = missions.hand_in(mission.id, mine.id, DONE)
    creator, there, ids = found.project.creator, found.id, [first.id, second.id]
    answers = threads(app, *[lambda id_=id_: missions.decide_proof(there, id_, "accepted", "", creator) for id_ in ids])
    assert sum(isinstance(answer, Refusal) for answer in answers) == 1
    assert scalar("SELECT sum(points) FROM mission_proof") == 20


def test_proofs_come_in_while_the_mission_is_on_and_from_its_region(found, mine, mission):
    later = missions.publish_mission(found.id, task(found, starts_at=clock.now() + timedelta(days=2)), found.project.creator)
    with pytest.raises(Refusal, match="not begun"):
        missions.hand_in(later.id, mine.id, DONE)
    from core.db import transaction

    with transaction():
        mine.region = "Antwerp"
    local = missions.publish_mission(found.id, task(found, region="Ghent"), found.project.creator)
    with pytest.raises(NotFound):
        missions.hand_in(local.id, mine.id, DONE)
    assert [one.id for one in missions.missions_of(found, "Antwerp")] == [mission.id, later.id]
    pass_to(mission.ends_at)
    with pytest.raises(Refusal, match="has ended"):
        missions.hand_in(mission.id, mine.id, DONE)
    with pytest.raises(NotFound):
        missions.hand_in(uuid.uuid4(), mine.id, DONE)


@pytest.mark.parametrize(("evidence", "field"), [
    (Evidence(), "text"), (Evidence("x" * 2_001), "text"), (Evidence(link="example.org"), "link"),
    (Evidence("x", "javascript:alert(1)"), "link"), (Evidence(picture=io.BytesIO(b"%PDF-1.7")), "picture")])
def test_a_proof_shows_something_that_can_be_shown(found, mine, mission, evidence, field):
    with pytest.raises(BadInput) as refusal:
        missions.hand_in(mission.id, mine.id, evidence)
    assert refusal.value.field == field and scalar("SELECT count(*) FROM mission_proof") == 0


def test_a_picture_is_proof_enough_and_is_re_encoded(found, mine, mission):
    file = io.BytesIO()
    Image.new("RGB", (300, 200), "#F55000").save(file, "PNG", pnginfo=None)
    file.seek(0)
    proof = missions.hand_in(mission.id, mine.id, Evidence(picture=file))
    assert proof.picture and proof.picture.width == 300


def test_foreign_and_own_proofs_are_not_decided(found, mine, mission):
    proof = missions.hand_in(mission.id, mine.id, DONE)
    other = make_round(make_project())
    with pytest.raises(NotFound):
        missions.decide_proof(other.id, proof.id, "accepted", "", other.project.creator)
    with pytest.raises(Refusal, match="own proof"):
        missions.decide_proof(found.id, proof.id, "accepted", "", mine.person)
    with pytest.raises(BadInput):
        decide(found, proof, "handed_in")
    with pytest.raises(Refusal, match="in the meantime"):
        decide(found, proof, "taken_back")
    with pytest.raises(NotFound):
        missions.hand_in_again(uuid.uuid4(), mine.id, DONE)


@pytest.mark.parametrize(("changes", "field"), [
    ({"ends_at": timedelta(days=-1)}, "ends"), ({"starts_at": timedelta(days=-9)}, "starts"),
    ({"ends_at": timedelta(days=99)}, "ends"), ({"region": "Paris"}, "region")])
def test_a_mission_lies_within_its_round(found, changes, field):
    moments = {k: found.runs_from + v if isinstance(v, timedelta) else v for k, v in changes.items()}
    with pytest.raises(BadInput) as refusal:
        missions.publish_mission(found.id, task(found, **moments), found.project.creator)
    assert refusal.value.field == field


def test_a_mission_with_proofs_is_not_taken_away(found, mine, mission):
    missions.hand_in(mission.id, mine.id, DONE)
    with pytest.raises(Refusal):
        missions.remove_mission(found.id, mission.id, found.project.creator)
    empty = missions.publish_mission(found.id, task(found), found.project.creator)
    missions.remove_mission(found.id, empty.id, found.project.creator)
    assert scalar("SELECT count(*) FROM mission") == 1


def test_who_stepped_back_hands_in_nothing_more(found, mine, mission):
    from sharing import choosing

    choosing.step_back(found.id, mine.id, mine.person)
    with pytest.raises(NotFound):
        missions.hand_in(mission.id, mine.id, DONE)


def test_what_was_earned_keeps_its_points_when_the_mission_is_worded_anew(found, mine, mission):
    proof = missions.hand_in(mission.id, mine.id, DONE)
    decide(found, proof, "accepted")
    missions.publish_mission(found.id, task(found, points=99), make_person(), mission.id)
    assert proof.points == 20 and mission.points == 99
