import pytest
import sqlalchemy as sa
from hypothesis import example, given, settings
from hypothesis import strategies as st

from core.db import db
from sharing.mailboxes import one_mailbox, stem


@pytest.mark.parametrize(("one", "other"), [
    ("noor@example.org", "Noor@Example.ORG"),
    ("noor@example.org", " noor+band@example.org "),
    ("noor.bakker@gmail.com", "noorbakker+x@googlemail.com"),
    ("noor@outlook.com", "noor+a+b@outlook.com"),
    ("noor@hotmail.com", "Noor+z@hotmail.com"),
    ("noor.b-akker@proton.me", "noor_bakker@protonmail.com"),
    ("noor@icloud.com", "noor@me.com"),
    ("noor@bücher.example", "noor@xn--bcher-kva.example"),
    ("noor@BÜCHER.example", "noor@bücher.example."),
    ("ｎｏｏｒ@example.org", "noor@example.org"),
    ("noor@fastmail.com", "band@noor.fastmail.com")])
def test_one_mailbox_has_many_addresses(one, other):
    assert one_mailbox(one) == one_mailbox(other)


@pytest.mark.parametrize(("one", "other"), [
    ("noor@example.org", "n.oor@example.org"),
    ("noor@example.org", "noor@example.com"),
    ("noor@outlook.com", "n.oor@outlook.com"),
    ("noor@outlook.com", "noor@hotmail.com"),
    ("noor1@gmail.com", "noor2@gmail.com"),
    ("+one@example.org", "+two@example.org")])
def test_two_mailboxes_stay_two(one, other):
    assert one_mailbox(one) != one_mailbox(other)


@pytest.mark.parametrize(("email", "found"), [
    ("bandfan1@mail.example", "bandfan@mail.example"), ("Band.fan_02@mail.example", "bandfan@mail.example"),
    ("bandfan@mail.example", ""), ("a1@mail.example", ""), ("42@mail.example", "")])
def test_addresses_made_in_a_row_have_one_stem(email, found):
    assert stem(email) == found


@pytest.mark.parametrize("odd", ["", "@", "a@", "@b", "a@b@c", "é" * 300 + "@x." + "y" * 300, "a@\x00"])
def test_odd_addresses_do_no_harm(odd):
    assert isinstance(one_mailbox(odd), str) and isinstance(stem(odd), str)


NAMES = st.text("ab.-_+@1 é", max_size=6) | st.sampled_from(["noor", "noor.b", "Noor+x", "band"])
DOMAINS = st.sampled_from(["example.org", "EXAMPLE.org", "gmail.com", "googlemail.com", "pm.me", "ya.ru", "fastmail.com",
                           "noor.fastmail.com", "band.fastmail.com.", "bücher.example"])
EMAILS = st.builds("{}@{}".format, NAMES, DOMAINS)


def test_what_the_database_takes_for_two_mailboxes_are_two(app):
    found = set()

    @settings(max_examples=300, deadline=None)
    @given(EMAILS, EMAILS)
    @example("noor@fastmail.com", "band@noor.fastmail.com")
    @example("noor@example.org", "band@example.org")
    def are_two(one, other):
        if db.session.scalar(sa.text("SELECT are_two_mailboxes(:a, :b)"), {"a": one, "b": other}):
            found.add((one, other))
            assert one_mailbox(one) != one_mailbox(other)

    are_two()
    assert found  # and it does not leave everything to others
