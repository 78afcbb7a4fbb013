"""`flask backers export`."""

import json

import pytest

from core.db import db
from tests.factories import make_person, make_pledge, make_project, scalar


@pytest.fixture
def slug(app):
    """A project with one backer; no transaction of ours idles while the command runs."""
    project = make_project()
    make_pledge(project, make_person("Żaneta 日本"))
    slug = project.slug
    db.session.rollback()
    return slug


def test_an_unknown_project_is_one_line_and_exit_code_two(app, flask):
    done = flask("backers", "export", "no-such-project", check=False)
    assert done.returncode == 2
    assert done.stderr.strip().splitlines() == ["There is no project “no-such-project”."]
    assert done.stdout == "" and scalar("SELECT count(*) FROM export_log") == 0


def test_the_list_goes_to_the_standard_output(slug, flask):
    done = flask("backers", "export", slug, "--format", "ndjson")
    assert json.loads(done.stdout)["name"] == "Żaneta 日本"
    assert scalar("SELECT format || rows FROM export_log WHERE person_id IS NULL AND finished_at IS NOT NULL") == "ndjson1"


def test_a_file_appears_whole_and_nothing_beside_it(slug, flask, tmp_path):
    for kind, start in (("csv", b"Backer number"), ("xlsx", b"PK")):
        target = tmp_path / f"list.{kind}"
        flask("backers", "export", slug, "--format", kind, "--output", str(target))
        assert target.read_bytes().startswith(start)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["list.csv", "list.xlsx"]


def test_a_wrong_folder_or_format_is_refused(slug, flask, tmp_path):
    assert flask("backers", "export", slug, "--output", str(tmp_path / "no" / "x.csv"), check=False).returncode == 2
    assert flask("backers", "export", slug, "--format", "kickstarter", check=False).returncode == 2
    assert list(tmp_path.iterdir()) == []
