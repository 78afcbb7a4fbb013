import threading
from datetime import timedelta

import pytest
import sqlalchemy as sa

from backing.models import PledgeState
from core import clock
from core.db import db, transaction
from sharing import attribution, queries, services, touches
from sharing.cookie import Via
from sharing.models import Attribution, Recruit
from tests.factories import make_person, make_project, scalar
from tests.sharing.scenes import count, make_pledge


def test_a_pledge_by_a_link_makes_a_recruit_and_a_link_of_its_own(app):
    project, noor = make_project(), make_person("Noor Bakker")
    link = services.link_of(noor, project)
    pledge = make_pledge(project, amount=4_500, ref=link.code)
    recruit = db.session.get(Recruit, pledge.id)
    assert (recruit.recruiter_id, recruit.link_id, recruit.backer_id) == (noor.id, link.id, pledge.backer_id)
    assert queries.link_between(pledge.backer_id, project.id)
    with transaction():
        attribution.credit_pledge(pledge)
    assert count("recruit") == 1


@pytest.mark.parametrize("ref", [None, "K7QX4M2PBTRHA", "", "'"])
def test_a_pledge_without_a_known_code_is_nobodys_recruit(app, ref):
    make_pledge(make_project(), ref=ref)
    assert count("recruit") == 0 and count("share_link") == 1


def test_a_code_of_another_project_brings_nobody(app):
    link = services.link_of(make_person(), make_project())
    make_pledge(make_project(), ref=link.code)
    assert count("recruit") == 0


@pytest.mark.parametrize(("mine", "other"), [
    ("noor@example.org", "Noor+band@Example.org"), ("noor.bakker@gmail.com", "noorbakker+x@googlemail.com")])
def test_self_referral_by_account_or_mailbox_does_not_count(app, mine, other):
    project, noor = make_project(), make_person(email=mine)
    link = services.link_of(noor, project)
    make_pledge(project, noor, ref=link.code)
    make_pledge(project, make_person(email=other), ref=link.code)
    assert count("recruit") == 0
    make_pledge(project, make_person(email="n.oor@example.org"), ref=link.code)
    assert count("recruit") == 1


def test_nobody_is_brought_by_somebody_whom_they_brought(app):
    project, noor = make_project(), make_person()
    mo = make_pledge(project, ref=services.link_of(noor, project).code)
    ravi = make_pledge(project, ref=services.link_of(mo.backer_id, project).code)
    make_pledge(project, noor, ref=services.link_of(ravi.backer_id, project).code)
    assert count("recruit") == 2


def test_only_pledges_that_stand_count_and_pledged_becomes_collected(app):
    project, noor = make_project(), make_person()
    link = services.link_of(noor, project)
    S = PledgeState
    for state in S:
        if state not in (S.HELD, S.EXPIRED):
            make_pledge(project, ref=link.code, state=state, amount=1_000)
    assert queries.link_results(link.id) == queries.Results(visits=0, recruits=4, pledged=3_000, collected=1_000)
    with transaction() as session:
        session.execute(sa.text("UPDATE pledge SET state = 'collected' WHERE state IN ('collecting', 'errored')"))
    assert queries.link_results(link.id) == queries.Results(0, 4, 1_000, 3_000)


def test_a_changed_or_cancelled_pledge_moves_the_sums_at_once(app):
    project = make_project()
    link = services.link_of(make_person(), project)
    pledge = make_pledge(project, ref=link.code, amount=2_500)
    with transaction():
        pledge.amount = 6_000
    assert queries.link_results(link.id).amount == 6_000
    with transaction():
        pledge.state = PledgeState.CANCELLED
    assert queries.link_results(link.id) == queries.Results()


def said(pledge):
    """Who is credited, first and last touch, why not."""
    db.session.expire_all()
    found, recruit = db.session.get(Attribution, pledge.id), db.session.get(Recruit, pledge.id)
    return (recruit and recruit.link_id, found and found.first_link_id, found and found.last_link_id, found and found.refused)


def two_touches(project, fan, days=(3, 1)):
    first, last = (services.link_of(make_person(), project) for _ in range(2))
    early, late = (clock.now() - timedelta(days=d) for d in days)
    touches.carry(fan.id, {project.id: Via().came(first.code, early).came(last.code, late, {"utm_source": "x"})}, 30)
    return first, last


def test_first_and_last_touch_are_kept_and_the_last_counts(app):
    project, fan = make_project(), make_person()
    first, last = two_touches(project, fan)
    pledge = make_pledge(project, fan, ref=last.code)
    assert said(pledge) == (last.id, first.id, last.id, None)
    found = db.session.get(Attribution, pledge.id)
    assert found.utm == {"utm_source": "x"} and found.first_at < found.last_at < pledge.pledged_at


def test_where_the_project_says_so_the_first_touch_counts(app):
    project, fan = make_project(), make_person()
    with transaction() as session:
        session.execute(sa.text("INSERT INTO share_settings (project_id, counts) VALUES (:p, 'first')"), {"p": project.id})
    first, last = two_touches(project, fan)
    assert said(make_pledge(project, fan, ref=last.code)) == (first.id, first.id, last.id, None)
    known = touches.known_touches(project.id, fan.id, None, 30)
    assert known.counting.link_id == first.id  # whoever is thanked on the form is who is credited


