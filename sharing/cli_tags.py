"""`flask sharing tags SLUG`: the organisers' links, for the terminal."""

import click
import sqlalchemy as sa

from core.db import db
from core.errors import Refusal
from core.money import show
from projects.models import Project
from sharing import panel
from sharing import tags as tags_
from sharing.cli import cli, printable

AT_ONCE = 20_000


@cli.command("tags")
@click.argument("slug")
@click.option("--add", "name", help="Make a tag with this name.")
@click.option("--channel", default="", help="The folder it lies in.")
@click.option("--word", default="", help="A word for its link, in place of the code.")
def tags(slug: str, name: str | None, channel: str, word: str) -> None:
    """List the tags of the project SLUG with what they brought, or add one."""
    project = db.session.scalar(sa.select(Project).where(Project.slug == slug))
    if project is None:
        raise click.UsageError(f"There is no project “{slug}”.")
    if name is not None:
        try:
            made = tags_.add_tag(project, name, channel, word=word)
        except Refusal as refusal:
            raise click.UsageError(refusal.sentence) from None
        click.echo(panel.link_url(made.said))
        return
    if channel or word:
        raise click.UsageError("--channel and --word go with --add NAME.")
    found, of_all = tags_.tags_of(project.id, tags_.Wanted(), AT_ONCE)
    for tag in found:
        click.echo("  ".join((
            printable(tag.channel) or "-", printable(tag.name), panel.link_url(tag.said), f"{tag.visits} visits",
            f"{tag.recruits} pledges", f"{show(tag.pledged, project.currency)} pledged",
            f"{show(tag.collected, project.currency)} collected")))
    click.echo(f"{of_all} tags.")
