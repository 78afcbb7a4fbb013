"""The organiser's desk of ambassador rounds: what is typed there, and what is told beside the fields."""

import io
import re
import uuid

import pytest
import sqlalchemy as sa

from core import rate
from core.db import transaction
from sharing import choosing, exports
from sharing.models_rounds import RoundState
from tests.factories import csrf_token, make_person, make_project, scalar, sign_in
from tests.sharing.round_scenes import (
    day,
    make_application,
    make_round,
    make_running,
    mission_form,
    picture,
    send,
    until,
)

R = RoundState


@pytest.fixture
def project(app):
    with app.test_request_context():
        yield make_project()


@pytest.fixture
def running(project):
    return make_running(project)


def typed(**changes):
    """The form of a round as a browser sends it."""
    return {"title": "Street team", "about": "Tell your town.", "places": "3", "regions": "Ghent 1\nBruges: 1",
            "channels": "", "call_from": day(0), "call_until": day(7), "vote_until": day(10), "runs_from": day(12),
            "runs_until": day(40), "public_percent": "50", "points_each": "10", "disclosure": "Advertisement: I am one.",
            **{f"questions-{n}-kind": "short" for n in range(8)}, "questions-0-label": "Where do you play?", "questions-0-is_public": "y",
            "questions-1-label": "How?", "questions-1-kind": "choice", "questions-1-options": "Radio, Street"} | changes


# Writing a round ---------------------------------------------------------------------------------------

def test_a_creator_writes_publishes_changes_and_cancels_a_round(client, project):
    sign_in(client, project.creator)
    answer = send(client, project, "desk/round", **typed())
    assert answer.status_code == 303 and answer.location.endswith("/ambassadors/desk"), answer.text
    page = client.get(f"/projects/{project.slug}/ambassadors/desk/round").text
    assert "Ghent 1" in page and "Bruges 1" in page and "Radio, Street" in page and "Where do you play?" in page
    assert send(client, project, "desk/announcement", "desk").status_code == 303
    assert scalar("SELECT state FROM ambassador_round") == "open"
    assert send(client, project, "desk/announcement", "desk").status_code == 409
    page = client.get(f"/projects/{project.slug}/ambassadors/desk/round").text
    assert "The call is open, so places" in page and 'name="disclosure"' not in page and 'name="edition"' in page
    changed = {"title": "Town team", "about": "Tell.", **{k: typed()[k] for k in (
        "call_until", "vote_until", "runs_from", "runs_until")}, "edition": "1"}
    assert send(client, project, "desk/round", **changed).status_code == 303
    answer = send(client, project, "desk/round", **changed)
    assert answer.status_code == 422 and "changed this round in the meantime" in answer.text and 'value="2"' in answer.text
    answer = send(client, project, "desk/cancellation", "desk", why=" ")
    assert answer.status_code == 422 and "Say why" in answer.text
    assert send(client, project, "desk/cancellation", "desk", why="No time").status_code == 303
    assert scalar("SELECT state FROM ambassador_round") == "cancelled"
    assert scalar("SELECT why FROM round_move ORDER BY id DESC LIMIT 1") == "No time"


@pytest.mark.parametrize(("field", "value", "words"), [
    ("title", "", "Give the round a name"), ("title", "x" * 81, "At most 80"), ("about", "", "Say what an ambassador does"),
    ("places", "0", "Between 1 and 1,000"), ("places", "many", "Write a whole number"), ("places", "9" * 30, "Between 1 and"),
    ("regions", "Ghent", "has no number"), ("regions", "Ghent 1\nghent 1", "stands here twice"),
    ("regions", "Ghent 9", "the round has 3"), ("channels", "Radio 0", "has no number"),
    ("call_until", "soon", "Write the day like"), ("call_until", "", "Choose a day"),
    ("call_until", -4, "ends after it begins"), ("vote_until", 6, "ends after the call"),
    ("runs_from", 9, "begins after the vote"), ("runs_until", 11, "ends after it begins"),
    ("public_percent", "101", "from 0 to 100"), ("public_percent", "-1", "from 0 to 100"), ("points_each", "1001", "0 to 1,000"),
    ("disclosure", "", "readers must know"), ("disclosure", "Lovely music.", "Use a word such as"),
    ("disclosure", "ambassador " * 30, "At most 200"), ("questions-1-options", "One", "two to twenty choices"),
    ("questions-0-label", "x" * 201, "At most 200"), ("runs_until", "9999-12-31", "at most 180 days"),
    ("runs_from", "9998-12-31", ""), ("call_from", "0001-01-01", "Write the day like")])
