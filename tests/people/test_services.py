"""Accounts and handles."""

import threading
from typing import Any

import pytest

from core.db import db, transaction
from core.errors import BadInput, Refusal
from people import services
from tests.factories import make_person, scalar


@pytest.mark.parametrize(("name", "handle"), [
    ("Noor de Wit", "noor-de-wit"), ("Mo El Idrissi", "mo-el-idrissi"), ("Zoë Brûlée", "zoe-brulee"),
    ("A very long name that goes on and on", "a-very-long-name-that-go")])
def test_a_handle_is_made_from_the_name(app: Any, name: str, handle: str) -> None:
    assert services.handle_from(name) == handle


@pytest.mark.parametrize("name", ["李", "!", "X", "Admin", "Settings"])
def test_a_name_that_makes_no_handle_gets_a_number(app: Any, name: str) -> None:
    assert services.handle_from(name)[-5] == "-"


def test_namesakes_are_counted(app: Any) -> None:
    with transaction():
        people = [services.add_person(email=f"n{i}@example.org", name="Noor de Wit") for i in range(3)]
    assert [person.handle for person in people] == ["noor-de-wit", "noor-de-wit-2", "noor-de-wit-3"]


def test_namesakes_who_register_at_once_all_get_in(app: Any) -> None:
    ready = threading.Barrier(4)

    def register(n: int) -> None:
        with app.app_context():
            ready.wait()
            with transaction():
                services.add_person(email=f"n{n}@example.org", name="Noor de Wit")
            db.session.remove()

    threads = [threading.Thread(target=register, args=(n,)) for n in range(4)]
    [thread.start() for thread in threads]
    [thread.join() for thread in threads]
    assert scalar("SELECT count(DISTINCT handle) FROM person") == 4


def test_an_address_taken_a_moment_ago_is_a_refusal_and_no_error(app: Any) -> None:
    make_person(email="Noor@example.org")
    with pytest.raises(Refusal), transaction():
        services.add_person(email="noor@EXAMPLE.org", name="Noor")
    assert scalar("SELECT count(*) FROM person") == 1


def test_a_taken_handle_is_refused_beside_its_field_and_nothing_changes(app: Any) -> None:
    make_person(handle="noor")
    mo = make_person(handle="mo", name="Mo")
    for handle in ("noor", "admin"):
        with pytest.raises(BadInput) as refused:
            services.edit_profile(mo, name="Changed", handle=handle, bio="", locale="nl")
        assert refused.value.field == "handle"
    assert scalar("SELECT name || handle || locale FROM person WHERE handle = 'mo'") == "Momoen"
