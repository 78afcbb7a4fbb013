"""Reconciliation, the worklist and money-safe mode at the command line."""

import sys
from datetime import UTC, datetime
from uuid import UUID

import click

from core.errors import Refusal
from payments import charging, reconciling, safety, worklist, worklist_words
from payments.cli import cli


@cli.command("reconcile")
@click.option("--since", type=click.DateTime(), help="What Stripe created from then on, UTC. Without it: the last day.")
@click.option("--full", is_flag=True, help="All that there is.")
def reconcile(since: datetime | None, full: bool) -> None:
    """Lay all that Stripe has beside our books, heal what can be healed; exit 1 when something is left."""
    charging.resolve_unknown()
    report = reconciling.reconcile((since or reconciling.yesterday()).replace(tzinfo=UTC), full)
    assert report is not None
    click.echo(f"{'':34} {'compared':>10} {'differ':>8} {'healed':>8} {'left':>6}")
    for line in report.lines:
        click.echo(f"{line.name:34} {line.compared:>10,} {line.found:>8,} {line.healed:>8,} {line.left:>6,}")
    if report.left:
        left = "1 difference is" if report.left == 1 else f"{report.left} differences are"
        click.echo(f"{left} left; see: flask payments worklist", err=True)
    sys.exit(1 if report.left else 0)


@cli.command("worklist")
@click.option("--settle", "mismatch_id", type=click.UUID, help="The line to act on.")
@click.option("--act", "action", type=click.Choice(["refund", "adopt", "book", "again"]), help="What to do with it.")
@click.option("--explain", "reason", help="Or why it is as it should be.")
def show_worklist(mismatch_id: UUID | None, action: str | None, reason: str | None) -> None:
    """Where Stripe and our books differ; with --settle, the act on one line."""
    if mismatch_id is not None:
        try:
            if action:
                how = worklist.act(mismatch_id, action)
                click.echo(f"settled: {how}" if how else "still differs, nothing was changed")
                sys.exit(0 if how else 1)
            worklist.explain(mismatch_id, reason or "")
            click.echo("settled: explained")
        except Refusal as error:
            raise click.ClickException(error.sentence) from error
        return
    count = worklist.count_open()
    for page in range(1, -(-count // worklist.PER_PAGE) + 1):
        for item in worklist.open_items(page):
            sides = "; ".join(f"{label} ours {ours}, Stripe's {theirs}" for label, ours, theirs in worklist_words.sides(item))
            click.echo(f"{item.id} {item.found_at:%Y-%m-%d %H:%M} {item.stripe_id} {worklist_words.title(item.kind)}: {sides}"
                       + (f" [{item.action}]" if item.action else ""))
    click.echo(f"{count} open.")


@cli.command("safe-mode")
@click.argument("state", type=click.Choice(["on", "off", "show"]), default="show")
@click.option("--why", default="", help="Written down with it.")
def safe_mode(state: str, why: str) -> None:
    """Stop all charges, refunds and transfers, or let them leave again after a clean reconciliation."""
    try:
        if state == "on":
            if not why:
                raise click.UsageError("Say --why.")
            safety.enter(why)
        elif state == "off":
            safety.release(why)
    except Refusal as error:
        raise click.ClickException(error.sentence) from error
    mode = safety.look()
    click.echo(f"Money-safe mode is {'ON' if mode.is_safe_mode else 'off'} since {mode.since:%Y-%m-%d %H:%M} UTC"
               + (f": {mode.why}" if mode.why else ""))
    if mode.is_safe_mode:
        look_from = f"{mode.look_from:%Y-%m-%dT%H:%M:%S}" if mode.look_from else "1970-01-01"
        click.echo("It may be released." if mode.is_clean else f"First: flask payments reconcile --since {look_from}")