def test_a_wrong_field_of_a_round_is_told_beside_it(client, project, field, value, words):
    sign_in(client, project.creator)
    value = day(value) if isinstance(value, int) else value
    answer = send(client, project, "desk/round", **typed(**{field: value}))
    if not words:
        assert answer.status_code in (303, 422)
        return
    assert answer.status_code == 422 and words in answer.text, answer.text[:3000]
    assert "is-wrong" in answer.text and scalar("SELECT count(*) FROM ambassador_round") == 0
    assert "Tell your town." in answer.text or field == "about"


def test_jurors_are_asked_and_taken_out_on_the_desk(client, project):
    make_round(project)
    juror = make_person("Ravi Doerga")
    sign_in(client, project.creator)
    for email, words in (("", "Write the address"), ("no@example.org", "Nobody has an account"),
                         (project.creator.email, "in the jury already")):
        answer = send(client, project, "desk/jury", "desk/applications", email=email)
        assert answer.status_code == 422 and words in answer.text and "is-wrong" in answer.text
    assert send(client, project, "desk/jury", "desk/applications", email=juror.email.upper()).status_code == 303
    assert "Ravi Doerga" in client.get(f"/projects/{project.slug}/ambassadors/desk/applications").text
    assert send(client, project, f"desk/jury/{juror.id}/removal", "desk/applications").status_code == 303
    assert send(client, project, f"desk/jury/{juror.id}/removal", "desk/applications").status_code == 404


# Choosing ----------------------------------------------------------------------------------------------

def test_the_creator_swaps_with_a_reason_and_confirms_once(client, project):
    made = make_round(project, places=1)
    first, second = (make_application(made, make_person(name)) for name in ("Noor Bakker", "Mo El Idrissi"))
    until(made, R.CHOOSING)
    sign_in(client, project.creator)
    key = choosing.proposal_of(made).key
    swap = {f"state-{first.id}": "waiting", f"state-{second.id}": "accepted", "key": key}
    answer = send(client, project, "desk/choice", **swap)
    assert answer.status_code == 422 and "Say why" in answer.text and "is-wrong" in answer.text
    answer = send(client, project, "desk/choice", **swap | {"key": "old"})
    assert answer.status_code == 422 and "changed in the meantime" in answer.text
    answer = send(client, project, "desk/choice", **swap | {f"state-{first.id}": "accepted", f"why-{second.id}": "nearby"})
    assert answer.status_code == 422 and "2 people for 1 places" in answer.text
    reasons = {f"why-{one.id}": "nearby" for one in (first, second)}
    assert send(client, project, "desk/choice", **swap | reasons).status_code == 303
    assert scalar("SELECT state FROM application WHERE id = :i", i=second.id) == "accepted"
    token = csrf_token(client, "/me/settings")
    again = client.post(f"/projects/{project.slug}/ambassadors/desk/choice", data={"csrf_token": token, **swap})
    assert again.status_code == 200 and "Nothing to choose now" in again.text
    page = client.get(f"/projects/{project.slug}/ambassadors/desk/applications").text
    assert "Take out of the round" in page and "Give a free place" not in page
    answer = send(client, project, f"desk/places/{second.id}", "desk/applications", act="out", why="")
    assert answer.status_code == 422 and "Say why" in answer.text and "is-wrong" in answer.text
    assert send(client, project, f"desk/places/{second.id}", "desk/applications", act="out", why="moved").status_code == 303
    assert scalar("SELECT state FROM application WHERE id = :i", i=first.id) == "accepted"
    assert send(client, project, f"desk/places/{uuid.uuid4()}", "desk/applications", act="in", why="x").status_code == 404


