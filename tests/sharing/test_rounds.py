from datetime import timedelta

import pytest

from core import clock
from core.db import db
from core.errors import BadInput, NotFound, Refusal
from projects.models import ProjectState
from sharing import rounds
from sharing.models_rounds import RoundState
from tests.factories import make_member, make_person, make_project, scalar
from tests.races import threads
from tests.sharing.round_scenes import make_application, make_round, pass_to, plan, until

R = RoundState


@pytest.fixture
def project(app):
    return make_project()


def mails(name: str, **about: object) -> int:
    return scalar("SELECT count(*) FROM mail WHERE name = 'sharing/' || :name AND about @> CAST(:about AS jsonb)",
                  name=name, about=__import__("json").dumps({k: str(v) for k, v in about.items()}))


def test_a_round_goes_by_the_clock_from_its_call_to_its_end_and_everybody_concerned_is_told(project):
    found = make_round(project)
    fan, juror = make_person(), make_member(project)
    make_application(found, fan)
    assert found.state is R.OPEN and mails("round_news", news="open_team") == 1
    assert until(found, R.VOTING) and mails("round_news", news="voting", person_id=fan.id) == 1
    assert mails("round_news", news="jury", person_id=juror.id) == 1
    assert until(found, R.CHOOSING) and mails("round_news", news="choosing", person_id=project.creator_id) == 1
    assert until(found, R.RUNNING) and mails("application_decided", state="accepted") == 1
    assert mails("round_news", news="running", person_id=fan.id) == 1
    assert until(found, R.ENDED) and mails("round_news", news="ended", person_id=fan.id) == 1
    assert mails("round_news", news="ended_team") == 2
    assert scalar("SELECT count(*) FROM round_move WHERE round_id = :r", r=found.id) == 5


def test_before_its_day_an_announced_round_stays_closed(project):
    made = make_round(project, call_from=clock.now() + timedelta(days=2))
    assert made.state is R.DRAFT and made.announced_at and rounds.public_round(project) is None
    rounds.advance_due()
    assert made.state is R.DRAFT
    pass_to(made.call_from)
    rounds.advance_due()
    db.session.expire_all()
    assert made.state is R.OPEN and rounds.public_round(project).id == made.id


def test_a_draft_that_nobody_published_never_opens(project):
    made = rounds.open_round(project, plan(), project.creator)
    assert rounds.advance_due() == 0 and made.state is R.DRAFT


def test_without_the_creators_word_nobody_runs_and_the_round_ends_on_its_day(project):
    found = make_round(project)
    make_application(found)
    until(found, R.CHOOSING)
    pass_to(found.runs_from)
    assert rounds.advance_due() == 0
    pass_to(found.runs_until)
    rounds.advance_due()
    db.session.expire_all()
    assert found.state is R.ENDED and mails("round_news", news="ended") == 0


def test_two_ticks_at_once_move_it_once(app, project):
    found = make_round(project)
    make_application(found)
    pass_to(found.call_until)
    threads(app, rounds.advance_due, rounds.advance_due)
    assert scalar("SELECT count(*) FROM round_move") == 2 and mails("round_news", news="voting") == 1


def test_one_round_of_a_project_at_a_time(project):
    made = rounds.open_round(project, plan(), project.creator)
    with pytest.raises(Refusal, match="round already"):
        rounds.open_round(project, plan(), project.creator)
    rounds.cancel_round(made.id, project.creator, "")
    assert rounds.open_round(project, plan(), project.creator).id != made.id
    assert rounds.open_round(make_project(), plan(), project.creator)


@pytest.mark.parametrize(("changes", "field"), [
    ({"call_until": timedelta(days=-2)}, "call_until"), ({"vote_until": timedelta(days=6)}, "vote_until"),
    ({"runs_from": timedelta(days=9)}, "runs_from"), ({"runs_until": timedelta(days=11)}, "runs_until"),
    ({"call_from": timedelta(days=-9), "call_until": timedelta(days=-1)}, "call_until"),
    ({"runs_until": timedelta(days=12 + 181)}, "runs_until"), ({"runs_until": timedelta(days=36_500)}, "runs_until"),
    ({"runs_from": timedelta(days=180), "runs_until": timedelta(days=190)}, "runs_from"),
    ({name: timedelta(days=181 + n) for n, name in enumerate(rounds.DATES)}, "call_from"),
    ({"disclosure": "Buy this, it is great."}, "disclosure"),
    ({"regions": (("Ghent", 2), ("Antwerp", 1))}, "regions"), ({"channels": (("Radio", 3),)}, "channels"),
    ({"regions": (("Ghent", 1), ("ghent", 1))}, "regions")])
