"""What came of sharing as files: a row for each link that somebody followed, and one for each pledge that came by one.

Streamed as the backer list is (core/lists.py). The score of a round (scoring.py) leaves by the same door. Who took which
is written down at both ends, before the first byte and after the last (W-19), and nobody takes more than ten in an hour
(W-23).
"""

from collections.abc import Generator
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from flask import Flask
from flask_babel import gettext as _
from psycopg import sql

from core import audit, lists, rate
from core.db import db, transaction
from core.errors import BadInput, TooOften
from core.lists import SHEET_ROWS, Column, cell
from core.postgres import conninfo
from core.sheets import RISKY
from projects.models import Project
from sharing.codes import make_code
from sharing.states import back_of_all

FORMATS = ("csv", "xlsx")
PER_HOUR = 10  # by one person
NAME = "sharing-export"
_MOMENT = "to_char({} AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"')"


@dataclass(frozen=True)
class List:
    """A list that can be taken along."""

    sheet: str
    columns: tuple[Column, ...]
    rows: str


def _utm(word: str) -> Column:
    return Column(f"UTM {word}", f"utm_{word}", f"(a.utm ->> 'utm_{word}')", "text")


RECRUITERS = List("Recruiters", (
    Column("Kind", "kind", "CASE WHEN t.is_person THEN 'person' ELSE 'tag' END", "word"),
    Column("Name", "name", "coalesce(p.name, g.name)", "text"),
    Column("E-mail", "email", "b.email", "text"),
    Column("Backer number", "backer_number", "b.number", "number"),
    Column("Channel", "channel", "g.channel", "text"),
    Column("Code", "code", "l.code", "word"),
    Column("Visits", "visits", "t.visits", "number"),
    Column("Recruits", "recruits", "t.recruits", "number"),
    Column("Pledged", "pledged", "t.pledged", "amount"),
    Column("Collected", "collected", "t.collected", "amount"),
    Column("Dropped", "dropped", "t.dropped", "amount"),
    Column("Refunded", "refunded", "t.refunded", "amount"),
    Column("Further recruits", "further_recruits", "t.further_recruits", "number"),
    Column("Further pledged", "further_pledged", "t.further_pledged", "amount"),
    Column("Further collected", "further_collected", "t.further_collected", "amount"),
    Column("Currency", "currency", "c.currency", "word"),
), """
    FROM link_tally t
    JOIN share_link l ON l.id = t.link_id
    JOIN project c ON c.id = t.project_id
    LEFT JOIN share_tag g ON g.link_id = t.link_id
    LEFT JOIN person p ON p.id = l.person_id
    LEFT JOIN LATERAL (SELECT max(q.number) FILTER (WHERE q.state IN ('pledged', 'collecting', 'errored', 'collected')) AS number,
                              CASE WHEN count(q.number) > 0 THEN p.email END AS email  -- of the backer list, and of nobody else
                         FROM pledge q WHERE q.project_id = t.project_id AND q.backer_id = l.person_id) b ON true
    WHERE t.project_id = {project} AND (t.visits > 0 OR t.recruits > 0 OR t.dropped > 0 OR t.refunded > 0)
    ORDER BY t.recruits DESC, t.pledged + t.collected DESC, t.reached_at, t.link_id""")

PLEDGES = List("Recruited pledges", (
    Column("Backer number", "backer_number", "q.number", "number"),
    Column("Name", "name", "p.name", "text"),
    Column("E-mail", "email", "p.email", "text"),
    Column("Status", "status", "q.state", "word"),
    Column("Amount", "amount", "q.amount", "amount"),
    Column("Refunded", "refunded", "CASE q.state WHEN 'refunded' THEN q.amount WHEN 'collected' THEN coalesce(b.back, 0) "
           "ELSE 0 END", "amount"),
    Column("Currency", "currency", "q.currency", "word"),
    Column("Pledged at (UTC)", "pledged_at", _MOMENT.format("q.pledged_at"), "word"),
    Column("Counts for", "counts_for", "coalesce(cp.name, cg.name)", "text"),
    Column("Counts for code", "counts_for_code", "cl.code", "word"),
    Column("Which touch counts", "counted",
           "CASE WHEN r.link_id IS NULL THEN NULL WHEN r.link_id = a.last_link_id THEN 'last' "
           "WHEN r.link_id = a.first_link_id THEN 'first' END", "word"),
    Column("Channel", "channel", "cg.channel", "text"),
    Column("Generation", "generation",
           "CASE WHEN r.path <> '{{}}' THEN cardinality(r.path) - CASE WHEN rl.person_id IS NULL THEN 1 ELSE 0 END END",
           "number"),
    Column("First touch", "first_touch", "coalesce(fp.name, fg.name)", "text"),
    Column("First touch code", "first_code", "fl.code", "word"),
    Column("First touch at (UTC)", "first_at", _MOMENT.format("a.first_at"), "word"),
    Column("Last touch", "last_touch", "coalesce(tp.name, tg.name)", "text"),
    Column("Last touch code", "last_code", "tl.code", "word"),
    Column("Last touch at (UTC)", "last_at", _MOMENT.format("a.last_at"), "word"),
    *(_utm(word) for word in ("source", "medium", "campaign", "term", "content")),
    Column("Not credited because", "refused", "a.refused", "word"),
    Column("Taken back because", "struck", "CASE WHEN r.struck_at IS NOT NULL THEN coalesce(r.struck_why, 'yes') END",
           "text"),
), """
    FROM (SELECT pledge_id FROM attribution
           WHERE project_id = {project} AND (first_link_id IS NOT NULL OR last_link_id IS NOT NULL)
          UNION SELECT pledge_id FROM recruit WHERE project_id = {project}) x
    JOIN pledge q ON q.id = x.pledge_id
    """ + back_of_all("{project}", "q") + """
    JOIN person p ON p.id = q.backer_id
    LEFT JOIN attribution a ON a.pledge_id = x.pledge_id
    LEFT JOIN recruit r ON r.pledge_id = x.pledge_id
    LEFT JOIN share_link rl ON rl.n = r.path[1]
    LEFT JOIN share_link cl ON cl.id = r.link_id
    LEFT JOIN person cp ON cp.id = cl.person_id
    LEFT JOIN share_tag cg ON cg.link_id = cl.id
    LEFT JOIN share_link fl ON fl.id = a.first_link_id
    LEFT JOIN person fp ON fp.id = fl.person_id
    LEFT JOIN share_tag fg ON fg.link_id = fl.id
    LEFT JOIN share_link tl ON tl.id = a.last_link_id
    LEFT JOIN person tp ON tp.id = tl.person_id
    LEFT JOIN share_tag tg ON tg.link_id = tl.id
    ORDER BY q.number NULLS LAST, q.id""")  # noqa: S608 -- pieces of ours