def test_missions_are_written_changed_proved_and_decided(client, app, project, running):
    made, noor = running
    sign_in(client, project.creator)
    for field, value, words in (("title", "", "Give the mission a name"), ("about", "", "Say what is to be done"),
                                ("points", "0", "1 to 1,000"), ("points", "x", "whole number"), ("most", "101", "1 to 100"),
                                ("starts", "", "Choose a day"), ("ends", "2020-01-01", "ends after it begins"),
                                ("ends", "2199-01-01", "The round ends earlier")):
        answer = send(client, project, "desk/missions", **mission_form(made, **{field: value}))
        assert answer.status_code == 422 and words in answer.text and "is-wrong" in answer.text, field
    assert send(client, project, "desk/missions", **mission_form(made)).status_code == 303
    mission = scalar("SELECT id FROM mission")
    assert send(client, project, f"desk/missions/{mission}", **mission_form(made, points="30")).status_code == 303
    assert scalar("SELECT points FROM mission") == 30

    theirs = sign_in(app.test_client(), noor.person)
    for fields, words in (({}, "Show something"), ({"link": "javascript:alert(1)"}, "beginning with https"),
                          ({"text": "x" * 2001}, "At most 2,000"),
                          ({"picture": (io.BytesIO(b"GIF89a<script>"), "a.gif")}, "not a picture")):
        answer = send(theirs, project, f"missions/{mission}/proof", "mine", **fields)
        assert answer.status_code == 422 and words in answer.text and "is-wrong" in answer.text, fields
    answer = send(theirs, project, f"missions/{mission}/proof", "mine", text="Done", picture=(picture(), "a.png"))
    assert answer.status_code == 303
    assert send(theirs, project, f"missions/{mission}/proof", "mine", link="https://example.org/2").status_code == 303
    assert send(theirs, project, f"missions/{mission}/proof", "mine", text="Three").status_code == 409
    proof = scalar("SELECT id FROM mission_proof ORDER BY id LIMIT 1")
    assert send(client, project, f"desk/missions/{mission}/removal", f"desk/missions/{mission}").status_code == 409

    for fields, words in (({"to": "sent_back"}, "Say why"), ({"to": "nonsense", "why": "x"}, "Choose what to do"),
                          ({"to": "sent_back", "why": "x" * 301}, "At most 300")):
        answer = send(client, project, f"desk/proofs/{proof}/decision", "desk/proofs", **fields)
        assert answer.status_code == 422 and words in answer.text and "is-wrong" in answer.text
    assert send(client, project, f"desk/proofs/{proof}/decision", "desk/proofs", to="sent_back", why="Where?").status_code == 303
    answer = send(theirs, project, f"proofs/{proof}", "mine", link="nowhere")
    assert answer.status_code == 422 and "is-wrong" in answer.text
    assert send(theirs, project, f"proofs/{proof}", "mine", text="In Ghent").status_code == 303
    assert send(theirs, project, f"proofs/{proof}", "mine", text="In Ghent").status_code == 409
    assert send(client, project, f"desk/proofs/{proof}/decision", "desk/proofs", to="accepted").status_code == 303
    assert send(client, project, f"desk/proofs/{proof}/decision", "desk/proofs", to="accepted").status_code == 409
    assert scalar("SELECT points FROM mission_proof WHERE id = :p", p=proof) == 30
    answer = send(client, project, f"desk/proofs/{proof}/decision", "desk/proofs", to="taken_back", why="A copy")
    assert answer.status_code == 303 and scalar("SELECT points FROM mission_proof WHERE id = :p", p=proof) == 0


