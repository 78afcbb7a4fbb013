import uuid
from datetime import UTC, datetime, timedelta
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.errors import BadInput, NotFound, Refusal
from sharing import choosing, voting
from sharing.applications import ELSEWHERE
from sharing.choosing import Standing, propose, score_of
from sharing.models_rounds import ApplicationState, RoundQuota, RoundState
from tests.factories import make_person, make_project, scalar
from tests.races import threads
from tests.sharing.round_scenes import make_application, make_round, until, vote

A, R = ApplicationState, RoundState
DAY = datetime(2026, 1, 1, tzinfo=UTC)


def standing(score, region="", channel="", at=0):
    return Standing(uuid.uuid4(), uuid.uuid4(), "Noor", region, channel, DAY + timedelta(minutes=at), 0, 0, None,
                    Fraction(score))


def quota(kind, name, number):
    return RoundQuota(kind=kind, name=name, number=number)


def names(all_, taken):
    return [(one.region, int(one.score)) for id_ in taken for one in all_ if one.id == id_]


@pytest.mark.parametrize(("votes", "most", "mark", "percent", "score"), [
    (10, 10, Fraction(5), 50, 100), (0, 10, Fraction(1), 50, 0), (5, 10, Fraction(3), 50, 50), (5, 10, None, 50, 25),
    (0, 0, Fraction(5), 50, 50), (10, 10, Fraction(1), 100, 100), (10, 10, Fraction(5), 0, 100), (1, 3, None, 100, Fraction(100, 3))])
def test_the_score_is_the_weighted_vote_and_the_weighted_mean_mark(votes, most, mark, percent, score):
    assert score_of(votes, most, mark, percent) == score


def test_each_region_gets_its_number_before_the_best_of_the_rest():
    all_ = [standing(90, "Ghent"), standing(80, "Ghent"), standing(70, "Ghent"), standing(10, "Antwerp"), standing(60, "Bruges")]
    taken = propose(4, [quota("region", "Ghent", 1), quota("region", "Antwerp", 1)], all_)
    assert names(all_, taken) == [("Ghent", 90), ("Antwerp", 10), ("Ghent", 80), ("Ghent", 70)]


def test_a_region_without_enough_applicants_leaves_its_places_to_the_best():
    all_ = [standing(50, "Ghent"), standing(40, "Ghent"), standing(30, "Ghent")]
    assert len(propose(3, [quota("region", "Ghent", 1), quota("region", "Antwerp", 2)], all_)) == 3


def test_elsewhere_is_no_region_it_takes_no_regions_number_and_stands_among_the_best_of_the_rest():
    best, ghent, later, radio = standing(90), standing(20, "Ghent"), standing(10, "Ghent"), standing(5, "", "radio")
    one_each = [quota("region", "Ghent", 1), quota("region", "Antwerp", 1)]
    assert propose(1, one_each, [best, ghent]) == [ghent.id], "the number of a region comes first"
    assert propose(2, one_each, [best, ghent, later]) == [ghent.id, best.id], "Antwerp has nobody, so the best of all"
    assert propose(2, [*one_each, quota("channel", "radio", 1)], [best, ghent, radio]) == [ghent.id, radio.id]


def test_of_equals_the_earlier_application_goes_first():
    late, early = standing(50, at=9), standing(50, at=1)
    assert propose(1, [], [late, early]) == [early.id]


def test_over_regions_and_channels_who_fills_both_goes_first():
    radio, both = standing(90, "Paris", "radio"), standing(20, "Ghent", "radio")
    ghent = standing(80, "Ghent", "street")
    assert propose(1, [quota("region", "Ghent", 1), quota("channel", "radio", 1)], [radio, both, ghent]) == [both.id]


@settings(max_examples=200, deadline=None)
@given(st.integers(1, 12), st.lists(st.tuples(st.integers(0, 5), st.sampled_from("ABC"), st.integers(0, 3)), max_size=20),
       st.lists(st.integers(1, 4), min_size=3, max_size=3))
