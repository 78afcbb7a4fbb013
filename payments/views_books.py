"""The money pages: a project's, for its creator and staff; the platform's, for staff."""

from collections.abc import Iterator
from itertools import chain
from typing import Any
from uuid import UUID

import structlog
from flask import Response, current_app, g, render_template, request, url_for
from flask_babel import gettext as _
from flask_login import current_user

from core.db import db
from core.errors import BadInput
from core.policy import allow
from core.postgres import conninfo
from payments import checks, pictures, statements
from payments.views import bp
from projects.models import Project

KINDS = ("charge", "refund", "dispute", "transfer", "reversal", "debt")


def money_page(project: Project) -> dict[str, Any]:
    """What the template of a project's money needs; empty when nothing came in yet."""
    known = statements.statement(project)
    if not known.payments:
        return {"known": None}
    kind = request.args.get("what", "")
    kind = kind if kind in KINDS else ""
    lines, more = statements.movements(project.id, before=_before(), kind=kind)
    is_creator = current_user.id == project.creator_id
    return {"known": known, "flow": pictures.flow_of(known, is_creator), "lines": lines, "kinds": KINDS, "kind": kind,
            "older_url": url_for("payments.payouts", slug=project.slug, what=kind or None, before=lines[-1].id,
                                 _anchor="lines") if more else None,
            "is_first": "before" not in request.args, "words": pictures.words(is_creator),
            "part_word": pictures.part_word, "moment": pictures.moment}


def _before() -> UUID | None:
    try:
        return UUID(request.args["before"]) if "before" in request.args else None
    except ValueError:
        raise BadInput(_("There is no such page.")) from None

log = structlog.get_logger()


@bp.get("/projects/<slug>/payouts.csv")
@allow("project:money")
def money_file(slug: str) -> Response:
    """Every movement of the project, streamed."""
    project: Project = g.subject
    log.info("money exported", by=str(current_user.id), project=str(project.id))
    return _file(f"{project.slug}-money.csv", statements.project_file(
        conninfo(current_app._get_current_object()), project.id))  # type: ignore[attr-defined]


@bp.get("/platform/books")
@allow("staff")
def books() -> str:
    lines, more = statements.recent(_before())
    trial = statements.trial_balance()
    sums: dict[str, int] = {}
    for row in trial:
        sums[row.currency] = sums.get(row.currency, 0) + int(row.balance)
    return render_template(
        "payments/books.html", trial=trial, sums=sums, projects=statements.by_project(), lines=lines,
        older_url=url_for("payments.books", before=lines[-1].id, _anchor="recent") if more else None,
        is_first="before" not in request.args, results=checks.run_all(), words=pictures.words(),
        account_words=pictures.account_words(), part_word=pictures.part_word, moment=pictures.moment)


@bp.get("/platform/books.csv")
@allow("staff")
def books_file() -> Response:
    """The whole ledger, streamed: sums and objects, and nobody's name. Looking writes nothing (W-06), so it is logged."""
    log.info("books exported", by=str(current_user.id))
    return _file("books.csv", statements.books_file(conninfo(current_app._get_current_object())))  # type: ignore[attr-defined]


def _file(name: str, pieces: Any) -> Response:
    db.session.rollback()  # nothing is held while it leaves
    first = next(pieces)  # what can fail fails here, before anything is answered
    response = Response(_closing(pieces, first), content_type="text/csv; charset=utf-8",
                        headers={"Content-Disposition": f'attachment; filename="{name}"'})
    response.headers["Cache-Control"] = "no-store"
    return response


def _closing(pieces: Any, first: bytes) -> Iterator[bytes]:
    """All pieces; whoever stops listening ends the statement as well."""
    try:
        yield from chain((first,), pieces)
    finally:
        pieces.close()
