"""Every page of ambassador rounds, in every state, for everybody."""

import io
import uuid
from datetime import timedelta

import pytest
from PIL import Image

from core import clock
from projects.models import MemberRole, ProjectState
from sharing import bans, choosing, kit, missions, rounds, voting
from sharing.kit import Piece
from sharing.missions import Evidence, Task
from sharing.models_rounds import KitKind, QuestionKind, RoundState
from sharing.rounds import Question
from sharing.services import link_of
from tests.factories import csrf_token, make_member, make_person, make_project, scalar, sign_in
from tests.sharing.round_scenes import make_application, make_round, pass_to, plan, until, vote

R = RoundState
PUBLIC = ("ambassadors", "ambassadors/application", "ambassadors/mine", "ambassadors/jury")
DESK = tuple(f"ambassadors/desk{name}" for name in (
    "", "/round", "/applications", "/choice", "/missions", "/proofs", "/kit", "/score", "/score.csv"))
SPREAD = {"regions": (("Ghent", 1),), "channels": (("Radio", 1),)}


@pytest.fixture
def project(app):
    with app.test_request_context():
        yield make_project()


class Scene:
    """A project with everybody who has a page: whoever comes, applies, is in, judges, and works on it."""

    def __init__(self, app, project):
        self.app, self.project = app, project
        self.people = {"visitor": None, "reader": make_person("Els Kramer"), "applicant": make_person("Mo El Idrissi"),
                       "ambassador": make_person("Noor Bakker"), "juror": make_person("Ravi Doerga"),
                       "creator": project.creator, "organiser": make_member(project, make_person("Puck de Boer"))}
        self.clients = {role: app.test_client() for role in self.people}

    def look(self, role, page, status=200):
        if self.people[role]:
            sign_in(self.clients[role], self.people[role])  # the clock goes on by weeks, and sessions end
        answer = self.clients[role].get(f"/projects/{self.project.slug}/{page}")
        assert answer.status_code == status, (role, page, answer.status_code, answer.text[:2000])
        return answer.text

    def everybody_looks(self, *, jury=404, csv=200):
        """All pages for all; the jury's own only for the jury."""
        for role, person in self.people.items():
            for page in PUBLIC:
                is_jury = page.endswith("/jury")
                if person is None and page != "ambassadors":
                    self.look(role, page, 302)
                elif not is_jury:
                    self.look(role, page)
                else:
                    self.look(role, page, 200 if jury == 200 and role in ("juror", "creator", "organiser") else
                              404 if jury == 404 else 403)
            for page in DESK:
                if role not in ("creator", "organiser"):
                    self.look(role, page, 302 if person is None else 403)
                elif page.endswith(("/round", "/choice")):
                    self.look(role, page, 200 if role == "creator" else 403)
                else:
                    self.look(role, page, csv if page.endswith(".csv") else 200)


@pytest.fixture
def scene(app, project):
    return Scene(app, project)