def test_what_a_round_cannot_be_is_told_beside_its_field(project, changes, field):
    moments = {name: clock.now() + value if isinstance(value, timedelta) else value for name, value in changes.items()}
    with pytest.raises(BadInput) as refusal:
        rounds.open_round(project, plan(**moments), project.creator)
    assert refusal.value.field == field and scalar("SELECT count(*) FROM ambassador_round") == 0


def test_a_round_may_take_half_a_year_and_one_of_before_that_rule_stays_open_to_changes(project):
    until_then = clock.now() + timedelta(days=12 + 180)
    made = rounds.open_round(project, plan(runs_until=until_then), project.creator)
    with pytest.raises(BadInput) as refusal:
        rounds.edit_round(made.id, plan(runs_until=until_then + timedelta(days=1)), made.edition, project.creator)
    assert refusal.value.field == "runs_until"
    made.runs_until = until_then + timedelta(days=400)  # written before the rule
    db.session.commit()
    was = {name: getattr(made, name) for name in rounds.DATES}
    assert rounds.edit_round(made.id, plan(**was, title="Street teams"), made.edition, project.creator).title == "Street teams"


@pytest.mark.parametrize("words", ["I am an ambassador of it.", "Advertisement", "Ik ben ambassadeur.", "Reclame", "Paid by them"])
def test_the_disclosure_may_say_it_in_several_ways(project, words):
    assert rounds.open_round(project, plan(disclosure=words), project.creator).disclosure == words


def test_the_call_of_a_project_that_is_not_live_cannot_be_published(app):
    draft = make_project(state=ProjectState.DRAFT, launched_at=None, fee_bp=None)
    made = rounds.open_round(draft, plan(), draft.creator)
    with pytest.raises(Refusal, match="live"):
        rounds.announce_round(made.id, draft.creator)


def test_two_tabs_do_not_undo_each_other(project):
    made = rounds.open_round(project, plan(), project.creator)
    rounds.edit_round(made.id, plan(title="First"), 1, project.creator)
    with pytest.raises(BadInput) as refusal:
        rounds.edit_round(made.id, plan(title="Second"), 1, project.creator)
    assert refusal.value.field == "edition" and scalar("SELECT title FROM ambassador_round") == "First"


def test_once_the_call_is_open_its_promises_stay(project):
    found = make_round(project, regions=(("Ghent", 1),))
    was = found.disclosure
    rounds.edit_round(found.id, plan(places=9, disclosure="I am their ambassador.", title="New words", questions=(),
                                     vote_until=clock.now() + timedelta(days=11)), found.edition, project.creator)
    db.session.expire_all()
    assert (found.title, found.places, found.disclosure, len(found.questions), len(found.quotas)) == (
        "New words", 2, was, 2, 1)
    until(found, R.VOTING)
    with pytest.raises(BadInput) as refusal:
        rounds.edit_round(found.id, plan(call_from=found.call_from, call_until=clock.now() + timedelta(days=1),
                                         vote_until=clock.now() + timedelta(days=20), runs_from=clock.now() + timedelta(days=22)),
                          found.edition, project.creator)
    assert refusal.value.field == "call_until"


def test_cancelling_tells_who_applied_and_leaves_room_for_another(project):
    found = make_round(project)
    make_application(found)
    rounds.cancel_round(found.id, project.creator, "The tour is off.")
    assert mails("round_news", news="cancelled") == 1 and rounds.public_round(project) is None
    with pytest.raises(Refusal):
        rounds.cancel_round(found.id, project.creator, "")
    with pytest.raises(NotFound):
        rounds.round_here(project)
    assert make_round(project).state is R.OPEN


def test_the_database_itself_refuses_no_places_and_days_out_of_turn(project):
    import psycopg

    made = rounds.open_round(project, plan(), project.creator)
    for change in ("places = 0", "places = 1001", "vote_until = call_from", "public_percent = 101", "disclosure = ''"):
        with pytest.raises(Exception) as error:
            scalar(f"UPDATE ambassador_round SET {change} WHERE id = :id RETURNING 1", id=made.id)
        assert isinstance(error.value.orig, psycopg.errors.CheckViolation)
        db.session.rollback()


def test_mails_are_written_in_plain_words_and_only_while_they_are_true(project):
    from core import mail

    found = make_round(project)
    fan = make_person()
    make_application(found, fan)
    until(found, R.VOTING)
    letter = mail.AUTHORS["sharing/round_news"](round_id=str(found.id), person_id=str(fan.id), news="voting")
    subject, text, html = mail.compose("sharing/round_news", letter)
    assert project.title in subject and "vote until" in text and f"/projects/{project.slug}/ambassadors" in html
    until(found, R.CHOOSING)
    assert mail.AUTHORS["sharing/round_news"](round_id=str(found.id), person_id=str(fan.id), news="voting") is None
