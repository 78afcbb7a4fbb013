"""`flask sharing rounds SLUG`: a project's ambassador rounds, for the terminal."""

import click
import sqlalchemy as sa

from core.db import db
from projects.models import Project
from sharing import rounds, scoring
from sharing.cli import cli
from sharing.models_rounds import Application, ApplicationState


@cli.command("rounds")
@click.argument("slug")
def show_rounds(slug: str) -> None:
    """Print the ambassador rounds of the project SLUG: state, days, places, applications, points."""
    project = db.session.scalar(sa.select(Project).where(Project.slug == slug))
    if project is None:
        raise click.UsageError(f"There is no project “{slug}”.")
    found = rounds.rounds_of(project)
    if not found:
        click.echo("No ambassador round yet.")
    for one in found:
        states = dict(db.session.execute(
            sa.select(Application.state, sa.func.count()).filter_by(round_id=one.id).group_by(Application.state)).all())
        sent = sum(count for state, count in states.items() if state is not ApplicationState.WITHDRAWN)
        title = "".join(sign if sign.isprintable() else "?" for sign in one.title)
        click.echo(f"{title}: {one.state.value}")
        click.echo(f"  call {one.call_from:%Y-%m-%d} to {one.call_until:%Y-%m-%d}, vote to {one.vote_until:%Y-%m-%d}, "
                   f"round {one.runs_from:%Y-%m-%d} to {one.runs_until:%Y-%m-%d} (UTC)")
        click.echo(f"  {states.get(ApplicationState.ACCEPTED, 0)} of {one.places} places taken, {sent} applications, "
                   f"{states.get(ApplicationState.WAITING, 0)} waiting")
        report = scoring.report_of(scoring.scores(one, with_left=True))
        click.echo(f"  {report.recruits} recruits collected, {report.pending} pending, {report.proofs} proofs, "
                   f"{report.points} points")