def test_every_page_in_every_state_for_everybody(scene):
    project, people = scene.project, scene.people
    scene.everybody_looks(csv=404)
    assert "No ambassadors at the moment" in scene.look("visitor", "ambassadors")
    assert "Write a round" in scene.look("creator", "ambassadors/desk")

    made = rounds.open_round(project, plan(places=1, call_from=clock.now() + timedelta(days=1), regions=SPREAD["regions"],
                                           channels=SPREAD["channels"], questions=(
        Question("Where?", QuestionKind.CHOICE, ("Ghent", "Bruges"), True), Question("Who?", QuestionKind.LONG),
        Question("A page of yours", QuestionKind.LINK), Question("In a word", QuestionKind.SHORT, (), True))), project.creator)
    scene.everybody_looks()
    assert "No ambassadors at the moment" in scene.look("visitor", "ambassadors")
    assert "Publish the call" in scene.look("creator", "ambassadors/desk")
    assert "Publish the call" not in scene.look("organiser", "ambassadors/desk")
    rounds.announce_round(made.id, project.creator)
    assert "The call opens on" in scene.look("creator", "ambassadors/desk")
    assert "No ambassadors at the moment" in scene.look("visitor", "ambassadors")

    pass_to(made.call_from)
    rounds.advance_due()
    voting.add_juror(made.id, people["juror"].email, project.creator)
    scene.everybody_looks(jury=200)
    assert "One place for somebody who tells" in scene.look("visitor", "ambassadors")
    assert "Nothing to judge now" in scene.look("juror", "ambassadors/jury")
    noor = make_application(made, people["ambassador"], region="Ghent", channel="Radio")
    mo = make_application(made, people["applicant"], region="Ghent", channel="Radio")
    scene.everybody_looks(jury=200)
    assert "Your application is in" in scene.look("applicant", "ambassadors")
    assert "Save my application" in scene.look("applicant", "ambassadors/application")
    assert "2 applications for 1 places" in scene.look("creator", "ambassadors/desk")

    until(made, R.VOTING)
    scene.everybody_looks(jury=200)
    page = scene.look("visitor", "ambassadors")
    assert "Noor" in page and "Bakker" not in page and "Log in to vote" in page and "In a word" in page and "Who?" not in page
    assert "Send my votes" in scene.look("reader", "ambassadors")
    assert "0 of 2 have your mark" in scene.look("juror", "ambassadors/jury")
    assert "The call is closed" in scene.look("applicant", "ambassadors/application")
    vote(made, noor, voter=people["reader"])
    voting.give_mark(made.id, noor.id, people["juror"], 5, "yes")
    assert "Change my votes" in scene.look("reader", "ambassadors")
    assert "1 of 2 have your mark" in scene.look("juror", "ambassadors/jury")
    assert "One person has voted" in scene.look("creator", "ambassadors/desk")

    until(made, R.CHOOSING)
    scene.everybody_looks(jury=200)
    assert "The vote has ended" in scene.look("visitor", "ambassadors") and "Noor" not in scene.look("visitor", "ambassadors")
    assert "One person for 1 places" in scene.look("creator", "ambassadors/desk/choice")
    choosing.confirm(made.id, {}, {}, choosing.proposal_of(made).key, project.creator)
    scene.everybody_looks(jury=200)
    assert "You are in" in scene.look("ambassador", "ambassadors/mine")
    assert "a place comes free" in scene.look("applicant", "ambassadors")
    assert "One ambassador, ready to begin" in scene.look("creator", "ambassadors/desk")

    until(made, R.RUNNING)
    task = Task("Hang ten posters", "In *your* town.", made.runs_from, made.runs_until, 20, 2, "Ghent")
    mission = missions.publish_mission(made.id, task, project.creator)
    scene.look("creator", f"ambassadors/desk/missions/{mission.id}")
    for piece in (Piece(KitKind.TEXT, "A text", "Come and hear us."), Piece(KitKind.LINK, "Film", "", "https://example.org/f"),
                  Piece(KitKind.EARLY, "Early", "In June.", "", clock.now() + timedelta(days=2)),
                  Piece(KitKind.PICTURE, "Cover", picture=picture())):
        kit.add_item(made.id, piece, project.creator)
    assert "Make your link first" in scene.look("ambassador", "ambassadors/mine")
    link_of(people["ambassador"], project)
    sent = [missions.hand_in(mission.id, noor.id, Evidence("Ten of them", "https://example.org/p", picture()))]
    scene.everybody_looks(jury=200)
    assert "One proof waits for you" in scene.look("creator", "ambassadors/desk/proofs")
    missions.decide_proof(made.id, sent[0].id, "sent_back", "Which street?", project.creator)
    page = scene.look("ambassador", "ambassadors/mine")
    assert "Which street?" in page and "Hand in again" in page and page.count(made.disclosure) > 1
    missions.hand_in_again(sent[0].id, noor.id, Evidence("In Long Street"))
    missions.decide_proof(made.id, sent[0].id, "accepted", "", project.creator)
    scene.everybody_looks(jury=200)
    page = scene.look("visitor", "ambassadors")
    assert "One ambassador tells about this" in page and "an ambassador" in page and "Noor" not in page and ">20<" in page
    assert "20 points so far" in scene.look("ambassador", "ambassadors/mine")
    assert "Noor Bakker" in scene.look("creator", "ambassadors/desk/score")
    assert "Take the acceptance back" in scene.look("creator", "ambassadors/desk/proofs?show=accepted")
    assert "Nothing here" in scene.look("creator", "ambassadors/desk/proofs?show=taken_back")
    scene.look("creator", "ambassadors/desk/proofs?show=nonsense&page=-3")
    scene.look("creator", "ambassadors/desk/applications?page=99")

    until(made, R.ENDED)
    scene.everybody_looks(jury=200)
    assert "20 points in the end" in scene.look("ambassador", "ambassadors/mine")
    assert "The round has ended" in scene.look("visitor", "ambassadors")
    assert "Noor Bakker" in scene.look("creator", "ambassadors/desk/score.csv")
    assert mo.id


