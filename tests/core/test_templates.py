"""What stands in a compiled template, and that it says the same as before it was folded."""

import pytest
from flask_babel import force_locale
from jinja2 import DictLoader

from core.templates import Templates, tone

SIGNS = "{% macro icon(name, label=none) %}<i{% if label %} title=\"{{ label }}\"{% endif %}>{{ name }}</i>{% endmacro %}"
PAGES = {
    "_icons.html": SIGNS,
    "word.html": "{{ _('Questions') }} {{ _('Questions')|upper }}",
    "word.txt": "{{ _('%(n)s & more', n='<b>') }} 100%",
    "values.html": "{{ _('All %(n)s', n=n) }}|{% set said = _('Update %(n)s, %(day)s', n=n, day='today') %}{{ said }}",
    "twice.html": "{{ _('%(percent)s%% of the goal', percent=n) }}",
    "links.html": "{{ url_for('projects.how') }} {{ url_for('static', filename='a b.css') }} {{ url_for('projects.show', slug=n) }}",
    "elsewhere.html": "{% if n %}-{% else %}{{ url_for('nobody.knows') }}{% endif %}",
    "sign.html": "{% from '_icons.html' import icon as sign %}{{ sign('search', label=_('Search')) }}{{ sign(n) }}",
    "join.html": "{{ '<b>'|safe ~ n ~ '!' }}",
}


@pytest.fixture
def templates(app):
    made = Templates(app, loader=DictLoader(PAGES), autoescape=lambda name: bool(name) and name.endswith(".html"),
                     extensions=list(app.jinja_env.extensions))
    made.globals, made.filters = app.jinja_env.globals, app.jinja_env.filters
    with app.test_request_context():
        yield made


@pytest.mark.parametrize(("name", "n", "said"), [
    ("word.html", 1, "Questions QUESTIONS"),
    ("word.txt", 1, "<b> & more 100%"),
    ("values.html", "<b>", "All &lt;b&gt;|Update &lt;b&gt;, today"),
    ("values.html", None, "All None|Update None, today"),
    ("twice.html", 77, "77% of the goal"),
    ("links.html", "x y", "/how /static/a%20b.css /projects/x%20y"),
    ("elsewhere.html", 1, "-"),
    ("sign.html", "<", '<i title="Search">search</i><i>&lt;</i>'),
    ("join.html", "<", "<b>&lt;!"),
])
def test_a_folded_template_says_what_it_says(templates, name, n, said):
    assert templates.get_template(name).render(n=n) == said


def test_each_language_has_its_own_set(templates):
    english = templates.get_template("word.html")
    with force_locale("nl"):
        dutch = templates.get_template("word.html")
        assert dutch.render() != english.render() == "Questions QUESTIONS"
    assert templates.get_template("word.html") is english


def test_a_view_that_is_not_there_is_missed_only_when_somebody_gets_that_far(templates):
    from werkzeug.routing import BuildError

    with pytest.raises(BuildError):
        templates.get_template("elsewhere.html").render(n=0)


def test_words_and_fixed_addresses_are_constants_of_the_code(templates):
    templates.get_template("word.html")
    source = templates.set_of("en")
    code = source._generate(source._parse("{{ _('Questions') }}{{ url_for('projects.how') }}", "x.html", None), "x.html", None)
    assert "Questions/how" in code


@pytest.mark.parametrize("seed", [7, "Noor", "", None])
def test_a_tone_is_one_of_five_and_always_the_same(seed):
    assert tone(seed) == tone(seed) and tone(seed) in range(5)
