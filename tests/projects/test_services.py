"""Writing, launching, telling news, choosing who helps."""

import io
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa
from PIL import Image

from core import clock
from core.db import db, transaction
from core.errors import BadInput, NotAllowed, Refusal
from projects import hooks, services
from projects.hooks import Step
from projects.models import Category, MemberRole, Project, ProjectState, ProjectTotal
from tests.factories import make_member, make_person, make_project, scalar

S = ProjectState


@pytest.fixture(autouse=True)
def in_request(app):
    with app.test_request_context():
        yield


def a_picture(color="orange"):
    out = io.BytesIO()
    Image.new("RGB", (60, 40), color).save(out, "PNG")
    out.seek(0)
    return out


@pytest.fixture
def only_ours(monkeypatch):
    """The checklist without the steps of other rooms."""
    from projects.launching import add_steps

    monkeypatch.setattr(hooks.steps_asked, "_ears", [add_steps])


def ready(creator=None, **columns):
    """A draft that has all that a launch asks for."""
    creator = creator or make_person()
    project = services.create_project(creator, "Night train", category=Category.MUSIC, blurb="Eleven songs.")
    project = services.set_picture(project, a_picture(), "An orange square", creator)
    project = services.edit_story(project, "We play on trains. Help us print it.")
    with transaction() as session:
        project = session.get_one(Project, project.id)
        for name, value in ({"goal": 100_000, "deadline": clock.now() + timedelta(days=20)} | columns).items():
            setattr(project, name, value)
    return project


def test_a_draft_gets_an_address_of_its_own_and_a_total(app):
    one, two = (services.create_project(make_person(), "Nachttrein: één plaat!") for _ in range(2))
    assert (one.slug, two.slug) == ("nachttrein-een-plaat", "nachttrein-een-plaat-2")
    assert one.state is S.DRAFT
    assert db.session.get(ProjectTotal, one.id).raised == 0


@pytest.mark.parametrize(("title", "slug"), [("New", "new-project"), ("東京", "project"), ("a" * 60, "a" * 50)])
def test_every_title_gives_an_address(app, title, slug):
    assert services.create_project(make_person(), title).slug == slug


def test_the_address_follows_the_title_until_the_launch_only(app, only_ours):
    creator = make_person()
    project = ready(creator)
    words = {"blurb": "Eleven songs.", "category": Category.MUSIC, "place": ""}
    project = services.edit_basics(project, title="Day train", **words)
    assert project.slug == "day-train"
    project = services.launch(project, creator)
    assert services.edit_basics(project, title="Slow train", **words).slug == "day-train"


def test_two_tabs_cannot_undo_each_other(app):
    project = make_project(state=S.DRAFT)
    first = project.edition
    services.edit_story(project, "From the first tab, long enough.", first)
    with pytest.raises(BadInput, match="another tab") as refused:
        services.edit_story(project, "From the second tab.", first)
    assert refused.value.field == "edition"
    assert scalar("SELECT story FROM project") == "From the first tab, long enough."


@pytest.mark.parametrize("changed", [{"goal": 5_000}, {"currency": "USD"}, {"zone": "Europe/Paris"},
                                     {"deadline": datetime(2027, 1, 1, tzinfo=UTC)}])
def test_goal_currency_and_last_day_are_fixed_once_live(app, changed):
    project = make_project()
    with pytest.raises(BadInput, match="fixed"):
        services.edit_basics(project, title="T", blurb="B", category=None, place="", **changed)


def test_a_project_that_ended_stays_as_it_is(app):
    project = make_project(state=S.SUCCESSFUL)
    with pytest.raises(Refusal, match="ended"):
        services.edit_story(project, "Something else altogether.")
    assert services.publish_update(project, project.creator, "Thanks", "All of you.").number == 1


def test_a_launch_writes_every_move_and_freezes_the_fee(app, only_ours):
    creator = make_person()
    project = ready(creator)
    app.config["PLATFORM_FEE_BP"] = 700
    try:
        project = services.launch(project, creator)
    finally:
        app.config["PLATFORM_FEE_BP"] = 500
    assert (project.state, project.fee_bp) == (S.LIVE, 700)
    assert abs(project.launched_at - clock.now()) < timedelta(minutes=1)
    moves = [row[0] for row in db.session.execute(
        sa.text("SELECT to_state || ':' || why FROM project_move ORDER BY id"))]
    assert moves == ["submitted:no review on this site", "approved:no review on this site", "live:"]


