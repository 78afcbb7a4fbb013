"""Recomputes the contrasts of the look from static/tokens.css, so that no later colour slips."""

import re
from functools import cache
from itertools import combinations
from pathlib import Path

import pytest

STATIC = Path(__file__).resolve().parents[2] / "static"
LIGHT, DARK = 0, 1
SCHEMES = pytest.mark.parametrize("scheme", [LIGHT, DARK], ids=["light", "dark"])


@cache
def tokens() -> dict[str, tuple[str, str]]:
    """Every colour token with its light and its dark value."""
    text = re.sub(r"/\*.*?\*/", "", (STATIC / "tokens.css").read_text(), flags=re.S)
    colours: dict[str, tuple[str, str]] = {}
    for name, light, dark in re.findall(r"--([\w-]+):\s*light-dark\((#\w{6}),\s*(#\w{6})\)", text):
        colours[name] = (light, dark)
    for name, both in re.findall(r"--([\w-]+):\s*(#\w{6});", text):
        colours[name] = (both, both)
    for name, other in re.findall(r"--(c\d):\s*var\(--([\w-]+)\);", text):
        colours[name] = colours[other]
    return colours


def rgb(colour: str) -> tuple[int, int, int]:
    return int(colour[1:3], 16), int(colour[3:5], 16), int(colour[5:7], 16)


def linear(channel: float) -> float:
    channel /= 255
    return channel / 12.92 if channel <= 0.04045 else ((channel + 0.055) / 1.055) ** 2.4


def luminance(colour: str) -> float:
    red, green, blue = (linear(c) for c in rgb(colour))
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


def of(name: str, scheme: int) -> str:
    return name if name.startswith("#") else tokens()[name][scheme]


# text on its ground: at least 4.5 in both schemes
TEXT = [
    ("ink", "paper"), ("ink", "sheet"), ("ink", "raise"), ("ink", "tint"),
    ("soft", "paper"), ("soft", "sheet"), ("soft", "raise"), ("soft", "tint"), ("soft", "dim-bg"),
    ("link", "paper"), ("link", "sheet"), ("link", "tint"),
    ("on-orange", "orange"), ("on-orange", "orange-hi"),
    ("good", "good-bg"), ("bad", "bad-bg"), ("wait", "wait-bg"), ("busy", "busy-bg"),
    ("bad", "paper"), ("bad", "sheet"), ("paper", "ink"),
]  # fmt: skip
# edges and fills that must be seen: at least 3
SEEN = [
    ("edge", "paper"), ("edge", "sheet"), ("edge", "tint"),
    ("orange", "paper"), ("orange", "sheet"), ("bad-edge", "paper"), ("bad-edge", "sheet"),
]  # fmt: skip
# the numbers that the table of the look prints, light and dark
PRINTED = [
    ("ink", "paper", 16.7, 16.0), ("ink", "tint", 14.9, 12.8),
    ("soft", "paper", 6.8, 8.6), ("soft", "raise", 6.1, 7.0), ("soft", "tint", 6.1, 6.8),
    ("line", "paper", 1.4, 1.5), ("edge", "paper", 3.9, 4.5), ("edge", "sheet", 4.1, 4.1), ("edge", "tint", 3.5, 3.6),
    ("orange", "paper", 3.2, 6.7), ("orange", "sheet", 3.4, 6.2),
    ("on-orange", "orange-hi", 6.5, 7.7), ("on-orange", "orange", 5.2, 6.5),
    ("link", "paper", 6.1, 8.9), ("link", "sheet", 6.4, 8.2), ("link", "tint", 5.4, 7.1),
    ("good", "good-bg", 5.9, 7.9), ("bad", "bad-bg", 6.3, 7.9), ("bad", "paper", 7.2, 9.3), ("bad-edge", "paper", 5.6, 7.4),
    ("wait", "wait-bg", 6.7, 9.0), ("busy", "busy-bg", 7.1, 8.3), ("soft", "dim-bg", 5.8, 7.0),
]  # fmt: skip
CHARTS = ["c1", "c2", "c3", "c4", "c5"]


@SCHEMES
@pytest.mark.parametrize(("text", "ground"), TEXT)
def test_text_can_be_read_on_every_ground_it_stands_on(text, ground, scheme):
    assert contrast(of(text, scheme), of(ground, scheme)) >= 4.5


@SCHEMES
@pytest.mark.parametrize(("edge", "ground"), SEEN)
def test_edges_and_fills_can_be_seen(edge, ground, scheme):
    assert contrast(of(edge, scheme), of(ground, scheme)) >= 3


