"""The picture under a link: whatever a title holds, in time, in the colours of the house."""

import io
import time
from pathlib import Path

import pytest
from PIL import Image

from sharing import badges, cards
from tests.web.scene import picture_key

WORDS = "They play as if nobody slept, and nobody did."


@pytest.fixture(autouse=True)
def fresh(app):
    cards.forget_here()


def test_a_card_is_made_in_time(app):
    key = picture_key()
    with app.app_context():
        card = cards.Card("en", "night-train", "Night train to the end of the line and back again", key, 77, "of the goal", "9",
                          "days left", "Noor sent you this", "Noor", "x", WORDS)
        cards.png_of(card)  # opens the fonts, once per process
        cards.forget_here()
        begin = time.process_time()
        cards.encode(cards.draw(card))
        took = time.process_time() - begin
    assert took < 0.15, took


TITLES = ["Nachttrein", "夜行列車のアルバム", "قطار الليل: ألبوم", "לילה טוב", "🚂🚂🚂", "x" * 60, "W" * 60, "a \u202e b\u0301\u0301",
          "Ночной поезд", "<b>&amp;", "ก็ไทย", "👩‍🚀 flies", "-", "\u200b"]


@pytest.mark.parametrize("title", TITLES)
@pytest.mark.parametrize("words", ["", "שלום לכולם, זה טוב", "🎉" * 20, "y" * 280])
def test_no_title_and_no_words_break_the_picture(app, title, words):
    made = cards.draw(cards.Card("en", "night-train", title, "f" * 32, 134, "of the goal", "9", "days left",
                                 "Noor sent you this", "Noor", "x", words))
    assert made.size == (1200, 630)


@pytest.mark.parametrize("percent", [0, 1, 2, 99, 100, 101, 250, 100_000])
def test_every_share_of_the_goal_can_be_drawn(app, percent):
    cards.draw(cards.Card("en", "x", "Night train", None, percent, "of the goal", "", "", "", "", ""))


def test_a_card_has_the_colours_of_the_token_list(app):
    tokens = (Path(__file__).parents[2] / "static/tokens.css").read_text()
    for name, value in (("paper", cards.PAPER), ("ink", cards.INK), ("soft", cards.SOFT), ("edge", cards.EDGE),
                        ("orange", cards.ORANGE), ("tint", cards.TINT)):
        assert any(line.strip().startswith(f"--{name}:") and f"light-dark({value}," in line
                   for line in tokens.splitlines()), name
    for n, scheme in enumerate(("light", "dark")):
        for colour in badges.SCHEMES[scheme].values():
            assert colour in tokens, (n, colour)


def test_the_same_card_is_drawn_once(app, monkeypatch):
    drawn = []
    real = cards.draw
    monkeypatch.setattr(cards, "draw", lambda card: drawn.append(card) or real(card))
    card = cards.Card("en", "x", "Night train", None, 7, "of the goal", "9", "days left", "")
    assert cards.png_of(card) == cards.png_of(card) and len(drawn) == 1
    for n in range(cards.KEPT + 1):
        cards._kept[str(n)] = b""
    cards.png_of(cards.Card("en", "x", "Night train", None, 8, "of the goal", "9", "days left", ""))
    assert len(cards._kept) == cards.KEPT


def test_a_photograph_stays_small_enough_for_chats(app):
    noise = Image.effect_noise((630, 630), 90).convert("RGB")
    image = cards.draw(cards.Card("en", "x", "Night train", None, 7, "of the goal", "9", "days left", ""))
    image.paste(noise, (0, 0))
    made = cards.encode(image)
    assert len(made) < 500_000 and Image.open(io.BytesIO(made)).size == (1200, 630)
