"""Pledges at the command line."""

import sys
from uuid import UUID

import click
import sqlalchemy as sa

from backing import running
from backing.collecting import progress, run_collection
from backing.run_queries import runs as all_runs
from backing.running import resume_run
from core.commands import Commands
from core.db import db
from core.errors import Refusal

cli = Commands("backing", help="Look after pledges.")


@cli.command("collect")
@click.argument("slug")
@click.option("--resume", "is_resumed", is_flag=True, help="Go on with a run that was paused.")
def collect(slug: str, is_resumed: bool) -> None:
    """Collect what is left to collect of a successful project; safe beside running workers."""
    row = db.session.execute(sa.text("""
        SELECT p.id, p.state, r.state AS run, r.why FROM project p LEFT JOIN collection_run r ON r.project_id = p.id
         WHERE p.slug = :slug"""), {"slug": slug}).first()
    db.session.rollback()
    if row is None:
        click.echo(f"There is no project “{slug}”.", err=True)
        sys.exit(2)
    if row.state != "successful":
        click.echo(f"“{slug}” is {row.state}; only a successful project is collected.", err=True)
        sys.exit(2)
    if row.run == "paused" and not (is_resumed and resume_run(row.id)):
        click.echo(f"The collection of “{slug}” is paused ({row.why}); --resume goes on with it.", err=True)
        sys.exit(1)
    tried = run_collection(row.id)
    click.echo(f"{tried} tried. " + ", ".join(f"{n} {state}" for state, n in sorted(progress(row.id).items())))


@cli.command("runs")
def runs() -> None:
    """All collections: where their pledges are, and why one is paused."""
    for run in all_runs():
        counts = ", ".join(f"{getattr(run.counts, name)} {name.replace('_', ' ')}" for name in run.counts.__dataclass_fields__
                           if name != "whole" and getattr(run.counts, name))
        why = f" ({run.why})" if run.is_paused else ""
        click.echo(f"{run.slug}: {run.state}{why}; {run.counts.whole} pledges: {counts or 'none'}")


def _project_id(slug: str) -> UUID:
    found = db.session.scalar(sa.text("SELECT r.project_id FROM collection_run r JOIN project p ON p.id = r.project_id "
                                      "WHERE p.slug = :slug"), {"slug": slug})
    db.session.rollback()
    if found is None:
        click.echo(f"There is no collection of “{slug}”.", err=True)
        sys.exit(2)
    return UUID(str(found))


@cli.command("pause")
@click.argument("slug")
@click.option("--why", default="", help="For whoever looks at it: creator and staff read it.")
def pause(slug: str, why: str) -> None:
    """Stop a collection: nothing more is charged, nobody is dropped, until it is resumed."""
    click.echo(f"“{slug}” is paused." if running.pause_run(_project_id(slug), why) else f"“{slug}” stands already.")


@cli.command("resume")
@click.argument("slug")
def resume(slug: str) -> None:
    """Let a paused collection go on; the time to mend a charge stood still meanwhile."""
    if not resume_run(_project_id(slug)):
        click.echo(f"“{slug}” is not paused.", err=True)
        sys.exit(1)
    click.echo(f"“{slug}” goes on.")


@cli.command("retry")
@click.argument("pledge_id", type=click.UUID)
def retry(pledge_id: UUID) -> None:
    """Try one errored pledge now, with the card it has; a worker does it."""
    try:
        running.retry_pledge(pledge_id)
    except Refusal as refusal:
        click.echo(refusal.sentence, err=True)
        sys.exit(1)
    click.echo("It is tried again.")
