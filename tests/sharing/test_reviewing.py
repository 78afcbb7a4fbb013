import pytest
import sqlalchemy as sa

from core.db import db, transaction
from core.errors import BadInput, NotAllowed, NotFound, Refusal
from core.mail import send_due
from sharing import bans, flags, reviewing, services, tallies
from sharing.models_fairness import ShareFlag
from tests.factories import make_person, make_project, scalar
from tests.sharing.scenes import count, make_pledge
from tests.sharing.test_fairness import use_browser


@pytest.fixture
def project(app):
    return make_project()


@pytest.fixture
def noor(app):
    return make_person("Noor Bakker")


@pytest.fixture
def link(project, noor):
    return services.link_of(noor, project)


@pytest.fixture
def organiser(app):
    return make_person("Otto Smit")


def brought():
    tallies.roll_up()
    return scalar("SELECT coalesce(sum(recruits), 0) FROM link_tally WHERE is_person")


def flag_on(link, pledges, severity="low", rule="burst"):
    with transaction():
        flag = flags.open_flag(project_id=link.project_id, link_id=link.id, rule=rule, severity=severity,
                               pledges=[p.id for p in pledges], count=len(pledges), minutes=10)
        flags.settle(p.id for p in pledges)
    return flag


def household(project, noor, link):
    """A friend who pledges on Noor's laptop."""
    use_browser(noor, b"laptop")
    mo = make_person("Mo El Idrissi")
    use_browser(mo, b"laptop")
    pledge = make_pledge(project, mo, ref=link.code)
    return pledge, scalar("SELECT id FROM share_flag WHERE subject = :s", s=pledge.id.hex)


def mails():
    send_due()
    return [(row.name, row.recipient, row.subject, row.text) for row in db.session.execute(sa.text(
        "SELECT name, recipient, subject, text FROM mail WHERE name LIKE 'sharing/%' AND state = 'sent' ORDER BY sent_at"))]


def test_two_people_who_share_a_laptop_are_credited_once_somebody_said_so(project, noor, link, organiser):
    pledge, flag = household(project, noor, link)
    assert brought() == 0 and pledge.state == "pledged"
    assert scalar("SELECT refused FROM attribution") == "device"
    reviewing.decide(flag, "credit", "", by_id=organiser.id, project_id=project.id)
    assert brought() == 1 and scalar("SELECT refused FROM attribution") is None
    [(name, to, subject, text)] = mails()
    assert (name, to) == ("sharing/decided", noor.email) and "counts" in subject and project.title in text
    assert text.count(f"http://localhost/s/{link.code}") == 1
    assert "Mo" not in text and "laptop" not in text and "same browser" not in text
    reviewing.decide(flag, "credit", "", by_id=organiser.id, project_id=project.id)
    assert count("recruit") == 1 and len(mails()) == 1


def test_a_decision_is_taken_back_and_made_anew(project, noor, link, organiser):
    _pledge, flag = household(project, noor, link)
    for _turn in range(2):
        reviewing.decide(flag, "credit", "they are two", by_id=organiser.id)
        assert brought() == 1
        reviewing.reopen(flag, by_id=organiser.id)
        assert brought() == 0
    reviewing.decide(flag, "strike", "one person after all", by_id=organiser.id)
    assert brought() == 0 and count("recruit") == 1
    assert scalar("SELECT array_agg(action ORDER BY id) FROM audit_entry") == [
        "sharing:decide_flag", "sharing:reopen_flag"] * 2 + ["sharing:decide_flag"]
    assert len(mails()) == 5  # the outbox sends what is true now, once for each decision


def test_striking_takes_the_tallies_back_and_the_pledges_stand(project, noor, link, organiser):
    pledges = [make_pledge(project, ref=link.code) for _n in range(3)]
    assert brought() == 3
    flag = flag_on(link, pledges[:2])
    assert brought() == 3  # a low one counts until somebody decides
    reviewing.decide(flag, "strike", "  not   real people ", by_id=organiser.id)
    assert brought() == 1
    assert scalar("SELECT count(*) FROM pledge WHERE state = 'pledged'") == 3
    assert scalar("SELECT reason FROM share_flag") == "not real people"
    [(_name, to, subject, text)] = mails()
    assert to == noor.email and subject.startswith("2 pledges by your link are not counted") and "stand as they are" in text
    assert "not real people" not in text and "/share/looks" in text
    reviewing.reopen(flag, by_id=organiser.id)
    assert brought() == 3


def test_a_grave_doubt_does_not_count_until_it_is_decided(project, link, organiser):
    pledges = [make_pledge(project, ref=link.code) for _n in range(2)]
    flag = flag_on(link, pledges, "high", "cards")
    assert brought() == 0
    reviewing.decide(flag, "credit", "a family", by_id=organiser.id)
    assert brought() == 2


