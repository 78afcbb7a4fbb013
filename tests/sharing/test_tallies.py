from datetime import date, timedelta

import pytest
import sqlalchemy as sa

from backing.models import PledgeState
from core import clock
from core.db import db, transaction
from core.jobs import drain
from payments.models import DisputeStatus, RefundState
from sharing import queries, services, tallies, visits
from sharing.models import DayTally, LinkTally, ShareLink, ShareTag, WeekTally
from tests.factories import make_person, make_project, scalar
from tests.sharing.scenes import FIREFOX, count, dispute, make_pledge, open_link, refund, strike, unstrike

S = PledgeState


def make_tag(project, name="Poster in the hall"):
    with transaction() as session:
        link = ShareLink(code=services.make_code(), project_id=project.id)
        session.add(link)
        session.flush()
        session.add(ShareTag(link_id=link.id, project_id=project.id, name=name, channel="Print",
                             utm={"utm_source": "poster"}))
    return link


def tally(link):
    """Direct and further: recruits, pledged, collected."""
    db.session.expire_all()
    found = db.session.get(LinkTally, link.id)
    return None if found is None else ((found.recruits, found.pledged, found.collected), (
        found.further_recruits, found.further_pledged, found.further_collected))


def family(project, *amounts):
    """Noor brings Mo, who brings Ravi, who brings Els …: the links from Noor on, and the pledges."""
    link = services.link_of(make_person(), project)
    links, pledges = [link], []
    for amount in amounts:
        pledges.append(make_pledge(project, amount=amount, ref=links[-1].code))
        links.append(services.link_of(pledges[-1].backer_id, project))
    return links, pledges


def test_a_pledge_counts_for_its_recruiter_directly_and_for_all_above_further_on(app):
    links, _pledges = family(make_project(), 1_000, 2_000, 4_000)
    assert tally(links[0]) is None
    assert tallies.roll_up() == 3
    assert [tally(link) for link in links] == [
        ((1, 1_000, 0), (2, 6_000, 0)), ((1, 2_000, 0), (1, 4_000, 0)), ((1, 4_000, 0), (0, 0, 0)), None]
    assert tallies.roll_up() == 0 and tallies.check() == []


@pytest.mark.parametrize(("state", "direct", "beside"), [
    (S.PLEDGED, (1, 1_000, 0), (0, 0)), (S.COLLECTING, (1, 1_000, 0), (0, 0)), (S.ERRORED, (1, 1_000, 0), (0, 0)),
    (S.COLLECTED, (1, 0, 1_000), (0, 0)), (S.DROPPED, (0, 0, 0), (1_000, 0)), (S.REFUNDED, (0, 0, 0), (0, 1_000)),
    (S.CANCELLED, (0, 0, 0), (0, 0)), (S.LAPSED, (0, 0, 0), (0, 0))])
def test_what_a_pledge_counts_as_in_each_state(app, state, direct, beside):
    [link, _own], [pledge] = family(make_project(), 1_000)
    tallies.roll_up()
    with transaction():
        pledge.state = state
    tallies.roll_up()
    assert tally(link) == (direct, (0, 0, 0))
    found = db.session.get(LinkTally, link.id)
    assert (found.dropped, found.refunded) == beside and tallies.check() == []
    days = db.session.scalars(sa.select(DayTally)).all()
    assert [(day.recruits, day.pledged, day.collected, day.dropped, day.refunded) for day in days] == [(*direct, *beside)]
    weeks = db.session.scalars(sa.select(WeekTally)).all()
    assert [(week.recruits, week.amount) for week in weeks] == [(direct[0], direct[1] + direct[2])]


