import csv
import io

import pytest

from core.db import db, transaction
from sharing import services, tags, tallies
from sharing.cli import defused
from tests.factories import make_person, make_project
from tests.sharing.scenes import make_pledge


def test_the_report_is_a_table_or_a_sheet(app, flask):
    project, noor = make_project(), make_person("=Noor Bakker")
    make_pledge(project, noor)
    make_pledge(project, amount=6_050, ref=services.link_of(noor, project).code)
    slug = project.slug
    db.session.rollback()  # nothing is held open while the commands run
    table = flask("sharing", "report", slug).stdout
    assert "=Noor Bakker" in table and "€60.50" in table and "share: 1 pledges, €60.50" in table
    sheet = flask("sharing", "report", slug, "--format", "csv").stdout
    [row] = csv.DictReader(io.StringIO(sheet))
    assert row["Recruiter"] == "'=Noor Bakker" and row["Pledged"] == "60.50" and row["Recruits"] == "1"
    wrong = flask("sharing", "report", "nowhere", check=False)
    assert wrong.returncode == 2 and "There is no project" in wrong.stderr and "Traceback" not in wrong.stderr


@pytest.fixture
def told(app):
    """The slug of a project: Noor brought one, who brought one; a tag with a name for a formula brought one."""
    project, noor, mo = make_project(), make_person("Noor"), make_person("Mo")
    with transaction():
        tag = tags.add_tag(project, "=Poster", "Walls")
    make_pledge(project, noor)
    make_pledge(project, mo, 6_050, ref=services.link_of(noor, project).code)
    make_pledge(project, amount=2_000, ref=services.link_of(mo, project).code)
    make_pledge(project, amount=1_000, ref=tag.code)
    tallies.roll_up()
    slug = project.slug
    db.session.rollback()
    return slug


@pytest.mark.parametrize(("by", "first", "rows"), [
    ("tag", "Tag", {"(links of people)": ("2", "80.50"), "'=Poster": ("1", "10.00")}),
    ("channel", "Channel", {"(links of people)": ("2", "80.50"), "Walls": ("1", "10.00")}),
    ("generation", "Generation", {"0": ("1", "10.00"), "1": ("1", "60.50"), "2": ("1", "20.00")})])
def test_each_breakdown_of_the_report_adds_up_to_the_same(flask, told, by, first, rows):
    sheet = flask("sharing", "report", told, "--by", by, "--format", "csv").stdout
    assert {row[first]: (row["Recruits"], row["Pledged"]) for row in csv.DictReader(io.StringIO(sheet))} == rows
    table = flask("sharing", "report", told, "--by", by).stdout
    assert table.splitlines()[-1].split() == ["Together", "0", "3", "€90.50", "€0.00", "€0.00", "€0.00"]


def test_the_report_by_day_and_by_nothing_known(flask, told):
    sheet = flask("sharing", "report", told, "--by", "day", "--format", "csv").stdout
    [row] = csv.DictReader(io.StringIO(sheet))
    assert row["Recruits"] == "3" and row["Pledged"] == "90.50" and len(row["Day (UTC)"]) == 10
    assert flask("sharing", "report", told, "--by", "moon", check=False).returncode == 2


@pytest.mark.parametrize("name", ["=1+1", "+1", "-1", "@x", " =1", "\"=1", "'=1", "\t=1", "＝1", "＠x", "“=1", "\u200b=1",
                                  "`+1"])
def test_no_name_becomes_a_formula(name):
    assert defused(name).startswith("'")
    assert defused("Noor - Bakker") == "Noor - Bakker"
