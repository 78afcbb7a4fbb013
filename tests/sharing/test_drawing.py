"""The two drawings of a tree: no line touches a word, no word another one, and all of them stand within the picture."""

import re
from uuid import uuid4

import pytest
from lxml import html

from sharing import drawing
from sharing.lettering import face
from sharing.tree import Node

NAMES = ("Loubna", "Maximiliane-Alexandrina", "Ayşe", "WWWWWWWWWWWWWWWWWWWW", "Jo")
UP, DOWN, APART = 12, 4, 2  # of a line of letters above and below its base; half of the thickest line


def in_the_panel(name, kids):
    return {"name": name, "amount_text": "€1,234,567", "children": [
        {"name": NAMES[n % len(NAMES)], "amount_text": "€1,234,567"} for n in range(kids)]}


def panel(app, sender):
    tree = app.jinja_env.get_template("_tree.html").module.tree
    return tree({"name": "You", "you": True, "amount_text": "backer 219,382", "children": [
        in_the_panel(name, n) for n, name in enumerate(NAMES)]}, sender={"name": NAMES[1], "seed": "s"} if sender else None)


def node(name, kids=(), **more):
    return Node(1, uuid4(), name or "?", name, amount=123_456_700, recruits=len(kids), further=12 if kids else 0,
                children=list(kids), **more)


def page(app, sender):
    forest = app.jinja_env.get_template("sharing/_forest.html").module.forest
    children = [node(name, [node(NAMES[k]) for k in range(n)], more=1_234 * (n > 2)) for n, name in enumerate(NAMES)]
    picture = drawing.draw(node("You", [*children, node("Poster in the hall of the club", [node("Mo")], is_tag=True)]),
                           node(NAMES[1]) if sender else None)
    return forest(picture, "EUR", lambda link: f"?at={link}", "You")


def box(text):
    """Left, top, right, bottom of a label, by our own letters a little larger than a page has them."""
    said, kind = " ".join(text.text_content().split()), text.get("class") or ""
    wide = face("sans-bold" if "b" in kind.split() else "sans", 16).width(said)
    x, y = float(text.get("x")), float(text.get("y"))
    left = x if "s" in kind.split() else x - wide / 2
    return left, y - UP, left + wide, y + DOWN


def points(path):
    """Where a line runs: M, H and C of our drawings."""
    at = (0.0, 0.0)
    for sign, numbers in re.findall(r"([MHC])([^MHC]*)", path):
        n = [float(one) for one in numbers.split()]
        if sign == "M":
            at = (n[0], n[1])
            continue
        ends = [at, at, (n[0], at[1]), (n[0], at[1])] if sign == "H" else [at, (n[0], n[1]), (n[2], n[3]), (n[4], n[5])]
        for step in range(101):
            t = step / 100
            weights = ((1 - t) ** 3, 3 * t * (1 - t) ** 2, 3 * t * t * (1 - t), t ** 3)
            yield tuple(sum(w * end[i] for w, end in zip(weights, ends, strict=True)) for i in (0, 1))
        at = ends[-1]


def within(point, around, apart):
    left, top, right, bottom = around
    return left - apart < point[0] < right + apart and top - apart < point[1] < bottom + apart


@pytest.mark.parametrize("sender", [False, True])
@pytest.mark.parametrize("drawn", [panel, page])
def test_no_line_touches_a_word_and_no_word_another_or_the_edge(app, drawn, sender):
    with app.test_request_context():
        picture = html.fromstring(str(drawn(app, sender))).xpath("//svg")[0]
    labels = {f"{n}: {text.text_content()}": box(text) for n, text in enumerate(picture.xpath(".//text"))
              if "ini" not in (text.get("class") or "").split()}
    assert len(labels) > 20
    left, top, wide, tall = (float(one) for one in picture.get("viewbox").split())
    out = [said for said, (a, b, c, d) in labels.items() if a < left or b < top or c > left + wide or d > top + tall]
    assert out == []
    touched = {said for path in picture.xpath(".//path/@d") for point in points(path)
               for said, around in labels.items() if within(point, around, APART)}
    assert touched == set()
    assert [(one, other) for one, (a, b, c, d) in labels.items() for other, (e, f, g, h) in labels.items()
            if one < other and a < g and e < c and b < h and f < d] == []