def test_two_doubts_about_one_pledge_do_not_undo_each_other(project, link, organiser):
    pledge = make_pledge(project, ref=link.code)
    one, two = flag_on(link, [pledge]), flag_on(link, [pledge], "medium", "mails")
    reviewing.decide(one, "strike", "bought", by_id=organiser.id)
    reviewing.decide(two, "credit", "", by_id=organiser.id)
    assert brought() == 0
    reviewing.reopen(one, by_id=organiser.id)
    assert brought() == 1


def test_nobody_decides_about_their_own_link(project, noor, link):
    flag = flag_on(link, [make_pledge(project, ref=link.code)])
    for staff in (False, True):
        with pytest.raises(NotAllowed):
            reviewing.decide(flag, "credit", "", by_id=noor.id, is_staff=staff)
    with pytest.raises(NotAllowed):
        reviewing.reopen(flag, by_id=noor.id)
    with pytest.raises(NotAllowed):
        bans.ban(noor.id, project_id=project.id, reason="it is me", by_id=noor.id)


def test_a_flag_of_another_project_is_unknown(project, link, organiser):
    flag = flag_on(link, [make_pledge(project, ref=link.code)])
    with pytest.raises(NotFound):
        reviewing.decide(flag, "credit", "", by_id=organiser.id, project_id=make_project().id)
    with pytest.raises(NotFound):
        reviewing.reopen(flag, by_id=organiser.id, project_id=make_project().id)


@pytest.mark.parametrize(("decision", "reason", "field"), [
    ("", "x" * 9, "decision"), ("maybe", "x" * 9, "decision"), ("strike", "", "reason"), ("strike", " a ", "reason"),
    ("credit", "x" * 301, "reason")])
def test_a_decision_needs_a_word_and_a_reason(project, link, organiser, decision, reason, field):
    flag = flag_on(link, [make_pledge(project, ref=link.code)])
    with pytest.raises(BadInput) as refusal:
        reviewing.decide(flag, decision, reason, by_id=organiser.id)
    assert refusal.value.field == field and scalar("SELECT decision FROM share_flag") is None and mails() == []


def test_an_organiser_does_not_overrule_another_but_staff_may(project, link, organiser):
    flag = flag_on(link, [make_pledge(project, ref=link.code)])
    reviewing.decide(flag, "strike", "bought", by_id=organiser.id)
    with pytest.raises(Refusal):
        reviewing.decide(flag, "credit", "", by_id=make_person().id)
    reviewing.decide(flag, "credit", "", by_id=make_person(is_staff=True).id, is_staff=True)
    assert brought() == 1


def test_the_recruiter_asks_for_another_look_once_and_staff_answer(project, noor, link, organiser):
    staff = make_person("Siem Dam", is_staff=True)
    flag = flag_on(link, [make_pledge(project, ref=link.code)])
    with pytest.raises(Refusal):
        reviewing.appeal(flag, noor.id, "They are my sisters.")
    reviewing.decide(flag, "strike", "bought", by_id=organiser.id)
    with pytest.raises(NotFound):
        reviewing.appeal(flag, organiser.id, "They are my sisters.")
    with pytest.raises(BadInput):
        reviewing.appeal(flag, noor.id, "  ")
    reviewing.appeal(flag, noor.id, "They are my sisters.")
    send_due()
    assert scalar("SELECT recipient FROM mail WHERE name = 'payments/alert'") == staff.email
    with pytest.raises(Refusal):
        reviewing.appeal(flag, noor.id, "Really.")
    reviewing.decide(flag, "strike", "still not", by_id=staff.id, is_staff=True)  # the same again is an answer too
    assert db.session.get(ShareFlag, flag).answered_at and "the last one" in mails()[-1][3]
    with pytest.raises(Refusal):
        reviewing.appeal(flag, noor.id, "Really.")


def test_a_credit_that_would_close_a_circle_by_now_cannot_be_given(project, noor, link, organiser):
    pledge, flag = household(project, noor, link)
    mo = services.link_of(pledge.backer_id, project)
    make_pledge(project, noor, ref=mo.code)  # refused too: one laptop
    other = scalar("SELECT id FROM share_flag WHERE id <> :f", f=flag)
    reviewing.decide(other, "credit", "", by_id=organiser.id)
    with pytest.raises(Refusal):
        reviewing.decide(flag, "credit", "", by_id=organiser.id)
    assert count("recruit") == 1 and scalar("SELECT decision FROM share_flag WHERE id = :f", f=flag) is None


# Bans -----------------------------------------------------------------------------------------------------------------

