"""The organiser's desk keeps one thing of its own: who took which list out of the house (W-19)."""

from datetime import datetime
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.orm import mapped_column

from core.db import Base, Born, Id, Mapped


class ExportLog(Base):
    """One download of a backer list. Only ever added, but for its end."""

    __tablename__ = "export_log"

    id: Mapped[Id]
    project_id: Mapped[UUID] = mapped_column(sa.ForeignKey("project.id"), index=True)
    person_id: Mapped[UUID | None] = mapped_column(sa.ForeignKey("person.id"))  # None: at the command line
    format: Mapped[str]
    rows: Mapped[int | None]
    started_at: Mapped[Born]
    finished_at: Mapped[datetime | None]
