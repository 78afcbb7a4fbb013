import io
import re
import zlib
from datetime import UTC, datetime, timedelta

import pytest
from flask_babel import force_locale
from PIL import Image

from core import clock, media
from core.db import db, transaction
from sharing import palette, posters, queries, services, tags, views_print, words
from sharing.qr import qr_rows
from tests.factories import make_person, make_project
from tests.sharing.scenes import count


def coloured(colour, spot, size=(1600, 1067)):
    image = Image.new("RGB", size, colour)
    image.paste(spot, (0, 0, size[0] // 3, size[1] // 2))
    out = io.BytesIO()
    image.save(out, "WEBP", lossless=True)
    return out.getvalue()


def pages(pdf):
    """The drawing, unpacked."""
    return b"\n".join(zlib.decompress(part) if part[:1] == b"x" else part
                      for part in re.findall(rb"stream\r?\n(.*?)\r?\nendstream", pdf, re.S))


@pytest.fixture
def project(app):
    queries._kept.clear()
    views_print._drawn.cache_clear()
    with transaction():
        picture = media.store(io.BytesIO(coloured("#0E1A3B", "#F55000")))
    return make_project(make_person("Wannes"), picture_id=picture.id, title="Łódź: één ő’s nacht voor €60",
                        blurb="Eleven songs from eleven sleepers.")


@pytest.fixture
def link(project):
    return services.link_of(make_person("Noor Bakker"), project)


def test_the_poster_is_one_a6_page_of_pdf_that_counts_no_visit(client, project, link):
    answer = client.get(f"/s/{link.code}/poster.pdf")
    assert answer.status_code == 200 and answer.mimetype == "application/pdf" and answer.data.startswith(b"%PDF-")
    assert f'filename="{project.slug}-poster.pdf"' in answer.headers["Content-Disposition"]
    box = [float(n) for n in re.search(rb"/MediaBox \[([\d. ]+)\]", answer.data)[1].split()]
    assert [round(n / 72 * 25.4) for n in box] == [0, 0, 105, 148] and len(re.findall(rb"/Type /Page\b", answer.data)) == 1
    assert count("share_visit") == 0 and "Set-Cookie" not in answer.headers


def test_the_letters_of_our_languages_are_in_the_faces_and_embedded(app, project):
    assert all(ord(sign) in posters.letters() for sign in "éłő’€ëïüçñğșțßøåæœŁŐ—–“”„…ΕλМо·×½")
    assert posters.shown("🎸 Łódź\n東京  één") == "Łódź één"
    drawn = posters.draw(posters.poster_of(project, "https://x.example/s/A", "https://x.example/s/A"))
    assert drawn.count(b"/FontFile2") == 3 and len(drawn) < 400_000


def test_the_qr_code_on_it_holds_the_code_and_the_text_shows_the_word(client, project, link):
    with client.application.test_request_context():
        words.claim_word(link, "night-train", None)
        poster = posters.poster_of(project, f"http://localhost/s/{link.code}", "http://localhost/s/night-train")
    assert poster.address == "localhost/s/night-train" and poster.url.endswith(link.code)
    dark = sum(sum(row) for row in qr_rows(poster.url))
    assert 100 < dark < 29 * 29
    by_code, by_word = (client.get(f"/s/{said}/poster.pdf") for said in (link.code, "night-train"))
    assert by_code.headers["ETag"] == by_word.headers["ETag"]


def test_who_has_it_is_not_sent_it_again_until_something_on_it_changes(client, project, link, monkeypatch):
    path = f"/s/{link.code}/poster.pdf"
    first = client.get(path)
    monkeypatch.setattr(posters, "draw", lambda poster: b"%PDF-drawn again")
    again = client.get(path, headers={"If-None-Match": first.headers["ETag"]})
    assert again.status_code == 304 and not again.data
    assert client.get(path).data == first.data  # kept by the process too
    with transaction():
        project.title = "Another title"
    changed = client.get(path, headers={"If-None-Match": first.headers["ETag"]})
    assert changed.status_code == 200 and changed.data == b"%PDF-drawn again"
    dutch = client.get(path, headers={"If-None-Match": first.headers["ETag"], "Accept-Language": "nl"})
    assert dutch.status_code == 200


def test_a_poster_names_the_deadline_only_while_it_is_to_come(app, project):
    with app.test_request_context():
        assert posters.poster_of(project, "u", "u").until.startswith("Until ")
        from projects.models import ProjectState
        ended = make_project(state=ProjectState.SUCCESSFUL, deadline=clock.now() - timedelta(days=1))
        assert posters.poster_of(ended, "u", "u").until == ""


@pytest.mark.parametrize("language", ["en", "nl"])
def test_the_whole_moment_of_the_deadline_is_on_the_paper(app, project, monkeypatch, language):
    lines = []
    with transaction():
        project.deadline = datetime(2031, 9, 24, 21, 59, 59, tzinfo=UTC)  # a Wednesday
    with app.test_request_context(), force_locale(language):
        poster = posters.poster_of(project, "https://x.example/s/A", "https://x.example/s/A")
        monkeypatch.setattr(posters.FPDF, "cell", lambda self, text, **_how: lines.append(text))
        posters.draw(poster)
    assert poster.until in " ".join(lines) and poster.place in lines and not any(line.endswith("…") for line in lines)


def test_a_tag_has_a_poster_and_a_bad_code_has_none(app, client, project):
    with app.test_request_context():
        tag = tags.add_tag(project, "Hall")
    assert client.get(f"/s/{tag.code}/poster.pdf").status_code == 200
    for bad in ("K7QX4M2PBTRHA", "none", "é", "%00", "x" * 500):
        assert client.get(f"/s/{bad}/poster.pdf").status_code == 404


@pytest.mark.parametrize(("title", "blurb"), [
    ("", ""), ("東京", "夜"), ("W" * 60, "W" * 135), ("Wegwerpmaatschappijverbeteraarsvereniging aan de Waal", "a " * 67)])
def test_any_title_goes_onto_the_paper(app, project, title, blurb):
    poster = posters.Poster(title, blurb, "x" * 200, "Until then", "very-long-host.example.org/s/K7QX4M2PBTRHA",
                            "https://very-long-host.example.org/s/K7QX4M2PBTRHA", "Scan it", "An operator of a long name" * 3, None)
    pages(posters.draw(poster))


def test_a_picture_that_is_gone_or_broken_leaves_the_colours_of_the_house(app, project, monkeypatch):
    assert palette.palette_of(None) == palette.palette_of(b"no picture") == palette.HOUSE
    assert posters._picture("0" * 32) is None
    poster = posters.Poster("A", "B", "", "", "x/s/A", "https://x/s/A", "Scan", "Achterban", "0" * 32)
    assert posters.draw(poster).startswith(b"%PDF-")


@pytest.mark.parametrize(("ground", "spot"), [
    ("#0E1A3B", "#F55000"), ("#FFFFFF", "#FFFFFF"), ("#000000", "#000000"), ("#FFD000", "#00A0FF"), ("#808080", "#7F7F7F"),
    ("#FF0000", "#00FF00"), ("#FAF6EE", "#DDD3C3")])
def test_whatever_the_picture_its_colours_can_be_read(ground, spot):
    """WCAG: 7 for the text, 3 for the bar."""
    found = palette.palette_of(coloured(ground, spot, (90, 60)))
    assert palette.contrast(found.ink, found.ground) >= palette.READ
    assert palette.contrast(found.accent, found.ground) >= palette.SEEN


def test_the_colours_are_those_of_the_picture():
    found = palette.palette_of(coloured("#0E1A3B", "#F55000", (90, 60)))
    assert max(abs(a - b) for a, b in zip(found.ground, (0x0E, 0x1A, 0x3B), strict=True)) < 12
    assert max(abs(a - b) for a, b in zip(found.accent, (0xF5, 0x50, 0x00), strict=True)) < 12
    assert round(palette.contrast((0, 0, 0), (255, 255, 255)), 1) == 21.0


def test_nothing_is_held_open_while_it_is_drawn(client, project, link, monkeypatch):
    held = []
    monkeypatch.setattr(posters, "draw", lambda poster: held.append(db.session().in_transaction()) or b"%PDF-")
    client.get(f"/s/{link.code}/poster.pdf")
    assert held == [False]


@pytest.mark.parametrize("told", ["", "I am an ambassador of this project and may get something for it.", "Ik krijg er iets voor. " * 8 + "Echt."])
def test_an_ambassadors_poster_says_so_and_is_whole(app, project, told, monkeypatch):
    written = []
    whole = posters._fit
    monkeypatch.setattr(posters, "_fit", lambda *args: written.append((args[1], whole(*args)[1])) or whole(*args))
    drawn = posters.draw(posters.poster_of(project, "https://x.example/s/A", "https://x.example/s/A", told))
    assert drawn.startswith(b"%PDF-")
    assert [" ".join(lines) for text, lines in written if text == told] == ([told] if told else [])
