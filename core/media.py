"""Pictures: decoded whole, turned upright, stripped, made small, stored under the hash of what came out (W-17)."""

import hashlib
import io
import warnings
from typing import IO
from uuid import UUID

import fsspec
import sqlalchemy as sa
from flask import Blueprint, Flask, Response, abort, current_app, request, url_for
from flask_babel import gettext as _
from PIL import Image, ImageOps, UnidentifiedImageError
from sqlalchemy.orm import mapped_column

from core.db import Base, Born, Id, Mapped, db
from core.errors import BadInput
from core.policy import allow

Image.MAX_IMAGE_PIXELS = 40_000_000
KINDS = ("JPEG", "PNG", "WEBP", "GIF")
WIDTHS = (1600, 800, 400)
bp = Blueprint("media", __name__)


class Picture(Base):
    """One picture in three widths; `key` is the hash of the largest."""

    __tablename__ = "picture"

    id: Mapped[Id]
    key: Mapped[str] = mapped_column(index=True)
    width: Mapped[int] = mapped_column(sa.Integer)
    height: Mapped[int] = mapped_column(sa.Integer)
    uploaded_by: Mapped[UUID | None]
    created_at: Mapped[Born]


def store(file: IO[bytes], person_id: UUID | None = None) -> Picture:
    """Keep an uploaded picture; BadInput with a sentence when it is not one. Call inside transaction()."""
    image = decode(file)
    made: dict[int, bytes] = {}
    for width in WIDTHS:
        smaller = image.copy()
        smaller.thumbnail((width, width * 2))
        out = io.BytesIO()
        smaller.save(out, "WEBP", quality=84, method=4)
        made[width] = out.getvalue()
    key = hashlib.sha256(made[WIDTHS[0]]).hexdigest()[:32]
    system, root = fsspec.core.url_to_fs(current_app.config["MEDIA_URL"])
    system.makedirs(f"{root}/{key[:2]}", exist_ok=True)
    for width, content in made.items():
        system.pipe_file(f"{root}/{key[:2]}/{key}-{width}.webp", content)
    picture = Picture(key=key, width=min(image.width, WIDTHS[0]), uploaded_by=person_id,
                      height=round(image.height * min(1, WIDTHS[0] / image.width)))
    db.session.add(picture)
    db.session.flush()
    return picture


def decode(file: IO[bytes]) -> Image.Image:
    """A whole, upright RGB image without metadata, or BadInput."""
    wrong = _("This file is not a picture we can read. Use a JPEG, PNG or WebP.")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(file, formats=KINDS) as opened:
                if opened.width * opened.height > 40_000_000:
                    raise BadInput(_("This picture is too large. 40 megapixels is the most."))
                opened.load()
                upright = ImageOps.exif_transpose(opened)
                return upright.convert("RGB")
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise BadInput(_("This picture is too large. 40 megapixels is the most.")) from None
    except (UnidentifiedImageError, OSError, ValueError, SyntaxError, EOFError):
        raise BadInput(wrong) from None


def picture_url(key: str | None, width: int = 800) -> str | None:
    """Where the picture is served; None without one."""
    return url_for("media.show", name=f"{key}-{width}.webp") if key else None


@bp.get("/media/<name>")
@allow("anyone")
def show(name: str) -> Response:
    key, _dash, rest = name.partition("-")
    if len(key) != 32 or not key.isalnum() or rest not in {f"{width}.webp" for width in WIDTHS}:
        abort(404)
    system, root = fsspec.core.url_to_fs(current_app.config["MEDIA_URL"])
    if request.if_none_match.contains(name):
        response = Response(status=304)
    else:
        try:
            response = Response(system.cat_file(f"{root}/{key[:2]}/{name}"), mimetype="image/webp")
        except FileNotFoundError:
            abort(404)
    response.set_etag(name)
    response.headers["Cache-Control"] = "public, max-age=31536000, immutable"
    response.headers["Content-Security-Policy"] = "default-src 'none'; sandbox"
    response.headers["Content-Disposition"] = "inline"
    return response


def init_app(app: Flask) -> None:
    app.register_blueprint(bp)
    app.jinja_env.globals["picture_url"] = picture_url
