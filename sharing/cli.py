"""`flask sharing report SLUG --by …`: what came of sharing, for the terminal or a sheet."""

import csv
import sys
from collections.abc import Iterable

import click
import sqlalchemy as sa

from core.commands import Commands
from core.db import db
from core.money import show, to_decimal
from core.sheets import defused
from projects.models import Project
from sharing import queries, reports
from sharing.reports import Came

cli = Commands("sharing", help="Sharing links and what they brought.")
HEADS = ("Recruiter", "Backer number", "Code", "Visits", "Recruits", "Pledged", "Collected")
SUMS = ("Visits", "Recruits", "Pledged", "Collected", "Dropped", "Refunded")
BREAKDOWNS = {"tag": ("Channel", "Tag", "Code"), "channel": ("Channel",), "day": ("Day (UTC)",),
              "generation": ("Generation",), "utm": ("Campaign", "Source", "Medium")}
PEOPLE = "(links of people)"  # beside the tags, so that the lines add up to everything
MARKS = 20  # lines of UTM words below the recruiters
Line = tuple[tuple[str, ...], Came]


@cli.command("report")
@click.argument("slug")
@click.option("--by", type=click.Choice(["recruiter", *BREAKDOWNS]), default="recruiter", show_default=True,
              help="What a line stands for.")
@click.option("--format", "form", type=click.Choice(["table", "csv"]), default="table", show_default=True)
def report(slug: str, by: str, form: str) -> None:
    """Print who brought whom to the project SLUG, or the sums by tag, channel, day or generation, or by the UTM words of
    addresses that were no links."""
    project = db.session.scalar(sa.select(Project).where(Project.slug == slug))
    if project is None:
        raise click.UsageError(f"There is no project “{slug}”.")
    if by == "recruiter":
        _by_recruiter(project, form)
        return
    _print_sums(BREAKDOWNS[by], _lines(project, by), project.currency, form)


def _by_recruiter(project: Project, form: str) -> None:
    found, _all = queries.recruits_by_person(project.id)
    if form == "csv":
        _write_sheet(HEADS, ([one.name, str(one.number or ""), one.code, one.visits, one.recruits,
                              to_decimal(one.pledged, project.currency), to_decimal(one.collected, project.currency)]
                             for one in found))
        return
    _write_table(HEADS, [(one.name, str(one.number or ""), one.code, str(one.visits), str(one.recruits),
                          show(one.pledged, project.currency), show(one.collected, project.currency)) for one in found], (0, 2))
    click.echo()
    for source in queries.sources(project.id):
        click.echo(f"{source.source}: {source.pledges} pledges, {show(source.amount, project.currency)}")
    for one in reports.by_marks(project.id, MARKS):
        click.echo(printable(f"UTM {one.words}: {one.came.recruits} pledges, {show(one.came.amount, project.currency)}"))


def _lines(project: Project, by: str) -> list[Line]:
    """Each adds up to the same: by tag and channel the links of people are a line of their own. By UTM words it is what
    came by no link, which is not in the others."""
    if by == "utm":
        return [((one.campaign, one.source, one.medium), one.came) for one in reports.by_marks(project.id)]
    whole = reports.read(project.id)
    if by == "day":
        return [((day.isoformat(),), came) for day, came in whole.by_day.items()]
    if by == "generation":
        return [((str(number),), came) for number, came in whole.by_generation.items()]
    if by == "channel":
        return [((PEOPLE,), whole.people),
                *(((line.label,), line.came) for line in reports.by_channel(project.id))]
    return [(("", PEOPLE, ""), whole.people),
            *(((line.channel, line.label, line.code), line.came) for line in reports.by_tag(project.id))]


def _print_sums(heads: tuple[str, ...], lines: list[Line], currency: str, form: str) -> None:
    if form == "csv":
        _write_sheet((*heads, *SUMS), ([*words, came.visits, came.recruits, *(
            to_decimal(part, currency) for part in (came.pledged, came.collected, came.dropped, came.refunded))]
            for words, came in lines))
        return
    whole = (("Together", *[""] * (len(heads) - 1)), reports.total(came for _words, came in lines))
    _write_table((*heads, *SUMS), [(*words, str(came.visits), str(came.recruits), *(
        show(part, currency) for part in (came.pledged, came.collected, came.dropped, came.refunded)))
        for words, came in (*lines, whole)], tuple(range(len(heads))))


def _write_sheet(heads: Iterable[str], rows: Iterable[list[object]]) -> None:
    sheet = csv.writer(sys.stdout)
    sheet.writerow(heads)
    for row in rows:
        sheet.writerow([defused(cell) if isinstance(cell, str) else cell for cell in row])


def _write_table(heads: tuple[str, ...], rows: list[tuple[str, ...]], left: tuple[int, ...]) -> None:
    rows = [heads, *(tuple(printable(cell) for cell in row) for row in rows)]
    widths = [max(len(row[i]) for row in rows) for i in range(len(heads))]
    for row in rows:
        click.echo("  ".join(cell.ljust(width) if i in left else cell.rjust(width)
                             for i, (cell, width) in enumerate(zip(row, widths, strict=True))).rstrip())


def printable(text: str) -> str:
    """A name without what would move the terminal's cursor."""
    return "".join(sign if sign.isprintable() else "?" for sign in text)
