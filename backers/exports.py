"""The backer list as a file: one statement, streamed, the same memory for ten backers and for 200,000.

CSV and NDJSON are written by PostgreSQL itself (COPY), XLSX row by row in constant memory. A cell of a CSV never
becomes a formula: text that could is prefixed with ' in SQL (W-15). An XLSX cell is typed, so its text stays as it is
(W-16).
"""

import tempfile
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any
from uuid import UUID

import psycopg
from psycopg import sql

from backing.models import STANDING
from core import money

FORMATS = ("csv", "xlsx", "ndjson")
BATCH = 256  # rows that leave in one piece
SHEET_ROWS = 1_048_575  # a worksheet holds these and a head
# A worksheet takes a text for a formula by its first sign that is neither space nor quote; TAB, CR, LF count as such.
RISKY = ("^[ \"'`´‘’“”„‟‚‛«»‹›＂＇\u00a0\u1680\u2000-\u200f\u2028-\u202f\u205f-\u2064\u3000\ufeff\x0b\x0c]*"
         "[-=+@＝＋－＠\t\r\n]")


@dataclass(frozen=True)
class Source:
    """Which list: values only, since the rows leave long after the request's session is gone."""

    project_id: UUID
    currency: str
    zone: str


@dataclass(frozen=True)
class Column:
    heading: str
    key: str
    value: str  # an SQL expression over the joins below
    kind: str  # text: what a person typed · word: ours · number · amount in minor units