LISTS = {"recruiters": RECRUITERS, "pledges": PLEDGES}


def query(what: str, project_id: UUID, currency: str, kind: str) -> sql.Composed:
    """The statement behind a list in a format."""
    wanted = LISTS[what]
    cells = sql.SQL(", ").join(
        sql.SQL("{} AS {}").format(sql.SQL(cell(column, currency, kind)), sql.Identifier(column.heading))
        for column in wanted.columns)
    text = sql.SQL("SELECT ") + cells + sql.SQL(wanted.rows)
    # The pieces hold placeholders of their own: fill them in one go.
    return sql.SQL(text.as_string()).format(project=sql.Literal(project_id), risky=sql.Literal(RISKY))


def pieces(conn: str, what: str, project_id: UUID, currency: str, kind: str) -> Generator[bytes, None, int]:
    """A list in either format."""
    asked = query(what, project_id, currency, kind)
    if kind == "xlsx":
        return lists.workbook(conn, NAME, asked, LISTS[what].columns, currency, LISTS[what].sheet)
    return lists.copied(conn, NAME, sql.SQL("COPY ({}) TO STDOUT WITH (FORMAT csv, HEADER)").format(asked), 1)


_MANY = {
    "recruiters": sa.text("SELECT count(*) FROM link_tally WHERE project_id = :project"),
    "pledges": sa.text("SELECT max(number) FROM pledge WHERE project_id = :project"),
}


def export(app: Flask, project: Project, person: Any, what: str, kind: str) -> Generator[bytes, None, int]:
    """The whole list in pieces, logged at both ends; returns how many rows it holds."""
    if what not in LISTS:
        raise BadInput(_("Choose recruiters or pledges."), "what")
    if kind not in FORMATS:
        raise BadInput(_("Choose CSV or XLSX."), "format")
    if kind == "xlsx" and (db.session.scalar(_MANY[what], {"project": project.id}) or 0) > SHEET_ROWS:
        raise BadInput(_("A worksheet holds at most %(n)s rows. Take the CSV file.", n=SHEET_ROWS), "format")
    return hand_out(app, project, person, what, kind, pieces(conninfo(app), what, project.id, project.currency, kind))


def hand_out(app: Flask, project: Project, person: Any, what: str, kind: str,
             parts: Generator[bytes, None, int]) -> Generator[bytes, None, int]:
    """The pieces of any list of this room that holds names: counted for whoever takes it, and logged at both ends."""
    if not rate.allows(f"sharing-export:{person.id}", PER_HOUR, 3600):
        raise TooOften(_("You took %(n)s lists in the last hour. Wait a little before the next.", n=PER_HOUR))
    entry = (project.id, person.id, what, kind, make_code())
    _note("begun", *entry)
    return _logged(app, parts, *entry)


def _logged(app: Flask, parts: Generator[bytes, None, int], *entry: Any) -> Generator[bytes, None, int]:
    rows = yield from parts
    with app.app_context():  # without this entry the file arrived broken
        _note("ended", *entry, rows=rows)
    return rows


def _note(moment: str, project_id: UUID, person_id: UUID, what: str, kind: str, run: str, **facts: Any) -> None:
    with transaction():
        audit.note(f"sharing:export_{moment}", "project", project_id, by_id=person_id, project_id=project_id,
                   what=what, format=kind, run=run, **facts)