def test_a_banned_recruiter_keeps_the_link_and_nothing_is_credited(project, noor, link, organiser):
    before = make_pledge(project, ref=link.code)
    made = bans.ban(noor.id, project_id=project.id, reason="bought pledges", by_id=organiser.id)
    make_pledge(project, ref=link.code)
    assert brought() == 1 and scalar("SELECT struck_at FROM recruit WHERE pledge_id = :p", p=before.id) is None
    assert scalar("SELECT refused FROM attribution WHERE pledge_id <> :p", p=before.id) == "banned"
    [(name, to, _subject, text)] = mails()
    assert (name, to) == ("sharing/banned", noor.email) and "bought pledges" not in text
    bans.lift(made.id, by_id=organiser.id, project_id=project.id)
    make_pledge(project, ref=link.code)
    assert brought() == 2 and mails()[-1][0] == "sharing/ban_lifted"
    assert scalar("SELECT array_agg(action ORDER BY id) FROM audit_entry") == ["sharing:ban", "sharing:lift_ban"]


def test_a_ban_may_take_what_came_before_and_give_it_back(project, noor, link):
    staff = make_person(is_staff=True)
    pledges = [make_pledge(project, ref=link.code) for _n in range(3)]
    other = services.link_of(noor, make_project())
    make_pledge(other.project, ref=other.code)
    flag = flag_on(link, pledges[:1])
    reviewing.decide(flag, "strike", "bought", by_id=staff.id)
    assert brought() == 3
    one = bans.ban(noor.id, project_id=project.id, reason="bought", has_struck=True, by_id=staff.id)
    assert brought() == 1
    two = bans.ban(noor.id, project_id=None, reason="everywhere", has_struck=True, by_id=staff.id)
    assert brought() == 0
    bans.lift(two.id, by_id=staff.id)
    assert brought() == 1
    bans.lift(one.id, by_id=staff.id)
    assert brought() == 3  # what the flag struck stays struck


def test_a_ban_that_is_over_takes_nothing_of_what_came_after_it(project, noor, link, organiser):
    before = make_pledge(project, ref=link.code)
    bans.ban(noor.id, project_id=project.id, reason="Bought friends", days=1, has_struck=True, by_id=organiser.id)
    with transaction() as session:
        session.execute(sa.text("UPDATE share_ban SET until = clock_now() - interval '1 minute'"))
        session.execute(sa.text("UPDATE recruit SET at = at - interval '1 day'"))
    after = make_pledge(project, ref=link.code)
    assert brought() == 1
    flag = flag_on(link, [before, after])
    reviewing.decide(flag, "credit", "", by_id=organiser.id)
    assert brought() == 1
    assert scalar("SELECT struck_why FROM recruit WHERE pledge_id = :p", p=before.id) == "banned"
    assert scalar("SELECT struck_at FROM recruit WHERE pledge_id = :p", p=after.id) is None


def test_nobody_is_banned_twice_and_an_old_ban_makes_room(project, noor, organiser):
    bans.ban(noor.id, project_id=project.id, reason="bought", by_id=organiser.id)
    with pytest.raises(Refusal):
        bans.ban(noor.id, project_id=project.id, reason="bought", by_id=organiser.id)
    bans.ban(noor.id, project_id=None, reason="bought", by_id=organiser.id, days=3)
    with transaction() as session:
        session.execute(sa.text("UPDATE share_ban SET until = now() - interval '1 day' WHERE project_id IS NULL"))
    bans.ban(noor.id, project_id=None, reason="again", by_id=organiser.id)
    assert scalar("SELECT count(*) FROM share_ban WHERE lifted_at IS NULL") == 2


@pytest.mark.parametrize(("values", "field"), [({"reason": " "}, "reason"), ({"reason": "x" * 301}, "reason"),
                                               ({"days": 0}, "days"), ({"days": 3_651}, "days"), ({"days": -1}, "days")])
def test_a_ban_needs_a_reason_and_a_sensible_end(project, noor, organiser, values, field):
    with pytest.raises(BadInput) as refusal:
        bans.ban(noor.id, **({"project_id": project.id, "reason": "bought", "by_id": organiser.id} | values))
    assert refusal.value.field == field and count("share_ban") == 0


@pytest.mark.parametrize("shape", ["{code}", "http://localhost/s/{code}", "{lower}", " {code}/ "])
def test_a_link_is_found_as_it_was_typed(project, noor, link, shape):
    assert bans.person_of_link(shape.format(code=link.code, lower=link.code.lower()), project.id) == noor.id


@pytest.mark.parametrize("text", ["", "K7QX4M2PBTRHA", "é", "x" * 200, "'"])
def test_a_link_of_nobody_here_is_refused_beside_its_field(project, link, text):
    for said, of in ((text, project.id), (link.code, make_project().id)):
        with pytest.raises(BadInput) as refusal:
            bans.person_of_link(said, of)
        assert refusal.value.field == "link"
