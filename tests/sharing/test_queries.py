import sqlalchemy as sa

from backing.models import Pledge, PledgeState
from core.db import db
from sharing import queries, services
from tests.factories import make_person, make_project
from tests.sharing.scenes import dispute, make_pledge, refund


def scene():
    """Noor (a backer) brings Mo and Els; Mo brings Ravi; Ines only shares and brings Puck, who cancels."""
    project, people = make_project(), {n: make_person(n) for n in ("Noor", "Mo", "Els", "Ravi", "Ines", "Puck")}
    for name, by, amount, state in (
            ("Noor", None, 1_000, "collected"), ("Mo", "Noor", 2_000, "pledged"), ("Els", "Noor", 3_000, "collected"),
            ("Ravi", "Mo", 4_000, "errored"), ("Puck", "Ines", 5_000, "cancelled")):
        code = services.link_of(people[by], project).code if by else None
        make_pledge(project, people[name], amount, ref=code, state=PledgeState(state))
    return project, people


def pledge_of(person):
    return db.session.scalars(sa.select(Pledge).filter_by(backer_id=person.id)).one()


def test_the_best_recruiters_are_those_with_most_standing_pledges(app):
    project, people = scene()
    best, of_all = queries.recruits_by_person(project.id)
    assert of_all == 2 and [(one.name, one.number, one.recruits, one.pledged, one.collected) for one in best] == [
        ("Noor", 1, 2, 2_000, 3_000), ("Mo", 2, 1, 4_000, 0)]
    assert queries.recruits_by_person(project.id, 1)[0][0].person_id == people["Noor"].id


def test_what_went_back_is_nobodys_money_and_a_pledge_of_which_nothing_is_left_is_nobodys_recruit(app):
    project, people = scene()
    els = pledge_of(people["Els"])
    refund(els, 400)
    [noor, _mo], _all = queries.recruits_by_person(project.id)
    shared = {source.source: (source.pledges, source.amount) for source in queries.sources(project.id)}["share"]
    assert (noor.recruits, noor.collected, shared) == (2, 2_600, (3, 8_600))
    dispute(els, 2_600)
    [first, second], _all = queries.recruits_by_person(project.id)
    shared = {source.source: (source.pledges, source.amount) for source in queries.sources(project.id)}["share"]
    assert (first.name, second.name, second.recruits, second.collected, shared) == ("Mo", "Noor", 1, 0, (2, 6_000))


def test_sources_are_the_sum_over_pledges_and_share_is_the_sum_over_recruits(app):
    project, people = scene()
    make_pledge(project, amount=700, source="discover")
    make_pledge(project, amount=800, source="example.net")
    twin = make_person(email="noor+2@" + people["Noor"].email.split("@")[1])
    make_pledge(project, twin, 900, ref="K7QX4M2PBTRHA")
    found = {source.source: (source.pledges, source.amount) for source in queries.sources(project.id)}
    assert found == {"share": (3, 9_000), "direct": (2, 1_900), "discover": (1, 700), "example.net": (1, 800)}
    total = db.session.scalar(sa.text("SELECT sum(amount) FROM pledge WHERE state IN "
                                      "('pledged', 'collecting', 'collected', 'errored')"))
    assert sum(amount for _n, amount in found.values()) == total
    assert sum(one.amount for one in queries.recruits_by_person(project.id)[0]) == found["share"][1]


def test_a_known_code_costs_no_statement_for_a_minute(app):
    code = services.link_of(make_person(), make_project()).code
    seen = []
    sa.event.listen(db.engine, "before_cursor_execute", listen := lambda *args: seen.append(args[2]))
    assert queries.find_link(code) == queries.find_link(code)
    assert len([text for text in seen if "FROM share_link" in text]) == 1
    sa.event.remove(db.engine, "before_cursor_execute", listen)