def test_a_cancelled_round_is_gone_for_everybody_but_its_desk(scene):
    made = make_round(scene.project)
    make_application(made, scene.people["applicant"])
    rounds.cancel_round(made.id, scene.project.creator, "no time")
    scene.everybody_looks(csv=404)
    assert "No ambassadors at the moment" in scene.look("applicant", "ambassadors")
    page = scene.look("creator", "ambassadors/desk")
    assert "Earlier rounds" in page and "Cancelled" in page and "Write a round" in page


def test_a_round_by_jury_alone_shows_no_candidates(scene):
    made = make_round(scene.project, public_percent=0)
    make_application(made, scene.people["applicant"], is_shown=False)
    until(made, R.VOTING)
    scene.everybody_looks(jury=403)
    page = scene.look("reader", "ambassadors")
    assert "The jury is reading" in page and "Mo" not in page.replace("More", "").replace("Mon", "")
    assert "0 of 1 have your mark" in scene.look("creator", "ambassadors/jury")


def test_a_draft_project_has_a_desk_and_no_public_page(app, client):
    with app.test_request_context():
        project = make_project(state=ProjectState.DRAFT, launched_at=None, fee_bp=None)
    sign_in(client, project.creator)
    assert client.get(f"/projects/{project.slug}/ambassadors").status_code == 404
    assert client.get(f"/projects/{project.slug}/ambassadors/desk").status_code == 200
    rounds.open_round(project, plan(), project.creator)
    answer = send(client, project, "desk/announcement", "desk")
    assert answer.status_code == 409 and "once the project is live" in answer.text


def picture():
    out = io.BytesIO()
    Image.new("RGB", (60, 45), "orange").save(out, "PNG")
    return io.BytesIO(out.getvalue())


def send(client, project, page, form=None, **fields):
    base = f"/projects/{project.slug}/ambassadors"
    token = csrf_token(client, f"{base}/{page if form is None else form}".rstrip("/"))
    return client.post(f"{base}/{page}", data={"csrf_token": token, **fields}, content_type="multipart/form-data")


def day(days):
    return (clock.now() + timedelta(days=days)).date().isoformat()


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
    ("questions-0-label", "x" * 201, "At most 200"), ("runs_until", "9999-12-31", "")])
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


# Applying ----------------------------------------------------------------------------------------------

def apply_form(**changes):
    return {"q1": "In Ghent", "q2": "A fan", "is_shown": "y"} | changes


def test_somebody_applies_changes_it_and_withdraws(client, project):
    make_round(project)
    mo = sign_in(client, make_person("Mo El Idrissi")) and client
    assert send(mo, project, "application", **apply_form()).status_code == 303
    assert send(mo, project, "application", **apply_form(q1="In Bruges")).status_code == 303
    assert scalar("SELECT count(*) FROM application") == 1
    assert scalar("SELECT count(*) FROM application_answer WHERE text = 'In Bruges'") == 1
    assert "In Bruges" in mo.get(f"/projects/{project.slug}/ambassadors/application").text
    assert send(mo, project, "withdrawal", "application").status_code == 303
    assert scalar("SELECT state FROM application") == "withdrawn"
    assert send(mo, project, "withdrawal", "application").status_code == 409
    assert send(mo, project, "application", **apply_form()).status_code == 303
    assert scalar("SELECT state FROM application") == "sent"


@pytest.mark.parametrize(("changes", "words"), [
    ({"q1": ""}, "Answer this question"), ({"q1": "x" * 201}, "200 characters"),
    ({"q2": " "}, "Answer this question"), ({"q2": "x" * 2001}, "2,000 characters"),
    ({"is_shown": ""}, "There is a public vote"), ({"region": ""}, "Choose one from the list"),
    ({"region": "Paris"}, "hoice")])
def test_a_wrong_answer_is_told_beside_its_question(client, project, changes, words):
    make_round(project, regions=(("Ghent", 1),))
    sign_in(client, make_person())
    answer = send(client, project, "application", **{k: v for k, v in (apply_form(region="Ghent") | changes).items() if v})
    assert answer.status_code == 422 and words in answer.text, answer.text[2000:6000]
    assert "is-wrong" in answer.text and scalar("SELECT count(*) FROM application") == 0


def test_the_team_and_whoever_is_not_confirmed_cannot_apply(client, project):
    make_round(project)
    for person, words in ((project.creator, "you cannot apply"), (make_person(confirmed_at=None), "Confirm your e-mail")):
        sign_in(client, person)
        page = client.get(f"/projects/{project.slug}/ambassadors/application")
        answer = send(client, project, "application", **apply_form())
        assert (page.status_code, answer.status_code) == (200, 422) and words in answer.text


