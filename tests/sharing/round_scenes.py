"""Ambassador rounds in any state: written, announced and moved by the clock as people would."""

import io
from datetime import timedelta
from typing import Any

from PIL import Image

from core import clock
from core.db import db
from people.models import Person
from projects.models import Project
from sharing import applications, choosing, rounds, voting
from sharing.applications import Wish
from sharing.models_rounds import AmbassadorRound, Application, QuestionKind, RoundState
from sharing.rounds import Plan, Question
from tests.factories import csrf_token, make_person

R = RoundState


def plan(**changes: Any) -> Plan:
    """A call of a week from yesterday, three days of vote, then a round of thirty days; two places."""
    now = clock.now()
    return Plan(**({
        "title": "Street team", "about": "Tell your town.", "places": 2, "call_from": now - timedelta(days=1),
        "call_until": now + timedelta(days=7), "vote_until": now + timedelta(days=10),
        "runs_from": now + timedelta(days=12), "runs_until": now + timedelta(days=42), "public_percent": 50,
        "points_each": 10, "disclosure": "I am an ambassador of this project and may get something for it.",
        "questions": (Question("Where do you play?", QuestionKind.SHORT, (), True),
                      Question("Who are you?", QuestionKind.LONG))} | changes))


def make_round(project: Project, **changes: Any) -> AmbassadorRound:
    """Announced and open."""
    made = rounds.open_round(project, plan(**changes), project.creator)
    return rounds.announce_round(made.id, project.creator)


def make_application(found: AmbassadorRound, person: Person | None = None, *, region: str = "", channel: str = "",
                     is_shown: bool = True, is_named: bool = False) -> Application:
    wish = Wish(region, channel, is_shown, is_named,
                {question.id: question.options[0] if question.options else "https://example.org/a"
                 for question in found.questions})
    return applications.apply(found.id, person or make_person(), wish)


def until(found: AmbassadorRound, state: RoundState) -> AmbassadorRound:
    """Let the clock and the creator bring it there; the creator confirms what is proposed."""
    steps = [(R.VOTING, "call_until"), (R.CHOOSING, "vote_until"), (R.RUNNING, "runs_from"), (R.ENDED, "runs_until")]
    states = [R.OPEN, *(step for step, _name in steps)]
    for step, name in steps[states.index(found.state):states.index(state)]:
        if step is R.RUNNING and not found.chosen_at:
            choosing.confirm(found.id, {}, {}, choosing.proposal_of(found).key, found.project.creator)
        pass_to(getattr(found, name))
        rounds.advance_due()
        db.session.expire_all()
        assert found.state is step
    return found


def pass_to(moment: Any) -> None:
    clock.move_clock(max(timedelta(0), moment - clock.now()) + timedelta(seconds=1))


def vote(found: AmbassadorRound, *chosen: Application, voter: Person | None = None) -> Person:
    voter = voter or make_person()
    voting.cast(found.id, voter, [one.id for one in chosen])
    return voter


def make_running(project: Project) -> tuple[AmbassadorRound, Application]:
    """A running round with one ambassador."""
    made = make_round(project, places=1)
    noor = make_application(made, make_person("Noor Bakker"))
    return until(made, R.RUNNING), noor


def mission_form(made: AmbassadorRound, **changes: str) -> dict[str, str]:
    return {"title": "Posters", "about": "Hang ten.", "starts": made.runs_from.date().isoformat(),
            "ends": made.runs_until.date().isoformat(), "points": "20", "most": "2", "region": ""} | changes


def picture() -> io.BytesIO:
    out = io.BytesIO()
    Image.new("RGB", (60, 45), "orange").save(out, "PNG")
    return io.BytesIO(out.getvalue())


def send(client: Any, project: Project, page: str, form: str | None = None, **fields: Any) -> Any:
    """POST to a page of rounds, with the token of the form on it or on the page `form`."""
    base = f"/projects/{project.slug}/ambassadors"
    token = csrf_token(client, f"{base}/{page if form is None else form}".rstrip("/"))
    return client.post(f"{base}/{page}", data={"csrf_token": token, **fields}, content_type="multipart/form-data")


def day(days: float) -> str:
    return (clock.now() + timedelta(days=days)).date().isoformat()
