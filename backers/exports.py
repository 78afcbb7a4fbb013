"""The backer list as a file: one statement, streamed, the same memory for ten backers and for 200,000.

CSV and NDJSON are written by PostgreSQL itself (COPY), XLSX row by row in constant memory. A cell of a CSV never
becomes a formula: text that could is prefixed with ' in SQL (W-15). An XLSX cell is typed, so its text stays as it is
(W-16).
"""

from collections.abc import Generator
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

from psycopg import sql

from backing.models import STANDING
from core import lists
from core.lists import SHEET_ROWS, Column, cell
from core.sheets import RISKY
from sharing.states import LEFT, STANDS, back_of_all

FORMATS = ("csv", "xlsx", "ndjson")
NAME = "backers-export"  # as the server names our connections


@dataclass(frozen=True)
class Source:
    """Which list: values only, since the rows leave long after the request's session is gone."""

    project_id: UUID
    currency: str
    zone: str


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
    Column("Unlocked by sharing", "unlocked", "unlocked.titles", "text"),
)
# Recruits are summed once for all; who pledged, cancelled and pledged again shows them at the latest number only.
ROWS = """
    FROM pledge p
    JOIN person backer ON backer.id = p.backer_id
    LEFT JOIN reward ON reward.id = p.reward_id
    LEFT JOIN recruit ON recruit.pledge_id = p.id AND recruit.struck_at IS NULL
    LEFT JOIN recruiter sender ON sender.id = recruit.recruiter_id
    LEFT JOIN recruiter own ON own.id = p.backer_id AND own.number = p.number
    LEFT JOIN unlocked ON unlocked.pledge_id = p.id
    WHERE p.project_id = {project} AND p.number IS NOT NULL ORDER BY p.number"""
RECRUITERS = f"""
    WITH brought AS (
        SELECT r.recruiter_id AS id, count(*) FILTER (WHERE {STANDS}) AS recruits,
               sum({LEFT}) FILTER (WHERE {STANDS}) AS amount
          FROM recruit r JOIN pledge p ON p.id = r.pledge_id {back_of_all("{project}")}
         WHERE r.project_id = {{project}} AND r.struck_at IS NULL
         GROUP BY 1),
    recruiter AS MATERIALIZED (
        SELECT brought.*, person.name,
               (SELECT max(mine.number) FROM pledge mine
                 WHERE mine.project_id = {{project}} AND mine.backer_id = brought.id) AS number
          FROM brought JOIN person ON person.id = brought.id),
    unlocked AS MATERIALIZED (
        SELECT mine.id AS pledge_id, string_agg(w.title, '; ' ORDER BY m.friends) AS titles
          FROM milestone_grant g JOIN milestone m ON m.id = g.milestone_id JOIN reward w ON w.id = m.reward_id
          JOIN share_link l ON l.id = g.link_id
          JOIN pledge mine ON mine.project_id = g.project_id AND mine.backer_id = l.person_id AND mine.state = ANY({{standing}})
         WHERE g.project_id = {{project}} AND g.state = 'earned' GROUP BY mine.id)"""  # noqa: S608 -- pieces of ours


def query(source: Source, kind: str = "csv", *, defused: bool = True) -> sql.Composed:
    """The statement behind a format; `defused=False` is the same list with nothing done to its texts."""
    cells = sql.SQL(", ").join(
        sql.SQL("{} AS {}").format(sql.SQL(cell(column, source.currency, kind, is_defused=defused)),
                                   sql.Identifier(column.key if kind == "ndjson" else column.heading))
        for column in COLUMNS)
    values = {"project": sql.Literal(source.project_id), "zone": sql.Literal(source.zone),
              "risky": sql.Literal(RISKY), "standing": sql.Literal([str(state) for state in STANDING])}
    text = sql.SQL(RECRUITERS) + sql.SQL(" SELECT ") + cells + sql.SQL(ROWS)
    # The pieces hold placeholders of their own: fill them in one go.
    return sql.SQL(text.as_string()).format(**values)


def copied(conninfo: str, source: Source, kind: str) -> Generator[bytes, None, int]:
    """CSV or NDJSON in pieces; returns how many backers it held."""
    if kind == "csv":
        return lists.copied(conninfo, NAME, sql.SQL("COPY ({}) TO STDOUT WITH (FORMAT csv, HEADER)").format(query(source)), 1)
    # As CSV whose quote and delimiter cannot occur in JSON: nothing is escaped twice.
    return lists.copied(conninfo, NAME, sql.SQL("COPY (SELECT row_to_json(line) FROM ({}) line) TO STDOUT "
                                                "WITH (FORMAT csv, QUOTE E'\\x01', DELIMITER E'\\x02')").format(query(source, kind)), 0)


def write_xlsx(conninfo: str, source: Source, path: Path) -> int:
    """A workbook at `path`; returns how many backers it holds."""
    return lists.write_xlsx(conninfo, NAME, query(source, "xlsx"), COLUMNS, source.currency, path, "Backers")


def pieces(conninfo: str, source: Source, kind: str) -> Generator[bytes, None, int]:
    """The list in any of our formats."""
    if kind == "xlsx":
        return lists.workbook(conninfo, NAME, query(source, "xlsx"), COLUMNS, source.currency, "Backers")
    return copied(conninfo, source, kind)


__all__ = ["COLUMNS", "FORMATS", "SHEET_ROWS", "Source", "copied", "pieces", "query", "write_xlsx"]