def test_whoever_is_banned_from_sharing_cannot_apply(client, project):
    make_round(project)
    mo, els = make_person("Mo El Idrissi"), make_person("Els Kramer")
    ban = bans.ban(mo.id, project_id=project.id, reason="bought pledges", by_id=project.creator_id)
    bans.ban(els.id, project_id=None, reason="bought pledges", by_id=project.creator_id, days=3)
    for person in (mo, els):
        sign_in(client, person)
        answer = send(client, project, "application", **apply_form())
        assert answer.status_code == 422 and "does not count" in answer.text
    assert scalar("SELECT count(*) FROM application") == 0
    bans.lift(ban.id, by_id=project.creator_id)
    clock.move_clock(timedelta(days=3, seconds=1))
    for person in (mo, els):
        sign_in(client, person)
        assert send(client, project, "application", **apply_form()).status_code == 303


# Voting and judging ------------------------------------------------------------------------------------

def test_votes_are_sent_changed_refused_and_taken_away(client, project):
    made = make_round(project)
    mine, *others = [make_application(made, make_person(f"Fan{n} X")) for n in range(5)]
    until(made, R.VOTING)
    ids = [str(one.id) for one in others]
    sign_in(client, make_person("Els Kramer"))
    assert send(client, project, "vote", "", chosen=ids[:3]).status_code == 303
    assert scalar("SELECT count(*) FROM application_vote") == 3
    page = client.get(f"/projects/{project.slug}/ambassadors").text
    assert page.count(" checked") == 3 and "Change my votes" in page
    answer = send(client, project, "vote", "", chosen=ids)
    assert answer.status_code == 422 and "You have 3 votes" in answer.text and answer.text.count(" checked") == 4
    for wrong in ("nonsense", str(uuid.uuid4())):
        answer = send(client, project, "vote", "", chosen=[wrong])
        assert answer.status_code == 422 and "not a candidate any more" in answer.text
    assert send(client, project, "vote", "", chosen=ids[:1]).status_code == 303
    assert scalar("SELECT count(*) FROM application_vote") == 1
    assert send(client, project, "vote", "").status_code == 303
    assert scalar("SELECT count(*) FROM application_vote") == 0
    sign_in(client, mine.person)
    answer = send(client, project, "vote", "", chosen=[str(mine.id)])
    assert answer.status_code == 422 and "cannot vote for yourself" in answer.text
    until(made, R.CHOOSING)
    sign_in(client, mine.person)
    token = csrf_token(client, "/me/settings")
    assert client.post(f"/projects/{project.slug}/ambassadors/vote", data={"csrf_token": token}).status_code == 409


def test_the_jury_marks_and_nobody_marks_their_own(client, project):
    made = make_round(project)
    juror = make_person("Ravi Doerga")
    voting.add_juror(made.id, juror.email, project.creator)
    own, other = make_application(made, juror), make_application(made, make_person("Mo El Idrissi"))
    until(made, R.VOTING)
    sign_in(client, juror)
    page = client.get(f"/projects/{project.slug}/ambassadors/jury").text
    assert "This is your own application" in page and "0 of 1 have your mark" in page
    for sent, words in (({}, "Give a mark from 1 to 5"), ({"mark": "6"}, "Give a mark from 1 to 5"),
                        ({"mark": "3", "note": "x" * 501}, "At most 500")):
        answer = send(client, project, f"jury/{other.id}", "jury", **sent)
        assert answer.status_code == 422 and words in answer.text and "is-wrong" in answer.text
    answer = send(client, project, f"jury/{other.id}", "jury", mark="4", note="Good")
    assert answer.status_code == 303 and answer.location.endswith(f"#a-{other.id}")
    assert "You have given all marks" in client.get(f"/projects/{project.slug}/ambassadors/jury").text
    assert send(client, project, f"jury/{own.id}", "jury", mark="5").status_code == 403
    assert send(client, project, f"jury/{uuid.uuid4()}", "jury", mark="5").status_code == 404
    assert scalar("SELECT count(*) FROM jury_mark") == 1


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


def test_an_ambassador_leaves_and_makes_a_link(client, project):
    made = make_round(project, places=1)
    noor, mo = (make_application(made, make_person(name)) for name in ("Noor Bakker", "Mo El Idrissi"))
    until(made, R.RUNNING)
    sign_in(client, noor.person)
    assert send(client, project, "link", "mine").status_code == 303
    assert scalar("SELECT count(*) FROM share_link WHERE person_id = :p", p=noor.person_id) == 1
    assert send(client, project, "departure", "mine").status_code == 303
    assert scalar("SELECT state FROM application WHERE id = :i", i=noor.id) == "left"
    assert scalar("SELECT state FROM application WHERE id = :i", i=mo.id) == "accepted"
    token = csrf_token(client, "/me/settings")
    for page in ("departure", "link", f"missions/{uuid.uuid4()}/proof", f"proofs/{uuid.uuid4()}"):
        assert client.post(f"/projects/{project.slug}/ambassadors/{page}", data={"csrf_token": token}).status_code == 404
    assert "You are not an ambassador now" in client.get(f"/projects/{project.slug}/ambassadors/mine").text


