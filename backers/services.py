"""Take the list out of the house: who took it is written down before the first byte leaves (W-19)."""

from collections.abc import Generator
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from flask import Flask
from flask_babel import gettext as _

from backers.exports import FORMATS, SHEET_ROWS, Source, pieces
from backers.models import ExportLog
from core.db import transaction
from core.errors import BadInput, TooOften
from core.postgres import conninfo
from projects.models import Project

PER_HOUR = 10  # exports by one person (W-23)


def start_export(project: Project, person: Any, kind: str) -> UUID:
    """Write down who takes this list in which format; refused for a format we lack and after ten in an hour.

    `person` is None at the command line, where nobody is counted.
    """
    if kind not in FORMATS:
        raise BadInput(_("Choose CSV or XLSX."), "format")
    with transaction() as session:
        if person is not None and (session.scalar(_RECENT, {"person": person.id}) or 0) >= PER_HOUR:
            raise TooOften(_("You took %(n)s lists in the last hour. Wait a little before the next.", n=PER_HOUR))
        if kind == "xlsx" and (session.scalar(_LAST, {"project": project.id}) or 0) > SHEET_ROWS:
            raise BadInput(_("A worksheet holds at most %(n)s rows. Take the CSV file.", n=SHEET_ROWS), "format")
        entry = ExportLog(project_id=project.id, person_id=person.id if person else None, format=kind)
        session.add(entry)
        session.flush()
        return entry.id


def finish_export(log_id: UUID, rows: int) -> None:
    """The last byte has left: how many backers it were. Without this row's end the file arrived broken."""
    with transaction() as session:
        session.execute(_FINISH, {"id": log_id, "rows": rows})


def export(app: Flask, project: Project, person: Any, kind: str) -> Generator[bytes, None, int]:
    """The whole list in pieces, logged at both ends; returns how many backers it holds.

    Everything is read from the project now, since the pieces may leave after the request has ended.
    """
    source = Source(project.id, project.currency, project.zone)
    log_id = start_export(project, person, kind)
    return _logged(app, log_id, pieces(conninfo(app), source, kind))


def _logged(app: Flask, log_id: UUID, parts: Generator[bytes, None, int]) -> Generator[bytes, None, int]:
    rows = yield from parts
    with app.app_context():
        finish_export(log_id, rows)
    return rows


_RECENT = sa.text("""
    SELECT count(*) FROM export_log WHERE person_id = :person AND started_at > clock_now() - interval '1 hour'""")
_LAST = sa.text("SELECT max(number) FROM pledge WHERE project_id = :project")
_FINISH = sa.text("UPDATE export_log SET rows = :rows, finished_at = clock_now() WHERE id = :id")