def test_whatever_comes_in_places_are_kept_numbers_are_met_and_nobody_better_is_passed_over(places, rows, numbers):
    quotas = [quota("region", name, number) for name, number in zip("ABC", numbers, strict=True)]
    places = max(places, sum(numbers))
    all_ = [standing(score, region, at=at) for score, region, at in rows]
    taken = propose(places, quotas, all_)
    assert len(taken) == len(set(taken)) == min(places, len(all_))
    by = {one.id: one for one in all_}
    for name, number in zip("ABC", numbers, strict=True):
        here = [one for one in all_ if one.region == name]
        chosen = [by[id_] for id_ in taken if by[id_].region == name]
        assert len(chosen) >= min(number, len(here))
        out = [one for one in here if one.id not in taken]
        assert not out or not chosen or max(o.score for o in out) <= min(c.score for c in chosen)


@pytest.fixture
def found(app):
    return make_round(make_project(), regions=(("Ghent", 1), ("Antwerp", 1)), questions=())


@pytest.fixture
def four(found):
    """Best first: Ghent, Ghent, Antwerp, Antwerp; by votes and marks."""
    made = [make_application(found, make_person(f"{name} Vos"), region=region)
            for name, region in (("Ada", "Ghent"), ("Bo", "Ghent"), ("Cas", "Antwerp"), ("Dee", "Antwerp"))]
    until(found, R.VOTING)
    for n, one in enumerate(made):
        for _ in range(4 - n):
            vote(found, one)
    voting.give_mark(found.id, made[0].id, found.project.creator, 5)
    return until(found, R.CHOOSING) and made


def confirm(found, decisions=None, reasons=None):
    return choosing.confirm(found.id, decisions or {}, reasons or {}, choosing.proposal_of(found).key,
                            found.project.creator)


def test_the_proposal_is_confirmed_kept_with_its_numbers_and_mailed(found, four):
    assert confirm(found) == 2
    assert [one.state for one in four] == [A.ACCEPTED, A.WAITING, A.ACCEPTED, A.WAITING]
    assert (four[0].votes, four[0].jury_mark, four[0].score) == (4, 5, 100)
    assert (four[1].votes, four[1].jury_mark, four[1].score) == (3, None, 37.5)
    assert scalar("SELECT string_agg(about->>'state', ',' ORDER BY about->>'state') FROM mail "
                  "WHERE name = 'sharing/application_decided'") == "accepted,accepted,waiting,waiting"
    with pytest.raises(Refusal, match="made already"):
        confirm(found)


def test_a_swap_needs_its_reason_and_the_places_hold(found, four):
    swap = {four[0].id: A.DECLINED, four[1].id: A.ACCEPTED}
    with pytest.raises(BadInput) as refusal:
        confirm(found, swap, {four[0].id: "Moved away"})
    assert refusal.value.field == f"why-{four[1].id}"
    with pytest.raises(BadInput) as refusal:
        confirm(found, {four[1].id: A.ACCEPTED}, {four[1].id: "Also good"})
    assert refusal.value.field == "places"
    with pytest.raises(NotFound):
        confirm(found, {uuid.uuid4(): A.ACCEPTED})
    assert confirm(found, swap, {four[0].id: "Moved away", four[1].id: "Next in Ghent"}) == 2
    assert [one.state for one in four[:2]] == [A.DECLINED, A.ACCEPTED]
    assert scalar("SELECT facts->>'swapped' FROM audit_entry WHERE action = 'sharing:choose_ambassadors'") == "2"


def test_what_changed_since_the_proposal_was_shown_is_looked_at_again(found, four):
    key = choosing.proposal_of(found).key
    voting.give_mark(found.id, four[3].id, found.project.creator, 5)
    with pytest.raises(BadInput) as refusal:
        choosing.confirm(found.id, {}, {}, key, found.project.creator)
    assert refusal.value.field == "key" and found.chosen_at is None


