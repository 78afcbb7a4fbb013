"""Templates compiled once per language: what depends on nothing but the language is worked out while compiling.

A page says a hundred phrases, shows twenty signs and names thirty fixed addresses. `_('Backers')`, `icon('search')` and
`url_for('static', filename='tokens.css')` stand in the compiled template as the text that they give.
"""

import hashlib
import re
from collections.abc import MutableMapping
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

import jinja2
from flask import Flask
from flask.templating import Environment
from flask_babel import gettext
from jinja2 import FileSystemBytecodeCache, Template, nodes
from jinja2.bccache import Bucket
from jinja2.environment import TemplateModule
from jinja2.runtime import Context
from jinja2.visitor import NodeTransformer
from werkzeug.routing import BuildError

from core.i18n import locale_name

SIGNS = "_icons.html"  # its macros give the same for the same arguments


class Page(Template):
    """A template whose macros are set up once: it never gets globals of its own, so none are looked for."""

    def _get_default_module(self, ctx: Context | None = None) -> TemplateModule:
        return super()._get_default_module()


class Templates(Environment):
    """Flask's templates, one set for each language that is asked for."""

    template_class = Page
    language = ""  # of the set; what is compiled for none is left as it is

    def __init__(self, *args: Any, **options: Any):
        super().__init__(*args, **options)
        self.sets: dict[str, Templates] = {}
        self.filters |= {"tone": tone, "initials": initials}

    def _load_template(self, name: str, globals: MutableMapping[str, Any] | None) -> Template:
        templates = self if self.language else self.set_of(locale_name())  # a page is in one language
        return super(Templates, templates)._load_template(name, globals)

    def set_of(self, language: str) -> "Templates":
        found = self.sets.get(language)
        if found is None:
            found = self.overlay()
            found.language = language
            self.sets[language] = found
        return found

    def _generate(self, source: nodes.Template, name: str | None, filename: str | None, defer_init: bool = False) -> str:
        if self.language:
            source = Folding(self, name).visit(source)
        return super()._generate(source, name, filename, defer_init)


class Compiled(FileSystemBytecodeCache):
    """Compiled templates in a folder, so that not every process compiles them anew.

    A template is compiled from more than its source: the language, the catalogues, the addresses and the signs. All of
    them are in the key, so that what was made from others is never found.
    """

    def __init__(self, app: Flask, folder: Path):
        folder.mkdir(parents=True, exist_ok=True)
        super().__init__(str(folder))
        self.app = app

    @cached_property
    def made_from(self) -> bytes:
        """Read at the first template, when all rooms have said which addresses they have."""
        root = Path(self.app.root_path)
        files = [Path(__file__), root / "templates" / SIGNS, *sorted(root.glob("translations/*/LC_MESSAGES/*.mo"))]
        digest = hashlib.sha256(jinja2.__version__.encode())
        for rule in sorted(f"{rule.rule} {rule.endpoint} {rule.defaults}" for rule in self.app.url_map.iter_rules()):
            digest.update(rule.encode())
        for file in files:
            digest.update(file.read_bytes())
        return digest.digest()

    def get_bucket(self, environment: jinja2.Environment, name: str, filename: str | None, source: str) -> Bucket:
        assert isinstance(environment, Templates)
        key = hashlib.sha256(self.made_from + f"{environment.language}:{name}:{filename}".encode()).hexdigest()
        bucket = Bucket(environment, key, self.get_source_checksum(source))
        self.load_bytecode(bucket)
        return bucket


def init_app(app: Flask) -> None:
    try:
        app.jinja_env.bytecode_cache = Compiled(app, Path(app.config["TEMPLATE_CACHE"]))
    except OSError:  # nothing can be written there: each process compiles for itself
        app.logger.warning("compiled templates cannot be kept")


class Folding(NodeTransformer):
    """Calls of pure functions with constant arguments become what they give."""

    def __init__(self, environment: Templates, name: str | None):
        self.environment, self.context = environment, nodes.EvalContext(environment, name)
        self.paths = environment.app.url_map.bind("")  # type: ignore[attr-defined]
        self.signs: dict[str, str] = {}  # what a template calls them, and their names

    def visit_FromImport(self, node: nodes.FromImport) -> nodes.Node:
        if isinstance(node.template, nodes.Const) and node.template.value == SIGNS:
            pairs = [(name, name) if isinstance(name, str) else name for name in node.names]
            self.signs |= {alias: name for name, alias in pairs}
        return node

    def visit_Output(self, node: nodes.Output) -> nodes.Node:
        """What is joined here is put out piece by piece, so that its constants melt into the text around them."""
        self.generic_visit(node)
        node.nodes = [part for child in node.nodes for part in (child.nodes if isinstance(child, nodes.Concat) else [child])]
        return node

    def visit_Call(self, node: nodes.Call) -> nodes.Node:
        self.generic_visit(node)
        if not isinstance(node.node, nodes.Name) or node.dyn_args or node.dyn_kwargs:
            return node
        name, values = node.node.name, {pair.key: pair.value for pair in node.kwargs}
        try:
            args = [arg.as_const(self.context) for arg in node.args]
            if name in ("_", "gettext"):
                return phrase(args[0], values) or node
            constants = {key: value.as_const(self.context) for key, value in values.items()}
            if name == "url_for" and not any(key.startswith("_") for key in constants):
                return nodes.Const(self.paths.build(args[0], constants))
            if name in self.signs:
                signs = self.environment.get_template(SIGNS).module
                return safe(str(getattr(signs, self.signs[name])(*args, **constants)))
        except (nodes.Impossible, BuildError):
            pass  # known only when the page is made, or a view that this installation does not have
        return node


def safe(text: str) -> nodes.Expr:
    return nodes.MarkSafeIfAutoescape(nodes.Const(text))


def phrase(text: str, values: dict[str, nodes.Expr]) -> nodes.Expr | None:
    """A phrase in the current language with its values in their places; None for a format other than `%(name)s`."""
    pieces = re.split(r"%\((\w+)\)s", gettext(text))  # words, name, words, name, words
    words = [piece.replace("%%", "\0") for piece in pieces[::2]]
    if any("%" in piece for piece in words) or not set(pieces[1::2]) <= set(values):
        return None
    parts = [values[piece] if n % 2 else safe(words[n // 2].replace("\0", "%")) for n, piece in enumerate(pieces)]
    return parts[0] if len(parts) == 1 else nodes.Concat(parts)


@lru_cache(10_000)
def tone(seed: Any) -> int:
    """Which of five colours somebody without a picture has: the same seed always gives the same."""
    if isinstance(seed, int):
        return seed % 5
    total = 0
    for letter in str(seed or "").lower():
        total = (total * 33 + "abcdefghijklmnopqrstuvwxyz0123456789".find(letter) + 2) % 9973
    return total % 5


@lru_cache(10_000)
def initials(name: Any) -> str:
    """The first letters of the first and the last word of a name."""
    words = re.sub("[&@.-]", " ", str(name or "?")).split()
    return "".join(word[0].upper() for word in (words[:1] + words[1:][-1:]))
