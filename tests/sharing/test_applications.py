from dataclasses import replace

import pytest

from core.errors import BadInput, NotFound, Refusal
from projects.models import MemberRole
from sharing import applications
from sharing.applications import Wish, is_link
from sharing.models_rounds import ApplicationState, QuestionKind, RoundState
from sharing.rounds import Question
from tests.factories import make_member, make_person, make_project, scalar
from tests.races import threads
from tests.sharing.round_scenes import make_application, make_round, pass_to, until

A, R, Q = ApplicationState, RoundState, QuestionKind


@pytest.fixture
def found(app):
    return make_round(make_project(), regions=(("Ghent", 1),), questions=(
        Question("Where?", Q.SHORT, (), True), Question("Which?", Q.CHOICE, ("Radio", "Street")), Question("Show", Q.LINK)))


def wish(found, **answers):
    texts = {1: "Here", 2: "Radio", 3: "https://example.org/me"} | {int(k[1:]): v for k, v in answers.items()}
    return Wish("Ghent", "", True, False, {question.id: texts[question.position] for question in found.questions})


def test_an_application_is_kept_and_may_be_changed_until_the_call_ends(found):
    fan = make_person()
    mine = applications.apply(found.id, fan, wish(found))
    again = applications.apply(found.id, fan, wish(found, q1="There"))
    assert mine.id == again.id and scalar("SELECT count(*) FROM application_answer") == 3
    assert scalar("SELECT count(*) FROM mail WHERE name = 'sharing/application_received'") == 1
    said = applications.answers_of([mine.id], public_only=False)[mine.id]
    assert [row.text for row in said] == ["There", "Radio", "https://example.org/me"]
    assert [row.label for row in applications.answers_of([mine.id], public_only=True)[mine.id]] == ["Where?"]
    pass_to(found.call_until)  # the clock decides, even before the tick has come by
    with pytest.raises(Refusal, match="call has ended"):
        applications.apply(found.id, fan, wish(found))
    with pytest.raises(Refusal, match="call has ended"):
        applications.apply(found.id, make_person(), wish(found))


@pytest.mark.parametrize(("answers", "field"), [
    ({"q1": " "}, "q1"), ({"q1": "x" * 201}, "q1"), ({"q2": "Television"}, "q2"), ({"q3": "example.org"}, "q3"),
    ({"q3": "javascript:alert(1)"}, "q3")])
def test_bad_answers_are_told_beside_their_question(found, answers, field):
    with pytest.raises(BadInput) as refusal:
        applications.apply(found.id, make_person(), wish(found, **answers))
    assert refusal.value.field == field and scalar("SELECT count(*) FROM application") == 0


def test_region_channel_and_consent_are_asked_where_they_matter(found):
    fan, good = make_person(), wish(found)
    for changed, field in (({"region": ""}, "region"), ({"region": "Paris"}, "region"), ({"channel": "Radio"}, "channel"),
                           ({"is_shown": False}, "is_shown")):
        with pytest.raises(BadInput) as refusal:
            applications.apply(found.id, fan, replace(good, **changed))
        assert refusal.value.field == field
    alone = make_round(make_project(), public_percent=0, questions=())
    assert applications.apply(alone.id, fan, Wish()).state is A.SENT  # no public vote, nothing is shown


def test_whoever_lives_in_none_of_the_regions_applies_from_elsewhere(found):
    mine = applications.apply(found.id, make_person(), replace(wish(found), region=applications.ELSEWHERE))
    assert mine.region == "" and found.quota_names("region") == ["Ghent"]
    alone = make_round(make_project(), questions=())
    with pytest.raises(BadInput, match="not spread"):
        applications.apply(alone.id, make_person(), Wish(applications.ELSEWHERE, is_shown=True))


def test_only_a_confirmed_address_applies_and_nobody_who_decides(found):
    with pytest.raises(Refusal, match="Confirm your e-mail"):
        applications.apply(found.id, make_person(confirmed_at=None), wish(found))
    for decider in (found.project.creator, make_member(found.project)):
        with pytest.raises(Refusal, match="You decide"):
            applications.apply(found.id, decider, wish(found))
    assert applications.apply(found.id, make_member(found.project, role=MemberRole.COLLABORATOR), wish(found))


def test_who_withdraws_is_gone_from_the_vote_and_may_come_back_while_the_call_is_open(found):
    fan = make_person()
    applications.apply(found.id, fan, wish(found))
    applications.withdraw(found.id, fan)
    assert applications.applications_of(found, 1, 50) == ([], 0)
    assert applications.apply(found.id, fan, wish(found)).state is A.SENT
    applications.withdraw(found.id, fan)
    with pytest.raises(Refusal):
        applications.withdraw(found.id, fan)
    with pytest.raises(NotFound):
        applications.withdraw(found.id, make_person())


def test_two_browsers_at_once_send_one_application(app, found):
    fan = make_person()
    there, good = found.id, wish(found)
    threads(app, *[lambda: applications.apply(there, fan, good)] * 4)
    assert scalar("SELECT count(*) FROM application") == 1 and scalar("SELECT count(*) FROM application_answer") == 3


def test_an_ambassadors_page_is_for_ambassadors_of_that_round_only(found):
    fan, other = make_person(), make_person()
    make_application(found, fan, region="Ghent")
    with pytest.raises(NotFound):
        applications.ambassador_of(found, fan)
    until(found, R.CHOOSING)
    until(found, R.RUNNING)
    assert applications.ambassador_of(found, fan).person_id == fan.id
    with pytest.raises(NotFound):
        applications.ambassador_of(found, other)


@pytest.mark.parametrize(("text", "good"), [
    ("https://example.org/a?b=c", True), ("http://example.org", True), ("ftp://example.org", False), ("https://", False),
    ("javascript:alert(1)//https://x.y", False), ("https://user:pw@example.org", False), ("https://exa mple.org", False),
    ("https://example.org/\u202e", False), ("https://[x", False), ("data:text/html,x", False), ("https://localhost", False)])
def test_a_link_is_a_whole_web_address(text, good):
    assert is_link(text) is good