# Missions, proofs, kit ---------------------------------------------------------------------------------

@pytest.fixture
def running(project):
    """A running round with one ambassador."""
    made = make_round(project, places=1)
    noor = make_application(made, make_person("Noor Bakker"))
    return until(made, R.RUNNING), noor


def mission_form(made, **changes):
    return {"title": "Posters", "about": "Hang ten.", "starts": made.runs_from.date().isoformat(),
            "ends": made.runs_until.date().isoformat(), "points": "20", "most": "2", "region": ""} | changes


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


# What belongs to somebody else -------------------------------------------------------------------------

def test_things_of_another_project_are_not_found_under_mine(client, app, project, running):
    made, noor = running
    task = Task("Hang ten posters", "In *your* town.", made.runs_from, made.runs_until, 20, 2)
    mission = missions.publish_mission(made.id, task, project.creator)
    proof = missions.hand_in(mission.id, noor.id, Evidence("Ten"))
    item = kit.add_item(made.id, Piece(KitKind.TEXT, "A", "x"), project.creator)
    with app.test_request_context():
        other = make_project()
    theirs = make_round(other, places=1)
    mo = make_application(theirs, make_person("Mo El Idrissi"))
    until(theirs, R.RUNNING)
    sign_in(client, other.creator)
    token = csrf_token(client, "/me/settings")
    base = f"/projects/{other.slug}/ambassadors"
    sent = {"csrf_token": token, "why": "mine", "to": "accepted", "act": "out", **mission_form(theirs)}
    assert client.get(f"{base}/desk/missions/{mission.id}").status_code == 404
    for page in (f"desk/missions/{mission.id}", f"desk/missions/{mission.id}/removal", f"desk/proofs/{proof.id}/decision",
                 f"desk/kit/{item.id}/removal", f"desk/places/{noor.id}"):
        assert client.post(f"{base}/{page}", data=sent).status_code == 404, page
    ambassador = sign_in(app.test_client(), mo.person)
    token = csrf_token(ambassador, "/me/settings")
    for page in (f"missions/{mission.id}/proof", f"proofs/{proof.id}"):
        assert ambassador.post(f"{base}/{page}", data={"csrf_token": token, "text": "mine"}).status_code == 404, page
    assert scalar("SELECT count(*) FROM mission_proof WHERE state = 'handed_in'") == 1
    assert scalar("SELECT count(*) FROM kit_item") == 1 and scalar("SELECT title FROM mission") == "Hang ten posters"


def test_a_collaborator_has_no_desk(client, project):
    make_round(project)
    sign_in(client, make_member(project, role=MemberRole.COLLABORATOR))
    assert client.get(f"/projects/{project.slug}/ambassadors/desk").status_code == 403
    assert client.get(f"/projects/{project.slug}/ambassadors/jury").status_code == 200


def test_a_form_without_its_token_changes_nothing(client, app, project, running):
    made, noor = running
    some = uuid.uuid4()
    mission = missions.publish_mission(made.id, Task("P", "x", made.runs_from, made.runs_until, 20, 2), project.creator)
    sign_in(client, project.creator)
    for page in ("round", "announcement", "cancellation", "jury", f"jury/{some}/removal", "choice", f"places/{noor.id}",
                 "missions", f"missions/{mission.id}", f"missions/{mission.id}/removal", f"proofs/{some}/decision", "kit",
                 f"kit/{some}/removal"):
        answer = client.post(f"/projects/{project.slug}/ambassadors/desk/{page}", data={"why": "x", "title": "x"})
        assert answer.status_code == 400, page
    theirs = sign_in(app.test_client(), noor.person)
    for page in ("application", "withdrawal", "vote", f"missions/{mission.id}/proof", f"proofs/{some}", "departure", "link"):
        assert theirs.post(f"/projects/{project.slug}/ambassadors/{page}", data={"text": "x"}).status_code == 400, page
    assert scalar("SELECT state FROM ambassador_round") == "running"
    assert scalar("SELECT state FROM application") == "accepted" and scalar("SELECT count(*) FROM mission_proof") == 0
