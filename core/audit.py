"""Who did what that others must be able to see later: only ever added to, no personal values (O-20, W-34)."""

from typing import Any
from uuid import UUID

import click
import sqlalchemy as sa
from flask import Flask
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import mapped_column

from core.db import Base, Born, Mapped, Serial, db


class AuditEntry(Base):
    """One act of a person, or of a command when `by_id` is empty."""

    __tablename__ = "audit_entry"
    __table_args__ = (sa.Index("ix_audit_entry_object", "object_kind", "object_id"),)

    id: Mapped[Serial]
    at: Mapped[Born]
    by_id: Mapped[UUID | None]
    action: Mapped[str]  # room:verb, such as backing:pause_run
    object_kind: Mapped[str]
    object_id: Mapped[str]
    project_id: Mapped[UUID | None] = mapped_column(index=True)
    facts: Mapped[dict[str, Any]] = mapped_column(JSONB, server_default="{}")


def note(action: str, object_kind: str, object_id: Any, *, by_id: UUID | None, project_id: UUID | None = None,
         **facts: Any) -> None:
    """Write one entry inside the transaction that does the act; facts are ids, amounts, states and words of ours."""
    db.session.add(AuditEntry(action=action, object_kind=object_kind, object_id=str(object_id), by_id=by_id,
                              project_id=project_id, facts=facts))


def entries(object_kind: str, object_id: Any, limit: int = 100) -> list[AuditEntry]:
    """What was done to an object, newest first."""
    return list(db.session.scalars(
        sa.select(AuditEntry).where(AuditEntry.object_kind == object_kind, AuditEntry.object_id == str(object_id))
        .order_by(AuditEntry.id.desc()).limit(limit)))


@click.command("audit")
@click.argument("object_kind")
@click.argument("object_id")
def audit(object_kind: str, object_id: str) -> None:
    """Who did what to an object: one line an act, newest first."""
    for entry in entries(object_kind, object_id):
        click.echo(f"{entry.at:%Y-%m-%d %H:%M:%S} {entry.by_id or 'command'} {entry.action} {entry.facts}")


def init_app(app: Flask) -> None:
    app.cli.add_command(audit)