@pytest.mark.parametrize(("back", "direct", "refunded"), [
    (lambda pledge: refund(pledge, 300), (1, 0, 700), 300),
    (lambda pledge: refund(pledge, 300, "pending"), (1, 0, 1_000), 0),
    (lambda pledge: refund(pledge, 300, duplicate_charge_id="ch_2"), (1, 0, 1_000), 0),
    (lambda pledge: dispute(pledge, 400), (1, 0, 600), 400), (lambda pledge: dispute(pledge, 1_000), (0, 0, 0), 1_000),
    (lambda pledge: dispute(pledge, 1_000, "prevented"), (0, 0, 0), 1_000),
    (lambda pledge: dispute(pledge, 1_000, "needs_response"), (1, 0, 1_000), 0),
    (lambda pledge: dispute(pledge, 0), (1, 0, 1_000), 0),
    (lambda pledge: (refund(pledge, 300), dispute(pledge, 900)), (0, 0, 0), 1_000)],
    ids=["refund", "pending", "second charge", "part lost", "lost", "prevented", "open", "lost and reinstated", "both"])
def test_what_went_back_of_a_collected_pledge_is_refunded_and_no_longer_collected(app, back, direct, refunded):
    [link, own, _last], [pledge, _further] = family(make_project(), 1_000, 50)
    with transaction():
        pledge.state = S.COLLECTED
    tallies.roll_up()
    back(pledge)
    tallies.roll_up()
    assert tally(link) == (direct, (1, 50, 0)) and tally(own) == ((1, 50, 0), (0, 0, 0))
    assert db.session.get(LinkTally, link.id).refunded == refunded and tallies.check() == []
    days = db.session.scalars(sa.select(DayTally).order_by(DayTally.generation)).all()
    assert (days[0].recruits, days[0].collected, days[0].refunded) == (direct[0], direct[2], refunded)
    week = db.session.scalars(sa.select(WeekTally).where(WeekTally.link_id == link.id)).one()
    assert (week.recruits, week.amount) == (direct[0], direct[2])
    found = queries.link_results(link.id)
    assert (found.recruits, found.pledged, found.collected) == direct
    tallies.rebuild(pledge.project_id)
    assert tally(link) == (direct, (1, 50, 0)) and tallies.check() == []


def test_money_that_comes_again_is_collected_again(app):
    [link, _own], [pledge] = family(make_project(), 1_000)
    with transaction():
        pledge.state = S.COLLECTED
    gone, taken = refund(pledge, 300), dispute(pledge, 700)
    tallies.roll_up()
    assert tally(link)[0] == (0, 0, 0)
    with transaction():
        gone.state = RefundState.FAILED
    tallies.roll_up()
    assert tally(link)[0] == (1, 0, 300)
    with transaction():
        taken.status, taken.held, taken.is_withdrawn = DisputeStatus.WON, 0, False
    tallies.roll_up()
    assert tally(link)[0] == (1, 0, 1_000) and tallies.check() == []


def test_changes_that_are_undone_before_the_roll_up_change_nothing(app):
    [link, _own], [pledge] = family(make_project(), 1_000)
    tallies.roll_up()
    reached = db.session.get(LinkTally, link.id).reached_at
    for amount in (3_000, 1_000):
        with transaction():
            pledge.amount = amount
    assert tallies.roll_up() == 2
    assert tally(link) == ((1, 1_000, 0), (0, 0, 0))
    assert db.session.get(LinkTally, link.id).reached_at == reached


def test_money_that_comes_in_does_not_move_the_moment_at_which_a_place_was_reached(app):
    [link, _own], [pledge] = family(make_project(), 1_000)
    tallies.roll_up()
    reached = db.session.get(LinkTally, link.id).reached_at
    with transaction():
        pledge.state = S.COLLECTED
    tallies.roll_up()
    db.session.expire_all()
    assert db.session.get(LinkTally, link.id).reached_at == reached
    with transaction():
        pledge.amount += 1
    tallies.roll_up()
    db.session.expire_all()
    assert db.session.get(LinkTally, link.id).reached_at > reached


def test_a_tag_is_generation_0_and_whom_its_friends_bring_comes_after(app):
    project = make_project()
    tag = make_tag(project)
    first = make_pledge(project, amount=1_000, ref=tag.code)
    second = make_pledge(project, amount=2_000, ref=services.link_of(first.backer_id, project).code)
    make_pledge(project, amount=4_000, ref=services.link_of(second.backer_id, project).code)
    make_pledge(project, amount=8_000, ref=services.link_of(make_person(), project).code)
    tallies.roll_up()
    assert tally(tag) == ((1, 1_000, 0), (2, 6_000, 0))
    assert not db.session.get(LinkTally, tag.id).is_person
    days = {day.generation: day.pledged for day in db.session.scalars(sa.select(DayTally))}
    assert days == {0: 1_000, 1: 2_000 + 8_000, 2: 4_000} and tallies.check() == []