def test_a_kit_is_filled_and_emptied(client, project, running):
    sign_in(client, project.creator)
    for fields, words in (({"kind": "text", "title": "", "text": "x"}, "Give it a name"),
                          ({"kind": "text", "title": "A", "text": " "}, "Write the text"),
                          ({"kind": "early", "title": "A", "text": "x", "early_until": ""}, "Choose the day"),
                          ({"kind": "link", "title": "A", "url": "javascript:x"}, "beginning with https"),
                          ({"kind": "picture", "title": "A"}, "Choose a picture"), ({"kind": "zip", "title": "A"}, "alid"),
                          ({"kind": "picture", "title": "A", "picture": (io.BytesIO(b"x"), "a.png")}, "not a picture")):
        answer = send(client, project, "desk/kit", **fields)
        assert answer.status_code == 422 and words in answer.text and "is-wrong" in answer.text, fields
    for fields in ({"kind": "text", "text": "Come"}, {"kind": "link", "url": "https://example.org/a"},
                   {"kind": "picture", "picture": (picture(), "a.png")},
                   {"kind": "early", "text": "June", "early_until": day(20)}):
        assert send(client, project, "desk/kit", title="A", **fields).status_code == 303
    assert scalar("SELECT count(*) FROM kit_item") == 4
    item = scalar("SELECT id FROM kit_item LIMIT 1")
    assert send(client, project, f"desk/kit/{item}/removal", "desk/kit").status_code == 303
    assert send(client, project, f"desk/kit/{item}/removal", "desk/kit").status_code == 404


@pytest.mark.parametrize(("zone", "field", "value", "said"), [
    ("Europe/Amsterdam", "starts", "0001-01-01", "Write the day like"),
    ("America/Lima", "ends", "9999-12-31", "Write the day like"),
    ("America/Santiago", "starts", "2027-09-05", "00:00 does not exist on")])
def test_a_day_that_the_calendar_there_refuses_is_told_beside_the_field(client, project, running, zone, field, value, said):
    made, _noor = running
    with transaction() as session:
        session.execute(sa.text("UPDATE project SET zone = :z"), {"z": zone})
    sign_in(client, project.creator)
    answer = send(client, project, "desk/missions", **mission_form(made, **{field: value}))
    assert answer.status_code == 422 and told(answer.text, field).startswith(said)
    assert scalar("SELECT count(*) FROM mission") == 0


def test_a_day_of_the_kit_that_is_none_is_told_beside_the_field(client, project, running):
    with transaction() as session:
        session.execute(sa.text("UPDATE project SET zone = 'America/Lima'"))
    sign_in(client, project.creator)
    answer = send(client, project, "desk/kit", kind="early", title="A", text="x", early_until="9999-12-31")
    assert answer.status_code == 422 and told(answer.text, "early_until").startswith("Write the day like")


def told(page, field):
    """What stands beside a field."""
    found = re.search(rf'id="{field}-error"[^>]*>(.*?)</p>', page, re.DOTALL)
    return re.sub("<.*?>", "", found[1]).strip() if found else ""


# The score as a file -----------------------------------------------------------------------------------

def test_the_score_leaves_as_the_other_lists_do_asked_for_written_down_and_ten_an_hour(client, project, running):
    """It holds names: no address that a link or a prefetcher may open, and one count with the lists of the report."""
    desk = f"/projects/{project.slug}/ambassadors/desk/score"
    sign_in(client, project.creator)
    assert "score.csv" not in client.get(desk).text and client.get(f"{desk}.csv").status_code == 404
    assert client.get(f"{desk}/export").status_code == 405
    answer = send(client, project, "desk/score/export", "desk/score")
    assert answer.status_code == 200 and answer.data.startswith(b"\xef\xbb\xbf") and "Noor Bakker" in answer.text
    assert answer.mimetype == "text/csv" and answer.headers["Cache-Control"] == "no-store"
    assert f'attachment; filename="{project.slug}-ambassadors-' in answer.headers["Content-Disposition"]
    noted = "SELECT string_agg(action || ' ' || (facts->>'what') || ' ' || coalesce(facts->>'rows', '-'), ', ' ORDER BY id) " \
            "FROM audit_entry WHERE project_id = :p AND by_id = :who AND action LIKE 'sharing:export_%'"
    assert scalar(noted, p=project.id, who=project.creator_id) == (
        "sharing:export_begun ambassadors -, sharing:export_ended ambassadors 1")
    for _ in range(exports.PER_HOUR - 1):
        assert rate.allows(f"sharing-export:{project.creator_id}", exports.PER_HOUR, 3600)
    assert send(client, project, "desk/score/export", "desk/score").status_code == 429
    sign_in(other := client.application.test_client(), make_person())
    token = csrf_token(other, "/me/settings")
    assert other.post(f"{desk}/export", data={"csrf_token": token}).status_code == 403
