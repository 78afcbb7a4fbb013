"""The desk of the people who run the site: one strip, to which rooms add their pages."""

from dataclasses import dataclass

from flask import Blueprint, Flask, redirect, url_for
from flask_babel import gettext as _
from werkzeug.wrappers import Response

from core.hooks import Hook
from core.policy import allow


@dataclass(frozen=True)
class StaffPage:
    """One tab of the desk; `count` is how many things wait there for a person."""

    key: str
    label: str
    url: str
    says: str  # one line: what is found there
    count: int | None = None
    order: int = 50


pages_asked: Hook[[list[StaffPage]]] = Hook("The desk of staff is being made: rooms add their pages.")
bp = Blueprint("platform", __name__)


def staff_pages() -> list[StaffPage]:
    pages: list[StaffPage] = []
    pages_asked.send(pages)
    return sorted(pages, key=lambda page: (page.order, page.key))


@bp.get("/platform")
@allow("staff")
def index() -> Response:
    """The first page where something waits; else the first one."""
    pages = staff_pages()
    return redirect(next((page.url for page in pages if page.count), pages[0].url))


def init_app(app: Flask) -> None:
    app.register_blueprint(bp)

    @app.context_processor
    def desk() -> dict[str, object]:
        return {"staff_pages": staff_pages, "platform_title": lambda: _("The platform"),
                "platform_url": lambda: url_for("platform.index")}
