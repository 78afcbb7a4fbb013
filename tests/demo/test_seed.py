"""The demo's content: made once, by the services, and left alone afterwards."""

import dataclasses
import re
from typing import Any

import pytest

from core.db import db
from demo import seed, stories
from tests.factories import check_money, make_project, scalar

TABLES = ("person", "project", "reward", "pledge", "payment", "mail", "share_link", "recruit", "ledger_entry")


def counts() -> dict[str, int]:
    return {table: scalar(f"SELECT count(*) FROM {table}") for table in TABLES}


@pytest.fixture
def one_small_story(monkeypatch: pytest.MonkeyPatch) -> Any:
    """A project that was made, at a hundredth of its size: the demo as it is takes a minute."""
    plot = next(plot for plot in stories.PROJECTS if plot.state == "successful")
    few = [dataclasses.replace(reward, picture=None) for reward in plot.rewards]
    small = dataclasses.replace(plot, story="We make it *well*, and we show how.", rewards=tuple(few), goal=plot.goal // 100)
    monkeypatch.setattr(stories, "PROJECTS", (small,))
    return small


def test_it_is_made_whole_and_a_second_time_changes_nothing(app: Any, stripe: Any, one_small_story: Any) -> None:
    with app.test_request_context(base_url=app.config["BASE_URL"]):
        assert seed.seed() is True
        before = counts()
        assert seed.seed() is False
    assert counts() == before and before["project"] == 1 and before["pledge"] > 0
    assert scalar("SELECT state FROM project") == "successful"
    assert scalar("SELECT count(*) FROM pledge WHERE state = 'collected'") > 0
    check_money()


def test_the_command_leaves_a_site_alone_that_has_a_project(app: Any, flask: Any) -> None:
    make_project()
    before = counts()
    db.session.rollback()  # no open transaction while another process works
    assert "nothing was changed" in flask("demo", "seed").stderr
    assert counts() == before


def test_the_accounts_are_told_with_their_password(flask: Any, database_url: str) -> None:
    lines = flask("demo", "accounts").stdout.splitlines()
    assert [line.split()[0] for line in lines] == ["creator", "fan", "organiser"]
    assert all(line.endswith(stories.PASSWORD) for line in lines)


def test_every_invented_person_is_one_person_at_an_address_that_cannot_exist() -> None:
    named = [plot.creator for plot in stories.PROJECTS] + [person for plot in stories.PROJECTS
                                                           for person, _role in plot.collaborators]
    people = {person.email: person for person in [*stories.crowd(), *named, stories.FAN, stories.ORGANISER]}
    assert len({person.handle for person in people.values()}) == len(people)
    assert all(re.search(r"@example\.(org|net|com)$|\.example$", email) for email in people)
