"""A list as a file: one statement, streamed, the same memory for ten rows and for 200,000.

CSV is written by PostgreSQL itself (COPY), XLSX row by row in constant memory. A cell of a CSV never becomes a formula:
text that could is prefixed with ' in SQL (W-15). An XLSX cell is typed, so its text stays as it is (W-16).
"""

import tempfile
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql

from core import money

BATCH = 256  # rows that leave in one piece
SHEET_ROWS = 1_048_575  # a worksheet holds these and a head


@dataclass(frozen=True)
class Column:
    heading: str
    key: str
    value: str  # an SQL expression
    kind: str  # text: what a person typed · word: ours · number · amount in minor units


def cell(column: Column, currency: str, kind: str, *, is_defused: bool = True) -> str:
    """The SQL of one cell in this format; `{risky}` is to be filled in (core.sheets.RISKY)."""
    if column.kind == "amount":
        exponent = money.exponent(currency)
        if kind == "xlsx":
            return f"({column.value})::float8 / {10 ** exponent}"
        # A product keeps the decimals of its factor: 2500 * 0.01 is 25.00.
        return f"({column.value}) * {format(10 ** -exponent, f'.{exponent}f')}"
    if column.kind == "text" and kind == "csv" and is_defused:
        # Most texts begin with a Latin letter, and asking that is far cheaper than a pattern.
        return (f"CASE WHEN ascii({column.value}) | 32 BETWEEN 97 AND 122 THEN {column.value} "
                f"WHEN {column.value} ~ {{risky}} THEN '''' || {column.value} ELSE {column.value} END")
    return column.value


@contextmanager
def connection(conninfo: str, name: str) -> Iterator[psycopg.Connection[Any]]:
    """A connection of its own: a long list must not occupy the site's, nor end at their statement timeout."""
    with psycopg.connect(conninfo, autocommit=True, application_name=name) as made:
        made.execute("SET statement_timeout = '15min'; SET work_mem = '32MB'; SET jit = off; "
                     "SET timezone = 'UTC'; SET default_transaction_read_only = on")
        yield made


def copied(conninfo: str, name: str, command: sql.Composed, heads: int) -> Generator[bytes, None, int]:
    """What a COPY … TO STDOUT writes, in pieces; returns how many rows it held, without its heads."""
    with connection(conninfo, name) as own, own.cursor() as cursor:
        count = -heads
        with cursor.copy(command) as copy:
            rows = iter(copy)  # one piece per line
            while batch := list(islice(rows, BATCH)):
                count += len(batch)
                yield b"".join(batch)
        return count


def write_xlsx(conninfo: str, name: str, query: sql.Composed, columns: Sequence[Column], currency: str, path: Path,
               sheet: str) -> int:
    """A workbook at `path`; returns how many rows it holds."""
    from rustpy_xlsxwriter import Format, write_worksheet

    exponent = money.exponent(currency)
    amounts = Format().set_num_format("0" if exponent == 0 else "0." + "0" * exponent)
    whole = Format().set_num_format("0")
    formats = {column.heading: amounts if column.kind == "amount" else whole
               for column in columns if column.kind in ("amount", "number")}
    widths = {column.heading: 26.0 if column.kind == "text" else 20.0 if "at (" in column.heading else 13.0
              for column in columns}
    count = 0

    def rows(cursor: psycopg.Cursor[Any]) -> Iterator[dict[str, Any]]:
        nonlocal count
        headings = [column.heading for column in columns]
        # Streamed, so that the server goes on while we write.
        for row in cursor.stream(query, size=BATCH * 4):
            count += 1
            yield dict(zip(headings, row, strict=True))
        if not count:
            yield dict.fromkeys(headings)  # a head over nothing

    with connection(conninfo, name) as own, own.cursor(binary=True) as cursor:
        write_worksheet(rows(cursor), str(path), sheet_name=sheet, freeze_row=1, bold_headers=True,
                        column_formats=formats, column_widths=widths)
    return count


def workbook(conninfo: str, name: str, query: sql.Composed, columns: Sequence[Column], currency: str,
             sheet: str) -> Generator[bytes, None, int]:
    """XLSX in pieces, from a file that is gone when the last piece has left."""
    with tempfile.TemporaryDirectory(prefix="achterban-export-") as folder:
        path = Path(folder) / "list.xlsx"
        count = write_xlsx(conninfo, name, query, columns, currency, path, sheet)
        with path.open("rb") as file:
            while piece := file.read(64 * 1024):
                yield piece
    return count
