"""The two lists that organisers take along: what stands in each column, whose address does, and that nothing is a formula."""

import csv
import io

import openpyxl
import pytest

from backing.models import PledgeState
from core import clock
from core.db import transaction
from core.postgres import conninfo
from sharing import bans, exports, services, settings, tags, tallies, touches
from sharing.cookie import Via
from sharing.models import ShareLink
from tests.backers.test_exports import FORMULAS
from tests.factories import make_person, make_project
from tests.sharing.scenes import count, make_pledge, open_link, strike


def rows_of(app, project, what, kind="csv"):
    tallies.roll_up()
    body = b"".join(exports.pieces(conninfo(app), what, project.id, project.currency, kind))
    if kind == "csv":
        return list(csv.DictReader(io.StringIO(body.decode(), newline="")))
    head, *rows = [[cell.value for cell in row] for row in openpyxl.load_workbook(io.BytesIO(body), read_only=True).active.rows]
    return [dict(zip(head, row, strict=True)) for row in rows if any(cell is not None for cell in row)]


def test_a_row_for_each_link_says_what_it_brought_and_whose_it_is(app, client):
    project, noor, els = make_project(), make_person("Noor Bakker"), make_person("Els Kramer")
    poster = tags.add_tag(project, "Poster in the hall", "Posters")
    make_pledge(project, noor, 4_000, ref=poster.code)
    mine = services.link_of(noor, project)
    mo = make_pledge(project, make_person("Mo"), 2_500, ref=mine.code)
    make_pledge(project, make_person("Ravi"), 1_000, ref=services.link_of(mo.backer_id, project).code, state=PledgeState.COLLECTED)
    make_pledge(project, make_person("Puck"), 900, ref=mine.code, state=PledgeState.DROPPED)
    open_link(client, services.link_of(els, project).code)
    count("share_visit")
    rows = {row["Name"]: row for row in rows_of(app, project, "recruiters")}
    assert set(rows) == {"Poster in the hall", "Noor Bakker", "Mo", "Els Kramer"}
    tag, own = rows["Poster in the hall"], rows["Noor Bakker"]
    assert (tag["Kind"], tag["Channel"], tag["E-mail"], tag["Recruits"], tag["Pledged"]) == ("tag", "Posters", "", "1", "40.00")
    assert (tag["Further recruits"], tag["Further pledged"], tag["Further collected"]) == ("2", "25.00", "10.00")
    assert [own[key] for key in ("Kind", "E-mail", "Backer number", "Code", "Recruits", "Pledged", "Collected", "Dropped",
                                 "Refunded", "Further recruits", "Further collected", "Currency")] == [
        "person", noor.email, "1", mine.code, "1", "25.00", "0.00", "9.00", "0.00", "1", "10.00", "EUR"]
    assert (rows["Els Kramer"]["Visits"], rows["Els Kramer"]["Recruits"]) == ("1", "0")
    sheet = {row["Name"]: row for row in rows_of(app, project, "recruiters", "xlsx")}
    assert (sheet["Noor Bakker"]["Pledged"], sheet["Noor Bakker"]["Recruits"]) == (25, 1)


def test_the_address_of_somebody_who_never_pledged_is_nobodys_to_take_along(app):
    project = make_project()
    people = {name: make_person(name) for name in ("Only shared", "Pledged", "Cancelled")}
    for name, person in people.items():
        make_pledge(project, ref=services.link_of(person, project).code)
        if name in ("Pledged", "Cancelled"):
            make_pledge(project, person, state=PledgeState(name.lower()))
    other = make_project()
    make_pledge(other, people["Only shared"])  # a backer, but of somebody else
    found = {row["Name"]: (row["E-mail"], row["Backer number"]) for row in rows_of(app, project, "recruiters")}
    assert found == {"Only shared": ("", ""), "Cancelled": (people["Cancelled"].email, ""),
                     "Pledged": (people["Pledged"].email, found["Pledged"][1])} and found["Pledged"][1]


def test_a_row_for_each_recruited_pledge_says_both_touches_and_why_one_counts_or_none(app):
    project = make_project()
    settings.decide(project, "first", True, None)
    noor, otto = make_person("Noor Bakker"), make_person("Otto Smit")
    first, last = services.link_of(noor, project), services.link_of(otto, project)
    poster = tags.add_tag(project, "Poster", "Hall", utm={"utm_source": "wall"})
    with transaction() as session:
        poster_link = session.get(ShareLink, poster.link_id)
    now = clock.now()
    friend = make_person("Friend")
    touches.carry(friend.id, {project.id: Via().came(first.code, now).came(last.code, now)}, 30)
    make_pledge(project, friend, 2_500, ref=last.code)
    make_pledge(project, make_person("Passer-by"), 1_000, ref=poster_link.code)
    own = make_pledge(project, noor, 700, ref=first.code)
    struck = make_pledge(project, make_person("Second"), 600, ref=last.code)
    strike(struck.id, "cards")
    bans.ban(otto.id, project_id=project.id, reason="bought accounts", by_id=None)
    make_pledge(project, make_person("Late"), 500, ref=last.code)
    rows = {row["Name"]: row for row in rows_of(app, project, "pledges")}
    assert set(rows) == {"Friend", "Passer-by", "Noor Bakker", "Second", "Late"}
    one = rows["Friend"]
    assert [one[key] for key in ("Status", "Amount", "Counts for", "Counts for code", "Which touch counts", "Generation",
                                 "First touch", "Last touch", "Last touch code", "Not credited because")] == [
        "pledged", "25.00", "Noor Bakker", first.code, "first", "1", "Noor Bakker", "Otto Smit", last.code, ""]
    one = rows["Passer-by"]
    assert [one[key] for key in ("Counts for", "Channel", "Generation", "Which touch counts", "UTM source")] == [
        "Poster", "Hall", "0", "last", "wall"]
    assert (rows["Noor Bakker"]["Counts for"], rows["Noor Bakker"]["Not credited because"]) == ("", "account") and own
    assert (rows["Second"]["Counts for"], rows["Second"]["Taken back because"]) == ("Otto Smit", "cards")
    assert (rows["Late"]["Counts for"], rows["Late"]["Not credited because"]) == ("", "banned")


@pytest.mark.parametrize("what", exports.LISTS)
def test_no_text_of_these_lists_is_a_formula(app, what):
    project = make_project()
    vectors = [*FORMULAS, "`=1+1"]
    for n, text in enumerate(vectors):
        make_pledge(project, make_person(text, email=f"{text}.{n}@example.org"[:200]),
                    ref=services.link_of(make_person(text, email=f"recruiter.{n}@example.org"), project).code)
    columns = {"recruiters": ("Name",), "pledges": ("Name", "E-mail", "Counts for", "First touch", "Last touch")}[what]
    rows = rows_of(app, project, what)
    assert len(rows) == len(vectors)
    wrong = {(column, row[column]) for row in rows for column in columns
             if not row[column].startswith("'") and any(text and row[column].startswith(text) for text in vectors)}
    assert wrong == set()