@pytest.mark.parametrize(("columns", "words"), [
    ({"goal": None}, "The basics"), ({"deadline": None}, "The basics"), ({"story": "Short."}, "Story"),
    ({"picture_id": None}, "Picture"), ({"blurb": ""}, "The basics")])
def test_a_launch_names_what_is_missing(app, only_ours, columns, words):
    creator = make_person()
    project = ready(creator, **columns)
    with pytest.raises(Refusal, match=words):
        services.launch(project, creator)
    assert scalar("SELECT state FROM project") == "draft"


def test_a_launch_waits_for_the_steps_of_other_rooms(app, only_ours):
    creator = make_person()
    hooks.steps_asked._ears.append(lambda project, steps: steps.append(
        Step("payouts", "Payout account", "/x", False)))
    with pytest.raises(Refusal, match="Payout account"):
        services.launch(ready(creator), creator)


@pytest.mark.parametrize("away", [timedelta(minutes=30), timedelta(days=-1), timedelta(days=61)])
def test_a_launch_refuses_a_last_day_out_of_reach(app, only_ours, away):
    creator = make_person()
    with pytest.raises(BadInput):
        services.launch(ready(creator, deadline=clock.now() + away), creator)


def test_a_launch_needs_a_confirmed_address_and_the_creator(app, only_ours):
    unconfirmed = make_person(confirmed_at=None)
    with pytest.raises(Refusal, match="Confirm your e-mail"):
        services.launch(ready(unconfirmed), unconfirmed)
    with pytest.raises(NotAllowed):
        services.launch(ready(make_person()), make_person())


def test_a_project_is_launched_once(app, only_ours):
    creator = make_person()
    project = services.launch(ready(creator), creator)
    with pytest.raises(Refusal, match="before"):
        services.launch(project, creator)


def test_updates_are_numbered_per_project(app):
    one, two = make_project(), make_project()
    numbers = [services.publish_update(p, p.creator, "News", "Words.").number for p in (one, one, two)]
    assert numbers == [1, 2, 1]


def test_a_draft_has_no_updates(app):
    project = make_project(state=S.DRAFT)
    with pytest.raises(Refusal, match="launch"):
        services.publish_update(project, project.creator, "News", "Words.")


def test_members_are_added_by_address_and_taken_out(app):
    project, friend = make_project(), make_person(email="Friend@Example.org")
    services.add_member(project, " friend@example.org ", MemberRole.COLLABORATOR)
    member = services.add_member(project, "FRIEND@example.org", MemberRole.ORGANISER)
    assert (member.person_id, member.role) == (friend.id, MemberRole.ORGANISER)
    services.remove_member(project, friend.id)
    assert scalar("SELECT count(*) FROM project_member") == 0


@pytest.mark.parametrize("email", ["nobody@example.org", "", "%"])
def test_a_stranger_cannot_be_added(app, email):
    with pytest.raises(BadInput, match="Nobody has an account"):
        services.add_member(make_project(), email, MemberRole.ORGANISER)


def test_a_cancelled_project_tells_the_rooms_above(app, monkeypatch):
    told = []
    monkeypatch.setattr(hooks.project_cancelled, "_ears", [told.append])
    project = make_project()
    services.cancel(project, project.creator, "The band fell apart.")
    assert scalar("SELECT state FROM project") == "cancelled" and len(told) == 1
    draft = make_project(state=S.DRAFT)
    services.cancel(draft, draft.creator)
    assert len(told) == 1
    with pytest.raises(NotAllowed):
        services.cancel(make_project(), make_member(project))


def test_a_picture_of_the_story_comes_to_stand_in_it(app):
    project = make_project(state=S.DRAFT)
    project = services.edit_story(project, "Once.", picture=a_picture(), picture_alt="A [red] square", by=project.creator)
    assert "![A red square](/media/" in project.story
    assert scalar("SELECT count(*) FROM story_picture") == 1


def test_questions_come_in_pairs(app):
    project = make_project(state=S.DRAFT)
    services.edit_faq(project, [("Why?", "Because."), ("", ""), ("When?", "Soon.")])
    assert scalar("SELECT string_agg(question, ',' ORDER BY position) FROM project_faq") == "Why?,When?"
    with pytest.raises(BadInput):
        services.edit_faq(project, [("Why?", "")])
    assert scalar("SELECT count(*) FROM project_faq") == 2
