import pytest

from core.errors import BadInput, NotAllowed, NotFound, Refusal
from projects.models import MemberRole
from sharing import applications, voting
from sharing.models_rounds import RoundState
from tests.factories import make_member, make_person, make_project, scalar
from tests.races import threads
from tests.sharing.round_scenes import make_application, make_round, pass_to, until, vote

R = RoundState


@pytest.fixture
def found(app):
    return make_round(make_project())


@pytest.fixture
def four(found):
    made = [make_application(found) for _ in range(4)]
    until(found, R.VOTING)
    return made


def votes():
    return scalar("SELECT count(*) FROM application_vote")


def test_a_voter_has_three_votes_and_the_last_word_counts(found, four):
    voter = vote(found, *four[:3])
    assert voting.votes_by(found, voter) == {one.id for one in four[:3]} and votes() == 3
    vote(found, four[3], voter=voter)
    assert voting.votes_by(found, voter) == {four[3].id} and votes() == 1
    with pytest.raises(BadInput) as refusal:
        vote(found, *four, voter=voter)
    assert refusal.value.field == "chosen" and votes() == 1
    vote(found, four[0], four[0], voter=voter)  # twice for one is once
    assert votes() == 1
    vote(found, voter=voter)
    assert votes() == 0


def test_nobody_votes_for_herself_nor_by_another_account_of_her_mailbox(found):
    noor = make_person("Noor Bakker", email="noor.bakker@gmail.com")
    own = make_application(found, noor)
    until(found, R.VOTING)
    second = make_person(email="noorbakker+fan@googlemail.com")
    for voter in (noor, second):
        with pytest.raises(BadInput, match="yourself"):
            vote(found, own, voter=voter)
    assert votes() == 0


def test_two_accounts_of_one_mailbox_vote_once(found, four):
    vote(found, four[0], voter=make_person(email="mo@example.org"))
    with pytest.raises(Refusal, match="mailbox"):
        vote(found, four[0], voter=make_person(email="Mo+2@example.org"))
    assert votes() == 1


def test_a_double_click_and_two_browsers_give_no_fourth_vote(app, found, four):
    voter = make_person()
    there, ids = found.id, [one.id for one in four]
    threads(app, *[lambda n=n: voting.cast(there, voter, [ids[n], ids[(n + 1) % 4]]) for n in range(4)] * 2)
    assert votes() == 2 and scalar("SELECT count(DISTINCT slot) FROM application_vote") == 2


def test_the_table_refuses_a_fourth_vote_and_the_same_one_twice(found, four):
    from core.db import db

    vote(found, four[0])
    for column in ("4, application_id", "2, application_id"):
        with pytest.raises(Exception, match=r"ck_application_vote_slot|uq_application_vote"):
            scalar(f"INSERT INTO application_vote (round_id, mailbox, project_id, voter_id, slot, application_id) "
                   f"SELECT round_id, mailbox, project_id, voter_id, {column} FROM application_vote RETURNING 1")
        db.session.rollback()


def test_votes_are_taken_only_between_the_call_and_the_end_by_the_clock(found):
    one = make_application(found)
    with pytest.raises(Refusal, match="not on"):
        vote(found, one)
    until(found, R.VOTING)
    vote(found, one)
    pass_to(found.vote_until)  # the tick has not come by
    with pytest.raises(Refusal, match="not on"):
        vote(found, one)
    assert votes() == 1


def test_who_is_not_confirmed_and_who_is_no_candidate(found, four):
    with pytest.raises(Refusal, match="Confirm"):
        vote(found, four[0], voter=make_person(confirmed_at=None))
    other = make_round(make_project())
    foreign = make_application(other)
    with pytest.raises(BadInput, match="not a candidate"):
        vote(found, foreign)
    applications.withdraw(found.id, four[1].person)
    with pytest.raises(BadInput, match="not a candidate"):
        vote(found, four[1])
    alone = make_round(make_project(), public_percent=0)
    judged = make_application(alone)
    until(alone, R.VOTING)
    with pytest.raises(Refusal, match="not on"):
        vote(alone, judged)


def test_counts_are_nobodys_to_see_before_the_vote_has_ended(found, four):
    vote(found, four[0])
    assert voting.tally(found) == {}
    until(found, R.CHOOSING)
    assert voting.tally(found) == {four[0].id: 1} and voting.voters(found) == 1


def test_each_viewer_sees_one_lasting_shuffle_of_first_names_and_public_answers(found, four):
    seen = [[c.id for c in voting.candidates(found, seed)] for seed in ("a", "a", "b", "c", "d", "e")]
    assert seen[0] == seen[1] and len({tuple(one) for one in seen}) > 1
    one = voting.candidates(found, "a")[0]
    assert " " not in one.first_name and [answer.label for answer in one.answers] == ["Where do you play?"]
    assert len(voting.candidates(found, "a", for_jury=True)[0].answers) == 2


# The jury ---------------------------------------------------------------------------------------------

def test_the_jury_marks_from_one_to_five_and_may_think_again(found, four):
    juror = make_member(found.project, role=MemberRole.COLLABORATOR)
    voting.give_mark(found.id, four[0].id, juror, 3)
    voting.give_mark(found.id, four[0].id, juror, 5, "Knows everybody")
    assert scalar("SELECT count(*) FROM jury_mark") == 1 and voting.marks_by(found, juror)[four[0].id].mark == 5
    for wrong in (0, 6, None):
        with pytest.raises(BadInput):
            voting.give_mark(found.id, four[0].id, juror, wrong)


def test_who_is_named_by_address_is_in_the_jury_until_taken_out(found, four):
    judge = make_person(email="judge@example.org")
    with pytest.raises(NotAllowed):
        voting.give_mark(found.id, four[0].id, judge, 3)
    voting.add_juror(found.id, " Judge@Example.org", found.project.creator)
    voting.give_mark(found.id, four[0].id, judge, 3)
    assert scalar("SELECT count(*) FROM mail WHERE about->>'news' = 'jury' AND about->>'person_id' = :p", p=str(judge.id)) == 1
    for email in ("nobody@example.org", "judge@example.org", found.project.creator.email):
        with pytest.raises(BadInput):
            voting.add_juror(found.id, email, found.project.creator)
    voting.remove_juror(found.id, judge.id, found.project.creator)
    assert scalar("SELECT count(*) FROM jury_mark") == 0 and voting.named_jurors(found) == []
    with pytest.raises(NotFound):
        voting.remove_juror(found.id, judge.id, found.project.creator)


def test_nobody_judges_their_own_application(found):
    both = make_member(found.project, role=MemberRole.COLLABORATOR)
    own = make_application(found, both)
    until(found, R.VOTING)
    with pytest.raises(NotAllowed, match="own"):
        voting.give_mark(found.id, own.id, both, 5)


def test_the_jury_judges_neither_early_nor_late_nor_elsewhere(found):
    creator, one = found.project.creator, make_application(found)
    with pytest.raises(Refusal):
        voting.give_mark(found.id, one.id, creator, 4)
    until(found, R.VOTING)
    foreign = make_application(make_round(make_project()))
    with pytest.raises(NotFound):
        voting.give_mark(found.id, foreign.id, creator, 4)
    until(found, R.RUNNING)
    with pytest.raises(Refusal):
        voting.give_mark(found.id, one.id, creator, 4)