def test_a_first_touch_that_is_too_old_gives_way_to_the_last(app):
    project, fan = make_project(), make_person()
    _first, last = two_touches(project, fan, days=(31, 1))
    assert said(make_pledge(project, fan, ref=last.code)) == (last.id, last.id, last.id, None)


def test_what_is_followed_after_the_pledge_changes_nothing(app):
    project, fan = make_project(), make_person()
    first, last = two_touches(project, fan)
    pledge = make_pledge(project, fan, ref=last.code)
    later = services.link_of(make_person(), project)
    touches.carry(fan.id, {project.id: Via().came(later.code, clock.now())}, 30)
    with transaction():
        pledge.ref = later.code
        attribution.credit_pledge(pledge)
    assert said(pledge) == (last.id, first.id, last.id, None) and count("recruit") == 1


def test_why_nobody_is_credited_is_kept(app):
    project, noor = make_project(), make_person(email="noor@example.org")
    link = services.link_of(noor, project)
    assert said(make_pledge(project, noor, ref=link.code)) == (None, link.id, link.id, "account")
    twin = make_person(email="noor+2@example.org")
    assert said(make_pledge(project, twin, ref=link.code))[-1] == "mailbox"
    mo = make_pledge(project, ref=services.link_of(twin, project).code)
    with transaction():
        db.session.execute(sa.text("UPDATE pledge SET state = 'cancelled' WHERE backer_id = :p"), {"p": twin.id})
    again = make_pledge(project, twin, ref=services.link_of(mo.backer_id, project).code)
    assert said(again)[-1] == "loop"


def test_marks_without_a_link_are_kept_with_the_pledge(app):
    project, fan = make_project(), make_person()
    touches.carry(fan.id, {project.id: Via().marked({"utm_source": "hall"}, clock.now())}, 30)
    pledge = make_pledge(project, fan)
    assert said(pledge) == (None, None, None, None)
    assert db.session.get(Attribution, pledge.id).utm == {"utm_source": "hall"}


def test_a_tags_own_marks_are_kept_where_the_address_alone_knew_it(app):
    from tests.sharing.test_tallies import make_tag

    project = make_project()
    tag = make_tag(project)
    pledge = make_pledge(project, ref=tag.code)
    recruit = db.session.get(Recruit, pledge.id)
    assert (recruit.recruiter_id, recruit.path) == (None, [tag.n])
    assert db.session.get(Attribution, pledge.id).utm == {"utm_source": "poster"}


def test_paths_follow_who_pledges_again_by_another_link(app):
    project, els, noor = make_project(), make_person(), make_person()
    n = [services.link_of(person, project).n for person in (els, noor)]
    by = services.link_of(noor, project).code
    below = make_pledge(project, ref=by)
    deeper = make_pledge(project, ref=services.link_of(below.backer_id, project).code)
    assert db.session.get(Recruit, below.id).path == [n[1]]
    make_pledge(project, noor, ref=services.link_of(els, project).code, state=PledgeState.CANCELLED)
    db.session.expire_all()
    m = services.link_of(below.backer_id, project).n
    assert db.session.get(Recruit, below.id).path == n and db.session.get(Recruit, deeper.id).path == [*n, m]
    puck = services.link_of(make_person(), project)
    make_pledge(project, noor, ref=puck.code)
    db.session.expire_all()
    assert db.session.get(Recruit, deeper.id).path == [puck.n, n[1], m]


