"""Words on pictures: wrapped, cut, and drawn with whatever fonts there are."""

import pytest

from sharing import lettering
from sharing.lettering import can_draw, face, fit, wrap


def test_our_own_faces_have_latin_greek_and_cyrillic_and_emoji_are_left_out(app):
    for text in ("Één café, ça va", "Ζωή", "Ночной поезд", "€ 18.640 – “quoted”"):
        assert can_draw(text) == text
    assert can_draw("Play it \U0001faf6 again") == "Play it again"


def test_a_text_of_which_less_than_half_can_be_drawn_is_not_drawn_at_all(app, monkeypatch):
    monkeypatch.setattr(lettering, "_lent", tuple)
    face.cache_clear()
    assert can_draw("夜行列車 LP") == "" and can_draw("Night train 夜") == "Night train" and can_draw("🚂🚂") == ""
    face.cache_clear()


@pytest.mark.parametrize("text", ["Nachttrein: an album recorded in sleeping cars", "W" * 60, "a b " * 15, "x"])
def test_a_text_that_fits_keeps_every_word_and_every_line_its_width(app, text):
    kind, lines = fit(text, "serif", (58, 52, 46, 40), 474, 4)
    assert len(lines) <= 4 and all(kind.width(line) <= 474 for line in lines)
    if not lines[-1].endswith("…"):
        assert "".join(lines).replace(" ", "") == text.replace(" ", "")


def test_a_text_that_is_too_long_is_cut_with_an_ellipsis(app):
    kind, lines = fit("word " * 100, "serif", (25,), 400, 2)
    assert len(lines) == 2 and lines[-1].endswith("…") and kind.width(lines[-1]) <= 400


def test_lines_are_even_and_no_last_word_stands_alone(app):
    _kind, lines = fit("Nachttrein: an album recorded in sleeping cars", "serif", (46,), 478, 4)
    assert lines == ["Nachttrein: an", "album recorded", "in sleeping cars"]


def test_a_word_longer_than_the_line_is_broken_and_nothing_never_hangs(app):
    kind = face("serif", 40)
    assert "".join(wrap("x" * 100, kind, 200, 50)) == "x" * 100
    assert wrap("", kind, 200, 2) == [] and wrap("x" * 1_000, kind, 200, 2) is None
    assert wrap("W", kind, 1, 2) == ["W"]


@pytest.mark.parametrize(("text", "leftward"), [("שלום abc", True), ("abc שלום", False), ("12 قطار", True), ("…", False)])
def test_the_first_sign_with_a_direction_decides(text, leftward):
    assert lettering.is_leftward(text) is leftward