@pytest.mark.parametrize(("colour", "ground", "light", "dark"), PRINTED)
def test_every_ratio_that_the_look_promises_is_kept(colour, ground, light, dark):
    # a table rounded to one decimal may hide half a tenth
    assert contrast(of(colour, LIGHT), of(ground, LIGHT)) >= light - 0.06
    assert contrast(of(colour, DARK), of(ground, DARK)) >= dark - 0.06


def test_white_on_orange_stays_forbidden_because_it_is_too_weak():
    assert contrast("#FFFFFF", of("orange", LIGHT)) < 4.5


def test_orange_on_tint_is_too_weak_in_light_so_ink_stands_there():
    assert contrast(of("orange", LIGHT), of("tint", LIGHT)) < 3 <= contrast(of("ink", LIGHT), of("tint", LIGHT))


def test_a_faint_line_is_too_weak_to_be_the_only_edge_of_a_control():
    assert all(contrast(of("line", scheme), of("paper", scheme)) < 3 for scheme in (LIGHT, DARK))
    forms = (STATIC / "theme" / "forms.css").read_text()
    assert re.search(r"\.form-control, \.form-select \{[^}]*border: 1px solid var\(--edge\)", forms)


@SCHEMES
@pytest.mark.parametrize("part", CHARTS)
def test_every_part_of_a_chart_can_be_seen_on_paper(part, scheme):
    assert contrast(of(part, scheme), of("paper", scheme)) >= 3.1


def test_the_footer_can_be_read():
    footer = (STATIC / "theme" / "chrome.css").read_text()
    for ground in ("#1A1613", "#0B0908"):
        assert ground in footer
        assert contrast("#F4EDE2", ground) >= 15
        assert contrast("#B9AEA0", ground) >= 8


def test_initials_can_be_read_on_their_disc():
    discs = re.findall(
        r"\.a\d \{ background: (#\w{6}); color: (#\w{6}); \}", (STATIC / "theme" / "share.css").read_text()
    )
    assert len(discs) == 5
    assert all(contrast(ground, letters) >= 4.5 and contrast(ground, "#1A1613") >= 4.5 for ground, letters in discs)


# Red, green and blue blindness, simulated in linear light (Viénot 1999 for the first two, for blue one matrix that is stricter than the
# one behind the look's own figure of 29).
BLIND = {
    "red": ((0.11238, 0.88762, 0.0), (0.11238, 0.88762, 0.0), (0.00401, -0.00401, 1.0)),
    "green": ((0.29275, 0.70725, 0.0), (0.29275, 0.70725, 0.0), (-0.02234, 0.02234, 1.0)),
    "blue": ((1.01277, 0.13548, -0.14826), (-0.01243, 0.86812, 0.14431), (0.07589, 0.80500, 0.11911)),
}


def lab(colour: str, matrix) -> tuple[float, float, float]:
    source = [linear(c) for c in rgb(colour)]
    red, green, blue = (min(1.0, max(0.0, sum(w * c for w, c in zip(row, source, strict=True)))) for row in matrix)
    x = (0.4124 * red + 0.3576 * green + 0.1805 * blue) / 0.95047
    y = 0.2126 * red + 0.7152 * green + 0.0722 * blue
    z = (0.0193 * red + 0.1192 * green + 0.9505 * blue) / 1.08883
    fx, fy, fz = (t ** (1 / 3) if t > 0.008856 else 7.787 * t + 16 / 116 for t in (x, y, z))
    return 116 * fy - 16, 500 * (fx - fy), 200 * (fy - fz)


@SCHEMES
@pytest.mark.parametrize("kind", BLIND)
def test_parts_of_a_chart_stay_apart_for_people_who_do_not_see_every_colour(kind, scheme):
    seen = {part: lab(of(part, scheme), BLIND[kind]) for part in CHARTS}
    for one, other in combinations(CHARTS, 2):
        distance = sum((a - b) ** 2 for a, b in zip(seen[one], seen[other], strict=True)) ** 0.5
        assert distance >= (25 if kind == "blue" else 29), (one, other, round(distance, 1))


def test_the_theme_uses_no_number_triplet_that_is_not_in_the_token_list():
    known = set(re.findall(r"--bs-[\w-]+-rgb", (STATIC / "tokens.css").read_text()))
    for sheet in sorted((STATIC / "theme").glob("*.css")):
        assert set(re.findall(r"--bs-[\w-]+-rgb", sheet.read_text())) <= known, sheet.name


def test_no_sheet_of_the_theme_is_longer_than_400_lines():
    assert all(len(sheet.read_text().splitlines()) < 400 for sheet in (STATIC / "theme").glob("*.css"))
