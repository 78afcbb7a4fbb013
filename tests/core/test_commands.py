"""A call that cannot be taken: one line that says what to write otherwise, exit code 2, and nothing is done."""

import pytest

CALLS = {
    "an option that there is not": ["sharing", "report", "x", "--from", "y"],
    "a value that is none of the choices": ["backers", "export", "x", "--format", "pdf"],
    "a missing argument": ["sharing", "report"],
    "a command that there is not": ["payments", "reconsile"],
    "a project that there is not": ["sharing", "report", "no-such-project"],
    "options that do not go together": ["sharing", "review"],
}


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
def test_a_wrong_call_is_told_in_one_line(app, call):
    result = app.test_cli_runner().invoke(args=call)
    assert result.exit_code == 2
    assert result.stderr.startswith("Error: ") and result.stderr.count("\n") == 1 and not result.stdout


def test_the_line_names_where_to_read_more(app):
    told = app.test_cli_runner().invoke(args=["backers", "export", "x", "--format", "pdf"]).stderr
    assert "'pdf' is not one of" in told and "export --help'" in told


def test_a_room_without_a_command_still_shows_its_help(app):
    result = app.test_cli_runner().invoke(args=["sharing"])
    assert "Sharing links and what they brought." in result.output
