"""`flask sharing review`, `ban`, `lift`: what waits for a look, and who is not credited, for the terminal."""

from uuid import UUID

import click
import sqlalchemy as sa

from core.db import db
from core.errors import Refusal
from core.money import show
from people.queries import person_by_email
from projects.models import Project
from sharing import bans, judging, review_queries, review_words, reviewing
from sharing.cli import cli, printable


def _project(slug: str) -> Project:
    found = db.session.scalar(sa.select(Project).where(Project.slug == slug))
    if found is None:
        raise click.UsageError(f"There is no project “{slug}”.")
    return found


@cli.command("review")
@click.argument("slug", required=False)
@click.option("--all", "everywhere", is_flag=True, help="Of all projects, with what recruiters asked staff for.")
@click.option("--credit", "decision", flag_value="credit", help="Decide the flag named by --flag: it counts.")
@click.option("--strike", "decision", flag_value="strike", help="Decide the flag named by --flag: it does not count.")
@click.option("--flag", "flag_id", type=click.UUID, help="The flag to decide, by its id.")
@click.option("--reason", default="", help="Why; kept with the decision.")
def review(slug: str | None, everywhere: bool, decision: str | None, flag_id: UUID | None, reason: str) -> None:
    """List credits of project SLUG that wait for a look, or decide one of them."""
    if bool(slug) == everywhere:
        raise click.UsageError("Name one project, or say --all.")
    if bool(decision) != bool(flag_id):
        raise click.UsageError("To decide, give --flag and either --credit or --strike.")
    project = _project(slug) if slug else None
    judging.judge_due()
    if flag_id and decision:
        try:
            reviewing.decide(flag_id, decision, reason, by_id=None, project_id=project.id if project else None,
                             is_staff=True)
        except Refusal as refusal:
            raise click.ClickException(refusal.sentence) from refusal
        click.echo("Decided; the recruiter is told by mail.")
        return
    page, shown = 1, 0
    while items := review_queries.open_items(project.id if project else None, page):
        for item in items:
            word = review_words.severity(item)[0]
            click.echo(f"{item.id}  {word}  {item.slug}  {printable(item.recruiter)}: {review_words.head(item)} "
                       f"({item.count}, {show(item.amount, item.currency)})")
        page, shown = page + 1, shown + len(items)
    if not shown:
        click.echo("Nothing to look at.")


@cli.command("ban")
@click.argument("email")
@click.option("--project", "slug", help="In this project only; else in the whole house.")
@click.option("--reason", required=True, help="Why; kept with the ban.")
@click.option("--days", type=int, help="For how long; else without an end.")
@click.option("--strike", "has_struck", is_flag=True, help="What was credited before does not count any more either.")
@click.option("--lift", "is_lifted", is_flag=True, help="Lift it instead.")
def ban(email: str, slug: str | None, reason: str, days: int | None, has_struck: bool, is_lifted: bool) -> None:
    """Credit nothing to the account with this address any more; its links still work."""
    person, project = person_by_email(email), _project(slug) if slug else None
    if person is None:
        raise click.UsageError("Nobody has an account with this address.")
    try:
        if is_lifted:
            found = bans.ban_on(person.id, project.id if project else None)
            if found is None:
                raise click.ClickException("There is no such ban.")
            bans.lift(found, by_id=None)
            click.echo("Lifted.")
        else:
            bans.ban(person.id, project_id=project.id if project else None, reason=reason, days=days,
                     has_struck=has_struck, by_id=None)
            click.echo("Banned; the person is told by mail.")
    except Refusal as refusal:
        raise click.ClickException(refusal.sentence) from refusal
