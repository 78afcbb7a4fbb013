"""Commands of the operator."""

from typing import Any

from tests.factories import make_person, scalar


def test_an_operator_adds_a_person_and_makes_her_staff(app: Any, flask: Any) -> None:
    done = flask("people", "add", "--name", "Els Kramer", "--email", "els@example.org", "--password-stdin",
                 input="seven lazy herons wade\n")
    assert "/people/els-kramer" in done.stdout
    flask("people", "make-staff", "ELS@example.org")
    assert scalar("SELECT is_staff AND confirmed_at IS NOT NULL AND password LIKE '$argon2id$%' FROM person")


def test_what_cannot_be_is_one_line_and_a_failing_exit(app: Any, flask: Any) -> None:
    make_person(email="els@example.org")
    for args, code, line in (
            (["make-staff", "nobody@example.org"], 1, "Nobody has an account with this address."),
            (["add", "--name", "Els", "--email", "els@example.org"], 1, "There is an account with this address already."),
            (["add", "--name", "Els", "--email", "els"], 2, "This is not an e-mail address.")):
        done = flask("people", *args, check=False)
        assert done.returncode == code and line in done.stderr and "Traceback" not in done.stderr
    done = flask("people", "add", "--name", "Els", "--email", "e@example.org", "--password-stdin", input="els\n",
                 check=False)
    assert done.returncode == 2 and "at least 10 characters" in done.stderr