def test_a_week_begins_on_monday_by_utc_and_a_pledge_stays_in_its_own(app):
    project = make_project()
    link = services.link_of(make_person(), project)
    sunday = clock.now().replace(year=2026, month=11, day=22, hour=23, minute=59)
    pledges = [make_pledge(project, ref=link.code, amount=100, pledged_at=sunday + timedelta(minutes=add)) for add in (0, 2)]
    tallies.roll_up()
    weeks = {week.week: week.recruits for week in db.session.scalars(sa.select(WeekTally))}
    assert weeks == {date(2026, 11, 16): 1, date(2026, 11, 23): 1}
    with transaction():
        pledges[0].state = S.CANCELLED
    tallies.roll_up()
    db.session.expire_all()
    weeks = {week.week: week.recruits for week in db.session.scalars(sa.select(WeekTally))}
    assert weeks == {date(2026, 11, 16): 0, date(2026, 11, 23): 1} and tallies.check() == []


def test_visits_are_rolled_up_once(app, client):
    project = make_project()
    link, tag = services.link_of(make_person(), project), make_tag(project)
    for agent in (FIREFOX, FIREFOX + " phone"):
        open_link(client, link.code, agent=agent)
    open_link(client, tag.code)
    for _ in range(2):
        tallies.roll_up()
    assert {row.link_id: row.visits for row in db.session.scalars(sa.select(LinkTally))} == {link.id: 2, tag.id: 1}
    assert {row.generation: row.visits for row in db.session.scalars(sa.select(DayTally))} == {0: 1, 1: 2}
    assert tallies.check() == [] and count("share_visit") == 3


def test_who_follows_hears_of_the_links_whose_own_results_changed_in_the_same_transaction(app, monkeypatch):
    heard = []
    monkeypatch.setattr(tallies, "FOLLOWERS", [heard.append])
    links, _pledges = family(make_project(), 1_000, 2_000)
    tallies.roll_up()
    assert heard == [{links[0].id, links[1].id}]
    make_pledge(make_project())
    tallies.roll_up()
    assert len(heard) == 1


def test_a_follower_that_fails_keeps_no_tally_waiting_and_hears_of_the_links_again(app, monkeypatch):
    is_broken, heard, others = True, [], []

    def follow(links):
        db.session.execute(sa.text("UPDATE project SET blurb = 'half done'"))
        if is_broken:
            db.session.execute(sa.text("SELECT 1 / 0"))  # what PostgreSQL answers with an aborted transaction
        heard.append(links)

    monkeypatch.setattr(tallies, "FOLLOWERS", [follow, others.append])
    project, other = make_project(), make_project()
    [link, _own], _pledges = family(project, 1_000)
    [elsewhere, _own], _pledges = family(other, 700)
    tallies.roll_up()
    assert tally(link)[0] == (1, 1_000, 0) and tally(elsewhere)[0] == (1, 700, 0) and count("share_due") == 0
    assert heard == [] and others == [{link.id, elsewhere.id}]
    assert db.session.execute(sa.text("SELECT count(*) FROM project WHERE blurb = 'half done'")).scalar_one() == 0
    is_broken = False
    drain(app, ticking=False)
    assert heard == [{link.id, elsewhere.id}]


def test_a_credit_that_somebody_holds_locked_waits_for_the_next_round_and_nobody_waits_for_it(app):
    [link, _own], [pledge] = family(make_project(), 1_000)
    with db.engine.connect() as other:
        other.execute(sa.text("SELECT 1 FROM recruit WHERE pledge_id = :p FOR UPDATE"), {"p": pledge.id})
        assert tallies.roll_up() == 0
        other.rollback()
    assert tallies.roll_up() == 1 and tally(link)[0] == (1, 1_000, 0)


