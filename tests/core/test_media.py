"""W-17: pictures are decoded whole, stripped and made small; everything else is refused with a sentence."""

import io
import struct
import zlib

import pytest
import sqlalchemy as sa
from PIL import Image

from core import media
from core.db import db, transaction
from core.errors import BadInput
from tests.factories import scalar


def _picture(kind="PNG", size=(1000, 600), mode="RGB", **options):
    file = io.BytesIO()
    Image.new(mode, size, 128 if mode == "L" else None).save(file, kind, **options)
    file.seek(0)
    return file


def _store(file):
    with transaction():
        picture = media.store(file)
        return picture.key, picture.width, picture.height


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "GIF"])
def test_a_picture_is_kept_in_three_widths_and_served_for_ever(app, client, kind):
    key, width, height = _store(_picture(kind))
    assert (width, height) == (1000, 600)
    for wanted, real in ((1600, 1000), (800, 800), (400, 400)):
        answer = client.get(f"/media/{key}-{wanted}.webp")
        assert answer.status_code == 200 and answer.mimetype == "image/webp"
        assert Image.open(io.BytesIO(answer.data)).width == real
        assert "immutable" in answer.headers["Cache-Control"]
        assert "sandbox" in answer.headers["Content-Security-Policy"]
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert client.get(f"/media/{key}-400.webp", headers={"If-None-Match": f'"{key}-400.webp"'}).status_code == 304


def test_the_same_picture_has_the_same_name(app):
    assert _store(_picture())[0] == _store(_picture())[0]


def test_where_it_was_taken_and_by_what_is_left_out(app, client):
    exif = Image.Exif()
    exif[0x010F], exif[0x8825] = "SECRETCAMERA", {1: "N", 2: (52.0, 5.0, 0.0)}
    exif[0x0112] = 6  # stands on its side
    key, width, height = _store(_picture("JPEG", (300, 200), exif=exif))
    assert (width, height) == (200, 300)
    content = client.get(f"/media/{key}-1600.webp").data
    assert b"SECRETCAMERA" not in content and b"Exif" not in content
    assert not Image.open(io.BytesIO(content)).getexif()


def _bomb(width, height):
    """A PNG of some hundred bytes that says it is this large."""
    def chunk(kind, content):
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))
    return io.BytesIO(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
                      + chunk(b"IDAT", zlib.compress(b"\x00" * 1000)) + chunk(b"IEND", b""))


@pytest.mark.parametrize("make", [
    lambda: io.BytesIO(b""), lambda: io.BytesIO(b"<svg xmlns='http://www.w3.org/2000/svg'><script/></svg>"),
    lambda: io.BytesIO(b"%PDF-1.7"), lambda: io.BytesIO(b"<html><script>alert(1)</script>"),
    lambda: io.BytesIO(b"GIF89a<script>alert(1)</script>"), lambda: io.BytesIO(_picture().getvalue()[:200]),
    lambda: io.BytesIO(b"\x89PNG\r\n\x1a\n" + b"x" * 100), lambda: _picture("BMP"), lambda: _picture("TIFF"),
    lambda: _bomb(60_000, 60_000), lambda: _bomb(7_000, 7_000), lambda: _bomb(100, 100),
    lambda: io.BytesIO(b"PK\x03\x04" + b"\x00" * 60),
], ids=["empty", "svg", "pdf", "html", "gif that is html", "cut off", "png of nothing", "bmp", "tiff", "bomb", "49 megapixels",
        "too little inside", "zip"])
def test_what_is_no_picture_or_too_much_of_one_is_refused_with_a_sentence(app, make):
    with pytest.raises(BadInput) as refused:
        _store(make())
    assert refused.value.sentence and refused.value.status == 422
    assert scalar("SELECT count(*) FROM picture") == 0


def test_what_hides_behind_a_picture_is_not_kept(app, client):
    file = io.BytesIO(_picture("PNG").getvalue() + b"<script>alert('hidden')</script>")
    key, _, _ = _store(file)
    assert b"hidden" not in client.get(f"/media/{key}-1600.webp").data


@pytest.mark.parametrize("name", ["../../etc/passwd", "x-800.webp", f"{'a' * 32}-801.webp", f"{'a' * 32}-800.png",
                                  f"{'a' * 32}-800.webp", f"{'a' * 31}.-800.webp", "%2e%2e%2fx", f"{'a' * 32}"])
def test_no_other_file_can_be_asked_for(app, client, name):
    assert client.get(f"/media/{name}").status_code == 404


def test_a_picture_that_is_rolled_back_leaves_no_row(app):
    with pytest.raises(ZeroDivisionError), transaction():
        media.store(_picture())
        raise ZeroDivisionError
    assert db.session.scalar(sa.text("SELECT count(*) FROM picture")) == 0
