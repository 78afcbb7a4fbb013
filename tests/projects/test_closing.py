"""C-15 to C-18: the deadline decides once, from one sum, for ever."""

import threading
from datetime import timedelta

import pytest
import sqlalchemy as sa

from core import clock, jobs
from core.db import db
from projects import hooks
from projects.models import Project, ProjectState
from projects.services import CLOSING_LOCK, close, close_due
from tests.factories import make_project, scalar

S = ProjectState


@pytest.fixture
def pledged(monkeypatch):
    """Rooms above say that this much was pledged; each question is counted."""
    said = {"raised": 0, "backers": 3, "asked": 0, "closed": []}

    def tell(project, counts):
        said["asked"] += 1
        counts["raised"], counts["backers"] = said["raised"], said["backers"]

    monkeypatch.setattr(hooks.sum_asked, "_ears", [tell])
    monkeypatch.setattr(hooks.project_closed, "_ears", [lambda project, funded: said["closed"].append(funded)])
    return said


def _again(project):
    db.session.rollback()
    return db.session.get(Project, project.id, populate_existing=True)


@pytest.mark.parametrize(("raised", "state"), [
    (99_999, S.UNSUCCESSFUL), (100_000, S.SUCCESSFUL), (100_001, S.SUCCESSFUL), (0, S.UNSUCCESSFUL)])
def test_a_project_succeeds_exactly_at_its_goal(app, pledged, raised, state):
    project = make_project(days=-0.001, goal=100_000)
    pledged["raised"] = raised
    assert close_due() == 1
    project = _again(project)
    assert project.state is state
    assert (project.raised_at_close, project.backers_at_close) == (raised, 3)
    assert project.closed_at is not None
    assert pledged["closed"] == [state is S.SUCCESSFUL]


def test_closing_twice_decides_once(app, pledged):
    project = make_project(days=-1)
    pledged["raised"] = 100_000
    assert close_due() == 1
    pledged["raised"] = 0
    assert close_due() == 0 and not close(project.id)
    assert _again(project).raised_at_close == 100_000
    assert pledged["asked"] == 1
    assert scalar("SELECT count(*) FROM project_move") == 1
    assert scalar("SELECT count(*) FROM mail WHERE name = 'projects/closed'") == 1


def test_nothing_closes_before_its_time(app, pledged):
    project = make_project(days=0.01)
    assert close_due() == 0 and not close(project.id)
    clock.move_clock(timedelta(days=0.02))
    assert close_due() == 1


def test_a_worker_that_was_away_for_hours_closes_all_that_is_due(app, pledged):
    for _ in range(3):
        make_project(days=1)
    make_project(days=3)
    clock.move_clock(timedelta(days=1, hours=3))
    jobs.drain(app)
    assert scalar("SELECT count(*) FROM project WHERE state = 'unsuccessful'") == 3
    assert scalar("SELECT count(*) FROM project WHERE state = 'live'") == 1


def test_one_project_that_fails_does_not_keep_the_others_from_closing(app, pledged, monkeypatch):
    broken, fine = make_project(days=-2), make_project(days=-1)

    def tell(project, counts):
        if project.id == broken_id:
            raise RuntimeError("broken")

    broken_id = broken.id
    monkeypatch.setattr(hooks.sum_asked, "_ears", [tell])
    assert close_due() == 1
    assert _again(broken).state is S.LIVE
    assert _again(fine).state is S.UNSUCCESSFUL


def test_many_workers_at_once_decide_once(app, pledged):
    project = make_project(days=-1)
    project_id, results = project.id, []
    db.session.rollback()

    def work():
        with app.app_context():
            results.append(close(project_id))

    threads = [threading.Thread(target=work) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(results) == [False] * 5 + [True]
    assert pledged["asked"] == 1


def test_closing_waits_for_a_pledge_that_is_under_way(app, pledged):
    project = make_project(days=-1)
    project_id = project.id
    db.session.rollback()
    with db.engine.connect() as other:
        other.execute(sa.text("SELECT pg_advisory_xact_lock_shared(hashtextextended(CAST(:p AS text), 0))"),
                      {"p": str(project_id)})
        assert close_due() == 0  # the lock is waited for, then the scan gives up until the next time
        other.rollback()
    assert close_due() == 1
    assert "hashtextextended" in str(CLOSING_LOCK)


def test_the_creator_is_told(app, pledged, client):
    make_project(days=-1, title="A roof for us")
    close_due()
    jobs.drain(app, ticking=False)
    from core.mail import send_due

    send_due()
    mail = db.session.execute(sa.text("SELECT * FROM mail WHERE name = 'projects/closed'")).one()
    assert mail.state == "sent"
    assert "A roof for us" in mail.subject and "Nobody was charged" in mail.text and "Nobody was charged" in mail.html


def test_the_command_closes_what_is_due(app, flask):
    make_project(days=-1)
    db.session.rollback()
    assert "1 project closed." in flask("projects", "close-due").stdout
    assert "unsuccessful" in flask("projects", "list").stdout
