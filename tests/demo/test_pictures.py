"""The demo's drawings and texts keep what the site expects of them."""

from __future__ import annotations

import hashlib
from functools import cache

import pytest
from PIL import Image

from demo import stories
from demo.pictures import PICTURES, draw
from demo.pictures.shapes import COVER, FLAME, ORANGE, REWARD, rgb

NAMES = sorted(PICTURES)
MAIN = ("record", "newsroom", "game")


@cache
def drawn(name: str) -> Image.Image:
    return draw(name, scale=1)


def print_of(image: Image.Image) -> str:
    return hashlib.sha256(image.tobytes()).hexdigest()


@pytest.mark.parametrize("name", NAMES)
def test_a_picture_has_the_size_of_a_cover_or_a_reward(name: str) -> None:
    image = drawn(name)
    assert image.mode == "RGB"
    assert image.size == PICTURES[name].size
    assert image.size in (COVER, REWARD)


@pytest.mark.parametrize("name", NAMES)
def test_a_picture_drawn_twice_is_the_same_picture(name: str) -> None:
    assert print_of(drawn(name)) == print_of(draw(name, scale=1))


@pytest.mark.parametrize("name", NAMES)
def test_a_picture_has_several_colours_and_a_good_piece_of_orange(name: str) -> None:
    counts = {colour: count for count, colour in drawn(name).getcolors(1 << 22)}
    assert len(counts) > 4
    orange = counts.get(rgb(ORANGE), 0) + counts.get(rgb(FLAME), 0)
    assert orange > 3000, f"{name} has only {orange} orange points"


def test_no_two_pictures_are_alike() -> None:
    assert len({print_of(drawn(name)) for name in NAMES}) == len(NAMES)


def test_a_finer_scale_keeps_the_size() -> None:
    assert draw("record-digital", scale=2).size == REWARD


@pytest.mark.parametrize("name", NAMES)
def test_alt_text_says_what_is_seen_in_one_sentence(name: str) -> None:
    alt = PICTURES[name].alt
    assert 30 <= len(alt) <= 125
    assert alt.endswith(".")
    assert not alt.lower().startswith(("picture", "image", "drawing"))


def test_every_picture_in_a_story_exists_and_every_picture_is_used() -> None:
    used = {name for project in stories.PROJECTS for name in stories.picture_names(project)}
    assert used == set(PICTURES)


@pytest.mark.parametrize("project", stories.PROJECTS, ids=lambda project: project.key)
def test_titles_and_blurbs_fit(project: stories.Project) -> None:
    assert len(project.title) <= 60
    assert 4 <= len(project.title.split()) <= 7
    assert len(project.blurb) <= 135
    assert project.category in stories.CATEGORIES
    assert PICTURES[project.cover].size == COVER


@pytest.mark.parametrize("project", stories.PROJECTS, ids=lambda project: project.key)
def test_a_story_has_headings_a_quote_a_list_and_a_fair_length(project: stories.Project) -> None:
    lines = project.story.splitlines()
    assert any(line.startswith("## ") for line in lines)
    assert any(line.startswith("> ") for line in lines)
    assert any(line.startswith("- ") for line in lines)
    words = len(project.story.split())
    assert (300 if project.key in MAIN else 150) <= words <= 500
    if project.key in MAIN:
        assert stories.story_pictures(project)
    assert "!" not in project.story.replace("![", "")


@pytest.mark.parametrize("project", stories.PROJECTS, ids=lambda project: project.key)
def test_rewards_updates_and_questions_are_complete(project: stories.Project) -> None:
    for reward in project.rewards:
        assert 2 <= len(reward.lines) <= 4
        assert reward.price > 0
        assert reward.picture is None or PICTURES[reward.picture].size == REWARD
        assert reward.picture or project.key not in MAIN
    assert 3 <= len(project.updates) <= 4
    days = [update.day for update in project.updates]
    assert days == sorted(days)
    # A live project cannot have written news after today.
    assert project.days_left < 0 or days[-1] <= project.days - project.days_left
    assert len(project.faq) == 3


def test_there_are_enough_backers_and_all_of_them_are_reachable_nowhere() -> None:
    people = [*stories.BACKERS, *(project.creator for project in stories.PROJECTS)]
    people += [person for project in stories.PROJECTS for person, _ in project.collaborators]
    assert len(stories.BACKERS) >= 120
    assert len({person.email for person in people}) == len(people)
    assert len({person.handle for person in people}) == len(people)
    for person in people:
        assert person.email.isascii()
        assert person.email.split("@")[1] in ("example.org", "example.com", "example.net")
