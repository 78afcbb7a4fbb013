"""W-11: what creators write cannot bite."""

from html.parser import HTMLParser

import pytest

from core.markdown import plain, render

SHARP = [
    "<script>alert(1)</script>", "<img src=x onerror=alert(1)>", "<svg/onload=alert(1)>", "[x](javascript:alert(1))",
    "[x](JaVaScRiPt:alert(1))", "[x](java\tscript:alert(1))", "[x](data:text/html;base64,PHNjcmlwdD4=)",
    "[x](vbscript:msgbox(1))", "![x](https://evil.example/pixel.gif)", "![x](//evil.example/pixel.gif)",
    "![x](/media/../admin)", "![x](data:image/svg+xml;base64,PHN2Zz4=)", "<a href='x' onclick='alert(1)'>x</a>",
    "<style>*{display:none}</style>", "<iframe src=//evil.example></iframe>", "<base href=//evil.example>",
    "<form action=//evil.example><input name=p></form>", "<p style='position:fixed'>x</p>", "[x](<javascript:alert(1)>)",
    "<math><mi xlink:href='javascript:alert(1)'>x</mi></math>", "[x](&#106;avascript:alert(1))", "`<script>alert(1)</script>`",
    "![\" onerror=\"alert(1)](/media/x)", "[x](https://a.example \"' onmouseover='alert(1)\")", "<!--<script>-->",
    "[x][1]\n\n[1]: javascript:alert(1)", "<javascript:alert(1)>", "[x](tel:123)", "[x](magnet:?x)", "[x](bitcoin:1)",
    "| a |\n|---|\n| <script>alert(1)</script> |", "# <script>alert(1)</script>", "<img src='/media/x' srcset='//evil 1x'>",
    "<details ontoggle=alert(1) open>", "<h1 id=x class=y>z</h1>", "\x00<script>alert(1)</script>",
]
TAGS = {"p", "br", "h2", "h3", "h4", "strong", "em", "s", "ul", "ol", "li", "blockquote", "code", "pre", "hr", "a", "img",
        "table", "thead", "tbody", "tr", "th", "td"}


class Reader(HTMLParser):
    def __init__(self):
        super().__init__()
        self.seen = []

    def handle_starttag(self, tag, attrs):
        self.seen.append((tag, dict(attrs)))


def _read(html):
    reader = Reader()
    reader.feed(str(html))
    return reader.seen


@pytest.mark.parametrize("source", SHARP)
def test_nothing_sharp_comes_through(source):
    for tag, attributes in _read(render(source)):
        assert tag in TAGS, (tag, source)
        for name, value in attributes.items():
            assert name in {"href", "title", "rel", "src", "alt", "width", "height", "loading"}, (name, source)
            if name == "href":
                assert value.split(":")[0].lower() in ("http", "https", "mailto") or ":" not in value, value
            if name == "src":
                assert value.startswith("/media/"), value


def test_plain_prose_keeps_its_shape():
    html = str(render("# One\n\n## Two\n\n*soft* **hard** ~~gone~~\n\n- a\n- b\n\n| x |\n|---|\n| y |"))
    for piece in ("<h2>One</h2>", "<h2>Two</h2>", "<em>soft</em>", "<strong>hard</strong>", "<s>gone</s>", "<li>a</li>",
                  "<td>y</td>"):
        assert piece in html
    assert "<h1" not in html


def test_links_give_no_credit_and_no_way_back():
    (_, attributes), = [seen for seen in _read(render("[x](https://a.example)")) if seen[0] == "a"]
    assert set(attributes["rel"].split()) >= {"nofollow", "ugc", "noopener", "noreferrer"}


def test_our_own_pictures_stay_and_others_leave_no_empty_frame():
    assert "/media/abc-800.webp" in render("![alt](/media/abc-800.webp)")
    assert "<img" not in render("![alt](https://evil.example/x.png)")


def test_the_words_alone_are_cut_at_a_word():
    assert plain("# Hi\n\nSome *words* & more") == "Hi Some words & more"
    assert plain("word " * 100, 22) == "word word word word…"
