"""Which passwords are refused (W-03)."""

from typing import Any

import pytest

from people.models import Person
from people.passwords import Passwords, common_words, is_easy


@pytest.mark.parametrize("password", [
    "password123", "Password2026!", "P@ssw0rd1234", "qwertyuiop", "1234567890", "0987654321", "aaaaaaaaaaaa",
    "iloveyou2024", "welkom12345", "Wachtwoord01", "zomer2026zomer", "abcabcabcabc", "monkeymonkey", "drowssap123",
    "achterban2026", "dragonmaster1", "1qaz2wsx3edc", "qazwsxedcrfv", "letmein!!!!!", "feyenoord1908", "24121985noor",
    "sunshine.....", "trustno1234", "superman1978", "asdfghjkl123", "liverpoolfc1"])
def test_a_password_that_people_are_known_to_choose_is_refused(password: str) -> None:
    assert is_easy(password, ["Noor", "liverpoolfc@example.org"])


@pytest.mark.parametrize("password", [
    "seven lazy herons wade", "correct horse battery staple", "v9#Kq2!mZx", "tafellaken onder stroom", "nu schijnt er iets",
    "xkzqjvwpyb", "ëen brûlée voor twaalf"])
def test_words_that_do_not_belong_together_are_taken(password: str) -> None:
    assert not is_easy(password, ["Noor", "noor@example.org"])


def test_the_rules_stand_for_far_more_than_ten_thousand_passwords() -> None:
    words = [word for word in common_words() if len(word) == 8]
    made = {f"{word}{number:04}" for word in words[:30] for number in range(0, 10_000, 25)}
    assert len(made) >= 10_000
    assert all(is_easy(password) for password in made)


@pytest.mark.parametrize(("password", "sentence"), [
    ("nine char", "Use at least 10 characters."), ("ab cd " * 22, "Use at most 128 characters."),
    ("Noor de Wit 1990", "easy to guess"), ("noor.de.wit@example", "easy to guess")])
def test_each_refusal_has_its_sentence(app: Any, password: str, sentence: str) -> None:
    person = Person(name="Noor de Wit", email="noor.de.wit@example.org", handle="noor")
    with app.test_request_context():
        wrong, _text = Passwords(app).validate(password, False, user=person)
        assert wrong and sentence in wrong[0]
        assert Passwords(app).validate("seven lazy herons wade", False, user=person)[0] is None


def test_a_password_of_128_characters_with_accents_fits(app: Any) -> None:
    from flask_security.utils import hash_password, verify_password

    long = "één vreemde zin die lang doorgaat " * 3
    assert verify_password(long, hash_password(long)) and not verify_password(long[:-1], hash_password(long))
    assert hash_password(long).startswith("$argon2id$")