@pytest.mark.parametrize("seed", range(3))
def test_two_who_pledge_by_each_others_links_at_once_make_no_circle(app, seed):
    project, noor, mo = make_project(), make_person(), make_person()
    codes = {person.id: services.link_of(person, project).code for person in (noor, mo)}
    ids = {noor.id: mo.id, mo.id: noor.id}
    project_id, gate = project.id, threading.Barrier(2)
    db.session.rollback()
    sql = sa.text("""INSERT INTO pledge (project_id, backer_id, state, number, amount, currency, token, ref, pledged_at)
                     VALUES (:p, :b, 'pledged', :n, 1000, 'EUR', gen_random_uuid(), :r, clock_now()) RETURNING id""")

    def go(number, backer, other):
        from backing.models import Pledge

        with app.app_context():
            with transaction() as session:
                pledge = session.get(Pledge, session.scalar(sql, {"p": project_id, "b": backer, "n": number, "r": codes[other]}))
                gate.wait()
                attribution.credit_pledge(pledge)
            db.session.remove()

    threads = [threading.Thread(target=go, args=(n, *pair)) for n, pair in enumerate(ids.items(), 1)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert count("recruit") == 1 and scalar("SELECT refused FROM attribution WHERE refused IS NOT NULL") == "loop"


def test_a_credit_that_was_refused_can_be_given_after_all(app):
    project = make_project()
    link = services.link_of(make_person(email="noor@example.org"), project)
    pledge = make_pledge(project, make_person(email="noor+2@example.org"), ref=link.code)
    below = make_pledge(project, ref=services.link_of(pledge.backer_id, project).code)
    assert attribution.credit_after_all(pledge.id) and not attribution.credit_after_all(pledge.id)
    assert said(pledge) == (link.id, link.id, link.id, None)
    assert db.session.get(Recruit, below.id).path[0] == link.n


def test_a_credit_is_one_statement_and_another_one_only_where_fairness_has_to_judge(app):
    project, noor = make_project(), make_person(email="noor@mail.example")
    link = services.link_of(noor, project)
    for ref, email, most in ((None, "ann@mail.example", 1), (link.code, "bob@mail.example", 1),
                             (link.code, "n.oor@mail.example", 2)):
        pledge = make_pledge(project, make_person(email=email))  # its own link is there, and nothing else of it
        with transaction() as session:
            session.execute(sa.text("DELETE FROM attribution"))
            pledge.ref = ref
            session.flush()
            pledge.placed_at
            seen = []
            sa.event.listen(db.engine, "before_cursor_execute", listen := lambda *args: seen.append(args[2]))
            assert attribution.credit_pledge(pledge) is bool(ref)
            sa.event.remove(db.engine, "before_cursor_execute", listen)
        assert len(seen) == most, seen


def test_of_two_links_that_were_opened_within_a_second_the_last_is_the_last(app):
    project = make_project()
    one, other = (services.link_of(make_person(), project).code for _ in range(2))
    at = clock.now().replace(microsecond=0)
    for first, last in ((one, other), (other, one)):
        known = touches.known_touches(project.id, None, Via().came(first, at).came(last, at), 30)
        assert (known.first.code, known.last.code) == (first, last)


# What the account remembers ---------------------------------------------------------------------------

def kept():
    return db.session.execute(sa.text("SELECT link_id, first_link_id, utm FROM share_touch")).all()


def test_the_account_keeps_first_and_last_in_whatever_order_they_come(app):
    project, fan = make_project(), make_person()
    links = [services.link_of(make_person(), project) for _ in range(3)]
    times = [clock.now() - timedelta(days=3 - n) for n in range(3)]
    for n in (1, 0, 2, 1):
        touches.carry(fan.id, {project.id: Via().came(links[n].code, times[n])}, 30)
    assert kept() == [(links[2].id, links[0].id, {})]
    touches.carry(fan.id, {project.id: Via().left(times[1])}, 30)
    assert kept() == [(links[2].id, links[2].id, {})]
    touches.carry(fan.id, {project.id: Via().left(clock.now())}, 30)
    assert kept() == []


def test_foreign_and_own_codes_do_not_enter_the_account(app):
    project, other, fan = make_project(), make_project(), make_person()
    mine, elsewhere = services.link_of(fan, project), services.link_of(make_person(), other)
    for code in (mine.code, elsewhere.code, "K7QX4M2PBTRHA"):
        touches.carry(fan.id, {project.id: Via().came(code, clock.now())}, 30)
    assert kept() == []


def test_one_of_two_links_may_be_ones_own(app):
    project, fan = make_project(), make_person()
    mine, other = services.link_of(fan, project), services.link_of(make_person(), project)
    touches.carry(fan.id, {project.id: Via().came(other.code, clock.now() - timedelta(days=1)).came(mine.code, clock.now())}, 30)
    assert kept() == [(other.id, other.id, {})]


def test_marks_alone_do_not_push_a_link_away(app):
    project, fan = make_project(), make_person()
    link = services.link_of(make_person(), project)
    touches.carry(fan.id, {project.id: Via().marked({"utm_source": "a"}, clock.now() - timedelta(days=2))}, 30)
    touches.carry(fan.id, {project.id: Via().came(link.code, clock.now() - timedelta(days=1))}, 30)
    touches.carry(fan.id, {project.id: Via().marked({"utm_source": "b"}, clock.now())}, 30)
    assert kept() == [(link.id, link.id, {"utm_source": "b"})]


def test_two_people_at_one_laptop_keep_their_own_touches(app):
    """Noor logs in and out, Mo uses the browser next: what came by the browser is each one's, what is one's own is not."""
    project, noor, mo = make_project(), make_person(), make_person()
    link = services.link_of(make_person(), project)
    memory = {project.id: Via().came(link.code, clock.now())}
    touches.carry(noor.id, memory, 30)
    hers = services.link_of(noor, project)
    memory = {project.id: memory[project.id].came(hers.code, clock.now())}
    touches.carry(mo.id, memory, 30)
    touches.carry(noor.id, memory, 30)
    rows = dict(db.session.execute(sa.text("SELECT person_id, link_id FROM share_touch")).all())
    assert rows == {noor.id: link.id, mo.id: hers.id}
    assert said(make_pledge(project, mo, ref=hers.code))[:3] == (hers.id, link.id, hers.id)
    assert said(make_pledge(project, noor, ref=link.code))[0] == link.id