def test_nobody_is_chosen_while_the_vote_is_on(app):
    found = make_round(make_project())
    make_application(found)
    with pytest.raises(Refusal):
        choosing.confirm(found.id, {}, {}, "", found.project.creator)


def test_chosen_late_the_round_begins_at_once(found, four):
    from tests.sharing.round_scenes import pass_to

    pass_to(found.runs_from)
    confirm(found)
    assert found.state is R.RUNNING


def test_a_place_that_comes_free_goes_to_the_first_of_that_region(found, four):
    confirm(found)
    until(found, R.RUNNING)
    assert choosing.step_back(found.id, four[2].id, four[2].person).id == four[3].id  # Antwerp, though Bo has more
    assert [one.state for one in four] == [A.ACCEPTED, A.WAITING, A.LEFT, A.ACCEPTED]
    assert choosing.step_back(found.id, four[3].id, four[3].person).id == four[1].id  # nobody of Antwerp waits any more
    assert choosing.step_back(found.id, four[1].id, four[1].person) is None
    assert scalar("SELECT count(*) FROM mail WHERE about->>'state' = 'free_place'") == 2
    with pytest.raises(Refusal):
        choosing.step_back(found.id, four[1].id, four[1].person)


def test_a_place_that_somebody_from_elsewhere_leaves_is_no_regions_and_goes_to_the_best_who_waits(app):
    found = make_round(make_project(), regions=(("Ghent", 1),), questions=())
    ada, bo, cas, dee = (make_application(found, make_person(), region=region)
                         for region in (ELSEWHERE, "Ghent", "Ghent", ELSEWHERE))
    until(found, R.VOTING)
    for several in ((ada, bo, cas), (ada, bo, cas), (ada, bo, dee)):
        vote(found, *several)
    until(found, R.CHOOSING)
    confirm(found)
    until(found, R.RUNNING)
    assert [one.state for one in (ada, bo, cas, dee)] == [A.ACCEPTED, A.ACCEPTED, A.WAITING, A.WAITING]
    assert choosing.step_back(found.id, ada.id, ada.person).id == cas.id, "not the other one from elsewhere"


def test_the_creator_takes_somebody_out_and_in_with_a_reason_that_is_told(found, four):
    from core import mail

    confirm(found)
    creator = found.project.creator
    for act in (choosing.step_back, choosing.take_in):
        with pytest.raises(BadInput) as refusal:
            act(found.id, four[0].id, creator, " ")
        assert refusal.value.field == "why"
    with pytest.raises(Refusal, match="All places"):
        choosing.take_in(found.id, four[1].id, creator, "She is good")
    choosing.step_back(found.id, four[0].id, creator, "Sold fake posters")
    letter = mail.AUTHORS["sharing/application_decided"](application_id=str(four[0].id), state="left")
    assert "Sold fake posters" in mail.compose("sharing/application_decided", letter)[1]
    with pytest.raises(NotFound):
        choosing.step_back(found.id, uuid.uuid4(), creator, "x")


def test_the_last_place_is_given_once(app, found, four):
    confirm(found, {four[2].id: A.WAITING}, {four[2].id: "Later"})
    creator, there, ids = found.project.creator, found.id, [four[1].id, four[2].id, four[3].id]
    answers = threads(app, *[lambda id_=id_: choosing.take_in(there, id_, creator, "x") for id_ in ids])
    assert sum(isinstance(answer, Refusal) for answer in answers) == 2
    assert scalar("SELECT count(*) FROM application WHERE state = 'accepted'") == 2


def test_two_who_step_back_at_once_give_two_places_and_no_third(app, found, four):
    confirm(found)
    there, leaving = found.id, [(one.id, one.person) for one in (four[0], four[2])]
    threads(app, *[lambda id_=id_, who=who: choosing.step_back(there, id_, who) for id_, who in leaving])
    assert scalar("SELECT count(*) FROM application WHERE state = 'accepted'") == 2
    assert scalar("SELECT count(*) FROM application WHERE state = 'left'") == 2
