"""Commands that say in one line what was wrong with a call."""

from typing import Any, NoReturn

import click
from flask.cli import AppGroup


class BadCall(click.ClickException):
    """What the caller has to write otherwise: one line on stderr, exit code 2."""

    exit_code = 2


class Commands(AppGroup):
    """A room's commands. The library tells a wrong option in four lines, with the command's usage among them; here it is
    one that names the help, for people and for what reads the output of a nightly run."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        try:
            return super().parse_args(ctx, args)
        except click.exceptions.NoArgsIsHelpError:
            raise
        except click.UsageError as error:
            _tell(error)

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except click.UsageError as error:
            _tell(error)


def _tell(error: click.UsageError) -> NoReturn:
    path = error.ctx.command_path if error.ctx else ""
    message = " ".join(error.format_message().split())
    raise BadCall(f"{message} See '{path} --help'." if path else message) from error
