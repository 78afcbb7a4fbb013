"""Few statements, right numbers, and what a search finds first."""

from contextlib import contextmanager
from datetime import timedelta

import pytest
import sqlalchemy as sa

from core import clock
from core.db import db, transaction
from core.media import Picture
from projects import queries, services
from projects.models import Category, Project, ProjectState
from rewards.queries import rewards_of
from tests.factories import make_person, make_project, make_reward

S = ProjectState


@contextmanager
def statements():
    """What was asked of the database meanwhile; the moved clock of development is not there in production."""
    seen = []

    def note(_connection, _cursor, statement, *_rest):
        if "FROM clock" not in statement:
            seen.append(statement)

    sa.event.listen(db.engine, "before_cursor_execute", note)
    try:
        yield seen
    finally:
        sa.event.remove(db.engine, "before_cursor_execute", note)


def a_full_project(**columns):
    with transaction() as session:
        picture = Picture(key="a" * 32, width=1600, height=1000)
        session.add(picture)
    project = make_project(picture_id=picture.id, picture_alt="A train", **columns)
    for price in range(1_000, 6_000, 1_000):
        make_reward(project, price=price, picture_id=picture.id)
    for n in range(4):
        services.publish_update(project, project.creator, f"News {n}", "Words.")
    services.edit_faq(project, [("Why?", "Because."), ("When?", "Soon.")])
    return project


def test_a_cold_page_asks_five_times_at_most_and_a_warm_one_once(client):
    project = a_full_project()
    path = f"/projects/{project.slug}"
    db.session.remove()
    client.application.extensions["page_cache"].kept.clear()
    with statements() as cold:
        assert client.get(path).status_code == 200
    assert len(cold) <= 5, "\n".join(cold)
    with statements() as warm:
        assert client.get(path).status_code == 200
    assert warm == []  # the one indexed SELECT of the version is asked by the cache's own connection


@pytest.mark.parametrize(("path", "most"), [("/", 3), ("/discover", 3), ("/discover?q=train", 3)])
def test_lists_ask_the_same_number_of_times_however_long_they_are(client, path, most):
    for _ in range(12):
        make_project()
    db.session.remove()
    with statements() as seen:
        assert client.get(path).status_code == 200
    assert len(seen) <= most, "\n".join(seen)


def test_the_rewards_of_a_project_are_one_statement(app):
    project = a_full_project()
    db.session.refresh(project)
    with statements() as seen:
        offers = rewards_of(project)
    assert len(seen) == 1 and [offer.price for offer in offers] == [1_000, 2_000, 3_000, 4_000, 5_000]
    assert offers[0].picture_key == "a" * 32 and offers[0].left is None


def _total(project, raised, backers):
    with transaction() as session:
        session.execute(sa.text("UPDATE project_total SET raised = :r, backers = :b WHERE project_id = :p"),
                        {"r": raised, "b": backers, "p": project.id})


def test_each_sort_puts_its_own_first(app):
    soon, new, funded, backed = (
        make_project(days=2), make_project(days=20, launched_at=clock.now()), make_project(days=9, goal=1_000),
        make_project(days=9))
    _total(funded, 9_000, 3)
    _total(backed, 20_000, 900)
    for sort, first in (("ending", soon), ("newest", new), ("funded", funded), ("backed", backed)):
        assert queries.discover(sort=sort).cards[0].id == first.id, sort


def test_a_title_is_found_before_a_story_and_the_last_word_may_be_unfinished(app):
    in_story = make_project(title="Something else", story="We recorded it on the accordion boat.")
    in_title = make_project(title="Accordion nights", story="Nothing.")
    found = [card.id for card in queries.discover("accordion").cards]
    assert found == [in_title.id, in_story.id]
    assert [card.id for card in queries.discover("accordion nig").cards] == [in_title.id]
    assert queries.discover("accordion nix").total == 0


def test_a_search_finds_creators_and_ended_projects_but_no_drafts(app):
    creator = make_person(name="Wilhelmina Vlinder")
    live = make_project(creator)
    ended = make_project(creator, state=S.UNSUCCESSFUL, days=-3)
    make_project(creator, state=S.DRAFT)
    assert [card.id for card in queries.discover("vlinder").cards] == [live.id, ended.id]
    assert [card.id for card in queries.discover("vlinder", state="live").cards] == [live.id]


def test_categories_and_pages(app):
    for n in range(30):
        make_project(category=Category.FOOD if n % 2 else Category.CITY)
    food = queries.discover(category=Category.FOOD)
    assert (food.total, len(food.cards), food.pages) == (15, 15, 1)
    first, second = queries.discover(page=1), queries.discover(page=2)
    assert (first.total, first.pages, len(second.cards)) == (30, 2, 6)
    assert not {card.id for card in first.cards} & {card.id for card in second.cards}


@pytest.mark.parametrize(("raised", "percent"), [(0, 0), (99_999, 99), (100_000, 100), (142_000, 142)])
def test_a_percent_is_rounded_down(app, raised, percent):
    project = make_project(goal=100_000)
    _total(project, raised, 1)
    assert queries.card(project.id).percent == percent


def test_after_the_end_the_sum_that_decided_is_shown(app):
    project = make_project(state=S.SUCCESSFUL, days=-1, raised_at_close=123_000, backers_at_close=7)
    _total(project, 90_000, 5)
    card = queries.card(project.id)
    assert (card.raised, card.backers, card.time_left) == (123_000, 7, "")


def test_the_front_page_features_the_most_backed_and_counts_by_category(app):
    make_project()
    star = make_project(category=Category.GAMES)
    _total(star, 5_000, 50)
    front = queries.front_page()
    assert front.featured.id == star.id and front.live == 2
    assert front.by_category == {Category.MUSIC: 1, Category.GAMES: 1}
    assert star.id not in {card.id for card in front.cards}


@pytest.mark.parametrize(("typed", "words"), [
    ("Night trains", "'night' & 'trains':*"), ("  ", ""), ("a & b | !c:*", "'a' & 'b' & 'c':*"), ("d'or", "'d' & 'or':*")])
def test_what_is_typed_becomes_a_safe_query(typed, words):
    assert queries.words_of(typed) == words


def test_whole_project_reads_the_version_with_the_row(app):
    from core.pages import touch
    from projects.rules import whole_project

    project = make_project()
    with transaction():
        touch(project.topic)
    assert whole_project(project.slug)[1] == 1
    assert project.deadline - clock.now() > timedelta(days=8)
    assert isinstance(whole_project(project.slug)[0], Project)
