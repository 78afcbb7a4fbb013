import sqlalchemy as sa

from backing.models import PledgeState
from core.db import db
from sharing import queries, services
from tests.factories import make_person, make_project
from tests.sharing.scenes import make_pledge


def scene():
    """Noor (a backer) brings Mo and Els; Mo brings Ravi; Ines only shares and brings Puck, who cancels."""
    project, people = make_project(), {n: make_person(n) for n in ("Noor", "Mo", "Els", "Ravi", "Ines", "Puck")}
    for name, by, amount, state in (
            ("Noor", None, 1_000, "collected"), ("Mo", "Noor", 2_000, "pledged"), ("Els", "Noor", 3_000, "collected"),
            ("Ravi", "Mo", 4_000, "errored"), ("Puck", "Ines", 5_000, "cancelled")):
        code = services.link_of(people[by], project).code if by else None
        make_pledge(project, people[name], amount, ref=code, state=PledgeState(state))
    return project, people


def test_the_best_recruiters_are_those_with_most_standing_pledges(app):
    project, people = scene()
    best = queries.best_recruiters(project.id, 10)
    assert [(one.name, one.number, one.recruits, one.pledged, one.collected) for one in best] == [
        ("Noor", 1, 2, 2_000, 3_000), ("Mo", 2, 1, 4_000, 0)]
    assert queries.best_recruiters(project.id, 1)[0].person_id == people["Noor"].id


def test_the_export_counts_recruits_and_names_the_recruiter_in_one_pass(app):
    project, _people = scene()
    rows = db.session.execute(sa.text(f"""
        WITH {queries.recruit_counts_sql()}
        SELECT p.number, f.recruiter_name, f.recruiter_number, coalesce(b.recruits, 0), coalesce(b.recruits_amount, 0)
          FROM pledge p LEFT JOIN brought b ON b.person_id = p.backer_id
          LEFT JOIN brought_from f ON f.pledge_id = p.id
         WHERE p.project_id = :project_id ORDER BY 1"""), {"project_id": project.id}).all()
    assert [tuple(row) for row in rows] == [
        (1, None, None, 2, 5_000), (2, "Noor", 1, 1, 4_000), (3, "Noor", 1, 0, 0), (4, "Mo", 2, 0, 0),
        (5, "Ines", None, 0, 0)]


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