def test_two_roll_ups_at_once_take_turns(app):
    family(make_project(), 1_000)
    with db.engine.connect() as other:
        other.execute(sa.text("SELECT pg_advisory_xact_lock(hashtextextended(:l, 0))"), {"l": tallies.LOCK})
        assert tallies.roll_up() == 0
        other.rollback()
    assert tallies.roll_up() == 1


def test_a_struck_credit_counts_for_nobody_and_takes_whom_it_brought_along(app):
    links, pledges = family(make_project(), 1_000, 2_000, 4_000)
    tallies.roll_up()
    assert strike(pledges[1].id) == 1
    tallies.roll_up()
    assert [tally(link) for link in links[:3]] == [
        ((1, 1_000, 0), (0, 0, 0)), ((0, 0, 0), (0, 0, 0)), ((1, 4_000, 0), (0, 0, 0))]
    assert tallies.check() == []
    assert unstrike(pledges[1].id) == 1
    tallies.roll_up()
    assert tally(links[0]) == ((1, 1_000, 0), (2, 6_000, 0)) and tallies.check() == []


def test_a_credit_that_would_make_a_loop_by_now_stays_struck(app):
    project = make_project()
    noor = make_person()
    mo = make_pledge(project, ref=services.link_of(noor, project).code)
    strike(mo.id, "device")
    back = make_pledge(project, noor, ref=services.link_of(mo.backer_id, project).code)
    assert scalar("SELECT path FROM recruit WHERE pledge_id = :p", p=back.id) == [
        services.link_of(mo.backer_id, project).n]
    unstrike(mo.id)
    assert scalar("SELECT struck_why FROM recruit WHERE pledge_id = :p", p=mo.id) == "loop"
    tallies.roll_up()
    assert tallies.check() == []


@pytest.mark.parametrize("sql", [
    "UPDATE link_tally SET recruits = recruits + 1", "UPDATE link_tally SET further_pledged = further_pledged + 1",
    "UPDATE week_tally SET amount = amount + 1", "UPDATE day_tally SET pledged = pledged + 1", "DELETE FROM week_tally",
    "UPDATE link_tally SET visits = visits + 1", "UPDATE recruit SET path = path || 7",
    "UPDATE day_tally SET generation = generation + 7", "UPDATE recruit SET tallied_amount = tallied_amount + 1",
    "UPDATE recruit SET tallied_refunded = tallied_refunded + 1",
    "UPDATE recruit SET recruiter_id = backer_id"])
def test_the_check_sees_what_is_wrong_and_a_rebuild_mends_it(app, client, sql):
    project = make_project()
    links, _pledges = family(project, 1_000, 2_000)
    open_link(client, links[0].code)
    tallies.roll_up()
    was = [tally(link) for link in links]
    assert tallies.check(project.id) == []
    with transaction() as session:
        session.execute(sa.text(sql))
    assert tallies.check(project.id) and tallies.check() and not tallies.check(make_project().id)
    if "recruiter_id" not in sql:
        tallies.rebuild(project.id)
        assert tallies.check() == [] and [tally(link) for link in links] == was


def test_the_commands_say_what_is_wrong_and_mend_it(app):
    project = make_project()
    family(project, 1_000)
    tallies.roll_up()
    slug = project.slug
    db.session.rollback()

    def run(*args):
        return app.test_cli_runner().invoke(args=["sharing", *args])

    assert "wrong" not in run("check").output
    with transaction() as session:
        session.execute(sa.text("UPDATE link_tally SET pledged = 7"))
    wrong = run("check", slug)
    assert wrong.exit_code == 1 and "wrong  tallies: every link's counters" in wrong.output
    assert "All tallies" in run("rebuild", slug).output
    assert run("check").exit_code == 0
    assert "There is no project" in run("check", "nowhere").output


def test_visits_that_wait_in_memory_are_written_before_a_roll_up(app, client):
    link = services.link_of(make_person(), make_project())
    visits.forget_here()
    open_link(client, link.code)
    tallies.roll_up()
    assert db.session.get(LinkTally, link.id).visits == 1