COLUMNS = (
    Column("Backer number", "backer_number", "p.number", "number"),
    Column("Name", "name", "backer.name", "text"),
    Column("E-mail", "email", "backer.email", "text"),
    Column("Reward", "reward", "reward.title", "text"),
    Column("Add-ons", "add_ons", "''::text", "text"),
    Column("Reward amount", "reward_amount", "CASE WHEN p.reward_id IS NULL THEN 0 ELSE p.amount - p.bonus END", "amount"),
    Column("Bonus", "bonus", "CASE WHEN p.reward_id IS NULL THEN p.amount ELSE p.bonus END", "amount"),
    Column("Total", "total", "p.amount", "amount"),
    Column("Currency", "currency", "p.currency", "word"),
    Column("Status", "status", "p.state", "word"),
    Column("Pledged at (UTC)", "pledged_at",
           "to_char(p.pledged_at AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"')", "word"),
    Column("Pledged at (local)", "pledged_at_local",
           "to_char(p.pledged_at AT TIME ZONE {zone}, 'YYYY-MM-DD HH24:MI:SS')", "word"),
    Column("Recruiter", "recruiter", "sender.name", "text"),
    Column("Recruiter number", "recruiter_number", "sender.number", "number"),
    Column("Recruits", "recruits", "coalesce(own.recruits, 0)", "number"),
    Column("Recruits amount", "recruits_amount", "coalesce(own.amount, 0)", "amount"),
)
# Recruits are summed once for all; who pledged, cancelled and pledged again shows them at the latest number only.
ROWS = """
    FROM pledge p
    JOIN person backer ON backer.id = p.backer_id
    LEFT JOIN reward ON reward.id = p.reward_id
    LEFT JOIN recruit ON recruit.pledge_id = p.id
    LEFT JOIN recruiter sender ON sender.id = recruit.recruiter_id
    LEFT JOIN recruiter own ON own.id = p.backer_id AND own.number = p.number
    WHERE p.project_id = {project} AND p.number IS NOT NULL ORDER BY p.number"""
RECRUITERS = """
    WITH brought AS (
        SELECT r.recruiter_id AS id, count(*) FILTER (WHERE q.state = ANY({standing})) AS recruits,
               sum(q.amount) FILTER (WHERE q.state = ANY({standing})) AS amount
          FROM recruit r JOIN pledge q ON q.id = r.pledge_id WHERE r.project_id = {project} GROUP BY 1),
    recruiter AS MATERIALIZED (
        SELECT brought.*, person.name,
               (SELECT max(mine.number) FROM pledge mine
                 WHERE mine.project_id = {project} AND mine.backer_id = brought.id) AS number
          FROM brought JOIN person ON person.id = brought.id)"""


def query(source: Source, kind: str = "csv", *, defused: bool = True) -> sql.Composed:
    """The statement behind a format; `defused=False` is the same list with nothing done to its texts."""
    cells = sql.SQL(", ").join(
        sql.SQL("{} AS {}").format(sql.SQL(_cell(column, source, kind, defused)),
                                   sql.Identifier(column.key if kind == "ndjson" else column.heading))
        for column in COLUMNS)
    values = {"project": sql.Literal(source.project_id), "zone": sql.Literal(source.zone),
              "risky": sql.Literal(RISKY), "standing": sql.Literal([str(state) for state in STANDING])}
    text = sql.SQL(RECRUITERS) + sql.SQL(" SELECT ") + cells + sql.SQL(ROWS)
    # The pieces hold placeholders of their own: fill them in one go.
    return sql.SQL(text.as_string()).format(**values)


def _cell(column: Column, source: Source, kind: str, defused: bool) -> str:
    if column.kind == "amount":
        exponent = money.exponent(source.currency)
        if kind == "xlsx":
            return f"({column.value})::float8 / {10 ** exponent}"
        # A product keeps the decimals of its factor: 2500 * 0.01 is 25.00.
        return f"({column.value}) * {format(10 ** -exponent, f'.{exponent}f')}"
    if column.kind == "text" and kind == "csv" and defused:
        # Most texts begin with a Latin letter, and asking that is far cheaper than a pattern.
        return (f"CASE WHEN ascii({column.value}) BETWEEN 65 AND 122 THEN {column.value} "
                f"WHEN {column.value} ~ {{risky}} THEN '''' || {column.value} ELSE {column.value} END")
    return column.value


@contextmanager
def _connection(conninfo: str) -> Iterator[psycopg.Connection[Any]]:
    """A connection of its own: a long list must not occupy the site's, nor end at their statement timeout."""
    with psycopg.connect(conninfo, autocommit=True, application_name="backers-export") as connection:
        connection.execute("SET statement_timeout = '15min'; SET work_mem = '32MB'; SET jit = off; "
                           "SET timezone = 'UTC'; SET default_transaction_read_only = on")
        yield connection


def copied(conninfo: str, source: Source, kind: str) -> Generator[bytes, None, int]:
    """CSV or NDJSON in pieces; returns how many backers it held."""
    with _connection(conninfo) as connection, connection.cursor() as cursor:
        if kind == "csv":
            command = sql.SQL("COPY ({}) TO STDOUT WITH (FORMAT csv, HEADER)").format(query(source))
        else:
            # As CSV whose quote and delimiter cannot occur in JSON: nothing is escaped twice.
            command = sql.SQL("COPY (SELECT row_to_json(line) FROM ({}) line) TO STDOUT "
                              "WITH (FORMAT csv, QUOTE E'\\x01', DELIMITER E'\\x02')").format(query(source, kind))
        count = -1 if kind == "csv" else 0  # the head is no backer
        with cursor.copy(command) as copy:
            rows = iter(copy)  # one piece per line
            while batch := list(islice(rows, BATCH)):
                count += len(batch)
                yield b"".join(batch)
        return count


def write_xlsx(conninfo: str, source: Source, path: Path) -> int:
    """A workbook at `path`; returns how many backers it holds."""
    from rustpy_xlsxwriter import Format, write_worksheet

    exponent = money.exponent(source.currency)
    amounts = Format().set_num_format("0" if exponent == 0 else "0." + "0" * exponent)
    whole = Format().set_num_format("0")
    formats = {column.heading: amounts if column.kind == "amount" else whole
               for column in COLUMNS if column.kind in ("amount", "number")}
    widths = {column.heading: 26.0 if column.kind == "text" else 20.0 if "at (" in column.heading else 13.0
              for column in COLUMNS}
    count = 0

    def rows(cursor: psycopg.Cursor[Any]) -> Iterator[dict[str, Any]]:
        nonlocal count
        headings = [column.heading for column in COLUMNS]
        # Streamed, so that the server goes on while we write.
        for row in cursor.stream(query(source, "xlsx"), size=BATCH * 4):
            count += 1
            yield dict(zip(headings, row, strict=True))
        if not count:
            yield dict.fromkeys(headings)  # a head over nothing

    with _connection(conninfo) as connection, connection.cursor(binary=True) as cursor:
        write_worksheet(rows(cursor), str(path), sheet_name="Backers", freeze_row=1, bold_headers=True,
                        column_formats=formats, column_widths=widths)
    return count


def workbook(conninfo: str, source: Source) -> Generator[bytes, None, int]:
    """XLSX in pieces, from a file that is gone when the last piece has left."""
    with tempfile.TemporaryDirectory(prefix="achterban-export-") as folder:
        path = Path(folder) / "backers.xlsx"
        count = write_xlsx(conninfo, source, path)
        with path.open("rb") as file:
            while piece := file.read(64 * 1024):
                yield piece
    return count


def pieces(conninfo: str, source: Source, kind: str) -> Generator[bytes, None, int]:
    """The list in any of our formats."""
    return workbook(conninfo, source) if kind == "xlsx" else copied(conninfo, source, kind)
