import csv
import io

import pytest

from core.db import db
from sharing import services
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


@pytest.mark.parametrize("name", ["=1+1", "+1", "-1", "@x", " =1", "\"=1", "'=1", "\t=1", "＝1", "＠x"])
def test_no_name_becomes_a_formula(name):
    assert defused(name).startswith("'")
    assert defused("Noor - Bakker") == "Noor - Bakker"
