"""Every page of ambassador rounds, in every state, for everybody."""

import uuid
from datetime import timedelta

import pytest

from core import clock
from projects.models import MemberRole, ProjectState
from sharing import bans, choosing, kit, missions, rounds, scoring, voting
from sharing.kit import Piece
from sharing.missions import Evidence, Task
from sharing.models_rounds import KitKind, QuestionKind, RoundState
from sharing.rounds import Question
from sharing.services import link_of
from tests.factories import csrf_token, make_member, make_person, make_project, scalar, sign_in
from tests.sharing.round_scenes import (
    make_application,
    make_round,
    make_running,
    mission_form,
    pass_to,
    picture,
    plan,
    send,
    until,
    vote,
)

R = RoundState
PUBLIC = ("ambassadors", "ambassadors/application", "ambassadors/mine", "ambassadors/jury")
DESK = tuple(f"ambassadors/desk{name}" for name in (
    "", "/round", "/applications", "/choice", "/missions", "/proofs", "/kit", "/score"))
SPREAD = {"regions": (("Ghent", 1),), "channels": (("Radio", 1),)}


@pytest.fixture
def project(app):
    with app.test_request_context():
        yield make_project()


@pytest.fixture
def running(project):
    return make_running(project)


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

    def everybody_looks(self, *, jury=404, jurors=("juror", "creator", "organiser")):
        """All pages for all; the jury's own only for the jury."""
        for role, person in self.people.items():
            for page in PUBLIC:
                is_jury = page.endswith("/jury")
                if person is None and page != "ambassadors":
                    self.look(role, page, 302)
                elif not is_jury:
                    is_decider = page.endswith("/application") and role in ("creator", "organiser") and self.is_open()
                    self.look(role, page, 409 if is_decider else 200)
                else:
                    self.look(role, page, 404 if jury == 404 else 200 if role in jurors else 403)
            for page in DESK:
                if role not in ("creator", "organiser"):
                    self.look(role, page, 302 if person is None else 403)
                elif page.endswith(("/round", "/choice")):
                    self.look(role, page, 200 if role == "creator" else 403)
                else:
                    self.look(role, page)

    def is_open(self):
        return scalar("SELECT EXISTS (SELECT FROM ambassador_round WHERE state = 'open')")


@pytest.fixture
def scene(app, project):
    return Scene(app, project)


def test_every_page_in_every_state_for_everybody(scene):
    project, people = scene.project, scene.people
    scene.everybody_looks()
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
    assert ">Ten of them</textarea>" in page and 'value="https://example.org/p"' in page  # what is mended is not typed anew
    missions.hand_in_again(sent[0].id, noor.id, Evidence("In Long Street"))
    missions.decide_proof(made.id, sent[0].id, "accepted", "", project.creator)
    scene.everybody_looks(jury=200)
    page = scene.look("visitor", "ambassadors")
    assert "One ambassador tells about this" in page and "an ambassador" in page and "Noor" not in page and ">20<" in page
    assert "20 points so far" in scene.look("ambassador", "ambassadors/mine")
    page = scene.look("creator", "ambassadors/desk/score")
    assert "Noor Bakker" in page and ">accepted proof<" in page
    assert "Take the acceptance back" in scene.look("creator", "ambassadors/desk/proofs?show=accepted")
    assert "Nothing here" in scene.look("creator", "ambassadors/desk/proofs?show=taken_back")
    scene.look("creator", "ambassadors/desk/proofs?show=nonsense&page=-3")
    scene.look("creator", "ambassadors/desk/applications?page=99")

    until(made, R.ENDED)
    scene.everybody_looks(jury=200)
    page = scene.look("ambassador", "ambassadors/mine")
    assert "20 points in the end" in page and "The round ended on" in page and "The round ends on" not in page
    assert "The round has ended" in scene.look("visitor", "ambassadors")
    assert mo.id


def test_a_cancelled_round_is_gone_for_everybody_but_its_desk(scene):
    made = make_round(scene.project)
    make_application(made, scene.people["applicant"])
    rounds.cancel_round(made.id, scene.project.creator, "no time")
    scene.everybody_looks()
    assert "No ambassadors at the moment" in scene.look("applicant", "ambassadors")
    page = scene.look("creator", "ambassadors/desk")
    assert "Earlier rounds" in page and "Cancelled" in page and "Write a round" in page


def test_a_round_by_jury_alone_shows_no_candidates(scene):
    made = make_round(scene.project, public_percent=0)
    make_application(made, scene.people["applicant"], is_shown=False)
    until(made, R.VOTING)
    scene.everybody_looks(jury=200, jurors=("creator", "organiser"))
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


def test_what_is_missing_is_told_at_once_for_every_question(client, project):
    make_round(project, regions=(("Ghent", 1),))
    sign_in(client, make_person())
    answer = send(client, project, "application")
    assert answer.status_code == 422 and answer.text.count('class="field-error"') == 4, "region, two questions, consent"


def test_elsewhere_is_offered_kept_and_shown(client, project):
    made = make_round(project, regions=(("Ghent", 1),))
    mo = sign_in(client, make_person("Mo El Idrissi")) and client
    at = f"/projects/{project.slug}/ambassadors/application"
    assert '<option value="*">Elsewhere</option>' in mo.get(at).text
    assert send(mo, project, "application", **apply_form(region="*")).status_code == 303
    assert '<option selected value="*">Elsewhere</option>' in mo.get(at).text
    until(made, R.VOTING)
    assert ">Elsewhere</p>" in client.application.test_client().get(f"/projects/{project.slug}/ambassadors").text
    until(made, R.RUNNING)
    assert ",Elsewhere,," in b"".join(scoring.pieces(made)).decode()


def test_the_team_and_whoever_is_not_confirmed_cannot_apply(client, project):
    make_round(project)
    sign_in(client, make_person(confirmed_at=None))
    page = client.get(f"/projects/{project.slug}/ambassadors/application")
    answer = send(client, project, "application", **apply_form())
    assert (page.status_code, answer.status_code) == (200, 422) and "Confirm your e-mail" in answer.text
    sign_in(client, project.creator)  # who is told before the questions, not after them
    token = csrf_token(client, f"/projects/{project.slug}/ambassadors/desk")
    for answer in (client.get(f"/projects/{project.slug}/ambassadors/application"),
                   client.post(f"/projects/{project.slug}/ambassadors/application", data={"csrf_token": token, **apply_form()})):
        assert answer.status_code == 409 and "you cannot apply" in answer.text
    assert scalar("SELECT count(*) FROM application") == 0


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
